with

transactions as (

    select * from {{ ref('transactions') }}

    where is_order_known

),

products as (

    select * from {{ ref('stg_products') }}

),

-- By the month of the order, not of the refund: a rate compares what came back with what had gone out.
returned as (

    select
        transactions.order_month,
        coalesce(products.category, 'unknown') as category,
        transactions.currency,
        count(distinct transactions.order_id) as order_count,
        count(distinct case when transactions.units_returned > 0 then transactions.order_id end)
            as returned_order_count,
        sum(transactions.units_sold) as units_sold,
        sum(transactions.units_returned) as units_returned,
        sum(transactions.paid_amount) as paid_amount,
        sum(transactions.refunded_amount) as refunded_amount

    from transactions
    left join products on transactions.product_id = products.product_id

    group by 1, 2, 3

)

select
    -- keys
    order_month,
    category,
    currency,

    -- numerics
    cast(order_count as bigint) as order_count,
    cast(returned_order_count as bigint) as returned_order_count,
    cast(units_sold as bigint) as units_sold,
    cast(units_returned as bigint) as units_returned,
    cast(paid_amount as numeric(18, 2)) as paid_amount,
    cast(refunded_amount as numeric(18, 2)) as refunded_amount,
    cast(units_returned / nullif(units_sold, 0) as numeric(9, 4)) as return_rate,
    cast(refunded_amount / nullif(paid_amount, 0) as numeric(9, 4)) as refund_rate

from returned
