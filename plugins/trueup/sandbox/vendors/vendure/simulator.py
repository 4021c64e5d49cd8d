"""One Vendure shop over HTTP: logging in, asking, setting stock and what becomes of orders.

An order allocates; a fulfilment takes it away.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphql import GraphQLError, execute_sync, parse, validate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from trueup.sandbox.vendors.credentials import AccessTokens, bearer_of
from trueup.sandbox.vendors.shop_books import ShopBooks
from trueup.sandbox.vendors.simulator import Connection
from trueup.sandbox.vendors.vendor_api import ShopStorefront
from trueup.sandbox.vendors.vendure import objects
from trueup.sandbox.vendors.vendure.books import VendureBooks
from trueup.sandbox.vendors.vendure.mutations import Mutations
from trueup.sandbox.vendors.vendure.schema import ADMIN, listed
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.world import World

_USER: Final = "superadmin"


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

    @property
    def books(self) -> VendureBooks:
        books = super().books
        if not isinstance(books, VendureBooks):
            raise TypeError("the books are another vendor's")
        return books

    def open_books(self) -> ShopBooks:
        return VendureBooks(self.world, self.world.layout.channel_of(self.system_id), self.safety_of)

    def log_in(self, login: str, password: str) -> str | None:
        """A new session's token, None where the credentials are wrong."""
        if login != _USER or password != self._password:
            return None
        token = self.new_secret()
        self._tokens.give(token, math.inf)
        return token

    def location(self) -> dict[str, Any]:
        """The one stock location."""
        return objects.location(self._location_id)

    def are_taxes_included(self) -> bool:
        """Whether the channel's prices have their taxes."""
        accounts = self.books.accounts.values()
        return all(account.bill.are_taxes_included for account in accounts)

    def variants(self) -> list[dict[str, Any]]:
        """Every variant with its stock."""
        held = self.books.held()
        return [
            objects.variant(stocked, held.get(stocked.product.sku, 0), self._location_id)
            for stocked in self.books.stock.values()
        ]

    def orders(self) -> list[dict[str, Any]]:
        """Every order that was placed."""
        return [
            objects.order(order, self.books.accounts[order.name], self._location_id)
            for order in self.books.orders.values()
        ]

    def writes(self) -> Mutations:
        """What is changed of orders."""
        return Mutations(self.books, self._location_id, self.world.now)

    def set_stock(self, changes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Set what is on hand, all of it or none."""
        by_id = {objects.variant_id(stocked): stocked for stocked in self.books.stock.values()}
        levels = [(change, level) for change in changes for level in change.get("stockLevels") or ()]
        for change, level in levels:
            if change["id"] not in by_id or level["stockLocationId"] != self._location_id:
                raise GraphQLError("No such entity", extensions={"code": "ENTITY_NOT_FOUND"})
        held = self.books.held()
        for change, level in levels:
            stocked = by_id[change["id"]]
            self.write(stocked, level["stockOnHand"] - held.get(stocked.product.sku, 0))
        return [each for each in self.variants() if each["id"] in {change["id"] for change in changes}]


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
            code = "INVALID_CREDENTIALS_ERROR"
            return {"__typename": kind, "errorCode": code, "message": words, "authenticationError": ""}
        self._granted.append(token)
        return {"__typename": "CurrentUser", "id": "1", "identifier": _USER}

    def activeChannel(self, _info: object) -> Mapping[str, Any]:  # noqa: N802 - the schema's name
        self._check()
        return {
            "id": "1",
            "code": "__default_channel__",
            "defaultCurrencyCode": "GBP",
            "pricesIncludeTax": self._shop.are_taxes_included(),
        }

    def globalSettings(self, _info: object) -> Mapping[str, Any]:  # noqa: N802
        self._check()
        return {"id": "1", "serverConfig": {"moneyStrategyPrecision": 2}}

    def order(self, _info: object, id: str) -> Mapping[str, Any] | None:  # noqa: A002
        self._check()
        return next((each for each in self._shop.orders() if each["id"] == id), None)

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

    def addFulfillmentToOrder(self, _info: object, input: Any) -> Mapping[str, Any]:  # noqa: N802, A002, ANN401
        self._check()
        return self._shop.writes().add_fulfilment(input)

    def transitionFulfillmentToState(self, _info: object, id: str, state: str) -> Mapping[str, Any]:  # noqa: N802, A002
        self._check()
        return self._shop.writes().move_fulfilment(id, state)

    def cancelOrder(self, _info: object, input: Any) -> Mapping[str, Any]:  # noqa: N802, A002, ANN401
        self._check()
        return self._shop.writes().cancel(input)

    def refundOrder(self, _info: object, input: Any) -> Mapping[str, Any]:  # noqa: N802, A002, ANN401
        self._check()
        return self._shop.writes().refund(input)

    def settleRefund(self, _info: object, input: Any) -> Mapping[str, Any]:  # noqa: N802, A002, ANN401
        self._check()
        return self._shop.writes().pay_out(input)


SIMULATOR: Final = VendureSimulator
