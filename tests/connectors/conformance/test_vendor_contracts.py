"""Every request that a connector makes, and every answer it reads, against what the vendor publishes."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate
from tests.connectors.conformance.checks import check_fence, check_write
from tests.connectors.conformance.conftest import LastingState
from tests.connectors.conformance.systems import SIMULATED, SYSTEM_OF, WRITING, Subject, contents, recorded, world
from tests.connectors.conformance.vendor_contract import vendor_contract

from trueup.connectors.http.graphql import Document
from trueup.connectors.registry import CONNECTORS
from trueup.connectors.shopify.documents import ALL, VERSION
from trueup.sandbox.server import Sandbox

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sandbox(recording: Path) -> Iterator[Sandbox]:
    """A world of its own: the other tests' faults are no words of the vendor's."""
    with world(recording, skus=130) as running:
        yield running


@pytest.fixture(scope="module")
def said(sandbox: Sandbox, recording: Path) -> Callable[[str], Lines]:
    """By connector, all that is said where every stream is swept and polled and, of a channel, stock is set."""

    @cache
    def of(connector: str) -> Lines:
        subject = Subject(connector, SYSTEM_OF[connector], sandbox, LastingState())
        for stream in CONNECTORS[connector].streams:
            cursor = subject.sweep(stream)[-1].cursor
            sandbox.world.step(3600)
            contents(subject.poll(stream, cursor))
        if connector in WRITING:
            check_write(subject.writer(), subject.shown())
            check_fence(subject.writer(), subject.shown())
        return recorded(recording, subject.system_id)

    return of


@pytest.mark.parametrize("connector", SIMULATED)
def test_what_is_said_keeps_the_vendors_contract(
    sandbox: Sandbox, said: Callable[[str], Lines], connector: str, shared_folder: Path
) -> None:
    """A parameter that the vendor does not know is ignored there, and everything comes instead of what changed."""
    lines = said(connector)

    assert vendor_contract(connector, shared_folder).problems(lines) == []
    assert {line["status"] for line in lines} & {429} == set(), "a quota was met: the budget did not keep it"
    secrets = sandbox.simulators[SYSTEM_OF[connector]].secrets()
    assert not any(secret in str(line) for line in lines for secret in secrets)


def test_every_way_that_a_connector_knows_is_gone(said: Callable[[str], Lines]) -> None:
    """A contract holds what was said; of what was not, it says nothing."""
    documents = [str(line["request"]["query"]) for line in said("shopify") if "query" in (line["request"] or {})]
    shopify = {document.split("(")[0].split()[1] for document in documents}

    assert shopify >= {"Locations", "Products", "Listings", "Orders", "LevelsOfItems", "SetQuantities"}
    assert len({line["path"] for line in said("square")}) >= 7
    assert len({line["path"] for line in said("shipbob")}) >= 5
    assert len(said("netsuite")) > 2 * len(CONNECTORS["netsuite"].streams)


def renamed_field(text: str) -> str:
    document = json.loads(text)
    request = document["components"]["schemas"]["suiteqlRequest"]
    request["properties"]["query"] = request["properties"].pop("q")
    request["required"] = ["query"]
    return json.dumps(document)


def other_header(text: str) -> str:
    document = json.loads(text)
    for parameter in document["paths"]["/query/v1/suiteql"]["post"]["parameters"]:
        if parameter["name"] == "Prefer":
            parameter["schema"]["enum"] = ["respond-async"]
    return json.dumps(document)


def renamed_in_schema(text: str) -> str:
    """Something in what is sent along, in what is asked, and in what is answered."""
    for theirs, renamed in (
        ("  changeFromQuantity: Int\n  inventoryItemId", "  changeFrom: Int!\n  inventoryItemId"),
        ("  unfulfilledQuantity: Int!", "  openQuantity: Int!"),
        ("enum ProductStatus {\n  ACTIVE", "enum ProductStatus {\n  LIVE"),
    ):
        assert theirs in text
        text = text.replace(theirs, renamed)
    return text


@pytest.mark.parametrize(
    ("connector", "alter", "noticed"),
    [
        ("netsuite", renamed_field, ["query"]),
        # Without `Prefer: transient` SuiteQL answers 400: what is sent as a header is held to the contract too.
        ("netsuite", other_header, ["header 'Prefer' is none of ['respond-async']"]),
        ("shopify", renamed_in_schema, ["changeFrom", "unfulfilledQuantity", "cannot represent value: 'ACTIVE'"]),
    ],
    ids=["field", "header", "schema"],
)
def test_a_change_of_the_vendors_contract_is_noticed(
    said: Callable[[str], Lines],
    connector: str,
    alter: Callable[[str], str],
    noticed: list[str],
    shared_folder: Path,
) -> None:
    """A check that cannot fail proves nothing."""
    problems = vendor_contract(connector, shared_folder, alter).problems(said(connector))

    assert all(any(words in problem for problem in problems) for words in noticed), problems


@pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)
def test_every_document_is_one_that_shopify_would_run(document: Document, shared_folder: Path) -> None:
    """A misspelt field or a type that moved comes out here and not at the customer's, also in what is rarely asked."""
    text = (shared_folder / "specs" / "shopify" / f"admin-{VERSION}.graphql").read_text(encoding="utf-8")

    assert validate(_schema(text), parse(document.text)) == []


@cache
def _schema(text: str) -> GraphQLSchema:
    return build_schema(text, assume_valid=True)
