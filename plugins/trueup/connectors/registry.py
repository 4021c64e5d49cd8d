"""Which connectors there are, what each can do, and how to build one.

A connector is added here as data; its module is imported only when one is built.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trueup.connectors.base import Connector, Writer
from trueup.connectors.forms import (
    FieldPlace,
    FormField,
    extra_field,
    host_field,
    login_field,
    secret_field,
)
from trueup.connectors.http.deadline import BoundedReader
from trueup.connectors.state import ProcessState, SharedState
from trueup.connectors.webhooks import Notice, Verify
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.governance.configuration import ChannelDeclaration, QuantityMeaning, SystemDeclaration


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """One vendor. `streams` in the order in which they are to be read.

    `connector` and `writer` name what builds them, as "module:function" below this package. Both take
    `(details, state)`; a writer takes the channel's declaration as well. `writer` None: read only.
    `writes`: the meanings of a shown quantity that the writer can set. `webhook` names what proves that a webhook is
    the vendor's; None where it sends none.
    """

    name: str
    title: str
    streams: tuple[str, ...]
    connector: str
    form: tuple[FormField, ...]
    writer: str | None = None
    writes: frozenset[QuantityMeaning] = frozenset()
    webhook: str | None = None


CONNECTORS: Mapping[str, ConnectorSpec] = {
    spec.name: spec
    for spec in (
        ConnectorSpec(
            name="netsuite",
            title="NetSuite",
            streams=("locations", "products", "stock_levels", "stock_movements", "orders"),
            connector="netsuite.reader:connect",
            form=(
                host_field("https://1234567.suitetalk.api.netsuite.com", "The account's SuiteTalk address"),
                login_field("Client ID", "The consumer key of the integration record (OAuth 2.0, client credentials)"),
                secret_field(
                    "Private key", "PEM of the key whose certificate was uploaded; line breaks may be written as \\n"
                ),
                extra_field(
                    "certificate_id",
                    "Certificate ID",
                    "Shown at OAuth 2.0 Client Credentials (M2M) Setup after the upload",
                    is_required=True,
                ),
                extra_field("algorithm", "Signature", "PS256 for an RSA key, ES256 for an EC one", placeholder="PS256"),
                extra_field(
                    "account_concurrency",
                    "Concurrent requests",
                    "What the account's tier allows this integration at once",
                    placeholder="5",
                ),
                extra_field(
                    "time_zone",
                    "Time zone",
                    "Of the integration's user in Set Preferences; set it to GMT there and leave this empty",
                    placeholder="UTC",
                ),
                extra_field(
                    "channel_field",
                    "Channel field",
                    "Body field of a sales order that names the channel; empty string where there is none",
                    placeholder="custbody_channel",
                ),
            ),
        ),
        ConnectorSpec(
            name="shopify",
            title="Shopify",
            # Listings before orders: an order that comes after the observation has moved the fence by then, so a
            # correction decided on this read is refused there instead of applied to what is already sold.
            streams=("locations", "products", "listings", "orders"),
            connector="shopify.reader:connect",
            webhook="webhooks:verify_shopify",
            writer="shopify.reader:connect_writer",
            writes=frozenset({QuantityMeaning.AVAILABLE}),
            form=(
                host_field("https://my-shop.myshopify.com", "The store's permanent address, not its own domain"),
                secret_field(
                    "Access token",
                    "Admin API token of an app that keeps one; empty where client ID and secret are given",
                    is_required=False,
                ),
                login_field("Client ID", "Of the app in the Dev Dashboard", is_required=False),
                extra_field(
                    "client_secret", "Client secret", "Of the same app; signs its webhooks too", is_secret=True
                ),
                extra_field(
                    "refresh_token",
                    "Refresh token",
                    "Of an expiring offline token; empty for the client credentials grant",
                    is_secret=True,
                ),
            ),
        ),
        ConnectorSpec(
            name="shipbob",
            title="ShipBob",
            streams=("locations", "products", "stock_levels", "stock_movements", "orders"),
            connector="shipbob.reader:connect",
            webhook="webhooks:verify_shipbob",
            form=(
                host_field("https://api.shipbob.com"),
                secret_field("Access token", "A personal access token with the read scopes"),
                extra_field(
                    "requests_per_minute", "Requests a minute", "What ShipBob grants this account", placeholder="150"
                ),
                extra_field(
                    "webhook_secret", "Webhook secret", "Of the webhook subscription (whsec_...)", is_secret=True
                ),
            ),
        ),
        ConnectorSpec(
            name="square",
            title="Square",
            # Counts before orders, for the reason that listings come before them at Shopify.
            streams=("locations", "products", "stock_levels", "stock_movements", "orders"),
            connector="square.reader:connect",
            webhook="webhooks:verify_square",
            writer="square.writers.inventory:connect_writer",
            writes=frozenset({QuantityMeaning.AVAILABLE}),
            form=(
                host_field("https://connect.squareup.com"),
                secret_field(
                    "Access token",
                    "A personal access token; empty where client ID, secret and refresh token are given",
                    is_required=False,
                ),
                login_field("Client ID", "The application ID, for OAuth", is_required=False),
                extra_field("client_secret", "Client secret", "Of the same application", is_secret=True),
                extra_field("refresh_token", "Refresh token", "Of the seller's consent", is_secret=True),
                extra_field("webhook_secret", "Webhook signature key", "Of the webhook subscription", is_secret=True),
                extra_field(
                    "webhook_url",
                    "Webhook URL",
                    "The subscription's notification URL, letter by letter: Square signs it",
                    placeholder="https://airflow.example.com/trueup/tenant/hooks/square",
                ),
            ),
        ),
        ConnectorSpec(
            name="tryton",
            title="Tryton",
            streams=("locations", "products", "stock_levels", "stock_movements", "orders"),
            connector="tryton.reader:connect",
            form=(
                host_field("https://erp.example.com"),
                secret_field("Application key", "Of a user application that was allowed to use REST"),
                extra_field("database", "Database", "The name that stands in Tryton's addresses", is_required=True),
                extra_field("company", "Company", "Id of the company to read; empty where there is only one"),
            ),
        ),
        ConnectorSpec(
            name="vendure",
            title="Vendure",
            # Listings before orders, as at Shopify.
            streams=("locations", "products", "listings", "orders"),
            connector="vendure.reader:connect",
            writer="vendure.writers.inventory:connect_writer",
            writes=frozenset({QuantityMeaning.ON_HAND}),
            form=(
                host_field("https://shop.example.com/admin-api", "Of the Admin API; /admin-api where no path is given"),
                login_field("User", "An administrator with ReadCatalog, ReadOrder and UpdateCatalog"),
                secret_field("Password", "Of the same administrator"),
                extra_field("channel_token", "Channel token", "Of the sales channel; empty for the default one"),
            ),
        ),
    )
}


def build_connector(
    declaration: SystemDeclaration, details: ConnectionDetails, state: SharedState | None = None
) -> Connector:
    """Build what reads the system; no I/O. Raises `Permanent` where the connection cannot be meant.

    `state`: where all workers share quotas and tokens; None where nothing but this process is known.
    """
    spec = _spec(declaration, details)
    connector: Connector = _load(spec.connector)(details, state or ProcessState())
    return BoundedReader(connector)


def build_writer(
    declaration: SystemDeclaration,
    details: ConnectionDetails,
    channel: ChannelDeclaration,
    state: SharedState | None = None,
) -> Writer:
    """Build what writes to the channel; no I/O. Raises `Permanent` where this system takes no such writes.

    `state`: as for `build_connector`.
    """
    spec = _spec(declaration, details)
    if spec.writer is None:
        raise Permanent(f"{spec.title} takes no corrections; name another system in channels.yml")
    if channel.shows not in spec.writes:
        known = ", ".join(sorted(spec.writes))
        raise Permanent(f"{spec.title} channels show {known}; channels.yml says {channel.shows}")
    writer: Writer = _load(spec.writer)(details, state or ProcessState(), channel)
    return writer


def takes_webhooks(declaration: SystemDeclaration) -> bool:
    """Whether the system can ring for a poll."""
    spec = CONNECTORS.get(declaration.connector)
    return spec is not None and spec.webhook is not None


def verify_webhook(
    declaration: SystemDeclaration, details: ConnectionDetails, headers: Mapping[str, str], body: bytes
) -> Notice:
    """Tell what a webhook is about; `headers` are asked for by names in lower case.

    Raises `NotGenuine` where it is not signed as the vendor signs, `Permanent` where the connection lacks the secret.
    """
    spec = _spec(declaration, details)
    if spec.webhook is None:
        raise Permanent(f"{spec.title} sends no webhooks that Trueup knows")
    verify: Verify = _load(spec.webhook)
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


def _load(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    build: Callable[..., Any] = getattr(importlib.import_module(f"trueup.connectors.{module}"), function)
    return build
