"""The assets by which one DAG triggers another. They carry no data: the tables are the queue.

Each is made once a process: several DAG files name the same one, and Airflow checks its address whenever it is made.
"""

import functools

from airflow.sdk import Asset, AssetAlias

from trueup.pipeline.triggers import webhook_asset_name


@functools.cache
def raw_asset(tenant: str, system: str) -> Asset:
    """Triggered when something of the system was landed."""
    return Asset(name=f"raw/{tenant}/{system}", uri=f"trueup://raw/{tenant}/{system}", group="raw")


@functools.cache
def webhook_asset(tenant: str, system: str) -> Asset:
    """Triggered by a vendor's webhook: something of the system has changed."""
    name, uri = webhook_asset_name(tenant, system)
    return Asset(name=name, uri=uri, group="webhook")


@functools.cache
def outbox_asset(tenant: str) -> Asset:
    """Triggered when corrections are due."""
    return Asset(name=f"outbox/{tenant}", uri=f"trueup://outbox/{tenant}", group="outbox")


@functools.cache
def holds_asset(tenant: str) -> Asset:
    """Triggered when a person has to decide."""
    return Asset(name=f"holds/{tenant}", uri=f"trueup://holds/{tenant}", group="outbox")


@functools.cache
def holds_trigger(tenant: str) -> AssetAlias:
    """The alias through which the proposing task triggers `holds_asset`: only when it put changes on hold."""
    return AssetAlias(name=f"holds/{tenant}/trigger", group="outbox")
