"""Square: tills and an online listing, read and corrected."""

from trueup.configuration.model import QuantityMeaning
from trueup.connectors.forms import extra_field, host_field, login_field, secret_field
from trueup.connectors.spec import REFUND_CREATE, SELDOM_SECONDS, STOCK_SET, ConnectorSpec, Polling

SPEC = ConnectorSpec(
    name="square",
    title="Square",
    # Counts before orders, for the reason that listings come before them at Shopify.
    streams=("locations", "products", "stock_levels", "stock_movements", "orders"),
    polling={"locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS)},
    writes={STOCK_SET: "writers.inventory:connect", REFUND_CREATE: "writers.refund:connect"},
    shows=frozenset({QuantityMeaning.AVAILABLE}),
    signed_in="x-square-hmacsha256-signature",
    form=(
        host_field("https://connect.squareup.com"),
        secret_field(
            "Access token",
            "A personal access token; empty where client ID, secret and refresh token are given",
            is_required=False,
        ),
        login_field("Client ID", "The application ID, for OAuth", is_required=False),
        extra_field("client_secret", "Client secret", "Of the same application", is_secret=True),
        extra_field("refresh_token", "Refresh token", "Of the seller's consent", is_secret=True),
        extra_field("webhook_secret", "Webhook signature key", "Of the webhook subscription", is_secret=True),
        extra_field(
            "webhook_url",
            "Webhook URL",
            "The subscription's notification URL, letter by letter: Square signs it",
            placeholder="https://airflow.example.com/trueup/tenant/hooks/square",
        ),
    ),
)
