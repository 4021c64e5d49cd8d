"""What Shopify is asked about returns, held against its published schema."""

from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from trueup.connectors.shopify.documents import DEAREST_QUERY, CostedDocument
from trueup.connectors.shopify.return_documents import ALL

_SPEC = "specs/shopify/admin-2026-10.graphql"


@pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)
def test_a_document_keeps_the_published_schema(shared_folder: Path, document: CostedDocument) -> None:
    schema = build_schema((shared_folder / _SPEC).read_text(encoding="utf-8"), assume_valid=True)
    assert validate(schema, parse(document.text)) == []


@pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)
def test_a_document_can_be_asked_for_a_page(document: CostedDocument) -> None:
    """A document that is too dear for a single object could never be asked."""
    assert document.cost(1) <= DEAREST_QUERY
