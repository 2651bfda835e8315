with

transactions as (

    select * from {{ ref('transactions') }}

    where is_order_known

)

select
    -- keys
    occurred_on as revenue_date,
    currency,

    -- numerics
    cast(count(distinct order_id) as bigint) as order_count,
    cast(sum(case when kind = 'payment' then 1 else 0 end) as bigint) as payment_count,
    cast(sum(case when kind = 'refund' then 1 else 0 end) as bigint) as refund_count,
    cast(sum(paid_amount) as numeric(18, 2)) as paid_amount,
    cast(sum(refunded_amount) as numeric(18, 2)) as refunded_amount,
    cast(sum(revenue) as numeric(18, 2)) as revenue

from transactions

group by occurred_on, currency
