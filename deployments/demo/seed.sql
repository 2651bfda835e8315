-- A shop that has been open for 400 days, at the size of the setting demo.scale; needs schema.sql and shop.sql.
-- Nothing here breaks a rule: what is NULL, empty, quoted or negative is legal and must arrive as it is.
select demo.welcome(
    ceil(20000 * current_setting('demo.scale')::numeric)::bigint,
    now() - interval '1500 days', now() - interval '400 days'
);
select demo.stock(ceil(1000 * current_setting('demo.scale')::numeric)::bigint);
analyze products;
select demo.sell(ceil(100000 * current_setting('demo.scale')::numeric)::bigint, now() - interval '400 days');
set local default_statistics_target = 10;  -- the counts are wanted, the rest takes a second
analyze users, products, orders, transactions;
