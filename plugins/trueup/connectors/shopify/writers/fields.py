"""Reads what Shopify answered, piece by piece; what is not as it must be is named."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from trueup.connectors import document_fields
from trueup.domain.errors import Transient


def answered(value: object, kind: type[Any], what: str) -> Any:  # noqa: ANN401 - one of several JSON kinds
    """Return a piece of an answer; one that is missing or of another kind is unknown, so it raises `Transient`."""
    return document_fields.answered("Shopify", value, kind, what)


def ref_of(node: object) -> str | None:
    """Return the id of an object in an answer, None where there is no object."""
    return node["id"] if isinstance(node, Mapping) and isinstance(node.get("id"), str) else None


def presented(bag: object, what: str) -> Decimal:
    """Return a bag's amount in the customer's currency."""
    money = bag.get("presentmentMoney") if isinstance(bag, Mapping) else None
    try:
        return Decimal(str(answered(money, dict, what)["amount"]))
    except (KeyError, InvalidOperation) as error:
        raise Transient(f"Shopify answered without {what}; read again") from error
