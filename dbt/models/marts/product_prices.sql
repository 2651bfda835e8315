with

versions as (

    select
        *,
        lag(price) over (partition by product_id order by dbt_valid_from) as previous_price

    from {{ ref('product_price_snapshot') }}

)

select
    -- keys
    dbt_scd_id as price_version_id,
    product_id,

    -- numerics
    price,
    previous_price,
    cast(price - previous_price as numeric(12, 2)) as price_change,

    -- booleans
    dbt_valid_to is null as is_current,

    -- timestamps
    dbt_valid_from as valid_from,
    dbt_valid_to as valid_to

from versions
