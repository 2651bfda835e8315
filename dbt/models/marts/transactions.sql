with

transactions as (

    select * from {{ ref('stg_transactions') }}

),

orders as (

    select * from {{ ref('stg_orders') }}

),

split as (

    select
        *,
        coalesce(case when kind = 'payment' then amount end, 0) as paid_amount,
        coalesce(case when kind = 'refund' then amount end, 0) as refunded_amount,
        coalesce(case when kind = 'payment' then quantity end, 0) as units_sold,
        coalesce(case when kind = 'refund' then quantity end, 0) as units_returned

    from transactions

)

select
    -- ids
    split.transaction_id,
    split.order_id,
    orders.customer_id,
    split.product_id,

    -- strings
    split.kind,
    split.payment_method,
    orders.currency,

    -- numerics
    cast(split.paid_amount as numeric(12, 2)) as paid_amount,
    cast(split.refunded_amount as numeric(12, 2)) as refunded_amount,
    cast(split.paid_amount - split.refunded_amount as numeric(12, 2)) as revenue,
    cast(split.units_sold as bigint) as units_sold,
    cast(split.units_returned as bigint) as units_returned,

    -- booleans
    orders.order_id is not null as is_order_known,

    -- dates and timestamps
    orders.order_date,
    orders.order_month,
    split.occurred_on,
    split.occurred_at

from split
left join orders on split.order_id = orders.order_id
