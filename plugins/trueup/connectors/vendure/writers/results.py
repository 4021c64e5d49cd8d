"""Reads what Vendure answered to a question or a write: its objects, and its errors, which come with status 200.

A write's own errors are members of its union with an `errorCode`. What the server throws stands in `errors`, and its
transaction is undone: an unknown id (ENTITY_NOT_FOUND), an input or a step that it does not allow (USER_INPUT_ERROR,
ILLEGAL_OPERATION), and INTERNAL_SERVER_ERROR, of which no message is quoted, for it can hold SQL.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.connectors import document_fields
from trueup.connectors.http.answers import Answer, Unconfirmed
from trueup.connectors.http.graphql import Document
from trueup.connectors.vendure.api import INTERNAL_ERROR, AdminApi, failed
from trueup.domain.errors import Transient


class RefusedWrite(Exception):
    """Vendure did not do it, and says why. `code`: its error code."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code}: {words}" if words else code)
        self.code = code


class FailedInside(Transient):
    """The server failed while it wrote. Its own books are as before; what a payment provider did is not known."""


def answered(value: object, kind: type[Any], what: str) -> Any:  # noqa: ANN401 - one of several JSON kinds
    """Return a piece of an answer; one that is missing or of another kind is unknown, so it raises `Transient`."""
    return document_fields.answered("Vendure", value, kind, what)


def objects(owner: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of objects of an answer."""
    return [answered(each, dict, f"one of its {name}") for each in answered(owner.get(name), list, f"its {name}")]


def order_of(api: AdminApi, document: Document, order_ref: str) -> tuple[Mapping[str, Any] | None, Answer]:
    """Ask for one order and what stands beside it in the document; None where the shop has no such order."""
    answer = api.ask(document, {"id": order_ref})
    data = api.data(document, answer)
    if "order" not in data:
        raise Transient("Vendure answered without the order; read again")
    order = data["order"]
    return (None if order is None else answered(order, dict, "the order")), answer


def written(api: AdminApi, document: Document, variables: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Send a write; its object. Raises `RefusedWrite`, `FailedInside`, or `Unconfirmed` where nobody knows."""
    answer = api.ask(document, variables)
    code = failed(answer)
    if code == INTERNAL_ERROR:
        raise FailedInside(f"Vendure failed inside ({code}); see the server's log")
    if code is not None:
        raise RefusedWrite(code, "the request names something that is not there, or that may not be done now")
    data = answer.body.get("data") if isinstance(answer.body, Mapping) else None
    result = data.get(field) if isinstance(data, Mapping) else None
    if not isinstance(result, Mapping):
        raise Unconfirmed(f"Vendure: {document.name} was answered without its result; read back what became of it")
    if result.get("errorCode"):
        words = result.get("transitionError") or result.get("message") or ""
        raise RefusedWrite(str(result["errorCode"]), api.client.redaction.clean(words))
    return result
