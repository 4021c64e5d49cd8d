with records as (
    {{ raw_records("shopify", "orders") }}
),

final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        null::text as external_ref,

        ---------- numerics
        -- Shopify keeps its books in the shop's currency: that is the document's. What the customer saw stands beside.
        records.payload ->> 'currencyCode' as currency,
        records.payload ->> 'presentmentCurrencyCode' as presentment_currency,
        {{ money_bag("records.payload", "currentTotalPriceSet") }} as total_amount,
        {{ money_bag("records.payload", "currentTotalPriceSet", "presentment") }} as presentment_total_amount,
        {{ money_bag("records.payload", "originalTotalPriceSet") }} as original_total_amount,
        {{ money_bag("records.payload", "currentSubtotalPriceSet") }} as subtotal_amount,
        {{ money_bag("records.payload", "currentTotalTaxSet") }} as tax_amount,
        {{ money_bag("records.payload", "totalCapturableSet") }} as authorized_amount,
        {{ money_bag("records.payload", "totalReceivedSet") }} as paid_amount,
        {{ money_bag("records.payload", "totalRefundedSet") }} as refunded_amount,
        {{ money_bag("records.payload", "totalOutstandingSet") }} as outstanding_amount,

        ---------- states
        case records.payload ->> 'displayFinancialStatus'
            when 'PENDING' then 'unpaid'
            -- The promise has run out, and nothing was taken.
            when 'EXPIRED' then 'unpaid'
            when 'AUTHORIZED' then 'authorized'
            when 'PARTIALLY_PAID' then 'partly_paid'
            when 'PAID' then 'paid'
            when 'PARTIALLY_REFUNDED' then 'partly_refunded'
            when 'REFUNDED' then 'refunded'
            when 'VOIDED' then 'voided'
        end as financial_status,
        case
            when records.payload is null then null
            when records.payload ->> 'cancelledAt' is not null then 'cancelled'
            when records.payload ->> 'closedAt' is not null then 'closed'
            else 'open'
        end as order_status,

        ---------- booleans
        true as is_whole_order,
        (records.payload ->> 'taxesIncluded')::boolean as is_tax_included,
        (records.payload ->> 'test')::boolean as is_test,
        (records.payload ->> 'edited')::boolean as is_edited,

        ---------- timestamps
        {{ moment("records.payload ->> 'createdAt'") }} as ordered_at,
        {{ moment("records.payload ->> 'cancelledAt'") }} as cancelled_at,
        {{ moment("records.payload ->> 'closedAt'") }} as closed_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join lateral (
        select {{ shopify_order_rank("records.payload") }}::numeric as tie_rank
        from (values (1)) as once (number)
        order by once.number
        offset 0
    ) as version
)

select * from final
