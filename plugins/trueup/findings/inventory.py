"""Inventory: products that are listed still and not sold any more."""

from collections.abc import Mapping
from typing import Any

from trueup.domain.codes import visible_code
from trueup.exceptions.queue import NewException
from trueup.transform.findings import Finding

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

_WITHDRAWN_PRODUCTS = """
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

_SOLD_AGAIN = """
    select
        queue.kind,
        queue.system_id,
        queue.stream,
        queue.subject
    from exceptions.queue
    where
        queue.status = 'open'
        and queue.kind = 'not_sold_any_more'
        and not exists (
            {withdrawn}
        )
"""


def _withdrawn_product(row: Mapping[str, Any]) -> NewException:
    return NewException(
        kind="not_sold_any_more",
        stream="products",
        subject=row["sku"],
        reason=(
            f'"{visible_code(row["sku"])}" is {row["because"]}, but there are {row["units"]} units of it and'
            f" {row['channels']} still lists it; these units are not offered"
        ),
        remedy=(
            "make it active again where it is inactive, or take the listing down; this closes itself then, and when"
            " the units are gone"
        ),
        correlation_id=row["correlation_id"],
    )


FINDINGS = (
    Finding(
        kinds=("not_sold_any_more",),
        query=_WITHDRAWN_PRODUCTS.format(withdrawn=_WITHDRAWN.format(restriction="positions.build_id = %(build_id)s")),
        as_exception=_withdrawn_product,
        query_over=_SOLD_AGAIN.format(withdrawn=_WITHDRAWN.format(restriction="positions.sku = queue.subject")),
        closed_because="it is active again, listed no more, or gone",
    ),
)
