"""The fields that are asked of each of Tryton's models. What a module adds is asked for where the module is active."""

from typing import Final

LOCATION: Final = (
    "name", "code", "type", "active", "parent", "input_location", "output_location", "storage_location",
)  # fmt: skip
PRODUCT: Final = (
    "code", "active", "write_date", "identifiers.type", "identifiers.code", "template.name", "template.type",
    "template.active", "template.write_date", "template.categories.name",
)  # fmt: skip
MOVE: Final = (
    "state", "quantity", "internal_quantity", "product.code", "from_location.type", "to_location.type",
    "effective_date", "planned_date", "create_date", "write_date", "origin", "shipment",
)  # fmt: skip
ORDER: Final = (
    "number", "reference", "state", "shipment_state", "warehouse", "sale_date", "create_date", "write_date",
    "currency.code", "untaxed_amount", "tax_amount", "total_amount",
    "shipments.state", "lines.type", "lines.quantity", "lines.unit_price", "lines.amount", "lines.warehouse",
    "lines.moves_ignored", "lines.unit.factor", "lines.product.code", "lines.product.template.type",
    "lines.product.default_uom.factor", "lines.moves.state", "lines.moves.quantity", "lines.moves.unit.factor",
)  # fmt: skip
RETURN: Final = (
    "number", "reference", "state", "warehouse", "effective_date", "create_date", "write_date",
    "incoming_moves.state", "incoming_moves.quantity", "incoming_moves.unit.factor", "incoming_moves.write_date",
    "incoming_moves.product.code", "incoming_moves.product.default_uom.factor", "inventory_moves.state",
    "inventory_moves.quantity", "inventory_moves.unit.factor", "inventory_moves.product.default_uom.factor",
)  # fmt: skip
CREDIT: Final = (
    "number", "reference", "description", "state", "currency.code", "untaxed_amount", "tax_amount", "total_amount",
    "invoice_date", "accounting_date", "create_date", "write_date",
)  # fmt: skip
