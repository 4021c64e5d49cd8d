"""An explanation as plain text, in which the terms visibly add up."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trueup.explain.wording import evidence_text, moment_text, number_text

if TYPE_CHECKING:
    from trueup.domain.quantities import Quantity
    from trueup.explain.explanation import CorrectionStory, Explanation


def lines_of(it: "Explanation") -> Iterator[str]:
    """The explanation as text, widest part first: locations, terms, what is shown, what was done."""
    title = f" {it.title}" if it.title else ""
    category = f" ({it.category})" if it.category else ""
    target = "an unknown number" if it.target is None else it.target
    yield f"{it.sku}{title}{category} on {it.channel}: {target} to be shown as {it.shows.replace('_', ' ')}"
    if it.unknown_because is not None:
        yield f"  {it.unknown_because}; nothing is pushed, see the exception queue"
    yield ""
    yield from _location_lines(it)
    yield ""
    yield from _term_lines(it)
    if not it.is_consistent:
        yield "THE TERMS DO NOT ADD UP: the table was changed by hand or by a faulty build; run a full build"
    yield ""
    yield from _shown_lines(it)
    for withheld in it.withheld:
        yield f"  not pushed: {withheld.by} since {moment_text(withheld.since)}: {withheld.reason}"
    if it.reservations:
        yield ""
        yield "Reservations"
        for each in it.reservations:
            location = each.location_id or "no location yet"
            yield (
                f"  {number_text(each.quantity):>6}  {each.order_name} ({each.channel or 'own order'}), {location},"
                f" ordered {moment_text(each.ordered_at)}, received {moment_text(each.received_at)}, {each.record}"
            )
    if it.corrections:
        yield ""
        yield "Corrections, newest first"
        for story in it.corrections:
            yield from _correction_lines(story)


def _location_lines(it: "Explanation") -> Iterator[str]:
    if not it.locations:
        yield "No location that serves the channel has a stock level for it."
        return
    width = max(len("location"), *(len(each.location_id) for each in it.locations))
    yield (
        f"  {'location':<{width}}  on hand  damaged  in quality control  reserved  safety stock     free"
        "  as of (source)       received"
    )
    for each in it.locations:
        yield (
            f"  {each.location_id:<{width}}  {number_text(each.on_hand):>7} {_less(each.damaged, 8)}"
            f" {_less(each.quality_control, 19)} {_less(each.reserved, 9)} {_less(each.safety_stock, 13)}"
            f"  = {number_text(each.free):>5}"
            f"  {moment_text(each.as_of):<19}  {moment_text(each.received_at)}"
        )
        unclamped = each.sellable - each.reserved - each.safety_stock
        if unclamped < 0:
            owed = (
                f"; {number_text(each.shortfall)} that orders hold here come out of the others"
                if each.shortfall
                else ""
            )
            yield f"  {'':<{width}}  {number_text(unclamped)} counts as 0{owed}"
        if each.withdrawn_because is not None:
            yield f"  {'':<{width}}  {number_text(each.withdrawn)} of these are not offered: {each.withdrawn_because}"
        if each.base is not None and each.movements:
            since = f"{'+' if each.movements > 0 else ''}{number_text(each.movements)}"
            yield f"  {'':<{width}}  on hand is {number_text(each.base)} reported and {since} in movements since"
        if each.record is not None:
            yield f"  {'':<{width}}  from {each.record}"


def _term_lines(it: "Explanation") -> Iterator[str]:
    def term(sign: str, name: str, value: object, rule: str | None = None) -> str:
        rule_name = f"   rule {it.rules[rule]}" if rule and it.rules.get(rule) else ""
        return f"  {sign} {name:<34} {value!s:>8}{rule_name}"

    yield term(" ", "free at these locations", number_text(it.free))
    yield term("-", "reserved there beyond their stock", number_text(it.shortfall))
    yield term("-", "reserved, no location yet", number_text(it.unassigned))
    yield term("=", "pool", number_text(it.pool))
    yield term("-", "buffer", it.buffer, "buffer")
    yield term("x", "share", f"{it.share.normalize():f}", "share")
    units = (it.pool - it.buffer) * it.share
    if units != units.to_integral_value() or units < 0:
        yield term("=", "rounded down, at least 0", max(0, math.floor(units)))
    if it.cap is not None:
        yield term("<", "at most", it.cap, "cap")
    yield term("=", "available to sell", "unknown" if it.available is None else it.available)
    if it.shows == "on_hand":
        yield term("+", "the channel's own allocations", it.own_allocations)
    yield term("=", "to be shown", "unknown" if it.target is None else it.target)


def _shown_lines(it: "Explanation") -> Iterator[str]:
    if it.shown is None:
        yield "The channel has no listing of it that was ever observed."
        return
    shown = "nothing" if it.shown.quantity is None else number_text(it.shown.quantity)
    yield (
        f"The channel showed {shown} for {it.shown.record_id},"
        f" observed {moment_text(it.shown.observed_at)} (its clock),"
        f" received {moment_text(it.shown.received_at)}, {it.shown.record}"
    )
    if not it.shown.is_listed:
        yield f"  nothing is pushed: {it.shown.unlisted_because or 'it is not listed or not tracked there'}"
    if it.difference is None:
        if it.shown.quantity == it.target:
            yield "  that is what it should show"
        return
    how = "too many" if it.difference.quantity > 0 else "too few"
    yield (
        f"  {abs(it.difference.quantity)} {how}: {it.difference.cause.replace('_', ' ')},"
        f" detected {moment_text(it.difference.detected_at)}"
    )
    ages = (
        ("source", it.difference.age_source_seconds),
        ("landing", it.difference.age_landing_seconds),
        ("build", it.difference.age_build_seconds),
        ("queue", it.difference.age_queue_seconds),
    )
    known = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in ages if seconds is not None)
    if known:
        yield f"  spent in: {known}"
    evidence = evidence_text(it.difference.evidence)
    if evidence:
        yield f"  evidence: {evidence}"


def _correction_lines(story: "CorrectionStory") -> Iterator[str]:
    before = "?" if story.expected is None else story.expected
    reason = f" ({story.status_reason})" if story.status_reason else ""
    yield (
        f"  #{story.correction_id}  {before} to {story.target}, {story.cause.replace('_', ' ')}:"
        f" {story.status}{reason}, proposed {moment_text(story.proposed_at)} by {story.run_id}"
    )
    for each in story.attempts:
        status = f" {each.http_status}" if each.http_status is not None else ""
        yield f"      attempt {each.attempt} at {moment_text(each.attempted_at)}: {each.outcome}{status}, {each.detail}"
    for read in story.read_backs:
        observed = "no such record" if read.observed is None else read.observed
        verified = ", verified" if read.is_verified else ""
        yield f"      read back {observed} at {moment_text(read.as_of)} (its clock){verified}"


def _less(value: "Quantity", width: int) -> str:
    return f"{number_text(-value if value else 0):>{width}}"
