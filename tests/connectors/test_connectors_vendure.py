"""Vendure's ways of failing, scripted over real HTTP: sessions that end, errors with status 200, lists that move."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.connectors.connectors_scripted_server import Request, ScriptedServer, Step, scripted_server
from tests.connectors.connectors_state import LastingState
from tests.stock_changes import observed_units, stock_change

from trueup.configuration.model import ChannelDeclaration, QuantityMeaning
from trueup.connectors.fenced_writer import FencedWriter
from trueup.connectors.vendure import reader as vendure
from trueup.connectors.vendure.reader import VendureConnector
from trueup.connectors.vendure.writers import inventory as vendure_writer
from trueup.domain.changes import Change, Outcome
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import ReadMode

DATE = {"Date": "Mon, 05 Oct 2026 09:00:00 GMT"}


class Shop:
    """A shop with two stock locations, as far as these tests need one. `refuse` names a code for the next write."""

    def __init__(self) -> None:
        self.stock = {"1": {"1": 10, "2": 5}, "2": {"1": 3, "2": 0}, "3": {"1": 8, "2": 8}}
        self.good_tokens = {"token-1"}
        self.logins = 0
        self.writes: list[list[dict[str, Any]]] = []
        self.refused_variants: set[str] = set()
        self.hang_up_after_write = False
        self.error: str | None = None

    def answer(self, request: Request) -> Step:
        query, variables = request.json["query"], request.json["variables"]
        if "mutation LogIn" in query:
            return self._log_in(variables)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.good_tokens:
            return _error("FORBIDDEN")
        if self.error is not None:
            return _error(self.error)
        if "mutation SetStock" in query:
            return self._write(variables["input"])
        if "stockLocations" in query:
            return _data({"stockLocations": {"items": [{"id": "1", "name": "East"}, {"id": "2", "name": "West"}]}})
        if "productVariants" in query:
            wanted = variables["options"].get("filter", {}).get("id", {}).get("in", list(self.stock))
            found = [self._variant(variant) for variant in self.stock if variant in wanted]
            return _data({"productVariants": {"items": found[: variables["options"]["take"]]}})
        return _data({"activeChannel": {"id": "1", "code": "default"}})

    def _log_in(self, variables: dict[str, Any]) -> Step:
        self.logins += 1
        if variables["password"] != "right-password":
            return _data({"login": {"__typename": "InvalidCredentialsError", "errorCode": "INVALID_CREDENTIALS_ERROR"}})
        token = f"token-{self.logins}"
        return Step(
            body={"data": {"login": {"__typename": "CurrentUser"}}}, headers={**DATE, "vendure-auth-token": token}
        )

    def _write(self, changes: list[dict[str, Any]]) -> Step:
        if self.refused_variants & {change["id"] for change in changes}:
            return _error("ENTITY_NOT_FOUND")
        self.writes.append(changes)
        for change in changes:
            for level in change["stockLevels"]:
                self.stock[change["id"]][level["stockLocationId"]] = level["stockOnHand"]
        return Step(hang_up=True) if self.hang_up_after_write else _data({"updateProductVariants": []})

    def _variant(self, variant: str) -> dict[str, Any]:
        levels = [
            {"id": f"{variant}{place}", "stockOnHand": units, "stockAllocated": 0, "stockLocation": {"id": place}}
            for place, units in self.stock[variant].items()
        ]
        return {"id": variant, "sku": f"SKU-{variant}", "stockLevels": levels}


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[ScriptedServer]:
    with scripted_server() as running:
        running.script(shop.answer)
        yield running


def details(server: ScriptedServer, password: str = "right-password") -> ConnectionDetails:
    return ConnectionDetails("shop", "vendure", host=server.url, login="superadmin", password=password)


def reader(server: ScriptedServer, state: LastingState) -> VendureConnector:
    return vendure.connect(details(server), state)


def writer(server: ScriptedServer, state: LastingState) -> FencedWriter:
    channel = ChannelDeclaration(system="shop", shows=QuantityMeaning.ON_HAND, listing_location="1", served_by=())
    return vendure_writer.connect(details(server), state, channel)


def correction(variant: str, expected: int | None, target: int, location: str = "1") -> Change:
    return stock_change("shop", f"{variant}|{location}", expected, target, field="on_hand")


def test_a_session_that_ended_is_renewed_and_the_question_asked_again(
    server: ScriptedServer, shop: Shop, state: LastingState
) -> None:
    """Vendure says so with status 200, where no HTTP layer looks."""
    connector = reader(server, state)
    assert "default" in connector.check()
    shop.good_tokens = {"token-2"}

    assert "default" in connector.check()
    assert shop.logins == 2


def test_a_missing_permission_is_reported_as_one_after_two_fresh_logins(
    server: ScriptedServer, shop: Shop, state: LastingState
) -> None:
    """It looks exactly like an ended session; logging in again and again would lock the account."""
    shop.good_tokens = set()

    with pytest.raises(Permanent, match="permissions ReadCatalog"):
        reader(server, state).check()

    assert shop.logins == 3


def test_a_wrong_password_is_named_without_being_shown(server: ScriptedServer, state: LastingState) -> None:
    """The person who reads it renews the connection; the log it stands in is read by many."""
    with pytest.raises(Permanent, match="INVALID_CREDENTIALS_ERROR") as caught:
        vendure.connect(details(server, "canary-wrong-password"), state).check()

    assert "canary" not in str(caught.value)


def test_an_internal_error_may_pass_and_its_message_is_not_quoted(
    server: ScriptedServer, shop: Shop, state: LastingState
) -> None:
    """Vendure's own can hold SQL."""
    shop.error = "INTERNAL_SERVER_ERROR"

    with pytest.raises(Transient) as caught:
        list(reader(server, state).read("products", ReadMode.SWEEP, None))

    assert "select" not in str(caught.value)


def test_a_list_that_moves_while_it_is_read_is_given_up(
    server: ScriptedServer, shop: Shop, state: LastingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variant deleted behind us shifts the rest: the one at the edge would be taken for deleted as well."""
    monkeypatch.setattr(vendure, "_PAGE", 2)
    pages = [["1", "2"], ["3", "4"]]

    def answer(request: Request) -> Step:
        if "productVariants" not in request.json["query"]:
            return shop.answer(request)
        return _data({"productVariants": {"items": [{"id": variant} for variant in pages.pop(0)]}})

    server.script(answer)

    with pytest.raises(Transient, match="changed while it was read"):
        list(reader(server, state).read("products", ReadMode.SWEEP, None))


def test_pages_are_read_to_the_end_and_nothing_twice(
    server: ScriptedServer, shop: Shop, state: LastingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages overlap by one record, which is how a moved list is noticed."""
    monkeypatch.setattr(vendure, "_PAGE", 3)
    everything = [str(number) for number in range(1, 9)]

    def answer(request: Request) -> Step:
        if "productVariants" not in request.json["query"]:
            return shop.answer(request)
        options = request.json["variables"]["options"]
        part = everything[options["skip"] : options["skip"] + options["take"]]
        return _data({"productVariants": {"items": [{"id": variant} for variant in part]}})

    server.script(answer)

    found = list(reader(server, state).read("products", ReadMode.SWEEP, None))

    assert [record.source_key for page in found for record in page.records] == everything


def test_the_sum_over_the_locations_is_what_is_expected_and_set(
    server: ScriptedServer, shop: Shop, state: LastingState
) -> None:
    """The shop sells from both: a listing that looked at one would promise the other's stock on top."""
    receipts = writer(server, state).apply([correction("1", 15, 12), correction("3", 16, 4)])

    assert [receipt.outcome for receipt in receipts] == [Outcome.APPLIED, Outcome.APPLIED]
    assert shop.stock["1"] == {"1": 7, "2": 5}
    assert shop.stock["3"] == {"1": 0, "2": 4}


def test_what_changed_since_the_decision_is_not_overwritten(
    server: ScriptedServer, shop: Shop, state: LastingState
) -> None:
    """Somebody in the shop knew better, or knew worse: it is decided anew from what is there."""
    receipts = writer(server, state).apply([correction("1", 14, 12)])

    assert receipts[0].outcome is Outcome.CONFLICT
    assert shop.writes == []


def test_an_answer_that_was_lost_is_unknown_and_not_sent_again(
    server: ScriptedServer, shop: Shop, state: LastingState
) -> None:
    """Vendure keeps no idempotency keys: only a reading can tell what became of it."""
    shop.hang_up_after_write = True

    receipts = writer(server, state).apply([correction("1", 15, 12)])

    assert receipts[0].outcome is Outcome.UNKNOWN
    assert len(shop.writes) == 1


def test_one_refused_correction_does_not_take_its_batch_with_it(
    server: ScriptedServer, shop: Shop, state: LastingState
) -> None:
    """Vendure takes a batch whole or not at all."""
    shop.refused_variants = {"2"}

    receipts = writer(server, state).apply([correction("1", 15, 1), correction("2", 3, 1), correction("3", 16, 1)])

    assert [receipt.outcome for receipt in receipts] == [Outcome.APPLIED, Outcome.REJECTED, Outcome.APPLIED]


def test_an_internal_error_on_a_write_is_tried_again_later(
    server: ScriptedServer, shop: Shop, state: LastingState
) -> None:
    """It is rolled back; a deadlock is not a person's business, an unknown location will be once attempts run out."""
    answer = shop.answer

    def failing(request: Request) -> Step:
        return _error("INTERNAL_SERVER_ERROR") if "SetStock" in request.json["query"] else answer(request)

    server.script(failing)

    receipts = writer(server, state).apply([correction("1", 15, 12)])

    assert receipts[0].outcome is Outcome.RETRY


@pytest.mark.parametrize(("location", "target"), [("2", 4), ("1", -1), ("1", 2**31)])
def test_what_is_not_ours_to_set_is_never_sent(
    server: ScriptedServer, shop: Shop, state: LastingState, location: str, target: int
) -> None:
    """Another location's record; a stock below zero, which Vendure would accept; more than GraphQL can say."""
    receipts = writer(server, state).apply([correction("1", 15, target, location)])

    assert receipts[0].outcome is Outcome.REJECTED
    assert shop.writes == []


def test_a_variant_that_is_gone_is_seen_as_gone(server: ScriptedServer, state: LastingState) -> None:
    """Read, and not there, is another thing than not read."""
    observed = observed_units(writer(server, state), ["1|1", "99|1"])

    assert observed["1|1"] == 15
    assert observed["99|1"] is None


@pytest.mark.parametrize("part", ["id", "stockLevels"])
def test_a_variant_that_cannot_be_read_is_unknown_not_gone(
    server: ScriptedServer, shop: Shop, state: LastingState, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for gone, it would fail a canary and stop the channel."""
    whole = shop._variant
    monkeypatch.setattr(shop, "_variant", lambda variant: {**whole(variant), part: {"corrupt": True}})
    setter = writer(server, state)

    with pytest.raises(Transient, match=r"without (a )?readable"):
        observed_units(setter, ["1|1"])
    receipts = setter.apply([correction("1", 15, 9)])

    assert [receipt.outcome for receipt in receipts] == [Outcome.RETRY]
    assert shop.writes == []


def _data(data: dict[str, Any]) -> Step:
    return Step(body={"data": data}, headers=DATE)


def _error(code: str) -> Step:
    message = "select * from stock_level where secret"
    return Step(body={"errors": [{"message": message, "extensions": {"code": code}}], "data": None}, headers=DATE)
