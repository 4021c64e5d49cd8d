"""What the writers of orders say to Shopify is in the vendor's own schema, and costs no more than they set aside."""

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from trueup.connectors.shopify.documents import DEAREST_QUERY, CostedDocument
from trueup.connectors.shopify.writers import order_documents
from trueup.sandbox.vendors.shopify.cost import CostMeter
from trueup.sandbox.vendors.shopify.schema import API_VERSION, admin_schema


@pytest.fixture(scope="module")
def published(shared_folder: Path) -> GraphQLSchema:
    sdl = (shared_folder / "specs" / "shopify" / f"admin-{API_VERSION}.graphql").read_text(encoding="utf-8")
    return build_schema(sdl, assume_valid=True)


@pytest.mark.parametrize("document", order_documents.ALL, ids=lambda document: document.name)
def test_every_document_is_in_the_vendors_schema(document: CostedDocument, published: GraphQLSchema) -> None:
    """Its arguments and fields too; the simulator knows them all."""
    assert validate(published, parse(document.text)) == []
    assert validate(admin_schema(), parse(document.text)) == []


@pytest.mark.parametrize("document", order_documents.ALL, ids=lambda document: document.name)
def test_no_document_costs_more_than_is_set_aside(document: CostedDocument) -> None:
    """What is not set aside is taken from whoever asks next."""
    size = order_documents.MOST_LISTED
    meter = CostMeter(admin_schema(), parse(document.text), {"first": size})
    assert meter.requested() <= document.cost(size) <= DEAREST_QUERY
