{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with bookings as not materialized (
    select
        order_id,
        order_name,
        owner_system_id,
        channel,
        is_landed,
        is_cancelled,
        is_test,
        is_edited,
        currency,
        total_amount,
        original_total_amount,
        refunded_amount,
        financial_status,
        unresolved_line_count,
        ordered_at,
        received_at,
        record_id,
        correlation_id,
        build_id,
        booked_in,
        booked_by,
        grace_minutes,
        waits_for_payment,
        copy_count,
        live_count,
        source_order_ids,
        external_ref,
        booked_currency,
        booked_amount,
        shipped_quantity,
        copied_at,
        copy_received_at,
        different_sku,
        own_quantity,
        booked_quantity,
        unknown_sku
    from {{ ref("int_order_bookings") }}
),

-- What stands wrong of an order in the ERP, the gravest first; one thing an order, for the others follow from it.
classified as (
    select
        bookings.*,
        case
            when not bookings.is_landed then case when bookings.live_count > 0 then 'only_in_erp' end
            when bookings.is_test then null
            when bookings.live_count > 1 then 'booked_twice'
            when bookings.is_cancelled then case when bookings.live_count = 1 then 'cancelled_on_one_side' end
            when bookings.copy_count = 0 then 'missing'
            when bookings.live_count = 0 then 'cancelled_on_one_side'
            when bookings.booked_currency <> bookings.currency then 'amount_differs'
            when bookings.different_sku is not null
                then
                    case
                        when
                            bookings.is_edited and bookings.booked_amount = bookings.original_total_amount
                            then 'edited_after_booking'
                        else 'line_differs'
                    end
            when
                bookings.booked_amount <> bookings.total_amount
                -- What went back is credited by a document of its own.
                and bookings.booked_amount <> bookings.total_amount + coalesce(bookings.refunded_amount, 0)
                and (bookings.is_edited or bookings.booked_amount <> bookings.original_total_amount)
                then
                    case
                        when
                            bookings.is_edited and bookings.booked_amount = bookings.original_total_amount
                            then 'edited_after_booking'
                        else 'amount_differs'
                    end
        end as difference_class
    from bookings
),

final as (
    select
        classified.*,
        case
            when classified.difference_class = 'cancelled_on_one_side' then 'status'
            when classified.difference_class in ('amount_differs', 'edited_after_booking') then 'total'
            when classified.difference_class = 'line_differs' then 'lines'
            else 'document'
        end as field,
        -- What keeps it from being booked; null where nothing does.
        case
            when classified.difference_class <> 'missing' then null
            when classified.unresolved_line_count > 0 then 'an unknown SKU'
            when classified.unknown_sku is not null then 'an item in the ERP'
            when classified.total_amount is null or classified.currency is null then 'its amounts'
            when
                classified.waits_for_payment
                and classified.total_amount > 0
                and classified.financial_status in ('unpaid', 'voided')
                then 'payment'
        end as waits_for,
        classified.ordered_at + make_interval(mins => classified.grace_minutes) as due_at
    from classified
    where classified.difference_class is not null
)

select * from final
