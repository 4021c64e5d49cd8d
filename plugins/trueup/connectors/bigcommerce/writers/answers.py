"""What BigCommerce says where it refuses a write. v2 answers a list of messages, v3 a problem or a list of them."""

from collections.abc import Mapping
from typing import Final

from trueup.connectors.bigcommerce.orders import SYSTEM
from trueup.connectors.http.answers import Answer
from trueup.connectors.http.client import HttpClient
from trueup.domain.changes import Change, Outcome, Receipt

REFUSED: Final = (400, 404, 409, 422)
"""Answers to a write that was certainly not carried out, and will not be where it is sent again as it is."""


def words_of(answer: Answer) -> str:
    """Return the vendor's own words, as they came."""
    body = answer.body.get("data", answer.body) if isinstance(answer.body, Mapping) else answer.body
    problems = body if isinstance(body, list) else [body]
    found = []
    for problem in problems:
        if isinstance(problem, Mapping):
            said = problem.get("message") or problem.get("title") or problem.get("error")
            errors = problem.get("errors")
            fields = [f"{name}: {why}" for name, why in errors.items()] if isinstance(errors, Mapping) else []
            found += [str(each) for each in (said, *fields) if each]
    return "; ".join(found) or "no reason given"


def refused(client: HttpClient, change: Change, answer: Answer, what: str) -> Receipt:
    """Return the receipt of a write that BigCommerce does not take."""
    words = client.redaction.clean(f"{answer.status}, {words_of(answer)}")
    return Receipt(change.key, Outcome.REJECTED, answer.status, f"{SYSTEM} refused the {what}: {words}"[:500])
