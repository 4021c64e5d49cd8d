"""GraphQL answers: whole or refused, and what a vendor's codes mean before anybody looks at the data."""

from collections.abc import Sequence
from typing import Any

import pytest

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.auth import StaticHeader
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.graphql import Document, ErrorMeaning, GraphQL, GraphQLError, errors_of, words_of
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient

ORDERS = Document("orders", "query Orders { orders { id } }")
MEANING = ErrorMeaning(
    throttled=frozenset({"THROTTLED"}),
    passing=frozenset({"TIMEOUT"}),
    remedies={"ACCESS_DENIED": "grant the scope"},
    unauthorized={"FORBIDDEN": "give the user the permission"},
    wait=lambda answer: answer.body["extensions"]["wait"],
    is_hopeless=lambda answer: answer.body["extensions"].get("cost", 0) > 1000,
)


def refusal(where: str, errors: Sequence[GraphQLError]) -> Permanent:
    return Permanent(f"{where}: {words_of(errors)}")


@pytest.fixture
def api() -> GraphQL:
    details = ConnectionDetails("c", "shop", host="https://shop.example.com", password="token")
    return GraphQL(HttpClient("Shop", details, authenticator=StaticHeader("x-token", "token")), "/graphql", refusal)


def answered(body: Any) -> Answer:  # noqa: ANN401 - JSON
    return Answer(200, {}, body, None)


def failed(code: str, **extensions: object) -> Answer:
    errors = [{"message": "no", "extensions": {"code": code}}]
    return answered({"data": None, "errors": errors, "extensions": extensions})


def test_half_an_answer_is_none(api: GraphQL) -> None:
    """Data beside an error lacks what the error is about, and nothing in it says so."""
    error = {"message": "timed out", "path": ["orders", 3, "lines"], "extensions": {"code": "X", "hint": "later"}}
    answer = answered({"data": {"orders": [{"id": 1}]}, "errors": [error]})

    with pytest.raises(Permanent) as caught:
        api.data(ORDERS, answer)

    assert str(caught.value) == "Shop (connection 'c'), orders: timed out (at orders.3.lines)"
    (reported,) = errors_of(answer)
    assert (reported.code, reported.path, reported.extensions["hint"]) == ("X", ("orders", 3, "lines"), "later")


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, [], None, "data"])
def test_an_answer_without_data_is_unknown_never_empty(api: GraphQL, body: object) -> None:
    """Nothing may be concluded from it."""
    with pytest.raises(Transient, match="answered without data; try again"):
        api.data(ORDERS, answered(body))


@pytest.mark.parametrize("errors", ["Not Found", {"query": "missing"}, [None], ["no"], [{"message": None}]])
def test_an_error_of_any_shape_is_an_error(api: GraphQL, errors: object) -> None:
    """A proxy's, or one of an older version."""
    with pytest.raises(Permanent):
        api.data(ORDERS, answered({"data": {"orders": []}, "errors": errors}))


@pytest.mark.parametrize("errors", [None, [], ""])
def test_no_errors_are_none(api: GraphQL, errors: object) -> None:
    """Some servers send the list always."""
    assert api.data(ORDERS, answered({"data": {"orders": []}, "errors": errors})) == {"orders": []}


def test_a_throttled_answer_waits_and_was_not_carried_out() -> None:
    """Sent again it has no second effect, so a write may be."""
    verdict = MEANING.verdict_of(failed("THROTTLED", wait=3.5))

    assert verdict is not None
    assert (verdict.is_retryable, verdict.wait_seconds, verdict.is_undone) == (True, 3.5, True)


def test_what_may_pass_was_perhaps_carried_out() -> None:
    """A write that met it is read back first."""
    verdict = MEANING.verdict_of(failed("TIMEOUT", wait=None))

    assert verdict is not None
    assert (verdict.is_retryable, verdict.is_undone) == (True, False)


def test_what_no_waiting_helps_is_left_to_whoever_asked() -> None:
    """It asks for less at once."""
    assert MEANING.verdict_of(failed("THROTTLED", wait=1, cost=2000)) is None


def test_what_a_person_must_mend_is_said_with_its_remedy() -> None:
    """And not tried again."""
    denied, forbidden = MEANING.verdict_of(failed("ACCESS_DENIED")), MEANING.verdict_of(failed("FORBIDDEN"))

    assert denied is not None
    assert forbidden is not None
    assert (denied.message, denied.is_retryable) == ("ACCESS_DENIED, no; grant the scope", False)
    assert (forbidden.message, forbidden.is_unauthorized) == ("FORBIDDEN; give the user the permission", True)
    assert MEANING.verdict_of(failed("UNKNOWN_CODE")) is None
    assert MEANING.verdict_of(answered({"data": {}})) is None


def test_only_a_query_may_be_sent_again_unasked() -> None:
    """A mutation whose answer was lost may have been carried out."""
    assert ORDERS.is_query
    assert Document("listings", "\nquery Listings { a }").is_query
    assert not Document("set", "\nmutation Set { a }").is_query
