"""What must hold of a built table, as people write it: one YAML file a table under `expectations/`.

A file names the table, its key and its expectations in Great Expectations' own words. What a rule needs
beyond the columns there are (a sum of terms, a check digit, a look at another table) is a `derived`
column: SQL that is computed with the row, so that all rules of a table are validated in one pass over it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from trueup.domain.errors import Permanent
from trueup.domain.shipped import shipped_folder

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")]
Sentence = Annotated[str, StringConstraints(min_length=10)]

# The same as SafeLoader, in C: a hot gate run reads every suite, and would spend a quarter of its time on that.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# One row against itself: what can be said of each row alone, so that its key can be quarantined alone.
# Uniqueness is left out on purpose: derive a count instead, which also names the rows.
ROW_TYPES = frozenset(
    {
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_null",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_not_be_in_set",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_not_match_regex",
        "expect_column_value_lengths_to_be_between",
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
    }
)
# A total that can be compared with the last one that passed.
TOTAL_TYPES = frozenset({"expect_table_row_count_to_be_between", "expect_column_sum_to_be_between"})
# Something must be there: an empty table breaks them.
PRESENCE_TYPES = TOTAL_TYPES | {
    "expect_column_distinct_values_to_contain_set",
    "expect_column_unique_value_count_to_be_between",
}
# One figure of all values: of no values there is none, and nothing to say.
FIGURE_TYPES = frozenset(
    {
        "expect_column_max_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_proportion_of_non_null_values_to_be_between",
    }
)
TABLE_TYPES = PRESENCE_TYPES | FIGURE_TYPES | {"expect_column_distinct_values_to_be_in_set"}


class Severity(StrEnum):
    """Critical acts (quarantine or stop), warning is shown to operations, info is only kept."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Scope(StrEnum):
    """What an expectation validates: each row for itself, or the table as a whole."""

    ROW = "row"
    TABLE = "table"


class Runs(StrEnum):
    """Always: also after every build, on the rows it wrote. Full: only when everything is validated."""

    ALWAYS = "always"
    FULL = "full"


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Baseline(_Written):
    """Hold a total against the last one that passed: at least `least_share` of it.

    Only once that one was `applies_from` or more: among few rows one change is a large share.
    """

    least_share: Annotated[float, Field(gt=0, le=1)]
    applies_from: Annotated[float, Field(ge=1)]


class Quarantine(_Written):
    """The share of a table's rows (of a target, where it has targets) that may be in quarantine.

    Beyond it the target stops: what is wrong with that many rows is not the rows' fault. It counts
    only from `applies_from` quarantined rows on.
    """

    largest_share: Annotated[float, Field(gt=0, lt=1)]
    applies_from: Annotated[int, Field(ge=1)]


class Expectation(_Written):
    """One rule. `type` and `kwargs` are Great Expectations' own."""

    rule_id: RuleId
    type: Name
    kwargs: dict[str, Any]
    severity: Severity
    scope: Scope
    owner: Annotated[str, StringConstraints(min_length=1)]
    notes: Sentence
    runs: Runs = Runs.ALWAYS
    baseline: Baseline | None = None

    @model_validator(mode="after")
    def _is_meant(self) -> Self:
        if self.scope is Scope.ROW and self.type not in ROW_TYPES:
            raise ValueError(f"type: {self.type} cannot validate a row; one of {', '.join(sorted(ROW_TYPES))} can")
        if self.scope is Scope.TABLE and self.type not in TABLE_TYPES:
            raise ValueError(f"type: {self.type} cannot validate a table; one of {', '.join(sorted(TABLE_TYPES))} can")
        if self.scope is Scope.ROW and "mostly" in self.kwargs:
            raise ValueError("kwargs.mostly: a row either passes or not; remove it")
        if self.baseline is not None and self.type not in TOTAL_TYPES:
            raise ValueError(f"baseline: only {' and '.join(sorted(TOTAL_TYPES))} have a total; remove it")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads, as Great Expectations' arguments name them."""
        return tuple(self.kwargs[name] for name in ("column", "column_A", "column_B") if name in self.kwargs)


class Withholding(_Written):
    """What a row that fails a critical rule keeps from being pushed.

    `entity`: the kind of change, null for every kind. `subject` and `target`: the columns that say what a row is about
    and where; without a target it is withheld everywhere, without a subject rows cannot be quarantined.
    """

    entity: Name | None
    subject: Name | None
    target: Name | None


class Suite(_Written):
    """Everything that must hold of one table or view.

    `workflow`: whom it serves, `any` for all; the folder that the file lies in. `key` tells a row, `withholds` what a
    failed one holds back. `build`: the column with the build that last wrote a row, null for a view, which is then
    validated whole.
    """

    workflow: Name
    schema_name: Annotated[Name, Field(alias="schema")]
    table: Name
    description: Sentence
    key: Annotated[tuple[Name, ...], Field(min_length=1)]
    withholds: Withholding
    build: Name | None
    quarantine: Quarantine
    derived: dict[Name, Annotated[str, StringConstraints(min_length=1)]] = {}
    expectations: Annotated[tuple[Expectation, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        seen: set[str] = set()
        for expectation in self.expectations:
            if not expectation.rule_id.startswith(f"{self.table}."):
                raise ValueError(f"{expectation.rule_id}: rule_id must begin with '{self.table}.'; rename it")
            if expectation.rule_id in seen:
                raise ValueError(f"{expectation.rule_id}: stands twice; rename one")
            seen.add(expectation.rule_id)
            if (
                expectation.scope is Scope.ROW
                and expectation.severity is Severity.CRITICAL
                and self.withholds.subject is None
            ):
                raise ValueError(
                    f"{expectation.rule_id}: rows of a suite that withholds no subject cannot be quarantined; make it a"
                    " warning, or of table scope"
                )
        for name, expression in self.derived.items():
            if "%" in expression:
                raise ValueError(f"derived.{name}: percent signs are doubled on the way; use mod(), starts_with() or ~")
        used = {column for expectation in self.expectations for column in expectation.columns}
        idle = self.derived.keys() - used
        if idle:
            raise ValueError(f"derived: nothing uses {', '.join(sorted(idle))}; remove it")
        return self

    @property
    def name(self) -> str:
        """`marts_ats_positions`: a dot would make folders of Great Expectations' reports."""
        return f"{self.schema_name}_{self.table}"

    @property
    def file(self) -> str:
        """Where it is written, for messages."""
        return f"expectations/{self.workflow}/{self.table}.yml"


def default_folder() -> Path:
    """Where the suites are: in the installed package, or in the checkout."""
    return shipped_folder("expectations", "*/*.yml")


def suite_files(folder: Path) -> list[Path]:
    """Every suite file below `folder`, by workflow and table."""
    return sorted(folder.glob("*/*.yml"))


def load_suite(path: Path) -> Suite:
    """Read one file; raise `Permanent` with every mistake in it, one a line."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - safe in either form
    except yaml.YAMLError as error:
        raise Permanent(f"{path}: not YAML: {error}") from error
    if not isinstance(content, Mapping):
        raise Permanent(f"{path}: must hold keys and values at the top; see another suite for the form")
    try:
        suite = Suite.model_validate(content)
    except ValidationError as error:
        raise Permanent("\n".join(f"{path}: {line}" for line in _mistakes(error))) from None
    if (path.parent.name, path.stem) != (suite.workflow, suite.table):
        raise Permanent(f"{path}: is {suite.workflow}'s of {suite.table}; move it to {suite.file}")
    return suite


def load_suites(folder: Path) -> tuple[Suite, ...]:
    """Read every suite; raise `Permanent` with all mistakes of all files, or where there is no file."""
    suites: list[Suite] = []
    mistakes: list[str] = []
    for path in suite_files(folder):
        try:
            suites.append(load_suite(path))
        except Permanent as error:
            mistakes.append(str(error))
    if mistakes:
        raise Permanent("\n".join(mistakes))
    if not suites:
        raise Permanent(f"{folder}: no suites; nothing would be gated. Name the folder that holds them")
    return tuple(suites)


def suites_hash(folder: Path, parameters: Mapping[str, Any]) -> str:
    """Changes whenever a suite file or what the suites are parametrized with does."""
    digest = hashlib.sha256()
    for path in suite_files(folder):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(repr(sorted(parameters.items())).encode())
    return digest.hexdigest()


def _mistakes(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "unknown key; remove it or correct its spelling"
        elif problem["type"] == "missing":
            message = "required and missing; add it"
        yield f"{key}: {message}" if key else message
