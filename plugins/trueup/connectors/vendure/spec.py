"""Vendure: a shop that shows and sells, read and corrected."""

from trueup.configuration.model import QuantityMeaning
from trueup.connectors.forms import extra_field, host_field, login_field, secret_field
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
    name="vendure",
    title="Vendure",
    # Listings before orders, as at Shopify.
    streams=("locations", "products", "listings", "orders"),
    polling={"locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS)},
    writes={
        STOCK_SET: "writers.inventory:connect",
        FULFILMENT_CREATE: "writers.fulfilment:connect",
        ORDER_TRANSITION: "writers.cancel:connect",
        REFUND_CREATE: "writers.refund:connect",
    },
    shows=frozenset({QuantityMeaning.ON_HAND}),
    form=(
        host_field("https://shop.example.com/admin-api", "Of the Admin API; /admin-api where no path is given"),
        login_field("User", "An administrator with ReadCatalog and ReadOrder; UpdateCatalog and UpdateOrder to write"),
        secret_field("Password", "Of the same administrator"),
        extra_field("channel_token", "Channel token", "Of the sales channel; empty for the default one"),
        extra_field(
            "paid_out_methods",
            "Methods paid out at once",
            "Codes of payment methods, with commas, whose refunds are paid out beside Vendure as soon as they are made",
        ),
    ),
)
