"""An order between a real shop and a real ERP: taken in Vendure, booked in Tryton, shipped there, told in Vendure.

Everything is done by the steps that the DAGs run, over the tenant `trade`; what is done by people is done here, at the
servers themselves: buying and shipping.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.peers.real_servers import Tryton, Vendure

from trueup.configuration.connections import DeclaredConnections
from trueup.corrections.engine.holds import decide_hold
from trueup.dev.local import warehouse_connection
from trueup.dev.postgres import EmbeddedPostgres
from trueup.dev.secret_files import write_secret
from trueup.domain.records import ReadMode
from trueup.pipeline import steps
from trueup.pipeline.tenant import Tenant, open_tenant
from trueup.warehouse.connection import Role, connect

SKU, UNITS = "SKU-011", 3
NUMBER = "1Z-TRADE"
KINDS = ("shipping", "fee", "tip", "duty", "gift_card", "rounding", "discount", "tax", "refund", "goodwill", "exchange")
WAREHOUSE = "peers_trade"


@dataclass
class Trade:
    """The tenant, and the two servers that it governs."""

    tenant: Tenant
    tryton: Tryton
    vendure: Vendure
    runs: int = 0

    def cycle(self) -> int:
        """Once through the line, with somebody who agrees to everything; how many changes were proposed."""
        self.runs += 1
        run_id = f"trade-{self.runs}"
        for system_id in self.tenant.configuration.systems:
            steps.land(self.tenant, system_id, run_id=run_id, mode=ReadMode.SWEEP)
        steps.build(self.tenant, run_id=run_id, actor="test")
        steps.gate(self.tenant, run_id=run_id)
        proposed = steps.propose(self.tenant, run_id=run_id, actor="test").proposed_count
        for (hold_id,) in self.rows("select hold_id from outbox.holds where decision is null order by hold_id"):
            decide_hold(self.tenant.warehouse, hold_id, "approved", "anna", "looked at")
        steps.correct(self.tenant, run_id=run_id, actor="test")
        return proposed

    def come_to_rest(self) -> None:
        """Cycle until there is nothing more to do; what a step waited for the next one takes up."""
        for _ in range(6):
            if self.cycle() == 0:
                return
        raise AssertionError(f"still changing: {self.rows(_CHANGES)}; {self.rows(_RECEIPTS)}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.tenant.warehouse, Role.OPERATOR) as connection:
            return connection.execute(query.encode()).fetchall()

    def sales(self, code: str) -> list[dict[str, Any]]:
        """What Tryton has of the order."""
        fields = ("web_id", "state", "total_amount", "party", "shipments.id", "lines.id", "lines.product.code")
        return self.tryton.find("sale.sale", [["reference", "=", code]], *fields)


_CHANGES = "select entity, target_system, record_ref, status, status_reason from outbox.changes order by change_id"
_RECEIPTS = "select outcome, detail, count(*) from outbox.receipts group by 1, 2"
_WRONG = """
    select 'orders', order_name, difference_class, waits_for from reconciliation.order_differences
    union all select 'fulfilment', order_name, difference_class, waits_for from reconciliation.fulfilment_differences
    union all select 'returns', order_name, difference_class, waits_for from reconciliation.return_differences
"""


def amount(document: dict[str, Any]) -> Decimal:
    return Decimal(document["total_amount"]["decimal"])


def written_on(tryton: Tryton) -> dict[str, str]:
    """What Tryton's documents are booked on, as its page says: a service for each kind of charge, and a web shop."""

    def one(model: str, name: str, value: str) -> int:
        return int(tryton.find(model, [[name, "=", value]], "id")[0]["id"])

    unit, east = one("product.uom", "name", "Unit"), one("stock.location", "code", "WHE")
    goods = tryton.find("product.category", [["name", "=", "Goods"]], "account_revenue")[0]
    booked = {"name": "Trade charges", "accounting": True, "account_revenue": goods["account_revenue"]}
    category = tryton.post("product.category", booked)["id"]
    options = {"customer": str(one("party.party", "name", "Customer 2")), "warehouse": str(east)}
    for kind in KINDS:
        template = {
            "name": kind, "code": f"TRADE-{kind}", "type": "service", "default_uom": unit, "sale_uom": unit,
            "salable": True, "list_price": {"__class__": "Decimal", "decimal": "0"}, "account_category": category,
            "products": [["create", [{}]]],
        }  # fmt: skip
        made = tryton.post("product.template", template)["id"]
        options[f"{kind}_product"] = str(tryton.find("product.product", [["template", "=", made]], "id")[0]["id"])
    shop = {
        "name": "vendure", "company": 1, "currency": one("currency.currency", "code", "USD"),
        "guest_party": one("party.party", "name", "Guest"), "warehouses": [["add", [east]]],
    }  # fmt: skip
    tryton.post("web.shop", shop)
    return options


@pytest.fixture(scope="module")
def trade(
    postgres: EmbeddedPostgres, tryton_money: Tryton, vendure: Vendure, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trade]:
    folder = tmp_path_factory.mktemp("trade")
    tenant_folder = folder / "tenants" / "trade"
    tenant_folder.mkdir(parents=True)
    for file in (Path(__file__).parent / "tenants" / "trade").iterdir():
        (tenant_folder / file.name).write_text(file.read_text())
    locations = {
        location_id: {
            "name": name, "system_of_record": "tryton",
            "source_location_id": str(tryton_money.find("stock.location", [["code", "=", code]], "id")[0]["id"]),
        }
        for location_id, name, code in (("WH-EAST", "Warehouse East", "WHE"), ("WH-WEST", "Warehouse West", "WHW"))
    }  # fmt: skip
    systems = {
        "tryton": {
            "connector": "tryton", "connection": "trueup_trade_tryton", "role": "erp",
            "streams": ["locations", "products", "stock_levels", "stock_movements", "orders", "returns", "credits"],
            "options": written_on(tryton_money),
        },
        "vendure": {
            "connector": "vendure", "connection": "trueup_trade_vendure", "role": "shop",
            "streams": ["locations", "products", "listings", "orders"],
        },
    }  # fmt: skip
    (tenant_folder / "systems.yml").write_text(yaml.safe_dump({"systems": systems, "locations": locations}))
    postgres.create_database(WAREHOUSE)
    connections = {
        "trueup_trade": warehouse_connection(postgres, WAREHOUSE),
        "trueup_trade_tryton": {
            "conn_type": "tryton", "host": tryton_money.url, "password": tryton_money.key, "extra": {"database": "erp"},
        },
        "trueup_trade_vendure": {
            "conn_type": "vendure", "host": vendure.url, "login": "superadmin", "password": "peers-pass-1",
            "extra": {"paid_out_methods": "dummy"},
        },
    }  # fmt: skip
    write_secret(folder / "connections.json", connections)
    declared = DeclaredConnections({}, folder / "connections.json")
    tenant = open_tenant(folder / "tenants", "trade", declared, folder / "state")
    steps.prepare(tenant, "test")
    yield Trade(tenant, tryton_money, vendure)
    postgres.drop_database(WAREHOUSE)


def ship(tryton: Tryton, sale: dict[str, Any]) -> None:
    """The warehouse picks and packs what the sale wants, and writes the carrier's number on it."""
    for shipment in sale["shipments"]:
        path = f"stock.shipment.out/{shipment['id']}"
        for step in ("assign_try", "pick", "pack", "do"):
            tryton.post(f"{path}/{step}", None, {"_skip_warnings": True})
        tryton.put(path, {"reference": NUMBER})


def test_an_order_is_booked_shipped_and_reported_once(trade: Trade) -> None:
    """Each fact once on each side, the money to the cent; a further run does nothing."""
    tryton, vendure = trade.tryton, trade.vendure
    code = vendure.order(SKU, UNITS)
    trade.come_to_rest()
    own = vendure.whole_order(code)
    (sale,) = trade.sales(code)
    assert (sale["web_id"], sale["state"]) == (f"trueup:vendure|{code}", "processing")
    assert amount(sale) == Decimal(own["totalWithTax"]) / 100

    ship(tryton, sale)
    trade.come_to_rest()
    (parcel,) = vendure.whole_order(code)["fulfillments"]
    assert (parcel["state"], parcel["trackingCode"]) == ("Shipped", NUMBER)
    assert sum(line["quantity"] for line in parcel["lines"]) == UNITS

    assert [row for row in trade.rows(_WRONG) if row[1] == code] == []
    assert trade.cycle() == 0
    assert len(trade.sales(code)) == 1
    assert len(vendure.whole_order(code)["fulfillments"]) == 1
    doubled = "select key, attempt from outbox.receipts group by 1, 2 having count(*) > 1"
    assert trade.rows(doubled) == []
