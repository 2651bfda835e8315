with

source as (

    select * from {{ source('raw', 'transactions') }}
    where {{ is_in_source('transactions') }}

),

renamed as (

    select
        -- ids: a UUID in DuckDB is text in Snowflake
        cast(transaction_id as varchar) as transaction_id,
        order_id,
        cast(product_id as varchar) as product_id,

        -- strings
        kind,
        method as payment_method,

        -- json
        details,

        -- numerics
        quantity,
        amount,

        -- dates and timestamps
        {{ utc_date('occurred_at') }} as occurred_on,
        occurred_at,
        updated_at,
        _synced_at

    from source

)

select * from renamed
