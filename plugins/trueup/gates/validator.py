"""Great Expectations at work: one ephemeral context, one pass of few queries over each suite's rows.

Every suite is validated over a query asset: a table asset reflects its table first, which costs more
than the checks. Rules of rows are asked for a boolean only, which Great Expectations computes in one
statement; the keys that failed are then selected by the very condition that it computed.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import great_expectations as gx
import psycopg
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.exceptions import GreatExpectationsError
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.registry import get_expectation_impl, get_metric_kwargs
from great_expectations.validator.metric_configuration import MetricConfiguration
from sqlalchemy import column, event, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.gates.suites import Expectation, Scope, Suite
from trueup.gates.verdict import Status, Verdict
from trueup.warehouse.connection import Role, connect
from trueup.warehouse.failures import next_step, next_step_of_words

# SQLAlchemy would take a colon before a word for a parameter.
_COLON = re.compile(r"(?<![:\w\\]):(?=\w)")

# Only to satisfy Great Expectations' check of the address: the connection is made by our own `connect`, so that
# no password is in any configuration that it keeps or prints.
_ADDRESS = "postgresql+psycopg://trueup@warehouse/trueup"


class Validator:
    """One ephemeral Great Expectations context over one warehouse. Use it as `open_validator` gives it."""

    def __init__(self, creator: Callable[[], Any]) -> None:
        self._context = gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                store_backend_defaults=InMemoryStoreBackendDefaults(),
                analytics_enabled=False,
                progress_bars=ProgressBarsConfig(globally=False),
            ),
        )
        self._source = self._context.data_sources.add_postgres(
            "warehouse", connection_string=_ADDRESS, kwargs={"creator": creator, "pool_size": 1, "max_overflow": 0}
        )
        # One asset for all suites: with each new one Great Expectations writes all there are into its configuration, as
        # YAML.
        self._asset = self._source.add_query_asset(name="rows", query="select 1")
        self._rows = self._asset.add_batch_definition_whole_table("rows")
        self._whole: set[str] = set()
        event.listen(
            self._source.get_execution_engine().engine, "before_cursor_execute", self._ask_names_only, retval=True
        )

    def close(self) -> None:
        """Give the connection back."""
        self._source.get_execution_engine().close()
        self._source.get_engine().dispose()

    def validate(
        self, suite: Suite, expectations: Sequence[Expectation], rows: str, parameters: Mapping[str, Any]
    ) -> list[Verdict]:
        """Validate `expectations` over the rows that the select `rows` yields.

        Raises `Transient` where the warehouse is lost, `Permanent` where the suite cannot be validated at all.
        """
        try:
            return self._validate(suite, expectations, rows, parameters)
        except (SQLAlchemyError, GreatExpectationsError, ConnectionError) as error:
            message = f"{suite.file}: {str(error).strip().splitlines()[0][:300]}"
            lost = _loss(error)
            if lost is not None:
                raise Transient(f"{message}; {lost}") from error
            raise Permanent(f"{message}; correct the suite or the model") from error

    def _validate(
        self, suite: Suite, expectations: Sequence[Expectation], rows: str, parameters: Mapping[str, Any]
    ) -> list[Verdict]:
        self._whole.add(rows)
        self._asset.query = _COLON.sub(r"\:", rows)
        batch = self._rows.get_batch()
        validated: dict[str, Verdict] = {}
        for format_name, chosen in _by_result_format(expectations):
            built = [_build(expectation) for expectation in chosen]
            answer = batch.validate(
                gx.ExpectationSuite(name=suite.name, expectations=built),
                result_format=format_name,
                expectation_parameters=dict(parameters),
            )
            by_rule = {expectation.rule_id: expectation for expectation in chosen}
            for result in answer.results:
                expectation = by_rule[result.expectation_config.meta["rule_id"]]
                validated[expectation.rule_id] = self._verdict(batch, expectation, result)
        return [validated[expectation.rule_id] for expectation in expectations]

    def _ask_names_only(
        self, _connection: object, _cursor: object, statement: str, parameters: object, *_: object
    ) -> tuple[str, object]:
        """To learn the names of a query's columns Great Expectations runs it whole and reads no row of it."""
        return (f"{statement}\nlimit 0" if statement in self._whole else statement), parameters

    def _verdict(self, batch: Any, expectation: Expectation, result: Any) -> Verdict:  # noqa: ANN401 - untyped library
        error = _error_of(result.exception_info)
        passing = None if error is None else next_step_of_words(error)
        if passing is not None:
            raise Transient(f"{expectation.rule_id} could not be validated: {error}; {passing}")
        if error is not None:
            return Verdict(expectation, Status.ERROR, error=error)
        observed = (result.result or {}).get("observed_value")
        if observed is not None and not isinstance(observed, int | float):
            observed = str(observed)
        status = Status.PASSED if result.success else Status.FAILED
        if result.success or expectation.scope is Scope.TABLE:
            return Verdict(expectation, status, observed=observed)
        return Verdict(expectation, status, failing_rows=self._failing_rows(batch, result.expectation_config))

    def _failing_rows(self, batch: Any, configuration: ExpectationConfiguration) -> str:  # noqa: ANN401
        engine: SqlAlchemyExecutionEngine = self._source.get_execution_engine()
        name = f"{get_expectation_impl(configuration.type).map_metric}.condition"
        kwargs = get_metric_kwargs(metric_name=name, configuration=configuration)
        metric = MetricConfiguration(
            metric_name=name,
            metric_domain_kwargs={**kwargs["metric_domain_kwargs"], "batch_id": batch.id},
            metric_value_kwargs=kwargs["metric_value_kwargs"],
        )
        validator = self._context.get_validator(batch_list=[batch])
        condition, compute_domain, accessor_domain = validator.get_metric(metric)
        source = engine.get_domain_records(domain_kwargs={**compute_domain, **accessor_domain})
        if hasattr(source, "subquery"):
            source = source.subquery()
        statement: Any = select(column("*", is_literal=True)).select_from(source).where(condition)
        # Not the driver's own style: that doubles every percent sign, and this is run without parameters.
        dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
        return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


@contextmanager
def open_validator(details: ConnectionDetails, role: Role) -> Iterator[Validator]:
    """A context for one run: parallel runs that share one corrupt each other."""
    validator = Validator(lambda: connect(details, role))
    try:
        yield validator
    finally:
        validator.close()


def _by_result_format(expectations: Iterable[Expectation]) -> Iterator[tuple[str, list[Expectation]]]:
    """Totals are wanted with their value; of rows a boolean is enough, anything more is a query each."""
    chosen = list(expectations)
    for format_name, scope in (("BOOLEAN_ONLY", Scope.ROW), ("BASIC", Scope.TABLE)):
        of_scope = [expectation for expectation in chosen if expectation.scope is scope]
        if of_scope:
            yield format_name, of_scope


def _build(expectation: Expectation) -> Any:  # noqa: ANN401 - Great Expectations publishes no types
    return get_expectation_impl(expectation.type)(
        **expectation.kwargs,
        severity=str(expectation.severity),
        notes=expectation.notes,
        meta={"rule_id": expectation.rule_id, "owner": expectation.owner},
    )


def _loss(error: BaseException) -> str | None:
    """What to do where the warehouse is what failed, however deep Great Expectations wrapped it; None where not."""
    seen: BaseException | None = error
    lost = None
    while seen is not None:
        passing = next_step(seen) if isinstance(seen, psycopg.Error) else None
        if passing is not None:
            return passing
        if isinstance(seen, OperationalError | InterfaceError):
            lost = "the warehouse was lost, run again"
        seen = seen.__cause__ or seen.__context__
    return lost


def _error_of(information: Mapping[str, Any] | None) -> str | None:
    """The first line of what went wrong, None where nothing did."""
    if not information:
        return None
    # One exception stands flat, exceptions of several metrics under a key each.
    found = [information] if "raised_exception" in information else list(information.values())
    for one in found:
        if one.get("raised_exception"):
            return str(one.get("exception_message") or "no message").strip().splitlines()[0][:300]
    return None
