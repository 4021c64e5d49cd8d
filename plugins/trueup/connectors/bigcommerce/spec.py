"""BigCommerce: a store that shows and sells, read and corrected."""

from trueup.configuration.model import QuantityMeaning
from trueup.connectors.forms import extra_field, host_field, secret_field
from trueup.connectors.spec import (
    FULFILMENT_CREATE,
    ORDER_TRANSITION,
    REFUND_CREATE,
    SELDOM_SECONDS,
    STOCK_SET,
    ConnectorSpec,
    Polling,
)

SPEC = ConnectorSpec(
    name="bigcommerce",
    title="BigCommerce",
    # Listings before orders: an order that comes after the observation has moved the fence by then.
    streams=("locations", "products", "listings", "orders"),
    polling={
        "locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS),
        "listings": Polling(is_whole=True),
    },
    writes={
        STOCK_SET: "writers.inventory:connect",
        FULFILMENT_CREATE: "writers.fulfilment:connect",
        ORDER_TRANSITION: "writers.transitions:connect_orders",
        REFUND_CREATE: "writers.refund:connect",
    },
    shows=frozenset({QuantityMeaning.AVAILABLE}),
    signed_in="webhook-signature",
    form=(
        host_field("https://api.bigcommerce.com/stores/abc123", "With the store hash, as the API account shows it"),
        secret_field("Access token", "Of a store-level or app-level API account"),
        extra_field(
            "requests_per_30_seconds",
            "Requests in 30 seconds",
            "What the store's plan grants: 150 (Standard, Plus), 450 (Pro)",
            placeholder="150",
        ),
        extra_field("client_secret", "Client secret", "Of the same API account; signs its webhooks", is_secret=True),
    ),
)
