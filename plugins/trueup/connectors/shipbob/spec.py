"""ShipBob: a third-party warehouse, read only."""

from trueup.connectors.forms import extra_field, host_field, secret_field
from trueup.connectors.spec import SELDOM_SECONDS, ConnectorSpec, Polling

SPEC = ConnectorSpec(
    name="shipbob",
    title="ShipBob",
    streams=("locations", "products", "stock_levels", "stock_movements", "orders", "returns"),
    polling={
        "locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS),
        "stock_levels": Polling(is_whole=True),
    },
    signed_in="webhook-signature",
    form=(
        host_field("https://api.shipbob.com"),
        secret_field("Access token", "A personal access token with the read scopes"),
        extra_field("requests_per_minute", "Requests a minute", "What ShipBob grants this account", placeholder="150"),
        extra_field("webhook_secret", "Webhook secret", "Of the webhook subscription (whsec_...)", is_secret=True),
    ),
)
