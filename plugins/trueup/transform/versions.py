"""Which version of each model made the warehouse's tables: what decides rows, hashed by model.

A description, a test or a comment decides no row. A model's rows are decided by its SQL, by the macros that this uses,
by its configuration, columns and constraints, and by where the sources it names lie; and a connector that the tenant
has no system of decides nothing for this tenant. dbt itself is not asked: it takes seconds to read its project, and a
build is planned every minute.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from trueup.domain.errors import Permanent

_JINJA_COMMENT: Final = re.compile(r"\{#.*?#\}", re.DOTALL)
_SQL_COMMENT_LINE: Final = re.compile(r"^\s*--.*$", re.MULTILINE)
_MACRO: Final = re.compile(r"\{%-?\s*macro\s+(\w+)\s*\(.*?\{%-?\s*endmacro\s*-?%\}", re.DOTALL)
_REF: Final = re.compile(r"""\bref\(\s*["'](\w+)["']""")
_SOURCE: Final = re.compile(r"""\bsource\(\s*["'](\w+)["']\s*,\s*["'](\w+)["']""")
_KIND: Final = re.compile(r"""\b(?:newest_versions|staging_models_of)\(\s*["'](\w+)["']""")
_CALL: Final = re.compile(r"\b(\w+)\s*\(")
# What dbt calls by itself: for every model, and for every one with a strategy of our own.
_ALWAYS: Final = ("generate_schema_name",)
_STRATEGY: Final = ("get_incremental_{}_sql", "expand_changed_keys")
_SAYS_NOTHING: Final = frozenset({"description", "tests", "data_tests", "docs", "meta"})
_loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Model:
    """One model: the hash of what decides its rows, whether it is a view, and whose rows it reads.

    Models of connectors that the tenant lacks have no rows, so nobody's parents are among them.
    """

    name: str
    version: str
    is_view: bool
    parents: frozenset[str]


def models_of(folder: Path, connectors: Collection[str], left_out: Collection[str] = ()) -> dict[str, Model]:
    """Every model of the project by name, as a tenant with these connectors has it.

    `left_out`: folders of the project whose models the tenant does not have.
    """
    foreign = _foreign(folder, connectors)
    macros = {
        found.group(1): _plain(found.group(0))
        for path in sorted((folder / "macros").rglob("*.sql"))
        for found in _MACRO.finditer(_JINJA_COMMENT.sub("", path.read_text(encoding="utf-8")))
    }
    described, sources = _described(folder)
    project = _read(folder / "dbt_project.yml")
    texts = {
        path.stem: path
        for path in sorted((folder / "models").rglob("*.sql"))
        if not any(path.is_relative_to(folder / each) for each in left_out)
    }
    named = {name for name in texts if not _is_of(name, foreign)}
    models: dict[str, Model] = {}
    for name, path in texts.items():
        text = _JINJA_COMMENT.sub("", path.read_text(encoding="utf-8"))
        own = _plain(text)
        configured = _configured(project, path.relative_to(folder / "models").parts[:-1])
        used = _used(own, configured, macros)
        whole = "\n".join([own, *(macros[macro] for macro in used)])
        content = [
            own,
            {macro: macros[macro] for macro in used},
            configured,
            project.get("vars"),
            described.get(name),
            [[*source, sources.get(source)] for source in sorted(set(_SOURCE.findall(whole)))],
            # Which staging models it unites is found in the folders, and said nowhere in its text.
            sorted(model for kind in _KIND.findall(own) for model in named if _is_staging(model, kind)),
        ]
        # dbt's own way to say it is a comment of SQL: `-- depends_on: {{ ref(...) }}`.
        parents = {parent for parent in _REF.findall(text + whole) if parent in texts and parent != name}
        parents |= {model for kind in _KIND.findall(own) for model in texts if _is_staging(model, kind)}
        models[name] = Model(name, _hash(content), _is_view(own, configured), frozenset(parents & named))
    return models


def with_descendants(models: Mapping[str, Model], changed: Collection[str]) -> frozenset[str]:
    """These models and all that read them, however far down."""
    reached = set(changed)
    while True:
        further = {name for name, model in models.items() if name not in reached and model.parents & reached}
        if not further:
            return frozenset(reached)
        reached |= further


def _foreign(folder: Path, connectors: Collection[str]) -> frozenset[str]:
    known = {path.name for path in (folder / "models" / "staging").iterdir() if path.is_dir()}
    return frozenset(known - set(connectors))


def _is_of(model: str, connectors: Collection[str]) -> bool:
    return any(model.startswith(f"stg_{connector}__") for connector in connectors)


def _is_staging(model: str, kind: str) -> bool:
    return model.startswith("stg_") and model.endswith(f"__{kind}")


def _plain(text: str) -> str:
    """Without comments, and without more than one space."""
    text = _SQL_COMMENT_LINE.sub("", _JINJA_COMMENT.sub("", text))
    text = re.sub(r"\s*([\[\]{}(),])\s*", r"\1", text)
    return re.sub(r"\s+", " ", text).strip()


def _used(own: str, configured: Mapping[str, Any], macros: Mapping[str, str]) -> list[str]:
    """The macros that the text calls, and those that these call; sorted."""
    strategy = re.search(r"""incremental_strategy=["'](\w+)["']""", own)
    name = strategy.group(1) if strategy else configured.get("incremental_strategy")
    by_strategy = () if _is_view(own, configured) else (macro.format(name) for macro in _STRATEGY)
    waiting = [*_ALWAYS, *by_strategy, *_CALL.findall(own)]
    used: set[str] = set()
    while waiting:
        macro = waiting.pop()
        if macro in macros and macro not in used:
            used.add(macro)
            waiting += _CALL.findall(macros[macro])
    return sorted(used)


def _is_view(own: str, configured: Mapping[str, Any]) -> bool:
    said = re.search(r"""materialized=["'](\w+)["']""", own)
    return (said.group(1) if said else configured.get("materialized", "view")) == "view"


def _configured(project: Mapping[str, Any], folders: tuple[str, ...]) -> dict[str, Any]:
    """What dbt_project.yml says of a folder's models; the deeper, the later."""
    configured: dict[str, Any] = {}
    level: Any = project.get("models", {}).get(project.get("name"), {})
    for folder in (*folders, None):
        configured |= {key.removeprefix("+"): value for key, value in level.items() if key.startswith("+")}
        level = level.get(folder) if folder is not None else None
        if not isinstance(level, dict):
            break
    return configured


def _described(folder: Path) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    """What the `.yml` files say of models that decides rows, and where each source's table lies."""
    models: dict[str, Any] = {}
    sources: dict[tuple[str, str], Any] = {}
    for path in sorted((folder / "models").rglob("*.yml")):
        if path.name.endswith("_unit_tests.yml"):
            continue
        content = _read(path)
        models |= {model["name"]: _without_words(model) for model in content.get("models") or ()}
        for source in content.get("sources") or ():
            place = {key: value for key, value in source.items() if key not in _SAYS_NOTHING | {"tables"}}
            for table in source.get("tables") or ():
                sources[source["name"], table["name"]] = [place, _without_words(table)]
    return models, sources


def _without_words(value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    if isinstance(value, dict):
        kept = {key: _without_words(each) for key, each in value.items() if key not in _SAYS_NOTHING}
        # A column of which only the name is said is there for its description.
        if "columns" in kept:
            kept["columns"] = [column for column in kept["columns"] if column.keys() != {"name"}]
        return kept
    return [_without_words(each) for each in value] if isinstance(value, list) else value


def _read(path: Path) -> dict[str, Any]:
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader)  # noqa: S506 - a safe loader
    if not isinstance(content, dict):
        raise Permanent(f"{path}: must hold keys and values at the top; restore it from the installation")
    return content


def _hash(content: Any) -> str:  # noqa: ANN401 - what JSON can hold
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:32]
