"""Measure what the documents claim."""

from enum import StrEnum
from typing import Annotated

import typer

from trueup.cli.output import print_facts, print_json
from trueup.cli.session import JsonOption, folders, reporting_errors

app = typer.Typer()


class Benchmark(StrEnum):
    """What can be measured."""

    LANDING = "landing"
    PUBLISH = "publish"
    ORDERS = "orders"
    GATES = "gates"
    CORRECTIONS = "corrections"
    AIRFLOW = "airflow"


@app.command()
def bench(
    names: Annotated[list[Benchmark] | None, typer.Argument(help="What to measure; all where left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure, print, and keep the figures under benchmarks/results with the machine named."""
    from trueup.dev.benchmarks import run_benchmark

    with reporting_errors(as_json):
        reports = {}
        for name in names or list(Benchmark):
            reports[name.value] = run_benchmark(folders().project, name.value)
            if not as_json:
                print_facts(name.value, reports[name.value])
        if as_json:
            print_json(reports)
