-- Cohorts take every order with a customer, customers those whose account exists: both must match mart.orders.
with

orders as (

    select
        round(sum(orders.revenue), 2) as cohort_revenue,
        round(sum(case when customers.lifetime_value is not null then orders.revenue else 0 end), 2) as customer_revenue

    from {{ ref('orders') }} as orders
    left join {{ ref('customers') }} as customers on orders.customer_id = customers.customer_id

    where orders.customer_id is not null

),

marts as (

    select
        (select round(sum(revenue), 2) from {{ ref('monthly_cohorts') }}) as cohort_revenue,
        (select round(sum(lifetime_value), 2) from {{ ref('customers') }}) as customer_revenue

)

select orders.*, marts.*
from orders
cross join marts
where orders.cohort_revenue <> marts.cohort_revenue
    or orders.customer_revenue <> marts.customer_revenue
