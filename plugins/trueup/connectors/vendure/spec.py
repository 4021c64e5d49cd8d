"""Vendure: a shop that shows and sells, read and corrected."""

from trueup.configuration.model import QuantityMeaning
from trueup.connectors.forms import extra_field, host_field, login_field, secret_field
from trueup.connectors.spec import SELDOM_SECONDS, STOCK_SET, ConnectorSpec, Polling

SPEC = ConnectorSpec(
    name="vendure",
    title="Vendure",
    # Listings before orders, as at Shopify.
    streams=("locations", "products", "listings", "orders"),
    polling={"locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS)},
    writes={STOCK_SET: "writers.inventory:connect"},
    shows=frozenset({QuantityMeaning.ON_HAND}),
    form=(
        host_field("https://shop.example.com/admin-api", "Of the Admin API; /admin-api where no path is given"),
        login_field("User", "An administrator with ReadCatalog, ReadOrder and UpdateCatalog"),
        secret_field("Password", "Of the same administrator"),
        extra_field("channel_token", "Channel token", "Of the sales channel; empty for the default one"),
    ),
)
