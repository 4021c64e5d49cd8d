"""The registry: connectors as data, and mistakes in a connection named with their remedy."""

from pathlib import Path
from typing import Any

import pytest

from trueup.configuration.model import ChannelDeclaration, QuantityMeaning, SystemDeclaration, SystemRole
from trueup.connectors import registry
from trueup.connectors.forms import FieldPlace
from trueup.connectors.registry import CONNECTORS, build_connector, build_system_writer, build_writer, require_options
from trueup.connectors.spec import ORDER_CREATE, STOCK_SET, ConnectorSpec
from trueup.connectors.state import ProcessState
from trueup.contracts.kinds import stream_kinds
from trueup.contracts.loader import all_contracts
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.transform.project import project_folder
from trueup.transform.staging import described, staging_models

CHANNEL = ChannelDeclaration(system="shop", listing_location="gid://shopify/Location/1", served_by=())


def declaration(connector: str, *streams: str) -> SystemDeclaration:
    return SystemDeclaration(connector=connector, connection="c", role=SystemRole.SHOP, streams=streams)


def details(connector: str = "shopify", **reported: Any) -> ConnectionDetails:  # noqa: ANN401 - a connection's fields
    return ConnectionDetails("c", connector, **{"host": "https://shop.example.com", "password": "token", **reported})


@pytest.mark.parametrize("name", CONNECTORS)
def test_every_connector_can_be_built_from_what_its_form_asks(name: str) -> None:
    """A form that lacks a field makes a connection that cannot work; building one does no I/O."""
    spec = CONNECTORS[name]
    filled = {field.name: "1" for field in spec.form if field.is_required and field.place is FieldPlace.EXTRA}
    reported = details(name, login="us", extra=filled)

    reader = build_connector(declaration(name, *spec.streams), reported)

    assert callable(reader.read)
    if STOCK_SET in spec.writes:
        (shows,) = spec.shows
        channel = CHANNEL.model_copy(update={"shows": shows})
        for capability in spec.writes:
            built = build_writer(declaration(name, *spec.streams), reported, channel, capability=capability)
            assert built.batch_size > 0
        with pytest.raises(Permanent, match=rf"{spec.title} takes no price.set; it takes .*stock.set"):
            build_writer(declaration(name, *spec.streams), reported, channel, capability="price.set")


def _with_options(*names: str) -> SystemDeclaration:
    options = dict.fromkeys(names, "1")
    return declaration("netsuite", "orders").model_copy(update={"options": options})


def test_a_writer_to_a_system_needs_its_options() -> None:
    """An order booked on a guessed item would have to be taken back by hand."""
    reported = details("netsuite", login="us", extra={"certificate_id": "1"})
    every = [option.name for option in CONNECTORS["netsuite"].options]
    required = [option.name for option in CONNECTORS["netsuite"].options if option.is_required]

    assert build_system_writer(_with_options(*every), reported, ORDER_CREATE).batch_size > 0
    assert build_system_writer(_with_options(*required), reported, ORDER_CREATE).batch_size > 0
    with pytest.raises(Permanent, match=r"add to its options in systems.yml: customer \(the internal id"):
        build_system_writer(_with_options(), reported, ORDER_CREATE)
    with pytest.raises(Permanent, match=r"NetSuite takes no price\.set; it takes order\.create, order\.transition"):
        build_system_writer(_with_options(*every), reported, "price.set")


def test_options_are_checked_with_the_tenants_files() -> None:
    """`tenant check` names each that is unknown, and each that is missing where there are any."""
    every = [option.name for option in CONNECTORS["netsuite"].options]
    require_options({"erp": _with_options(*every), "idle": _with_options(), "odd": declaration("shopifi")})

    with pytest.raises(Permanent) as caught:
        require_options({"erp": _with_options(*every[1:], "postage_item")})
    assert [mistake.split("; ")[0] for mistake in str(caught.value).splitlines()] == [
        "systems.yml: systems.erp.options.postage_item: NetSuite has no such option",
        "systems.yml: systems.erp.options.customer: missing",
    ]


def test_every_stream_of_a_connector_has_its_contract() -> None:
    """What has no contract cannot be landed."""
    declared = {(spec.name, stream) for spec in CONNECTORS.values() for stream in spec.streams}

    assert {(contract.connector, contract.stream) for contract in all_contracts()} == declared


@pytest.mark.parametrize("name", [name for name, spec in CONNECTORS.items() if STOCK_SET in spec.writes])
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
    ("reported", "connection", "remedy"),
    [
        (declaration("shopifi"), details(), "no connector 'shopifi'; systems.yml can name .*shopify"),
        (declaration("shopify", "prices"), details(), "Shopify has no stream prices; systems.yml can name locations"),
        (declaration("shopify"), details("http"), "is of type 'http', systems.yml wants 'shopify'"),
        (declaration("shopify"), details(host=None), r"connection 'c' \(Shopify\) lacks Address"),
        (declaration("netsuite"), details("netsuite", login="us"), "lacks Certificate ID; fill it in"),
    ],
)
def test_a_mistake_names_itself_and_its_remedy(
    reported: SystemDeclaration, connection: ConnectionDetails, remedy: str
) -> None:
    """Whoever set it up reads this, not the code."""
    with pytest.raises(Permanent, match=remedy):
        build_connector(reported, connection)


def test_a_system_that_takes_no_corrections_says_so() -> None:
    """An ERP declared as a channel must fail before the first run, not in it."""
    reported = details("netsuite", login="us", extra={"certificate_id": "id"})

    with pytest.raises(Permanent, match="NetSuite takes no corrections"):
        build_writer(declaration("netsuite"), reported, CHANNEL)


def test_a_meaning_that_a_writer_cannot_set_is_refused() -> None:
    """Written as the other meaning, the channel would sell what is promised already."""
    channel = CHANNEL.model_copy(update={"shows": QuantityMeaning.ON_HAND})

    with pytest.raises(Permanent, match=r"Shopify channels show available; channels\.yml says on_hand"):
        build_writer(declaration("shopify"), details(), channel)


def test_what_workers_share_reaches_whoever_speaks_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connector built without it would count for itself."""
    seen: list[object] = []
    monkeypatch.setattr(registry, "_load", lambda *_: lambda _details, state, *_channel: seen.append(state))
    state = ProcessState()

    build_connector(declaration("shopify"), details(), state)
    build_writer(declaration("shopify"), details(), CHANNEL, state)

    assert seen == [state, state]


# -- what a stream needs behind the connector ------------------------------------------------------------------------


def listed_models() -> set[tuple[str, str]]:
    """(connector, kind) of every staging model of a stream that canonical reads."""
    found = staging_models(project_folder())
    return {(model["connector"], kind) for kind in stream_kinds() for model in found[kind]}


def test_every_stream_of_a_connector_reaches_canonical() -> None:
    """A stream without a staging model lands and is never built, and nothing else says so."""
    streams = {(spec.name, stream) for spec in CONNECTORS.values() for stream in spec.streams}
    shown = {(spec.name, "listings") for spec in CONNECTORS.values() if STOCK_SET in spec.writes}

    assert len(listed_models()) > len(CONNECTORS)
    assert streams | shown == listed_models()


def test_every_model_that_canonical_reads_stands_on_a_stream_of_its_connector() -> None:
    """A connector that was renamed would be read from a table that nobody fills."""
    for models in staging_models(project_folder()).values():
        for model in models:
            assert model["stream"] in CONNECTORS[model["connector"]].streams, model


@pytest.mark.parametrize("spec", CONNECTORS.values(), ids=CONNECTORS)
def test_the_staging_models_are_described_from_their_kind(spec: ConnectorSpec) -> None:
    """Analysts read one description of a column, whatever the vendor; `trueup connector describe` makes it anew."""
    folder = project_folder() / "models" / "staging" / spec.name

    assert (folder / f"stg_{spec.name}.yml").read_text() == described(project_folder(), spec.name, spec.title)


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("stg_shop__prices", "", "named stg_shop__<kind>, with a kind of contracts/streams.yml"),
        ("stg_other__orders", "", "named stg_shop__<kind>"),
        ("stg_shop__orders", "select 1", r"begins with no raw_records\("),
        ("stg_shop__orders", '{{ raw_records("other", "orders") }}', "a staging model reads one stream"),
        ("stg_shop__refunds", '{{ raw_records("shop", "listings") }}', "says that refunds are found in orders"),
    ],
)
def test_a_staging_model_that_nobody_would_find_is_named(tmp_path: Path, name: str, text: str, remedy: str) -> None:
    """Left out in silence, its records would never be built."""
    folder = tmp_path / "models" / "staging" / "shop"
    folder.mkdir(parents=True)
    (folder / f"{name}.sql").write_text(text)

    with pytest.raises(Permanent, match=remedy):
        staging_models(tmp_path)
