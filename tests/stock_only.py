"""A retailer who has Trueup govern stock and nothing else: an integration of its own books the channels' orders."""

import shutil
from pathlib import Path

_DEMO = Path(__file__).resolve().parents[1] / "tenants" / "demo"


def stock_only_tenants(folder: Path) -> Path:
    """Copy the demo tenant into `folder`, without what it declares of further workflows; the folder of tenants."""
    tenants = folder / "tenants"
    shutil.copytree(_DEMO, tenants / "demo")
    (tenants / "demo" / "orders.yml").unlink()
    return tenants
