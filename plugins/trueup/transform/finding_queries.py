"""The statements that find what no rule settles, and what of it is settled now."""

UNSETTLED_ITEMS = """
    select
        items.system_id,
        items.source_item_id,
        items.source_sku,
        items.match_rule,
        items.candidate_sku,
        items.contested_sku is not null as is_contested,
        systems.role,
        items.correlation_id
    from staging.int_item_skus as items
    inner join governance.systems as systems on items.system_id = systems.system_id
    where
        items.sku is null
        and items.classification is null
        and items.build_id = %(build_id)s
    order by items.system_id, items.source_item_id
"""

# Every open exception is asked again, not only this build's items: what settles one may have been another's change.
SETTLED_ITEMS = """
    select
        queue.kind,
        queue.system_id,
        queue.subject
    from exceptions.queue
    left join staging.int_item_skus as items
        on queue.system_id = items.system_id and queue.subject = items.source_item_id
    where
        queue.status = 'open'
        and queue.stream = 'products'
        and queue.kind in ('unmatched_sku', 'ambiguous_sku')
        and (
            items.source_item_id is null
            or items.sku is not null
            or items.classification is not null
            or items.match_rule <> split_part(queue.kind, '_', 1)
        )
"""

UNKNOWN_CODES = """
    select
        lines.system_id,
        coalesce(lines.code_key, lines.source_item_id, '(none)') as code,
        count(*) as line_count,
        (array_agg(coalesce(lines.source_sku, lines.source_item_id, '(none)') order by lines.record_id desc))[1]
            as spelling,
        (array_agg(lines.own_order_name order by lines.record_id desc))[1] as order_name,
        (array_agg(lines.correlation_id order by lines.record_id desc))[1] as correlation_id
    from staging.int_resolved_order_lines as lines
    where lines.is_unresolved and not lines.is_known_item and ({restriction})
    group by 1, 2
    order by 1, 2
"""

OPEN_CODES = """
    select system_id, subject
    from exceptions.queue
    where status = 'open' and kind = 'unclassified_code' and stream = 'orders'
"""

# What this build found of an item, counted over all its lines. Lines whose code nobody knows are told by their code.
# Order by order, for the view is made to be asked so.
UNHELD_LINES = """
    with found as (
        select distinct
            lines.system_id,
            lines.source_item_id
        from staging.int_owned_order_lines as lines
        where
            lines.is_own
            and lines.is_unresolved
            and lines.is_known_item
            and (
                %(is_everything)s
                or lines.order_name in (
                    select touched_keys.key
                    from staging.touched_keys
                    where touched_keys.kind = 'order_name' and touched_keys.build_id > %(since_build_id)s
                )
            )
    ),

    orders as (
        select distinct lines.order_name
        from found
        inner join staging.int_owned_order_lines as lines
            on found.system_id = lines.system_id and found.source_item_id = lines.source_item_id
        where lines.is_own and lines.is_unresolved
    )

    select
        unheld.owner_system_id as system_id,
        unheld.source_item_id,
        (array_agg(coalesce(unheld.source_sku, unheld.source_item_id) order by unheld.record_id desc))[1] as code,
        (array_agg(unheld.unheld_because order by unheld.record_id desc))[1] as because,
        count(*) as line_count,
        sum(unheld.committed_quantity) as unit_count,
        (array_agg(unheld.own_order_name order by unheld.record_id desc))[1] as order_name,
        (array_agg(unheld.correlation_id order by unheld.record_id desc))[1] as correlation_id
    from orders
    cross join lateral (
        select lines.*
        from canonical.unheld_order_lines as lines
        where lines.order_name = orders.order_name
    ) as unheld
    inner join found
        on unheld.owner_system_id = found.system_id and unheld.source_item_id = found.source_item_id
    where unheld.unheld_because <> 'unknown'
    group by unheld.owner_system_id, unheld.source_item_id
    order by unheld.owner_system_id, unheld.source_item_id
"""

# A place that was never read is told only where its system's other places were: some accounts may not read the list.
_PLACES = """
    select
        declared.system_id,
        declared.source_location_id,
        places.location_name,
        case
            when places.system_id is null then 'not_seen'
            when places.is_deleted then 'removed'
            else 'inactive'
        end as source_status,
        string_agg(distinct declared.location_id, ', ') as stocked_as,
        string_agg(distinct declared.channel, ', ') as listed_by,
        min(places.correlation_id::text)::uuid as correlation_id,
        coalesce(
            max(places.build_id),
            (
                select max(others.build_id)
                from staging.int_locations as others
                where others.system_id = declared.system_id
            )
        ) as build_id
    from (
        select
            system_id,
            source_location_id,
            location_id,
            null as channel
        from governance.locations
        union all
        select
            system_id,
            listing_location_id,
            null as location_id,
            channel
        from governance.channels
        where is_enabled
    ) as declared
    left join staging.int_locations as places
        on
            declared.system_id = places.system_id
            and declared.source_location_id = places.source_location_id
            and places.is_current
    where
        places.is_deleted
        or not places.is_active
        or (
            places.system_id is null
            and exists (
                select 1
                from staging.int_locations as others
                where others.system_id = declared.system_id and others.is_current and not others.is_deleted
            )
        )
    group by
        declared.system_id, declared.source_location_id, places.location_name, places.system_id, places.is_deleted
"""

_SWITCHED_OFF_OF = """
    with places as ({places})

    select
        system_id,
        source_location_id,
        location_name,
        source_status,
        stocked_as,
        listed_by,
        correlation_id
    from places
    where build_id = %(build_id)s or %(is_declared_anew)s
    order by system_id, source_location_id
"""

_WITHDRAWN = """
    select
        positions.sku,
        positions.channel,
        positions.correlation_id,
        positions.build_id,
        terms.content ->> 'withdrawn_because' as because,
        terms.content ->> 'location_id' as location_id,
        (terms.content ->> 'withdrawn_quantity')::numeric as units
    from marts.ats_positions as positions
    -- One look-up for each of a few positions: never all listings, whatever the planner expects.
    cross join lateral (
        select
        from canonical.channel_listings as listings
        where listings.sku = positions.sku and listings.channel = positions.channel and listings.is_listed
        limit 1
    ) as listed
    cross join lateral jsonb_array_elements(positions.location_terms) as terms (content)
    where
        {restriction}
        and positions.withdrawn_quantity > 0
        and terms.content ->> 'withdrawn_because' like 'inactive in %%'
        and (terms.content ->> 'withdrawn_quantity')::numeric > 0
"""

_WITHDRAWN_PRODUCTS_OF = """
    with withdrawn as ({withdrawn})

    select
        sku,
        string_agg(distinct because, ' and ') as because,
        (
            select sum(by_place.units)
            from (
                select distinct
                    same.location_id,
                    same.units
                from withdrawn as same
                where same.sku = withdrawn.sku
            ) as by_place
        ) as units,
        string_agg(distinct channel, ' and ') as channels,
        min(correlation_id::text)::uuid as correlation_id
    from withdrawn
    group by sku
    order by sku
"""

SETTLED_LINES = """
    select queue.system_id, queue.subject
    from exceptions.queue
    where
        queue.status = 'open'
        and queue.kind = 'order_line_not_held'
        and not exists (
            select 1
            from staging.int_owned_order_lines as lines
            cross join lateral (
                select unheld.*
                from canonical.unheld_order_lines as unheld
                where unheld.order_name = lines.order_name
            ) as found
            where
                lines.system_id = queue.system_id
                and lines.source_item_id = queue.subject
                and lines.is_own
                and lines.is_unresolved
                and found.owner_system_id = queue.system_id
                and found.source_item_id = queue.subject
                and found.unheld_because <> 'unknown'
        )
"""

_SETTLED_PLACES_OF = """
    with places as ({places})

    select queue.system_id, queue.subject
    from exceptions.queue
    where
        queue.status = 'open'
        and queue.kind = 'place_switched_off'
        and not exists (
            select 1
            from places
            where places.system_id = queue.system_id and places.source_location_id = queue.subject
        )
"""

_SETTLED_PRODUCTS_OF = """
    select queue.system_id, queue.subject
    from exceptions.queue
    where
        queue.status = 'open'
        and queue.kind = 'not_sold_any_more'
        and not exists (
            {withdrawn}
        )
"""

SWITCHED_OFF = _SWITCHED_OFF_OF.format(places=_PLACES)
SETTLED_PLACES = _SETTLED_PLACES_OF.format(places=_PLACES)
WITHDRAWN_PRODUCTS = _WITHDRAWN_PRODUCTS_OF.format(
    withdrawn=_WITHDRAWN.format(restriction="positions.build_id = %(build_id)s")
)
SETTLED_PRODUCTS = _SETTLED_PRODUCTS_OF.format(withdrawn=_WITHDRAWN.format(restriction="positions.sku = queue.subject"))
