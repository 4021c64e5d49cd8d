"""Which connectors there are and how to build one.

A vendor is a folder of this package whose spec.py says what it is; it is found, never listed. Its other modules are
imported only when one of them is used.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import trueup.connectors
from trueup.configuration.model import ChannelDeclaration, SystemDeclaration
from trueup.connectors.base import Connector, Writer
from trueup.connectors.forms import FieldPlace, FormField
from trueup.connectors.http.deadline import BoundedReader
from trueup.connectors.spec import STOCK_SET, ConnectorSpec, Option
from trueup.connectors.state import ProcessState, SharedState
from trueup.connectors.webhooks import Notice, Verify
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent


def _found() -> dict[str, ConnectorSpec]:
    """Every folder of the package that has a spec.py, by its name."""
    specs: dict[str, ConnectorSpec] = {}
    for module in pkgutil.iter_modules(trueup.connectors.__path__):
        where = f"trueup.connectors.{module.name}.spec"
        if module.ispkg and importlib.util.find_spec(where) is not None:
            specs[module.name] = importlib.import_module(where).SPEC
    return specs


CONNECTORS: Final[Mapping[str, ConnectorSpec]] = _found()
SIGNATURE_HEADERS: Final = frozenset(spec.signed_in for spec in CONNECTORS.values() if spec.signed_in is not None)
"""The headers that carry the signature of a vendor's webhook, in lower case."""


def build_connector(
    declaration: SystemDeclaration, details: ConnectionDetails, state: SharedState | None = None
) -> Connector:
    """Build what reads the system; no I/O. Raises `Permanent` where the connection cannot be meant.

    `state`: where all workers share quotas and tokens; None where nothing but this process is known.
    """
    spec = _spec(declaration, details)
    connector: Connector = _load(spec, spec.reader)(details, state or ProcessState())
    return BoundedReader(connector)


def build_writer(
    declaration: SystemDeclaration,
    details: ConnectionDetails,
    channel: ChannelDeclaration,
    state: SharedState | None = None,
    *,
    capability: str = STOCK_SET,
) -> Writer:
    """Build what writes to the channel; no I/O. Raises `Permanent` where this system takes no such writes.

    `state`: as for `build_connector`. `capability`: what is written, such as `fulfilment.create`.
    """
    spec = _spec(declaration, details)
    if STOCK_SET not in spec.writes:
        raise Permanent(f"{spec.title} takes no corrections; name another system in channels.yml")
    build = _write_builder(spec, capability)
    if capability == STOCK_SET and channel.shows not in spec.shows:
        known = ", ".join(sorted(spec.shows))
        raise Permanent(f"{spec.title} channels show {known}; channels.yml says {channel.shows}")
    writer: Writer = build(details, state or ProcessState(), channel)
    return writer


def build_system_writer(
    declaration: SystemDeclaration, details: ConnectionDetails, capability: str, state: SharedState | None = None
) -> Writer:
    """Build what writes to the system itself, such as orders to an ERP; no I/O.

    `capability`: what is written, such as `order.create`. `state`: as for `build_connector`. Raises `Permanent` where
    the system takes no such writes, or lacks an option that they need.
    """
    spec = _spec(declaration, details)
    build = _write_builder(spec, capability)
    missing = [option for option in spec.options if option.is_required and option.name not in declaration.options]
    if missing:
        raise Permanent(
            f"{spec.title} needs options to take {capability}; add to its options in systems.yml: {_in_words(missing)}"
        )
    writer: Writer = build(details, state or ProcessState(), declaration)
    return writer


def require_options(systems: Mapping[str, SystemDeclaration]) -> None:
    """Raise `Permanent` with every option of a declared system that its connector does not know, or misses.

    A system without any takes none of the writes that need them.
    """
    mistakes = []
    for system_id, declaration in systems.items():
        spec = CONNECTORS.get(declaration.connector)
        if spec is None or not declaration.options:
            continue
        known = {option.name for option in spec.options}
        where = f"systems.yml: systems.{system_id}.options"
        mistakes += [
            f"{where}.{name}: {spec.title} has no such option; remove it or name one of {', '.join(sorted(known))}"
            for name in declaration.options
            if name not in known
        ]
        mistakes += [
            f"{where}.{option.name}: missing; enter {option.help}"
            for option in spec.options
            if option.is_required and option.name not in declaration.options
        ]
    if mistakes:
        raise Permanent("\n".join(mistakes))


def takes_webhooks(declaration: SystemDeclaration) -> bool:
    """Whether the system's webhooks can trigger a poll."""
    spec = CONNECTORS.get(declaration.connector)
    return spec is not None and spec.signed_in is not None


def verify_webhook(
    declaration: SystemDeclaration, details: ConnectionDetails, headers: Mapping[str, str], body: bytes
) -> Notice:
    """Tell what a webhook is about; `headers` are asked for by names in lower case.

    Raises `NotGenuine` where it is not signed as the vendor signs, `Permanent` where the connection lacks the secret.
    """
    spec = _spec(declaration, details)
    if spec.signed_in is None:
        raise Permanent(f"{spec.title} sends no webhooks that Trueup knows")
    verify: Verify = _load(spec, spec.webhook)
    return verify(details, headers, body)


def _spec(declaration: SystemDeclaration, details: ConnectionDetails) -> ConnectorSpec:
    spec = CONNECTORS.get(declaration.connector)
    if spec is None:
        known = ", ".join(sorted(CONNECTORS))
        raise Permanent(f"no connector '{declaration.connector}'; systems.yml can name {known}")
    unknown = [stream for stream in declaration.streams if stream not in spec.streams]
    if unknown:
        raise Permanent(
            f"{spec.title} has no stream {', '.join(unknown)}; systems.yml can name {', '.join(spec.streams)}"
        )
    if details.conn_type != spec.name:
        raise Permanent(
            f"connection '{details.conn_id}' is of type '{details.conn_type}', systems.yml wants '{spec.name}' there;"
            " make the connection anew with that type, or name another"
        )
    missing = [field.label for field in spec.form if field.is_required and not _value(field, details)]
    if missing:
        raise Permanent(f"connection '{details.conn_id}' ({spec.title}) lacks {', '.join(missing)}; fill it in")
    return spec


def _write_builder(spec: ConnectorSpec, capability: str) -> Callable[..., Any]:
    if capability not in spec.writes:
        known = ", ".join(sorted(spec.writes)) or "nothing"
        raise Permanent(f"{spec.title} takes no {capability}; it takes {known}")
    return _load(spec, spec.writes[capability])


def _in_words(options: Iterable[Option]) -> str:
    return "; ".join(f"{option.name} ({option.help})" for option in options)


def _value(field: FormField, details: ConnectionDetails) -> object:
    match field.place:
        case FieldPlace.HOST:
            return details.host
        case FieldPlace.PORT:
            return details.port
        case FieldPlace.LOGIN:
            return details.login
        case FieldPlace.PASSWORD:
            return details.password
        case FieldPlace.EXTRA:
            return details.extra.get(field.name)


def _load(spec: ConnectorSpec, name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    build: Callable[..., Any] = getattr(importlib.import_module(f"trueup.connectors.{spec.name}.{module}"), function)
    return build
