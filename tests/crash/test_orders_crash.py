"""Whoever books orders is killed while it does so; each order is in the ERP once, and nobody has to clean up.

The same command prints the figures of any length: `python -m tests.crash.order_kills --kills 300`.
"""

from pathlib import Path

import pytest
from tests.crash.order_kills import OrderKills, booking_stack


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(16, id="short", marks=pytest.mark.timeout(900)),
        pytest.param(300, id="long", marks=[pytest.mark.nightly, pytest.mark.timeout(7200)]),
    ],
)
def test_killed_while_booking_no_order_is_doubled_or_lost(
    reachable_folder: Path, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trueup: none doubled, lost or unequal. The plain connector, killed as often, books orders twice."""
    with booking_stack(reachable_folder / f"order-kills-{kills}") as stack:
        report = OrderKills(stack).run(kills)
    with capsys.disabled():
        print(f"\n{report}")  # noqa: T201 - the figures are to be seen
    assert min(report.trueup.kills, report.plain.kills) >= kills
    assert report.trueup.orders > 0
    assert (report.trueup.doubled, report.trueup.lost, report.trueup.unequal) == (0, 0, 0)
    assert report.lost_answers > 0
    # How many seconds a cycle takes is the machine's matter.
    assert report.healing_cycles <= 3
    assert report.plain.doubled > 0
