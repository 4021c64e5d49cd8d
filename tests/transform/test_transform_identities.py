"""Codes of different systems meet by one normalization; what may be two things is unknown, and a person is told."""

import unicodedata

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.scale import SCALE, scaled
from tests.transform.transform_facts import (
    Facts,
    Line,
    at,
    demo_tenant,
    netsuite_item,
    netsuite_level,
    shipbob_level,
    shipbob_product,
    shopify_listing,
    shopify_order,
    shopify_variant,
)

from trueup.configuration.model import TenantConfiguration
from trueup.domain.codes import clean_code, code_key
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import connect

# Unicode of the warehouse and of Python may differ by years: what one of them does not know yet is left out.
_TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cn"), blacklist_characters="\0")
    | st.sampled_from(" \t\u00a0\u200b\u00ad\ufeff\u3000\uff21\uff41\u0301\u0308eEßẞIıİσςΣǅÅ"),
    max_size=12,
)
_OPEN = "select kind, system_id, subject, reason from exceptions.queue where status = 'open' order by subject, kind"


@given(texts=st.lists(_TEXT, min_size=1, max_size=50))
@example(
    texts=[
        "AB\u00a01",
        "ab 1",
        " AB\t 1 ",
        "A\u200bB 1",
        "\uff21\uff22 1",
        "Cafe\u0301",
        "CAFÉ",
        "",
        " \u200b",
        "J\u030c",
    ]
)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_warehouse_and_python_normalize_alike(warehouse: ConnectionDetails, texts: list[str]) -> None:
    """And a clean code is clean, a key is its own key."""
    with connect(warehouse, None) as connection:
        _assert_alike(connection, texts)


@scaled
def test_every_character_is_normalized_alike(warehouse: ConnectionDetails) -> None:
    """Alone, between others and after a letter that it may combine with: the lists are Python's."""
    known = [chr(number) for number in range(1, 0x110000) if not 0xD800 <= number < 0xE000]
    assigned = [each for each in known if unicodedata.category(each) not in {"Cn", "Co"}]
    # Letters and digits are many and alike: a part of them, and all marks, signs, spaces and format characters.
    some = [each for each in assigned if ord(each) * SCALE % 16 < SCALE or unicodedata.category(each)[0] in "ZCMPS"]
    with connect(warehouse, None) as connection:
        _assert_alike(connection, [form.format(each) for form in ("{}", "x{}y", "E{}1") for each in some])


def _assert_alike(connection: psycopg.Connection[tuple[object, ...]], texts: list[str]) -> None:
    rows = connection.execute(
        "select text, governance.clean_code(text), governance.code_key(text),"
        " governance.clean_code(governance.clean_code(text)), governance.code_key(governance.clean_code(text)),"
        " governance.code_key(governance.code_key(text))"
        " from unnest(%s::text[]) with ordinality as texts (text, position) order by position",
        (texts,),
    ).fetchall()
    expected = []
    for text in texts:
        clean, key = clean_code(text), code_key(text)
        expected.append((text, clean, key, clean, key, key))
    assert rows == expected


@given(
    body=st.text("0123456789", min_size=7, max_size=13), separators=st.lists(st.sampled_from(["", "-", " ", "\u2011"]))
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_a_gtin_is_known_by_its_length_and_check_digit(
    warehouse: ConnectionDetails, body: str, separators: list[str]
) -> None:
    """With the right check digit, with each wrong one, and however it is grouped."""
    weights = [3 if index % 2 == 0 else 1 for index in range(len(body))]
    check = -sum(weight * int(digit) for weight, digit in zip(weights, reversed(body), strict=True)) % 10
    spelt = [body + str(digit) for digit in range(10)]
    grouped = "".join(
        digit + separator for digit, separator in zip(spelt[check], [*separators, *[""] * 14], strict=False)
    )
    is_length = len(body) + 1 in {8, 12, 13, 14} and int(body) + check > 0
    with connect(warehouse, None) as connection:
        row = connection.execute(
            "select array(select governance.gtin_key(text)"
            " from unnest(%s::text[]) with ordinality as texts (text, position) order by position)",
            ([*spelt, grouped],),
        ).fetchone()
    right = spelt[check].rjust(14, "0") if is_length else None
    assert row is not None
    assert row[0] == [*(right if digit == check else None for digit in range(10)), right]


@pytest.mark.parametrize(
    "text",
    [
        "BIN 40-12",
        "40-12",
        "4006381333932",
        "4006381333931x",
        "x4006381333931",
        "12",
        "40063813339310000",
        "",
        "0000000000000",
    ],
)
def test_what_is_no_gtin_is_none(warehouse: ConnectionDetails, text: str) -> None:
    """A shelf label must never match by the digits that are in it."""
    with connect(warehouse, None) as connection:
        assert connection.execute("select governance.gtin_key(%s)", (text,)).fetchone() == (None,)


def test_spellings_of_one_code_meet_and_shelf_labels_do_not(facts: Facts) -> None:
    """SKU and barcode, however written, in any of the systems, in the alias file, on an order and in a rule."""
    content = facts.configuration.model_dump(mode="json")
    content["sku_aliases"] = {"shipbob": {"bin\u00a07\u200b": "cafe\u0301 5"}}
    content["non_stock_codes"].append({"pattern": "GIFT WRAP", "classification": "other"})
    content["channels"]["shopify_main"]["rules"] = [{"sku": "\uff28\uff36-1", "cap": 3}]
    facts.declare(TenantConfiguration.model_validate(content))
    facts.land(
        [
            netsuite_item("1001", "HV-1\u00a0", gtin="4-006381-333931"),
            netsuite_item("1002", "HV 2", gtin="BIN 40-12"),
            netsuite_item("1003", "HV-3", gtin="0 36000 29145 2"),
            netsuite_item("1005", "CAFÉ 5"),
            netsuite_item("1006", "AB6"),
            netsuite_level("1001", 10, at(0)),
            shopify_variant("1", "\u200bhv-1"),
            shopify_variant("2", "\uff28\uff36\t2"),
            shopify_variant("3", "S-3", barcode="0036000291452"),
            shopify_listing("1", 1, at(0)),
            shipbob_product(1, "WB-1", gtin="4006381333931"),
            shipbob_product(2, "WB-2", gtin="SHELF 40 12"),
            shipbob_product(3, "WB-3", gtin="036000291452"),
            shipbob_product(5, "BIN 7"),
            shopify_order("#1", [Line(None, 2, sku="hv\u00a02"), Line(None, 1, sku="Gift\u2003wrap")], at(10)),
            # what looks like a product's code and is not
            shopify_variant("6", "AB\u00a06"),
            shopify_variant("7", "\u0410B6"),
            shopify_order("#2", [Line(None, 1, sku="A\u200bB\t6")], at(10)),
        ]
    )
    facts.build()
    rows = facts.rows(
        "select system_id, source_item_id, sku, match_rule from canonical.sku_aliases"
        " where system_id in ('shipbob', 'shopify_main') order by 1, 2"
    )
    found = {
        (row["system_id"], row["source_item_id"].rsplit("/", 1)[-1]): (row["sku"], row["match_rule"]) for row in rows
    }
    assert found == {
        ("shopify_main", "1"): ("HV-1", "exact_sku"),
        ("shopify_main", "2"): ("HV 2", "exact_sku"),
        ("shopify_main", "3"): ("HV-3", "gtin"),
        ("shopify_main", "6"): (None, "unmatched"),
        ("shopify_main", "7"): (None, "unmatched"),
        ("shipbob", "1"): ("HV-1", "gtin"),
        ("shipbob", "2"): (None, "unmatched"),
        ("shipbob", "3"): ("HV-3", "gtin"),
        ("shipbob", "5"): ("CAFÉ 5", "alias_file"),
    }
    held = facts.row("select sku, quantity from canonical.reservations")
    assert tuple(held.values()) == ("HV 2", 2)
    assert facts.row("select desired from outbox.stock_changes") == {"desired": 3}
    # two texts that look the same are told apart, or nobody finds the difference
    reasons = {row["subject"].rsplit("/", 1)[-1]: row["reason"] for row in facts.rows(_OPEN)}
    assert set(reasons) == {"2", "6", "7", "ab 6"}
    assert '"AB<U+00A0>6"' in reasons["6"]
    assert '"<U+0410>B6"' in reasons["7"]
    assert '"A<U+200B>B<U+0009>6"' in reasons["ab 6"]


def test_stock_of_two_items_of_one_sku_is_unknown_not_none(facts: Facts) -> None:
    """Neither 0 nor one of the two is pushed; a person is told, and the number is back when one of them is another."""
    facts.land(
        [
            netsuite_item("1001", "HV-00001"),
            netsuite_item("1002", "HV-00002"),
            netsuite_level("1001", 10, at(0)),
            netsuite_level("1002", 10, at(0)),
            shopify_variant("1", "HV-00001"),
            shopify_variant("1", "HV-00001", store="shopify_outlet"),
            shopify_variant("2", "HV-00002"),
            shopify_listing("1", 30, at(0)),
            shopify_listing("1", 9, at(0), store="shopify_outlet"),
            shopify_listing("2", 30, at(0)),
            shipbob_product(1, "HV-00001"),
            shipbob_level(1, 20, at(0)),
            shipbob_product(2, "HV-00002"),
            shipbob_level(2, 20, at(0)),
        ]
    )
    facts.build()
    positions = (
        "select sku, channel, ats_quantity, target_quantity, unknown_because from marts.ats_positions"
        " where channel like 'shopify%' order by 1, 2"
    )
    before = facts.rows(positions)
    assert [row["ats_quantity"] for row in before] == [29, 3, 29, 3]
    # a second item of the warehouse bears the SKU: which of them holds how much of it, nobody knows
    facts.land([shipbob_product(9, "hv-00001\u00a0"), shipbob_level(9, 500, at(50))])
    facts.build()
    first, *others = facts.rows(positions)
    assert (first["sku"], first["channel"], first["ats_quantity"], first["target_quantity"]) == (
        "HV-00001",
        "shopify_main",
        None,
        None,
    )
    assert "shipbob" in first["unknown_because"]
    assert "WH-WEST" in first["unknown_because"]
    assert others == before[1:]
    pushed = facts.rows("select subject_key, target_system from outbox.stock_changes order by 1, 2")
    assert [tuple(row.values()) for row in pushed] == [("HV-00001", "shopify_outlet"), ("HV-00002", "shopify_main")]
    reported = facts.rows(_OPEN)
    assert [(row["kind"], row["system_id"], row["subject"]) for row in reported] == [
        ("ambiguous_sku", "shipbob", "1"),
        ("ambiguous_sku", "shipbob", "9"),
    ]
    facts.land([shipbob_product(9, "HV-00009", when=at(100))])
    facts.build()
    assert facts.rows(positions) == before
    assert [row["kind"] for row in facts.rows(_OPEN)] == ["unmatched_sku"]
    facts.build(is_full_refresh=True)
    assert facts.rows(positions) == before


def test_what_two_of_one_system_claim_is_nobodys_and_is_an_exception(facts: Facts) -> None:
    """Two spellings in the ERP are one product of unknown stock; of two live listings of one SKU neither is pushed."""
    facts.land(
        [
            netsuite_item("1001", "HV-00001"),
            netsuite_item("1101", "hv-00001\u200b"),
            netsuite_level("1001", 10, at(0)),
            netsuite_level("1101", 5, at(0)),
            shopify_variant("1", "HV-00001"),
            shopify_listing("1", 30, at(0)),
            *(netsuite_item(f"100{number}", f"HV-0000{number}") for number in (2, 3)),
            *(netsuite_level(f"100{number}", 10, at(0)) for number in (2, 3)),
            shopify_variant("2", "HV-00002"),
            shopify_variant("102", "hv-00002"),
            shopify_variant("3", "HV-00003"),
            # one that the store does not sell leaves the other its number
            shopify_variant("103", "HV-00003", status="DRAFT"),
            *(shopify_listing(number, 3, at(0)) for number in ("2", "102", "3", "103")),
        ]
    )
    facts.build()
    assert facts.rows("select sku from canonical.products order by 1") == [
        {"sku": "HV-00001"},
        {"sku": "HV-00002"},
        {"sku": "HV-00003"},
    ]
    unknown = facts.rows("select sku, channel from marts.ats_positions where ats_quantity is null order by 2")
    assert [tuple(row.values()) for row in unknown] == [("HV-00001", "shopify_main"), ("HV-00001", "shopify_outlet")]
    wanted = facts.rows("select subject_key, record_ref, desired from outbox.stock_changes")
    assert [(row["subject_key"], row["record_ref"].split("|")[0][-2:], row["desired"]) for row in wanted] == [
        ("HV-00003", "/3", 9)
    ]
    reported = {row["subject"].rsplit("/", 1)[-1]: row["reason"] for row in facts.rows(_OPEN)}
    assert set(reported) == {"1001", "1101", "2", "102", "103"}
    assert '"hv-00001<U+200B>"' in reported["1101"]
    assert "on the same evidence" in reported["102"]
    assert "on better evidence" in reported["103"]
    remedies = facts.rows("select remedy from exceptions.queue where status = 'open' and subject like '%/102'")
    assert "take one of them down" in remedies[0]["remedy"]


def test_a_claim_by_the_alias_file_is_seen_by_whom_it_contests(facts: Facts) -> None:
    """Who had the product keeps it on better evidence; the other was renamed later, in a build of parts."""
    facts.declare(demo_tenant(sku_aliases={"shopify_main": {"OLD-1": "HV-00001"}}))
    facts.land(
        [
            *(netsuite_item(f"100{number}", f"HV-0000{number}") for number in (1, 2)),
            *(shopify_variant(str(number), f"HV-0000{number}") for number in (1, 2)),
            *(netsuite_level(f"100{number}", 10, at(0)) for number in (1, 2)),
            *(shopify_listing(number, 3, at(0)) for number in ("1", "2")),
        ]
    )
    facts.build()
    facts.land([shopify_variant("2", "OLD-1", when=at(50))])
    facts.build()
    items = facts.rows(
        "select source_item_id, sku, match_rule from staging.int_item_skus where system_id = 'shopify_main' order by 1"
    )
    assert [tuple(row.values())[1:] for row in items] == [("HV-00001", "exact_sku"), (None, "ambiguous")]
    # Had the alias been the product's only code here, neither would be pushed.
    facts.land([shopify_variant("1", "OLD-1", when=at(60))])
    facts.build()
    assert facts.row("select count(*) as pushed from outbox.stock_changes")["pushed"] == 0
    assert facts.row("select count(*) as listed from canonical.channel_listings")["listed"] == 0
