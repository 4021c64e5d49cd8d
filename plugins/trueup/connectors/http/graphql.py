"""GraphQL over HTTP: documents, errors that come with status 200, and answers that are whole or none.

    meaning = ErrorMeaning(throttled=frozenset({"THROTTLED"}), wait=..., remedies={"ACCESS_DENIED": "grant the scope"})
    client = HttpClient("Shopify", details, authenticator=..., budget=..., verdict_of=meaning.verdict_of)
    api = GraphQL(client, "/admin/api/graphql.json", refusal)
    data = api.data(document, api.ask(document, {"first": 50}))

The client's budget learns from every answer, a throttled one too, and keeps others from meeting the same limit; the
request that met it waits for as long as `wait` reads from the answer. Beside its data an answer may hold errors: half
an answer is none, so `data` refuses it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trueup.connectors.http.answers import Answer, Resend, Verdict
from trueup.connectors.http.client import HttpClient
from trueup.domain.errors import Transient, TrueupError


@dataclass(frozen=True, slots=True)
class Document:
    """One operation. `name` names it in messages and in the budget."""

    name: str
    text: str

    @property
    def is_query(self) -> bool:
        """Whether it only reads."""
        return self.text.lstrip().startswith("query ")


@dataclass(frozen=True, slots=True)
class GraphQLError:
    """One error of an answer. `code` None: it has none. `path`: the field that failed, from the data down."""

    message: str
    code: str | None
    path: tuple[str | int, ...]
    extensions: Mapping[str, Any]

    def __str__(self) -> str:
        where = ".".join(map(str, self.path))
        return f"{self.message} (at {where})" if where else self.message


def errors_of(answer: Answer) -> Sequence[GraphQLError]:
    """Return the answer's top-level errors; none where it has none."""
    reported = answer.body.get("errors") if isinstance(answer.body, Mapping) else None
    if not reported:
        return ()
    return [_error(each) for each in (reported if isinstance(reported, list) else [reported])]


def _error(reported: object) -> GraphQLError:
    error: Mapping[str, Any] = (
        reported if isinstance(reported, Mapping) else {"message": reported} if isinstance(reported, str) else {}
    )
    found, path = error.get("extensions"), error.get("path")
    extensions: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    code = extensions.get("code")
    return GraphQLError(
        str(error.get("message") or "an error without words"),
        code if isinstance(code, str) else None,
        tuple(part for part in path if isinstance(part, str | int)) if isinstance(path, list) else (),
        extensions,
    )


def words_of(errors: Sequence[GraphQLError]) -> str:
    """Return the first errors in words."""
    return "; ".join(map(str, errors[:3]))


@dataclass(frozen=True, slots=True)
class ErrorMeaning:
    """What a vendor's codes ask for before anybody looks at the data: its `verdict_of` is the client's.

    `throttled`: not carried out, may be sent again after `wait`. `passing`: may pass, perhaps carried out. `remedies`:
    a person has to change something. `unauthorized`: as a 401 elsewhere, with what to do where fresh credentials do not
    help. `is_hopeless`: a throttled or passing answer that no waiting helps; whoever asked is to see it.
    """

    throttled: frozenset[str] = frozenset()
    passing: frozenset[str] = frozenset()
    remedies: Mapping[str, str] = field(default_factory=dict)
    unauthorized: Mapping[str, str] = field(default_factory=dict)
    wait: Callable[[Answer], float | None] = lambda _answer: None
    is_hopeless: Callable[[Answer], bool] = lambda _answer: False

    def verdict_of(self, answer: Answer) -> Verdict | None:
        """Read what the answer says was not carried out, None where it says nothing of the kind."""
        for error in errors_of(answer):
            code = error.code or ""
            if code in self.unauthorized:
                return Verdict(f"{code}; {self.unauthorized[code]}", is_retryable=False, is_unauthorized=True)
            if code in self.throttled | self.passing and not self.is_hopeless(answer):
                return Verdict(
                    f"{code}; try again later",
                    is_retryable=True,
                    wait_seconds=self.wait(answer),
                    is_undone=code in self.throttled,
                )
            if code in self.remedies:
                return Verdict(f"{code}, {error.message}; {self.remedies[code]}", is_retryable=False)
        return None


class GraphQL:
    """Asks one endpoint. Threads may share it.

    `refusal` tells what the errors that are left mean: it gets where they came from, and the errors.
    """

    def __init__(
        self, client: HttpClient, path: str, refusal: Callable[[str, Sequence[GraphQLError]], TrueupError]
    ) -> None:
        self.client = client
        self._path = path
        self._refusal = refusal

    def ask(
        self,
        document: Document,
        variables: Mapping[str, Any] | None = None,
        *,
        cost: float = 1.0,
        operation: str = "",
        resend: Resend | None = None,
    ) -> Answer:
        """Send one document; its answer may still hold errors (`data` refuses them).

        `cost` and `operation` are the budget's. `resend` None: `SAFE` for a query, `UNSAFE` for a mutation.
        """
        if resend is None:
            resend = Resend.SAFE if document.is_query else Resend.UNSAFE
        return self.client.request(
            "POST",
            self._path,
            json={"query": document.text, "variables": dict(variables or {})},
            cost=cost,
            operation=operation or document.name,
            resend=resend,
        )

    def data(self, document: Document, answer: Answer) -> Mapping[str, Any]:
        """Return the answer's data; any error in it raises what it means, `Transient` where there is no data."""
        errors = errors_of(answer)
        if errors:
            raise self._refusal(self.where(document), errors)
        data = answer.body.get("data") if isinstance(answer.body, Mapping) else None
        if not isinstance(data, Mapping):
            raise Transient(f"{self.where(document)}: answered without data; try again")
        return data

    def where(self, document: Document) -> str:
        """Name the system, its connection and the document, for a message."""
        return f"{self.client.system} (connection '{self.client.conn_id}'), {document.name}"
