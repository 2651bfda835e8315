-- Both ways, so that neither a lost nor an invented order passes.
select coalesce(staged.order_id, published.order_id) as order_id
from {{ ref('stg_orders') }} as staged
full outer join {{ ref('orders') }} as published on staged.order_id = published.order_id
where staged.order_id is null or published.order_id is null
