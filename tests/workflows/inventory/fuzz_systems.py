"""Every connector over records that a test can damage on their way: simulators, and shelves where there is none."""

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson
from tests.connectors.connectors_sandbox import details_of
from tests.connectors.connectors_state import LastingState
from tests.connectors.test_connectors_tryton_vendure_staging import (
    CREATED,
    CUSTOMER,
    SHELF,
    level,
    line,
    listing,
    move,
    order,
    product,
    sale,
    shipped,
)
from tests.transform.transform_facts import NOON
from tests.workflows.inventory.fuzz_damage import Damager, Find

from trueup.connectors.base import Connector
from trueup.connectors.http.answers import Answer
from trueup.connectors.http.client import HttpClient
from trueup.connectors.netsuite import reader as netsuite
from trueup.connectors.shipbob import reader as shipbob
from trueup.connectors.shopify import reader as shopify
from trueup.connectors.square import reader as square
from trueup.connectors.tryton.reader import TrytonConnector
from trueup.connectors.tryton.rest import Models
from trueup.connectors.vendure.api import AdminApi
from trueup.connectors.vendure.reader import VendureConnector
from trueup.sandbox.server import Sandbox

Stream = tuple[Find, Callable[[Mapping[str, Any]], str]]
"""Where a stream's records stand in an answer, and the key, or its first part, of each."""


def _under(*names: str) -> Find:
    def find(body: Any) -> list[Any] | None:  # noqa: ANN401 - JSON
        for name in names:
            body = body.get(name) if isinstance(body, Mapping) else None
        return body if isinstance(body, list) else None

    return find


def _bare_or_under(name: str) -> Find:
    return lambda body: body if isinstance(body, list) else _under(name)(body)


def _by(*names: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda record: "|".join(str(record.get(name)) for name in names)


def _inner_id(record: Mapping[str, Any]) -> str:
    inner = record.get("physical_count") or record.get("adjustment") or {}
    return str(inner.get("id"))


def _level_id(record: Mapping[str, Any]) -> str:
    return f"{record['item']['id']}|{record['location']['id']}"


_SUITEQL = _under("items")
STREAMS: Mapping[str, Mapping[str, Stream]] = {
    "netsuite": {
        "locations": (_SUITEQL, _by("id")),
        "products": (_SUITEQL, _by("id")),
        "stock_levels": (_SUITEQL, _by("item", "location")),
        "stock_movements": (_SUITEQL, _by("uniquekey")),
        "orders": (_SUITEQL, _by("uniquekey")),
    },
    "shopify": {
        "locations": (_under("data", "locations", "nodes"), _by("id")),
        "products": (_under("data", "productVariants", "nodes"), _by("id")),
        "listings": (_under("data", "location", "inventoryLevels", "nodes"), _level_id),
        "orders": (_under("data", "orders", "nodes"), _by("id")),
    },
    "square": {
        "locations": (_under("locations"), _by("id")),
        "products": (_under("objects"), _by("id")),
        "stock_levels": (_under("counts"), _by("catalog_object_id", "location_id", "state")),
        "stock_movements": (_under("changes"), _inner_id),
        "orders": (_under("orders"), _by("id")),
    },
    "shipbob": {
        "locations": (_bare_or_under("locations"), _by("id")),
        "products": (_under("items"), _by("id")),
        "stock_levels": (_under("items"), _by("inventory_id")),
        "stock_movements": (_under("data"), _by("inventory_audit_event_id")),
        "orders": (_bare_or_under("orders"), _by("id")),
    },
    "tryton": dict.fromkeys(
        ("locations", "products", "stock_levels", "stock_movements", "orders"),
        (lambda body: body if isinstance(body, list) and body and "fuzz" in body[0] else None, _by("id")),
    ),
    "vendure": {
        "locations": (_under("data", "stockLocations", "items"), _by("id")),
        "products": (_under("data", "productVariants", "items"), _by("id")),
        "listings": (_under("data", "productVariants", "items"), _by("id")),
        "orders": (_under("data", "orders", "items"), _by("id")),
    },
}


class DamagedClient:
    """A client whose answers are damaged on their way."""

    def __init__(self, inner: Any, damager: Damager) -> None:  # noqa: ANN401 - any client
        self._inner = inner
        self._damager = damager

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        return getattr(self._inner, name)

    def request(self, *arguments: Any, **named: Any) -> Answer:  # noqa: ANN401 - the client's own arguments
        return self._damager(self._inner.request(*arguments, **named))


def simulated(sandbox: Sandbox, damager: Damager) -> dict[str, Connector]:
    """The demo tenant's systems over their simulators."""
    builders = {
        "netsuite": netsuite.connect,
        "shopify_main": shopify.connect,
        "shopify_outlet": shopify.connect,
        "square": square.connect,
        "shipbob": shipbob.connect,
    }
    found: dict[str, Any] = {name: build(details_of(sandbox, name), LastingState()) for name, build in builders.items()}
    for connector in found.values():
        owner = connector._api if hasattr(connector, "_api") else connector
        owner._client = DamagedClient(owner._client, damager)
    return found


def _place(number: int, name: str, kind: str, parent: int | None, entry: int | None = None) -> dict[str, Any]:
    return {
        "__name__": "stock.location", "id": number, "name": name, "code": None, "type": kind, "active": True,
        "parent": parent, "input_location": entry, "output_location": None, "storage_location": None,
    }  # fmt: skip


_TREE = [
    _place(3, "Shelf", "storage", 5),
    _place(5, "East", "warehouse", None, 1),
    _place(7, "Customer", "customer", None),
    _place(12, "West", "warehouse", None, 11),
]


class Shelf:
    """Answers like a server whose clock stands still, from rows that never change."""

    conn_id = "shelf"
    system = "Shelf"

    def __init__(self, answer: Callable[[str, Any], Any], now: datetime) -> None:
        self._answer = answer
        self._now = now

    def request(self, _: str, path: str, **named: Any) -> Answer:  # noqa: ANN401 - the client's own arguments
        return Answer(200, {}, self._answer(unquote(path), named.get("json")), self._now)

    def source_time(self) -> datetime:
        return self._now

    def seconds_since_reported(self) -> float:
        return 0.0


def _rows(count: int) -> dict[tuple[str, str], list[dict[str, Any]]]:
    numbers = range(1, count + 1)
    facts = [
        *(fact for number in numbers for fact in product(number)),
        *(level(number, 100 + number) for number in numbers),
        *(move(number, number, 3, SHELF, CUSTOMER) for number in numbers),
        *(sale(number, "processing", line(number, number, 5, shipped(9000 + number, 2))) for number in numbers),
        *(order(number, number, 3, 5) for number in numbers),
        *(fact for number in numbers for fact in listing(number, (90, 3), (40, 1))),
    ]
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for fact in facts:
        payload = dict(fact.payload or {})
        found.setdefault((fact.system_id, fact.stream), {}).setdefault(str(payload["id"]), payload)
    return {stream: list(rows.values()) for stream, rows in found.items()}


def shelved(damager: Damager, count: int) -> dict[str, Connector]:
    """The peers' tenant: Tryton and Vendure, of which there is no simulator, each with `count` records a stream."""
    rows = _rows(count)
    now = NOON + timedelta(days=1)
    models = Models(_client(Shelf(_erp(rows), now), damager), "erp")
    api = AdminApi(_client(Shelf(_shop(rows), now), damager), "/admin-api")
    return {"tryton": TrytonConnector(models, company=1, sleep=lambda _: None), "vendure": VendureConnector(api)}


def _erp(rows: Mapping[tuple[str, str], list[dict[str, Any]]]) -> Callable[[str, Any], Any]:
    """Tryton: what a stream is made of is marked, what else is asked on the way is not."""
    fixed: Mapping[str, list[dict[str, Any]]] = {
        "ir.model.field": [{"id": 1}],
        "company.company": [{"id": 1, "party": {"name": "Dunder"}}],
    }
    streams = {
        ("stock.location", "f=code"): _TREE,
        ("product.product", "f=template.name"): rows["tryton", "products"],
        ("product.product", "f=code"): [
            {name: row[name] for name in ("__name__", "id", "code", "quantity")}
            for row in rows["tryton", "stock_levels"]
        ],
        ("stock.move", "f=state"): [{**row, "write_date": CREATED} for row in rows["tryton", "stock_movements"]],
        ("sale.sale", "f=number"): rows["tryton", "orders"],
    }
    asides = {
        ("stock.location", "f=input_location"): _TREE[1:2],
        ("stock.location", "f=parent"): _TREE,
        ("product.product", "f=quantity"): [
            {"id": row["id"], "quantity": 0.0} for row in rows["tryton", "stock_levels"]
        ],
        ("stock.move", "f=product"): [],
    }

    def answer(path: str, _: object) -> list[dict[str, Any]]:
        model, _, query = path.rpartition("/")[2].partition("?")
        if model in fixed:
            return fixed[model]
        for (name, asked), found in streams.items():
            if name == model and asked in query.split("&"):
                parameters = parse_qs(query)
                domain = orjson.loads(base64.urlsafe_b64decode(parameters["d"][0]))
                after = max((clause[2] for clause in domain if clause[:2] == ["id", ">"]), default=0)
                return [{**row, "fuzz": 1} for row in found if row["id"] > after][: int(parameters["s"][0])]
        return next(found for (name, asked), found in asides.items() if name == model and asked in query.split("&"))

    return answer


def _shop(rows: Mapping[tuple[str, str], list[dict[str, Any]]]) -> Callable[[str, Any], Any]:
    """Vendure."""

    def answer(_: str, body: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        query = body["query"]
        options = body["variables"].get("options", {})
        first = options.get("skip", 0)
        channel = {
            "activeChannel": {"id": "1", "code": "default", "pricesIncludeTax": False},
            "globalSettings": {"serverConfig": {"moneyStrategyPrecision": 2}},
        }
        if "stockLocations(" in query:
            places = [{"id": "1", "name": "East"}, {"id": "2", "name": "West"}]
            return {"data": {"stockLocations": {"items": places}}}
        for name, stream in (("orders", "orders"), ("productVariants", "products")):
            if f"{name}(" in query:
                stream = "listings" if "stockLevels" in query else stream
                return {"data": {**channel, name: {"items": rows["vendure", stream][first : first + options["take"]]}}}
        return {"data": channel}

    return answer


def _client(inner: Shelf, damager: Damager) -> HttpClient:
    found: Any = DamagedClient(inner, damager)
    return found  # type: ignore[no-any-return]  # a client in all that is called here


def streams_of(connector: str) -> Iterator[tuple[str, Stream]]:
    """The streams of a connector, by name."""
    yield from STREAMS[connector].items()
