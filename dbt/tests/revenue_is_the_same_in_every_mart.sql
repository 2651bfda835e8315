-- By currency, every mart that adds up transactions must come to the same revenue.
with

totals as (

    select currency, round(sum(revenue), 2) as revenue
    from {{ ref('transactions') }}
    where is_order_known
    group by currency

    union all

    select currency, round(sum(revenue), 2)
    from {{ ref('orders') }}
    group by currency

    union all

    select currency, round(sum(revenue), 2)
    from {{ ref('daily_revenue') }}
    group by currency

    union all

    select currency, round(sum(revenue), 2)
    from {{ ref('product_sales') }}
    group by currency

    union all

    select currency, round(sum(paid_amount - refunded_amount), 2)
    from {{ ref('returns') }}
    group by currency

)

select
    currency,
    min(revenue) as lowest,
    max(revenue) as highest,
    count(*) as marts

from totals

-- Orders nobody has paid yet are in one mart only, and worth nothing.
where revenue <> 0

group by currency
having min(revenue) <> max(revenue) or count(*) <> 5
