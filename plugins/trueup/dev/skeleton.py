"""The files of a new connector, in their places, ready to be filled in: what `trueup connector new` writes.

Each says what belongs there. The suites find the connector as soon as its spec.py is there, so they are red until it is
filled in.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Final

from trueup.contracts.kinds import record_kinds, stream_kinds
from trueup.domain.errors import Permanent
from trueup.transform.staging import described

_SPEC: Final = Template('''"""$title: say in a sentence what it is to a retailer."""

from trueup.connectors.forms import host_field, secret_field
from trueup.connectors.spec import ConnectorSpec

SPEC = ConnectorSpec(
    name="$name",
    title="$title",
    streams=($streams),
    form=(
        host_field("https://api.example.com", "Where the account shows it"),
        secret_field("Access token", "With which scopes"),
    ),
)
''')
_READER: Final = Template('''"""$title: what is read, by which time, and what is left out on purpose."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.auth import bearer
from trueup.connectors.http.client import HttpClient
from trueup.connectors.http.paging import PageRead, by_number
from trueup.connectors.reading import items_of, key_of, rfc3339, text_or_none
from trueup.connectors.state import SharedState
from trueup.connectors.stream_reader import ListReader, StreamList
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Record


def connect(details: ConnectionDetails, state: SharedState) -> ListReader:
    """Build the reader; no I/O."""
    client = HttpClient("$title", details, authenticator=bearer(details.password or ""), our_time=state.now)
    return ListReader($class(client))


class $class:
    """How each stream is read."""

    overlap = timedelta(minutes=10)  # how long after a change is stamped it can be seen

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def ask_clock(self) -> Answer:
        return self.client.request("GET", "/$first", params={"page": 1})

    def reached(self, answer: Answer) -> str:
        return f"{len(items_of(answer, 'data', '$title'))} $first"

    def lists(self) -> Mapping[str, StreamList]:
        return {stream: StreamList(self._list(stream), _record) for stream in ($streams)}

    def _list(self, stream: str) -> Any:  # noqa: ANN401 - what StreamList asks by
        def ask_since(since: datetime | None) -> Iterator[PageRead]:
            changed = {} if since is None else {"updated_after": rfc3339(since)}

            def ask(number: int) -> Answer:
                return self.client.request("GET", f"/{stream}", params={"page": number, **changed})

            return by_number(f"$title, {stream}", ask, lambda answer: items_of(answer, "data", "$title"))

        return ask_since


def _record(item: Mapping[str, Any]) -> Record:
    return Record(source_key=key_of(item["id"]), payload=item, source_version=text_or_none(item.get("updated_at")))
''')
_CONTRACT: Final = Template("""# Say what one record is, and what of it a reader must know.
stream: $stream
connector: $name
version: "1"
key: "id"
source: $title API, the operation and its type
fields:
  id: {type: id, required: true}
""")
_SIMULATOR: Final = Template('''"""$title's API over the world, from its published contract alone."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from trueup.sandbox.world.faults import FaultKind, Faults
from trueup.sandbox.vendors.simulator import Connection
from trueup.sandbox.vendors.vendor_api import Refusal, ShopApi, Window
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.world import World


class Problem(Refusal):
    """How the vendor says no."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status

    def response(self) -> Response:
        return JSONResponse({"title": str(self)}, status_code=self.status)


class $simulator(ShopApi):
    """One account. `requests` is set by `/world/tuning`."""

    tuned = "requests"

    def __init__(self, system_id: str, world: World, faults: Faults, courier: Courier) -> None:
        super().__init__(system_id, world, faults, courier, token=self.new_secret(), window=Window(100, 60.0))
        self._app = Starlette(routes=[self.route("GET", "/$first", self._listed)])

    @property
    def app(self) -> ASGIApp:
        return self._app

    def connection(self, base_url: str) -> Connection:
        return Connection("$name", base_url, password=self.token)

    def fault_response(self, kind: FaultKind, retry_after_seconds: int) -> Response:
        if kind is FaultKind.RATE_LIMITED:
            return self.asked_to_wait(retry_after_seconds)
        return Problem(503, "Service Unavailable").response()

    def is_let_in(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {self.token}"

    def turned_away(self) -> Response:
        return Problem(401, "Unauthorized").response()

    def asked_to_wait(self, seconds: int) -> Response:
        response = Problem(429, "Too many requests").response()
        response.headers["Retry-After"] = str(seconds)
        return response

    def not_json(self, what: str) -> Refusal:
        return Problem(400, what)

    def _listed(self, _request: Request, _body: Mapping[str, Any]) -> Response:
        raise Problem(501, "say here what the vendor answers")


SIMULATOR: Final = $simulator
''')
_PAGE: Final = Template("""# $title

Say what it is to a retailer, and how it is declared.

## Connect it

| field | value |
|---|---|
| Address | where the account shows it |
| Access token | with which scopes |

In Airflow make a connection of type *Trueup: $title* and press *Test*.

## What is read

| stream | a poll asks for |
|---|---|
$rows

## When it goes wrong

| message | do |
|---|---|
""")


def write_skeleton(project: Path, name: str, title: str, streams: Sequence[str]) -> list[Path]:
    """Write the files of a new connector under the checkout `project`; return them.

    `name`: its folder, `title`: the vendor's name as people write it, `streams`: kinds of contracts/streams.yml, in the
    order in which they are read. Raises `Permanent` where there is such a connector, or no such kind.
    """
    unknown = [stream for stream in streams if stream not in stream_kinds()]
    if unknown or not streams:
        raise Permanent(f"no kind of record {', '.join(unknown) or 'named'}; there are {', '.join(stream_kinds())}")
    if not (name.isidentifier() and name.islower()):
        raise Permanent(f"'{name}' cannot name a folder; use lower case letters and underscores")
    texts = _texts(name, title, streams)
    there = [path for path in texts if (project / path).exists()]
    if there:
        raise Permanent(f"{there[0]} is there already; take another name, or go on with what is there")
    for path, text in texts.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")
    return [*map(Path, texts), write_description(project, name, title)]


def write_description(project: Path, name: str, title: str) -> Path:
    """Describe the connector's staging models anew from their kinds; the file, relative to the checkout."""
    path = Path(f"dbt_project/models/staging/{name}/stg_{name}.yml")
    (project / path).write_text(described(project / "dbt_project", name, title), encoding="utf-8")
    return path


def _texts(name: str, title: str, streams: Sequence[str]) -> Mapping[str, str]:
    words = "".join(part.title() for part in name.split("_"))
    placeholders = {
        "name": name,
        "title": title,
        "class": f"{words}Streams",
        "simulator": f"{words}Simulator",
        "first": streams[0],
        "streams": ", ".join(f'"{stream}"' for stream in streams) + ",",
        "rows": "\n".join(f"| `{stream}` | |" for stream in streams),
    }
    connector, simulator = f"plugins/trueup/connectors/{name}", f"plugins/trueup/sandbox/vendors/{name}"
    texts = {
        f"{connector}/__init__.py": f'"""{title}: what it is (spec.py), what reads it and what writes to it."""\n',
        f"{connector}/spec.py": _SPEC.substitute(placeholders),
        f"{connector}/reader.py": _READER.substitute(placeholders),
        f"{simulator}/__init__.py": f'"""{title}: its API over its own books, from the published contract."""\n',
        f"{simulator}/simulator.py": _SIMULATOR.substitute(placeholders),
        f"docs/systems/{name}.md": _PAGE.substitute(placeholders),
    }
    for stream in streams:
        texts[f"plugins/trueup/contracts/{name}/{stream}.yml"] = _CONTRACT.substitute(placeholders, stream=stream)
        texts[f"dbt_project/models/staging/{name}/stg_{name}__{stream}.sql"] = _staging(name, stream)
    return texts


def _staging(name: str, stream: str) -> str:
    """A model with every column of its kind, each to be taken from where the vendor has it."""
    lines = ",\n".join(f"        records.payload ->> '{column}' as {column}" for column in record_kinds()[stream].own)
    return (
        f'with records as (\n    {{{{ raw_records("{name}", "{stream}") }}}}\n),\n\nfinal as (\n    select\n'
        f"        {{{{ record_columns() }}}},\n{lines}\n    from records\n)\n\nselect * from final\n"
    )
