"""The simulated Tryton as the ERP of the demo retailer, and plain calls to it, for tests of what writes there."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from trueup.configuration.model import SystemDeclaration, SystemRole
from trueup.domain.connections import ConnectionDetails
from trueup.sandbox.server import Sandbox, serve
from trueup.sandbox.world.layout import Layout, demo_layout
from trueup.sandbox.world.settings import WorldSettings

KINDS = ("shipping", "fee", "tip", "duty", "gift_card", "rounding", "discount", "tax", "refund", "goodwill", "exchange")
OPTIONS = {
    "customer": "401",
    "warehouse": "50",
    **{f"{kind}_product": str(900_001 + place) for place, kind in enumerate(KINDS)},
}
"""As the sandbox's database numbers its services."""
DECLARATION = SystemDeclaration(
    connector="tryton", connection="c", role=SystemRole.ERP, streams=("orders",), options=OPTIONS
)


def tryton_layout(*, is_integrated: bool = False) -> Layout:
    """The demo retailer, whose ERP is a Tryton: its main warehouse is number 50 there."""
    demo = demo_layout()
    rename = {system_id: "tryton" if system_id == demo.erp else system_id for system_id in demo.vendors}
    return replace(
        demo,
        vendors={rename[name]: "tryton" if name == demo.erp else vendor for name, vendor in demo.vendors.items()},
        roles={rename[name]: role for name, role in demo.roles.items()},
        locations={
            name: replace(each, system_id="tryton", source_location_id="50") if each.system_id == demo.erp else each
            for name, each in demo.locations.items()
        },
        is_integrated=is_integrated,
    )


@contextmanager
def tryton_world(skus: int = 30, *, is_integrated: bool = False) -> Iterator[Sandbox]:
    """A small world, paused, whose ERP is a Tryton."""
    with serve(WorldSettings(skus=skus, layout=tryton_layout(is_integrated=is_integrated))) as sandbox:
        yield sandbox


@dataclass
class TrytonCalls:
    """Calls over HTTP as a program makes them, and what people and the warehouse do beside."""

    sandbox: Sandbox

    def __post_init__(self) -> None:
        self._connection: Mapping[str, Any] = self.sandbox.describe()["connections"]["trueup_demo_tryton"]

    @property
    def details(self) -> ConnectionDetails:
        return ConnectionDetails("trueup_demo_tryton", **self._connection)

    def call(self, method: str, place: str, body: object = None, *, domain: object = None, expect: int = 200) -> Any:  # noqa: ANN401 - JSON
        """Ask, and return the JSON; its status must be the one expected."""
        address, _, query = place.partition("?")
        params: list[tuple[str, str | int | float | bool | None]] = [
            (name, value) for name, _, value in (each.partition("=") for each in query.split("&") if each)
        ]
        if domain is not None:
            params.append(("d", encoded(domain)))
        answer = httpx.request(
            method,
            f"{self._connection['host']}/trueup/rest/model/{address}",
            params=params,
            json=body,
            headers={
                "Authorization": f"bearer {self._connection['password']}",
                "X-Tryton-Context": encoded({"company": 1}),
            },
            timeout=10,
        )
        assert answer.status_code == expect, answer.text[:500]
        return answer.json() if answer.headers.get("content-type") == "application/json" else None

    def sales(self, web_id: str) -> list[dict[str, Any]]:
        """The sales of a web id."""
        fields = "f=number&f=state&f=total_amount&f=reference&f=web_shop.name&f=lines.product&f=lines.amount"
        found: list[dict[str, Any]] = self.call("GET", f"sale.sale?{fields}", domain=[["web_id", "=", web_id]])
        return found

    def invoices(self, reference: str) -> list[dict[str, Any]]:
        """The invoices of a reference."""
        fields = "f=number&f=state&f=total_amount&f=description&f=comment&f=invoice_date&f=accounting_date"
        found: list[dict[str, Any]] = self.call(
            "GET", f"account.invoice?{fields}", domain=[["reference", "=", reference]]
        )
        return found


def encoded(content: object) -> str:
    """As Tryton takes JSON in an address or a header."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
