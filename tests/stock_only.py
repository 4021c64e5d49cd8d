"""A retailer who has Trueup govern less than the demo tenant: what is not governed, an integration of its own does."""

import shutil
from pathlib import Path

_DEMO = Path(__file__).resolve().parents[1] / "tenants" / "demo"


def tenants_governing(folder: Path, *workflows: str) -> Path:
    """Copy what the demo tenant declares of stock and of these workflows into `folder`; the folder of tenants."""
    tenants = folder / "tenants"
    shutil.copytree(_DEMO, tenants / "demo")
    for workflow in {"orders", "fulfilment", "returns"}.difference(workflows):
        (tenants / "demo" / f"{workflow}.yml").unlink()
    return tenants


def stock_only_tenants(folder: Path) -> Path:
    """The same with stock alone: an integration of its own books the channels' orders."""
    return tenants_governing(folder)
