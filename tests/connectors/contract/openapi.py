"""Holds an exchange with a vendor against the vendor's own OpenAPI file.

Reads OAS 3.0 (`nullable`) and 3.1. Stricter than the files in one way: a property that an object schema does not
list is a violation, because a renamed one would go unnoticed otherwise. Looser in one: `oneOf` is read as `anyOf`,
since the generators that wrote these files put variants there that are not exclusive.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema
from referencing import Registry
from referencing.jsonschema import DRAFT202012

SPECS: Mapping[str, str] = {
    "netsuite": "specs/netsuite/netsuite-rest-derived.openapi.json",
    "shipbob": "specs/shipbob/shipbob-2026-01.json",
    "square": "specs/square/api-trimmed.json",
}
# Token endpoints that the vendor documents in prose only, by the start of their paths.
OUTSIDE: Mapping[str, tuple[str, ...]] = {"netsuite": ("/services/rest/auth/",)}
# Query parameters that only the vendor's own `next` addresses carry.
_CARRIED: Mapping[str, frozenset[str]] = {"shipbob": frozenset({"cursor"})}
_METHODS = ("get", "post", "put", "patch", "delete")
_URI = "urn:spec"

_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_formats.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@dataclass(frozen=True)
class Spec:
    """One vendor's contract, ready to be held against. `prefix`: the path of its server."""

    name: str
    document: Mapping[str, Any]
    prefix: str
    registry: Registry[Any]

    def operations(self) -> Iterator[tuple[str, str]]:
        """(method, path template) of all there are."""
        for path, item in self.document["paths"].items():
            yield from ((method, path) for method in _METHODS if method in item)

    def find(self, method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
        """The template and operation that a path belongs to; the one with most literal text wins."""
        if not path.startswith(self.prefix):
            return None
        path = path[len(self.prefix) :]
        found = [
            template
            for verb, template in self.operations()
            if verb == method.lower() and _pattern(template).fullmatch(path)
        ]
        if not found:
            return None
        best = min(found, key=lambda template: template.count("{"))
        return best, self.document["paths"][best][method.lower()]


def load_spec(name: str, shared: Path) -> Spec:
    """Read a vendor's contract from the shared folder."""
    return read_spec(name, json.loads((shared / SPECS[name]).read_text(encoding="utf-8")))


def read_spec(name: str, document: dict[str, Any]) -> Spec:
    """Make a contract ready; `document` is changed."""
    is_old = str(document["openapi"]).startswith("3.0")
    parts = set(_parts(document))
    for component, schema in document.get("components", {}).get("schemas", {}).items():
        # What others put together by `allOf` cannot be closed by itself.
        _prepare(schema, is_old=is_old, is_part=f"#/components/schemas/{component}" in parts)
    _prepare_contents(document["paths"], is_old=is_old)
    resource = DRAFT202012.create_resource(document)
    server = re.sub(r"\{[^}]*\}", "x", str(document.get("servers", [{"url": ""}])[0]["url"]))
    return Spec(name, document, urlsplit(server).path.rstrip("/"), Registry().with_resource(_URI, resource))


def validate_exchange(
    spec: Spec,
    method: str,
    path: str,
    request_json: object,
    status: int,
    response_json: object,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> list[str]:
    """What is wrong with one exchange; empty where it keeps the contract.

    `path` without the query. `headers` None: they were not kept, so nothing is said about them.
    """
    found = spec.find(method, path)
    if found is None:
        return [f"{method} {path}: the contract has no such operation"]
    template, operation = found
    where = f"{method} {template}"
    problems = [f"{where}: {problem}" for problem in _parameter_problems(spec, operation, query, headers)]
    # A request that the vendor refused for its body need not keep the contract; that is what was tried.
    if status < 400:
        problems += [f"{where}, request: {problem}" for problem in _body_problems(spec, operation, request_json)]
    return problems + [
        f"{where}, answer {status}: {problem}" for problem in _answer_problems(spec, operation, status, response_json)
    ]


def validate_line(spec: Spec, line: Mapping[str, Any]) -> list[str]:
    """What is wrong with one line of a sandbox recording."""
    if any(line["path"].startswith(start) for start in OUTSIDE.get(spec.name, ())):
        return []
    return validate_exchange(
        spec,
        line["method"],
        line["path"],
        line["request"],
        line["status"],
        line["response"],
        query=line["query"],
        headers=line["headers"],
    )


def _parameter_problems(
    spec: Spec, operation: Mapping[str, Any], query: str, headers: Mapping[str, str] | None
) -> Iterator[str]:
    parameters = [_resolved(spec, parameter) for parameter in operation.get("parameters", ())]
    reported = dict(parse_qsl(query, keep_blank_values=True))
    known = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}
    for name in reported.keys() - known.keys() - _CARRIED.get(spec.name, frozenset()):
        yield f"query parameter '{name}' is not in the contract"
    for name, parameter in known.items():
        if name in reported:
            yield from _value_problems(f"query parameter '{name}'", reported[name], parameter.get("schema", {}))
        elif parameter.get("required"):
            yield f"query parameter '{name}' is required"
    if headers is None:
        return
    sent = {name.lower(): value for name, value in headers.items()}
    for parameter in parameters:
        if parameter["in"] != "header":
            continue
        value = sent.get(parameter["name"].lower())
        if value is None and parameter.get("required"):
            yield f"header '{parameter['name']}' is required"
        elif value is not None:
            yield from _value_problems(f"header '{parameter['name']}'", value, parameter.get("schema", {}))


def _value_problems(what: str, reported: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("type") == "integer" and not re.fullmatch(r"-?\d+", reported):
        yield f"{what} is no integer"
    if schema.get("type") == "boolean" and reported not in ("true", "false"):
        yield f"{what} is no boolean"
    if "enum" in schema and reported not in schema["enum"]:
        yield f"{what} is none of {schema['enum']}"
    if schema.get("format") == "date-time":
        try:
            datetime.fromisoformat(reported)
        except ValueError:
            yield f"{what} is no date-time"


def _body_problems(spec: Spec, operation: Mapping[str, Any], body: object) -> Iterable[str]:
    described = operation.get("requestBody")
    if described is None:
        return [] if body is None else ["a body is sent where the contract has none"]
    if body is None:
        return ["the body is missing"] if described.get("required") else []
    return _schema_problems(spec, _json_schema(_resolved(spec, described)), body)


def _answer_problems(spec: Spec, operation: Mapping[str, Any], status: int, body: object) -> Iterable[str]:
    responses = operation["responses"]
    described = responses.get(str(status), responses.get("default") if status >= 400 else None)
    if described is None and status >= 400 and spec.name == "square":
        described = responses["200"]  # Square documents one answer for both: an error is its list of errors alone
    if described is None:
        # The contracts of the others leave most errors out; what they must look like is then nowhere said.
        return [] if status >= 400 else ["the contract has no such answer"]
    if body is None or status == 204:
        return []
    schema = _json_schema(_resolved(spec, described))
    return [] if schema is None else _schema_problems(spec, schema, body)


def _schema_problems(spec: Spec, schema: Mapping[str, Any] | None, body: object) -> list[str]:
    if schema is None:
        return []
    absolute: Any = _absolute(schema)
    validator = jsonschema.Draft202012Validator(absolute, registry=spec.registry, format_checker=_formats)
    return [
        f"{error.json_path}: {error.message[:300]}"
        for error in sorted(validator.iter_errors(body), key=lambda e: e.json_path)
    ]


def _json_schema(described: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for media, content in described.get("content", {}).items():
        if "json" in media:
            schema: Mapping[str, Any] | None = content.get("schema")
            return schema
    return None


def _of_document(schema: Mapping[str, Any]) -> dict[str, Any]:
    absolute = _absolute(schema)
    return absolute if isinstance(absolute, dict) else {}


def _absolute(schema: object) -> object:
    """References out of a path's schema, told from the document's root."""
    if isinstance(schema, Mapping):
        return {
            name: f"{_URI}{value}"
            if name == "$ref" and isinstance(value, str) and value.startswith("#")
            else _absolute(value)
            for name, value in schema.items()
        }
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema


def _resolved(spec: Spec, reported: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in reported:
        target: Any = spec.document
        for part in reported["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        reported = target
    return reported


def _parts(node: object, *, is_in_all_of: bool = False) -> Iterator[str]:
    """Every reference that stands in an `allOf`."""
    if isinstance(node, Mapping):
        if is_in_all_of and isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for name, value in node.items():
            yield from _parts(value, is_in_all_of=name == "allOf")
    elif isinstance(node, list):
        for item in node:
            yield from _parts(item, is_in_all_of=is_in_all_of)


def _prepare_contents(node: object, *, is_old: bool) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("schema"), dict):
            _prepare(node["schema"], is_old=is_old, is_part=False)
        for name, value in node.items():
            if name != "schema":
                _prepare_contents(value, is_old=is_old)
    elif isinstance(node, list):
        for item in node:
            _prepare_contents(item, is_old=is_old)


def _prepare(schema: object, *, is_old: bool, is_part: bool) -> None:
    """Rewrite one schema in place: `nullable`, `oneOf`, and closed where it lists properties."""
    if not isinstance(schema, dict):
        return
    if "oneOf" in schema:
        schema["anyOf"] = [*schema.get("anyOf", ()), *schema.pop("oneOf")]
    for part in schema.get("allOf", ()):
        _prepare(part, is_old=is_old, is_part=True)
    for part in schema.get("anyOf", ()):
        _prepare(part, is_old=is_old, is_part=is_part)
    for part in (schema.get("items"), schema.get("additionalProperties"), *schema.get("properties", {}).values()):
        _prepare(part, is_old=is_old, is_part=False)
    if "allOf" in schema and not is_part:
        schema["unevaluatedProperties"] = False
    elif schema.get("properties") and "additionalProperties" not in schema and not is_part:
        schema["additionalProperties"] = False
    if is_old and schema.pop("nullable", False):
        if isinstance(schema.get("type"), str):
            schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", template)
    return re.compile("".join("[^/]+?" if part.startswith("{") else re.escape(part) for part in parts))
