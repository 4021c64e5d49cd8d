"""What the resolvers of one request work on, and how any field is answered."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, TypeAlias

from graphql import GraphQLError, GraphQLResolveInfo

from trueup.sandbox.vendors.shopify.books import ShopBooks
from trueup.sandbox.vendors.shopify.jobs import Jobs
from trueup.sandbox.vendors.shopify.money_objects import Bag
from trueup.sandbox.vendors.shopify.mutations import IdempotencyLedger, SetQuantities
from trueup.sandbox.vendors.shopify.objects import Record
from trueup.sandbox.vendors.shopify.order_writes import OrderWrites
from trueup.sandbox.vendors.shopify.refund_writes import RefundLedger, RefundWrites
from trueup.sandbox.vendors.shopify.return_writes import ReturnWrites
from trueup.sandbox.vendors.shopify.search import Connection, Fields, matching, page
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.vendors.shopify.subscriptions import Subscriptions
from trueup.sandbox.world.money import Amounts

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_ORDERS_SEEN = timedelta(days=60)


@dataclass(slots=True)
class Shop(Record):
    """The store itself."""

    kind: ClassVar[str] = "Shop"
    name: str
    myshopify_domain: str
    created_at: datetime
    email: str = "shop@example.com"
    currency_code: str = "GBP"
    iana_timezone: str = "Etc/UTC"
    order_number_format_prefix: str = "#"


@dataclass(frozen=True, slots=True)
class Context:
    """What one request's resolvers work on. `is_broken` says whether a node shall fail to be read.

    `scopes`: what the app may. Without `read_all_orders` the orders of the last 60 days are all there is to see
    (shopify.dev/docs/api/admin-graphql/2026-10/objects/Order).
    """

    books: ShopBooks
    scopes: frozenset[str]
    now: Callable[[], datetime]
    shop: Shop
    subscriptions: Subscriptions
    ledger: IdempotencyLedger
    set_quantities: SetQuantities
    jobs: Jobs
    order_writes: OrderWrites
    refund_writes: RefundWrites
    refund_ledger: RefundLedger
    return_writes: ReturnWrites
    is_broken: Callable[[], bool]
    is_cursor_stale: Callable[[], bool]
    variables: Mapping[str, Any]

    def may(self, scope: str) -> bool:
        """Whether the app has the scope; one that lets it write lets it read."""
        return scope in self.scopes or scope.replace("read_", "write_", 1) in self.scopes

    def orders(self) -> list[ShopOrder]:
        """The orders that the app may see."""
        return [order for order in self.books.orders.values() if self.sees(order)]

    def sees(self, order: ShopOrder) -> bool:
        """Whether the app may see the order."""
        return sees_order(order, self.scopes, self.now())


def sees_order(order: ShopOrder, scopes: frozenset[str], now: datetime) -> bool:
    """Whether an app with these scopes may see the order."""
    return "read_all_orders" in scopes or order.created_at >= now - _ORDERS_SEEN


Info: TypeAlias = GraphQLResolveInfo[Context]
Written = Callable[[Any, Info, Mapping[str, Any]], Any]
"""Answers one field: its source, the request, the arguments."""


@cache
def python_name(name: str) -> str:
    """`currentTotalPriceSet` is `current_total_price_set`."""
    return _CAPITAL.sub("_", name).lower()


def plain_value(value: object, source: Any) -> Any:  # noqa: ANN401 - a field's value
    """A value of the books as the schema has it: moments as text, amounts in both of their source's currencies."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return Bag(value, source.currencies) if isinstance(value, Amounts) else value


def denied(field: str, scope: str) -> GraphQLError:
    """Shopify's words to an app without the scope."""
    return GraphQLError(
        f"Access denied for {field} field. Required access: `{scope}` access scope.",
        extensions={"code": "ACCESS_DENIED", "requiredAccess": f"`{scope}` access scope."},
    )


def paged(
    records: Sequence[Any], arguments: Mapping[str, Any], fields: Fields, key: Callable[[Any], tuple[Any, int]]
) -> Connection:
    """One page of those records that the search finds."""
    found = matching(records, arguments.get("query"), fields)
    cut = {name: arguments.get(name) for name in ("first", "last", "after", "before")}
    return page(found, key, reverse=bool(arguments.get("reverse")), **cut)


def by_number(record: Any) -> tuple[Any, int]:  # noqa: ANN401 - any record
    """The order in which records were made."""
    return record.number, record.number


def listed(rows: Sequence[Any], arguments: Mapping[str, Any]) -> Connection:
    """One page of a list that is not searched."""
    return paged(rows, {**arguments, "query": None}, {}, by_number)


def counted(count: int) -> dict[str, Any]:
    """A `Count`."""
    return {"count": count, "precision": "EXACT"}
