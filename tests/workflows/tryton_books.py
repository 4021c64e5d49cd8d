"""The demo retailer with a Tryton for its ERP, in which Trueup books orders and credits refunds, and what it has."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
SHOPS = ("shopify_main", "shopify_outlet")
KINDS = ("shipping", "fee", "tip", "duty", "gift_card", "rounding", "discount", "tax", "refund", "goodwill", "exchange")
OPTIONS = {
    "customer": "400",
    "warehouse": "50",
    **{f"{kind}_product": str(900_001 + place) for place, kind in enumerate(KINDS)},
}
_RETURNING = ("shipbob", "shopify")
_NEWEST = "(select distinct on (source_key) payload from raw.{} order by source_key, record_id desc)"
BOOKED = f"""
    select shop.name, shop.total, count(erp.web_id) as bookings, min(erp.total) as booked, min(erp.state) as state
    from (
        select payload ->> 'name' as name, (payload #>> '{{currentTotalPriceSet,shopMoney,amount}}')::numeric as total
        from {_NEWEST.format("shopify_main__orders")} as newest
        where payload ->> 'cancelledAt' is null and not (payload ->> 'test')::boolean
    ) as shop
    left join (
        select
            payload ->> 'reference' as name, payload ->> 'web_id' as web_id, payload ->> 'state' as state,
            (payload #>> '{{total_amount,decimal}}')::numeric as total
        from {_NEWEST.format("tryton__orders")} as newest
        where payload #>> '{{web_shop,name}}' = 'shopify_main' and payload ->> 'state' <> 'cancelled'
    ) as erp on shop.name = erp.name
    group by shop.name, shop.total
"""
"""By the records as they landed from each side: how often Tryton has each order of the main shop, and for how much."""


def tryton_tenant(tenants: Path, options: Mapping[str, str] = OPTIONS, *, returns: bool = False) -> None:
    """Write the tenant `demo` with a Tryton in the place of its ERP, as the pages of the workflows say."""
    tenant = tenants / "demo"
    shutil.copytree(PROJECT / "tenants" / "demo", tenant)

    def change(name: str, to: Mapping[str, Any]) -> None:
        (tenant / name).write_text(yaml.safe_dump(dict(to), sort_keys=False))

    def read(name: str) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load((tenant / name).read_text())
        return content

    systems = read("systems.yml")
    netsuite = systems["systems"].pop("netsuite")
    more = ["returns", "credits"] if returns else []
    tryton = {
        **netsuite, "connector": "tryton", "connection": "trueup_demo_tryton",
        "streams": [*netsuite["streams"], *more], "options": dict(options),
    }  # fmt: skip
    systems["systems"] = {"tryton": tryton, **systems["systems"]}
    for system in systems["systems"].values():
        if returns and system["connector"] in _RETURNING:
            system["streams"] = [*system["streams"], "returns"]
    for location in systems["locations"].values():
        if location["system_of_record"] == "netsuite":
            location |= {"system_of_record": "tryton", "source_location_id": options["warehouse"]}
    change("systems.yml", systems)
    orders = {"booked_in": "tryton", "taken_by": list(SHOPS), "waits_for_payment": False}
    change("orders.yml", {"orders": orders})
    if returns:
        change("returns.yml", {"returns": {"credited_in": "tryton", "taken_by": list(SHOPS)}})
        owned = read("ownership.yml")
        owned["ownership"]["refund.document"] = "origin"
        change("ownership.yml", owned)
    aliases = tenant / "aliases.csv"
    if aliases.exists():
        aliases.write_text(aliases.read_text().replace("netsuite,", "tryton,"))
