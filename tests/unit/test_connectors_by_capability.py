"""A target with writers of several kinds: each workflow is written by its own, by that one's measure."""

from collections.abc import Mapping, Sequence

from trueup.connectors.base import Observation
from trueup.connectors.by_capability import WriterByCapability
from trueup.domain.changes import Change, Receipt


class Measured:
    """Takes so many changes a call."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def apply(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        raise NotImplementedError

    def observe(self, changes: Sequence[Change]) -> Mapping[str, Observation]:
        raise NotImplementedError

    def close(self) -> None:
        pass


def test_a_workflow_is_written_by_its_own_writers_alone() -> None:
    """Or a refund, one a call, would have stock written one a call."""
    stock, refunds = Measured(250), Measured(1)
    orders, states = Measured(200), Measured(25)
    writer = WriterByCapability(
        {"stock.set": stock, "refund.create": refunds, "order.create": orders, "order.transition": states}
    )
    assert writer.batch_size == 1
    assert writer.of(("stock",)) is stock
    assert writer.of(("refund",)) is refunds
    assert writer.of(("order",)).batch_size == 25
    assert writer.of(("price",)) is writer
