"""Small faults, written into the code one at a time: the tests named beside each must notice it.

Python is changed by Cosmic Ray's operators, SQL by the list in sql.yml. Part of `make test-nightly`:

    python -m tests.mutation.run              # all of them
    python -m tests.mutation.run --only holds # those whose file's path contains the word

Ends with 1 where fewer than 95 % are noticed, where one survives that survivors.yml does not name with its reason, and
where the tests fail without any fault.
"""

import argparse
import hashlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import yaml
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

from tests.databases import environment_of, fast_folder
from trueup.dev.postgres import EmbeddedPostgres, run_postgres
from trueup.warehouse.connection import connect

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
LEAST_SHARE = 0.95
WORKERS = 2
# Beyond it something hangs, which somebody would notice.
TIMEOUT_SECONDS = 600
# What people get wrong: a bound, a sign, a negation, one condition of two, a number.
OPERATORS = (
    "core/ReplaceComparisonOperator_Lt_LtE",
    "core/ReplaceComparisonOperator_LtE_Lt",
    "core/ReplaceComparisonOperator_Gt_GtE",
    "core/ReplaceComparisonOperator_GtE_Gt",
    "core/ReplaceComparisonOperator_Eq_NotEq",
    "core/ReplaceComparisonOperator_NotEq_Eq",
    "core/ReplaceComparisonOperator_Is_IsNot",
    "core/ReplaceComparisonOperator_IsNot_Is",
    "core/ReplaceBinaryOperator_Add_Sub",
    "core/ReplaceBinaryOperator_Sub_Add",
    "core/ReplaceBinaryOperator_Mul_Add",
    "core/AddNot",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceContinueWithBreak",
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
)
# Faults in these lines change what is said, how fast it is, or what is declared; not what is done.
_LEFT_OUT = ("log.", "raise ", "import ", '"""', "assert ", "@", "def ", "class ")
_CONSTANT = re.compile(r"_?[A-Z][A-Z_]+(: \S+)? = ")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: the file with it, where it stands, and the tests that must notice."""

    file: str
    what: str
    before: str
    after: str
    content: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """The same for the same fault, wherever its line moves to."""
        return f"{self.file}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mutant."""

    name: str
    what: str
    is_noticed: bool
    seconds: float


def python_mutants(targets: Sequence[Mapping[str, object]]) -> Iterator[Mutant]:
    """Of each module's possible faults the wanted number, at most one a line, chosen by the hash of the line."""
    for target in targets:
        file, tests = str(target["file"]), tuple(str(test) for test in _list(target["tests"]))
        code = (PROJECT / file).read_text(encoding="utf-8")
        found = sorted(_candidates(file, code, tests), key=lambda mutant: _rank(mutant.name))
        chosen: dict[str, Mutant] = {}
        for mutant in found:
            chosen.setdefault(mutant.before, mutant)
        wanted = int(str(target["count"]))
        if len(chosen) < wanted:
            raise SystemExit(f"python.yml: {file} has {len(chosen)} lines to change, not {wanted}; correct the list")
        yield from list(chosen.values())[:wanted]


def _candidates(file: str, code: str, tests: tuple[str, ...]) -> Iterator[Mutant]:
    for operator_name in OPERATORS:
        for occurrence in count():
            mutated = mutate_code(code, get_operator(operator_name)(), occurrence)
            if mutated is None:
                break
            changed = [
                (before.strip(), after.strip())
                for before, after in zip(code.splitlines(), mutated.splitlines(), strict=False)
                if before != after
            ]
            if len(changed) != 1 or changed[0][0].startswith(_LEFT_OUT) or _CONSTANT.match(changed[0][0]):
                continue
            if "strict=" not in changed[0][0] and _is_python(mutated):
                yield Mutant(file, operator_name.removeprefix("core/"), *changed[0], mutated, tests)


def _is_python(code: str) -> bool:
    """A star that parts arguments is no multiplication."""
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def sql_mutants(faults: Sequence[Mapping[str, object]]) -> Iterator[Mutant]:
    """The faults of the list; `from` must stand in the file exactly once."""
    for fault in faults:
        file, before, after = str(fault["file"]), str(fault["from"]), str(fault["to"])
        code = (PROJECT / file).read_text(encoding="utf-8")
        if code.count(before) != 1:
            raise SystemExit(f"sql.yml: {file} has {before!r} {code.count(before)} times, not once; correct the list")
        tests = tuple(name for test in _list(fault["tests"]) for name in _of_model(str(test), file))
        yield Mutant(file, "SQL", before, after, code.replace(before, after), tests)


def _of_model(tests: str, file: str) -> list[str]:
    """Of the unit tests beside the models, those of the model that has the fault: the others never read it."""
    model = Path(file).stem
    beside = (PROJECT / file).with_name(f"{model}_unit_tests.yml")
    if not tests.endswith("test_dbt_unit_tests.py") or not beside.is_file():
        return [tests]
    declared = yaml.safe_load(beside.read_text(encoding="utf-8"))["unit_tests"]
    return [f"{tests}::test_dbt[{model}.{test['name']}]" for test in declared]


def copy_of_the_project(folder: Path) -> Path:
    """What git tracks and what is new, so that a fault is never written into the checkout itself."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    return folder


def run_tests(folder: Path, server: EmbeddedPostgres, tests: Sequence[str], timeout: float) -> bool:
    """Whether they pass over the code in `folder`; running into the timeout is a failure too.

    The server is kept from one run to the next, and of its databases the one that no fault of the list changes.
    """
    with connect(server.details("postgres"), None) as connection:
        left = connection.execute("select datname from pg_database where not datistemplate").fetchall()
    for (name,) in left:
        if name not in {"postgres", "template_migrated"}:
            server.drop_database(name)
    environment = {
        **os.environ,
        **environment_of(server),
        "PYTHONPATH": str(folder / "plugins"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return False


def try_all(mutants: Sequence[Mutant]) -> list[Outcome]:
    """Every mutant against its tests, in `WORKERS` copies of the project."""
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in mutants:
        waiting.put(mutant)
    outcomes: list[Outcome] = []

    def work(folder: Path, server: EmbeddedPostgres) -> None:
        while True:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            file = folder / mutant.file
            original = file.read_text(encoding="utf-8")
            file.write_text(mutant.content, encoding="utf-8")
            started = time.monotonic()
            is_noticed = not run_tests(folder, server, mutant.tests, TIMEOUT_SECONDS)
            file.write_text(original, encoding="utf-8")
            outcomes.append(Outcome(mutant.name, mutant.what, is_noticed, round(time.monotonic() - started, 1)))
            print(
                f"{'noticed ' if is_noticed else 'SURVIVED'} {outcomes[-1].seconds:6.1f} s  {mutant.name}", flush=True
            )

    with tempfile.TemporaryDirectory(prefix="trueup-mutants-", dir=fast_folder()) as base, ExitStack() as servers:
        Path(base).chmod(0o755)
        places: list[tuple[Path, EmbeddedPostgres]] = []
        for number in range(WORKERS):
            folder = copy_of_the_project(Path(base) / f"copy{number}" / "trueup")
            shared = PROJECT.parent / "shared"
            if shared.is_dir():
                (folder.parent / "shared").symlink_to(shared)
            server = servers.enter_context(run_postgres(folder.parent / "postgres", is_durable=False))
            places.append((folder, server))
        _check_without_faults(mutants, places)
        _everywhere(work, places)
    return outcomes


def _check_without_faults(mutants: Sequence[Mutant], places: Sequence[tuple[Path, EmbeddedPostgres]]) -> None:
    """Raises where tests fail that no mutant has touched: they would notice nothing."""
    unchecked: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
    for tests in dict.fromkeys(mutant.tests for mutant in mutants):
        unchecked.put(tests)
    failing: list[tuple[str, ...]] = []

    def check(folder: Path, server: EmbeddedPostgres) -> None:
        while not failing:
            try:
                tests = unchecked.get_nowait()
            except queue.Empty:
                return
            if not run_tests(folder, server, tests, TIMEOUT_SECONDS):
                failing.append(tests)

    _everywhere(check, places)
    if failing:
        raise SystemExit(f"the tests fail without any fault: {' '.join(failing[0])}")


def _everywhere(
    work: Callable[[Path, EmbeddedPostgres], None], places: Sequence[tuple[Path, EmbeddedPostgres]]
) -> None:
    threads = [threading.Thread(target=work, args=place) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> int:
    """Run the mutants; print those that survive, and what that means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of the path of the files to change")
    parser.add_argument("--list", action="store_true", help="show the mutants and run nothing")
    options = parser.parse_args()
    targets = _read("python.yml")
    mutants = [*python_mutants(targets), *sql_mutants(_read("sql.yml"))]
    mutants = [mutant for mutant in mutants if options.only in mutant.file]
    if options.list:
        print("\n".join(f"{mutant.what:40} {mutant.name}" for mutant in mutants))
        return 0
    outcomes = try_all(mutants)
    report = PROJECT / ".trueup" / "mutation.json"
    report.parent.mkdir(exist_ok=True)
    report.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=2) + "\n")
    noticed = sum(outcome.is_noticed for outcome in outcomes)
    reasons = {str(entry["mutant"]): str(entry["reason"]) for entry in _read("survivors.yml")}
    unnamed = [outcome.name for outcome in outcomes if not outcome.is_noticed and outcome.name not in reasons]
    print(f"{noticed} of {len(outcomes)} noticed ({100 * noticed / max(1, len(outcomes)):.1f} %)")
    for outcome in outcomes:
        if not outcome.is_noticed:
            print(f"survived: {outcome.name}\n    {reasons.get(outcome.name, 'no reason in survivors.yml')}")
    return int(noticed < LEAST_SHARE * len(outcomes) or bool(unnamed))


def _rank(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _read(name: str) -> list[Mapping[str, object]]:
    content = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    return list(content or [])


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]


if __name__ == "__main__":
    raise SystemExit(main())
