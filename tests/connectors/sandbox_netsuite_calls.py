"""Calls of the simulated NetSuite's record API, for its tests and for those of what writes there."""

from collections.abc import Sequence
from typing import Any

import httpx
from tests.connectors.contract.vendor_calls import VendorCalls

from trueup.sandbox.server import Sandbox
from trueup.sandbox.world.entries import Order, OrderLine

SUITEQL = "/services/rest/query/v1/suiteql"
RECORDS = "/services/rest/record/v1"
JOBS = "/services/rest/async/v1/job"
SKU = "HV-00001"
_LINES = ({"item": {"id": "1001"}, "quantity": 2, "rate": 4.95, "location": {"id": "1"}},)


def quiet_netsuite(served: Sandbox) -> Sandbox:
    """The world at its beginning, its clock standing still, nothing failing, NetSuite as it comes."""
    served.world.reset()
    served.faults.use_rules([])
    served.simulators["netsuite"].tuning(
        {
            "concurrency": 5,
            "latency_seconds": 0,
            "job_seconds": 0,
            "closed_through": "",
            "books_channel_orders": True,
        }
    )
    return served


def order_body(*, lines: Sequence[Any] = _LINES, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a body
    """An order of the main shop as an integration enters it; a change to None leaves a field out."""
    body = {
        "entity": {"id": "401"},
        "externalId": "X1",
        "otherRefNum": "#1001",
        "custbody_channel": "shopify_main",
        "orderStatus": {"id": "B"},
        "item": {"items": list(lines)},
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def worlds_order(sandbox: Sandbox) -> Order:
    """The same order as the world tells it."""
    line = OrderLine("L1", SKU, SKU, "A product", 2, 495, "WH-EAST")
    return Order("#1001", "shopify_main", sandbox.world.now(), "GB", (line,))


def made(answer: httpx.Response) -> str:
    """The id of the record that was made, as the answer's address has it."""
    return answer.headers["location"].rpartition("/")[2]


def problem(answer: httpx.Response) -> tuple[str, str]:
    """(code, words) of a refusal."""
    (detail,) = answer.json()["o:errorDetails"]
    return detail["o:errorCode"], detail["detail"]


def query(netsuite: VendorCalls, text: str, *params: object) -> list[dict[str, str]]:
    """The rows of a query."""
    body: dict[str, object] = {"q": text, **({"params": list(params)} if params else {})}
    answer = netsuite.call("POST", SUITEQL, body=body, headers={"Prefer": "transient"}).json()
    return [{name: value for name, value in row.items() if name != "links"} for row in answer["items"]]
