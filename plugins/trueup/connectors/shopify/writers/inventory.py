"""Sets what a Shopify store shows as available, 250 levels a call, with Shopify's own compare-and-set.

A call is all or nothing: one stale level refuses it whole, and the others are then sent without it. Every call carries
an idempotency key that follows from its corrections, so a call whose answer was lost is sent again under the same key
and has no second effect (Shopify keeps keys for a day; a retry here is seconds later). What is still unanswered then
is UNKNOWN and must be read back. No window remains: Shopify compares and sets in one step.
"""

import functools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.base import Observation
from trueup.connectors.fence import CallReceipts, desired_units, expected_units, quantity, refuse_other_kinds
from trueup.connectors.http.client import Resend, Unconfirmed
from trueup.connectors.reading import as_of
from trueup.connectors.shopify import documents
from trueup.connectors.shopify.api import SYSTEM, ShopifyApi, shopify_api
from trueup.connectors.state import SharedState
from trueup.domain.changes import Change, Outcome, Receipt
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Transient
from trueup.domain.values import Value

_FIELD = "available"
_STALE = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
_IN_PROGRESS = "IDEMPOTENCY_CONCURRENT_REQUEST"
_OTHER_PARAMETERS = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
_FAILED_BEFORE = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
_LARGEST = 1_000_000_000  # of an inventory quantity; one beyond it refuses its whole call
_OK = 200
_INDEX_AT = 2
_ROUNDS = 6  # calls for one batch: each takes out what was refused, or waits for a call under way


def connect(details: ConnectionDetails, state: SharedState, channel: ChannelDeclaration) -> "ShopifyWriter":
    """Build what sets the quantities at the channel's listing location; no I/O."""
    return ShopifyWriter(shopify_api(details, state), channel.listing_location)


class ShopifyWriter:
    """Writes to one store. `location` is the channel's listing location: nothing elsewhere is ever written."""

    def __init__(self, api: ShopifyApi, location: str) -> None:
        self._api = api
        self._location = location

    @property
    def batch_size(self) -> int:
        return documents.LARGEST_PAGE

    def close(self) -> None:
        """Close the connections to the store."""
        self._api.close()

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        batch = CallReceipts(changes)
        self._refuse_unwritable(batch)
        self._send(batch)
        return batch.in_order()

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        """Read the levels as they are now; a record of another location, or of none, is left out: unknown."""
        found = self._observed([change.record_ref for change in changes])
        return {change.key: found[change.record_ref] for change in changes if change.record_ref in found}

    def _observed(self, record_refs: Sequence[str]) -> Mapping[str, Observation]:
        wanted = {item: record_ref for record_ref in record_refs if (item := self._item(record_ref)) is not None}
        start = self._api.started_at()
        found: dict[str, Observation] = {}
        items = list(wanted)
        size = self._api.next_size(documents.LEVELS_OF_ITEMS)
        while items:
            variables = functools.partial(self._levels_of, tuple(items))
            data, answer, taken, size = self._api.sized(documents.LEVELS_OF_ITEMS, variables, size)
            asked, items = items[:taken], items[taken:]
            moment = as_of(answer, start)
            for item, value in _values(asked, data.get("nodes")):
                found[wanted[item]] = Observation(wanted[item], quantity(value), moment)
        return found

    def _levels_of(self, items: Sequence[str], count: int) -> Mapping[str, Any]:
        return {"ids": items[:count], "location": self._location, "names": [_FIELD]}

    def _item(self, record_ref: str) -> str | None:
        item, _, location = record_ref.partition("|")
        return item if item and location == self._location else None

    def _refuse_unwritable(self, batch: CallReceipts) -> None:
        refuse_other_kinds(batch)
        seen: set[str] = set()
        for correction in batch.open():
            if correction.field != _FIELD:
                problem = f"{SYSTEM} takes corrections of '{_FIELD}' only; set shows: available in channels.yml"
                batch.record(correction, Outcome.REJECTED, problem)
            elif self._item(correction.record_ref) is None:
                problem = f"not a level of the channel's listing location {self._location}; check channels.yml"
                batch.record(correction, Outcome.REJECTED, problem)
            elif desired_units(correction) < 0:
                batch.record(correction, Outcome.REJECTED, "a quantity below nothing is never written")
            elif desired_units(correction) > _LARGEST:
                problem = f"{correction.desired} is more than {SYSTEM} takes ({_LARGEST}); set a cap in channels.yml"
                batch.record(correction, Outcome.REJECTED, problem)
            elif correction.record_ref in seen:
                batch.record(correction, Outcome.RETRY, "another correction of this level went first")
            seen.add(correction.record_ref)

    def _send(self, batch: CallReceipts) -> None:
        salt = 0
        for number in range(_ROUNDS):
            # In an order of its own: the same corrections make the same call, however they were handed over.
            sending = sorted(batch.open(), key=lambda correction: correction.key)
            if not sending:
                return
            try:
                payload = self._call(sending, salt)
            except Unconfirmed as error:
                batch.record_open(Outcome.UNKNOWN, str(error))
                return
            except Transient as error:
                if number == 0:
                    raise
                batch.record_open(Outcome.RETRY, str(error))
                return
            errors = [error for error in payload.get("userErrors") or () if isinstance(error, Mapping)]
            codes = {str(error.get("code")) for error in errors}
            if codes & {_IN_PROGRESS, _OTHER_PARAMETERS}:
                # Sent before under this key: still under way, or with other values. Nobody knows what it did.
                batch.record_open(Outcome.UNKNOWN, ", ".join(sorted(codes)))
            elif _FAILED_BEFORE in codes:
                salt += 1
            else:
                self._record(batch, sending, payload, errors)
        batch.record_open(Outcome.RETRY, f"refused {_ROUNDS} times because of others in its batch")

    def _record(
        self,
        batch: CallReceipts,
        sending: Sequence[Change],
        payload: Mapping[str, Any],
        errors: Sequence[Mapping[str, Any]],
    ) -> None:
        refused = list(_refused(sending, errors))
        shown = self._shown([correction for correction, code, _ in refused if code in _STALE])
        for correction, code, message in refused:
            if code not in _STALE:
                batch.record(correction, Outcome.REJECTED, f"{code}: {self._api.clean(message)}", _OK)
            elif shown.get(correction.record_ref) == correction.desired:
                batch.record(correction, Outcome.ALREADY_APPLIED, f"{code}: it shows the target already", _OK)
            else:
                batch.record(correction, Outcome.CONFLICT, f"{code}: it is not what it was when this was decided", _OK)
        # With errors and no group the call did nothing: whatever was not refused goes into the next one.
        if isinstance(payload.get("inventoryAdjustmentGroup"), Mapping) or not errors:
            for correction in batch.open():
                batch.record(correction, Outcome.APPLIED, "set", _OK)
        elif not refused:
            words = "; ".join(f"{error.get('code')}: {error.get('message')}" for error in errors)
            batch.record_open(Outcome.REJECTED, self._api.clean(words))

    def _shown(self, stale: Sequence[Change]) -> Mapping[str, Value | None]:
        if not stale:
            return {}
        try:
            found = self._observed([correction.record_ref for correction in stale])
        except Transient:
            return {}  # then they are conflicts, and the next decision looks again
        return {record_ref: observation.value for record_ref, observation in found.items()}

    def _call(self, sending: Sequence[Change], salt: int) -> Mapping[str, Any]:
        key = _batch_key(sending, salt)
        variables = {
            "key": key,
            "input": {
                "name": _FIELD,
                "reason": "correction",
                "referenceDocumentUri": f"gid://trueup/Correction/{key}",
                "quantities": [
                    {
                        "inventoryItemId": self._item(correction.record_ref),
                        "locationId": self._location,
                        "quantity": desired_units(correction),
                        "changeFromQuantity": expected_units(correction),
                    }
                    for correction in sending
                ],
            },
        }
        data, _ = self._api.ask(documents.SET_QUANTITIES, variables, resend=Resend.IDEMPOTENT)
        payload = data.get("inventorySetQuantities")
        if not isinstance(payload, Mapping):
            raise Unconfirmed(f"{SYSTEM}: a write was answered without its result; read back what became of it")
        return payload


def _batch_key(sending: Sequence[Change], salt: int) -> str:
    """Return the same UUID for the same corrections; `salt` where Shopify has burnt the key by a failure."""
    text = "\n".join([str(salt), *(correction.key for correction in sending)])
    return str(uuid.uuid5(uuid.NAMESPACE_OID, text))


def _refused(sending: Sequence[Change], errors: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Change, str, str]]:
    """Yield the correction that each error points at, by `["input", "quantities", "<index>", ...]`."""
    for error in errors:
        path = error.get("field")
        index = path[2] if isinstance(path, list) and len(path) > _INDEX_AT and path[1] == "quantities" else None
        if index is not None and str(index).isdigit() and int(index) < len(sending):
            yield sending[int(index)], str(error.get("code")), str(error.get("message", ""))


def _values(asked: Sequence[str], nodes: object) -> Iterator[tuple[str, int | None]]:
    """Yield each item with its quantity, None where there is no such level; what cannot be read is left out."""
    if not isinstance(nodes, list) or len(nodes) != len(asked):
        return
    for item, node in zip(asked, nodes, strict=True):
        if node is None:
            yield item, None
            continue
        level = node.get("inventoryLevel") if isinstance(node, Mapping) else None
        if isinstance(node, Mapping) and "inventoryLevel" in node and level is None:
            yield item, None
            continue
        quantities = level.get("quantities") if isinstance(level, Mapping) else None
        for each in quantities if isinstance(quantities, list) else ():
            value = each.get("quantity") if isinstance(each, Mapping) else None
            if isinstance(value, int) and each.get("name") == _FIELD:
                yield item, value
