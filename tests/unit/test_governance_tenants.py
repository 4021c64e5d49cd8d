"""What a retailer declares is read whole or refused with file, key and remedy."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from trueup.configuration.connections import DeclaredConnections
from trueup.configuration.tenants import load_tenant, tenant_names
from trueup.domain.errors import Permanent

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("tenant", tenant_names(PROJECT / "tenants"))
def test_the_tenants_that_ship_hold_together(tenant: str) -> None:
    assert load_tenant(PROJECT / "tenants", tenant).tenant == tenant


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    shutil.copytree(PROJECT / "tenants" / "demo", tmp_path / "demo")
    return tmp_path


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        (
            "channels.yml",
            lambda c: c["channels"]["shopify_main"].update(bufer=3),
            "channels.shopify_main.bufer: unknown key",
        ),
        (
            "systems.yml",
            lambda c: c["systems"]["netsuite"].pop("connection"),
            "systems.netsuite.connection: required and missing",
        ),
        ("systems.yml", lambda c: c["locations"]["WH-EAST"].update(system_of_record="sap"), "no system 'sap'"),
        ("channels.yml", lambda c: c["channels"]["shopify_main"]["served_by"].append("MOON"), "no location 'MOON'"),
        ("channels.yml", lambda c: c["default_rule"].pop("share"), "default_rule: must say"),
        ("tenant.yml", lambda c: c.update(systems={}), "key 'systems' belongs in systems.yml"),
        ("tenant.yml", lambda c: c.update(tenant="other"), "make them the same"),
        (
            "channels.yml",
            lambda c: c["channels"]["shopify_outlet"]["rules"][0].update(share=1.5),
            "less than or equal to 1",
        ),
        (
            "channels.yml",
            lambda c: c["channels"]["shopify_outlet"]["rules"][0].update(cap=3_000_000_000),
            "less than or equal to 1000000000",
        ),
        (
            "channels.yml",
            lambda c: c["channels"]["shopify_outlet"]["rules"][1].update(sku="A"),
            "both category and sku",
        ),
        (
            "systems.yml",
            lambda c: c["locations"]["STORE-1"].update(source_location_id="LSTORE2"),
            "one id, one location",
        ),
    ],
)
def test_a_mistake_names_file_key_and_remedy(
    tenants: Path,
    file: str,
    change: Callable[[dict[str, Any]], object],
    expected: str,
) -> None:
    _edit(tenants / "demo" / file, change)
    with pytest.raises(Permanent) as caught:
        load_tenant(tenants, "demo")
    assert expected in str(caught.value)
    assert file in str(caught.value)


def test_a_missing_file_is_named(tenants: Path) -> None:
    (tenants / "demo" / "channels.yml").unlink()
    with pytest.raises(Permanent, match=r"channels\.yml: no such file; copy the one of tenants/example"):
        load_tenant(tenants, "demo")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "price.amount: oracle",
            "ownership.price.amount: no system 'oracle'; declare it in systems.yml, or say trueup",
        ),
        ("price: netsuite", "ownership.price"),
        ("price.amount: [netsuite]", "ownership.price.amount"),
    ],
)
def test_an_owner_that_cannot_be_meant_is_named(tenants: Path, line: str, expected: str) -> None:
    """Who owns a field decides who is written to."""
    (tenants / "demo" / "ownership.yml").write_text(f"ownership:\n  {line}\n")
    with pytest.raises(Permanent, match=r"ownership\.yml") as caught:
        load_tenant(tenants, "demo")
    assert expected in str(caught.value)


def test_an_owner_that_changes_is_read_again(tenants: Path) -> None:
    """What was read is kept only for as long as the file stays the same."""
    assert load_tenant(tenants, "demo").ownership["stock.available"] == "trueup"
    (tenants / "demo" / "ownership.yml").write_text("ownership:\n  price.amount: netsuite\n")
    assert load_tenant(tenants, "demo").ownership == {"price.amount": "netsuite"}
    (tenants / "demo" / "ownership.yml").unlink()
    assert load_tenant(tenants, "demo").ownership == {}


def test_an_alias_that_stands_twice_is_refused(tenants: Path) -> None:
    (tenants / "demo" / "aliases.csv").write_text("system,source_sku,sku\nshipbob,A,B\nshipbob,A,C\n")
    with pytest.raises(Permanent, match=r"aliases\.csv:3: 'A' stands twice"):
        load_tenant(tenants, "demo")


def test_an_alias_that_stands_twice_in_two_spellings_is_refused(tenants: Path) -> None:
    """The warehouse compares them in one form: two lines of one code would settle nothing."""
    (tenants / "demo" / "aliases.csv").write_text(
        "system,source_sku,sku\nshipbob,OLD 1,B\nshipbob,old\u00a01,C\n", encoding="utf-8"
    )
    with pytest.raises(Permanent, match=r"aliases\.csv:3: 'old<U\+00A0>1' stands twice"):
        load_tenant(tenants, "demo")


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"shop": {"conn_type": "shopify", "host": "from-file"}}))
    inline = json.dumps({"conn_type": "shopify", "host": "from-environment", "extra": {"a": 1}})
    connections = DeclaredConnections({"AIRFLOW_CONN_SHOP": inline}, file)
    assert connections.get("shop").host == "from-environment"
    assert connections.get("shop").extra == {"a": 1}
    assert DeclaredConnections({}, file).get("shop").host == "from-file"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'not json", "not JSON"),
        ('{"passwort": "canary-secret"}', "unknown keys passwort"),
        ("[]", "must be a JSON object"),
    ],
)
def test_a_broken_connection_is_refused_without_its_content(text: str, expected: str) -> None:
    with pytest.raises(Permanent) as caught:
        DeclaredConnections({"AIRFLOW_CONN_SHOP": text}, None).get("shop")
    assert expected in str(caught.value)
    assert "canary-secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_details_never_show_their_secrets() -> None:
    details = DeclaredConnections(
        {"AIRFLOW_CONN_SHOP": '{"conn_type": "x", "password": "canary-secret", "extra": {"token": "canary-secret"}}'},
        None,
    ).get("shop")
    assert "canary-secret" not in repr(details)


@pytest.mark.parametrize(
    ("orders", "mistake"),
    [
        ("{booked_in: sap, taken_by: [shopify_main]}", "orders.booked_in: no system 'sap'; declare it in systems.yml"),
        ("{booked_in: netsuite, taken_by: [amazon]}", "orders.taken_by: no system 'amazon'; declare it in systems.yml"),
        ("{booked_in: netsuite, taken_by: [netsuite]}", "netsuite books the orders; it has its own already"),
        (
            "{booked_in: netsuite, taken_by: [shopify_main], grace_minutes: 5}",
            "orders.grace_minutes: is what another integration may take; take it out, or say booked_by",
        ),
        ("{booked_in: netsuite, taken_by: [shopify_main], booked: x}", "orders.booked: unknown key"),
    ],
)
def test_a_mistake_in_who_books_orders_is_named(tenants: Path, orders: str, mistake: str) -> None:
    (tenants / "demo" / "orders.yml").write_text(f"orders: {orders}\n")
    with pytest.raises(Permanent, match=re.escape(mistake)) as caught:
        load_tenant(tenants, "demo")
    assert "orders.yml" in str(caught.value)


@pytest.mark.parametrize(
    ("returns", "mistake"),
    [
        (
            "{credited_in: sap, taken_by: [shopify_main]}",
            "returns.credited_in: no system 'sap'; declare it in systems.yml",
        ),
        (
            "{credited_in: netsuite, taken_by: [amazon]}",
            "returns.taken_by: no system 'amazon'; declare it in systems.yml",
        ),
        ("{credited_in: netsuite, taken_by: [netsuite]}", "netsuite credits the refunds of others; take it out"),
        ("{credited_in: netsuite, taken_by: [shopify_main]}", "credits of netsuite are not read; add credits to its"),
        (
            "{credited_in: netsuite, taken_by: [shopify_main], refund_grace_minutes: 5}",
            "returns.refund_grace_minutes: is what somebody else may take; take it out, or say refunded_by",
        ),
        ("{credited_in: netsuite, taken_by: [shopify_main], refund_approvals: 3}", "returns.refund_approvals"),
        ("{credited_in: netsuite, taken_by: [shopify_main], credited: x}", "returns.credited: unknown key"),
    ],
)
def test_a_mistake_in_who_handles_returns_is_named(tenants: Path, returns: str, mistake: str) -> None:
    systems = tenants / "demo" / "systems.yml"
    if "credits of netsuite" in mistake:
        systems.write_text(systems.read_text().replace("orders, returns, credits]", "orders, returns]"))
    (tenants / "demo" / "returns.yml").write_text(f"returns: {returns}\n")
    with pytest.raises(Permanent, match=re.escape(mistake)) as caught:
        load_tenant(tenants, "demo")
    assert "returns.yml" in str(caught.value)


@pytest.mark.parametrize(
    ("fulfilment", "mistake"),
    [
        ("{channels: {amazon: {}}}", "fulfilment.channels: no channel 'amazon'; declare it in channels.yml"),
        (
            "{channels: {shopify_outlet: {locations: {WH-WEST: x}}}}",
            "fulfilment.channels.shopify_outlet.locations: WH-WEST does not serve it; take it out, or name it under",
        ),
        (
            "{channels: {shopify_main: {}}, grace_minutes: 5}",
            "fulfilment.grace_minutes: is what another integration may take; take it out, or say confirmed_by",
        ),
        ("{channels: {shopify_main: {}}, stuck_after_minutes: {shipping: 0}}", "greater than or equal to 1"),
        ("{channels: {shopify_main: {}}, carrier: x}", "fulfilment.carrier: unknown key"),
        ("{channels: {}}", "at least 1 item"),
    ],
)
def test_a_mistake_in_who_tells_of_parcels_is_named(tenants: Path, fulfilment: str, mistake: str) -> None:
    (tenants / "demo" / "fulfilment.yml").write_text(f"fulfilment: {fulfilment}\n")
    with pytest.raises(Permanent, match=re.escape(mistake)) as caught:
        load_tenant(tenants, "demo")
    assert "fulfilment.yml" in str(caught.value)
