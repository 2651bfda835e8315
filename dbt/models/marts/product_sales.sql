with

sales as (

    select
        product_id,
        currency,
        count(distinct order_id) as order_count,
        sum(units_sold) as units_sold,
        sum(units_returned) as units_returned,
        sum(paid_amount) as paid_amount,
        sum(refunded_amount) as refunded_amount,
        sum(revenue) as revenue,
        min(case when units_sold > 0 then occurred_on end) as first_sold_on,
        max(case when units_sold > 0 then occurred_on end) as last_sold_on

    from {{ ref('transactions') }}

    where is_order_known

    group by product_id, currency

),

products as (

    select * from {{ ref('stg_products') }}

)

select
    -- keys
    sales.product_id,
    sales.currency,

    -- strings
    products.sku,
    products.product_name,
    products.category,

    -- numerics
    cast(sales.order_count as bigint) as order_count,
    cast(sales.units_sold as bigint) as units_sold,
    cast(sales.units_returned as bigint) as units_returned,
    cast(sales.units_returned / nullif(sales.units_sold, 0) as numeric(9, 4)) as return_rate,
    cast(sales.paid_amount as numeric(18, 2)) as paid_amount,
    cast(sales.refunded_amount as numeric(18, 2)) as refunded_amount,
    cast(sales.revenue as numeric(18, 2)) as revenue,

    -- booleans
    products.is_available,

    -- dates
    sales.first_sold_on,
    sales.last_sold_on

from sales
left join products on sales.product_id = products.product_id
