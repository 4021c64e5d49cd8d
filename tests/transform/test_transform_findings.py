"""Findings are declared, not built in: one of a made-up workflow is opened and closed by a build that is given it."""

from collections.abc import Mapping
from typing import Any

from tests.transform.transform_facts import Facts, at, netsuite_item

from trueup.exceptions.queue import NewException
from trueup.findings import FINDINGS
from trueup.transform.findings import Finding


def _uncategorised(row: Mapping[str, Any]) -> NewException:
    return NewException(
        kind="uncategorised",
        system_id="netsuite",
        stream="products",
        subject=row["source_item_id"],
        reason="it has no category",
        remedy="give it one",
        correlation_id=row["correlation_id"],
    )


_MADE_UP = Finding(
    kinds=("uncategorised",),
    query="""
        select source_item_id, correlation_id
        from staging.int_source_items
        where is_current and category is null and build_id = %(build_id)s
    """,
    as_exception=_uncategorised,
    query_over="""
        select queue.kind, queue.system_id, queue.stream, queue.subject
        from exceptions.queue
        where
            queue.status = 'open'
            and queue.kind = 'uncategorised'
            and queue.subject = any(%(subjects)s)
            and not exists (
                select from staging.int_source_items as items
                where items.source_item_id = queue.subject and items.is_current and items.category is null
            )
    """,
    closed_because="it has a category now",
)
_QUEUE = "select subject, status, run_id, closed_by, closed_reason from exceptions.queue where kind = 'uncategorised'"


def test_a_finding_of_a_made_up_workflow_is_opened_and_closed(facts: Facts) -> None:
    """The step asks what it is given, opens a row once and closes it when the fact has changed."""
    facts.land([netsuite_item("1001", "HV-00001", category=""), netsuite_item("1002", "HV-00002")])
    report = facts.build(findings=(_MADE_UP,))
    assert report.opened_exception_count == 1
    assert [tuple(row.values()) for row in facts.rows(_QUEUE)] == [("1001", "open", report.run_id, None, None)]
    facts.land([netsuite_item("1001", "HV-00001", category="Kitchen", when=at(60))])
    assert facts.build(findings=(_MADE_UP,)).closed_exception_count == 1
    assert [(row["status"], row["closed_by"], row["closed_reason"]) for row in facts.rows(_QUEUE)] == [
        ("resolved", "trueup.transform", "it has a category now")
    ]


def test_every_kind_is_opened_by_one_finding() -> None:
    """Two that share a kind would close each other's exceptions."""
    kinds = [kind for finding in FINDINGS for kind in finding.kinds]
    assert len(kinds) == len(set(kinds))
