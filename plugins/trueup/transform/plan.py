"""Decides what a build has to do: nothing, what was touched, all marts, everything, or new tables."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trueup.configuration.model import TenantConfiguration
from trueup.domain.errors import Permanent
from trueup.transform.left_out import left_out_folders
from trueup.transform.project import project_folder, project_hash, project_variables, structure_hash, views_hash
from trueup.transform.scope import note_versions, outbox_marker, raw_tables, read_state, take_scope
from trueup.transform.versions import Model, models_of, with_descendants
from trueup.warehouse.connection import Warehouse

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one build does. `configuration` is the one applied last, which counts, not what the files say.

    left_out: folders of models that the tenant does not have, since it has not declared their workflow.
    is_recreated: nobody knows which models made the tables; drop and make them all again.
    is_deployed: the views have to be made (again). is_full, is_marts_full: recompute every row (of marts).
    remade: models that are others than those that made their tables; drop and make them again. recomputed: what reads
    them; every row again, in place. unaffected: all others, which take in what is new as ever.
    model_versions: what the tables will have been made by, where that was looked at.
    """

    configuration: TenantConfiguration
    build_id: int | None
    left_out: tuple[str, ...]
    is_needed: bool
    is_recreated: bool
    is_deployed: bool
    is_full: bool
    is_marts_full: bool
    changed_record_count: int
    since_build_id: int
    deployed_hash: str
    views_hash: str
    structure_hash: str
    declaration_id: int
    outbox_marker: str
    remade: frozenset[str]
    recomputed: frozenset[str]
    unaffected: tuple[Model, ...]
    model_versions: Mapping[str, str] | None

    def numbered(self, build_id: int) -> "Plan":
        """The same plan with the id of its row in audit.builds."""
        return replace(self, build_id=build_id)

    def state_after(self) -> dict[str, Any]:
        """What staging.build_state keeps once the build has succeeded."""
        return {
            "deployed_hash": self.deployed_hash,
            "views_hash": self.views_hash,
            "structure_hash": self.structure_hash,
            "declaration_id": self.declaration_id,
            "outbox_marker": self.outbox_marker,
            "model_versions": self.model_versions,
        }


def decide(connection: Warehouse, configuration: TenantConfiguration, *, is_full_refresh: bool) -> Plan:
    """Take in the scope and compare everything a build depends on with what the last one was made from.

    In the caller's transaction, which must be repeatable read.
    """
    state = read_state(connection)
    declaration_id, applied = _applied(connection, configuration)
    tables = raw_tables(connection, applied)
    changes = take_scope(connection, tables)
    variables = project_variables(applied)
    deployed = project_hash(project_folder())
    left_out = left_out_folders(applied)
    views = views_hash(variables, [f"{system_id}__{stream}" for system_id, stream in tables], left_out)
    structure = structure_hash(applied)
    marker = outbox_marker(connection, applied.service_levels.correction_seconds)
    is_other = state.deployed_hash != deployed
    is_recreated = is_other and state.model_versions is None
    # A build that recomputed everything and died has told nobody which rows it changed.
    is_full = is_full_refresh or is_recreated or state.is_full or state.structure_hash != structure
    is_marts_full = is_full or state.is_marts_full or state.declaration_id != declaration_id
    models: dict[str, Model] = {}
    if is_other or is_full:
        connectors = {system.connector for system in applied.systems.values()}
        models = models_of(project_folder(), connectors, left_out)
    versions = {name: model.version for name, model in models.items()}
    known = state.model_versions or {}
    remade = frozenset(name for name in models if is_other and not is_recreated and known.get(name) != versions[name])
    reached = with_descendants(models, remade)
    # A table that is dropped takes the views on it along, and another table to be made anew may read one of them.
    remade |= {name for name in reached if models[name].is_view}
    if is_other and not is_recreated and not remade:
        # Other words, the same rows: no build is needed for it, and the next plan need not look again.
        note_versions(connection, deployed, versions)
    is_news = changes.record_count > 0 or changes.is_swept or state.views_hash != views
    return Plan(
        configuration=applied,
        build_id=None,
        left_out=left_out,
        is_needed=is_full or is_marts_full or is_news or bool(remade) or state.outbox_marker != marker,
        is_recreated=is_recreated,
        is_deployed=is_recreated or state.views_hash != views or bool(remade),
        is_full=is_full,
        is_marts_full=is_marts_full,
        changed_record_count=changes.record_count,
        since_build_id=state.since_build_id,
        deployed_hash=deployed,
        views_hash=views,
        structure_hash=structure,
        declaration_id=declaration_id,
        outbox_marker=marker,
        remade=remade,
        # What is made anew before its parents are recomputed is recomputed after them.
        recomputed=frozenset(_children(models, reached)),
        unaffected=tuple(model for name, model in models.items() if remade and name not in reached),
        model_versions=versions if models else None,
    )


def _children(models: Mapping[str, Model], parents: frozenset[str]) -> Iterator[str]:
    return (name for name, model in models.items() if model.parents & parents)


def _applied(connection: Warehouse, configuration: TenantConfiguration) -> tuple[int, TenantConfiguration]:
    row = connection.execute(
        "select declaration_id, content from governance.declarations order by declaration_id desc limit 1"
    ).fetchone()
    if row is None:
        raise Permanent(
            f"no configuration has been applied; run `trueup tenant prepare {configuration.tenant}` to apply the"
            " tenant's files"
        )
    applied = TenantConfiguration.model_validate(row[1])
    if applied != configuration:
        log.warning(
            "the files of tenant %s differ from configuration version %d, which was applied and counts;"
            " `trueup tenant prepare %s` applies them",
            configuration.tenant,
            row[0],
            configuration.tenant,
        )
    return int(row[0]), applied
