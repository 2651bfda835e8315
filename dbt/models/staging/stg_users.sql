with

source as (

    select * from {{ source('raw', 'users') }}
    where {{ is_in_source('users') }}

),

renamed as (

    select
        -- ids
        user_id as customer_id,

        -- strings
        email,
        trim(full_name) as full_name,
        upper(nullif(trim(country), '')) as country,
        tier,

        -- json
        preferences,
        tags,

        -- booleans
        is_active,

        -- dates and timestamps
        birth_date,
        signed_up_at,
        updated_at,
        _synced_at

    from source

)

select * from renamed
