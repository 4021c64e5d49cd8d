"""One Shopify store over HTTP: token endpoint and Admin GraphQL with its throttle."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from graphql import DocumentNode, GraphQLError, GraphQLSyntaxError, execute_sync, parse, validate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from trueup.sandbox.vendors.credentials import token_route
from trueup.sandbox.vendors.shopify.books import ShopBooks
from trueup.sandbox.vendors.shopify.context import Context, Shop, sees_order
from trueup.sandbox.vendors.shopify.cost import LARGEST_QUERY, Bucket, CostMeter
from trueup.sandbox.vendors.shopify.jobs import Jobs
from trueup.sandbox.vendors.shopify.mutations import IdempotencyLedger, SetQuantities
from trueup.sandbox.vendors.shopify.oauth import Authorization
from trueup.sandbox.vendors.shopify.objects import Level
from trueup.sandbox.vendors.shopify.order_writes import OrderWrites
from trueup.sandbox.vendors.shopify.refund_writes import RefundLedger, RefundWrites
from trueup.sandbox.vendors.shopify.resolvers import kind_of, resolve
from trueup.sandbox.vendors.shopify.return_writes import ReturnWrites
from trueup.sandbox.vendors.shopify.schema import API_VERSION, admin_schema
from trueup.sandbox.vendors.shopify.subscriptions import Subscriptions
from trueup.sandbox.vendors.simulator import Connection, OrderDocument, Simulator, Storefront, opened
from trueup.sandbox.vendors.subscribers import Subscribers
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.entries import Entry, OrderShipped
from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.world.layout import Location
from trueup.sandbox.world.world import World

TOKEN_PATH: Final = "/admin/oauth/access_token"  # noqa: S105 - a path
_STAMPED_CHANCE = 0.9  # an order moves the level's updatedAt this often; the rest is seen by a sweep only
# The outlet's app keeps a token of its own; the main store's gets one with its client credentials.
_PERMANENT_TOKEN_AT = "shopify_outlet"  # noqa: S105 - a store


class ShopifySimulator(Simulator):
    """A store. `/world/tuning` sets `points_per_second`, `bucket_size`, `concurrent_seconds`, `job_seconds`, `scopes`.

    `job_seconds`: how long a job takes, by the world's clock. `scopes`: the app's access scopes, separated by commas.
    `reports_parcels`: whether an integration of the retailer's reports here what the locations sent, whatever the
    tenant declares; where it does not, somebody else has to.
    """

    real_time_paths = (TOKEN_PATH,)

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        super().__init__(system_id, world, faults, courier)
        self._channel = world.layout.channel_of(system_id)
        self.authorization = Authorization()
        self.bucket = Bucket()
        self._ledger = IdempotencyLedger()
        self._refund_ledger = RefundLedger()
        self._jobs = Jobs()
        domain = f"{system_id.replace('_', '-')}.myshopify.com"
        self._shop = Shop(1, system_id.replace("_", " ").title(), domain, world.settings.start)
        self._subscriptions = Subscriptions(
            domain,
            self.authorization.client_secret,
            world.now,
            Subscribers(system_id, courier),
        )
        self._books: ShopBooks | None = None
        self._skus: dict[int, str] = {}
        self._is_integrated = self._channel.channel_id not in world.layout.untold_channels
        self.calls = 0
        self._app = Starlette(
            routes=[
                token_route(TOKEN_PATH, _read, lambda content, _: self.authorization.grant(content)),
                Route("/admin/api/{version}/graphql.json", self._graphql, methods=["POST"]),
            ]
        )

    @property
    def app(self) -> ASGIApp:
        return self._app

    @property
    def books(self) -> ShopBooks:
        """The books as they are; `RuntimeError` before the world's first reset."""
        return opened(self._books)

    def connection(self, base_url: str) -> Connection:
        if self.system_id == _PERMANENT_TOKEN_AT:
            return Connection("shopify", base_url, password=self.authorization.permanent_token)
        return Connection(
            "shopify",
            base_url,
            login=self.authorization.client_id,
            extra={"client_secret": self.authorization.client_secret},
        )

    def reset(self) -> None:
        world = self.world
        self._ledger.clear()
        self._refund_ledger.clear()
        self._jobs.clear()
        self._books = ShopBooks(
            self._channel,
            world.layout.systems_of("shopify").index(self.system_id),
            world.catalogue,
            world.opening_listing(self._channel.channel_id),
            world.now(),
            notify=self._subscriptions.tell,
            is_stamped=lambda key: world.dice("stamp", self.system_id, key).random() < _STAMPED_CHANCE,
            serving=self._serving(),
        )
        self._skus = {variant.inventory_item.number: sku for sku, variant in self._books.variants.items()}

    def _serving(self) -> Sequence[Location]:
        """The retailer's locations that the store knows: none where nothing happens there that needs them."""
        if not self.world.settings.order_incidents and self._is_integrated:
            return ()
        return [self.world.layout.locations[name] for name in self._channel.served_by]

    def record(self, entry: Entry) -> None:
        if self._is_integrated or not isinstance(entry, OrderShipped):
            self.books.record(entry)

    def storefronts(self) -> Mapping[str, Storefront]:
        return {self._channel.channel_id: self}

    def order_documents(self) -> Sequence[OrderDocument]:
        orders = (order for order in self.books.orders.values() if not order.test)
        return [order.document(self._channel.channel_id) for order in orders]

    def shown(self, sku: str) -> int | None:
        level = self.books.level_of(sku)
        return None if level is None else level.quantity("available")

    def edit(self, sku: str, quantity: int) -> None:
        level = self.books.level_of(sku)
        if level is None:
            raise KeyError(sku)
        self.books.set_quantity(level, "available", quantity, self.world.now())

    def fault_response(self, kind: FaultKind, retry_after_seconds: int) -> Response:
        if kind is FaultKind.RATE_LIMITED:
            # Besides the points there is a guard in front of the shop that answers in plain HTTP.
            headers = {"Retry-After": str(retry_after_seconds), "X-Shopify-API-Version": API_VERSION}
            content = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
            return JSONResponse(content, status_code=429, headers=headers)
        content = {"errors": [{"message": "Internal error. Looks like something went wrong on our end."}]}
        return JSONResponse(content, status_code=503)

    def expire_tokens(self) -> None:
        self.authorization.tokens.end_all()

    def secrets(self) -> Sequence[str]:
        return self.authorization.all_secrets()

    def tuning(self, settings: Mapping[str, Any]) -> None:
        for name, value in settings.items():
            match name:
                case "points_per_second":
                    self.bucket.set(rate=float(value))
                case "bucket_size":
                    self.bucket.set(size=float(value))
                case "concurrent_seconds":
                    self._ledger.concurrent_seconds = self._refund_ledger.concurrent_seconds = float(value)
                case "job_seconds":
                    self._jobs.seconds = float(value)
                case "reports_parcels":
                    self._is_integrated = bool(value)
                case "scopes":
                    self.authorization.scopes = frozenset(str(value).split(","))
                case _:
                    raise KeyError(name)

    # -- HTTP ----------------------------------------------------------------------------------------------------

    async def _graphql(self, request: Request) -> Response:
        headers = {"X-Shopify-API-Version": API_VERSION}
        if request.path_params["version"] != API_VERSION:
            return JSONResponse({"errors": "Not Found"}, status_code=404)
        if not self.authorization.is_good(request.headers.get("x-shopify-access-token")):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": message}, status_code=401, headers=headers)
        try:
            content = await request.json()
            query, variables = content["query"], content.get("variables") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, status_code=400)
        self.calls += 1
        with self.world.lock:
            return JSONResponse(self._answer(query, variables, content.get("operationName")), headers=headers)

    def _answer(self, query: str, variables: Mapping[str, Any], operation: str | None) -> dict[str, Any]:
        try:
            document = _parsed(query)
        except GraphQLSyntaxError as error:
            return {"errors": [_plain_error(error)]}
        problems = _problems(query)
        if problems:
            return {"errors": [_plain_error(problem) for problem in problems]}
        meter = CostMeter(admin_schema(), document, variables)
        requested = meter.requested()
        if requested > LARGEST_QUERY:
            return {"errors": [_too_dear(requested)]}
        if not self.bucket.take(requested):
            content = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return {"errors": [content], "extensions": {"cost": self._cost(requested, None)}}
        result = execute_sync(
            admin_schema(),
            document,
            context_value=self._context(variables),
            variable_values=dict(variables),
            operation_name=operation,
            field_resolver=resolve,
            type_resolver=kind_of,
        )
        actual = min(requested, meter.actual(result.data))
        self.bucket.give_back(requested - actual)
        answer: dict[str, Any] = {}
        if result.data is not None or not result.errors:
            answer["data"] = result.data
        if result.errors:
            answer["errors"] = [_plain_error(error) for error in result.errors]
        answer["extensions"] = {"cost": self._cost(requested, actual)}
        return answer

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self.bucket.status(),
        }

    def _context(self, variables: Mapping[str, Any]) -> Context:
        set_quantities = SetQuantities(
            self.books,
            self.world.now,
            self._on_write,
            lambda: self.faults.strikes(self.system_id, FaultKind.PARTIAL_SUCCESS),
        )
        scopes, now = self.authorization.scopes, self.world.now
        order_writes = OrderWrites(
            self.books, now, self.world.desk, lambda order: sees_order(order, scopes, now()), self._jobs
        )
        self._jobs.carry_out_due(now())
        refund_writes = RefundWrites(order_writes)
        return Context(
            books=self.books,
            scopes=scopes,
            now=now,
            shop=self._shop,
            subscriptions=self._subscriptions,
            ledger=self._ledger,
            set_quantities=set_quantities,
            jobs=self._jobs,
            order_writes=order_writes,
            refund_writes=refund_writes,
            refund_ledger=self._refund_ledger,
            return_writes=ReturnWrites(order_writes, refund_writes),
            is_broken=lambda: self.faults.strikes(self.system_id, FaultKind.PARTIAL_SUCCESS),
            is_cursor_stale=lambda: self.faults.strikes(self.system_id, FaultKind.STALE_CURSOR),
            variables=variables,
        )

    def _on_write(self, level: Level, before: int, after: int) -> None:
        self.world.note_channel_write(self._channel.channel_id, self._skus[level.item.number], before, after, "api")


async def _read(request: Request) -> Mapping[str, Any]:
    is_json = request.headers.get("content-type", "").startswith("application/json")
    return dict(await request.json() if is_json else await request.form())


@lru_cache(maxsize=256)
def _parsed(query: str) -> DocumentNode:
    return parse(query)


@lru_cache(maxsize=256)
def _problems(query: str) -> Sequence[GraphQLError]:
    return tuple(validate(admin_schema(), _parsed(query)))


def _plain_error(error: GraphQLError) -> dict[str, Any]:
    return dict(error.formatted)


def _too_dear(requested: int) -> dict[str, Any]:
    return {
        "message": f"Query cost is {requested}, which exceeds the single query max cost limit ({LARGEST_QUERY}).",
        "extensions": {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": LARGEST_QUERY},
    }


SIMULATOR: Final = ShopifySimulator
