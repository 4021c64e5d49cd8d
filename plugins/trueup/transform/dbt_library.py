"""What dbt does otherwise while we run it, and why: each a context manager that puts it back."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def no_events() -> Iterator[None]:
    """Have dbt make no message of an event that nobody listens to; that was a seventh of a small build.

    A warning that dbt is told to treat as an error is still one.
    """
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.event_manager_client import ctx_set_event_manager, get_event_manager

    class OnlyWarnings(EventManager):
        def fire_event(
            self,
            e: Any,  # noqa: ANN401 -- dbt publishes no types
            level: Any = None,  # noqa: ANN401
            node: Any = None,  # noqa: ANN401
            force_warn_or_error_handling: bool = False,  # noqa: FBT001 -- dbt's own signature
        ) -> None:
            if force_warn_or_error_handling or self.require_warn_or_error_handling or self.loggers:
                super().fire_event(e, level, node, force_warn_or_error_handling)

    before = get_event_manager()
    ctx_set_event_manager(OnlyWarnings())
    try:
        yield
    finally:
        ctx_set_event_manager(before)


@contextmanager
def adapter_flags_as_they_are() -> Iterator[None]:
    """Spare dbt the search for the module that declares its adapter's flags, and keep their list from growing.

    It looks through the whole stack and all modules for the name, once a flag, and each run in one process leaves one
    flag more in a list of the library's (dbt-adapters 1.24, `BaseAdapter.behavior`): within Airflow or pytest, where
    stacks are deep, that is seconds a run.
    """
    from dbt.adapters.base.impl import DEFAULT_BASE_BEHAVIOR_FLAGS
    from dbt_common.behavior_flags import BehaviorFlagRendered

    BehaviorFlagRendered._default_source = staticmethod(lambda: __name__)  # type: ignore[method-assign]
    declared = len(DEFAULT_BASE_BEHAVIOR_FLAGS)
    try:
        yield
    finally:
        del DEFAULT_BASE_BEHAVIOR_FLAGS[declared:]


@contextmanager
def tables_listed_whole() -> Iterator[None]:
    """Have one thread at a time ask which tables a schema has.

    dbt takes a schema for known as soon as the first of its tables is in the cache (dbt-adapters 1.24,
    `BaseAdapter.list_relations`). A thread that asks in this moment would hear that its model has no table yet, and
    make all of it anew from the few records that a small build reads.
    """
    from dbt.adapters.base.impl import BaseAdapter

    unlocked = BaseAdapter.list_relations
    asking = threading.RLock()

    @functools.wraps(unlocked)
    def list_relations(adapter: Any, database: str | None, schema: str) -> Any:  # noqa: ANN401 -- dbt publishes no types
        with asking:
            return unlocked(adapter, database, schema)

    BaseAdapter.list_relations = list_relations
    try:
        yield
    finally:
        BaseAdapter.list_relations = unlocked
