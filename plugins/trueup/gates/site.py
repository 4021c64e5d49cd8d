"""Great Expectations' side of the Data Docs: its objects made of kept verdicts, and its site builder."""

import html
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

from trueup.gates.offline import IndexEntry, take_offline
from trueup.gates.suites import Expectation, Scope, Suite
from trueup.gates.verdict import Status

_SITE = "operations"


class Site:
    """Collects suites and validations, then renders them. Nothing of it outlives the call."""

    def __init__(self, folder: Path) -> None:
        self._context = gx.get_context(
            mode="ephemeral",
            project_config=DataContextConfig(
                store_backend_defaults=InMemoryStoreBackendDefaults(),
                analytics_enabled=False,
                progress_bars=ProgressBarsConfig(globally=False),
                data_docs_sites={
                    _SITE: {
                        "class_name": "SiteBuilder",
                        "show_how_to_buttons": False,
                        "store_backend": {
                            "class_name": "TupleFilesystemStoreBackend",
                            "base_directory": str(folder),
                        },
                        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "show_cta_footer": False},
                    }
                },
            ),
        )
        self._folder = folder
        self._suites: list[Suite] = []
        self._entries: list[IndexEntry] = []

    def add_suite(self, suite: Suite) -> None:
        """Show the suite itself."""
        self._suites.append(suite)
        self._context.suites.add(
            gx.ExpectationSuite(
                name=suite.name,
                expectations=[_configuration(rule, {}).to_domain_obj() for rule in suite.expectations],
            )
        )

    def add_validation(
        self, suite: Suite, run_id: str, finished_at: datetime, verdicts: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Show what one run found of the suite. `verdicts`: by rule, as kept."""
        hindrance = verdicts.get(f"{suite.table}.suite_runs", {}).get("error")
        # Great Expectations knows passed and failed only: what there was nothing to validate of is counted on the
        # first page instead.
        idle = {name for name, verdict in verdicts.items() if verdict["status"] == Status.NOT_APPLICABLE}
        results = [
            _result(rule, verdicts.get(rule.rule_id), hindrance)
            for rule in suite.expectations
            if (hindrance or rule.rule_id in verdicts) and rule.rule_id not in idle
        ]
        if not results:
            if idle:
                self._entries.append(IndexEntry(suite.name, run_id, finished_at, None, 0, 0, len(idle), None))
            return
        passed = sum(bool(result.success) for result in results)
        # It becomes a folder and a link; an Airflow run id has colons and a plus sign in it.
        run = RunIdentifier(run_name=re.sub(r"[^\w.-]+", "-", run_id), run_time=finished_at)
        table = f"{suite.schema_name}.{suite.table}"
        identifier = ValidationResultIdentifier(
            expectation_suite_identifier=ExpectationSuiteIdentifier(suite.name), run_id=run, batch_identifier=table
        )
        self._context.validation_results_store.set(
            identifier,
            ExpectationSuiteValidationResult(
                success=passed == len(results),
                results=results,
                suite_name=suite.name,
                statistics={
                    "evaluated_expectations": len(results),
                    "successful_expectations": passed,
                    "unsuccessful_expectations": len(results) - passed,
                    "success_percent": 100 * passed / len(results),
                },
                meta={
                    "great_expectations_version": gx.__version__,
                    "run_id": run,
                    "batch_spec": {"schema_name": suite.schema_name, "table_name": suite.table},
                    "active_batch_definition": {
                        "datasource_name": "warehouse",
                        "data_connector_name": "fluent",
                        "data_asset_name": table,
                        "batch_identifiers": {},
                    },
                    "validation_time": finished_at.isoformat(),
                },
            ),
        )
        self._entries.append(
            IndexEntry(
                suite=suite.name,
                run=run_id,
                finished_at=finished_at,
                is_passed=passed == len(results),
                passed_count=passed,
                count=len(results),
                not_applicable_count=len(idle),
                link="/".join(("validations", *identifier.to_tuple())) + ".html",
            )
        )

    def build(self) -> int:
        """Render everything that was added; the number of validations."""
        self._context.build_data_docs(site_names=[_SITE])
        take_offline(self._folder, self._suites, self._entries)
        return len(self._entries)


def _configuration(rule: Expectation, verdict: Mapping[str, Any]) -> ExpectationConfiguration:
    kwargs = {name: _shown(value) for name, value in rule.kwargs.items()}
    sample = verdict.get("sample")
    if isinstance(sample, dict) and "least" in sample:
        kwargs["min_value"] = int(sample["least"])
    return ExpectationConfiguration(
        type=rule.type,
        kwargs={name: value for name, value in kwargs.items() if value is not None},
        meta={"rule_id": rule.rule_id, "owner": rule.owner, "scope": str(rule.scope)},
        notes=rule.notes,
        severity=str(rule.severity),
    )


def _shown(value: Any) -> Any:  # noqa: ANN401 - whatever a suite's file holds
    """A parameter stands for what the tenant declared: named here, its value is in the tenant's files."""
    if isinstance(value, dict) and "$PARAMETER" in value:
        name = str(value["$PARAMETER"])
        return None if name.endswith("_seconds") else [f"declared {name}"]
    return value


def _result(rule: Expectation, verdict: Mapping[str, Any] | None, hindrance: str | None) -> ExpectationValidationResult:
    if verdict is None or verdict["status"] == Status.ERROR:
        message = hindrance if verdict is None else verdict["error"]
        return ExpectationValidationResult(
            success=False,
            expectation_config=_configuration(rule, {}),
            result={},
            exception_info={
                "raised_exception": True,
                "exception_message": html.escape(message or ""),
                "exception_traceback": "",
            },
        )
    result: dict[str, Any]
    if rule.scope is Scope.TABLE:
        sample = verdict["sample"]
        observed = sample.get("observed") if isinstance(sample, dict) else None
        result = {"observed_value": html.escape(observed) if isinstance(observed, str) else observed}
    else:
        evaluated, unexpected = verdict["evaluated"] or 0, verdict["unexpected"] or 0
        share = 100 * unexpected / evaluated if evaluated else 0
        # Great Expectations sets them into its pages as they are.
        keys = [html.escape(str(key)) for key in verdict["sample"] or ()]
        result = {
            "element_count": evaluated,
            "unexpected_count": unexpected,
            "unexpected_percent": share,
            "missing_count": 0,
            "missing_percent": 0,
            "unexpected_percent_nonmissing": share,
            "partial_unexpected_list": keys,
            "partial_unexpected_counts": [{"value": key, "count": 1} for key in keys],
        }
    return ExpectationValidationResult(
        success=verdict["status"] == Status.PASSED,
        expectation_config=_configuration(rule, verdict),
        result=result,
        exception_info={"raised_exception": False, "exception_message": None, "exception_traceback": None},
    )
