"""A plain GraphQL client of the simulated Shopify, sharing nothing with the connector."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from trueup.sandbox.server import Sandbox
from trueup.sandbox.vendors.shopify.simulator import ShopifySimulator

SET_QUANTITIES = """mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason referenceDocumentUri changes { name delta quantityAfterChange item { sku } } }
    userErrors { code field message }
  }
}"""
LEVELS = """query Levels($location: ID!, $first: Int!, $after: String, $query: String, $names: [String!]!) {
  location(id: $location) {
    inventoryLevels(first: $first, after: $after, query: $query) {
      nodes { id updatedAt item { id sku } quantities(names: $names) { name quantity } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""
ORDERS = """query Orders($first: Int!, $after: String, $query: String) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes {
      id name createdAt updatedAt cancelledAt displayFulfillmentStatus test
      lineItems(first: 20) {
        nodes { id sku quantity currentQuantity unfulfilledQuantity requiresShipping variant { id } }
      }
      fulfillments(first: 5) { id status location { id } fulfillmentLineItems(first: 20) { nodes { quantity } } }
      refunds(first: 5) { id refundLineItems(first: 20) { nodes { quantity restockType } } }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""


class Shop:
    """One store of a running sandbox."""

    def __init__(self, sandbox: Sandbox, system_id: str = "shopify_main") -> None:
        simulator = sandbox.simulators[system_id]
        if not isinstance(simulator, ShopifySimulator):
            raise TypeError(system_id)
        self.simulator = simulator
        self.client = httpx.Client(base_url=f"{sandbox.base_url}/{system_id}", trust_env=False, timeout=10)
        self.token = simulator.authorization.permanent_token
        self.location = simulator.books.location.id

    def post(self, document: str, /, **variables: object) -> httpx.Response:
        """One GraphQL request, whatever comes of it."""
        headers = {"X-Shopify-Access-Token": self.token}
        body = {"query": document, "variables": variables}
        return self.client.post("/admin/api/2026-10/graphql.json", json=body, headers=headers)

    def ask(self, document: str, /, **variables: object) -> dict[str, Any]:
        """One request that succeeds; the whole answer."""
        response = self.post(document, **variables)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def grant(self, **reported: str) -> httpx.Response:
        """Ask the token endpoint."""
        authorization = self.simulator.authorization
        form = {"client_id": authorization.client_id, "client_secret": authorization.client_secret, **reported}
        return self.client.post("/admin/oauth/access_token", data=form)

    def entry(self, sku: str, quantity: int, expected: int | None) -> dict[str, Any]:
        """One quantity of a mutation's input."""
        return {
            "inventoryItemId": self.simulator.books.variants[sku].inventory_item.id,
            "locationId": self.location,
            "quantity": quantity,
            "changeFromQuantity": expected,
        }

    def set(self, key: str, entries: Sequence[Mapping[str, Any]], **changed: object) -> dict[str, Any]:
        """Run the mutation; its payload."""
        reported = {"name": "available", "reason": "correction", "quantities": entries, **changed}
        answer = self.ask(SET_QUANTITIES, input=reported, key=key)
        payload: dict[str, Any] = answer["data"]["inventorySetQuantities"]
        return payload

    def shown(self, sku: str) -> int:
        """What customers see."""
        quantity = self.simulator.shown(sku)
        assert quantity is not None
        return quantity

    def skus(self, count: int) -> list[str]:
        """Some listed products."""
        return list(self.simulator.books.variants)[:count]
