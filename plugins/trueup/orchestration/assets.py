"""The names of the bells that DAGs ring for one another. The tables are the queue.

Each is made once a process: several DAG files name the same one, and Airflow checks its address whenever it is made.
"""

import functools

from airflow.sdk import Asset, AssetAlias

from trueup.pipeline.triggers import webhook_bell


@functools.cache
def raw_asset(tenant: str, system: str) -> Asset:
    """Rung when something of the system was landed."""
    return Asset(name=f"raw/{tenant}/{system}", uri=f"trueup://raw/{tenant}/{system}", group="raw")


@functools.cache
def webhook_asset(tenant: str, system: str) -> Asset:
    """Rung by the vendor: something of the system has changed."""
    name, uri = webhook_bell(tenant, system)
    return Asset(name=name, uri=uri, group="webhook")


@functools.cache
def outbox_asset(tenant: str) -> Asset:
    """Rung when corrections are due."""
    return Asset(name=f"outbox/{tenant}", uri=f"trueup://outbox/{tenant}", group="outbox")


@functools.cache
def holds_asset(tenant: str) -> Asset:
    """Rung when a person has to decide."""
    return Asset(name=f"holds/{tenant}", uri=f"trueup://holds/{tenant}", group="outbox")


@functools.cache
def holds_bell(tenant: str) -> AssetAlias:
    """What the proposing task rings `holds_asset` through: only when it held something."""
    return AssetAlias(name=f"holds/{tenant}/bell", group="outbox")
