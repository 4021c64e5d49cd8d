"""Reads of an order what a writer decides on: whole, or not at all."""

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.connectors.http.answers import Answer
from trueup.connectors.shopify.api import ShopifyApi
from trueup.connectors.shopify.documents import CostedDocument
from trueup.connectors.shopify.writers.fields import answered
from trueup.connectors.shopify.writers.order_documents import MOST_LISTED
from trueup.domain.errors import Transient


class Missing(LookupError):
    """The store has no such record."""


def order_of(api: ShopifyApi, document: CostedDocument, order_ref: str) -> tuple[Mapping[str, Any] | None, Answer]:
    """Ask for one order with one list of its own; None where the store has no such order."""
    data, answer = api.ask(document, {"id": order_ref, "first": MOST_LISTED}, nodes=MOST_LISTED)
    order = data.get("order")
    return (None if order is None else answered(order, dict, "the order")), answer


def whole_list(order: Mapping[str, Any], field: str) -> Sequence[Mapping[str, Any]]:
    """Return a list that has no second page; one that may have been cut off raises `Transient`."""
    nodes = answered(order.get(field), list, f"an order's {field}")
    if len(nodes) >= MOST_LISTED:
        # Nothing tells what comes behind the last one, and what is not seen might be written again.
        raise Transient(f"Shopify: an order has {MOST_LISTED} {field} or more, too many for one query; report this")
    return [answered(node, dict, f"an order's {field}") for node in nodes]


def all_nodes(api: ShopifyApi, document: CostedDocument, ref: str, root: str, field: str) -> list[Mapping[str, Any]]:
    """Return every node of a connection, over all its pages; raises `Missing` where nothing has the id.

    `root`: the query's field that holds the object.
    """

    def find(data: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a piece of JSON
        owner = data.get(root)
        if owner is None and root in data:
            raise Missing(ref)
        return owner.get(field) if isinstance(owner, Mapping) else None

    return [
        answered(node, dict, f"a node of {field}")
        for page in api.pages(document, {"id": ref}, find)
        for node in page.nodes
    ]
