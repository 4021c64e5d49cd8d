"""Tryton: an ERP, read only."""

from trueup.connectors.forms import extra_field, host_field, secret_field
from trueup.connectors.spec import SELDOM_SECONDS, ConnectorSpec, Polling

SPEC = ConnectorSpec(
    name="tryton",
    title="Tryton",
    streams=("locations", "products", "stock_levels", "stock_movements", "orders", "returns", "credits"),
    polling={"locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS)},
    form=(
        host_field("https://erp.example.com"),
        secret_field("Application key", "Of a user application that was allowed to use REST"),
        extra_field("database", "Database", "The name that stands in Tryton's addresses", is_required=True),
        extra_field("company", "Company", "Id of the company to read; empty where there is only one"),
    ),
)
