"""See the whole line at work on a made-up retailer."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from trueup.cli.output import console, errors, print_json, print_rows
from trueup.cli.session import JsonOption, folders, reporting_errors, require_transactions
from trueup.dev.demo.options import DemoOptions, EngineName

if TYPE_CHECKING:
    from trueup.dev.demo.report import DemoReport

app = typer.Typer()


@app.command()
def demo(
    engine: Annotated[EngineName, typer.Option(help="A real Airflow, or this process.")] = EngineName.AIRFLOW,
    world: Annotated[
        Path | None, typer.Option(help="Real transactions to replay: CSV or parquet, UCI Online Retail II layout.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Trading days.")] = 1,
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 1,
    skus: Annotated[int, typer.Option(min=1, help="How many products.")] = 500,
    faults: Annotated[str, typer.Option(help="What goes wrong at the vendors: none, typical or storm.")] = "typical",
    speed: Annotated[float, typer.Option(help="World seconds a second, with Airflow.")] = 120.0,
    step: Annotated[int, typer.Option(min=60, help="World seconds a cycle, without Airflow.")] = 900,
    as_json: JsonOption = False,
) -> None:
    """Start everything, let a day of trading pass, print what was wrong and what was done about it.

    In a terminal it stays up until Ctrl-C, otherwise it exits; either way it leaves no process behind.
    Exits with 1 where the channels were not true in the end, or a rule of the gates fails.
    """
    from trueup.dev.demo.run import run_demo

    # `make` and a closed terminal send SIGTERM and SIGHUP: end as for Ctrl-C, so that everything is stopped.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    options = DemoOptions(
        engine=engine,
        seed=seed,
        skus=skus,
        days=days,
        faults=faults,
        world_file=world,
        speed=speed,
        step_seconds=step,
    )
    with reporting_errors(as_json):
        require_transactions(world)
    with reporting_errors(as_json), _progress() as bar:
        task = bar.add_task("starting", total=1.0)
        last_said = ""

        def progress(done: float, what: str) -> None:
            nonlocal last_said
            bar.update(task, completed=done, description=what)
            # Where nobody watches a bar, a line for each thing and for each hour of the world's clock.
            headline = what.rsplit(":", 1)[0]
            if not bar.live.is_started and headline != last_said:
                errors.print(headline, highlight=False)
                last_said = headline

        where = folders()
        try:
            with run_demo(where.project, where.state / "demo", options, progress) as (report, airflow):
                bar.stop()
                if as_json:
                    print_json(report)
                else:
                    print_report(report)
                if airflow is not None and sys.stdout.isatty():
                    console.print("\nEverything is still running. Ctrl-C stops it.")
                    signal.pause()
        except KeyboardInterrupt:
            bar.stop()
            errors.print("Stopped.")
            raise typer.Exit(130) from None
    if not report.is_converged or report.failing_rules:
        raise typer.Exit(1)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal or "CI" in os.environ,
    )


def print_report(report: "DemoReport") -> None:
    """The report for a person: what was wrong, what was done, what it saved, where to look."""
    verdict = "[bold green]converged[/]" if report.is_converged else "[bold red]NOT converged[/]"
    console.print(
        f"\n{report.listing_count} listings of {report.sku_count} SKUs at {report.location_count} locations on"
        f" {report.channel_count} channels: {verdict}"
    )
    console.print(
        f"  wrong at the start  {report.wrong_at_start}"
        f" ({report.wrong_at_start / report.listing_count:.0%}; {report.overstated_at_start} overstated)"
    )
    console.print(f"  wrong at the end    {report.wrong_at_end}")
    if report.orders is not None:
        orders = report.orders
        console.print(
            f"  orders              {orders.order_count} taken;"
            f" in the ERP {len(orders.missing)} missing, {len(orders.booked_twice)} twice,"
            f" {len(orders.unequal)} not to the cent, {len(orders.still_open)} cancelled and open;"
            f" {len(orders.waiting)} wait for a person"
        )
    if report.parcels is not None:
        parcels = report.parcels
        console.print(
            f"  parcels             {parcels.unit_count} units left;"
            f" customers of {len(parcels.unreported)} orders not told, of {len(parcels.overreported)} told of too much;"
            f" {len(parcels.waiting)} orders wait"
        )
    for target, counts in report.returns.items():
        made = ", ".join(f"{number} {status}" for status, number in counts.items())
        console.print(f"  refunds, {target + ':':<12}{made}")
    failing = ", ".join(report.failing_rules) or "none"
    console.print(f"  rules failing       {failing}\n", highlight=False)
    print_rows(
        "The same world and seed, in units",
        [
            {"": "Trueup", "oversold": report.oversold_units, "lost sales": report.lost_units},
            {"": "naive sync", "oversold": report.naive_oversold_units, "lost sales": report.naive_lost_units},
        ],
        "",
    )
    for case in report.oversales:
        unit = "unit" if case.units == 1 else "units"
        console.print(
            f"  oversold: {case.units} {unit} of {case.sku} on {case.channel}, order {case.order},"
            f" at {case.sold_at[:16]}; allowed by {case.hop}: {case.why}",
            highlight=False,
            soft_wrap=True,
        )
    print_rows(
        "Corrections", [{"channel": channel, **counts} for channel, counts in report.pushed.items()], "none was needed"
    )
    for title, counts in (
        ("On hold for a person, by reason", report.hold_reasons),
        ("Rejected by the channel, by reason", report.rejected_reasons),
        ("Causes", report.causes),
        ("Quarantined rows, by rule", report.quarantined),
        ("Open exceptions, by kind", report.exceptions),
        ("Found by sweeps, missed by polls", report.leaks),
    ):
        print_rows(title, [{"what": name, "count": number} for name, number in counts.items()], f"{title}: none")
    console.print(
        f"\nFrom landing to the verified read-back: p50 {report.freshness_p50_seconds} s,"
        f" p95 {report.freshness_p95_seconds} s"
    )
    console.print(f"Peak memory of everything: {report.peak_memory_mib} MiB; took {report.seconds:.0f} s\n")
    for name, where_to_look in report.look_at.items():
        console.print(f"  {name:14}{where_to_look}", highlight=False, soft_wrap=True)
    if not sys.stdout.isatty():
        console.print("\nEverything is stopped now; in a terminal it stays up to be looked at.")
