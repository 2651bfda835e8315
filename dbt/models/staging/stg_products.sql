with

source as (

    select * from {{ source('raw', 'products') }}
    where {{ is_in_source('products') }}

),

renamed as (

    select
        -- ids: a UUID in DuckDB is text in Snowflake
        cast(product_id as varchar) as product_id,

        -- strings
        sku,
        name as product_name,
        category,

        -- json
        attributes,
        tags,

        -- numerics
        price,
        weight_kg,

        -- booleans
        is_available,

        -- timestamps
        updated_at,
        _synced_at

    from source

)

select * from renamed
