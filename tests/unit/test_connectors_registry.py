"""The registry: connectors as data, and mistakes in a connection named with their remedy."""

from typing import Any

import pytest

from trueup.connectors import registry
from trueup.connectors.forms import FieldPlace
from trueup.connectors.registry import CONNECTORS, build_connector, build_writer
from trueup.contracts.loader import all_contracts
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.governance.configuration import ChannelDeclaration, QuantityMeaning, SystemDeclaration, SystemRole

CHANNEL = ChannelDeclaration(system="shop", listing_location="gid://shopify/Location/1", served_by=())


def declaration(connector: str, *streams: str) -> SystemDeclaration:
    return SystemDeclaration(connector=connector, connection="c", role=SystemRole.SHOP, streams=streams)


def details(connector: str = "shopify", **told: Any) -> ConnectionDetails:  # noqa: ANN401 - a connection's fields
    return ConnectionDetails("c", connector, **{"host": "https://shop.example.com", "password": "token", **told})


@pytest.mark.parametrize("name", CONNECTORS)
def test_every_connector_can_be_built_from_what_its_form_asks(name: str) -> None:
    """A form that lacks a field makes a connection that cannot work; building one does no I/O."""
    spec = CONNECTORS[name]
    filled = {field.name: "1" for field in spec.form if field.is_required and field.place is FieldPlace.EXTRA}
    told = details(name, login="us", extra=filled)

    reader = build_connector(declaration(name, *spec.streams), told)

    assert callable(reader.read)
    if spec.writer is not None:
        (shows,) = spec.writes
        channel = CHANNEL.model_copy(update={"shows": shows})
        assert build_writer(declaration(name, *spec.streams), told, channel).batch_size > 0


def test_every_stream_of_a_connector_has_its_contract() -> None:
    """What has no contract cannot be landed."""
    declared = {(spec.name, stream) for spec in CONNECTORS.values() for stream in spec.streams}

    assert {(contract.connector, contract.stream) for contract in all_contracts()} == declared


@pytest.mark.parametrize("name", [name for name, spec in CONNECTORS.items() if spec.writer is not None])
def test_a_channel_reads_what_it_shows_before_its_orders(name: str) -> None:
    """An order after the observation has moved the fence; one before it would be counted and not seen."""
    streams = CONNECTORS[name].streams
    shown = "listings" if "listings" in streams else "stock_levels"

    assert streams.index(shown) < streams.index("orders")


def test_every_secret_of_a_form_is_marked() -> None:
    """What is not marked is shown again to whoever opens the connection."""
    for spec in CONNECTORS.values():
        for field in spec.form:
            looks_secret = any(word in field.name for word in ("secret", "token", "password", "key"))
            assert not looks_secret or field.is_secret or field.name == "channel_token", (spec.name, field.name)


@pytest.mark.parametrize(
    ("told", "connection", "remedy"),
    [
        (declaration("shopifi"), details(), "no connector 'shopifi'; systems.yml can name .*shopify"),
        (declaration("shopify", "prices"), details(), "Shopify has no stream prices; systems.yml can name locations"),
        (declaration("shopify"), details("http"), "is of type 'http', systems.yml wants 'shopify'"),
        (declaration("shopify"), details(host=None), r"connection 'c' \(Shopify\) lacks Address"),
        (declaration("netsuite"), details("netsuite", login="us"), "lacks Certificate ID; fill it in"),
    ],
)
def test_a_mistake_names_itself_and_its_remedy(
    told: SystemDeclaration, connection: ConnectionDetails, remedy: str
) -> None:
    """Whoever set it up reads this, not the code."""
    with pytest.raises(Permanent, match=remedy):
        build_connector(told, connection)


def test_a_system_that_takes_no_corrections_says_so() -> None:
    """An ERP declared as a channel must fail before the first run, not in it."""
    told = details("netsuite", login="us", extra={"certificate_id": "id"})

    with pytest.raises(Permanent, match="NetSuite takes no corrections"):
        build_writer(declaration("netsuite"), told, CHANNEL)


def test_a_meaning_that_a_writer_cannot_set_is_refused() -> None:
    """Written as the other meaning, the channel would sell what is promised already."""
    channel = CHANNEL.model_copy(update={"shows": QuantityMeaning.ON_HAND})

    with pytest.raises(Permanent, match=r"Shopify channels show available; channels\.yml says on_hand"):
        build_writer(declaration("shopify"), details(), channel)


def test_the_state_folder_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers of one machine share a quota by sharing this folder."""
    seen: list[str] = []
    monkeypatch.setenv("TRUEUP_STATE_FOLDER", "/somewhere/else")
    monkeypatch.setattr(registry, "_load", lambda _: lambda _details, folder: seen.append(str(folder)))

    build_connector(declaration("shopify"), details())

    assert seen == ["/somewhere/else"]
