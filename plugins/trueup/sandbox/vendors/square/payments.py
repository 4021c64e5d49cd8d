"""Square's payments and their refunds. No payment is ever refunded beyond what it took."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from trueup.sandbox.vendors.square.buyers import Paid
from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.identifiers import timestamp
from trueup.sandbox.vendors.square.money import money, pence, percent_of

PENDING_FOR: Final = timedelta(seconds=60)
"""How long a refund to a card waits for its approval."""
_REFUNDABLE_FOR: Final = timedelta(days=365)
_TILL_PERCENT: Final = Decimal("1.75")
_ONLINE_PERCENT: Final = Decimal("1.4")
_ONLINE_FIXED: Final = 25
_PRODUCTS: Final[Mapping[bool, str]] = {False: "SQUARE_POS", True: "ONLINE_STORE"}
Json = dict[str, Any]


class SquarePayments:
    """Payments and refunds by id, in the order in which they came. `changed` takes up what webhooks are to report."""

    def __init__(self, changed: list[tuple[str, Json]]) -> None:
        self.by_id: dict[str, Json] = {}
        self.refunds: dict[str, Json] = {}
        self._changed = changed

    def take(
        self, order: Mapping[str, Any], number: int, paid: Paid, at: datetime, taken_at: datetime, *, is_online: bool
    ) -> Json:
        """Take a payment of an order in. Returns the order's tender.

        `taken_at`: when the customer paid; before `at` where the till was offline.
        """
        moment = timestamp(at)
        identifier = f"{order['id']}P{number}"
        payment: Json = {
            "id": identifier,
            "created_at": moment,
            "updated_at": moment,
            "amount_money": money(paid.amount - paid.tip),
            "total_money": money(paid.amount),
            "approved_money": money(paid.amount),
            "status": "COMPLETED",
            "location_id": order["location_id"],
            "order_id": order["id"],
            "receipt_number": _digest(identifier)[:4].upper(),
            "application_details": {"square_product": _PRODUCTS[is_online]},
            **_source(paid, moment, is_online=is_online),
        }
        tender: Json = {
            "id": identifier,
            "payment_id": identifier,
            "location_id": order["location_id"],
            "transaction_id": order["id"],
            "created_at": moment,
            "amount_money": money(paid.amount),
            "type": paid.kind,
        }
        if taken_at < at:
            payment["is_offline_payment"] = True
            payment["offline_payment_details"] = {"client_created_at": timestamp(taken_at)}
        if paid.tip:
            payment["tip_money"] = tender["tip_money"] = money(paid.tip)
        fee = _fee(paid, is_online=is_online)
        if fee:
            payment["processing_fee"] = [{"effective_at": moment, "type": "INITIAL", "amount_money": money(fee)}]
            tender["processing_fee_money"] = money(fee)
        if "card_details" in payment:
            details = payment["card_details"]
            tender["card_details"] = {name: details[name] for name in ("status", "card", "entry_method")}
        elif "cash_details" in payment:
            details = payment["cash_details"]
            tender["cash_details"] = {
                "buyer_tendered_money": details["buyer_supplied_money"],
                "change_back_money": details["change_back_money"],
            }
        self.by_id[identifier] = payment
        self._mark(payment, "payment.created", moment)
        return tender

    def of_order(self, order: Mapping[str, Any]) -> Iterator[Json]:
        """The payments of an order, in the order of its tenders."""
        return (self.by_id[tender["payment_id"]] for tender in order.get("tenders", ()))

    def check(self, payment: Mapping[str, Any], amount: int, at: datetime) -> None:
        """Raise `ApiError` where the payment cannot be refunded by so much."""
        if datetime.fromisoformat(payment["created_at"]) < at - _REFUNDABLE_FOR:
            raise ApiError("PAYMENT_NOT_REFUNDABLE", "Payments can be refunded for one year.", "payment_id")
        if amount > room(payment):
            detail = "The requested refund amount exceeds the amount available to refund."
            raise ApiError("REFUND_AMOUNT_INVALID", detail, "amount_money")

    def refund(
        self,
        identifier: str,
        payment: Json | None,
        order: Mapping[str, Any],
        amount: int,
        reason: str | None,
        at: datetime,
    ) -> Json:
        """Give money back. `payment` None: no payment is known, and cash is handed out. Returns the refund.

        `order`: the order of the refund.
        """
        if payment is not None:
            self.check(payment, amount, at)
        moment = timestamp(at)
        kind = "CASH" if payment is None else str(payment["source_type"])
        refund: Json = {
            "id": identifier,
            "status": "PENDING" if kind == "CARD" else "COMPLETED",
            "location_id": order["location_id"],
            "unlinked": payment is None,
            "destination_type": kind,
            "amount_money": money(amount),
            "order_id": order["id"],
            "created_at": moment,
            "updated_at": moment,
        }
        if reason:
            refund["reason"] = reason
        self.refunds[identifier] = refund
        self._changed.append(("refund.created", refund))
        if payment is not None:
            refund["payment_id"] = payment["id"]
            payment["refunded_money"] = money(pence(payment, "refunded_money") + amount)
            payment.setdefault("refund_ids", []).append(identifier)
            self._mark(payment, "payment.updated", moment)
        return refund

    def approve(self, refund: Json, at: datetime) -> None:
        """A refund that was pending has gone through."""
        refund |= {"status": "COMPLETED", "updated_at": timestamp(at)}
        self._changed.append(("refund.updated", refund))
        self._mark(self.by_id[refund["payment_id"]], "payment.updated", timestamp(at))

    def reject(self, refund: Json, at: datetime) -> None:
        """A refund did not go through: its payment has the room again."""
        refund |= {"status": "REJECTED", "updated_at": timestamp(at)}
        payment = self.by_id[refund["payment_id"]]
        left = pence(payment, "refunded_money") - pence(refund, "amount_money")
        payment["refunded_money"] = money(left)
        self._changed.append(("refund.updated", refund))
        self._mark(payment, "payment.updated", timestamp(at))

    def _mark(self, payment: Json, event: str, moment: str) -> None:
        payment["updated_at"] = moment
        payment["version_token"] = _digest(f"{payment['id']} {moment} {len(payment.get('refund_ids', ()))}")
        self._changed.append((event, payment))


def room(payment: Mapping[str, Any]) -> int:
    """What can still be refunded of a payment, in pence."""
    return pence(payment, "total_money") - pence(payment, "refunded_money")


def _source(paid: Paid, moment: str, *, is_online: bool) -> Json:
    if paid.kind == "CASH":
        supplied = paid.amount if paid.supplied is None else paid.supplied
        cash = {"buyer_supplied_money": money(supplied), "change_back_money": money(supplied - paid.amount)}
        return {"source_type": "CASH", "cash_details": cash}
    if paid.kind == "OTHER":
        return {"source_type": "EXTERNAL", "external_details": {"type": "OTHER", "source": str(paid.source)}}
    card = {"card_brand": paid.brand, "last_4": paid.last_4, "exp_month": 11, "exp_year": 2031}
    details = {
        "status": "CAPTURED",
        "card": card,
        "entry_method": "KEYED" if is_online else "CONTACTLESS",
        "card_payment_timeline": {"authorized_at": moment, "captured_at": moment},
    }
    return {"source_type": "CARD", "card_details": details}


def _fee(paid: Paid, *, is_online: bool) -> int:
    """Square's own fee in Britain: 1.75 % at the till, 1.4 % and 25 pence online, nothing where no card is charged."""
    if paid.kind != "CARD":
        return 0
    if is_online:
        return min(paid.amount, percent_of(paid.amount, _ONLINE_PERCENT) + _ONLINE_FIXED)
    return percent_of(paid.amount, _TILL_PERCENT)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]
