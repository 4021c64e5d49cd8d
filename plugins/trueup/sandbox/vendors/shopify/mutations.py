"""`inventorySetQuantities` as Shopify has it since 2026-04: idempotent, compare-and-swap, all or nothing."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from graphql import FieldNode, GraphQLError, value_from_ast_untyped

from trueup.sandbox.vendors.idempotency import KeptAnswers
from trueup.sandbox.vendors.shopify.books import ShopBooks
from trueup.sandbox.vendors.shopify.objects import Item, Level, Location, Record

LARGEST_INPUT = 250
_LARGEST_QUANTITY = 1_000_000_000
_RETENTION_SECONDS = 24 * 3_600
REASONS = frozenset(
    {
        "correction",
        "cycle_count_available",
        "damaged",
        "movement_canceled",
        "movement_created",
        "movement_received",
        "movement_updated",
        "other",
        "promotion",
        "quality_control",
        "received",
        "reservation_created",
        "reservation_deleted",
        "reservation_updated",
        "restock",
        "safety_stock",
        "shrinkage",
    }
)


@dataclass(frozen=True, slots=True)
class UserError:
    """Why an entry, or the whole call, was refused."""

    code: str
    field: Sequence[str] | None
    message: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one entry did."""

    name: str
    delta: int
    quantity_after_change: int
    item: Item
    location: Location


@dataclass(slots=True)
class AdjustmentGroup(Record):
    """The changes one call made."""

    kind: ClassVar[str] = "InventoryAdjustmentGroup"
    created_at: datetime
    reason: str
    reference_document_uri: str | None
    change_list: Sequence[Change]


@dataclass(frozen=True, slots=True)
class SetQuantitiesPayload:
    """The mutation's answer: a group of changes, or the errors that kept all of them from being made."""

    inventory_adjustment_group: AdjustmentGroup | None
    user_errors: Sequence[UserError]


class _Payload(Protocol):
    @property
    def user_errors(self) -> Sequence[object]: ...


P = TypeVar("P", bound=_Payload)


class Ledger(Generic[P]):
    """What each key was used for, kept a day.

    `concurrent_seconds`: for so long after a request its key counts as still in progress. `refused` makes the payload
    that says no, from a code and words.
    """

    def __init__(self, refused: Callable[[str, str], P], clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: KeptAnswers[P] = KeptAnswers(_RETENTION_SECONDS, clock)
        self._refused = refused
        self.concurrent_seconds = 0.0

    def clear(self) -> None:
        """Forget all keys."""
        self._kept.clear()

    def run(self, key: str, arguments: object, act: Callable[[], P]) -> P:
        """Act once for a key; tell the same again for the same arguments, refuse others."""
        known = self._kept.find(key)
        if known is None:
            payload = act()
            self._kept.keep(key, arguments, payload)
            return payload
        if self._kept.age(known) < self.concurrent_seconds:
            return self._refused(
                "IDEMPOTENCY_CONCURRENT_REQUEST", "This request is currently in progress, please try again."
            )
        if not known.is_of(arguments):
            return self._refused(
                "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
                "The same idempotency key cannot be used with different operation parameters.",
            )
        if known.answer.user_errors:
            return self._refused(
                "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
                "A previous request with this idempotency key failed. Retry with a new idempotency key.",
            )
        return known.answer


class IdempotencyLedger(Ledger[SetQuantitiesPayload]):
    """The keys of `inventorySetQuantities`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(_refused, clock)


def idempotency_key(field: FieldNode, variables: Mapping[str, Any]) -> str:
    """The key that `@idempotent` gives the field. The schema does not demand it; Shopify does."""
    for directive in field.directives or ():
        if directive.name.value == "idempotent":
            for argument in directive.arguments or ():
                if argument.name.value == "key":
                    key = str(value_from_ast_untyped(argument.value, dict(variables)) or "")
                    if key:
                        return key
    raise GraphQLError(
        "The @idempotent directive is required for this mutation but was not provided.",
        extensions={"code": "BAD_REQUEST"},
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    position: int
    level: Level
    quantity: int


class SetQuantities:
    """The mutation over one store's books. `on_write` is told (level, before, after) of each change made."""

    def __init__(
        self,
        books: ShopBooks,
        now: Callable[[], datetime],
        on_write: Callable[[Level, int, int], None],
        is_refused: Callable[[], bool],
    ) -> None:
        self._books = books
        self._now = now
        self._on_write = on_write
        self._is_refused = is_refused

    def run(self, asked: Mapping[str, Any]) -> SetQuantitiesPayload:
        """Set everything or, where any entry is wrong, nothing; every wrong entry is named."""
        quantities = asked["quantities"]
        if len(quantities) > LARGEST_INPUT:
            raise GraphQLError(
                f"The input array size of {len(quantities)} is greater than the maximum allowed of {LARGEST_INPUT}.",
                extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
            )
        for index, quantity in enumerate(quantities):
            if "changeFromQuantity" not in quantity:
                raise GraphQLError(
                    f"input.quantities.{index}.changeFromQuantity must be given: the quantity expected, or null",
                    extensions={"code": "INVALID_FIELD_ARGUMENTS"},
                )
        errors = list(self._general_errors(asked))
        wanted = [self._check(index, asked["name"], quantity, errors) for index, quantity in enumerate(quantities)]
        self._check_duplicates(quantities, errors)
        if not errors and quantities and self._is_refused():
            path = ["input", "quantities", "0", "inventoryItemId"]
            errors.append(
                UserError("NON_MUTABLE_INVENTORY_ITEM", path, "The specified inventory item cannot be changed.")
            )
        if errors:
            return SetQuantitiesPayload(None, errors)
        return self._write(asked, [item for item in wanted if item is not None])

    @staticmethod
    def _general_errors(asked: Mapping[str, Any]) -> Sequence[UserError]:
        errors = []
        if asked["name"] not in ("available", "on_hand"):
            message = "The quantity name must be either 'available' or 'on_hand'."
            errors.append(UserError("INVALID_NAME", ["input", "name"], message))
        if asked["reason"] not in REASONS:
            errors.append(UserError("INVALID_REASON", ["input", "reason"], "The specified reason is invalid."))
        uri = asked.get("referenceDocumentUri")
        if uri is not None and ("://" not in uri or uri.endswith("://")):
            message = "The specified reference document is invalid."
            errors.append(UserError("INVALID_REFERENCE_DOCUMENT", ["input", "referenceDocumentUri"], message))
        return errors

    def _check(self, index: int, name: str, asked: Mapping[str, Any], errors: list[UserError]) -> _Wanted | None:
        path = ["input", "quantities", str(index)]
        item = self._books.by_id.get(asked["inventoryItemId"])
        if not isinstance(item, Item) or item.level is None:
            message = "The specified inventory item could not be found."
            errors.append(UserError("INVALID_INVENTORY_ITEM", [*path, "inventoryItemId"], message))
            return None
        if asked["locationId"] != self._books.location.id:
            message = "The specified location could not be found."
            errors.append(UserError("INVALID_LOCATION", [*path, "locationId"], message))
            return None
        if name not in ("available", "on_hand"):
            return None
        quantity = asked["quantity"]
        if quantity < 0:
            message = "The quantity can't be negative."
            errors.append(UserError("INVALID_QUANTITY_NEGATIVE", [*path, "quantity"], message))
        elif quantity > _LARGEST_QUANTITY:
            message = "The total quantity can't be higher than 1,000,000,000."
            errors.append(UserError("INVALID_QUANTITY_TOO_HIGH", [*path, "quantity"], message))
        expected = asked["changeFromQuantity"]
        if expected is not None and expected != item.level.quantity(name):
            message = "The changeFromQuantity argument no longer matches the persisted quantity."
            errors.append(UserError("CHANGE_FROM_QUANTITY_STALE", [*path, "changeFromQuantity"], message))
        return _Wanted(index, item.level, quantity)

    @staticmethod
    def _check_duplicates(quantities: Sequence[Mapping[str, Any]], errors: list[UserError]) -> None:
        seen: set[tuple[str, str]] = set()
        for index, asked in enumerate(quantities):
            pair = (asked["inventoryItemId"], asked["locationId"])
            if pair in seen:
                message = "The combination of inventoryItemId and locationId must be unique."
                path = ["input", "quantities", str(index)]
                errors.append(UserError("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", path, message))
            seen.add(pair)

    def _write(self, asked: Mapping[str, Any], wanted: Sequence[_Wanted]) -> SetQuantitiesPayload:
        now, name = self._now(), asked["name"]
        changes = []
        for item in wanted:
            before = item.level.quantity("available")
            delta = self._books.set_quantity(item.level, name, item.quantity, now)
            if delta:
                changes.append(Change(name, delta, item.quantity, item.level.item, item.level.location))
                self._on_write(item.level, before, item.level.quantity("available"))
        if not changes:
            return SetQuantitiesPayload(None, [])
        group = AdjustmentGroup(
            self._books.new_number(), now, asked["reason"], asked.get("referenceDocumentUri"), changes
        )
        return SetQuantitiesPayload(group, [])


def _refused(code: str, message: str) -> SetQuantitiesPayload:
    return SetQuantitiesPayload(None, [UserError(code, None, message)])
