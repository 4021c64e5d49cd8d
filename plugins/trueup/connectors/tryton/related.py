"""What a second question tells of a page's records: REST follows no reference field, such as a move's shipment.

A row that names nothing to be asked about stays as it is; one whose answer is missing too, so that it is not taken for
one that has none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from trueup.connectors.reading import ids_of
from trueup.connectors.tryton import rest

_SHIPMENT, _SALE = "stock.shipment.out", "sale.sale"
_SHIPMENT_FIELDS = ("number", "reference", "state", "effective_date")


def with_shipments(models: rest.Models, context: rest.Context, rows: Sequence[Any]) -> Sequence[Any]:
    """Add to each move of a shipment to a customer that shipment, as `outgoing_shipment`: it has the tracking."""
    numbers = {number for row in rows for number in _named(row, "shipment", _SHIPMENT)}
    found = _asked(models, context, _SHIPMENT, _SHIPMENT_FIELDS, numbers)

    def complete(row: Mapping[str, Any]) -> Mapping[str, Any]:
        known = [found[number] for number in _named(row, "shipment", _SHIPMENT) if number in found]
        return {**row, "outgoing_shipment": known[0]} if known else row

    return _each(rows, complete)


def with_original_sales(
    models: rest.Models, context: rest.Context, rows: Sequence[Any], fields: Sequence[str]
) -> Sequence[Any]:
    """Add to each row the sales that its own sales were made from, as `original_sales`: those tell the channel's order.

    A sale that takes goods back has no reference of its own; its `origin` is the sale of these goods.
    """
    numbers = {number for row in rows for number in _originals(row)}
    found = _asked(models, context, _SALE, fields, numbers)

    def complete(row: Mapping[str, Any]) -> Mapping[str, Any]:
        known = [found[number] for number in sorted(_originals(row)) if number in found]
        return {**row, "original_sales": known} if known else row

    return _each(rows, complete)


def _each(rows: Sequence[Any], complete: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Sequence[Any]:
    return [complete(row) if isinstance(row, Mapping) else row for row in rows]


def _asked(
    models: rest.Models, context: rest.Context, model: str, fields: Sequence[str], numbers: Iterable[int]
) -> Mapping[int, Mapping[str, Any]]:
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    rows = models.all(model, fields, [["id", "in", wanted]], context)
    return {row["id"]: row for row in rows if ids_of([row])[1]}


def _originals(row: object) -> set[int]:
    found: set[int] = set()
    if isinstance(row, Mapping):
        moves = row.get("incoming_moves")
        of_moves = [move.get("sale") for move in moves if isinstance(move, Mapping)] if isinstance(moves, list) else []
        own = row.get("sales")
        for sale in [row.get("sale"), *of_moves, *(own if isinstance(own, list) else [])]:
            found.update(_named(sale, "origin", _SALE))
    return found


def _named(row: object, name: str, model: str) -> list[int]:
    """The record that a reference field of the row names, where it is one of that model."""
    named = row.get(name) if isinstance(row, Mapping) else None
    of, _, number = str(named).partition(",")
    return [int(number)] if isinstance(named, str) and of == model and number.isdecimal() else []
