{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='order_id',
        on_schema_change='append_new_columns',
        cluster_by=['order_date'],
        post_hook="{{ delete_rows_not_in_source('orders', 'order_id') }}"
    )
}}

with

source as (

    select * from {{ source('raw', 'orders') }}
    where {{ is_in_source('orders') }}

    {%- if is_incremental() %}

    -- By _synced_at, because updated_at is not the order of arrival: a transaction that commits late
    -- brings rows older than the newest one here, and a filter on updated_at would lose them for good.
    -- >= reads the last publish again, which is harmless: rows are replaced by their key.
    and _synced_at >= (
        select coalesce(max(_synced_at), cast('1970-01-01' as timestamp)) from {{ this }}
    )
    {%- endif %}

),

renamed as (

    select
        -- ids
        order_id,
        customer_id,

        -- strings
        upper(trim(status)) as status,
        currency,
        coupon_code,

        -- numerics
        case when total_amount < 0 then 0 else total_amount end as total_amount,
        total_amount as raw_total_amount,

        -- booleans
        is_gift,

        -- dates and timestamps
        order_date,
        cast(date_trunc('month', order_date) as date) as order_month,
        updated_at,
        _synced_at,
        current_timestamp as dbt_loaded_at

    from source

    where order_id is not null

)

select * from renamed
