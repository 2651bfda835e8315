{% snapshot product_price_snapshot %}

{#- By price and not by updated_at: only a new price opens a new version, also where a write left updated_at alone. -#}
{{
    config(
        unique_key='product_id',
        strategy='check',
        check_cols=['price'],
        hard_deletes='invalidate'
    )
}}

select
    product_id,
    price

from {{ ref('stg_products') }}

{% endsnapshot %}
