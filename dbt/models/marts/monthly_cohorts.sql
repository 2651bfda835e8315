with

-- Every figure is within one currency, so a customer belongs to a cohort of each currency paid in.
orders as (

    select
        customer_id,
        currency,
        order_month,
        revenue,
        min(order_month) over (partition by customer_id, currency) as cohort_month

    from {{ ref('orders') }}

    where customer_id is not null

),

activity as (

    select
        cohort_month,
        currency,
        datediff('month', cohort_month, order_month) as month_offset,
        count(distinct customer_id) as active_customers,
        count(*) as order_count,
        sum(revenue) as revenue

    from orders

    group by 1, 2, 3

),

sized as (

    select
        *,
        first_value(active_customers) over (
            partition by cohort_month, currency
            order by month_offset
        ) as cohort_size,
        sum(revenue) over (
            partition by cohort_month, currency
            order by month_offset
            rows between unbounded preceding and current row
        ) as cumulative_revenue

    from activity

)

select
    -- keys
    cohort_month,
    currency,
    cast(month_offset as bigint) as month_offset,

    -- numerics
    cast(cohort_size as bigint) as cohort_size,
    cast(active_customers as bigint) as active_customers,
    cast(active_customers / cohort_size as numeric(9, 4)) as retention_rate,
    cast(order_count as bigint) as order_count,
    cast(revenue as numeric(18, 2)) as revenue,
    cast(cumulative_revenue as numeric(18, 2)) as cumulative_revenue

from sized
