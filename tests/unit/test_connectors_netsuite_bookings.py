"""What an order's document comes to as a sales order: exact to the last digit, or refused by name."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connectors.netsuite_order_documents import OPTIONS, document, line

from trueup.connectors.bookings import Booking, Currency, NotBookable, booking_of
from trueup.connectors.netsuite.bookings import LEDGER, body_of
from trueup.connectors.netsuite.refused_records import refusal_of

CURRENCIES = {"GBP": Currency("1", 2), "JPY": Currency("4", 0), "KWD": Currency("5", 3)}
KINDS = ("shipping", "fee", "tip", "duty", "gift_card", "rounding", "discount", "tax")


def booked(content: dict[str, Any], zone: str = "UTC", **options: str) -> Booking:
    return booking_of("trueup:1", content, {**OPTIONS, **options}, CURRENCIES, ZoneInfo(zone), LEDGER)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Any order in a currency of none, two or three decimals, its total the sum of its parts."""
    symbol = draw(st.sampled_from(sorted(CURRENCIES)))
    digits = CURRENCIES[symbol].digits
    is_included = draw(st.booleans())
    total = Decimal(0)
    lines = []
    for number in range(draw(st.integers(1, 4))):
        quantity, price = draw(st.integers(1, 50)), draw(st.integers(0, 99_999))
        gross = quantity * price
        discount = draw(st.integers(0, gross))
        tax = draw(st.integers(0, (gross - discount) // 2))
        total += gross - discount + (0 if is_included else tax)
        lines.append(
            line(
                line_ref=str(number),
                quantity=quantity,
                unit_price=_text(price, digits),
                discount=_text(discount, digits),
                tax=_text(tax, digits),
            )
        )
    adjustments = []
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=4)):
        amount = draw(st.integers(-5_000, 5_000))
        total += amount
        adjustments.append({"kind": kind, "amount": _text(amount, digits), "label": kind})
    return document(
        currency=symbol,
        is_tax_included=is_included,
        lines=lines,
        adjustments=adjustments,
        total=_text(int(total), digits),
    )


def _text(minor: int, digits: int) -> str:
    return format(Decimal(minor).scaleb(-digits), "f")


@given(documents())
def test_the_lines_add_up_to_the_total_in_every_currency(content: dict[str, Any]) -> None:
    """Whatever is discounted, taxed and rounded; each part whole in its currency, and each kind on its own item."""
    booking = booked(content)
    digits = booking.currency.digits

    assert sum(each.amount for each in booking.lines) == booking.total == Decimal(content["total"])
    assert all(each.amount == round(each.amount, digits) for each in booking.lines)
    goods = [each for each in booking.lines if each.item == "1001"]
    assert [each.quantity for each in goods] == [each["quantity"] for each in content["lines"]]
    taxes = sum(Decimal(each["tax"]) for each in content["lines"])
    on_tax_items = sum(each.amount for each in booking.lines if each.component == "tax")
    adjusted = sum(Decimal(each["amount"]) for each in content["adjustments"] if each["kind"] == "tax")
    assert on_tax_items == taxes + adjusted
    for sent, wanted in zip(body_of(booking, "custbody_channel")["item"]["items"], booking.lines, strict=True):
        # What NetSuite multiplies out by itself is the amount that we say, too.
        assert Decimal(str(sent["amount"])) == wanted.amount
        assert round(Decimal(str(sent["rate"])) * wanted.quantity, digits) == wanted.amount


def test_o9_a_discount_stands_on_a_line_behind_its_goods_net_of_tax() -> None:
    """120 with 20 % tax included, a tenth off: 100 less 10, and 18 of tax (O9)."""
    content = document(lines=[line(quantity=1, unit_price="120.00", discount="12.00", tax="18.00")], total="108.00")
    assert [(each.component, str(each.amount)) for each in booked(content).lines] == [
        ("line HV-00001", "100.00"),
        ("discount", "-10.00"),
        ("tax", "18.00"),
    ]


def test_o15_a_line_that_is_given_away_is_booked_with_its_price_and_its_discount() -> None:
    """O15: with nothing said the ERP takes its own price."""
    content = document(lines=[line(discount="9.90")], total="0.00")
    sent = body_of(booked(content), "")["item"]["items"]
    assert [each["amount"] for each in sent] == [9.9, -9.9]
    assert all(each["price"] == {"id": "-1"} for each in sent)


def test_an_order_is_booked_on_the_day_on_which_the_account_had_it() -> None:
    """S12: ordered late in the evening, it is still today's for an account further west."""
    assert booked(document()).dated == "2026-10-05"
    assert booked(document(), "Asia/Tokyo").dated == "2026-10-06"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"total": "10.00"}, "the order's parts come to 9.90 GBP, its total says 10.00; give the difference a name"),
        ({"currency": "CHF"}, "NetSuite has no active currency CHF; add it"),
        ({"order_name": ""}, "order_name is missing"),
        ({"ordered_at": "2026-10-05"}, "is no time with its zone"),
        ({"lines": []}, "the order has no lines"),
        ({"lines": [line(item_ref=None)]}, "line HV-00001: no item of NetSuite is known for it"),
        ({"lines": [line(quantity=0)]}, "line HV-00001: '0' is no number of units above 0"),
        ({"lines": [line(unit_price="4.955")]}, None),
        ({"lines": [line(quantity=3, unit_price="0.333")]}, "3 units at their price are no whole amount"),
        ({"lines": [line(tax="1.005")]}, "tax 1.005 has more than the 2 decimals of its currency"),
        ({"lines": [line(discount=9.9)]}, "discount '9.9' is no decimal amount"),
        ({"lines": [line(location_ref="WH")]}, "location 'WH' is no id of NetSuite"),
        ({"adjustments": [{"kind": "donation", "amount": "1.00", "label": ""}]}, "no item is named for donation"),
    ],
)
def test_what_cannot_be_booked_is_said_with_its_remedy(changes: dict[str, Any], words: str | None) -> None:
    """Before anything is sent."""
    if words is None:
        with pytest.raises(NotBookable, match=r"parts come to 9\.91"):
            booked(document(**changes))
        return
    with pytest.raises(NotBookable) as caught:
        booked(document(**changes))
    assert words in str(caught.value)


def test_o20_an_order_without_a_customer_needs_the_tenants_own() -> None:
    """O20: a named state, not an error of the ERP's."""
    without = {name: value for name, value in OPTIONS.items() if name != "customer"}
    with pytest.raises(NotBookable, match="the order has no customer; name the one"):
        booking_of("x", document(), without, CURRENCIES, ZoneInfo("UTC"), LEDGER)
    assert booked(document(customer_ref="77")).customer == "77"


@pytest.mark.parametrize(
    ("detail", "path", "words"),
    [
        (
            "You have entered an Invalid Field Value 5 for the following field: item",
            "item.items[1].item",
            "tax: You have entered an Invalid Field Value 5 for the following field: item (USER_ERROR); make the item",
        ),
        (
            "The transaction date you specified is not within the date range of your accounting period.",
            "tranDate",
            "your accounting period (USER_ERROR); open the period in NetSuite",
        ),
        ("Please enter value(s) for: Customer.", "", "name the customer in the system's options"),
        ("You cannot do that.", "", "You cannot do that (USER_ERROR); correct it in NetSuite or in the order"),
    ],
)
def test_a_refusal_names_component_and_remedy(detail: str, path: str, words: str) -> None:
    """In NetSuite's words, for a person who has to act."""
    body = {"o:errorDetails": [{"detail": detail, "o:errorCode": "USER_ERROR", "o:errorPath": path}]}
    assert words in refusal_of(body, ["line A", "tax"])


@pytest.mark.parametrize("body", [None, [], {"o:errorDetails": []}, {"o:errorDetails": ["?"]}, "gateway"])
def test_a_refusal_without_words_is_one_too(body: object) -> None:
    """A proxy's answer says nothing of the order."""
    assert "no reason was given (no code)" in refusal_of(body)
