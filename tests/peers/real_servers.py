"""A real Tryton and a real Vendure, installed once into PEER_HOME and started anew, and plain ways to ask them.

Nothing here is shared with the connectors: what they do is checked against what the servers say.
"""

import base64
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STARTING_SECONDS = 900


def peer_home() -> Path:
    """Where the servers are installed and kept."""
    return Path(os.environ.get("PEER_HOME", Path.home() / ".cache" / "peers"))


@contextmanager
def run_tryton(scripts: Path) -> Iterator["Tryton"]:
    """Start Tryton on the database as it was first seeded; stopped when the block ends."""
    home = peer_home() / "tryton"
    database, pristine = home / "db" / "erp.sqlite", home / "erp.pristine.sqlite"
    # A journal that the last server left would be replayed over the database we put in its place.
    for journal in (home / "db").glob("erp.sqlite-*"):
        journal.unlink()
    if pristine.exists() and (home / "rest.key").exists():
        shutil.copyfile(pristine, database)
    else:
        # Seeded by somebody else before, or half: only a database that we saw fresh can be gone back to.
        (home / "rest.key").unlink(missing_ok=True)
        pristine.unlink(missing_ok=True)
    port = _free_port()
    _start(scripts / "tryton" / "start.sh", port, {})
    try:
        if not pristine.exists():
            with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(pristine)) as copy:
                source.backup(copy)
        yield Tryton(f"http://127.0.0.1:{port}", (home / "rest.key").read_text(encoding="utf-8").strip())
    finally:
        _stop(home / "trytond.pid")


@contextmanager
def run_tryton_money(scripts: Path, database_host: str) -> Iterator["Tryton"]:
    """Start a Tryton with its modules of money on the empty database `erp` and seed it; stopped when the block ends.

    `database_host`: of a PostgreSQL server, as libpq calls it, such as its socket's folder.
    """
    home = peer_home() / "tryton_money"
    # The key is made with the seed: where there is one, the script takes the database for seeded.
    (home / "rest.key").unlink(missing_ok=True)
    port = _free_port()
    try:
        database = {"TRYTON_DB": "postgresql:///", "PGHOST": database_host, "PGUSER": "postgres"}
        _start(scripts / "tryton_money" / "start.sh", port, database)
        yield Tryton(f"http://127.0.0.1:{port}", (home / "rest.key").read_text(encoding="utf-8").strip())
    finally:
        _stop(home / "trytond.pid")


@contextmanager
def run_vendure(scripts: Path, database_url: str) -> Iterator["Vendure"]:
    """Start Vendure on an empty database and seed it; stopped when the block ends."""
    port = _free_port()
    home = peer_home() / "vendure"
    (home / "server.log").unlink(missing_ok=True)
    try:
        _start(scripts / "vendure" / "start.sh", port, {"DATABASE_URL": database_url})
        yield Vendure(f"http://127.0.0.1:{port}")
    finally:
        _stop(home / "server.pid")


@dataclass
class Tryton:
    """The ERP by its REST interface."""

    url: str
    key: str

    def get(self, path: str, context: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        return self._send("GET", path, None, {"company": 1, **(context or {})})

    def post(self, path: str, body: Any = None, context: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        return self._send("POST", path, {} if body is None else body, {"company": 1, **(context or {})})

    def put(self, path: str, body: Any) -> Any:  # noqa: ANN401 - JSON
        return self._send("PUT", path, body, {"company": 1})

    def find(self, model: str, domain: Any, *fields: str) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
        """The records that meet the domain, by id."""
        query = "&".join([*(f"f={name}" for name in fields), f"d={_encoded(domain)}", f"o={_encoded([['id', 'ASC']])}"])
        found: list[dict[str, Any]] = self.get(f"{model}?{query}")
        return found

    def on_hand(self, warehouse: int) -> dict[str, int]:
        """Units by SKU in one warehouse."""
        rows = self.get("product.product?f=code&f=quantity", {"locations": [warehouse]})
        return {row["code"]: int(row["quantity"]) for row in rows}

    def count(self, sku: str, location: int, units: float) -> None:
        """Somebody counts a shelf, and the inventory is confirmed."""
        lines = [["create", [{"product": self.product(sku), "quantity": units}]]]
        inventory = self.post("stock.inventory", {"location": location, "lines": lines})
        self.post(f"stock.inventory/{inventory['id']}/confirm")

    def product(self, sku: str) -> int:
        """The id of a product."""
        return next(int(row["id"]) for row in self.get("product.product?f=code") if row["code"] == sku)

    def sell(self, sku: str, units: int, warehouse: int, reference: str) -> int:
        """Enter a sale and confirm it; its id."""
        like = self.get("sale.sale?f=party&f=payment_term&f=lines.unit&f=currency&f=company&f=invoice_address")
        known = next(sale for sale in like if sale["lines"])
        line = {
            "product": self.product(sku),
            "quantity": float(units),
            "unit": known["lines"][0]["unit"],
            "unit_price": {"__class__": "Decimal", "decimal": "10"},
        }
        sale = self.post(
            "sale.sale",
            {
                "party": known["party"],
                "payment_term": known["payment_term"],
                "currency": known["currency"],
                "company": known["company"],
                "invoice_address": known["invoice_address"],
                "shipment_address": known["invoice_address"],
                "warehouse": warehouse,
                "reference": reference,
                "invoice_method": "order",
                "shipment_method": "order",
                "lines": [["create", [line]]],
            },
        )["id"]
        for step in ("quote", "confirm", "process"):
            self.post(f"sale.sale/{sale}/{step}")
        return int(sale)

    def ship(self, sale: int) -> None:
        """Pick, pack and send what a sale wants."""
        shipments = self.get(f"sale.sale/{sale}?f=shipments")["shipments"]
        for shipment in shipments:
            number = shipment["id"] if isinstance(shipment, dict) else shipment
            for step in ("assign_try", "pick", "pack", "do"):
                self.post(f"stock.shipment.out/{number}/{step}")

    def receive_purchase(self) -> tuple[str, int]:
        """What the open purchase ordered arrives and stands in the input zone; SKU and units."""
        moves = self.get("stock.move?f=state&f=origin&f=quantity&f=product.code")
        move = next(row for row in moves if row["state"] == "draft" and str(row["origin"]).startswith("purchase.line,"))
        self.post(f"stock.move/{move['id']}/do")
        return move["product"]["code"], int(move["quantity"])

    def put_away(self, sku: str, input_location: int, storage: int, units: int) -> None:
        """Somebody looks at the goods and puts them on their shelf."""
        product = self.product(sku)
        unit = self.get(f"product.product/{product}?f=template.default_uom")["template"]["default_uom"]
        line = {
            "product": product,
            "unit": unit,
            "quantity": float(units),
            "from_location": input_location,
            "to_location": storage,
            "company": 1,
        }
        body = {"from_location": input_location, "to_location": storage, "company": 1, "moves": [["create", [line]]]}
        shipment = self.post("stock.shipment.internal", body)["id"]
        for step in ("wait", "assign_force", "do"):
            self.post(f"stock.shipment.internal/{shipment}/{step}")

    def _send(self, method: str, path: str, body: Any, context: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        headers = {
            "Authorization": f"bearer {self.key}",
            "X-Tryton-Context": _encoded(context),
            "Content-Type": "application/json",
        }
        return _json(f"{self.url}/erp/rest/model/{path}", method, body, headers)[0]


@dataclass
class Vendure:
    """The shop by its two GraphQL interfaces."""

    url: str
    token: str | None = None

    def admin(self, query: str, **variables: Any) -> Any:  # noqa: ANN401 - JSON
        if self.token is None:
            login = 'mutation{login(username:"superadmin",password:"peers-pass-1"){__typename}}'
            self.token = _graphql(f"{self.url}/admin-api", login, {}, None)[1]
        return _graphql(f"{self.url}/admin-api", query, variables, self.token)[0]

    def stock(self) -> dict[str, tuple[int, int]]:
        """By SKU: units on hand and allocated, over all locations."""
        query = "{productVariants{items{sku stockLevels{stockOnHand stockAllocated}}}}"
        items = self.admin(query)["productVariants"]["items"]
        return {
            item["sku"]: (
                sum(level["stockOnHand"] for level in item["stockLevels"]),
                sum(level["stockAllocated"] for level in item["stockLevels"]),
            )
            for item in items
        }

    def variant(self, sku: str) -> str:
        """The id of a variant."""
        items = self.admin("{productVariants{items{id sku}}}")["productVariants"]["items"]
        return next(str(item["id"]) for item in items if item["sku"] == sku)

    def set_stock(self, sku: str, location: str, units: int) -> None:
        """Somebody of the shop's staff types a quantity."""
        change = [{"id": self.variant(sku), "stockLevels": [{"stockLocationId": location, "stockOnHand": units}]}]
        self.admin("mutation($i:[UpdateProductVariantInput!]!){updateProductVariants(input:$i){id}}", i=change)

    def placed_orders(self) -> list[dict[str, Any]]:
        """Every order that is not a cart: code, state and lines."""
        query = "{orders{items{code state active lines{quantity productVariant{sku}}}}}"
        return [order for order in self.admin(query)["orders"]["items"] if not order["active"]]

    def fulfil(self, code: str) -> None:
        """The shop's staff say that an order has left."""
        order = self._order(code)
        lines = [{"orderLineId": line["id"], "quantity": line["quantity"]} for line in order["lines"]]
        arguments = [{"name": "method", "value": "post"}, {"name": "trackingCode", "value": "T1"}]
        handler = {"code": "manual-fulfillment", "arguments": arguments}
        query = """mutation($i:FulfillOrderInput!){addFulfillmentToOrder(input:$i)
            {__typename ... on Fulfillment{id} ... on ErrorResult{message}}}"""
        made = self.admin(query, i={"lines": lines, "handler": handler})["addFulfillmentToOrder"]
        step = "mutation($i:ID!,$s:String!){transitionFulfillmentToState(id:$i,state:$s){__typename}}"
        for state in ("Shipped", "Delivered"):
            self.admin(step, i=made["id"], s=state)

    def cancel(self, code: str) -> None:
        """The customer thinks better of it."""
        query = """mutation($i:CancelOrderInput!){cancelOrder(input:$i)
            {__typename ... on Order{state} ... on ErrorResult{message}}}"""
        answer = self.admin(query, i={"orderId": self._order(code)["id"], "reason": "changed my mind"})["cancelOrder"]
        if answer.get("state") != "Cancelled":
            raise AssertionError(f"the order was not cancelled: {answer}")

    def _order(self, code: str) -> dict[str, Any]:
        query = "query($o:OrderListOptions){orders(options:$o){items{id code lines{id quantity}}}}"
        (found,) = self.admin(query, o={"filter": {"code": {"eq": code}}})["orders"]["items"]
        return dict(found)

    def order(self, sku: str, units: int) -> str:
        """A customer buys and pays; the order's code."""
        url, token = f"{self.url}/shop-api", None
        answer: Any = None
        address = {"fullName": "Ann", "streetLine1": "1 Main st", "city": "T", "postalCode": "1", "countryCode": "US"}
        steps: list[tuple[str, dict[str, Any]]] = [
            (
                "mutation($v:ID!,$q:Int!){addItemToOrder(productVariantId:$v,quantity:$q){__typename}}",
                {"v": self.variant(sku), "q": units},
            ),
            (
                "mutation($i:CreateCustomerInput!){setCustomerForOrder(input:$i){__typename}}",
                {"i": {"firstName": "A", "lastName": "B", "emailAddress": f"{sku.lower()}@example.com"}},
            ),
            ("mutation($i:CreateAddressInput!){setOrderShippingAddress(input:$i){__typename}}", {"i": address}),
            ("{eligibleShippingMethods{id}}", {}),
            ("mutation($m:[ID!]!){setOrderShippingMethod(shippingMethodId:$m){__typename}}", {}),
            ('mutation{transitionOrderToState(state:"ArrangingPayment"){__typename}}', {}),
            (
                """mutation{addPaymentToOrder(input:{method:"dummy",metadata:{}})
                {__typename ... on Order{code state} ... on ErrorResult{message}}}""",
                {},
            ),
        ]
        for query, variables in steps:
            if "$m" in query:
                variables = {"m": [answer["eligibleShippingMethods"][0]["id"]]}
            answer, fresh = _graphql(url, query, variables, token)
            token = fresh or token
        paid = answer["addPaymentToOrder"]
        if paid.get("state") != "PaymentSettled":
            raise AssertionError(f"the order was not paid: {paid}")
        return str(paid["code"])


def _encoded(content: Any) -> str:  # noqa: ANN401 - JSON
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _graphql(url: str, query: str, variables: dict[str, Any], token: str | None) -> tuple[Any, str | None]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    answer, answered = _json(url, "POST", {"query": query, "variables": variables}, headers)
    if answer.get("errors"):
        raise AssertionError(f"{query[:80]}: {answer['errors']}")
    return answer["data"], answered.get("vendure-auth-token")


def _json(url: str, method: str, body: Any, headers: dict[str, str]) -> tuple[Any, Any]:  # noqa: ANN401 - JSON
    content = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, content, headers, method=method), timeout=60) as answer:
        text = answer.read()
        return json.loads(text) if text else None, answer.headers


def _start(script: Path, port: int, environment: dict[str, str]) -> None:
    variables = {**os.environ, "PORT": str(port), "PEER_HOME": str(peer_home()), **environment}
    # Into a file: what the script leaves running would hold a pipe open.
    peer_home().mkdir(parents=True, exist_ok=True)
    log = peer_home() / f"{script.parent.name}.start.log"
    with log.open("wb") as output:
        ended = subprocess.run(
            ["bash", str(script)], env=variables, stdout=output, stderr=subprocess.STDOUT, timeout=_STARTING_SECONDS
        )
    if ended.returncode != 0:
        raise AssertionError(f"{script} failed:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _stop(pid_file: Path) -> None:
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text(encoding="utf-8"))
    pid_file.unlink()
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sent)
        except ProcessLookupError:
            return
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists() or _is_zombie(pid):
                return
            time.sleep(0.05)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
