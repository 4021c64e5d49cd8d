"""What `trueup connector new` writes is found, compiles and reads; nothing that is there is written over."""

import ast
from pathlib import Path

import pytest

from trueup.contracts.kinds import record_kinds
from trueup.contracts.loader import parse_contract
from trueup.dev.skeleton import write_skeleton
from trueup.domain.errors import Permanent
from trueup.transform.staging import staging_models


def test_a_new_connector_has_all_its_files_in_their_places(tmp_path: Path) -> None:
    """Whoever adds one begins with the names right, and with nothing listed anywhere."""
    written = write_skeleton(tmp_path, "corner_shop", "Corner Shop", ["locations", "orders"])

    assert all((tmp_path / path).is_file() for path in written)
    for path in tmp_path.rglob("*.py"):
        ast.parse(path.read_text(), str(path))
    contract = tmp_path / "plugins/trueup/contracts/corner_shop/orders.yml"
    assert parse_contract(contract.read_text(), "corner_shop", "orders").key == "id"
    found = staging_models(tmp_path / "dbt_project")
    assert found["orders"] == [{"name": "stg_corner_shop__orders", "connector": "corner_shop", "stream": "orders"}]
    model = (tmp_path / "dbt_project/models/staging/corner_shop/stg_corner_shop__orders.sql").read_text()
    assert all(f" as {column}" in model for column in record_kinds()["orders"].columns if column.startswith("order"))
    assert "| `orders` |" in (tmp_path / "docs/systems/corner_shop.md").read_text()


@pytest.mark.parametrize(
    ("name", "streams", "remedy"),
    [
        ("shop", ["prices"], "no kind of record prices; there are locations"),
        ("shop", [], "no kind of record named"),
        ("Corner Shop", ["orders"], "use lower case letters and underscores"),
    ],
)
def test_a_mistake_writes_nothing(tmp_path: Path, name: str, streams: list[str], remedy: str) -> None:
    with pytest.raises(Permanent, match=remedy):
        write_skeleton(tmp_path, name, "Shop", streams)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    write_skeleton(tmp_path, "shop", "Shop", ["orders"])
    with pytest.raises(Permanent, match="is there already"):
        write_skeleton(tmp_path, "shop", "Shop", ["orders"])
