-- One day passes in the shop, in one transaction: every row it touches is stamped with the transaction's now().
select pg_advisory_xact_lock(hashtext('demo'));  -- days pass one after the other
select nextval('demo.days');

-- Yesterday's mistakes are found: all that a bad day broke, and most forgotten customers and lost parcels.
update users set country = demo.country(user_id), updated_at = now()
where country is null and demo.country(user_id) is not null;

update orders set order_date = updated_at::date, updated_at = now()
where order_date > current_date + 1;

update orders
set customer_id = 1 + floor(demo.dice(order_id, 60) * (select max(user_id) from users))::bigint, updated_at = now()
where customer_id is null and demo.dice(order_id, 1000 + currval('demo.days')) < 0.6;

update orders set status = 'delivered', updated_at = now()
where status = 'lost in transit' and demo.dice(order_id, 1000 + currval('demo.days')) < 0.6;

-- One order in a hundred moves on: open ones, and a few delivered ones come back for a refund.
with moving as (
    select order_id
    from orders
    where status in ('placed', 'shipped') and customer_id is not null
        or status = 'delivered' and demo.dice(order_id, 1000 + currval('demo.days')) < 0.001
    order by demo.dice(order_id, 2000 + currval('demo.days'))
    limit (select ceil(count(*) / 100.0) from orders)
    for update skip locked  -- a shopper's transaction of another run may hold one for a whole night
),
moved as (
    update orders
    set
        status = case status when 'placed' then 'shipped' when 'shipped' then 'delivered' else 'returned' end,
        updated_at = now()
    where order_id in (select order_id from moving)
    returning order_id, status
)
insert into transactions (
    transaction_id, order_id, product_id, kind, quantity, amount, method, details, occurred_at, updated_at
)
select
    md5('refund ' || transaction_id)::uuid, order_id, product_id, 'refund', quantity, amount, method,
    jsonb_build_object('refund_of', transaction_id), now(), now()
from moved join transactions using (order_id)
where moved.status = 'returned';

-- One product in fifty gets another price.
update products
set
    price = greatest(0.5, round(
        price * (0.9 + 0.2 * demo.dice(hashtext(sku), 3000 + currval('demo.days')))::numeric, 2)),
    updated_at = now()
where product_id in (
    select product_id from products
    order by demo.dice(hashtext(sku), 4000 + currval('demo.days'))
    limit (select ceil(count(*) / 50.0) from products)
);

-- One user in two hundred changes something, and one in a thousand is new.
update users
set
    tier = demo.pick(array['bronze', 'silver', 'gold'], user_id, 5000 + currval('demo.days'))::user_tier,
    preferences = coalesce(preferences, '{}') || jsonb_build_object('asked', current_date),
    updated_at = now()
where demo.dice(user_id, 6000 + currval('demo.days')) < 0.005;

select demo.welcome(ceil(count(*) / 1000.0)::bigint, now() - interval '1 day', now(), stamp => now()) from users;

-- One order in a hundred is new, and 400 at least: small shops too need days whose few bad rows stay few.
create temporary table today on commit drop as
    select last_value as sold_before, greatest(ceil(count(*) / 100.0), 400)::bigint as sells
    from demo.order_ids, orders group by last_value;
select demo.sell(sells, now() - interval '1 day', stamp => now()) from today;

-- Of each 400, one forgets its customer (three a day at most) and one gets lost (two at most).
update orders set customer_id = null
from today
where order_id between sold_before + 1 and sold_before + least(3, ceil(sells / 400.0));

update orders set status = 'lost in transit'
from today
where order_id between sold_before + 11 and sold_before + 10 + least(2, ceil(sells / 400.0));
