"""Vendure's Admin API: logging in, asking, and its errors, which come with status 200.

Measured on Vendure 3.7: a list gives at most 1,000 and can only be paged by offset; a session that has ended, and a
missing permission, are both `FORBIDDEN`; an internal error may carry SQL, so no message of it is quoted.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from trueup.connectors.http.addresses import base_url
from trueup.connectors.http.answers import Answer
from trueup.connectors.http.auth import Ask, Grant, TokenHeader
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.graphql import Document, ErrorMeaning, GraphQL, GraphQLError, errors_of
from trueup.connectors.http.paging import PageRead, by_offset
from trueup.connectors.http.redaction import Redaction
from trueup.connectors.reading import started_at
from trueup.connectors.state import SharedState
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient, TrueupError

_SYSTEM = "Vendure"
_TOKEN_HEADER = "vendure-auth-token"  # noqa: S105 - the header's name, no token
INTERNAL_ERROR = "INTERNAL_SERVER_ERROR"
_PERMISSIONS = (
    "give the connection's user the permissions ReadCatalog, ReadOrder and, to write, UpdateCatalog and UpdateOrder"
)
ERRORS = ErrorMeaning(unauthorized={"FORBIDDEN": _PERMISSIONS, "UNAUTHORIZED": _PERMISSIONS})
_CLOCK = Document("clock", "query Clock { activeChannel { id } }")
_LOGIN = """
mutation LogIn($login: String!, $password: String!) {
    login(username: $login, password: $password) {
        __typename
        ... on ErrorResult { errorCode }
    }
}
"""


class AdminApi(GraphQL):
    """One shop's Admin API, seen through one sales channel."""

    def __init__(self, client: HttpClient, url: str) -> None:
        super().__init__(client, url, _refusal)

    def started_at(self) -> datetime:
        """Return what the shop's clock shows at the least."""
        return started_at(self.client, lambda: self.ask(_CLOCK))

    def field(self, document: Document, answer: Answer, name: str) -> Any:  # noqa: ANN401 - whatever the field holds
        """Return the field of the answer's data."""
        data = self.data(document, answer)
        if data.get(name) is None:
            raise Transient(f"{_SYSTEM} answered without '{name}'; try again, then check the connection's host")
        return data[name]

    def pages(self, document: Document, name: str, options: Mapping[str, Any], size: int) -> Iterator[PageRead]:
        """Yield every page of a list by id; at least one, if empty."""

        def ask(skip: int) -> Answer:
            return self.ask(document, {"options": {**options, "sort": {"id": "ASC"}, "take": size, "skip": skip}})

        def items(answer: Answer) -> Sequence[Any]:
            found = self.field(document, answer, name)
            listed = found.get("items") if isinstance(found, Mapping) else None
            if not isinstance(listed, list):
                raise Transient(f"{_SYSTEM} answered '{name}' without its items; try again")
            return listed

        return by_offset(f"{_SYSTEM}, list '{name}'", ask, items, _id_of, size)

    def all(
        self, document: Document, name: str, options: Mapping[str, Any], size: int = 500
    ) -> list[Mapping[str, Any]]:
        """Return every object of a list."""
        pages = self.pages(document, name, options, size)
        return [item for read in pages for item in read.items if isinstance(item, Mapping)]


def _id_of(item: object) -> object:
    return item.get("id") if isinstance(item, Mapping) else None


def connect_api(details: ConnectionDetails, state: SharedState) -> AdminApi:
    """Build what speaks to the shop; no I/O."""
    address = base_url(_SYSTEM, details)
    url = address if httpx.URL(address).path.strip("/") else f"{address}/admin-api"
    channel_token = details.extra.get("channel_token")
    client = HttpClient(
        _SYSTEM,
        details,
        authenticator=TokenHeader(_login_grant(url, details)),
        headers={"vendure-token": str(channel_token)} if channel_token else {},
        verdict_of=ERRORS.verdict_of,
        our_time=state.now,
    )
    return AdminApi(client, url)


def failed(answer: Answer) -> str | None:
    """Return the code of the answer's first error, None where it has none."""
    errors = errors_of(answer)
    return (errors[0].code or "an error without a code") if errors else None


def _refusal(where: str, errors: Sequence[GraphQLError]) -> TrueupError:
    # Only the code: the message of an internal error can hold SQL.
    code = errors[0].code or "an error without a code"
    if code == INTERNAL_ERROR:
        return Transient(f"{where}: answered {code}; try again, then see the server's log")
    return Permanent(f"{where}: answered {code}; the request does not fit this version, see docs/systems/vendure.md")


def _login_grant(url: str, details: ConnectionDetails) -> Grant:
    def grant(ask: Ask, redaction: Redaction) -> Mapping[str, Any]:
        variables = {"login": details.login or "", "password": details.password or ""}
        answer = ask("POST", url, json={"query": _LOGIN, "variables": variables})
        reported = answer.body.get("data") if isinstance(answer.body, Mapping) else None
        result = reported.get("login") if isinstance(reported, Mapping) else None
        if not isinstance(result, Mapping):
            raise Transient(
                f"{_SYSTEM} (connection '{details.conn_id}') answered the login without a result; try again"
            )
        if result.get("errorCode"):
            raise Permanent(
                f"{_SYSTEM} refused the login of connection '{details.conn_id}' ({result['errorCode']}); renew its"
                " login and password"
            )
        token = answer.headers.get(_TOKEN_HEADER)
        if not token:
            raise Permanent(
                f"{_SYSTEM} (connection '{details.conn_id}') gave no token for the login; allow 'bearer' in its"
                " authOptions.tokenMethod"
            )
        redaction.add(token)
        return {"access_token": token}

    return grant
