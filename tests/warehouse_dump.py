"""Writes a dump of a warehouse that this version of the code has filled: what the next version is tested to upgrade.

    python -m tests.warehouse_dump tests/warehouse/data/warehouse_NNNN.sql.xz

A tenant of ten products trades for half a day. Its guards are narrow, so that changes go on hold: one hold is approved,
one rejected, the rest stay open. The last run proposes and sends nothing, and one channel is stopped. The dump carries
its roles; what connectors keep (tokens, quotas) is left out. Name the file by the last migration.
"""

import lzma
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from tests.databases import POSTGRES_PROGRAMS
from trueup.corrections.engine.holds import decide_hold, open_holds
from trueup.corrections.engine.switches import stop_channel
from trueup.dev.demo.engines import DirectEngine
from trueup.dev.local_stack import LocalStack, run_local_stack
from trueup.domain.records import ReadMode
from trueup.pipeline import steps

PROJECT = Path(__file__).resolve().parents[1]


def main(target: Path) -> None:
    """Trade, then dump into `target`."""
    state = Path(tempfile.mkdtemp(prefix="trueup-dump-"))
    # The server runs as another user where this runs as root.
    state.chmod(0o755)
    try:
        tenants = state / "tenants"
        shutil.copytree(PROJECT / "tenants" / "demo", tenants / "demo")
        channels = tenants / "demo" / "channels.yml"
        channels.write_text(channels.read_text().replace("largest_jump: 400", "largest_jump: 4"))
        with run_local_stack(PROJECT, state, {"seed": 11, "skus": 10}, tenants=tenants, is_durable=False) as stack:
            _trade(stack)
            target.write_bytes(lzma.compress(_dump(stack).encode(), preset=9 | lzma.PRESET_EXTREME))
    finally:
        shutil.rmtree(state)


def _trade(stack: LocalStack) -> None:
    tenant, engine = stack.tenant, DirectEngine(stack, 5400)
    decisions: list[tuple[int, Literal["approved", "rejected"]]] = [(3, "approved"), (6, "rejected"), (12, "approved")]
    for hours, decision in decisions:
        engine.live(hours * 3600, lambda *_: None)
        for hold in open_holds(tenant.warehouse)[:1]:
            decide_hold(tenant.warehouse, hold.hold_id, decision, "ada", "looked at it")
    stack.sandbox.world.tell("/step", {"seconds": 4 * 3600})
    for system in tenant.configuration.systems:
        steps.land(tenant, system, run_id="last", mode=ReadMode.SWEEP)
    steps.build(tenant, run_id="last", actor="demo")
    steps.gate(tenant, run_id="last")
    steps.propose(tenant, run_id="last", actor="demo")
    stop_channel(tenant.warehouse, "square_online", "ada", "looks odd")


def _dump(stack: LocalStack) -> str:
    where = ("-h", str(stack.postgres.socket_folder), "-U", "postgres")
    asked: list[str | Path] = [POSTGRES_PROGRAMS / "pg_dumpall", *where, "--roles-only", "--no-role-passwords"]
    roles = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    of_tenant = re.compile(rf"(CREATE ROLE|GRANT) {stack.tenant.warehouse.schema}_")
    asked = [
        POSTGRES_PROGRAMS / "pg_dump",
        *where,
        "--exclude-table-data=connectors.*",
        str(stack.tenant.warehouse.schema),
    ]
    tables = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    # psql's guard against a hostile dump is a random word: without it the same rows make the same file.
    tables = re.sub(r"^\\(un)?restrict .*\n", "", tables, flags=re.MULTILINE)
    return "\n".join(line for line in roles.splitlines() if of_tenant.match(line)) + "\n" + tables


if __name__ == "__main__":
    main(Path(sys.argv[1]))
