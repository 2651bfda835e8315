-- What a shopper's transaction does that starts in the day and commits after the night's snapshot was
-- taken: its rows say now(), the time it began, which is before the newest rows the night has read.
select demo.sell(3, now() - interval '5 minutes', stamp => now());

update orders
set status = case status when 'placed' then 'shipped' else 'delivered' end, updated_at = now()
where order_id = (
    select order_id from orders
    where status in ('placed', 'shipped') and customer_id is not null and updated_at < now()
    order by order_id desc limit 1
    for update skip locked
);
