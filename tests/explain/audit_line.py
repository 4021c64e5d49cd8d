"""One SKU's way down the line, row by row: what the audit's tests explain and trace."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb
from tests.corrections.corrections_outbox import Line
from tests.model_tables import create_table, insert_row

from trueup.configuration.model import TenantConfiguration
from trueup.domain.connections import ConnectionDetails
from trueup.domain.records import StreamKind
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.streams import Stream, create_stream_tables

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FACT = UUID("00000000-0000-4000-8000-00000000000a")

_MODELS = ("products", "sku_aliases", "stock_movements", "stock_levels", "reservations", "stock_differences")


def after(seconds: float) -> datetime:
    """So many seconds after noon, by our clock."""
    return NOON + timedelta(seconds=seconds)


def configuration() -> TenantConfiguration:
    """A warehouse and a store, a shop that is served by both."""
    return TenantConfiguration.model_validate(
        {
            "tenant": "unit",
            "branding": {"display_name": "Unit"},
            "owner": "operations",
            "warehouse_connection": "trueup_unit",
            "systems": {
                "erp": {
                    "connector": "netsuite",
                    "connection": "erp",
                    "role": "erp",
                    "streams": ["stock_levels", "stock_movements", "orders"],
                },
                "shop": {"connector": "shopify", "connection": "shop", "role": "shop", "streams": ["listings"]},
            },
            "locations": {
                "WH-EAST": {"name": "Main warehouse", "system_of_record": "erp", "source_location_id": "1"},
                "STORE-1": {"name": "Harbour Street", "system_of_record": "erp", "source_location_id": "2"},
            },
            "channels": {
                "shop": {
                    "system": "shop",
                    "listing_location": "1",
                    "served_by": ["WH-EAST", "STORE-1"],
                    "guards": {"largest_share": 1, "canary_share": 0},
                }
            },
        }
    )


class AuditLine(Line):
    """A warehouse with one SKU, HV-00001, of which the shop should show 6 and shows 9."""

    def __init__(self, details: ConnectionDetails) -> None:
        super().__init__(details, configuration())
        with connect(details, Role.TRANSFORMER) as connection:
            for model in _MODELS:
                create_table(connection, model)
        self.add("canonical.products", sku="HV-00001", title="Enamel mug", category="Kitchen")
        self.add("canonical.products", sku="HV-00002", title="Tin mug", category="Kitchen")
        self.add("canonical.sku_aliases", system_id="shop", source_item_id="9", source_sku="MUG-E", sku="HV-00001")

    def add(self, table: str, **columns: object) -> None:
        """Insert one row as the transformer."""
        with connect(self.details, Role.TRANSFORMER) as connection:
            insert_row(connection, table, columns)

    def land(
        self, stream: str, record_id: int, key: str, at: datetime, *, system: str = "erp", fact: UUID | None = None
    ) -> None:
        """Land one record of a state stream at our time `at`."""
        where = Stream(system, stream, StreamKind.STATE)
        with connect(self.details, Role.LOADER) as connection:
            create_stream_tables(connection, where)
            connection.execute(
                f"insert into raw.{where.table_name} (record_id, source_key, occurred_at, received_at, arrival,"
                " correlation_id, run_id, payload) values (%s, %s, %s, %s, 'poll', %s, %s, '{}')",
                (record_id, key, NOON, at, fact or uuid4(), f"land-{record_id}"),
            )

    def read(self, stream: str, started_at: datetime, run_id: str, *, system: str = "erp") -> None:
        """A read of the stream that began then and took a second."""
        self.act(
            "insert into audit.landings (run_id, system_id, stream, mode, started_at, finished_at, page_count,"
            " read_count, landed_count, unchanged_count, tombstone_count, violation_count, leaked_count)"
            " values (%s, %s, %s, 'poll', %s, %s, 1, 0, 0, 0, 0, 0, 0)",
            run_id,
            system,
            stream,
            started_at,
            started_at + timedelta(seconds=1),
        )

    def built(self, started_at: datetime, finished_at: datetime) -> None:
        """A build that succeeded and was validated."""
        self.act(
            "insert into audit.builds (run_id, started_at, finished_at, is_full_refresh, status)"
            " values ('build', %s, %s, false, 'succeeded')",
            started_at,
            finished_at,
        )
        self.validate_newest_build()

    def corrected(self, **columns: object) -> None:
        """One correction of HV-00001 on the shop, 9 to 6."""
        row: dict[str, object] = {
            "key": f"k{columns.get('correction', 1)}",
            "target_system": "shop",
            "entity": "stock",
            "operation": "set",
            "record_ref": "gid://1|gid://2",
            "field": "available",
            "subject_key": "HV-00001",
            "expected": Jsonb(9),
            "desired": Jsonb(6),
            "size": -3,
            "cause": "source_delay",
            "priority": 1,
            "facts_version": "1",
            "correlation_id": FACT,
            "status": "verified",
            "run_id": "publish-1",
            "proposed_at": NOON,
            **{name: value for name, value in columns.items() if name != "correction"},
        }
        names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        with connect(self.details, None) as connection:
            connection.execute(f"insert into outbox.changes ({names}) values ({places})", row)

    def whole_story(self) -> None:
        """Everything that the explanation of HV-00001 on the shop is made of."""
        self.built(after(2), after(3))
        self.land("stock_levels", 17, "11|1", after(1), fact=FACT)
        self.land("stock_levels", 18, "11|2", after(1))
        level = {"sku": "HV-00001", "quality_control_quantity": 0, "source_system_id": "erp", "build_id": 1}
        self.add(
            "canonical.stock_levels", **level, location_id="WH-EAST", on_hand_quantity=14, base_quantity=16,
            movement_quantity=-2, damaged_quantity=1, as_of=NOON, received_at=after(1), record_id=17,
            correlation_id=FACT,
        )  # fmt: skip
        self.add(
            "canonical.stock_levels", **level, location_id="STORE-1", on_hand_quantity=1, base_quantity=1,
            movement_quantity=0, damaged_quantity=0, as_of=NOON, received_at=after(1), record_id=18,
            correlation_id=uuid4(),
        )  # fmt: skip
        held = {"channel": "shop", "sku": "HV-00001", "status": "open", "source_system_id": "shop", "build_id": 1}
        self.add(
            "canonical.reservations", **held, reservation_id="a", order_name="#1001", location_id="WH-EAST", quantity=3,
            ordered_at=NOON, received_at=after(1), record_id=5, correlation_id=FACT,
        )  # fmt: skip
        self.add(
            "canonical.reservations", **held, reservation_id="b", order_name="#1002", location_id=None, quantity=2,
            ordered_at=NOON, received_at=after(1), record_id=6, correlation_id=uuid4(),
        )  # fmt: skip
        terms = [
            {
                "location_id": place, "source_system_id": "erp", "on_hand_quantity": on_hand,
                "damaged_quantity": damaged, "quality_control_quantity": 0, "withdrawn_quantity": 0,
                "withdrawn_because": None, "sellable_quantity": on_hand - damaged,
                "reserved_quantity": reserved,
                "safety_stock_quantity": 2, "free_quantity": free, "shortfall_quantity": 0, "record_id": record,
            }
            for place, on_hand, damaged, reserved, free, record in (
                ("STORE-1", 1, 0, 0, 0, 18), ("WH-EAST", 14, 1, 3, 8, 17),
            )
        ]  # fmt: skip
        self.add(
            "marts.ats_positions", sku="HV-00001", channel="shop", category="Kitchen", on_hand_quantity=15,
            damaged_quantity=1, quality_control_quantity=0, sellable_quantity=14, reserved_quantity=3,
            safety_stock_quantity=2, free_quantity=8, shortfall_quantity=0, unassigned_reserved_quantity=2,
            pool_quantity=6, buffer_quantity=1, share="0.9", cap_quantity=10, ats_quantity=4,
            channel_allocated_quantity=0, target_quantity=4, location_terms=terms,
            rule_ids={"safety_stock": "default", "buffer": "shop.0", "share": "default", "cap": "shop.2"},
            facts_as_of=NOON, newest_received_at=after(1), facts_version="1", correlation_id=FACT, build_id=1,
        )  # fmt: skip
        self.add(
            "canonical.channel_listings", sku="HV-00001", channel="shop", channel_record_id="gid://1|gid://2",
            shown_quantity=9, allocated_quantity=0, is_listed=True, observed_at=NOON, received_at=after(1),
            record_id=33, correlation_id=uuid4(), build_id=1,
        )  # fmt: skip
        self.add(
            "reconciliation.stock_differences", subject_key="HV-00001", entity="stock", target_system="shop",
            record_ref="gid://1|gid://2", field="available", shown="9", desired="4",
            cause="source_delay", evidence={"facts_as_of": "noon"}, detected_at=after(3),
            age_source_seconds=60.0, age_landing_seconds=1.0, age_build_seconds=2.0, correlation_id=FACT,
        )  # fmt: skip
