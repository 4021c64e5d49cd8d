"""An explained order as plain text, in which the parts visibly add up to the total."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from trueup.explain.wording import evidence_text, moment_text, number_text

if TYPE_CHECKING:
    from trueup.explain.order_goods import OrderGoods, Return
    from trueup.explain.orders import OrderExplanation


def lines_of(it: "OrderExplanation") -> Iterator[str]:
    """The order as text: what was taken, what it comes to, where else it is, what is wrong, what was done."""
    state = "cancelled" if it.is_cancelled else it.order_status or "open"
    paid = f", {it.financial_status.replace('_', ' ')}" if it.financial_status else ""
    yield f"{it.order_id}, placed {moment_text(it.ordered_at)} on {it.channel or it.owner_system_id}: {state}{paid}"
    if not it.is_landed:
        yield f"  {it.owner_system_id} has not told of it yet; it is known from its copies alone"
    yield ""
    yield from _money_lines(it)
    yield ""
    if not it.copies:
        yield "No other system has a copy of it."
    for copy in it.copies:
        status = "cancelled" if copy.is_cancelled else copy.order_status or "open"
        reference = f" ({copy.external_ref})" if copy.external_ref else ""
        yield (
            f"{copy.system_id} has it as {copy.source_order_id}{reference}: {status},"
            f" {_amount(copy.total_amount, copy.currency)}, from {copy.record}"
        )
    yield from _goods_lines(it.goods)
    for wrong in it.wrong:
        yield ""
        of = "" if wrong.subject_key == it.order_id else f", of {wrong.subject_key}"
        yield (
            f"WRONG in {wrong.target}: {wrong.difference_class.replace('_', ' ')}{of},"
            f" {wrong.difference.cause.replace('_', ' ')}, detected {moment_text(wrong.difference.detected_at)}"
        )
        if wrong.waits_for:
            yield f"  waits for {wrong.waits_for}"
        yield f"  evidence: {evidence_text(wrong.difference.evidence)}"
    for history in it.histories:
        yield ""
        yield from history.lines


def _money_lines(it: "OrderExplanation") -> Iterator[str]:
    for line in it.order_lines:
        units = line.ordered_quantity if line.current_quantity is None else line.current_quantity
        of = "" if units == line.ordered_quantity else f" of {number_text(line.ordered_quantity)}"
        name = line.sku or f"{line.source_sku or 'no code'} ({line.classification.replace('_', ' ')})"
        yield _row(f"{number_text(units)}{of} x {name} {line.title or ''}".rstrip(), line.gross_amount)
    for each in it.adjustments:
        included = ", in the prices" if each.is_included else ""
        label = f" {each.label}" if each.label and each.label != each.kind else ""
        yield _row(f"{each.kind.replace('_', ' ')}{label}{included}", each.amount)
    if it.total_amount is None:
        yield "  no record tells what it comes to"
        return
    yield f"= {_row(f'total, {it.currency}', it.total_amount)[2:]}"
    if it.unexplained_amount:
        yield _row("THE PARTS DO NOT ADD UP; unexplained", it.unexplained_amount)
    if it.paid_amount is not None:
        yield _row("paid", it.paid_amount)
    if it.refunded_amount:
        yield _row("refunded", it.refunded_amount)
    if it.record is not None:
        yield f"  from {it.record}"


def _goods_lines(goods: "OrderGoods") -> Iterator[str]:
    if goods.units:
        yield ""
    for each in goods.units:
        became = {
            "left": each.shipped_quantity, "cancelled": each.cancelled_quantity, "open": each.open_quantity,
            "TOO MANY": each.excess_quantity,
        }  # fmt: skip
        shares = ", ".join(f"{number_text(number)} {what}" for what, number in became.items() if number)
        yield f"  {each.sku or 'no SKU'}: {number_text(each.ordered_quantity)} ordered = {shares}"
    for parcel in goods.parcels:
        what = "told the customer of" if parcel.reported_as == "confirmed" else "sent"
        numbers = ", ".join(parcel.tracking_numbers) or "no tracking number"
        problem = f", {parcel.problem}" if parcel.problem else ""
        yield (
            f"{parcel.system_id} {what} parcel {parcel.parcel_id} of {number_text(parcel.quantity)} units"
            f" from {parcel.location_id or 'no location of ours'}: {parcel.status.replace('_', ' ')},"
            f" {moment_text(parcel.shipped_at)}, {parcel.carrier or 'no carrier'}, {numbers}{problem}"
        )
    for back in goods.returns:
        yield (
            f"{back.source_system_id} has return {back.return_id}, {back.return_status}: {_came_back(back)},"
            f" announced {moment_text(back.announced_at)}, arrived {moment_text(back.arrived_at)}"
        )
    for restock in goods.restocks:
        yield (
            f"{restock.source_system_id} has {number_text(restock.quantity)} x {restock.sku or 'no SKU'} back on a"
            f" shelf of {restock.location_id} since {moment_text(restock.restocked_at)}"
        )
    for refund in goods.refunds:
        of = " for no items" if refund.is_amount_only else ""
        yield (
            f"{refund.source_system_id} refunded {_amount(refund.refund_amount, refund.currency)}{of}"
            f" ({refund.refund_id}, {refund.refund_status}), {moment_text(refund.refunded_at)}"
        )
    for credit in goods.credits:
        of = f" for {credit.refund_id}" if credit.refund_id else ", naming no refund"
        yield (
            f"{credit.source_system_id} credited {_amount(credit.credited_amount, credit.currency)}{of}"
            f" by {credit.credit_name or credit.credit_id}, dated {credit.booked_on or 'unknown'}"
        )


def _came_back(back: "Return") -> str:
    known = {
        "announced": back.announced_quantity, "came": back.received_quantity, "restocked": back.restocked_quantity,
        "given instead": back.exchanged_quantity,
    }  # fmt: skip
    return ", ".join(f"{number_text(number)} {what}" for what, number in known.items() if number is not None)


def _row(name: str, amount: Decimal | None) -> str:
    return f"  {name[:56]:<56} {'' if amount is None else f'{amount:.2f}':>12}"


def _amount(amount: Decimal | None, currency: str | None) -> str:
    return "no amounts" if amount is None else f"{amount:.2f} {currency or 'of no currency'}"
