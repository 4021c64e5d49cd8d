"""The Payments and Refunds APIs: lists and single ones, and refunds made."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from trueup.sandbox.vendors.idempotency import KeptAnswers
from trueup.sandbox.vendors.square.books import SquareBooks
from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.identifiers import timestamp
from trueup.sandbox.vendors.square.kept_orders import Json
from trueup.sandbox.vendors.square.money import CURRENCY
from trueup.sandbox.vendors.square.paging import moment, read_cursor, write_cursor

_MAX_LISTED: Final = 100
_MAX_KEY: Final = 45
_MAX_REASON: Final = 192
_SORTED_BY: Final[Mapping[str, str]] = {"CREATED_AT": "created_at", "UPDATED_AT": "updated_at"}
_YEAR: Final = timedelta(days=365)
# Square sends the money of a payment back to where it came from; to other places only of merchants who may.
_ELSEWHERE: Final = ("unlinked", "destination_id", "location_id", "customer_id", "app_fee_money")


class Payments:
    """One seller's payments and refunds over the API. `main_location`: where lists look that name no location."""

    def __init__(self, books: SquareBooks, main_location: str) -> None:
        self._books = books
        self._main_location = main_location
        self._answers: KeptAnswers[Json] = KeptAnswers()

    # -- reading -------------------------------------------------------------------------------------------------

    def payments(self, query: Mapping[str, str], now: datetime) -> Json:
        """ListPayments: of the main location, unless another is named."""
        location = query.get("location_id") or self._main_location
        offline = query.get("is_offline_payment")
        client = _range(query, "offline_begin_time", "offline_end_time")
        found = [
            payment
            for payment in self._books.orders.payments.by_id.values()
            if payment["location_id"] == location
            and _is_card(payment, query)
            and query.get("total") in (None, str(payment["total_money"]["amount"]))
            and (offline is None or payment.get("is_offline_payment", False) is (offline == "true"))
            and (
                client == (None, None)
                or _is_in(client, payment.get("offline_payment_details", {}), "client_created_at")
            )
        ]
        return _page(found, query, "payments", now)

    def payment(self, payment_id: str) -> Json:
        """GetPayment."""
        return {"payment": self._found(payment_id)}

    def refunds(self, query: Mapping[str, str], now: datetime) -> Json:
        """ListPaymentRefunds: of all locations, unless one is named."""
        wanted = {
            name: query[asked]
            for name, asked in (
                ("location_id", "location_id"),
                ("status", "status"),
                ("destination_type", "source_type"),
            )
            if query.get(asked)
        }
        found = [
            refund
            for refund in self._books.orders.payments.refunds.values()
            if all(refund[name] == value for name, value in wanted.items())
        ]
        return _page(found, query, "refunds", now)

    def one_refund(self, refund_id: str) -> Json:
        """GetPaymentRefund."""
        refund = self._books.orders.payments.refunds.get(refund_id)
        if refund is None:
            raise ApiError("NOT_FOUND", f"Refund {refund_id} not found.", "refund_id")
        return {"refund": refund}

    # -- writing -------------------------------------------------------------------------------------------------

    def refund(self, body: Mapping[str, Any], now: datetime) -> Json:
        """RefundPayment: once for each key; the same key with another body is refused."""
        key = _text(body, "idempotency_key", _MAX_KEY)
        known = self._answers.find(key)
        if known is not None and not known.is_of(body):
            detail = "The idempotency key was used with another request body."
            raise ApiError("IDEMPOTENCY_KEY_REUSED", detail, "idempotency_key")
        if known is not None:
            return known.answer
        amount = _amount(body)
        refused = next((name for name in _ELSEWHERE if body.get(name)), None)
        if refused is not None:
            raise ApiError("BAD_REQUEST", "The sandbox refunds to the payment's own source only.", refused)
        payment = self._found(_text(body, "payment_id"))
        version = body.get("payment_version_token")
        if version is not None and version != payment["version_token"]:
            raise ApiError("VERSION_MISMATCH", "The payment has changed.", "payment_version_token")
        reason = body.get("reason")
        if reason is not None and (not isinstance(reason, str) or len(reason) > _MAX_REASON):
            raise ApiError("VALUE_TOO_LONG", f"At most {_MAX_REASON} characters are allowed.", "reason")
        # A copy: what was answered stays as it was answered when the refund goes on.
        answer = {"refund": dict(self._books.orders.refunds.refund(payment, amount, reason, now))}
        self._answers.keep(key, body, answer)
        return answer

    def _found(self, payment_id: str) -> Json:
        payment = self._books.orders.payments.by_id.get(payment_id)
        if payment is None:
            raise ApiError("NOT_FOUND", f"Could not find payment with id: {payment_id}", "payment_id")
        return payment


def _page(found: Iterable[Json], query: Mapping[str, str], name: str, now: datetime) -> Json:
    """One page in order of a time. Square ignores a limit that it cannot meet."""
    sort_field, sort_order = query.get("sort_field") or "CREATED_AT", query.get("sort_order") or "DESC"
    if sort_field not in _SORTED_BY:
        raise ApiError("INVALID_ENUM_VALUE", f"{sort_field} is no field to sort by.", "sort_field")
    if sort_order not in ("ASC", "DESC"):
        raise ApiError("INVALID_SORT_ORDER", f"{sort_order} is neither ASC nor DESC.", "sort_order")
    by, is_ascending = _SORTED_BY[sort_field], sort_order == "ASC"
    position = read_cursor(query, name)
    until = timestamp(now) if position is None else str(position[2])
    created = _range(query, "begin_time", "end_time")
    created = (created[0] or timestamp(now - _YEAR), created[1] or until)
    updated = _range(query, "updated_at_begin_time", "updated_at_end_time")
    rows = [each for each in found if _is_in(created, each, "created_at") and _is_in(updated, each, "updated_at")]
    rows.sort(key=lambda each: (each[by], each["id"]), reverse=not is_ascending)
    if position is not None:
        last = (position[0], position[1])
        rows = [each for each in rows if (key := (each[by], each["id"])) != last and (key > last) is is_ascending]
    asked, limit = query.get("limit"), _MAX_LISTED
    if asked is not None:
        if not asked.lstrip("-").isdecimal():
            raise ApiError("EXPECTED_INTEGER", "Expected an integer value.", "limit")
        limit = int(asked) if 1 <= int(asked) <= _MAX_LISTED else _MAX_LISTED
    page = rows[:limit]
    answer: Json = {name: page} if page else {}
    if len(rows) > limit:
        answer["cursor"] = write_cursor(query, name, (page[-1][by], page[-1]["id"], until))
    return answer


def _range(query: Mapping[str, str], begin: str, end: str) -> tuple[str | None, str | None]:
    first, last = moment(query, begin), moment(query, end)
    return (None if first is None else timestamp(first)), (None if last is None else timestamp(last))


def _is_in(bounds: tuple[str | None, str | None], each: Mapping[str, Any], name: str) -> bool:
    value = each.get(name)
    return value is not None and (bounds[0] or "") <= value and (bounds[1] is None or value <= bounds[1])


def _is_card(payment: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    card = payment.get("card_details", {}).get("card", {})
    return all(query.get(name) in (None, card.get(name)) for name in ("last_4", "card_brand"))


def _text(body: Mapping[str, Any], name: str, most: int | None = None) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", name)
    if most is not None and len(value) > most:
        raise ApiError("VALUE_TOO_LONG", f"At most {most} characters are allowed.", name)
    return value


def _amount(body: Mapping[str, Any]) -> int:
    asked = body.get("amount_money")
    if not isinstance(asked, dict):
        raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", "amount_money")
    amount = asked.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise ApiError("EXPECTED_INTEGER", "Expected an integer value.", "amount_money.amount")
    if amount < 1:
        raise ApiError("VALUE_TOO_LOW", "At least 1 is allowed.", "amount_money.amount")
    if asked.get("currency") != CURRENCY:
        raise ApiError("CURRENCY_MISMATCH", f"The payment was taken in {CURRENCY}.", "amount_money.currency")
    return amount
