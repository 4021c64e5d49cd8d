"""Tryton: the company's own word on its stock, and the books that orders and credits are entered in."""

from trueup.connectors.forms import extra_field, host_field, secret_field
from trueup.connectors.spec import (
    ORDER_CREATE,
    ORDER_TRANSITION,
    REFUND_CREATE,
    SELDOM_SECONDS,
    ConnectorSpec,
    Option,
    Polling,
)

# What an order has beside its goods, and how a person would say that it is booked.
_CHARGES = (
    ("discount", "discounts are"),
    ("tax", "taxes are"),
    ("shipping", "shipping is"),
    ("fee", "fees are"),
    ("tip", "tips are"),
    ("duty", "duties are"),
    ("gift_card", "gift cards are"),
    ("rounding", "rounding is"),
)
# What a credit has beside them.
_CREDITED = (
    ("refund", "goods of a refund are"),
    ("goodwill", "what is given back without goods is"),
    ("exchange", "what a customer took instead is"),
)

SPEC = ConnectorSpec(
    name="tryton",
    title="Tryton",
    streams=("locations", "products", "stock_levels", "stock_movements", "orders", "returns", "credits"),
    polling={"locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS)},
    writes={
        ORDER_CREATE: "writers.orders:connect",
        ORDER_TRANSITION: "writers.order_states:connect",
        REFUND_CREATE: "writers.refunds:connect",
    },
    options=(
        Option("customer", "the id of the party that orders without one of their own are booked on"),
        Option("warehouse", "the id of the warehouse that orders leave"),
        Option("web_shop", "the id of the web shop of channels that have none of their name", is_required=False),
        Option("payment_term", "the id of the payment term of orders", is_required=False),
        *(
            Option(f"{kind}_product", f"the id of the product, a service, that {what} booked on")
            for kind, what in _CHARGES
        ),
        *(
            Option(f"{kind}_product", f"the id of the product, a service, that {what} credited on", is_required=False)
            for kind, what in _CREDITED
        ),
    ),
    form=(
        host_field("https://erp.example.com"),
        secret_field("Application key", "Of a user application that was allowed to use REST"),
        extra_field("database", "Database", "The name that stands in Tryton's addresses", is_required=True),
        extra_field("company", "Company", "Id of the company to read; empty where there is only one"),
    ),
)
