"""A vendor's published contract, made of several files and servers, with the known gaps of those files.

vendor_contracts/<vendor>.yml names the files (`openapi`, or `graphql`), the path of the server that stands before ours
(`server`), what the files leave out (`outside`: starts of paths), and `gaps`: what they say that is not so, each with
the reason. A gap that nothing meets any more is an error: it hides what it was not made for.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from graphql import GraphQLSchema, build_schema
from tests.connectors.contract.graphql_contract import validate_graphql_line
from tests.connectors.contract.openapi import Spec, read_spec, validate_exchange

FOLDER = Path(__file__).parent / "vendor_contracts"


@dataclass(frozen=True)
class Gap:
    """Problems that hold this text are the file's, not ours. `reason`: how we know."""

    text: str
    reason: str


@dataclass(frozen=True)
class VendorContract:
    """Everything that one vendor publishes."""

    specs: Sequence[Spec]
    schema: GraphQLSchema | None
    server: str
    outside: tuple[str, ...]
    gaps: Sequence[Gap]

    def problems(self, lines: Iterable[Mapping[str, Any]]) -> list[str]:
        """What the contract has against recorded exchanges, each once, and the gaps that nothing met."""
        found = {problem for line in lines for problem in self._of_line(line)}
        met = {gap for gap in self.gaps if any(gap.text in problem for problem in found)}
        real = {problem for problem in found if not any(gap.text in problem for gap in self.gaps)}
        return sorted(real) + [f"nothing meets the gap '{gap.text}'; remove it" for gap in self.gaps if gap not in met]

    def _of_line(self, line: Mapping[str, Any]) -> list[str]:
        path = str(line["path"])
        if any(path.startswith(start) for start in self.outside):
            return []
        if self.schema is not None:
            return validate_graphql_line(self.schema, line)
        spec = next((each for each in self.specs if each.find(line["method"], self.server + path)), self.specs[0])
        return validate_exchange(
            spec,
            line["method"],
            self.server + path,
            line["request"],
            line["status"],
            line["response"],
            query=line["query"],
            headers=line["headers"],
        )


def vendor_contract(vendor: str, shared: Path, alter: Callable[[str], str] = lambda text: text) -> VendorContract:
    """Read the vendor's file and what it names; `FileNotFoundError` where nobody has written it.

    `alter`: changes the text of what the vendor publishes, to see that a change is noticed.
    """
    reported = yaml.safe_load((FOLDER / f"{vendor}.yml").read_text(encoding="utf-8"))
    schema = alter((shared / reported["graphql"]).read_text(encoding="utf-8")) if "graphql" in reported else None
    return VendorContract(
        [
            read_spec(vendor, json.loads(alter((shared / file).read_text(encoding="utf-8"))))
            for file in reported.get("openapi", ())
        ],
        None if schema is None else build_schema(schema, assume_valid=True),
        reported.get("server", ""),
        tuple(reported.get("outside", ())),
        [Gap(gap["text"], gap["reason"]) for gap in reported.get("gaps", ())],
    )
