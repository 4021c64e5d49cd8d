"""All that the NetSuite and Shopify connectors ask and are answered, held against the vendors' files."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate
from tests.contract.graphql_contract import validate_graphql_line
from tests.contract.openapi import load_spec, read_spec, validate_line
from tests.stock_changes import observed_units, stock_change

from trueup.configuration.model import ChannelDeclaration
from trueup.connectors.base import Reader
from trueup.connectors.netsuite import reader as netsuite
from trueup.connectors.shopify import reader as shopify
from trueup.connectors.shopify.documents import ALL, VERSION, Document
from trueup.connectors.shopify.writers import inventory as shopify_writer
from trueup.connectors.state import ProcessState
from trueup.domain.changes import Outcome
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import Cursor, ReadMode
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.settings import WorldSettings

NETSUITE = ("locations", "products", "stock_levels", "stock_movements", "orders")
SHOPIFY = ("locations", "products", "listings", "orders")


@pytest.fixture(scope="module")
def sdl(shared_folder: Path) -> str:
    return (shared_folder / "specs" / "shopify" / f"admin-{VERSION}.graphql").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def admin(sdl: str) -> GraphQLSchema:
    return build_schema(sdl, assume_valid=True)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both vendors, swept, polled and written to, with everything that was said."""
    folder = tmp_path_factory.mktemp("connectors")
    with serve(WorldSettings(skus=80), recording=folder / "recording") as sandbox:
        sandbox.simulators["shopify_main"].tuning({"points_per_second": 20_000})
        exercise(sandbox, netsuite.connect(details(sandbox, "netsuite"), ProcessState()), NETSUITE)
        exercise(sandbox, shopify.connect(details(sandbox, "shopify_main"), ProcessState()), SHOPIFY)
        write_something(sandbox)
        yield folder / "recording"


def details(sandbox: Sandbox, system_id: str) -> ConnectionDetails:
    return ConnectionDetails(conn_id=system_id, **sandbox.describe()["connections"][f"trueup_demo_{system_id}"])


def exercise(sandbox: Sandbox, reader: Reader, streams: tuple[str, ...]) -> None:
    """Sweep every stream, let half a day pass, poll every stream."""
    cursors: dict[str, Cursor | None] = {}
    for mode in (ReadMode.SWEEP, ReadMode.POLL):
        sandbox.world.step(12 * 3600)
        for stream in streams:
            pages = list(reader.read(stream, mode, cursors.get(stream)))
            cursors[stream] = pages[-1].cursor


def recorded(recording: Path, system_id: str) -> list[dict[str, Any]]:
    lines = (recording / f"{system_id}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_what_is_said_to_netsuite_keeps_its_contract(recording: Path, shared_folder: Path) -> None:
    """The sandbox must not be more forgiving than NetSuite."""
    lines = recorded(recording, "netsuite")

    spec = load_spec("netsuite", shared_folder)
    assert len(lines) > 2 * len(NETSUITE)
    assert [problem for line in lines for problem in validate_line(spec, line)] == []


def test_a_renamed_field_of_netsuites_contract_is_noticed(recording: Path, shared_folder: Path) -> None:
    """A check that cannot fail proves nothing."""
    path = shared_folder / "specs" / "netsuite" / "netsuite-rest-derived.openapi.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    request = document["components"]["schemas"]["suiteqlRequest"]
    request["properties"]["query"] = request["properties"].pop("q")
    request["required"] = ["query"]
    spec = read_spec("netsuite", document)

    assert [problem for line in recorded(recording, "netsuite") for problem in validate_line(spec, line)]


def test_a_header_that_netsuite_no_longer_takes_is_noticed(recording: Path, shared_folder: Path) -> None:
    """Without `Prefer: transient` SuiteQL answers 400; what is sent as a header is held to the contract too."""
    lines = recorded(recording, "netsuite")
    path = shared_folder / "specs" / "netsuite" / "netsuite-rest-derived.openapi.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for parameter in document["paths"]["/query/v1/suiteql"]["post"]["parameters"]:
        if parameter["name"] == "Prefer":
            parameter["schema"]["enum"] = ["respond-async"]
    spec = read_spec("netsuite", document)

    assert {problem.partition(": ")[2] for line in lines for problem in validate_line(spec, line)} == {
        "header 'Prefer' is none of ['respond-async']"
    }


@pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)
def test_every_document_is_one_that_shopify_would_run(admin: GraphQLSchema, document: Document) -> None:
    """A misspelt field or a type that moved comes out here and not at the customer's."""
    assert validate(admin, parse(document.text)) == []


def test_what_is_said_to_shopify_keeps_its_contract(recording: Path, admin: GraphQLSchema) -> None:
    """Documents, variables and answers, all as the published schema has them."""
    lines = exchanges(recording)

    operations = {re.split(r"\W", line["request"]["query"].split(maxsplit=1)[1])[0] for line in lines}
    assert operations >= {"Shop", "Locations", "Products", "Listings", "Orders", "LevelsOfItems", "SetQuantities"}
    assert [problem for line in lines for problem in validate_graphql_line(admin, line)] == []


def test_a_renamed_field_of_shopifys_contract_is_noticed(recording: Path, sdl: str) -> None:
    """In what is asked, in what is sent along, and in what is answered. A check that cannot fail proves nothing."""
    for theirs, renamed in (
        ("  changeFromQuantity: Int\n  inventoryItemId", "  changeFrom: Int!\n  inventoryItemId"),
        ("  unfulfilledQuantity: Int!", "  openQuantity: Int!"),
        ("enum ProductStatus {\n  ACTIVE", "enum ProductStatus {\n  LIVE"),
    ):
        assert theirs in sdl
        sdl = sdl.replace(theirs, renamed)
    changed = build_schema(sdl, assume_valid=True)

    told = " ".join(problem for line in exchanges(recording) for problem in validate_graphql_line(changed, line))

    assert "changeFrom" in told
    assert "unfulfilledQuantity" in told
    assert "cannot represent value: 'ACTIVE'" in told


def write_something(sandbox: Sandbox) -> None:
    location = "gid://shopify/Location/9001"
    channel = ChannelDeclaration(system="shopify_main", listing_location=location, served_by=())
    writer = shopify_writer.connect(details(sandbox, "shopify_main"), ProcessState(), channel)
    found = observed_units(
        writer, [f"gid://shopify/InventoryItem/{7120000000 + number}|{location}" for number in range(1, 80)]
    )
    known = {record_ref: units for record_ref, units in found.items() if units is not None}
    asked = [stock_change("shopify_main", record_ref, units, units + 1) for record_ref, units in known.items()]
    assert {receipt.outcome for receipt in writer.apply(asked)} == {Outcome.APPLIED}


def exchanges(recording: Path) -> list[dict[str, Any]]:
    return [line for line in recorded(recording, "shopify_main") if line["path"].endswith("/graphql.json")]
