"""Reads a tenant's folder and refuses what cannot be meant, naming file, key and remedy.

`tenant.yml`, `systems.yml` and `channels.yml` are required; `ownership.yml` (who owns which field), `orders.yml` (who
books which orders where), `fulfilment.yml` (who tells channels of parcels), `returns.yml` (who credits and refunds
what) and `aliases.csv` (system,source_sku,sku) are not. What was read is kept for as long as the files stay the same,
mistakes included: nothing older ever counts.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from trueup.configuration.files import LARGEST_ALIASES, LARGEST_YAML, aliases_of, mapping_of, read_bytes
from trueup.configuration.model import COMPUTED_HERE, OF_ORIGIN, TenantConfiguration
from trueup.domain.errors import Permanent

_FILE_OF_KEY = {
    "systems": "systems.yml",
    "locations": "systems.yml",
    "channels": "channels.yml",
    "default_rule": "channels.yml",
    "non_stock_codes": "channels.yml",
    "sku_aliases": "aliases.csv",
    "ownership": "ownership.yml",
    "orders": "orders.yml",
    "fulfilment": "fulfilment.yml",
    "returns": "returns.yml",
}
_FILES = ("tenant.yml", "systems.yml", "channels.yml")
_OPTIONAL = ("ownership.yml", "orders.yml", "fulfilment.yml", "returns.yml")
_ALIASES = "aliases.csv"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MOST_MISTAKES: Final = 20
_LONGEST_MISTAKE: Final = 1000
_LONGEST_KEY: Final = 80
_TICK_NS: Final = 2_000_000_000


_Stamps = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one state of a tenant's files. `stamps` None: read while they may still have been written."""

    stamps: _Stamps | None
    content_hash: bytes
    configuration: TenantConfiguration | None
    mistakes: str


_outcomes: dict[Path, _Outcome] = {}


def tenant_names(folder: Path) -> list[str]:
    """The tenants declared under `folder`, sorted: every folder with at least one of a tenant's files."""
    if not folder.is_dir():
        return []
    # A volume that Kubernetes mounts keeps its versions in hidden folders.
    names = [entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")]
    return sorted(name for name in names if any((folder / name / file).exists() for file in _FILES))


def load_tenant(folder: Path, tenant: str) -> TenantConfiguration:
    """Read `folder/tenant` whole. Raises `Permanent` with every mistake found, one a line."""
    if not _NAME.fullmatch(tenant):
        raise Permanent(
            f"{folder}: {_shortened(repr(tenant), _LONGEST_KEY)} is no tenant's name; rename it to lower case letters,"
            " digits and underscores, at most 40, a letter first"
        )
    home = folder / tenant
    if not home.is_dir():
        # Its files may come back as they were, and nothing must be left of them.
        _outcomes.pop(home, None)
        known = ", ".join(tenant_names(folder)) or "none"
        raise Permanent(
            f"no tenant '{tenant}' under {folder}; there is: {known}. Name one of those, restore the folder, or take"
            " the name out of TRUEUP_TENANTS"
        )
    outcome = _outcomes.get(home)
    if outcome is None or outcome.stamps is None or outcome.stamps != _stamps(home):
        outcome = _read_anew(folder, tenant, outcome)
        _outcomes[home] = outcome
    if outcome.configuration is None:
        raise Permanent(outcome.mistakes)
    return outcome.configuration


def _read_anew(folder: Path, tenant: str, known: _Outcome | None) -> _Outcome:
    home = folder / tenant
    stamps = _stamps(home)
    contents = {name: read_bytes(home / name, LARGEST_YAML) for name in _FILES}
    contents |= {name: read_bytes(home / name, LARGEST_YAML) for name in _OPTIONAL if (home / name).exists()}
    if (home / _ALIASES).exists():
        contents[_ALIASES] = read_bytes(home / _ALIASES, LARGEST_ALIASES)
    content_hash = _hash(contents)
    # Two changes within a tick of the file system's clock look the same: what is that new is read again next time.
    newest = max((stamp[0] for stamp in stamps if stamp is not None), default=0)
    kept = stamps if newest < time.time_ns() - _TICK_NS else None
    if known is not None and known.content_hash == content_hash:
        return replace(known, stamps=kept)
    try:
        return _Outcome(kept, content_hash, _parsed(folder, tenant, contents), "")
    except Permanent as error:
        return _Outcome(kept, content_hash, None, str(error))


def _stamps(home: Path) -> _Stamps:
    """When each file was written, how large it is and which file it is; None where there is none."""
    return tuple(_stamp(f"{home}/{name}") for name in (*_FILES, *_OPTIONAL, _ALIASES))


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (max(found.st_mtime_ns, found.st_ctime_ns), found.st_size, found.st_ino)


def _hash(contents: Mapping[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.digest()


def _parsed(folder: Path, tenant: str, contents: Mapping[str, bytes]) -> TenantConfiguration:
    home = folder / tenant
    merged: dict[str, Any] = {}
    for name in (*_FILES, *(name for name in _OPTIONAL if name in contents)):
        for key, value in mapping_of(home / name, contents[name]).items():
            expected = _FILE_OF_KEY.get(key, "tenant.yml")
            if key not in TenantConfiguration.model_fields:
                raise Permanent(
                    f"{home / name}: {_shortened(key, _LONGEST_KEY)}: unknown key; remove it or correct its spelling"
                )
            if expected != name:
                raise Permanent(f"{home / name}: key '{key}' belongs in {expected}; move it there")
            merged[key] = value
    if _ALIASES in contents:
        merged["sku_aliases"] = aliases_of(home / _ALIASES, contents[_ALIASES])
    try:
        configuration = TenantConfiguration.model_validate(merged)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise Permanent(_as_message(_mistake(home, problem) for problem in found)) from None
    problems = list(_contradictions(configuration))
    if configuration.tenant != tenant:
        problems.append(
            f"tenant.yml: tenant is '{configuration.tenant}' but its folder is '{tenant}'; make them the same"
        )
    if problems:
        raise Permanent(_as_message(f"{home}/{problem}" for problem in problems))
    return configuration


def _as_message(mistakes: Iterator[str]) -> str:
    """One a line, as many as a person reads; a file of nonsense makes as many mistakes as it has words."""
    lines = [_shortened(mistake, _LONGEST_MISTAKE) for mistake in mistakes]
    more = len(lines) - _MOST_MISTAKES
    return "\n".join([*lines[:_MOST_MISTAKES], *([f"and {more} mistakes more"] if more > 0 else [])])


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def _mistake(home: Path, problem: ErrorDetails) -> str:
    file = home / _FILE_OF_KEY.get(str(problem["loc"][0]), "tenant.yml")
    key = ".".join(_shortened(str(part), _LONGEST_KEY) for part in problem["loc"])
    return f"{file}: {key}: {_remedy(problem['type'], problem['msg'])}"


def _remedy(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key; remove it or correct its spelling"
    if kind == "missing":
        return "required and missing; add it"
    return message


def _contradictions(configuration: TenantConfiguration) -> Iterator[str]:
    yield from _location_contradictions(configuration)
    yield from _channel_contradictions(configuration)
    yield from _order_contradictions(configuration)
    yield from _return_contradictions(configuration)
    yield from _fulfilment_contradictions(configuration)
    for system in configuration.sku_aliases:
        if system not in configuration.systems:
            yield f"aliases.csv: no system '{system}'; declare it in systems.yml"
    for name, owner in configuration.ownership.items():
        if owner not in (COMPUTED_HERE, OF_ORIGIN) and owner not in configuration.systems:
            also = f"{COMPUTED_HERE} or {OF_ORIGIN}"
            yield f"ownership.yml: ownership.{name}: no system '{owner}'; declare it in systems.yml, or say {also}"
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
            yield f"systems.yml: locations.{name}: same source location as {owners[key]}; one id, one location"
        owners[key] = name


def _order_contradictions(configuration: TenantConfiguration) -> Iterator[str]:
    orders = configuration.orders
    if orders is None:
        return
    for key, names in (("booked_in", (orders.booked_in,)), ("taken_by", orders.taken_by)):
        for name in names:
            if name not in configuration.systems:
                yield f"orders.yml: orders.{key}: no system '{name}'; declare it in systems.yml"
    if orders.booked_in in orders.taken_by:
        yield f"orders.yml: orders.taken_by: {orders.booked_in} books the orders; it has its own already, take it out"
    if orders.booked_by == COMPUTED_HERE and orders.grace_minutes:
        yield "orders.yml: orders.grace_minutes: is what another integration may take; take it out, or say booked_by"


def _return_contradictions(configuration: TenantConfiguration) -> Iterator[str]:
    returns = configuration.returns
    if returns is None:
        return
    for key, names in (("credited_in", (returns.credited_in,)), ("taken_by", returns.taken_by)):
        for name in names:
            if name not in configuration.systems:
                yield f"returns.yml: returns.{key}: no system '{name}'; declare it in systems.yml"
    erp = configuration.systems.get(returns.credited_in)
    if erp is not None and "credits" not in erp.streams:
        yield (
            f"returns.yml: returns.credited_in: credits of {returns.credited_in} are not read; add credits to its"
            " streams in systems.yml"
        )
    if returns.credited_in in returns.taken_by:
        yield f"returns.yml: returns.taken_by: {returns.credited_in} credits the refunds of others; take it out"
    if returns.refunded_by == COMPUTED_HERE and returns.refund_grace_minutes:
        where = "returns.yml: returns.refund_grace_minutes"
        yield f"{where}: is what somebody else may take; take it out, or say refunded_by"


def _fulfilment_contradictions(configuration: TenantConfiguration) -> Iterator[str]:
    fulfilment = configuration.fulfilment
    if fulfilment is None:
        return
    for name, confirmed in fulfilment.channels.items():
        channel = configuration.channels.get(name)
        if channel is None:
            yield f"fulfilment.yml: fulfilment.channels: no channel '{name}'; declare it in channels.yml"
            continue
        for location_id in confirmed.locations:
            if location_id not in channel.served_by:
                yield (
                    f"fulfilment.yml: fulfilment.channels.{name}.locations: {location_id} does not serve it; take it"
                    " out, or name it under served_by in channels.yml"
                )
    if fulfilment.confirmed_by == COMPUTED_HERE and fulfilment.grace_minutes:
        yield (
            "fulfilment.yml: fulfilment.grace_minutes: is what another integration may take; take it out, or say"
            " confirmed_by"
        )


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
