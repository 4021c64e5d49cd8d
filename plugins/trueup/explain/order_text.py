"""An explained order as plain text, in which the parts visibly add up to the total."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from trueup.explain.wording import evidence_text, moment_text, number_text

if TYPE_CHECKING:
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
    for wrong in it.wrong:
        yield ""
        yield (
            f"WRONG in {wrong.target}: {wrong.difference_class.replace('_', ' ')},"
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


def _row(name: str, amount: Decimal | None) -> str:
    return f"  {name[:56]:<56} {'' if amount is None else f'{amount:.2f}':>12}"


def _amount(amount: Decimal | None, currency: str | None) -> str:
    return "no amounts" if amount is None else f"{amount:.2f} {currency or 'of no currency'}"
