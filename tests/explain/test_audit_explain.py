"""A number explains itself: every term, where it came from, and what was done about it."""

import dataclasses
import json
from decimal import Decimal

import pytest
from tests.corrections.corrections_channel import Channel, HttpWriter, run_channel
from tests.explain.audit_line import AuditLine, after

from trueup.corrections.engine.switches import stop_channel
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.explain.explain import Explanation, explain


@pytest.fixture
def line(warehouse: ConnectionDetails) -> AuditLine:
    """A warehouse where the shop shows 9 and should show 4."""
    line = AuditLine(warehouse)
    line.whole_story()
    return line


def _explain(line: AuditLine) -> Explanation:
    return explain(line.details, line.configuration, "HV-00001", "shop")


def test_the_terms_add_up_in_the_text(line: AuditLine) -> None:
    """A person checks it with a pencil: 8 free less 2 is 6, less 1 is 5, nine tenths of it rounded down is 4."""
    found = _explain(line)
    assert found.is_consistent
    text = "\n".join(found.lines)
    assert text.startswith("HV-00001 Enamel mug (Kitchen) on shop: 4 to be shown as available")
    terms = [line.split() for line in found.lines if line.startswith(("    free", "  - ", "  = ", "  x ", "  < "))]
    assert [words[-1] if "rule" not in words else words[-3] for words in terms] == [
        "8", "0", "2", "6", "1", "0.9", "4", "10", "4", "4",
    ]  # fmt: skip
    assert "buffer                                    1   rule shop.0" in text
    assert "-1 counts as 0\n" in text
    assert "on hand is 16 reported and -2 in movements since" in text


def test_what_a_place_owes_is_a_term_and_halves_are_exact(line: AuditLine) -> None:
    """Three and a half are reserved in a store that has one and keeps two back: all of them come from elsewhere."""
    line.act(
        "update marts.ats_positions set reserved_quantity = 6.5, shortfall_quantity = 3.5, pool_quantity = 2.5,"
        " ats_quantity = 1, target_quantity = 1, location_terms = jsonb_set(jsonb_set(location_terms,"
        " '{0,reserved_quantity}', '3.5'), '{0,shortfall_quantity}', '3.5')"
    )
    found = _explain(line)
    assert found.is_consistent
    assert (found.shortfall, found.pool, found.available) == (Decimal("3.5"), Decimal("2.5"), 1)
    text = "\n".join(found.lines)
    assert "-4.5 counts as 0; 3.5 that orders hold here come out of the others" in text
    assert "- reserved there beyond their stock       3.5" in text


def test_each_number_names_its_record_and_both_clocks(line: AuditLine) -> None:
    """Whoever doubts a number finds the vendor's own record and when it was seen."""
    found = _explain(line)
    (place,) = [each for each in found.locations if each.location_id == "WH-EAST"]
    assert (place.record, place.as_of, place.received_at) == ("raw.erp__stock_levels #17", after(0), after(1))
    assert [(each.order_name, each.quantity, each.location_id) for each in found.reservations] == [
        ("#1001", 3, "WH-EAST"),
        ("#1002", 2, None),
    ]
    assert found.shown is not None
    assert (found.shown.quantity, found.shown.record) == (9, "raw.shop__stock_levels #33")
    assert found.difference is not None
    assert (found.difference.quantity, found.difference.cause) == (5, "source_delay")
    assert "  5 too many: source delay, detected 2026-03-02 12:00:03" in found.lines
    assert "  spent in: source 60 s, landing 1 s, build 2 s" in found.lines


def test_what_was_done_is_shown_attempt_by_attempt(line: AuditLine) -> None:
    """A lost answer and the read-back that resolved it are both part of the story."""
    line.act(
        "insert into outbox.stock_changes (target_system, record_ref, subject_key, expected, desired)"
        " values ('shop', 'gid://1|gid://2', 'HV-00001', '9', '4')"
    )
    line.propose("publish-7")
    with run_channel(Channel(quantities={"gid://1|gid://2": 9}, faults=["lost_after"])) as url:
        line.correct({"shop": HttpWriter(url)})
    (story,) = _explain(line).corrections
    assert (story.expected, story.target, story.status, story.run_id) == (9, 4, "verified", "publish-7")
    assert [(each.attempt, each.outcome) for each in story.attempts] == [(1, "unknown")]
    assert [(each.observed, each.is_verified) for each in story.read_backs] == [(4, True)]
    text = "\n".join(_explain(line).lines)
    assert "9 to 4, source delay: verified" in text
    assert "(its clock), verified" in text


def test_what_keeps_it_from_being_pushed_is_named(line: AuditLine) -> None:
    """The first question about a wrong channel is why nothing happens."""
    stop_channel(line.details, "shop", "ada", "sale starts tomorrow")
    line.act(
        "insert into gates.quarantine (schema_name, table_name, row_key, subject_key, rule_id, reason, run_id)"
        " values ('marts', 'ats_positions', 'k', 'HV-00001', 'A7', 'on hand beyond belief', 'g')"
    )
    assert [(each.by, each.reason) for each in _explain(line).withheld] == [
        ("stopped by ada", "sale starts tomorrow"),
        ("quarantine by A7", "on hand beyond belief"),
    ]


@pytest.mark.parametrize(
    "tampering",
    [
        "update marts.ats_positions set ats_quantity = 5",
        "update marts.ats_positions set pool_quantity = 7",
        "update marts.ats_positions set shortfall_quantity = 1",
        "update marts.ats_positions set target_quantity = 5",
        "update marts.ats_positions set free_quantity = 9, pool_quantity = 7, ats_quantity = 5, target_quantity = 5",
        "update marts.ats_positions set location_terms = jsonb_set(location_terms, '{1,damaged_quantity}', '0')",
    ],
)
def test_terms_that_do_not_add_up_are_called_out(line: AuditLine, tampering: str) -> None:
    """An explanation that only repeats the table would explain anything."""
    line.act(tampering)
    found = _explain(line)
    assert not found.is_consistent
    assert any(each.startswith("THE TERMS DO NOT ADD UP") for each in found.lines)


def test_it_is_plain_data(line: AuditLine) -> None:
    """`--json` prints it as it is."""
    shown = json.loads(json.dumps(dataclasses.asdict(_explain(line)), default=str))
    assert (shown["target"], shown["locations"][1]["free"], shown["lines"][0][:8]) == (4, 8, "HV-00001")


@pytest.mark.parametrize(
    ("sku", "channel", "answer"),
    [
        ("HV-0001", "shop", "no SKU 'HV-0001'; did you mean HV-00001, HV-00002"),
        ("HV-00001", "shpo", "no channel 'shpo'; did you mean shop"),
        ("MUG-E", "shop", "'MUG-E' is what shop calls HV-00001"),
        ("mug-e ", "shop", "is what shop calls HV-00001"),
        ("hv-00001\u00a0", "shop", "'hv-00001<U+00A0>' is HV-00001 in another spelling"),
        ("HV-00002", "shop", "HV-00002 is known, but no build has computed it for 'shop' yet"),
        ("zzz", "shop", "no SKU 'zzz'; there is none like it"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(line: AuditLine, sku: str, channel: str, answer: str) -> None:
    """People ask with the code on the box in front of them."""
    with pytest.raises(Permanent) as caught:
        explain(line.details, line.configuration, sku, channel)
    assert answer in str(caught.value)
