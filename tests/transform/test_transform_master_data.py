"""What is not sold any more is not offered, and somebody is told: places, products, items and listings."""

from tests.transform.transform_facts import (
    Fact,
    Facts,
    at,
    netsuite_item,
    netsuite_level,
    place,
    shipbob_level,
    shipbob_product,
    shopify_listing,
    shopify_variant,
    square_count,
    square_item,
)

_POSITIONS = (
    "select sku, on_hand_quantity, withdrawn_quantity, sellable_quantity, ats_quantity, location_terms"
    " from marts.ats_positions where channel = '{}' order by sku"
)
_OPEN = "select kind, system_id, subject, reason from exceptions.queue where status = 'open' order by kind, subject"
_WANTED = "select target_system, subject_key, desired from outbox.stock_changes order by 1, 2"
_LISTINGS = "select channel, sku, is_listed, unlisted_because from canonical.channel_listings order by 1, 2"
_SHOP = "gid://shopify/Location/9001"


def _wanted(facts: Facts) -> dict[tuple[str, str], int]:
    return {(row["target_system"], row["subject_key"]): row["desired"] for row in facts.rows(_WANTED)}


def _reported(facts: Facts) -> list[tuple[str, str]]:
    return [(row["kind"], row["subject"]) for row in facts.rows(_OPEN)]


def _reasons(facts: Facts, channel: str = "shopify_main") -> dict[tuple[str, str], str]:
    return {
        (row["sku"], term["location_id"]): term["withdrawn_because"]
        for row in facts.rows(_POSITIONS.format(channel))
        for term in row["location_terms"]
        if term["withdrawn_because"] is not None
    }


def _rebuilt_alike(facts: Facts) -> None:
    queries = (_POSITIONS.format("shopify_main"), _POSITIONS.format("square_online"), _WANTED, _OPEN, _LISTINGS)
    incremental = [facts.rows(query) for query in queries]
    facts.build(is_full_refresh=True)
    assert incremental == [facts.rows(query) for query in queries]


def test_a_place_that_is_switched_off_is_not_sold_from(facts: Facts) -> None:
    """Its units leave the pool, its listings are not written to, a person is told; all is undone when it is back."""
    used = [place("netsuite", "1", at(0)), place("shipbob", "101", at(0)), place("shopify_main", _SHOP, at(0))]
    facts.land(
        [
            *used,
            netsuite_item("1001", "HV-00001"),
            netsuite_level("1001", 10, at(0)),
            shipbob_product(1, "HV-00001"),
            shipbob_level(1, 10, at(0)),
            shopify_variant("1", "HV-00001"),
            shopify_listing("1", 12, at(0)),
            shopify_variant("1", "HV-00001", store="shopify_outlet"),
            shopify_listing("1", 12, at(0), store="shopify_outlet"),
        ]
    )
    facts.build()
    before = _wanted(facts)
    assert before == {("shopify_main", "HV-00001"): 19, ("shopify_outlet", "HV-00001"): 3}
    assert _reported(facts) == []
    facts.land(
        [
            place("shipbob", "101", at(100), is_active=False),
            # a mistyped id, or a place taken away before we came: no word would ever come of LSTORE3
            *(place("square", name, at(100)) for name in ("LSTORE1", "LSTORE2", "LONLINE")),
        ]
    )
    facts.build()
    position = facts.rows(_POSITIONS.format("shopify_main"))[0]
    assert (position["on_hand_quantity"], position["withdrawn_quantity"], position["sellable_quantity"]) == (20, 10, 10)
    assert _reasons(facts) == {("HV-00001", "WH-WEST"): "place inactive in shipbob"}
    assert _wanted(facts) == {("shopify_main", "HV-00001"): 9, ("shopify_outlet", "HV-00001"): 3}
    assert _reported(facts) == [("place_switched_off", "101"), ("place_switched_off", "LSTORE3")]
    first, second = (row["reason"] for row in facts.rows(_OPEN))
    assert "WH-WEST" in first
    assert "switched off" in first
    assert "not among its places" in second
    # removed: the main warehouse, and the place at which the store lists
    gone = [place("netsuite", "1", at(200), is_gone=True), place("shopify_main", _SHOP, at(200), is_gone=True)]
    facts.land(gone)
    facts.build()
    assert _reasons(facts)["HV-00001", "WH-EAST"] == "place removed in netsuite"
    assert _wanted(facts) == {("shopify_outlet", "HV-00001"): 0}
    listing = facts.rows(_LISTINGS)[0]
    assert (listing["is_listed"], listing["unlisted_because"]) == (False, "its place was removed in the channel")
    assert ("place_switched_off", _SHOP) in _reported(facts)
    assert any("shopify_main lists, and is removed" in row["reason"] for row in facts.rows(_OPEN))
    _rebuilt_alike(facts)
    facts.land(
        [
            place("netsuite", "1", at(300)),
            place("shipbob", "101", at(300)),
            place("shopify_main", _SHOP, at(300)),
            place("square", "LSTORE3", at(300)),
        ]
    )
    facts.build()
    assert _wanted(facts) == before
    assert _reported(facts) == []


def _offered(*, is_active: bool, seconds: int) -> list[Fact]:
    """Eight products, each but the first with something that is active or is not."""
    when = at(seconds)
    return [
        netsuite_item("1001", "HV-1", when=when),
        netsuite_item("1002", "HV-2", is_active=is_active, when=when),
        shipbob_product(3, "HV-3", status="Active" if is_active else "Inactive", when=when),
        shopify_variant("4", "HV-4", status="ACTIVE" if is_active else "DRAFT", when=when),
        shopify_variant("5", "HV-5", status="ACTIVE" if is_active else "ARCHIVED", when=when),
        # unlisted is sold by its link
        shopify_variant("6", "HV-6", status="ACTIVE" if is_active else "UNLISTED", when=when),
        square_item("7", "HV-7", is_archived=not is_active, when=when),
        square_item("8", "HV-8", sold_at=None if is_active else ["LSTORE1"], when=when),
    ]


def test_what_is_inactive_is_neither_offered_nor_written_to(facts: Facts) -> None:
    """In the ERP nowhere, in a warehouse not from there, in a channel not on it; told where units are withdrawn."""
    numbers = range(1, 9)
    facts.land(
        [
            *(netsuite_item(f"100{number}", f"HV-{number}") for number in numbers),
            *(netsuite_level(f"100{number}", 10, at(0)) for number in numbers),
            *(shipbob_product(number, f"HV-{number}") for number in numbers),
            *(shipbob_level(number, 10, at(0)) for number in numbers),
            *(shopify_variant(str(number), f"HV-{number}") for number in range(1, 7)),
            *(shopify_listing(str(number), 1, at(0)) for number in range(1, 7)),
            *(square_item(str(number), f"HV-{number}") for number in (7, 8)),
            *(square_count(str(number), 10, at(0), location="LSTORE1") for number in (7, 8)),
            *(square_count(str(number), 20, at(0), location="LSTORE2") for number in (7, 8)),
            *(square_count(str(number), 1, at(0), location="LONLINE") for number in (7, 8)),
        ]
    )
    facts.build()
    before = _wanted(facts)
    assert before == {
        **{("shopify_main", f"HV-{number}"): 19 for number in range(1, 7)},
        **{("square_online", f"HV-{number}"): 28 for number in (7, 8)},
    }
    facts.land(_offered(is_active=False, seconds=100))
    facts.build()
    assert _wanted(facts) == {
        ("shopify_main", "HV-1"): 19,
        ("shopify_main", "HV-2"): 0,
        ("shopify_main", "HV-3"): 9,
        ("shopify_main", "HV-6"): 19,
    }
    assert _reasons(facts) == {
        ("HV-2", "WH-EAST"): "inactive in netsuite",
        ("HV-2", "WH-WEST"): "inactive in netsuite",
        ("HV-3", "WH-WEST"): "inactive in shipbob",
    }
    online = {row["sku"]: row["ats_quantity"] for row in facts.rows(_POSITIONS.format("square_online"))}
    assert (online["HV-7"], online["HV-8"]) == (0, 9)
    unlisted = {row["sku"]: row["unlisted_because"] for row in facts.rows(_LISTINGS) if not row["is_listed"]}
    assert unlisted == dict.fromkeys(("HV-4", "HV-5", "HV-7", "HV-8"), "the channel does not sell the item")
    assert _reported(facts) == [("not_sold_any_more", "HV-2"), ("not_sold_any_more", "HV-3")]
    assert "20 units" in facts.rows(_OPEN)[0]["reason"]
    _rebuilt_alike(facts)
    facts.land(_offered(is_active=True, seconds=200))
    facts.build()
    assert _wanted(facts) == before
    assert _reported(facts) == []
