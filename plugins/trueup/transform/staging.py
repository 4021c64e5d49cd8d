"""The staging models: found in the project's folders, described from their kind of record.

Which stream a model reads stands in it, as `raw_records("<connector>", "<stream>")`; most read that of their own kind.
Several models of a connector may read one stream: an order's record tells of its lines, its money and its refunds.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from trueup.contracts.kinds import RecordKind, record_kinds
from trueup.domain.errors import Permanent

_READS: Final = re.compile(r"""\braw_records\(\s*["'](\w+)["']\s*,\s*["'](\w+)["']""")
_WIDTH: Final = 118


def staging_models(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Return, by kind of record, each model's name, its connector and the stream whose records it reads.

    `folder`: the dbt project. Raises `Permanent` where a model's file is named otherwise, reads no stream, or reads
    another one than its kind is found in.
    """
    kinds = record_kinds()
    found: dict[str, list[dict[str, str]]] = {kind: [] for kind in kinds}
    for path in sorted((folder / "models" / "staging").glob("*/*.sql")):
        connector = path.parent.name
        kind = path.stem.removeprefix(f"stg_{connector}__")
        if kind not in found:
            raise Permanent(
                f"{path}: a staging model is named stg_{connector}__<kind>, with a kind of contracts/streams.yml"
                f" ({', '.join(found)}); rename it"
            )
        read = _READS.search(path.read_text(encoding="utf-8"))
        if read is None or read[1] != connector:
            raise Permanent(f'{path}: begins with no raw_records("{connector}", ...); a staging model reads one stream')
        streams = kinds[kind].found_in
        if streams and read[2] not in streams:
            raise Permanent(
                f"{path}: reads '{read[2]}', but contracts/streams.yml says that {kind} are found in"
                f" {', '.join(streams)}; read that, or say there where else they are found"
            )
        found[kind].append({"name": path.stem, "connector": connector, "stream": read[2]})
    return found


def described(folder: Path, connector: str, title: str) -> str:
    """Return the YAML that describes the connector's staging models: each column as its kind of record says.

    `title`: the vendor's name as people write it.
    """
    kinds = record_kinds()
    names = sorted(path.stem for path in (folder / "models" / "staging" / connector).glob("*.sql"))
    models = [_described(name, title, kinds[name.removeprefix(f"stg_{connector}__")]) for name in names]
    text = yaml.safe_dump({"version": 2, "models": models}, sort_keys=False, width=_WIDTH, allow_unicode=True)
    return "# Made from contracts/streams.yml by `trueup connector describe`.\n" + text


def _described(name: str, title: str, kind: RecordKind) -> Mapping[str, Any]:
    return {
        "name": name,
        "description": (
            f"{title}: {kind.what}, one row each, over all systems of the tenant that speak it. Renamed and cast,"
            " every version that landed."
        ),
        "columns": [{"name": column, "description": description} for column, description in kind.columns.items()],
    }
