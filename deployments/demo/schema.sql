-- The demo shop: one table for each way an engineer meets a type, a key and a NULL.
create type user_tier as enum ('bronze', 'silver', 'gold');
create type transaction_kind as enum ('payment', 'refund');

create table users (
    user_id bigint primary key,
    email text not null,
    full_name text not null,
    country char(2),
    tier user_tier not null,
    is_active boolean not null,
    birth_date date,
    preferences jsonb,
    tags text[],
    signed_up_at timestamptz not null,
    updated_at timestamptz not null default now()
);

create table products (
    product_id uuid primary key,
    sku varchar(20) not null unique,
    name text not null,
    category text not null,
    price numeric(12, 2) not null,
    weight_kg double precision,
    attributes jsonb,
    tags text[],
    is_available boolean not null,
    updated_at timestamptz not null default now()
);

-- customer_id and status carry no constraint: shops forget them, and the demo's bad rows need the gap.
create table orders (
    order_id bigint primary key,
    customer_id bigint,
    order_date date not null,
    status text,
    total_amount numeric(12, 2),
    currency char(3) not null,
    coupon_code text,
    is_gift boolean,
    updated_at timestamptz not null default now()
);
create index orders_updated_at on orders (updated_at);

create table transactions (
    transaction_id uuid primary key,
    order_id bigint not null,
    product_id uuid not null,
    kind transaction_kind not null,
    quantity integer not null,
    amount numeric(12, 2) not null,
    method text,
    details jsonb,
    occurred_at timestamptz not null,
    updated_at timestamptz not null default now()
);
create index transactions_updated_at on transactions (updated_at);
