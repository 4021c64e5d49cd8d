"""One valid row or two of each built table: what a gate passes, and what one corruption spoils."""

from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from psycopg.types.json import Jsonb

Row = dict[str, object]
Rows = list[Row]


def valid_rows(now: datetime) -> dict[str, Rows]:
    """The rows of each model, all seen at `now`."""
    of_record: Row = {"record_id": 1, "correlation_id": uuid4(), "build_id": 1}
    current: Row = {"is_current": True, "is_deleted": False, "build_id": 1}
    of_order: Row = current | {"system_id": "shopify_main", "source_key": "o1", "record_id": 1, "currency": "GBP"}
    first, second = "HV-00001", "HV-00002"
    in_kitchen: Row = {"category": "Kitchen", "is_active": True, "source_system_id": "netsuite", "build_id": 1}
    movement: Row = {**of_record, "occurred_at": now}
    level: Row = {**of_record, "as_of": now}
    held: Row = {**of_record, "order_line_id": "1", "ordered_at": now}
    listing: Row = {**of_record, "observed_at": now, "received_at": now, "allocated_quantity": 0}
    changed: Row = {"target_system": "shopify_main", "facts_received_at": now}
    parcel_at: Row = {"target_system": "shopify_main", "correlation_id": uuid4(), "build_id": 1}
    return {
        "int_source_stock": [
            current | {"system_id": "netsuite", "source_key": "1|1", "source_location_id": "1", "on_hand_quantity": 20},
            current | {
                "system_id": "square", "source_key": "v1|L|S", "source_location_id": "LSTORE1", "on_hand_quantity": 7,
            },
        ],
        "int_source_items": [
            current | {"system_id": "netsuite", "source_key": "1", "source_sku": first, "gtin_key": "4006381333931"},
            current | {"system_id": "square", "source_key": "v1", "source_sku": first},
        ],
        "int_order_lines": [
            {
                "system_id": "shopify_main", "source_key": "o1", "order_name": "#1001", "ordered_quantity": 2,
                "shipped_quantity": 1, "build_id": 1,
            },
        ],
        "int_order_totals": [
            of_order | {"is_whole_order": True, "total_amount": 20, "financial_status": "paid", "paid_amount": 20},
        ],
        "int_order_amounts": [
            of_order | {"amount_id": "l1", "kind": "goods", "amount": 24, "is_included": False},
            of_order | {"amount_id": "l1|discount", "kind": "discount", "amount": -4, "is_included": False},
            of_order | {"amount_id": "l1|tax", "kind": "tax", "amount": 4, "is_included": True},
        ],
        "int_order_payments": [
            of_order | {"payment_id": "p1", "kind": "sale", "status": "success", "amount": 20},
        ],
        "int_order_events": [
            {name: value for name, value in of_order.items() if name != "currency"}
            | {"event_id": "e1", "kind": "fulfilled", "happened_at": now},
        ],
        "int_refunds": [
            of_order | {"refund_part_id": "r1", "refund_status": "done", "refund_amount": 10, "quantity": 1},
        ],
        "int_returns": [
            {name: value for name, value in of_order.items() if name != "currency"}
            | {
                "return_part_id": "1", "return_status": "closed", "announced_quantity": 2, "received_quantity": 2,
                "restocked_quantity": 1, "announced_at": now,
            },
        ],
        "int_credits": [
            of_order | {"credit_id": "1", "credited_amount": 10, "credited_at": now},
        ],
        "int_parcels": [
            current | {
                "system_id": "shipbob", "source_key": "8", "record_id": 1, "parcel_id": "80", "parcel_line_id": "80|1",
                "quantity": 2, "status": "delivered", "shipped_at": now, "delivered_at": now,
            },
        ],
        "products": [
            in_kitchen | {"sku": first, "title": "Mug", "gtin": "4006381333931"},
            in_kitchen | {"sku": second, "title": "Bowl"},
        ],
        "sku_aliases": _aliases(),
        "stock_movements": [
            movement | {
                "movement_id": "m1", "sku": first, "location_id": "WH-EAST", "kind": "receipt", "delta_quantity": 5,
                "sequence": 1, "source_system_id": "netsuite", "source_reference": "r",
            },
            movement | {
                "movement_id": "m2", "sku": first, "location_id": "STORE-1", "kind": "count", "counted_quantity": 7,
                "sequence": 1, "source_system_id": "square", "source_reference": "c",
            },
            movement | {
                "movement_id": "m3", "sku": second, "location_id": "STORE-1", "kind": "sale", "delta_quantity": -1,
                "sequence": 2, "source_system_id": "square", "source_reference": "s", "record_id": 2,
            },
        ],
        "stock_levels": [
            level | {
                "sku": first, "location_id": "WH-EAST", "on_hand_quantity": 25, "damaged_quantity": 1,
                "quality_control_quantity": 2, "base_quantity": 20, "movement_quantity": 5,
                "source_system_id": "netsuite",
            },
            level | {
                "sku": second, "location_id": "STORE-1", "on_hand_quantity": 6, "damaged_quantity": 0,
                "quality_control_quantity": 0, "base_quantity": 7, "movement_quantity": -1,
                "source_system_id": "square",
            },
        ],
        "reservations": [
            held | {
                "reservation_id": "o1", "channel": "shopify_main", "order_name": "#1001", "sku": first,
                "location_id": "WH-EAST", "quantity": 2, "status": "open",
            },
            held | {
                "reservation_id": "o2", "order_name": "SO-2", "sku": second, "quantity": 1, "status": "released",
                "released_reason": "shipped",
            },
        ],
        "channel_listings": [
            listing | {
                "sku": first, "channel": "shopify_main", "channel_record_id": "i1|l1", "shown_quantity": 30,
                "is_listed": True,
            },
            listing | {
                "sku": second, "channel": "shopify_main", "channel_record_id": "i2|l1", "shown_quantity": 4,
                "is_listed": True, "record_id": 2,
            },
            listing | {"sku": second, "channel": "square_online", "is_listed": False, "record_id": 3},
        ],
        "ats_positions": _positions(now),
        "stock_differences": _differences(now),
        "return_differences": _return_differences(now),
        "return_changes": _return_changes(now),
        "fulfilment_differences": [
            parcel_at | {
                "subject_key": "shipbob|80|101", "difference_class": "shipped_not_told", "cause": "source_delay",
                "evidence": {"waits_for": "a tracking number"}, "age_queue_seconds": 4,
            },
            parcel_at | {
                "subject_key": "shipbob|81|101", "difference_class": "tracking_differs", "cause": "edited",
                "evidence": {"written_correction_id": 1},
            },
        ],
        "fulfilment_changes": [
            parcel_at | {
                "subject_key": parcel, "record_ref": parcel, "field": "document", "size": 2,
                "desired": {"document": {"location_ref": "gid://shopify/Location/9001", "lines": [{"quantity": 2}]}},
            }
            for parcel in ("shipbob|80|101", "shipbob|81|101")
        ],
        "stock_changes": [
            changed | {
                "record_ref": "i1|l1", "subject_key": first, "expected": Jsonb(30), "desired": Jsonb(9),
                "cause": "source_delay", "priority": 1,
            },
            changed | {
                "record_ref": "i2|l1", "subject_key": second, "expected": Jsonb(4), "desired": Jsonb(10),
                "cause": "edited", "priority": 2,
            },
        ],
        "order_differences": _order_differences(now),
        "order_changes": _order_changes(now),
    }  # fmt: skip


def _aliases() -> Rows:
    rules = {"netsuite": "exact_sku", "square": "gtin", "shipbob": "alias_file"}
    matched = [
        {"system_id": system, "source_item_id": item, "source_sku": sku, "sku": sku, "match_rule": rule, "build_id": 1}
        for system, rule in rules.items()
        for item, sku in (("1", "HV-00001"), ("2", "HV-00002"))
    ]
    odd = {"system_id": "square", "source_item_id": "9", "source_sku": "OLD-9", "sku": None, "match_rule": "unmatched"}
    return [*matched, odd | {"build_id": 1}]


def _positions(now: datetime) -> Rows:
    common: Row = {
        "category": "Kitchen", "withdrawn_quantity": 0, "location_terms": [], "rule_ids": [], "facts_as_of": now,
        "newest_received_at": now, "facts_version": "v1", "correlation_id": uuid4(), "build_id": 1,
    }  # fmt: skip
    return [
        common | {
            "sku": "HV-00001", "channel": "shopify_main", "on_hand_quantity": Decimal("25.5"), "damaged_quantity": 1,
            "quality_control_quantity": 2, "sellable_quantity": Decimal("22.5"), "reserved_quantity": 2,
            "safety_stock_quantity": 0, "free_quantity": Decimal("20.5"), "shortfall_quantity": 0,
            "unassigned_reserved_quantity": 1, "pool_quantity": Decimal("19.5"), "buffer_quantity": 1,
            "share": Decimal("0.5"), "cap_quantity": None, "ats_quantity": 9, "channel_allocated_quantity": 0,
            "target_quantity": 9,
        },
        common | {
            "sku": "HV-00002", "channel": "shopify_main", "on_hand_quantity": 40, "damaged_quantity": 0,
            "quality_control_quantity": 0, "sellable_quantity": 40, "reserved_quantity": 0, "safety_stock_quantity": 0,
            "free_quantity": 40, "shortfall_quantity": 0, "unassigned_reserved_quantity": 0, "pool_quantity": 40,
            "buffer_quantity": 0, "share": 1, "cap_quantity": 10, "ats_quantity": 10, "channel_allocated_quantity": 0,
            "target_quantity": 10,
        },
        common | {
            "sku": "HV-00002", "channel": "square_online", "on_hand_quantity": 6, "damaged_quantity": 0,
            "quality_control_quantity": 0, "sellable_quantity": 6, "reserved_quantity": 1, "safety_stock_quantity": 6,
            "free_quantity": 0, "shortfall_quantity": 1, "unassigned_reserved_quantity": 1, "pool_quantity": -2,
            "buffer_quantity": 0, "share": 1, "cap_quantity": None, "ats_quantity": 0, "channel_allocated_quantity": 3,
            "target_quantity": 0,
        },
    ]  # fmt: skip


def _differences(now: datetime) -> Rows:
    common: Row = {
        "entity": "stock", "target_system": "shopify_main", "field": "available", "detected_at": now,
        "observed_at": now, "age_source_seconds": 1, "age_landing_seconds": 2, "age_build_seconds": 3,
        "age_queue_seconds": 4, "facts_version": "v1", "correlation_id": uuid4(), "build_id": 1,
    }  # fmt: skip
    return [
        common | {
            "subject_key": "HV-00001", "record_ref": "i1|l1", "shown": Jsonb(30), "desired": Jsonb(9),
            "cause": "source_delay", "evidence": {"written_quantity": 30}, "shown_quantity": 30, "target_quantity": 9,
            "difference_quantity": 21,
        },
        common | {
            "subject_key": "HV-00002", "record_ref": "i2|l1", "shown": Jsonb(4), "desired": Jsonb(10),
            "cause": "edited", "evidence": {"previous_available_quantity": 10}, "shown_quantity": 4,
            "target_quantity": 10, "difference_quantity": -6,
        },
    ]  # fmt: skip


def _order_differences(now: datetime) -> Rows:
    common: Row = {
        "entity": "order", "target_system": "netsuite", "detected_at": now, "observed_at": now, "currency": "GBP",
        "age_source_seconds": 1, "age_landing_seconds": 0, "age_build_seconds": 3, "age_queue_seconds": 4,
        "facts_version": "v1", "correlation_id": uuid4(), "build_id": 1, "owner_system_id": "shopify_main",
    }  # fmt: skip
    return [
        common | {
            "subject_key": "shopify_main|#1001", "record_ref": "trueup:shopify_main|#1001", "field": "document",
            "difference_class": "missing", "cause": "not_synced_yet", "evidence": {"class": "missing"},
        },
        common | {
            "subject_key": "shopify_main|#1002", "record_ref": "netsuite:77", "field": "lines",
            "difference_class": "edited_after_booking", "cause": "edited",
            "evidence": {"class": "edited_after_booking", "original_total_amount": 20},
        },
    ]  # fmt: skip


def _order_changes(now: datetime) -> Rows:
    common: Row = {
        "entity": "order", "target_system": "netsuite", "facts_version": "v1", "facts_as_of": now,
        "facts_received_at": now, "size": 20, "priority": 1, "cause": "not_synced_yet",
    }  # fmt: skip
    line: Row = {
        "item_ref": "7",
        "sku": "HV-00001",
        "quantity": 2,
        "unit_price": "9.00",
        "discount": "0",
        "tax": "3.60",
    }
    document: Row = {
        "order_name": "#1001", "currency": "GBP", "is_tax_included": False, "total": "25.10", "lines": [line],
        "adjustments": [{"kind": "shipping", "amount": "3.50", "label": "Standard"}],
    }  # fmt: skip
    return [
        common | {
            "operation": "create", "record_ref": "trueup:shopify_main|#1001", "subject_key": "shopify_main|#1001",
            "field": "document", "desired": Jsonb({"document": document}), "correlation_id": uuid4(),
        },
        common | {
            "operation": "transition", "record_ref": "netsuite:78", "subject_key": "shopify_main|#1003",
            "field": "status", "expected": Jsonb("open"), "desired": Jsonb("cancelled"), "correlation_id": uuid4(),
        },
    ]  # fmt: skip


def _return_differences(now: datetime) -> Rows:
    common: Row = {
        "owner_system_id": "shopify_main",
        "order_id": "shopify_main|#1001",
        "order_name": "#1001",
        "field": "document",
        "evidence": Jsonb({}),
        "detected_at": now,
        "observed_at": now,
        "facts_version": "v1",
        "due_at": now,
        "correlation_id": uuid4(),
        "build_id": 1,
        "age_queue_seconds": 1,
    }
    return [
        common
        | {
            "subject_key": "shopify_main|r1",
            "entity": "refund",
            "target_system": "netsuite",
            "record_ref": "trueup:shopify_main|r1",
            "difference_class": "refund_without_credit",
            "cause": "not_synced_yet",
        },
        common
        | {
            "subject_key": "shopify_main|#1001|HV-00001",
            "entity": "refund",
            "target_system": "shopify_main",
            "record_ref": "trueup:shopify_main|#1001|HV-00001|1",
            "difference_class": "received_not_refunded",
            "cause": "source_delay",
            "evidence": Jsonb({"waits_for": "payment"}),
            "waits_for": "payment",
        },
    ]


def _return_changes(now: datetime) -> Rows:
    common: Row = {
        "entity": "refund",
        "operation": "create",
        "field": "document",
        "size": 10,
        "cause": "not_synced_yet",
        "priority": 1,
        "facts_version": "v1",
        "facts_as_of": now,
        "facts_received_at": now,
        "correlation_id": uuid4(),
        "owner_system": "shopify_main",
        "build_id": 1,
    }
    credit = {
        "total": "11.00",
        "lines": [{"sku": "HV-00001", "quantity": 1, "amount": "10.00"}],
        "adjustments": [{"kind": "shipping", "amount": "1.00"}],
    }
    return [
        common
        | {
            "subject_key": "shopify_main|r1",
            "target_system": "netsuite",
            "record_ref": "trueup:shopify_main|r1",
            "desired": Jsonb({"document": credit}),
        },
        common
        | {
            "subject_key": "shopify_main|#1001|HV-00001",
            "target_system": "shopify_main",
            "record_ref": "trueup:shopify_main|#1001|HV-00001|1",
            "owner_system": "netsuite",
            "desired": Jsonb({"document": {"transactions": [{"parent_ref": "p1", "amount": "10.00"}]}}),
        },
    ]
