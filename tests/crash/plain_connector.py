"""The connector that many write first: poll the orders since the last id, post each to the ERP, remember the id.

It is not made worse than it is: it pages to the end, books every order to the cent, stops at a failure and begins
there in its next run. What it lacks is what such connectors lack: it does not look whether an order is booked already,
because it knows the last id.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

_ORDERS = """query Orders($query: String!) {
  orders(first: 50, query: $query, sortKey: ID) {
    nodes {
      id name createdAt cancelledAt test currencyCode currentTotalPriceSet { shopMoney { amount } }
      lineItems(first: 100) { nodes { sku currentQuantity originalUnitPriceSet { shopMoney { amount } } } }
    }
    pageInfo { hasNextPage }
  }
}"""
_SUITEQL = "/services/rest/query/v1/suiteql"
_TOKEN = "/services/rest/auth/oauth2/v1/token"


class PlainConnector:
    """Books the orders of one shop.

    `shop`, `erp`: the connections, as Airflow has them. `memory`: the file that holds the last id. `options`: what
    orders are booked on (`customer`, and the item `shipping_item` for all that is no goods).
    """

    def __init__(
        self, shop: Mapping[str, Any], erp: Mapping[str, Any], memory: Path, channel: str, options: Mapping[str, str]
    ) -> None:
        self._shop_details, self._erp_details = shop, erp
        self._memory = memory
        self._channel = channel
        self._options = options

    def run_once(self) -> None:
        """Book what is newer than the last id, in the order of ids."""
        with closing(self._shop()) as shop, closing(self._erp()) as erp:
            items = self._items(erp)
            for order in self._orders(shop):
                if not order["test"] and order["cancelledAt"] is None:
                    answer = erp.post("/services/rest/record/v1/salesOrder", json=self._body(order, items))
                    answer.raise_for_status()
                self._memory.write_text(order["id"].rsplit("/", 1)[1])

    def _orders(self, shop: httpx.Client) -> Iterator[Mapping[str, Any]]:
        has_more = True
        while has_more:
            last = self._memory.read_text() if self._memory.exists() else "0"
            asked = {"query": _ORDERS, "variables": {"query": f"id:>{last}"}}
            answer = shop.post("/admin/api/2026-10/graphql.json", json=asked)
            answer.raise_for_status()
            page = answer.json()["data"]["orders"]
            yield from page["nodes"]
            has_more = page["pageInfo"]["hasNextPage"]

    def _body(self, order: Mapping[str, Any], items: Mapping[str, str]) -> dict[str, Any]:
        lines, rest = [], _amount(order["currentTotalPriceSet"])
        for line in order["lineItems"]["nodes"]:
            if line["sku"] in items and line["currentQuantity"]:
                amount = _amount(line["originalUnitPriceSet"]) * line["currentQuantity"]
                rest -= amount
                lines.append({**_line(items[line["sku"]], line["currentQuantity"], amount), "location": {"id": "1"}})
        if rest:
            lines.append(_line(self._options["shipping_item"], 1, rest))
        return {
            "otherRefNum": order["name"],
            "custbody_channel": self._channel,
            "entity": {"id": self._options["customer"]},
            "orderStatus": {"id": "B"},
            "item": {"items": lines},
        }

    def _items(self, erp: httpx.Client) -> dict[str, str]:
        found: dict[str, str] = {}
        has_more = True
        while has_more:
            answer = erp.post(
                _SUITEQL,
                params={"limit": 1000, "offset": len(found)},
                json={"q": "SELECT id, itemid FROM item ORDER BY id"},
                headers={"Prefer": "transient"},
            )
            answer.raise_for_status()
            page = answer.json()
            found |= {row["itemid"]: row["id"] for row in page["items"]}
            has_more = page["hasMore"]
        return found

    def _shop(self) -> httpx.Client:
        headers = {"X-Shopify-Access-Token": self._shop_details["password"]}
        return httpx.Client(base_url=self._shop_details["host"], headers=headers, trust_env=False, timeout=10)

    def _erp(self) -> httpx.Client:
        details = self._erp_details
        client = httpx.Client(base_url=details["host"], trust_env=False, timeout=10)
        claims = {
            "iss": details["login"],
            "scope": ["rest_webservices"],
            "aud": details["host"] + _TOKEN,
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
        }
        header = {"typ": "JWT", "alg": "ES256", "kid": details["extra"]["certificate_id"]}
        assertion = jwt.encode(header, claims, ECKey.import_key(details["password"]), algorithms=["ES256"])
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        answer = client.post(_TOKEN, data=form)
        answer.raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client


def _line(item: str, quantity: int, amount: Decimal) -> dict[str, Any]:
    # With a price level, NetSuite would put the item's own price in the place of ours.
    return {"item": {"id": item}, "quantity": quantity, "price": {"id": "-1"}, "amount": float(amount)}


def _amount(money: Mapping[str, Any]) -> Decimal:
    return Decimal(money["shopMoney"]["amount"])
