"""The documents of a connector that is not ours: Microsoft's for Business Central, as its repository has them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphql import DocumentNode, GraphQLSyntaxError, parse

FOLDER = "data/bc_shopify_connector/src/Apps/W1/Shopify/App/.resources/graphql"
_COST = re.compile(r"# cost: (\d+)")
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class ClientDocument:
    """One file. `cost`: what its authors have noted that Shopify charges. `names`: what is to be filled in."""

    name: str
    text: str
    cost: int

    @property
    def names(self) -> frozenset[str]:
        """Its placeholders."""
        return frozenset(_PLACEHOLDER.findall(self.text))

    def filled(self, values: Mapping[str, str]) -> str:
        """The query with its placeholders filled in, as the client sends it."""
        body = _PLACEHOLDER.sub(lambda found: values[found.group(1)], self.text)
        query: str = json.loads(body.replace("\\/", "/"))["query"]
        return query

    def variables(self) -> dict[str, object]:
        """What stands beside the query."""
        body = _PLACEHOLDER.sub("1", self.text).replace("\\/", "/")
        found: dict[str, object] = json.loads(body).get("variables") or {}
        return found

    def parsed(self, values: Mapping[str, str]) -> DocumentNode | None:
        """None where the file is no GraphQL."""
        try:
            return parse(self.filled(values))
        except GraphQLSyntaxError:
            return None


def client_documents(shared: Path) -> Iterator[ClientDocument]:
    """Every file, in order of name."""
    root = shared / FOLDER
    for path in sorted(root.rglob("*.graphql")):
        head, _, body = path.read_text(encoding="utf-8").partition("\n")
        found = _COST.match(head)
        if found is None:
            raise ValueError(f"{path} does not begin with its cost")
        yield ClientDocument(path.relative_to(root).with_suffix("").as_posix(), body, int(found.group(1)))
