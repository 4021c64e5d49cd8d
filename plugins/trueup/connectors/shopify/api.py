"""Shopify's Admin GraphQL over HTTP: its errors that come as 200, its points, its pages.

The quota belongs to the app at the store. Points are booked before a query is sent (http/cost_bucket.py), so THROTTLED
does not happen; where it does, somebody else spends the same quota, and the wait it tells is kept.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trueup.connectors.http.auth import Authenticator, StaticHeader, TokenHeader, client_secret_grant, refresh_grant
from trueup.connectors.http.client import Answer, HttpClient, Resend, base_url
from trueup.connectors.http.cost_bucket import CostBucket
from trueup.connectors.http.graphql import GraphQL, GraphQLError, errors_of, words_of
from trueup.connectors.http.paging import PageGuard
from trueup.connectors.reading import started_at
from trueup.connectors.shopify.answers import (
    ERRORS,
    is_too_dear,
    page_of,
    reported_bucket,
    requested_cost,
)
from trueup.connectors.shopify.documents import DEAREST_QUERY, LARGEST_PAGE, SHOP, VERSION, CostedDocument
from trueup.connectors.state import SharedState
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient

SYSTEM = "Shopify"
_PATH = f"/admin/api/{VERSION}/graphql.json"
_TOKEN_PATH = "/admin/oauth/access_token"  # noqa: S105 - the endpoint, not a token
_HEADER = "X-Shopify-Access-Token"
_SIZES = (1, 2, 3, 5, 8, 13, 20, 30, 50, 80, 125, 180, LARGEST_PAGE)


class StaleCursor(Transient):
    """Shopify does not know the cursor that it gave a page before."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One page of a GraphQL connection, with the answer that brought it. `is_last`: there is no further page."""

    nodes: Sequence[Any]
    is_last: bool
    answer: Answer


class ShopifyApi:
    """Asks one store. Threads may share it."""

    def __init__(self, client: HttpClient, points: CostBucket) -> None:
        self._client = client
        self._graphql = GraphQL(client, _PATH, self._refusal)
        self._points = points
        self._costs: dict[str, dict[int, float]] | None = None

    @property
    def address(self) -> str:
        """The store's address."""
        return self._client.base_url

    def close(self) -> None:
        """Close the connections to the store."""
        self._client.close()

    def clean(self, text: object) -> str:
        """Mask what must not be written in a text of Shopify's."""
        return self._client.redaction.clean(text)

    def started_at(self) -> datetime:
        """Return what Shopify's clock shows at the least."""
        return started_at(self._client, lambda: self.ask(SHOP, {})[1])

    def ask(
        self, document: CostedDocument, variables: Mapping[str, Any], *, nodes: int = 0, resend: Resend | None = None
    ) -> tuple[Mapping[str, Any], Answer]:
        """Send one document and return its data; any error in the answer raises, for a half answer is none.

        `nodes`: how many are asked for, to know the cost. `resend` None: `SAFE` for a query, `UNSAFE` for a mutation.
        Raises `_TooDear` (within `sized`) where Shopify counts more than one query may cost.
        """
        answer = self._graphql.ask(
            document,
            variables,
            cost=min(DEAREST_QUERY, self._estimate(document, nodes)),
            operation=f"{document.name}/{nodes}",
            resend=resend,
        )
        where = self._graphql.where(document)
        reported = answer.headers.get("x-shopify-api-version")
        if reported is not None and reported != VERSION:
            raise Permanent(
                f"{where}: answered in version {reported}, not {VERSION}, which is supported no more; update Trueup"
            )
        if is_too_dear(answer):
            raise _TooDear(f"{where}: costs more than one query may; declare fewer streams or report this")
        errors = errors_of(answer)
        if errors and "cursor" in errors[0].message.lower() and variables.get("after"):
            raise StaleCursor(f"{where}: refused the cursor of its own last page; read again from the start")
        return self._graphql.data(document, answer), answer

    def _refusal(self, where: str, errors: Sequence[GraphQLError]) -> Permanent:
        return Permanent(f"{where}: {self.clean(words_of(errors))}")

    def sized(
        self, document: CostedDocument, variables: Callable[[int], Mapping[str, Any]], size: int
    ) -> tuple[Mapping[str, Any], Answer, int, int]:
        """Ask for `size` nodes, for fewer as long as Shopify finds it too dear.

        `variables` makes the variables for a size. Returns the data, the answer, the size that went through, and the
        size for the next query, which follows the cost that Shopify itself counted for this one.
        """
        while True:
            try:
                data, answer = self.ask(document, variables(size), nodes=size)
            except _TooDear:
                if size == 1:
                    raise
                size = max(1, size // 2)
                continue
            asked = requested_cost(answer)
            if asked:
                self._known(document)[size] = asked
            return data, answer, size, self.next_size(document)

    def next_size(self, document: CostedDocument) -> int:
        """Return how many nodes the next query of this document may ask for: of few sizes, so that costs get known."""
        limit = self._limit()
        return max((size for size in _SIZES if self._estimate(document, size) <= limit), default=1)

    def pages(
        self, document: CostedDocument, variables: Mapping[str, Any], find: Callable[[Mapping[str, Any]], Any]
    ) -> Iterator[Connection]:
        """Yield every page of the connection that `find` takes from the data.

        A page that is missing or announced twice raises `Transient`: it is unknown, never empty. `StaleCursor`
        where Shopify refuses a page's cursor.
        """
        size = self.next_size(document)
        after: str | None = variables.get("after")
        seen: set[str] = set()
        guard = PageGuard(f"{SYSTEM}, {document.name}")
        while True:
            asked = functools.partial(_with_size, {**variables, "after": after})
            data, answer, _, size = self.sized(document, asked, size)
            connection = find(data)
            nodes, end = page_of(connection)
            if nodes is None:
                raise Transient(f"{SYSTEM}, {document.name}: a page came without its list; read again")
            yield Connection(nodes, end is None, answer)
            if end is None:
                return
            if end in seen:
                raise Transient(f"{SYSTEM}, {document.name}: the same page was announced twice; read again")
            seen.add(end)
            guard.take(nodes)
            after = end

    def _estimate(self, document: CostedDocument, nodes: int) -> float:
        """Return what a query may cost at most, by Shopify's own figures for this document where there are any."""
        known = self._known(document)
        larger = [cost for size, cost in known.items() if size >= nodes]
        rule = document.cost(nodes)
        if larger:
            return min(larger)
        if not known:
            return rule
        # Shopify's costs grow slower than sizes.
        size = max(known)
        return min(rule, known[size] * nodes / size)

    def _known(self, document: CostedDocument) -> dict[int, float]:
        if self._costs is None:
            self._costs = {}
            for operation, cost in self._points.known_costs().items():
                name, _, size = operation.rpartition("/")
                self._costs.setdefault(name, {})[int(size)] = cost
        return self._costs.setdefault(document.name, {})

    def _limit(self) -> float:
        """Return what one query may ask for: a large page is the cheapest by far, so a short wait for it pays."""
        return min(DEAREST_QUERY, self._points.maximum() or DEAREST_QUERY)


def shopify_api(details: ConnectionDetails, state: SharedState) -> ShopifyApi:
    """Build the access to a store from the fields of spec.py's form; no I/O."""
    address = base_url(SYSTEM, details)
    # One quota an app and a store: the client id names the app; a token without one is an app of its own.
    points = CostBucket(f"shopify:{address}/{details.login or details.conn_id}", state, reported_bucket)
    client = HttpClient(
        SYSTEM,
        details,
        authenticator=_authenticator(details, address, state),
        budget=points,
        verdict_of=ERRORS.verdict_of,
        our_time=state.now,
    )
    return ShopifyApi(client, points)


def _authenticator(details: ConnectionDetails, address: str, state: SharedState) -> Authenticator:
    client_secret = str(details.extra.get("client_secret") or "")
    refresh_token = str(details.extra.get("refresh_token") or "")
    if details.login and client_secret and refresh_token:
        grant = refresh_grant(
            token_url=address + _TOKEN_PATH,
            client_id=details.login,
            client_secret=client_secret,
            refresh_token=refresh_token,
            conn_id=details.conn_id,
            state=state,
            is_replaced=True,
        )
        return TokenHeader(grant, header=_HEADER, prefix="")
    if details.login and client_secret:
        grant = client_secret_grant(
            token_url=address + _TOKEN_PATH,
            client_id=details.login,
            client_secret=client_secret,
            conn_id=details.conn_id,
        )
        return TokenHeader(grant, header=_HEADER, prefix="")
    if details.password:
        return StaticHeader(_HEADER, details.password)
    raise Permanent(
        f"connection '{details.conn_id}' ({SYSTEM}) has neither an access token nor a client ID with its secret; fill"
        " in one of them"
    )


class _TooDear(Permanent):
    """The query asks for more than one query may cost: ask for less at once."""


def _with_size(variables: Mapping[str, Any], first: int) -> Mapping[str, Any]:
    return {**variables, "first": first}
