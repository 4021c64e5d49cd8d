"""A Shopify order, whole: whatever a page of orders cut off is fetched before the order counts as read.

A page brings the first lines, parcels, payments and refunds of each order; most have no more. Half an order would hold
the wrong quantities and come to the wrong sum, so an order that cannot be completed fails the read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.connectors.shopify import documents as documents
from trueup.connectors.shopify.answers import page_of
from trueup.connectors.shopify.api import SYSTEM, ShopifyApi, StaleCursor
from trueup.domain.errors import Transient

_MOST_PARCELS = 100
_FRESH_STARTS = 5


def complete_order(api: ShopifyApi, order: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order with every line, fulfilment, payment and refund, without the paging's own fields."""
    whole = dict(order)
    if not isinstance(order.get("id"), str):
        return whole  # No record can be made of it, and nothing can be asked about it.
    fulfillments, refunds, steps = order.get("fulfillments"), order.get("refunds"), order.get("transactions")
    if isinstance(fulfillments, list) and len(fulfillments) >= documents.FULFILLMENTS_AT_FIRST:
        fulfillments = _all(api, documents.ORDER_FULFILLMENTS, "fulfillments", order)
    if isinstance(refunds, list) and len(refunds) >= documents.REFUNDS_AT_FIRST:
        refunds = _all(api, documents.ORDER_REFUNDS, "refunds", order)
    if isinstance(steps, list) and len(steps) >= documents.STEPS_AT_FIRST:
        steps = _all(api, documents.ORDER_TRANSACTIONS, "transactions", order, is_flat=True)
    whole["transactions"] = steps
    whole["shippingLines"] = whole_connection(api, documents.FURTHER_SHIPPING_LINES, order, "shippingLines")
    whole["lineItems"] = whole_connection(api, documents.FURTHER_LINES, order, "lineItems")
    whole["fulfillments"] = with_whole(api, {"fulfillmentLineItems": documents.FURTHER_FULFILLMENT_LINES}, fulfillments)
    whole["refunds"] = with_whole(api, documents.OF_REFUNDS, refunds)
    return whole


def _all(
    api: ShopifyApi, document: documents.CostedDocument, field: str, order: Mapping[str, Any], *, is_flat: bool = False
) -> Sequence[Any]:
    size = min(_MOST_PARCELS, api.next_size(document))

    def variables(first: int) -> Mapping[str, Any]:
        of_lines = {} if is_flat else {"lines": documents.LINES_OF_MANY}
        return {"id": order["id"], "first": first, **of_lines}

    data, _, taken, _ = api.sized(document, variables, size)
    found = data["order"].get(field) if isinstance(data.get("order"), Mapping) else None
    if not isinstance(found, list):
        raise Transient(f"{SYSTEM}, orders: an order lost its {field} between two questions; read again")
    if len(found) >= taken:
        # Nothing tells what comes behind the last one, and half of it would hold the wrong stock or be short of money.
        raise Transient(f"{SYSTEM}, orders: an order has {taken} {field} or more, too many for one query; report this")
    return found


def with_whole(api: ShopifyApi, further: Mapping[str, documents.CostedDocument], parcels: object) -> object:
    """Return the objects with all their lists whole, each by its document; what is no list comes back as it is."""
    if not isinstance(parcels, list):
        return parcels
    return [
        {**parcel, **{field: whole_connection(api, document, parcel, field) for field, document in further.items()}}
        if isinstance(parcel, Mapping)
        else parcel
        for parcel in parcels
    ]


def whole_connection(
    api: ShopifyApi, document: documents.CostedDocument, owner: Mapping[str, Any], field: str
) -> object:
    """Return the owner's list with all its nodes, those behind its first page too; raises `Transient`."""
    connection = owner.get(field)
    # What is not a connection breaks the contract: it is landed as an exception, not repaired here.
    if not isinstance(connection, Mapping) or not isinstance(connection.get("nodes"), list):
        return connection
    nodes, end = page_of(connection)
    if nodes is None or (end is not None and not isinstance(owner.get("id"), str)):
        # Nothing tells whether this is all, and half of it would hold the wrong stock: the contract refuses it.
        return {**connection, "nodes": None}
    return {"nodes": nodes if end is None else _rest(api, document, owner, field, list(nodes), end)}


def _rest(
    api: ShopifyApi,
    document: documents.CostedDocument,
    owner: Mapping[str, Any],
    field: str,
    nodes: list[Any],
    after: str | None,
) -> list[Any]:
    """Return `nodes` and what comes behind them; from the first one again where the cursor is refused.

    Not the whole stream: of hundreds of trade orders some cursor is refused in every read, and none would ever end.
    """
    fresh_starts = 0
    while True:
        pages = api.pages(
            document, {"id": owner["id"], "after": after}, lambda data: (data.get("node") or {}).get(field)
        )
        try:
            return nodes + [node for page in pages for node in page.nodes]
        except StaleCursor:
            fresh_starts += 1
            if fresh_starts > _FRESH_STARTS:
                raise
            nodes, after = [], None
