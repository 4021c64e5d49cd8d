"""The validator itself: what it must see. A check that cannot fail would let every simulator pass."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.contract.openapi import OUTSIDE, SPECS, load_spec, read_spec, validate_exchange

from trueup.sandbox.server import Sandbox
from trueup.sandbox.world.settings import WorldSettings

# What the vendor has and the contract at hand does not: NetSuite's is derived, and says nothing of transformations and
# jobs (docs.oracle.com, ns-online-help, "Transforming Records", "Asynchronous Request Processing").
UNDESCRIBED = {"netsuite": ("/!transform/", "/async/")}
_THING: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "note": {"type": "string", "nullable": True},
        "kind": {"oneOf": [{"$ref": "#/components/schemas/Round"}, {"$ref": "#/components/schemas/Square"}]},
        "made_at": {"type": "string", "format": "date-time"},
    },
}
_DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.0",
    "servers": [{"url": "https://{account}.example.com/rest"}],
    "paths": {
        "/thing/{id}": {
            "get": {
                "parameters": [
                    {"in": "query", "name": "limit", "schema": {"type": "integer"}},
                    {"in": "header", "name": "Prefer", "required": True, "schema": {"enum": ["transient"]}},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
                },
            }
        },
        "/thing": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                },
                "responses": {"204": {"description": "made"}},
            }
        },
    },
    "components": {
        "schemas": {
            "Thing": _THING,
            "Round": {"type": "object", "properties": {"radius": {"type": "number"}}},
            "Square": {"type": "object", "properties": {"side": {"type": "number"}, "radius": {"type": "number"}}},
        }
    },
}


def problems(method: str, path: str, request: object, status: int, response: object, **more: Any) -> list[str]:  # noqa: ANN401
    return validate_exchange(
        read_spec("test", copy.deepcopy(_DOCUMENT)), method, path, request, status, response, **more
    )


def test_an_exchange_that_keeps_the_contract_has_no_problems() -> None:
    """`nullable` of OAS 3.0, a variant that fits two, and the server's path are all right."""
    thing = {"id": "1", "note": None, "kind": {"radius": 2.5}, "made_at": "2026-10-05T09:00:00Z"}
    assert problems("GET", "/rest/thing/1", None, 200, thing, query="limit=5", headers={"prefer": "transient"}) == []
    assert problems("POST", "/rest/thing", thing, 204, None) == []


@pytest.mark.parametrize(
    ("response", "reported"),
    [
        ({"note": "x"}, "'id' is a required property"),
        ({"id": 1}, "is not of type 'string'"),
        ({"id": None}, "is not of type 'string'"),
        ({"id": "1", "renamed": "x"}, "'renamed' was unexpected"),
        ({"id": "1", "kind": {"depth": 1}}, "is not valid under any"),
        ({"id": "1", "made_at": "yesterday"}, "is not a 'date-time'"),
        ({"id": "1", "made_at": "2026-10-05T09:00:00"}, "is not a 'date-time'"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_named(response: object, reported: str) -> None:
    """Missing, mistyped and renamed fields are what a changed contract looks like."""
    found = problems("GET", "/rest/thing/1", None, 200, response)
    assert len(found) == 1
    assert reported in found[0]


@pytest.mark.parametrize(
    ("more", "reported"),
    [
        ({"query": "limit=many"}, "'limit' is no integer"),
        ({"query": "page=2"}, "'page' is not in the contract"),
        ({"headers": {}}, "header 'Prefer' is required"),
        ({"headers": {"prefer": "respond-async"}}, "header 'Prefer' is none of"),
    ],
)
def test_a_request_that_breaks_the_contract_is_named(more: dict[str, Any], reported: str) -> None:
    """A connector may send only what the vendor lists."""
    found = problems("GET", "/rest/thing/1", None, 200, {"id": "1"}, **more)
    assert len(found) == 1
    assert reported in found[0]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/rest/other", 200), ("DELETE", "/rest/thing/1", 200), ("GET", "/thing/1", 200)],
)
def test_an_operation_that_is_not_in_the_contract_is_named(method: str, path: str, status: int) -> None:
    """A path that the vendor does not have would only ever work against the sandbox."""
    assert problems(method, path, None, status, None) != []


def test_a_success_that_the_contract_does_not_know_is_named() -> None:
    """An undocumented 2xx is made up; an undocumented error says nothing either way."""
    assert problems("GET", "/rest/thing/1", None, 202, None) != []
    assert problems("GET", "/rest/thing/1", None, 503, None) == []


def test_a_field_renamed_in_the_contract_is_seen_in_both_directions() -> None:
    """The old name becomes unknown, and the new one is missing where it is required."""
    changed = copy.deepcopy(_DOCUMENT)
    schema = changed["components"]["schemas"]["Thing"]
    schema["properties"]["number"] = schema["properties"].pop("id")
    schema["required"] = ["number"]
    found = validate_exchange(read_spec("test", changed), "GET", "/rest/thing/1", None, 200, {"id": "1"})
    assert len(found) == 2


@pytest.mark.parametrize(
    ("name", "method", "path", "answer", "schema", "field"),
    [
        (
            "square",
            "POST",
            "/v2/inventory/counts/batch-retrieve",
            {"counts": [{"catalog_object_id": "V", "location_id": "L", "state": "IN_STOCK", "quantity": "1"}]},
            "InventoryCount",
            "quantity",
        ),
        (
            "shipbob",
            "GET",
            "/2026-01/inventory-level/locations",
            {"items": [{"inventory_id": 1, "locations": [{"location_id": 101, "on_hand_quantity": 5}]}]},
            "Inventory.FulfillmentCenterResponse",
            "on_hand_quantity",
        ),
        (
            "netsuite",
            "GET",
            "/services/rest/record/v1/inventoryItem/1",
            {"id": "1", "itemId": "HV-00001"},
            "inventoryItem",
            "itemId",
        ),
    ],
)
def test_a_vendors_changed_contract_turns_an_exchange_red(
    shared_folder: Path, name: str, method: str, path: str, answer: object, schema: str, field: str
) -> None:
    """The same answer, against the file as it is and against one with a field renamed."""
    document = json.loads((shared_folder / SPECS[name]).read_text(encoding="utf-8"))
    body: dict[str, object] | None = {} if method == "POST" else None
    assert validate_exchange(read_spec(name, copy.deepcopy(document)), method, path, body, 200, answer) == []
    properties = document["components"]["schemas"][schema]["properties"]
    properties[f"{field}_renamed"] = properties.pop(field)
    assert validate_exchange(read_spec(name, document), method, path, body, 200, answer) != []


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_simulator_offers_nothing_that_the_vendor_does_not(shared_folder: Path, name: str) -> None:
    """An endpoint of our own making would let a connector be written against it."""
    spec = load_spec(name, shared_folder)
    sandbox = Sandbox(WorldSettings(skus=5))
    simulator: Any = sandbox.simulators[name]
    for route in simulator.app.routes:
        path = route.path.replace("{kind}", "salesOrder").replace("{named}", "1").replace("{number}", "1")
        is_described = not any(part in path for part in UNDESCRIBED.get(name, ()))
        if is_described and not any(path.startswith(start) for start in OUTSIDE.get(name, ())):
            for method in route.methods - {"HEAD"}:
                assert spec.find(method, path) is not None, f"{method} {path}"
