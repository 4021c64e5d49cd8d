"""Corrections to Shopify: exactly one receipt each, no second effect, nothing over a fence, nothing over the budget."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.connectors.connectors_sandbox import control, details_of, fault, no_faults, sandbox_world
from tests.connectors.connectors_state import LastingState
from tests.stock_changes import desired, expected, observed_units, stock_change

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.shopify.writers.inventory import ShopifyWriter, connect
from trueup.domain.changes import Change, Outcome
from trueup.domain.errors import Transient
from trueup.sandbox.server import Sandbox

SYSTEM = "shopify_main"
LOCATION = "gid://shopify/Location/9001"
CHANNEL = ChannelDeclaration(system=SYSTEM, listing_location=LOCATION, served_by=("WH-EAST",))


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with sandbox_world(skus=300) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    no_faults(world)
    tune(world, bucket_size=2000, points_per_second=20_000, concurrent_seconds=0)
    return world


@pytest.fixture
def writer(sandbox: Sandbox, state: LastingState) -> Iterator[ShopifyWriter]:
    made = connect(details_of(sandbox, SYSTEM), state, CHANNEL)
    yield made
    made.close()


def tune(sandbox: Sandbox, **settings: float) -> None:
    control(sandbox, "PUT", "/tuning", {SYSTEM: settings})


def calls_of(sandbox: Sandbox) -> int:
    simulator: Any = sandbox.simulators[SYSTEM]
    return int(simulator.calls)


def record(number: int) -> str:
    return f"gid://shopify/InventoryItem/{7120000000 + number}|{LOCATION}"


def items(writer: ShopifyWriter, count: int) -> list[str]:
    """Records that exist, the first `count` of them."""
    found = observed_units(writer, [record(number) for number in range(1, 250)])
    return [record_ref for record_ref, shown_units in found.items() if shown_units is not None][:count]


def shown(writer: ShopifyWriter, record_ids: Sequence[str]) -> list[int | None]:
    found = observed_units(writer, record_ids)
    return [found[record_id] for record_id in record_ids]


def correction(record_ref: str, expected: int | None, target: int, **changed: Any) -> Change:  # noqa: ANN401
    return stock_change(SYSTEM, record_ref, expected, target, **changed)


def corrections(writer: ShopifyWriter, count: int, by: int = 1) -> list[Change]:
    record_ids = items(writer, count)
    return [
        correction(record_id, value, (value or 0) + by)
        for record_id, value in zip(record_ids, shown(writer, record_ids), strict=True)
    ]


def outcomes(writer: ShopifyWriter, batch: Sequence[Change]) -> list[Outcome]:
    receipts = writer.apply(batch)
    assert [receipt.key for receipt in receipts] == [each.key for each in batch]
    return [receipt.outcome for receipt in receipts]


def test_a_batch_is_one_call_and_shows_its_targets(writer: ShopifyWriter, sandbox: Sandbox) -> None:
    """250 a call is what makes 10,000 corrections 40 calls."""
    batch = corrections(writer, 200)
    before = calls_of(sandbox)

    assert outcomes(writer, batch) == [Outcome.APPLIED] * len(batch)
    assert calls_of(sandbox) - before == 1
    assert shown(writer, [each.record_ref for each in batch]) == [desired(each) for each in batch]


def test_a_stale_fence_is_a_conflict_and_costs_the_others_nothing(writer: ShopifyWriter) -> None:
    """Shopify refuses the whole call for one stale level: the others go without it."""
    batch = corrections(writer, 20)
    batch[3] = correction(batch[3].record_ref, (expected(batch[3]) or 0) + 40, 1)
    batch[17] = correction(batch[17].record_ref, (expected(batch[17]) or 0) + 50, 2)
    before = shown(writer, [batch[3].record_ref, batch[17].record_ref])

    reported = outcomes(writer, batch)

    assert [reported[3], reported[17]] == [Outcome.CONFLICT] * 2
    assert reported.count(Outcome.APPLIED) == 18
    assert shown(writer, [batch[3].record_ref, batch[17].record_ref]) == before


def test_a_stale_level_that_shows_the_target_already_needs_nothing(writer: ShopifyWriter) -> None:
    """An earlier attempt under another key may have done it."""
    (wanted,) = corrections(writer, 1)
    outcomes(writer, [wanted])

    assert outcomes(writer, [correction(wanted.record_ref, expected(wanted), desired(wanted))]) == [
        Outcome.ALREADY_APPLIED
    ]


def test_without_an_observation_there_is_no_fence(writer: ShopifyWriter) -> None:
    """`expected` None is Shopify's explicit null: whoever decides so wants it set whatever it shows."""
    (record_id,) = items(writer, 1)

    assert outcomes(writer, [correction(record_id, None, 33)]) == [Outcome.APPLIED]
    assert shown(writer, [record_id]) == [33]


def test_what_can_never_be_written_is_rejected_and_the_rest_is_set(writer: ShopifyWriter) -> None:
    """A person must look at those; the others need not wait for it."""
    batch = corrections(writer, 7)
    batch[1] = correction(batch[1].record_ref, expected(batch[1]), -1)
    batch[2] = correction(record(99_999), 1, 2)
    batch[3] = correction("gid://shopify/InventoryItem/1|gid://shopify/Location/777", 1, 2)
    batch[4] = correction(batch[4].record_ref, expected(batch[4]), 5, field="on_hand")
    batch[5] = correction(batch[5].record_ref, expected(batch[5]), 1_000_000_001)

    reported = outcomes(writer, batch)

    assert reported == [Outcome.APPLIED, *[Outcome.REJECTED] * 5, Outcome.APPLIED]


def test_two_corrections_of_one_level_do_not_meet_in_one_call(writer: ShopifyWriter) -> None:
    """Shopify refuses the pair; the second waits for the first."""
    (first,) = corrections(writer, 1)
    second = correction(first.record_ref, desired(first), desired(first) + 1)

    assert outcomes(writer, [first, second]) == [Outcome.APPLIED, Outcome.RETRY]


def test_an_answer_lost_after_the_write_has_one_effect(writer: ShopifyWriter, sandbox: Sandbox) -> None:
    """The same call goes again under the same key, and brings the answer of the first."""
    batch = corrections(writer, 30)
    fault(sandbox, SYSTEM, "lost_answer", path="graphql")

    assert outcomes(writer, batch) == [Outcome.APPLIED] * 30
    assert control(sandbox, "GET", "/faults")["rules"][0]["struck"] == 1
    assert shown(writer, [each.record_ref for each in batch]) == [desired(each) for each in batch]


def test_a_sale_after_a_lost_answer_is_not_overwritten(writer: ShopifyWriter, sandbox: Sandbox) -> None:
    """The write was made, a customer bought, then we send again: the key tells Shopify that it was done."""
    (wanted,) = corrections(writer, 1, by=5)
    writer.apply([wanted])
    simulator: Any = sandbox.simulators[SYSTEM]
    with sandbox.world.lock:
        sku = next(
            s for s, v in simulator.books.variants.items() if v.inventory_item.id == wanted.record_ref.split("|")[0]
        )
        level = simulator.books.level_of(sku)
        simulator.books.set_quantity(level, "available", desired(wanted) - 2, sandbox.world.now())

    assert outcomes(writer, [wanted]) == [Outcome.APPLIED]
    assert shown(writer, [wanted.record_ref]) == [desired(wanted) - 2]


def test_a_write_that_nobody_answers_is_unknown(writer: ShopifyWriter, sandbox: Sandbox) -> None:
    """It was made: only reading back can tell."""
    batch = corrections(writer, 3)
    fault(sandbox, SYSTEM, "lost_answer", count=50, path="graphql")

    assert outcomes(writer, batch) == [Outcome.UNKNOWN] * 3

    no_faults(sandbox)
    assert shown(writer, [each.record_ref for each in batch]) == [desired(each) for each in batch]


def test_a_store_that_turns_everything_away_raises_and_did_nothing(
    writer: ShopifyWriter, sandbox: Sandbox, state: LastingState
) -> None:
    """The batch may be sent again as it is."""
    batch = corrections(writer, 3)
    fault(sandbox, SYSTEM, "rate_limited", count=50, path="graphql", seconds=600)

    with pytest.raises(Transient) as caught:
        writer.apply(batch)

    assert caught.value.retry_after_seconds == 600
    no_faults(sandbox)
    fresh = connect(details_of(sandbox, SYSTEM), LastingState(), CHANNEL)
    assert shown(fresh, [each.record_ref for each in batch]) == [expected(each) for each in batch]


def test_a_call_still_under_way_under_the_same_key_is_unknown(writer: ShopifyWriter, sandbox: Sandbox) -> None:
    """Another process may be sending it this moment."""
    batch = corrections(writer, 2)
    tune(sandbox, concurrent_seconds=60)

    assert outcomes(writer, batch) == [Outcome.APPLIED] * 2
    assert outcomes(writer, batch) == [Outcome.UNKNOWN] * 2


def test_a_key_burnt_by_a_failure_is_replaced(writer: ShopifyWriter, sandbox: Sandbox) -> None:
    """Shopify takes no key again whose request failed, even where the reason is gone."""
    (wanted,) = corrections(writer, 1)
    other = correction(wanted.record_ref, desired(wanted), desired(wanted) + 1)
    assert outcomes(writer, [other]) == [Outcome.CONFLICT]
    assert outcomes(writer, [wanted]) == [Outcome.APPLIED]

    assert outcomes(writer, [other]) == [Outcome.APPLIED]


def test_the_order_of_a_batch_does_not_matter_to_its_key(writer: ShopifyWriter) -> None:
    """A rerun after a kill claims the same corrections in whatever order."""
    batch = corrections(writer, 5)

    assert outcomes(writer, batch) == [Outcome.APPLIED] * 5
    assert outcomes(writer, list(reversed(batch))) == [Outcome.APPLIED] * 5


def test_an_expired_token_is_renewed(writer: ShopifyWriter, sandbox: Sandbox) -> None:
    """Between two batches a token may end."""
    batch = corrections(writer, 2)
    fault(sandbox, SYSTEM, "expired_token")

    assert outcomes(writer, batch) == [Outcome.APPLIED] * 2


def test_what_is_not_there_is_observed_as_nothing_and_what_is_not_ours_is_left_out(writer: ShopifyWriter) -> None:
    """None is "read, and there is none"; left out is "unknown"."""
    (there,) = items(writer, 1)
    elsewhere = "gid://shopify/InventoryItem/1|gid://shopify/Location/777"

    found = observed_units(writer, [there, record(99_999), elsewhere])

    assert found[there] is not None
    assert found[record(99_999)] is None
    assert elsewhere not in found


def test_a_partly_failed_observation_is_read_again(writer: ShopifyWriter, sandbox: Sandbox) -> None:
    """A null with an error beside it is no missing level."""
    record_ids = items(writer, 10)
    fault(sandbox, SYSTEM, "partial_success")

    assert None not in shown(writer, record_ids)


def test_two_correctors_share_a_budget_and_are_never_throttled(
    sandbox: Sandbox, state: LastingState, caplog: pytest.LogCaptureFixture
) -> None:
    """No call is wasted on being refused, whoever of them spends the points."""
    first = connect(details_of(sandbox, SYSTEM), state, CHANNEL)
    batches = [corrections(first, 5, by=number) for number in range(1, 33)]
    for batch in batches:
        batch[:] = [correction(each.record_ref, None, desired(each)) for each in batch]
    tune(sandbox, bucket_size=40, points_per_second=100)
    writers = [connect(details_of(sandbox, SYSTEM), state, CHANNEL) for _ in range(2)]
    halves = [batches[:16], batches[16:]]
    before = calls_of(sandbox)

    def run(number: int) -> None:
        for batch in halves[number]:
            writers[number].apply(batch)

    with caplog.at_level("INFO", logger="trueup.connectors.http.client"):
        threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert caplog.messages == []
    assert calls_of(sandbox) - before == 32
