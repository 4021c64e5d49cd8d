"""What Approve, Reject and nobody's answer do: the task bodies of the approve DAG, without a running Airflow."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.corrections.corrections_outbox import Line, tenant

from trueup.domain.connections import ConnectionDetails

pytestmark = pytest.mark.usefixtures("airflow_home")

ADA = {"id": "7", "name": "ada"}


@dataclass
class _Tenant:
    warehouse: ConnectionDetails


@pytest.fixture
def on_hold(warehouse: ConnectionDetails, monkeypatch: pytest.MonkeyPatch) -> Line:
    """A tenant with one jump that waits for a person."""
    from trueup.orchestration import tasks

    line = Line(warehouse, tenant({"shop": {"largest_share": 1, "largest_jump": 100, "canary_share": 0}}))
    line.list_skus(2)
    line.want(1, 5, 900)
    line.propose()
    monkeypatch.setattr(tasks, "_open", lambda _tenant: _Tenant(warehouse))
    return line


def _ask() -> dict[str, Any]:
    from trueup.orchestration import tasks

    (question,) = tasks.list_holds("unit")
    return question


def _decide(question: dict[str, Any], chosen: list[str], who: dict[str, str] | None) -> None:
    """The answer as HITLOperator hands it on."""
    from trueup.orchestration import tasks

    tasks.decide_hold(
        "unit",
        question,
        {
            "chosen_options": chosen,
            "params_input": {},
            "responded_at": "2026-06-01T12:00:00Z",
            "responded_by_user": who,
        },
    )


def test_the_question_says_what_would_be_pushed_where_and_why_it_waits(on_hold: Line) -> None:
    """The person sees nothing else."""
    question = _ask()
    assert question["subject"] == "unit: 1 corrections on hold for shop: push them?"
    assert "S00001 5 to 900" in question["body"]


def test_approve_releases_what_is_on_hold_in_the_name_of_who_answered(on_hold: Line) -> None:
    """And a task that is retried changes nothing more."""
    from trueup.orchestration.tasks import APPROVE

    question = _ask()
    for _ in range(2):
        _decide(question, [APPROVE], ADA)
    assert on_hold.statuses() == {"r1": ["proposed"]}
    assert on_hold.rows("select action, actor from audit.events where action like 'hold_%'") == [
        ("hold_approved", "ada")
    ]


@pytest.mark.parametrize(
    ("chosen", "who", "actor"),
    [
        (["Reject"], ADA, "ada"),
        # In time nobody answered: the default is chosen, by nobody.
        (["Reject"], None, "airflow: nobody answered in time"),
        # Nothing, or more than one word, is no approval.
        ([], ADA, "ada"),
        (["Approve", "Reject"], ADA, "ada"),
    ],
)
def test_anything_but_approve_drops_what_is_on_hold(
    on_hold: Line, chosen: list[str], who: dict[str, str] | None, actor: str
) -> None:
    """What nobody agreed to is not pushed, and is not asked again within the day."""
    _decide(_ask(), chosen, who)
    assert on_hold.statuses() == {"r1": ["superseded"]}
    assert on_hold.rows("select decision, decided_by from outbox.holds") == [("rejected", actor)]
    assert on_hold.propose("again").channels[0].declined_count == 1
    assert on_hold.statuses() == {"r1": ["superseded"]}


def test_nothing_on_hold_asks_nothing(on_hold: Line) -> None:
    """The task is skipped, so no question is put."""
    from airflow.sdk.exceptions import AirflowSkipException

    from trueup.orchestration.tasks import list_holds

    _decide(_ask(), ["Reject"], ADA)
    with pytest.raises(AirflowSkipException):
        list_holds("unit")


def test_an_answer_that_comes_too_late_changes_nothing(on_hold: Line) -> None:
    """The hold was withdrawn while the question stood: the task says so, and no number is pushed."""
    from airflow.sdk.exceptions import AirflowFailException

    question = _ask()
    on_hold.withdraw(1)
    on_hold.propose("right again")
    with pytest.raises(AirflowFailException, match="withdrawn by trueup; nothing was changed"):
        _decide(question, ["Approve"], ADA)
    assert on_hold.statuses() == {"r1": ["superseded"]}
