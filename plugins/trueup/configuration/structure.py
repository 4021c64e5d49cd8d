"""What of a declaration decides which canonical rows there are, and what is in them."""

from typing import Final

from trueup.configuration.model import TenantConfiguration

GOVERNED_LAYERS: Final = ("reconciliation", "outbox")
"""The layers of models, and their schemas, that are there only for those who have declared the workflow."""


def what_decides_rows(configuration: TenantConfiguration) -> list[object]:
    """Return the declared values that canonical rows are computed from: where one differs, all are computed again.

    Rules and limits are left out: only marts read those.
    """
    return [
        {
            name: [
                s.connector,
                s.role,
                s.quantity_means,
                s.reserves_on_order,
                s.clock_uncertainty_seconds,
                dict(sorted(s.options.items())),
            ]
            for name, s in configuration.systems.items()
        },
        {name: [p.system_of_record, p.source_location_id] for name, p in configuration.locations.items()},
        {name: [c.system, c.shows, c.listing_location] for name, c in configuration.channels.items()},
        configuration.sku_aliases,
        [[code.pattern, code.classification] for code in configuration.non_stock_codes],
        sorted(configuration.undeclared_workflows),
    ]
