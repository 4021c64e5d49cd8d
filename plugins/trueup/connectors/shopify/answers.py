"""What a Shopify answer says beside its data: errors that come as 200, points, and where a list goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.cost_bucket import ReportedBucket
from trueup.connectors.http.graphql import ErrorMeaning, errors_of
from trueup.domain.errors import Transient

READ_ALL_ORDERS = "read_all_orders"
READ_RETURNS = "read_returns"
"""Of the stream `returns` alone."""
READ_SCOPES = ("read_products", "read_locations", "read_inventory", "read_orders", READ_ALL_ORDERS)
WRITE_SCOPE = "write_inventory"
_TOO_DEAR = "MAX_COST_EXCEEDED"
_THROTTLED = "THROTTLED"
_REMEDIES = {
    "ACCESS_DENIED": (
        f"grant the app the missing scope ({', '.join((*READ_SCOPES, READ_RETURNS, WRITE_SCOPE))}) and install it again"
    ),
    "SHOP_INACTIVE": "the store is closed or frozen; ask the retailer",
}


def is_too_dear(answer: Answer) -> bool:
    """Whether no waiting helps: it asks for more than one query may cost, or than a full bucket holds."""
    codes = {error.code for error in errors_of(answer)}
    reported, asked = reported_bucket(answer), requested_cost(answer)
    is_beyond = reported is not None and asked is not None and asked > reported.maximum
    return _TOO_DEAR in codes or (_THROTTLED in codes and is_beyond)


def reported_bucket(answer: Answer) -> ReportedBucket | None:
    """Return what the answer tells of the bucket, None where it tells nothing."""
    cost = _cost(answer)
    status = cost.get("throttleStatus")
    if not isinstance(status, Mapping):
        return None
    available, maximum, restore = (
        _number(status.get(name)) for name in ("currentlyAvailable", "maximumAvailable", "restoreRate")
    )
    if available is None or maximum is None or restore is None:
        return None
    return ReportedBucket(
        available, maximum, restore, _number(cost.get("requestedQueryCost")), _number(cost.get("actualQueryCost"))
    )


def _refill_seconds(answer: Answer) -> float | None:
    reported, asked = reported_bucket(answer), requested_cost(answer)
    if reported is None or asked is None or reported.restore_rate <= 0:
        return None
    return max(0.0, (asked - reported.available) / reported.restore_rate)


def _cost(answer: Answer) -> Mapping[str, Any]:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    extensions = body.get("extensions")
    cost = extensions.get("cost") if isinstance(extensions, Mapping) else None
    return cost if isinstance(cost, Mapping) else {}


def requested_cost(answer: Answer) -> float | None:
    """Return the points that Shopify wanted to see for the request, None where it does not say."""
    return _number(_cost(answer).get("requestedQueryCost"))


def scopes_of(data: Mapping[str, Any]) -> frozenset[str]:
    """Return what the app may at the store; a scope that lets it write lets it read, told or not."""
    app = data.get("currentAppInstallation")
    scopes = app.get("accessScopes") if isinstance(app, Mapping) else None
    if not isinstance(scopes, list):
        raise Transient("Shopify answered without the app's scopes; try again")
    reported = {str(scope.get("handle")) for scope in scopes if isinstance(scope, Mapping)}
    return frozenset(reported | {scope.replace("write_", "read_", 1) for scope in reported})


def _number(reported: object) -> float | None:
    return float(reported) if isinstance(reported, int | float) and not isinstance(reported, bool) else None


def page_of(connection: object) -> tuple[Sequence[Any] | None, str | None]:
    """Return the page's nodes and the cursor of the next, None where there is none."""
    if not isinstance(connection, Mapping):
        return None, None
    nodes, info = connection.get("nodes"), connection.get("pageInfo")
    if not isinstance(nodes, list) or not isinstance(info, Mapping) or not isinstance(info.get("hasNextPage"), bool):
        return None, None
    end = info.get("endCursor")
    if not info["hasNextPage"]:
        return nodes, None
    return (nodes, end) if isinstance(end, str) else (None, None)


ERRORS = ErrorMeaning(
    throttled=frozenset({_THROTTLED}),
    passing=frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"}),
    remedies=_REMEDIES,
    wait=_refill_seconds,
    is_hopeless=is_too_dear,
)
"""What is waited for, and what a person has to change."""
