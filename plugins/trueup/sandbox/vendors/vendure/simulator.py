"""One Vendure shop over HTTP: logging in, asking and setting stock. An order allocates; a fulfilment takes it away."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from graphql import GraphQLError, execute_sync, parse, validate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from trueup.sandbox.vendors.credentials import AccessTokens, bearer_of
from trueup.sandbox.vendors.shop_books import ShopLine, ShopOrder, Stocked
from trueup.sandbox.vendors.simulator import Connection
from trueup.sandbox.vendors.vendor_api import ShopStorefront
from trueup.sandbox.vendors.vendure.schema import ADMIN, listed
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World

_USER: Final = "superadmin"
_OPENED: Final = "2025-01-01T00:00:00.000Z"
_LOCATION: Final = {
    "name": "Online stock",
    "description": "",
    "createdAt": _OPENED,
    "updatedAt": _OPENED,
}


class VendureSimulator(ShopStorefront):
    """One sales channel with one stock location. Vendure has no quota, and errors come with status 200."""

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        super().__init__(system_id, world, faults, courier)
        self._password = self.new_secret()
        self._tokens = AccessTokens()
        self._location_id = world.layout.channel_of(system_id).listing_location_id
        self._app = Starlette(routes=[Route("/admin-api", self._ask, methods=["POST"])])

    @property
    def app(self) -> ASGIApp:
        return self._app

    def connection(self, base_url: str) -> Connection:
        return Connection("vendure", f"{base_url}/admin-api", login=_USER, password=self._password)

    def fault_response(self, kind: FaultKind, retry_after_seconds: int) -> Response:
        if kind is FaultKind.RATE_LIMITED:  # of a proxy in front of the shop
            headers = {"Retry-After": str(retry_after_seconds)}
            return JSONResponse({"message": "Too many requests"}, status_code=429, headers=headers)
        return JSONResponse({"message": "Service Unavailable"}, status_code=503)

    def expire_tokens(self) -> None:
        self._tokens.end_all()

    def secrets(self) -> Sequence[str]:
        return (self._password, *self._tokens.secrets())

    async def _ask(self, request: Request) -> Response:
        try:
            content = await request.json()
            document = parse(content["query"])
        except (ValueError, KeyError, TypeError, GraphQLError):
            return JSONResponse({"errors": [{"message": "no document"}]}, status_code=400)
        problems = validate(ADMIN, document)
        if problems:
            return JSONResponse({"errors": [each.formatted for each in problems]}, status_code=400)
        granted: list[str] = []
        with self.world.lock:
            root = _Root(self, is_let_in=self._tokens.is_good(bearer_of(request)), granted=granted)
            result = execute_sync(ADMIN, document, root_value=root, variable_values=content.get("variables"))
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [each.formatted for each in result.errors]
        headers = {"vendure-auth-token": granted[0]} if granted else None
        return JSONResponse(answer, headers=headers)

    # -- what the root answers -----------------------------------------------------------------------------------

    def log_in(self, login: str, password: str) -> str | None:
        """A new session's token, None where the credentials are wrong."""
        if login != _USER or password != self._password:
            return None
        token = self.new_secret()
        self._tokens.give(token, math.inf)
        return token

    def location(self) -> dict[str, Any]:
        """The one stock location."""
        return {"id": self._location_id, **_LOCATION}

    def variants(self) -> list[dict[str, Any]]:
        """Every variant with its stock: what is on hand is what may be sold and what open orders hold."""
        held = self._held()
        return [self._variant(stocked, held.get(stocked.product.sku, 0)) for stocked in self.books.stock.values()]

    def orders(self) -> list[dict[str, Any]]:
        """Every order that was placed."""
        return [self._order(order) for order in self.books.orders.values()]

    def set_stock(self, changes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Set what is on hand, all of it or none."""
        by_id = {_variant_id(stocked): stocked for stocked in self.books.stock.values()}
        levels = [(change, level) for change in changes for level in change.get("stockLevels") or ()]
        for change, level in levels:
            if change["id"] not in by_id or level["stockLocationId"] != self._location_id:
                raise GraphQLError("No such entity", extensions={"code": "ENTITY_NOT_FOUND"})
        held = self._held()
        for change, level in levels:
            stocked = by_id[change["id"]]
            self.write(stocked, level["stockOnHand"] - held.get(stocked.product.sku, 0))
        return [each for each in self.variants() if each["id"] in {change["id"] for change in changes}]

    def _held(self) -> dict[str, int]:
        held: dict[str, int] = {}
        for order in self.books.orders.values():
            for line in order.lines.values():
                if line.stocked is not None:
                    held[line.stocked.product.sku] = held.get(line.stocked.product.sku, 0) + line.open
        return held

    def _variant(self, stocked: Stocked, held: int) -> dict[str, Any]:
        changed, title = _written(stocked.changed_at), stocked.product.title
        level = {
            "id": _variant_id(stocked),
            "stockOnHand": stocked.on_hand + held,
            "stockAllocated": held,
            "updatedAt": changed,
            "stockLocation": self.location(),
        }
        return {
            "id": _variant_id(stocked),
            "sku": stocked.code,
            "name": title,
            "enabled": True,
            "trackInventory": "TRUE",
            "updatedAt": changed,
            "product": {"id": _variant_id(stocked), "name": title, "enabled": True, "updatedAt": changed},
            "stockLevels": [level],
        }

    def _order(self, order: ShopOrder) -> dict[str, Any]:
        goods = [line for line in order.lines.values() if line.stocked is not None]
        is_sent = any(line.shipped for line in goods)
        state = "PartiallyShipped" if is_sent else "PaymentSettled"
        if not any(line.open for line in goods):
            state = "Shipped" if is_sent else "Cancelled"
        return {
            "id": order.name,
            "code": order.name,
            "state": "Cancelled" if order.is_cancelled else state,
            "active": False,
            "orderPlacedAt": _written(order.created_at),
            "createdAt": _written(order.created_at),
            # Neither being placed nor being sent moves it: only a change of the lines does.
            "updatedAt": _written(order.modified_at),
            "lines": [self._line(order, line, line.stocked) for line in goods if line.stocked is not None],
        }

    def _line(self, order: ShopOrder, line: ShopLine, stocked: Stocked) -> dict[str, Any]:
        number = f"{order.name}{line.number}"
        sent = [{"quantity": line.shipped, "fulfillment": {"id": number, "state": "Shipped"}}]
        return {
            "id": number,
            "quantity": max(line.shipped, line.ordered.quantity - line.given_back),
            "orderPlacedQuantity": line.ordered.quantity,
            "productVariant": self._variant(stocked, 0),
            "fulfillmentLines": sent if line.shipped else [],
        }


class _Root:
    """The resolvers of one request. Everything but logging in needs a session."""

    def __init__(self, shop: VendureSimulator, *, is_let_in: bool, granted: list[str]) -> None:
        self._shop = shop
        self._is_let_in = is_let_in
        self._granted = granted

    def _check(self) -> None:
        if not self._is_let_in:
            raise GraphQLError("You are not currently authorized", extensions={"code": "FORBIDDEN"})

    def login(self, _info: object, username: str, password: str) -> Mapping[str, str]:
        token = self._shop.log_in(username, password)
        if token is None:
            words = "The provided credentials are invalid"
            kind = "InvalidCredentialsError"
            return {"__typename": kind, "errorCode": "INVALID_CREDENTIALS_ERROR", "message": words}
        self._granted.append(token)
        return {"__typename": "CurrentUser", "id": "1", "identifier": _USER}

    def activeChannel(self, _info: object) -> Mapping[str, Any]:  # noqa: N802 - the schema's name
        self._check()
        return {"id": "1", "code": "__default_channel__"}

    def stockLocations(self, _info: object, options: Any = None) -> Mapping[str, Any]:  # noqa: N802, ANN401
        self._check()
        return listed([self._shop.location()], options)

    def productVariants(self, _info: object, options: Any = None) -> Mapping[str, Any]:  # noqa: N802, ANN401
        self._check()
        return listed(self._shop.variants(), options)

    def orders(self, _info: object, options: Any = None) -> Mapping[str, Any]:  # noqa: ANN401
        self._check()
        return listed(self._shop.orders(), options)

    def updateProductVariants(self, _info: object, input: Any) -> Sequence[Any]:  # noqa: N802, A002, ANN401
        self._check()
        return self._shop.set_stock(input)


def _variant_id(stocked: Stocked) -> str:
    return str(stocked.product.number)


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


SIMULATOR: Final = VendureSimulator
