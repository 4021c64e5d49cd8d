"""What the corrections tests stand on: the tables that dbt builds, as plain tables, and a tenant."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from psycopg.types.json import Jsonb
from tests.model_tables import create_table, insert_rows
from tests.stock_changes import create_stock_changes

from trueup.configuration.model import TenantConfiguration
from trueup.corrections.engine.correct import correct
from trueup.corrections.engine.policy import Policy
from trueup.corrections.engine.proposal import ProposalReport
from trueup.corrections.engine.propose import propose
from trueup.corrections.engine.reports import ChannelCorrections
from trueup.corrections.policies import POLICIES
from trueup.domain.connections import ConnectionDetails
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.registry import apply_configuration


def tenant(channels: Mapping[str, Mapping[str, Any]] | None = None) -> TenantConfiguration:
    """A tenant with one shop system a channel; `channels`: guards by channel."""
    guards = channels if channels is not None else {"shop": {"largest_share": 1, "canary_share": 0}}
    return TenantConfiguration.model_validate(
        {
            "tenant": "unit",
            "branding": {"display_name": "Unit"},
            "owner": "operations",
            "warehouse_connection": "trueup_unit",
            "systems": {
                "erp": {"connector": "netsuite", "connection": "erp", "role": "erp", "streams": ["stock_levels"]},
                **{
                    name: {
                        "connector": "shopify",
                        "connection": name,
                        "role": "shop",
                        "quantity_means": "available",
                        "streams": ["listings"],
                    }
                    for name in guards
                },
            },
            "locations": {"WH": {"name": "Warehouse", "system_of_record": "erp", "source_location_id": "1"}},
            "channels": {
                name: {"system": name, "listing_location": "1", "served_by": ["WH"], "guards": dict(each)}
                for name, each in guards.items()
            },
        }
    )


class Line:
    """One tenant's warehouse with what dbt would have built in it."""

    policies: Sequence[Policy] = POLICIES

    def __init__(self, details: ConnectionDetails, configuration: TenantConfiguration) -> None:
        self.details = details
        self.configuration = configuration
        with connect(details, None) as connection:
            apply_configuration(connection, configuration, "test")
        with connect(details, Role.TRANSFORMER) as connection:
            create_stock_changes(connection)
            create_table(connection, "ats_positions", defaults={"withdrawn_quantity": 0}, key=("sku", "channel"))
            create_table(connection, "channel_listings", key=("sku", "channel"))

    def list_skus(self, count: int, shown: int = 5, channel: str = "shop") -> None:
        """List `count` SKUs S00000.. on the channel."""
        with connect(self.details, Role.TRANSFORMER) as connection:
            connection.execute(
                "insert into canonical.channel_listings (sku, channel, channel_record_id, shown_quantity, is_listed,"
                " received_at) select 'S' || lpad(n::text, 5, '0'), %(channel)s, 'r' || n, %(shown)s, true, now()"
                " from generate_series(0, %(count)s - 1) as n",
                {"channel": channel, "shown": shown, "count": count},
            )

    def want(self, number: int, expected: int | None, target: int, channel: str = "shop", **columns: object) -> str:
        """Make SKU `number` a candidate (in place of an earlier one); its record id."""
        row: dict[str, object] = {
            "target_system": channel,
            "record_ref": f"r{number}",
            "subject_key": f"S{number:05}",
            "expected": None if expected is None else Jsonb(expected),
            "desired": Jsonb(target),
            "facts_received_at": datetime.now(UTC) - timedelta(seconds=3),
            "correlation_id": uuid4(),
            "priority": 0 if expected is not None and target < expected else 100,
            **columns,
        }
        self.withdraw(number, channel)
        with connect(self.details, Role.TRANSFORMER) as connection:
            insert_rows(connection, "stock_changes", row)
        return f"r{number}"

    def want_many(self, count: int, expected: int, target: int, channel: str = "shop", version: str = "v1") -> None:
        """Make SKUs 0.. candidates, all for the same change."""
        with connect(self.details, Role.TRANSFORMER) as connection:
            connection.execute(
                "insert into outbox.stock_changes (target_system, record_ref, subject_key, expected, desired, priority,"
                " facts_version, facts_received_at)"
                " select %s, 'r' || n, 'S' || lpad(n::text, 5, '0'), to_jsonb(%s::bigint), to_jsonb(%s::bigint), n, %s,"
                " now()"
                " from generate_series(0, %s - 1) as n",
                (channel, expected, target, version, count),
            )

    def withdraw(self, number: int | None = None, channel: str = "shop") -> None:
        """Take one candidate away, or all."""
        with connect(self.details, Role.TRANSFORMER) as connection:
            connection.execute(
                "delete from outbox.stock_changes where target_system = %s and (%s::text is null or record_ref = %s)",
                (channel, number, f"r{number}"),
            )

    def reread(self, channel: str = "shop") -> None:
        """The channel's listings were read again, completely, just now."""
        with connect(self.details, Role.LOADER) as connection:
            connection.execute(
                "insert into raw.stream_positions (system_id, stream, last_read_started_at)"
                " values (%s, 'listings', clock_timestamp()) on conflict (system_id, stream)"
                " do update set last_read_started_at = excluded.last_read_started_at",
                (channel,),
            )

    def propose(self, run_id: str = "publish") -> ProposalReport:
        """Run the proposer."""
        return propose(self.details, self.configuration, self.policies, run_id=run_id, actor="test")

    def correct(
        self, writers: Mapping[str, Any], run_id: str = "correct", **options: object
    ) -> list[ChannelCorrections]:
        """Run the corrector; waits take no time."""
        chosen: dict[str, Any] = {"sleep": _do_not_wait, "patience_seconds": 0.0, **options}
        report = correct(
            self.details, self.configuration, self.policies, writers, run_id=run_id, actor="test", **chosen
        )
        return list(report.channels)

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Read the warehouse."""
        with connect(self.details, Role.OPERATOR) as connection:
            return connection.execute(query, arguments or None).fetchall()

    def act(self, query: str, *arguments: object) -> None:
        """Change the warehouse as its owner."""
        with connect(self.details, None) as connection:
            connection.execute(query, arguments or None)

    def forget(self) -> None:
        """Take everything back that was decided, done and written down; only the owner can."""
        with connect(self.details, Role.OWNER) as connection:
            connection.execute(
                "truncate outbox.changes, outbox.receipts, outbox.read_backs, exceptions.queue, audit.events;"
                " delete from outbox.stock_changes"
            )

    def validate_newest_build(self) -> None:
        """Have a gate run behind the newest build: without one nothing is proposed from it."""
        self.act(
            "insert into gates.runs (run_id, build_id, is_full, suites_hash, started_at, expectation_count,"
            " failed_count, quarantined_count, released_count)"
            " select 'gate', max(build_id), false, '', max(finished_at), 1, 0, 0, 0 from audit.builds"
        )

    def statuses(self) -> dict[str, list[str]]:
        """The statuses each record's corrections went to, oldest correction first."""
        found: dict[str, list[str]] = {}
        for record, status in self.rows("select record_ref, status from outbox.changes order by change_id"):
            found.setdefault(record, []).append(status)
        return found


def _do_not_wait(_seconds: float) -> None:
    pass
