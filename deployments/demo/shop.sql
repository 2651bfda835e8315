-- How the shop makes its data; loaded once, before the seed. Chance is a hash of an id and a salt,
-- so that the same ids always get the same rows and every new day different ones.
create schema demo;
create sequence demo.days;
create sequence demo.order_ids;  -- a sequence, so that concurrent transactions never share an id

create function demo.dice(id bigint, salt bigint) returns double precision
language sql immutable parallel safe as $$
    select (hashint8extended(id, salt) & 4503599627370495)::double precision / 4503599627370496
$$;

create function demo.pick(options text[], id bigint, salt bigint) returns text
language sql immutable parallel safe as $$
    select options[1 + floor(demo.dice(id, salt) * cardinality(options))::integer]
$$;

create function demo.product_id(number bigint) returns uuid
language sql immutable parallel safe as $$ select md5('product ' || number)::uuid $$;

-- 2 in 100 users never said where they live. day.sql asks again here for what bad_day.sql lost.
create function demo.country(user_id bigint) returns text
language sql immutable parallel safe as $$
    select case when demo.dice(user_id, 1) >= 0.02 then demo.pick(
        array['DE', 'DE', 'DE', 'FR', 'FR', 'GB', 'GB', 'US', 'US', 'ES', 'IT', 'NL', 'PL', 'SE', 'CH', 'BR'],
        user_id, 2) end
$$;

create function demo.currency(country text) returns text
language sql immutable parallel safe as $$
    select case country when 'GB' then 'GBP' when 'US' then 'USD' when 'PL' then 'PLN' when 'SE' then 'SEK'
        when 'CH' then 'CHF' when 'BR' then 'BRL' else 'EUR' end
$$;

-- Users sign up between two times, and have changed something since, unless a `stamp` says when.
-- Their ids go on from the largest.
create function demo.welcome(
    how_many bigint, since timestamptz, until timestamptz, stamp timestamptz default null
) returns void
language sql as $$
with arrival as (
    select
        (select coalesce(max(user_id), 0) from users) + n as id,
        since + (until - since) * (n::double precision / how_many) as at
    from generate_series(1, how_many) as n
),
person as (
    select
        *,
        demo.pick(array['Zoë', 'François', 'Łukasz', 'Søren', 'Márta', 'Ana Lucía', 'Jürgen', 'Renée', 'Anna',
            'Tom', 'Nguyễn', 'João', 'Şule', 'Ivan', '美咲', 'Δήμητρα', 'Οδυσσέας', 'Emma', 'Noah', 'Mia 🌻'],
            id, 10) as given,
        demo.pick(array['O''Brien', 'Müller', 'García', 'd''Angelo', 'Łapiński', 'Smith', 'van der Berg',
            'Åström', 'Dubois', 'Silva', '田中', 'Çelik', 'Nowak', 'Weiß', 'Jones', 'Rossi'],
            id, 11) as family,
        '{"theme": {"name": "dark", "font": {"size": 14}}, "newsletter": true, "channels": ["mail", "push"]}'
            ::jsonb as wishes
    from arrival
)
insert into users (
    user_id, email, full_name, country, tier, is_active, birth_date, preferences, tags, signed_up_at, updated_at
)
select
    id,
    'customer' || id || demo.pick(array['', '+shop', '.home'], id, 12) || '@'
        || demo.pick(array['example.com', 'example.org', 'mail.example.net'], id, 13),
    given || ' ' || family,
    demo.country(id),
    demo.pick(array['bronze', 'bronze', 'bronze', 'bronze', 'silver', 'silver', 'gold'], id, 14)::user_tier,
    demo.dice(id, 15) < 0.93,
    case when demo.dice(id, 16) < 0.85 then date '1942-03-01' + floor(demo.dice(id, 17) * 23500)::integer end,
    case floor(demo.dice(id, 18) * 10)::integer
        when 0 then null
        when 1 then '{}'
        when 2 then jsonb_build_object('newsletter', false, 'note', E'rings twice\nsays "hello" \\o/ 👋')
        when 3 then jsonb_build_object(
            'sizes', jsonb_build_array(36 + id % 10, null, 'M'), 'budget', round(id / 7.0, 2))
        else jsonb_set(wishes, '{theme,font,size}', to_jsonb(10 + id % 8))
    end,
    case floor(demo.dice(id, 19) * 8)::integer
        when 0 then null
        when 1 then '{}'
        when 2 then array['says "hi"', 'comma, brace }', E'back\\slash', null]
        else array[demo.pick(array['vip', 'b2b', 'press', 'late payer'], id, 20), 'since ' || extract(year from at)]
    end,
    at,
    coalesce(stamp, at + (now() - at) * demo.dice(id, 21))
from person
$$;

create function demo.stock(how_many bigint) returns void
language sql as $$
with item as (
    select
        n,
        demo.pick(array['kitchen', 'garden', 'books', 'toys', 'électronique', 'sport'], n, 30) as category,
        demo.pick(array['Kettle "Nordlicht" 1.7 l', 'Café crème set', 'Notebook C:\temp\ideas', 'Señor Piñata 🎉',
            E'Puzzle,\n1000 pieces', 'Lamp "Å"', 'Gärtner''s gloves', 'Tea 50% off', 'Ball', 'Rope 10 m'], n, 31) as name
    from generate_series(1, how_many) as n
)
insert into products (
    product_id, sku, name, category, price, weight_kg, attributes, tags, is_available, updated_at
)
select
    demo.product_id(n),
    'SKU-' || lpad(n::text, 7, '0'),
    name || ' No. ' || n,
    category,
    round((2 + 200 * power(demo.dice(n, 32), 3))::numeric, 2),
    case when demo.dice(n, 33) < 0.95 then 0.05 + 20 * demo.dice(n, 34) end,
    case floor(demo.dice(n, 35) * 6)::integer
        when 0 then null
        when 1 then 'null'
        when 2 then jsonb_build_object('colours', jsonb_build_array('grün', 'blue'), 'label', E'tab\there, "quoted"')
        else jsonb_build_object(
            'size', jsonb_build_object('height', n % 90, 'width', round(n / 3.0, 3)), 'eco', n % 2 = 0)
    end,
    case floor(demo.dice(n, 36) * 4)::integer
        when 0 then null
        when 1 then '{}'
        when 2 then array['new', E'it''s "hot"']
        else array[category]
    end,
    demo.dice(n, 37) < 0.9,
    now() - interval '400 days' * demo.dice(n, 38)
from item
$$;

-- Orders are placed between `since` and now, two lines each. Given no `stamp`, they have gone their way
-- since: shipped, delivered, some returned, and updated_at says when. A returned order keeps its first
-- line and has that line's refund as its second. A refund's amount is positive; its kind is the sign.
create function demo.sell(how_many bigint, since timestamptz, stamp timestamptz default null) returns void
language sql set enable_mergejoin = off  -- the planner can't know how the hashed product numbers spread
as $$
with numbered as (
    select nextval('demo.order_ids') as id, n from generate_series(1, how_many) as n
),
placed as materialized (  -- once a row: what follows is inlined only over plain columns
    select
        id,
        since + (now() - since) * ((n - demo.dice(id, 40)) / how_many) as at,
        -- The square makes regulars: the first tenth of the users places a third of the orders.
        1 + floor(power(demo.dice(id, 41), 2) * (select max(user_id) from users))::bigint as customer
    from numbered
),
sale as (
    select
        *,
        demo.currency(demo.country(customer)) as currency,
        case when demo.dice(id, 42) < 0.12
            then demo.pick(array['WELCOME10', 'été-10', '10 "off"'], id, 43) end as coupon,
        case
            when now() - at < interval '36 hours' then 'placed'
            when now() - at < interval '4 days' then 'shipped'
            when now() - at > interval '30 days' and demo.dice(id, 44) < 0.04 then 'returned'
            else 'delivered'
        end as status
    from placed
),
moved as (
    select
        *,
        at + demo.dice(id, 45) * case status
            when 'placed' then interval '0' when 'shipped' then interval '30 hours'
            when 'delivered' then interval '90 hours' else interval '28 days' end as changed
    from sale
),
line as (
    select
        moved.id,
        line,
        case when line = 2 and status = 'returned' then 'refund' else 'payment' end::transaction_kind as kind,
        moved.id * 2 + case when status = 'returned' then 1 else line end as item,
        case when coupon is null then 1 else 0.9 end as discount,
        case when line = 2 and status = 'returned' then changed else at end as occurred
    from moved cross join generate_series(1, 2) as line
),
priced as (
    select line.*, product_id, quantity, round(quantity * price * discount, 2) as amount
    from line
    cross join lateral (select 1 + floor(3 * power(demo.dice(item, 50), 2))::integer as quantity) as many
    join products
        on substr(sku, 5)::bigint = 1 + floor(demo.dice(item, 51) * (select count(*) from products))::bigint
),
total as (
    select id, sum(amount) filter (where kind = 'payment') as paid from priced group by id
),
booked as (
    insert into orders (
        order_id, customer_id, order_date, status, total_amount, currency, coupon_code, is_gift, updated_at
    )
    select
        id,
        customer,
        at::date,
        status,
        case
            when id % 14000 = 77 then -paid  -- typed in with the wrong sign; dbt cleans it
            when demo.dice(id, 46) >= 0.005 then paid
        end,
        currency,
        coupon,
        case when demo.dice(id, 47) < 0.97 then demo.dice(id, 48) < 0.08 end,
        coalesce(stamp, changed)
    from moved join total using (id)
    order by id
)
insert into transactions (
    transaction_id, order_id, product_id, kind, quantity, amount, method, details, occurred_at, updated_at
)
select
    (lpad(to_hex(id), 12, '0') || '40008000' || lpad(to_hex(line), 12, '0'))::uuid,
    id,
    product_id,
    kind,
    quantity,
    amount,
    case when demo.dice(id, 52) < 0.98
        then demo.pick(array['card', 'card', 'card', 'paypal', 'invoice'], id, 53) end,
    case floor(demo.dice(id, 54) * 5)::integer
        when 0 then jsonb_build_object('attempts', 1 + id % 3, 'memo', E'für "Oma" \\ 1/2\nthanks 💐')
        when 1 then jsonb_build_object(
            'card', jsonb_build_object('brand', 'visa', 'last4', right('000' || id, 4)),
            'risk', array[id % 1000 / 1000.0, null])
        when 2 then '{"card": {"brand": "maestro", "last4": null}, "risk": []}'
    end,
    occurred,
    coalesce(stamp, occurred)
from priced
order by id, line  -- as they came in, which also makes the indexes quick to fill
$$;
