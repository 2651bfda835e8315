with

users as (

    select * from {{ ref('stg_users') }}

),

order_history as (

    select
        customer_id,
        count(*) as order_count,
        sum(case when is_returned then 1 else 0 end) as returned_order_count,
        count(distinct currency) as currency_count,
        min(currency) as currency,
        sum(revenue) as revenue,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date

    from {{ ref('orders') }}

    group by customer_id

),

valued as (

    select
        users.*,
        order_history.order_count,
        order_history.returned_order_count,
        order_history.first_order_date,
        order_history.last_order_date,

        -- Euros and dollars have no sum: a customer who paid in several currencies has no single value.
        case when order_history.currency_count = 1 then order_history.currency end as currency,
        case
            when order_history.currency_count > 1 then null
            else coalesce(order_history.revenue, 0)
        end as lifetime_value

    from users
    left join order_history on users.customer_id = order_history.customer_id

)

select
    -- ids
    customer_id,

    -- strings
    email,
    full_name,
    country,
    tier,
    currency,

    -- numerics
    cast(coalesce(order_count, 0) as bigint) as order_count,
    cast(coalesce(returned_order_count, 0) as bigint) as returned_order_count,
    cast(lifetime_value as numeric(18, 2)) as lifetime_value,
    cast(lifetime_value / order_count as numeric(18, 2)) as average_order_value,

    -- booleans
    is_active,
    coalesce(order_count, 0) > 1 as is_repeat_customer,

    -- dates and timestamps
    first_order_date,
    last_order_date,
    signed_up_at,
    updated_at

from valued
