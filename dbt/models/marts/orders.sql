with

orders as (

    select * from {{ ref('stg_orders') }}

),

-- One row an order before the join, so that no order is counted twice.
money as (

    select
        order_id,
        count(*) as transaction_count,
        sum(paid_amount) as paid_amount,
        sum(refunded_amount) as refunded_amount,
        sum(revenue) as revenue,
        sum(units_sold) as units_sold,
        sum(units_returned) as units_returned

    from {{ ref('transactions') }}

    group by order_id

)

select
    -- ids
    orders.order_id,
    orders.customer_id,

    -- strings
    orders.status,
    orders.currency,
    orders.coupon_code,

    -- numerics
    orders.total_amount,
    orders.raw_total_amount,
    cast(coalesce(money.paid_amount, 0) as numeric(18, 2)) as paid_amount,
    cast(coalesce(money.refunded_amount, 0) as numeric(18, 2)) as refunded_amount,
    cast(coalesce(money.revenue, 0) as numeric(18, 2)) as revenue,
    cast(coalesce(money.units_sold, 0) as bigint) as units_sold,
    cast(coalesce(money.units_returned, 0) as bigint) as units_returned,
    cast(coalesce(money.transaction_count, 0) as bigint) as transaction_count,
    cast(
        case
            when orders.customer_id is not null then row_number() over (
                partition by orders.customer_id
                order by orders.order_date, orders.order_id
            )
        end as bigint
    ) as customer_order_number,

    -- booleans
    orders.is_gift,
    coalesce(orders.status = 'RETURNED', false) as is_returned,
    coalesce(money.refunded_amount, 0) > 0 as is_refunded,

    -- dates and timestamps
    orders.order_date,
    orders.order_month,
    orders.updated_at,
    orders.dbt_loaded_at

from orders
left join money on orders.order_id = money.order_id
