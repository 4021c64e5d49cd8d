"""`/world`: drives the world and tells its truth, so that any outside program can check a sync against it.

All bodies and answers are JSON. A mistake in a request is 422 with what was wrong.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from trueup.sandbox.business.trade import Trade
from trueup.sandbox.vendors.simulator import Simulator
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.faults import PROFILES, FaultRule, Faults
from trueup.sandbox.world.report import tell_truth
from trueup.sandbox.world.world import World

_Handler = Callable[[dict[str, Any]], Any]


class Control:
    """The routes, each a method that takes the request's JSON and returns the answer's."""

    def __init__(
        self,
        world: World,
        trade: Trade,
        faults: Faults,
        simulators: Mapping[str, Simulator],
        describe: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._world = world
        self._trade = trade
        self._faults = faults
        self._simulators = simulators
        self._describe = describe
        self.app = Starlette(
            routes=[
                self._route("/clock", "GET", self.clock),
                self._route("/step", "POST", self.step),
                self._route("/run", "POST", self.run),
                self._route("/pause", "POST", self.pause),
                self._route("/quiet", "POST", self.quiet),
                self._route("/resume", "POST", self.resume),
                self._route("/truth", "GET", self.truth),
                self._route("/documents", "GET", self.documents),
                self._route("/events", "GET", self.events),
                self._route("/seed", "POST", self.seed),
                self._route("/edit", "POST", self.edit),
                self._route("/receive", "POST", self.receive),
                self._route("/count", "POST", self.count),
                self._route("/lose", "POST", self.lose),
                self._route("/amend", "POST", self.amend),
                self._route("/barcodes", "POST", self.barcodes),
                self._route("/tuning", "PUT", self.tuning),
                self._route("/connections", "GET", self.connections),
                Route("/faults", self._handler(self.faults), methods=["GET"]),
                Route("/faults", self._handler(self.put_faults), methods=["PUT"]),
            ]
        )

    def clock(self, _: dict[str, Any]) -> dict[str, Any]:
        """GET: `now`, `seconds` since the start, `speed` (0: paused), `is_quiet`, what is `pending` by kind."""
        return {
            "now": self._world.now(),
            "seconds": self._world.clock.seconds,
            "speed": self._world.clock.speed,
            "is_quiet": self._trade.is_quiet,
            "pending": {kind.name.lower(): count for kind, count in self._world.pending().items()},
        }

    def step(self, asked: dict[str, Any]) -> dict[str, Any]:
        """POST `{"seconds": n}` or `{"until": "close"}` (the end of the trading day): let that time pass at once."""
        if asked.get("until") == "close":
            seconds = self._trade.seconds_until_close()
        else:
            seconds = int(asked["seconds"])
            if seconds < 0:
                raise ValueError("seconds cannot be negative: the world does not go back")
        self._world.step(seconds)
        return self.clock({})

    def run(self, asked: dict[str, Any]) -> dict[str, Any]:
        """POST `{"speed": 60}`: so many world seconds pass in one of ours."""
        speed = float(asked.get("speed", 60))
        if speed <= 0:
            raise ValueError("speed must be above 0; POST /world/pause stops the clock")
        self._world.clock.run(speed)
        return self.clock({})

    def pause(self, _: dict[str, Any]) -> dict[str, Any]:
        """POST: hold the clock."""
        self._world.clock.pause()
        return self.clock({})

    def quiet(self, asked: dict[str, Any]) -> dict[str, Any]:
        """POST `{"ship": true, "count": false}`: stop people, let every delay run out.

        `ship` false leaves open orders open; `count` has wrong shelves counted, so books are right.
        """
        self._trade.quiet(is_shipping=bool(asked.get("ship", True)), is_counting=bool(asked.get("count", False)))
        return self.clock({})

    def resume(self, _: dict[str, Any]) -> dict[str, Any]:
        """POST: people come again after `quiet`."""
        self._trade.resume()
        return self.clock({})

    def truth(self, asked: dict[str, Any]) -> dict[str, Any]:
        """GET `?skus=A,B&detail=0`: shelves, promises, per channel what was sold, oversold and lost. See report.py."""
        skus = frozenset(asked["skus"].split(",")) if asked.get("skus") else None
        return tell_truth(self._world, self._trade, skus=skus, is_detailed=asked.get("detail") != "0")

    def documents(self, _: dict[str, Any]) -> dict[str, Any]:
        """GET: by system, the channels' orders as its books have them (`OrderDocument`)."""
        return {system_id: simulator.order_documents() for system_id, simulator in self._simulators.items()}

    def events(self, asked: dict[str, Any]) -> dict[str, Any]:
        """GET `?after=0&limit=10000&kind=&sku=`: the diary, with the world's time and ours of each happening."""
        found = [
            happening
            for happening in self._world.diary(int(asked.get("after", 0)))
            if (not asked.get("kind") or happening.kind == asked["kind"])
            and (not asked.get("sku") or _concerns(happening.facts, asked["sku"]))
        ]
        return {"events": found[: int(asked.get("limit", 10_000))]}

    def seed(self, asked: dict[str, Any]) -> dict[str, Any]:
        """POST settings (`seed`, `skus`, `intensity`, `wrong_share`, ...): begin a new world, paused."""
        self._world.reset(self._world.settings.changed(asked))
        return self.clock({})

    def edit(self, asked: dict[str, Any]) -> dict[str, Any]:
        """POST `{"channel", "sku", "quantity"}`: staff type a quantity into a channel."""
        self._trade.operations.edit(asked["channel"], asked["sku"], int(asked["quantity"]))
        return {"channel": asked["channel"], "sku": asked["sku"], "quantity": int(asked["quantity"])}

    def receive(self, asked: dict[str, Any]) -> dict[str, Any]:
        """POST `{"sku", "location", "quantity"}`: goods arrive now; the vendor books them after its delay."""
        self._check_shelf(asked)
        quantity = int(asked["quantity"])
        if quantity <= 0:
            raise ValueError("quantity must be above 0")
        key = f"manual-{self._world.clock.seconds}"
        self._trade.operations.receive(asked["sku"], asked["location"], quantity, key=key)
        return {"physical": self._world.truth.physical[asked["sku"], asked["location"]]}

    def count(self, asked: dict[str, Any]) -> dict[str, Any]:
        """POST `{"sku", "location"}`: somebody counts that shelf now; the figure is booked at once."""
        self._check_shelf(asked)
        return {"counted": self._trade.operations.count(asked["sku"], asked["location"], reference="manual")}

    def lose(self, asked: dict[str, Any]) -> dict[str, Any]:
        """POST `{"sku", "location", "quantity"}`: units vanish; no book knows until a count."""
        self._check_shelf(asked)
        return {"vanished": self._trade.operations.lose(asked["sku"], asked["location"], int(asked["quantity"]))}

    def amend(self, asked: dict[str, Any]) -> dict[str, Any]:
        """POST `{"system", "movement", "quantity"}`: somebody corrects a movement in a vendor's books.

        `movement` is the vendor's own id. `quantity` null deletes it; in NetSuite that is its whole transaction. The
        books follow, the shelves stay as they are. `"moves_timestamp": false`: its "last changed" stays too.
        """
        system_id, movement = str(asked["system"]), str(asked["movement"])
        quantity = None if asked["quantity"] is None else int(asked["quantity"])
        header = self._world.header(system_id, 0)
        header["moves_timestamp"] = bool(asked.get("moves_timestamp", True))
        self._simulators[system_id].amend_movement(Entry(**header), movement, quantity)
        return {"system": system_id, "movement": movement, "quantity": quantity}

    def barcodes(self, _: dict[str, Any]) -> dict[str, Any]:
        """POST: a clerk gives the products that share a barcode in the ERP one each; which SKUs those were."""
        with self._world.lock:
            changed = [sku for simulator in self._simulators.values() for sku in simulator.separate_barcodes()]
        return {"changed": changed}

    def tuning(self, asked: dict[str, Any]) -> dict[str, Any]:
        """PUT `{"system": {...}}`: set a vendor's budgets, such as Shopify's points a second."""
        for system_id, settings in asked.items():
            self._simulators[system_id].tuning(settings)
        return asked

    def connections(self, _: dict[str, Any]) -> Mapping[str, Any]:
        """GET: base URLs and credentials, as Airflow connections."""
        return self._describe()

    def faults(self, _: dict[str, Any]) -> dict[str, Any]:
        """GET: the profile, the rules that hold and how often each struck."""
        return {"profile": self._faults.profile, "rules": [rule.as_json() for rule in self._faults.rules]}

    def put_faults(self, asked: dict[str, Any]) -> dict[str, Any]:
        """PUT `{"profile": "none|typical|storm"}` or `{"rules": [{system, kind, rate, count, ...}]}`."""
        if "profile" in asked:
            if asked["profile"] not in PROFILES:
                raise ValueError(f"no profile '{asked['profile']}'; there are {sorted(PROFILES)}")
            self._faults.use_profile(asked["profile"])
        else:
            self._faults.use_rules([FaultRule.parse(rule) for rule in asked["rules"]])
        return self.faults({})

    def _check_shelf(self, asked: Mapping[str, Any]) -> None:
        if (asked["sku"], asked["location"]) not in self._world.truth.physical:
            raise ValueError(f"no shelf for {asked['sku']} at {asked['location']}")

    def _route(self, path: str, method: str, answer: _Handler) -> Route:
        return Route(path, self._handler(answer), methods=[method])

    def _handler(self, answer: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            body = await request.body()
            try:
                asked = dict(request.query_params) if request.method == "GET" else await _json(request, body)
                with self._world.lock:
                    self._world.catch_up()
                    return JSONResponse(plain(answer(asked)))
            except (KeyError, ValueError, TypeError) as error:
                return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=422)

        return handle


async def _json(request: Request, body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    asked = await request.json()
    if not isinstance(asked, dict):
        raise TypeError("the body must be a JSON object")
    return asked


def _concerns(facts: Mapping[str, Any], sku: str) -> bool:
    return facts.get("sku") == sku or any(line.get("sku") == sku for line in facts.get("lines", ()))


def plain(thing: object) -> object:
    """JSON's own types: moments as ISO 8601, dataclasses as objects."""
    if isinstance(thing, datetime):
        return thing.isoformat()
    if isinstance(thing, Enum):
        return thing.value
    if isinstance(thing, Path | Decimal):
        return str(thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return {item.name: plain(getattr(thing, item.name)) for item in dataclasses.fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple | frozenset | set):
        return [plain(item) for item in thing]
    return thing
