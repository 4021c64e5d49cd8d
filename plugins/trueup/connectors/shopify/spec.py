"""Shopify: a store that shows and sells, read and corrected."""

from trueup.configuration.model import QuantityMeaning
from trueup.connectors.forms import extra_field, host_field, login_field, secret_field
from trueup.connectors.spec import FULFILMENT_CREATE, SELDOM_SECONDS, STOCK_SET, ConnectorSpec, Polling

SPEC = ConnectorSpec(
    name="shopify",
    title="Shopify",
    # Listings before orders: an order that comes after the observation has moved the fence by then, so a
    # correction decided on this read is refused there instead of applied to what is already sold.
    streams=("locations", "products", "listings", "orders", "returns"),
    polling={"locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS)},
    writes={
        STOCK_SET: "writers.inventory:connect",
        FULFILMENT_CREATE: "writers.fulfilment:connect",
        "order.transition": "writers.transitions:connect_orders",
        "refund.create": "writers.refund:connect",
        "return.transition": "writers.transitions:connect_returns",
    },
    shows=frozenset({QuantityMeaning.AVAILABLE}),
    signed_in="x-shopify-hmac-sha256",
    form=(
        host_field("https://my-shop.myshopify.com", "The store's permanent address, not its own domain"),
        secret_field(
            "Access token",
            "Admin API token of an app that keeps one; empty where client ID and secret are given",
            is_required=False,
        ),
        login_field("Client ID", "Of the app in the Dev Dashboard", is_required=False),
        extra_field("client_secret", "Client secret", "Of the same app; signs its webhooks too", is_secret=True),
        extra_field(
            "refresh_token",
            "Refresh token",
            "Of an expiring offline token; empty for the client credentials grant",
            is_secret=True,
        ),
    ),
)
