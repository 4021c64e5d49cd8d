"""Reads a tenant's folder and refuses what cannot be meant, naming file, key and remedy.

`tenant.yml`, `systems.yml` and `channels.yml` are required; `aliases.csv` (system,source_sku,sku) is not.
"""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from trueup.domain.errors import Permanent
from trueup.governance.configuration import TenantConfiguration

_FILE_OF_KEY = {
    "systems": "systems.yml",
    "locations": "systems.yml",
    "channels": "channels.yml",
    "default_rule": "channels.yml",
    "non_stock_codes": "channels.yml",
    "sku_aliases": "aliases.csv",
}
_FILES = ("tenant.yml", "systems.yml", "channels.yml")


def tenant_names(folder: Path) -> list[str]:
    """The tenants declared under `folder`, sorted."""
    return sorted(path.parent.name for path in folder.glob("*/tenant.yml"))


def load_tenant(folder: Path, tenant: str) -> TenantConfiguration:
    """Read `folder/tenant` whole. Raises `Permanent` with every mistake found, one a line."""
    merged: dict[str, Any] = {}
    for name in _FILES:
        path = folder / tenant / name
        for key, value in _read_mapping(path).items():
            expected = _FILE_OF_KEY.get(key, "tenant.yml")
            if expected != name:
                raise Permanent(f"{path}: key '{key}' belongs in {expected}; move it there")
            merged[key] = value
    aliases = folder / tenant / "aliases.csv"
    if aliases.exists():
        merged["sku_aliases"] = _read_aliases(aliases)
    try:
        configuration = TenantConfiguration.model_validate(merged)
    except ValidationError as error:
        lines = [
            f"{folder / tenant / _FILE_OF_KEY.get(str(problem['loc'][0]), 'tenant.yml')}: "
            f"{'.'.join(str(part) for part in problem['loc'])}: {_remedy(problem['type'], problem['msg'])}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise Permanent("\n".join(lines)) from None
    problems = list(_contradictions(configuration))
    if configuration.tenant != tenant:
        problems.append(
            f"tenant.yml: tenant is '{configuration.tenant}' but its folder is '{tenant}'; make them the same"
        )
    if problems:
        raise Permanent("\n".join(f"{folder / tenant}/{problem}" for problem in problems))
    return configuration


def _remedy(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key; remove it or correct its spelling"
    if kind == "missing":
        return "required and missing; add it"
    return message


def _read_mapping(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Permanent(f"{path}: no such file; copy the one of tenants/example and fill it in") from error
    except yaml.YAMLError as error:
        raise Permanent(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict):
        raise Permanent(f"{path}: must hold keys and values at the top")
    return content


def _read_aliases(path: Path) -> dict[str, dict[str, str]]:
    aliases: dict[str, dict[str, str]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        if reader.fieldnames != ["system", "source_sku", "sku"]:
            raise Permanent(f"{path}: the first line must be 'system,source_sku,sku'")
        for row in reader:
            if None in row.values() or None in row:
                raise Permanent(f"{path}:{reader.line_num}: wants exactly three fields")
            known = aliases.setdefault(row["system"], {})
            if row["source_sku"] in known:
                raise Permanent(
                    f"{path}:{reader.line_num}: '{row['source_sku']}' stands twice for {row['system']}; keep one"
                )
            known[row["source_sku"]] = row["sku"]
    return aliases


def _contradictions(configuration: TenantConfiguration) -> Iterator[str]:
    yield from _location_contradictions(configuration)
    yield from _channel_contradictions(configuration)
    for system in configuration.sku_aliases:
        if system not in configuration.systems:
            yield f"aliases.csv: no system '{system}'; declare it in systems.yml"
    rule = configuration.default_rule
    if None in (rule.safety_stock, rule.buffer, rule.share):
        yield "channels.yml: default_rule: must say safety_stock, buffer and share; nothing is less specific than it"


def _location_contradictions(configuration: TenantConfiguration) -> Iterator[str]:
    owners: dict[tuple[str, str], str] = {}
    for name, location in configuration.locations.items():
        if location.system_of_record not in configuration.systems:
            yield f"systems.yml: locations.{name}.system_of_record: no system '{location.system_of_record}'; declare it"
        key = (location.system_of_record, location.source_location_id)
        if key in owners:
            yield f"systems.yml: locations.{name}: same source location as {owners[key]}; one place, one location"
        owners[key] = name


def _channel_contradictions(configuration: TenantConfiguration) -> Iterator[str]:
    for name, channel in configuration.channels.items():
        if channel.system not in configuration.systems:
            yield f"channels.yml: channels.{name}.system: no system '{channel.system}'; declare it in systems.yml"
        for location_id in channel.served_by:
            if location_id not in configuration.locations:
                yield f"channels.yml: channels.{name}.served_by: no location '{location_id}'; declare it in systems.yml"
        for index, rule in enumerate(channel.rules):
            if rule.category is not None and rule.sku is not None:
                yield f"channels.yml: channels.{name}.rules.{index}: names both category and sku; keep one"
