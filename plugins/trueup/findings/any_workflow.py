"""What every workflow stands on: items that are no known product, and locations that their system does not use."""

from collections.abc import Mapping
from typing import Any

from trueup.domain.codes import visible_code
from trueup.exceptions.queue import NewException
from trueup.transform.findings import Finding

_UNMATCHED_ITEMS = """
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

_MATCHED_ITEMS = """
    select
        queue.kind,
        queue.system_id,
        queue.stream,
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

# A location that was never read is one only where its system's others were: some accounts may not read the list.
_LOCATIONS_OFF = """
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

_SWITCHED_OFF = """
    with places as ({locations_off})

    select
        system_id,
        source_location_id,
        location_name,
        source_status,
        stocked_as,
        listed_by,
        correlation_id
    from places
    where build_id = %(build_id)s or %(is_every_mart)s
    order by system_id, source_location_id
"""

_IN_USE = """
    with places as ({locations_off})

    select
        queue.kind,
        queue.system_id,
        queue.stream,
        queue.subject
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


def _unmatched_item(row: Mapping[str, Any]) -> NewException:
    system_id, match_rule, candidate_sku = row["system_id"], row["match_rule"], row["candidate_sku"]
    spelling = f'{system_id} calls it "{visible_code(row["source_sku"])}"'
    product = f'product "{visible_code(candidate_sku)}"'
    if match_rule == "unmatched":
        reason = f"{spelling}: no product has this SKU or its barcode"
        effect = "until then its stock and listings are left out"
    elif candidate_sku is None:
        reason = f"{spelling}: more than one product has this SKU or its barcode"
        effect = "until then its stock and listings are left out"
    elif row["is_contested"]:
        reason = f"{spelling}: {system_id} has another item that is {product} as well, on the same evidence"
        effect = (
            "until then nothing is pushed to either listing, and each shows what it showed: take one of them down"
            if row["role"] == "shop"
            else f"until then the product's stock in {system_id} is unknown, and nothing is pushed from it"
        )
    else:
        reason = f"{spelling}: {system_id} has another item that is {product} on better evidence"
        effect = "until then the stock and the listing of this one are left out, and that shows what it showed"
    return NewException(
        kind=f"{match_rule}_sku",
        system_id=system_id,
        stream="products",
        subject=row["source_item_id"],
        reason=reason,
        remedy=(
            f"correct the SKU or the barcode in {system_id} or the ERP, or say which product it is in"
            f" the tenant's aliases.csv; {effect}"
        ),
        correlation_id=row["correlation_id"],
    )


def _location_off(row: Mapping[str, Any]) -> NewException:
    """A location that the tenant declared and its system has switched off, has removed or does not know."""
    system_id, location = row["system_id"], row["source_location_id"]
    status, stocked_as, listed_by = row["source_status"], row["stocked_as"], row["listed_by"]
    uses = [f"holds the stock of {stocked_as}"] if stocked_as else []
    uses += [f"is where {listed_by} lists"] if listed_by else []
    effects = ["its stock is not offered on any channel"] if stocked_as else []
    effects += [f"nothing is pushed to {listed_by}"] if listed_by else []
    state = {"inactive": "switched off", "removed": "removed", "not_seen": "not among its places"}[status]
    return NewException(
        kind="place_switched_off",
        system_id=system_id,
        stream="locations",
        subject=location,
        reason=f'{system_id}: place {location} ("{row["location_name"] or ""}") {" and ".join(uses)}, and is {state}',
        remedy=(
            f"switch it on again in {system_id}, or change it in the tenant's systems.yml and channels.yml;"
            f" until then {' and '.join(effects) if status != 'not_seen' else 'nothing is read of it'}"
        ),
        correlation_id=row["correlation_id"],
    )


FINDINGS = (
    Finding(
        kinds=("unmatched_sku", "ambiguous_sku"),
        query=_UNMATCHED_ITEMS,
        as_exception=_unmatched_item,
        query_over=_MATCHED_ITEMS,
        closed_because="the item is settled now",
    ),
    Finding(
        kinds=("place_switched_off",),
        query=_SWITCHED_OFF.format(locations_off=_LOCATIONS_OFF),
        as_exception=_location_off,
        query_over=_IN_USE.format(locations_off=_LOCATIONS_OFF),
        closed_because="the place is in use again, or the tenant uses it no more",
    ),
)
