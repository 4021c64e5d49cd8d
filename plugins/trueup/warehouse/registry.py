"""Applies a tenant's configuration: the YAML as tables that dbt and the guards join to."""

import hashlib
import json
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from trueup.configuration.model import FulfilmentConfirmation, Rule, TenantConfiguration
from trueup.warehouse.connection import Warehouse, act_as
from trueup.warehouse.locks import Lock


def apply_configuration(connection: Warehouse, configuration: TenantConfiguration, actor: str) -> bool:
    """Replace the registry's tables by `configuration`; True where anything changed.

    One transaction, as the configurator: a reader sees the old configuration or the new.
    """
    content = configuration.model_dump(mode="json")
    content_hash = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (Lock.CONFIGURATION,))
        act_as(connection, actor)
        row = connection.execute(
            "select content_hash from governance.declarations order by declaration_id desc limit 1"
        ).fetchone()
        if row is not None and row[0] == content_hash:
            return False
        connection.execute(
            "delete from governance.channel_rules; delete from governance.channel_locations;"
            " delete from governance.channels; delete from governance.locations;"
            " delete from governance.sku_aliases; delete from governance.systems;"
            " delete from governance.non_stock_codes; delete from governance.ownership;"
            " delete from governance.order_booking; delete from governance.system_options;"
            " delete from governance.return_handling;"
            " delete from governance.fulfilment_channels; delete from governance.fulfilment_locations"
        )
        _write_rows(connection, configuration)
        # Too small for autovacuum ever to look at; a planner that takes five channels for five hundred reads whole
        # tables where it should look rows up.
        connection.execute("select governance.analyze_configuration()")
        connection.execute(
            "insert into governance.declarations (content_hash, content) values (%s, %s)",
            (content_hash, Jsonb(content)),
        )
        connection.execute(
            "insert into audit.events (action, subject, reason, details)"
            " values ('configuration_applied', %s, 'the tenant''s files changed', %s)",
            (configuration.tenant, Jsonb({"content_hash": content_hash})),
        )
    return True


def _write_rows(connection: Warehouse, configuration: TenantConfiguration) -> None:
    rules: list[tuple[str, str | None, Rule]] = [("default", None, configuration.default_rule)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into governance.systems values (%s, %s, %s, %s, %s, %s)",
            [
                (name, s.connector, s.role, s.quantity_means, s.reserves_on_order, s.clock_uncertainty_seconds)
                for name, s in configuration.systems.items()
            ],
        )
        cursor.executemany(
            "insert into governance.locations values (%s, %s, %s, %s)",
            [
                (name, location.name, location.system_of_record, location.source_location_id)
                for name, location in configuration.locations.items()
            ],
        )
        for name, channel in configuration.channels.items():
            cursor.execute(
                "insert into governance.channels values (%s, %s, %s, %s, %s)",
                (name, channel.system, channel.shows, channel.listing_location, channel.is_enabled),
            )
            cursor.executemany(
                "insert into governance.channel_locations values (%s, %s)",
                [(name, location_id) for location_id in channel.served_by],
            )
            rules += [(f"{name}.{index}", name, rule) for index, rule in enumerate(channel.rules)]
        cursor.executemany(
            "insert into governance.channel_rules values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [_rule_row(rule_id, channel_name, rule) for rule_id, channel_name, rule in rules],
        )
        cursor.executemany(
            "insert into governance.sku_aliases values (%s, %s, %s)",
            [
                (system, source_sku, sku)
                for system, aliases in configuration.sku_aliases.items()
                for source_sku, sku in aliases.items()
            ],
        )
        cursor.executemany(
            "insert into governance.non_stock_codes values (%s, %s)",
            [(code.pattern, code.classification) for code in configuration.non_stock_codes],
        )
        cursor.executemany(
            "insert into governance.ownership values (%s, %s, %s)",
            [(*name.split("."), owner) for name, owner in configuration.ownership.items()],
        )
        cursor.executemany(
            "insert into governance.system_options values (%s, %s, %s)",
            [
                (system, name, value)
                for system, declaration in configuration.systems.items()
                for name, value in declaration.options.items()
            ],
        )
        if configuration.orders is not None:
            orders = configuration.orders
            cursor.executemany(
                "insert into governance.order_booking values (%s, %s, %s, %s, %s)",
                [
                    (taken_by, orders.booked_in, orders.booked_by, orders.grace_minutes, orders.waits_for_payment)
                    for taken_by in orders.taken_by
                ],
            )
        if configuration.returns is not None:
            returns = configuration.returns
            cursor.executemany(
                "insert into governance.return_handling values (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    (
                        taken_by,
                        returns.credited_in,
                        returns.credited_by,
                        returns.credit_grace_minutes,
                        returns.refunded_by,
                        returns.refund_grace_minutes,
                        returns.received_within_days,
                        returns.restocked_within_hours,
                    )
                    for taken_by in returns.taken_by
                ],
            )
        if configuration.fulfilment is not None:
            _write_fulfilment(cursor, configuration, configuration.fulfilment)


def _write_fulfilment(
    cursor: psycopg.Cursor[Any], configuration: TenantConfiguration, fulfilment: FulfilmentConfirmation
) -> None:
    stuck = fulfilment.stuck_after_minutes
    cursor.executemany(
        "insert into governance.fulfilment_channels values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                name,
                configuration.channels[name].system,
                fulfilment.confirmed_by,
                fulfilment.grace_minutes,
                fulfilment.waits_for_tracking,
                fulfilment.notifies_customers,
                stuck.shipping,
                stuck.recording,
                stuck.delivering,
            )
            for name in fulfilment.channels
        ],
    )
    cursor.executemany(
        "insert into governance.fulfilment_locations values (%s, %s, %s)",
        [
            (name, location_id, confirmed.locations.get(location_id, configuration.channels[name].listing_location))
            for name, confirmed in fulfilment.channels.items()
            for location_id in configuration.channels[name].served_by
        ],
    )


def _rule_row(rule_id: str, channel: str | None, rule: Rule) -> tuple[object, ...]:
    return (rule_id, channel, rule.category, rule.sku, rule.safety_stock, rule.buffer, rule.share, rule.cap)
