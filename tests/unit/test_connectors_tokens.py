"""Tokens without a server: how long one is used, and which refresh token is kept."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.connectors.connectors_state import LastingState, replaced_token_grant

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.auth import TokenHeader
from trueup.connectors.http.redaction import Redaction


def ask_nothing(*_: object, **__: object) -> Answer:
    """For grants that send no request."""
    raise AssertionError("a request was sent")


@pytest.mark.parametrize("lasts", [0, "0", -5, None, "soon", True])
def test_a_token_whose_reported_time_cannot_be_true_is_used_until_it_is_refused(lasts: object) -> None:
    """A vendor that reports 0 seconds would be asked for a token before each of a day's thousands of requests."""
    numbers = itertools.count(1)

    def grant(*_: object) -> Mapping[str, Any]:
        return {"access_token": f"token-{next(numbers)}", "expires_in": lasts}

    header = TokenHeader(grant, clock=iter(range(100)).__next__)

    assert [header.headers(ask_nothing, Redaction([])) for _ in range(3)] == [{"Authorization": "Bearer token-1"}] * 3


@pytest.mark.parametrize("left_out", [{}, {"refresh_token": ""}, {"refresh_token": None}, {"refresh_token": 7}])
def test_an_answer_without_a_new_refresh_token_leaves_the_newest_one(left_out: Mapping[str, object]) -> None:
    """The connection's own has ended by then: falling back to it, the retailer would have to consent again."""
    replies: Iterator[Mapping[str, object]] = iter([{"refresh_token": "token-1"}, left_out, {}])
    sent: list[str] = []

    def ask(method: str, url: str, *, form: Mapping[str, str] | None = None, **_: object) -> Answer:
        sent.append((form or {})["refresh_token"])
        return Answer(200, {}, {"access_token": "granted", **next(replies)}, None)

    state = LastingState()
    for _ in range(3):
        replaced_token_grant("https://vendor.example", state)(ask, Redaction([]))

    assert sent == ["token-0", "token-1", "token-1"]
