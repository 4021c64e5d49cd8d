"""The loop between a real ERP and a real shop: Tryton 8.2 says what there is, Vendure 3.7 shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row
from tests.peers.real_servers import Tryton, Vendure

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.connectors.base import Connector
from trueup.connectors.registry import build_connector, build_writer
from trueup.corrections.engine.correct import correct
from trueup.corrections.engine.propose import propose
from trueup.corrections.policies import POLICIES
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import ReadMode
from trueup.findings import FINDINGS
from trueup.gates.run import run_gates
from trueup.landing.land import land_system
from trueup.landing.report import LandingReport
from trueup.transform.build import build
from trueup.warehouse.connection import connect
from trueup.warehouse.registry import apply_configuration

EAST, WEST, EAST_STORAGE, EAST_INPUT = 5, 12, 3, 1
BUFFER = 2
CAPS = {"SKU-010": 50}
SHARES = {"SKU-012": 0.5}


@dataclass
class Loop:
    """One tenant's whole line, run by hand."""

    warehouse: ConnectionDetails
    configuration: TenantConfiguration
    connections: Mapping[str, ConnectionDetails]
    folder: Path
    run: int = 0

    def land(self, mode: ReadMode) -> dict[str, LandingReport]:
        """Read both systems; reports by stream."""
        reports = [
            report
            for system_id in ("tryton", "vendure")
            for report in land_system(
                self.warehouse,
                self.configuration,
                system_id,
                self._connector(system_id),
                mode=mode,
                run_id=f"land-{self.run}",
            )
        ]
        return {f"{report.system_id}.{report.stream}": report for report in reports}

    def publish(self) -> int:
        """Build, gate, propose; how many corrections were proposed."""
        self.run += 1
        run_id = f"publish-{self.run}"
        build(self.warehouse, self.configuration, FINDINGS, run_id=run_id, state_folder=self.folder / "dbt")
        run_gates(self.warehouse, self.configuration, run_id=run_id)
        report = propose(self.warehouse, self.configuration, POLICIES, run_id=run_id, actor="test")
        assert all(channel.hold_id is None for channel in report.channels), report
        return report.proposed_count

    def correct(self) -> int:
        """Push and read back; how many were verified."""
        writer = build_writer(
            self.configuration.systems["vendure"],
            self.connections["vendure"],
            self.configuration.channels["vendure"],
        )
        report = correct(
            self.warehouse,
            self.configuration,
            POLICIES,
            {"vendure": writer},
            run_id=f"correct-{self.run}",
            actor="test",
        )
        return report.verified_count

    def cycle(self, mode: ReadMode) -> int:
        """Once through the line; how many corrections were proposed."""
        self.land(mode)
        proposed = self.publish()
        assert self.correct() == proposed
        return proposed

    def rows(self, query: str) -> list[dict[str, object]]:
        with (
            connect(self.warehouse, None, is_autocommit=True) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            return cursor.execute(query.encode()).fetchall()

    def _connector(self, system_id: str) -> Connector:
        return build_connector(self.configuration.systems[system_id], self.connections[system_id])


@pytest.fixture
def loop(
    warehouse: ConnectionDetails, tryton: Tryton, vendure: Vendure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Loop:
    monkeypatch.setenv("TRUEUP_STATE_FOLDER", str(tmp_path / "state"))
    configuration = load_tenant(Path(__file__).parent / "tenants", "peers")
    with psycopg.connect(
        host=warehouse.host, port=warehouse.port, dbname=warehouse.schema, user=warehouse.login
    ) as connection:
        apply_configuration(connection, configuration, "test")
    connections = {
        "tryton": ConnectionDetails(
            "trueup_peers_tryton", "tryton", host=tryton.url, password=tryton.key, extra={"database": "erp"}
        ),
        "vendure": ConnectionDetails(
            "trueup_peers_vendure", "vendure", host=vendure.url, login="superadmin", password="peers-pass-1"
        ),
    }
    return Loop(warehouse, configuration, connections, tmp_path)


def sellable(tryton: Tryton, vendure: Vendure) -> dict[str, int]:
    """Section 6 by hand, from what the two servers say themselves."""
    on_hand = {place: tryton.on_hand(place) for place in (EAST, WEST)}
    waiting = tryton.on_hand(EAST_INPUT)
    reserved = {place: dict.fromkeys(on_hand[EAST], 0) for place in (EAST, WEST)}
    unplaced = dict.fromkeys(on_hand[EAST], 0)
    codes = {order["code"]: order for order in vendure.placed_orders() if order["state"] != "Cancelled"}
    copied: set[str] = set()
    fields = "state&f=reference&f=warehouse&f=lines.product.code&f=lines.quantity&f=lines.moves.state"
    for sale in tryton.get(f"sale.sale?f={fields}&f=lines.moves.quantity"):
        is_copy = sale["reference"] in codes
        if is_copy:
            copied.add(sale["reference"])
        if is_copy or sale["state"] in ("confirmed", "processing"):
            for line in sale["lines"]:
                done = sum(int(move["quantity"]) for move in line["moves"] if move["state"] == "done")
                reserved[sale["warehouse"]][line["product"]["code"]] += int(line["quantity"]) - done
    for code, order in codes.items():
        for line in order["lines"] if code not in copied else ():
            unplaced[line["productVariant"]["sku"]] += line["quantity"]
    found = {}
    for sku in on_hand[EAST]:
        free_east = max(0, on_hand[EAST][sku] - waiting[sku] - reserved[EAST][sku])
        free_west = max(0, on_hand[WEST][sku] - reserved[WEST][sku])
        pool = free_east + free_west - unplaced[sku]
        found[sku] = min(max(0, int((pool - BUFFER) * SHARES.get(sku, 1))), CAPS.get(sku, 10**9))
    return found


def offered(vendure: Vendure) -> dict[str, int]:
    """What a customer of the shop can still buy."""
    return {sku: on_hand - allocated for sku, (on_hand, allocated) in vendure.stock().items()}


def test_the_shop_shows_what_may_be_sold_whatever_happens_on_either_side(
    loop: Loop, tryton: Tryton, vendure: Vendure
) -> None:
    """Orders, edits, counts, shipments and goods received, none of which moves the obvious timestamp."""

    def wrong() -> dict[str, tuple[int, int]]:
        """What the shop offers and what may be sold, where these are not the same."""
        shown, right = offered(vendure), sellable(tryton, vendure)
        return {sku: (shown[sku], right[sku]) for sku in right if shown[sku] != right[sku]}

    assert len(offered(vendure)) == 20
    assert len(wrong()) == 20
    assert loop.cycle(ReadMode.SWEEP) > 0
    assert wrong() == {}
    assert loop.cycle(ReadMode.POLL) == 0

    # An order, a direct edit in the shop, a stock count in the ERP.
    code = vendure.order("SKU-008", 6)
    vendure.set_stock("SKU-007", "1", 500)
    tryton.count("SKU-009", EAST_STORAGE, 78)
    loop.land(ReadMode.POLL)
    assert loop.publish() == 2
    differences = {
        row["sku"]: row["cause"]
        for row in loop.rows("select subject_key as sku, cause from reconciliation.stock_differences")
    }
    assert differences.keys() == {"SKU-007", "SKU-009"}
    assert differences["SKU-007"] == "edited"
    assert loop.correct() == 2
    assert wrong() == {}

    # The order is entered in the ERP, shipped there, and only then sent in the shop's words: three words, one parcel.
    sale = tryton.sell("SKU-008", 6, EAST, code)
    loop.cycle(ReadMode.POLL)
    assert wrong() == {}
    tryton.ship(sale)
    loop.cycle(ReadMode.POLL)
    assert wrong() == {}
    vendure.fulfil(code)
    loop.cycle(ReadMode.POLL)
    assert wrong() == {}

    # Goods come in and stand unchecked; an order is taken and cancelled.
    sku, units = tryton.receive_purchase()
    cancelled = vendure.order("SKU-016", 4)
    loop.cycle(ReadMode.POLL)
    assert wrong() == {}
    before = offered(vendure)[sku]
    tryton.put_away(sku, EAST_INPUT, EAST_STORAGE, units)
    vendure.cancel(cancelled)
    loop.cycle(ReadMode.POLL)
    assert wrong() == {}
    assert offered(vendure)[sku] == before + units

    # All of it was seen by polls: the sweep finds nothing that their cursors passed by.
    assert loop.cycle(ReadMode.POLL) == 0
    leaks = {name: report.leaked_count for name, report in loop.land(ReadMode.SWEEP).items() if report.leaked_count}
    assert leaks == {}
    assert loop.publish() == 0
    assert wrong() == {}
