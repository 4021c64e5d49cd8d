"""Order of arrival: the newest version of each key is the same however records are permuted, repeated and cut up."""

import itertools
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.landing.landing_fakes import CONFIGURATION, START, Scripted, Step, current_versions, level, page, rows

from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Arrival, ReadMode, Record
from trueup.landing.land import land_records, land_system

_examples = itertools.count()

# Of one key, each second has one truth; a repetition tells it again.
_truths = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.integers(0, 12)),
    st.sampled_from(["1", "2", "3", None]),
    min_size=1,
    max_size=10,
)


def _cut(records: list[Record], sizes: list[int]) -> list[list[Record]]:
    pieces, rest = [], records
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    return [*pieces, rest]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(truths=_truths, data=st.data())
def test_any_order_of_deliveries_ends_at_the_latest_truth(
    warehouse: ConnectionDetails, truths: dict[tuple[str, int], str | None], data: st.DataObject
) -> None:
    """Webhooks overtake each other, come twice and come late."""
    example = next(_examples)
    reported = [
        Record(
            f"{example}-{key}|1",
            None if quantity is None else level(key, quantity).payload,
            occurred_at=START + timedelta(seconds=second),
        )
        for (key, second), quantity in truths.items()
    ]
    repeated = data.draw(st.lists(st.sampled_from(reported), max_size=6))
    arriving = data.draw(st.permutations(reported + repeated))
    for piece in _cut(arriving, data.draw(st.lists(st.integers(1, 4), max_size=5))):
        land_records(warehouse, CONFIGURATION, "netsuite", "stock_levels", piece, Arrival.WEBHOOK, run_id=str(example))
    latest = {key: truths[key, max(second for name, second in truths if name == key)] for key, _ in truths}
    found = {key: quantity for key, quantity in current_versions(warehouse).items() if key.startswith(f"{example}-")}
    assert found == {f"{example}-{key}|1": quantity for key, quantity in latest.items()}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    pages=st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("123")), max_size=4), max_size=5),
    data=st.data(),
)
def test_reading_the_same_pages_again_lands_nothing(
    warehouse: ConnectionDetails, pages: list[list[tuple[str, str]]], data: st.DataObject
) -> None:
    """A retried task reads what the first attempt already landed."""
    example = next(_examples)
    script = [
        page([level(f"{example}{key}", quantity) for key, quantity in records], 1000 * example + number)
        for number, records in enumerate(pages)
    ]

    def poll(steps: Sequence[Step]) -> int:
        connector = Scripted({"stock_levels": steps})
        (report,) = land_system(
            warehouse, CONFIGURATION, "netsuite", connector, mode=ReadMode.POLL, run_id="r", streams=["stock_levels"]
        )
        return report.landed_count

    poll(list(script))
    before = current_versions(warehouse)
    # Only the last version of each key is what a source would tell again.
    last = {record.source_key: record for each in script for record in each.records}
    again = data.draw(st.permutations(list(last.values())))
    assert poll([page(again, 1000 * example + 900), page(again, 1000 * example + 901)]) == 0
    assert current_versions(warehouse) == before
    assert rows(warehouse, "count(*) = count(distinct record_id)") == [(True,)] if last else True
