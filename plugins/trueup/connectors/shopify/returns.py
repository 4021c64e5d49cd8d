"""Returns of a store, whole: each with its lines, what the customer gets instead, and what became of the goods.

They are read by their orders: a return that changes changes its order. A return without its order's id and name would
be nobody's, so both stand in its record.
"""

from collections.abc import Mapping
from typing import Any

from trueup.connectors.shopify import return_documents as documents
from trueup.connectors.shopify.api import ShopifyApi
from trueup.connectors.shopify.orders import whole_connection, with_whole


def returns_of(api: ShopifyApi, order: object) -> list[Any]:
    """Every return of an order that a page of orders brought; what is no order comes back as it is, to be refused.

    Raises `Transient` where the rest of a list could not be read: half a return would miss what came back.
    """
    if not isinstance(order, Mapping) or not isinstance(order.get("id"), str):
        return [order]
    listed = whole_connection(api, documents.FURTHER_RETURNS, order, "returns")
    nodes = listed.get("nodes") if isinstance(listed, Mapping) else None
    if not isinstance(nodes, list):
        return [{"order": order}]
    about = {name: order.get(name) for name in ("id", "name", "updatedAt")}
    return [{**_whole(api, node), "order": about} if isinstance(node, Mapping) else node for node in nodes]


def _whole(api: ShopifyApi, returned: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        **returned,
        **{field: whole_connection(api, document, returned, field) for field, document in documents.OF_RETURN.items()},
    }
    ways = found.get("reverseFulfillmentOrders")
    if isinstance(ways, Mapping) and isinstance(ways.get("nodes"), list):
        found["reverseFulfillmentOrders"] = {
            "nodes": with_whole(api, {"lineItems": documents.FURTHER_BACK}, ways["nodes"])
        }
    return found
