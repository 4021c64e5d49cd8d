"""NetSuite: the account's own word on its stock, and the books that orders are entered in."""

from trueup.connectors.forms import extra_field, host_field, login_field, secret_field
from trueup.connectors.spec import (
    ORDER_CREATE,
    ORDER_TRANSITION,
    REFUND_CREATE,
    SELDOM_SECONDS,
    ConnectorSpec,
    Option,
    Polling,
)

# What an order has beside its products, and how a person would say that it is booked.
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
# What a credit has beside them. Goods too: a credit of a stock item would put it on a shelf a second time.
_CREDITED = (
    ("refund", "goods of a refund are"),
    ("goodwill", "what is given back without goods is"),
    ("exchange", "what a customer took instead is"),
)

SPEC = ConnectorSpec(
    name="netsuite",
    title="NetSuite",
    streams=("locations", "products", "stock_levels", "stock_movements", "orders", "returns", "credits"),
    polling={"locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS)},
    writes={
        ORDER_CREATE: "writers.orders:connect",
        ORDER_TRANSITION: "writers.order_states:connect",
        REFUND_CREATE: "writers.refunds:connect",
    },
    options=(
        Option("customer", "the internal id of the customer that orders without one of their own are booked on"),
        Option("location", "the internal id of the location of lines that name none", is_required=False),
        *(Option(f"{kind}_item", f"the internal id of the item that {what} booked on") for kind, what in _CHARGES),
        *(
            Option(
                f"{kind}_item",
                f"the internal id of the item, no stock item, that {what} credited on",
                is_required=False,
            )
            for kind, what in _CREDITED
        ),
    ),
    form=(
        host_field("https://1234567.suitetalk.api.netsuite.com", "The account's SuiteTalk address"),
        login_field("Client ID", "The consumer key of the integration record (OAuth 2.0, client credentials)"),
        secret_field("Private key", "PEM of the key whose certificate was uploaded; line breaks may be written as \\n"),
        extra_field(
            "certificate_id",
            "Certificate ID",
            "Shown at OAuth 2.0 Client Credentials (M2M) Setup after the upload",
            is_required=True,
        ),
        extra_field("algorithm", "Signature", "PS256 for an RSA key, ES256 for an EC one", placeholder="PS256"),
        extra_field(
            "account_concurrency",
            "Concurrent requests",
            "What the account's tier allows this integration at once",
            placeholder="5",
        ),
        extra_field(
            "time_zone",
            "Time zone",
            "Of the integration's user in Set Preferences; set it to GMT there and leave this empty",
            placeholder="UTC",
        ),
        extra_field(
            "channel_field",
            "Channel field",
            "Body field of a sales order that names the channel; empty string where there is none",
            placeholder="custbody_channel",
        ),
        extra_field(
            "currency",
            "Currency",
            "Of an account without the feature Multiple Currencies, such as GBP; empty where orders name theirs",
        ),
    ),
)
