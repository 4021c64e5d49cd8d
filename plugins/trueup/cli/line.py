"""The steps of the line, one command each: what the DAGs do, by hand."""

from typing import Annotated

import typer

from trueup.cli.output import print_facts, print_json, print_rows
from trueup.cli.session import JsonOption, TenantOption, actor, new_run_id, open_tenant, reporting_errors

app = typer.Typer()


@app.command()
def land(
    system: Annotated[str | None, typer.Argument(help="The system; all of the tenant's where left out.")] = None,
    tenant: TenantOption = "demo",
    sweep: Annotated[bool, typer.Option(help="Read everything, not what changed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read the systems' streams into raw."""
    from trueup.domain.records import ReadMode
    from trueup.pipeline import steps

    with reporting_errors(as_json):
        opened = open_tenant(tenant)
        mode = ReadMode.SWEEP if sweep else ReadMode.POLL
        run_id = new_run_id()
        systems = [system] if system else list(opened.configuration.systems)
        reports = [report for name in systems for report in steps.land(opened, name, run_id=run_id, mode=mode)]
        if as_json:
            print_json(reports)
        else:
            print_rows("Landed", reports, "no streams")


@app.command()
def build(
    tenant: TenantOption = "demo",
    full: Annotated[bool, typer.Option(help="Build every table again from raw.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring canonical and marts up to date with raw."""
    from trueup.pipeline import steps

    with reporting_errors(as_json):
        report = steps.build(open_tenant(tenant), run_id=new_run_id(), actor=actor(), is_full_refresh=full)
        print_json(report) if as_json else print_facts("Built", report)


@app.command()
def gate(
    tenant: TenantOption = "demo",
    full: Annotated[bool, typer.Option(help="Validate every row, not what the newest build wrote.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate the built tables; exits with 2 where a channel is stopped."""
    from trueup.pipeline import steps

    with reporting_errors(as_json):
        report = steps.gate(open_tenant(tenant), run_id=new_run_id(), is_full=full)
        print_json(report) if as_json else print_facts("Gates", report)
    if report.open_stops:
        raise typer.Exit(2)


@app.command("accept-total")
def accept_total(
    rule_id: Annotated[str, typer.Argument(help="The rule that the total failed, as the quality report names it.")],
    reason: Annotated[str, typer.Option(help="Why the total is true; kept in the audit.")],
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Accept a total that failed a rule, and release the stop that it caused."""
    from trueup.gates.status import accept_total as accept

    with reporting_errors(as_json):
        total = accept(open_tenant(tenant).warehouse, rule_id, actor=actor(), reason=reason)
        if as_json:
            print_json({"rule_id": rule_id, "total": total})
        else:
            typer.echo(f"{rule_id}: {total:g} is accepted; the next total is compared with it.")


@app.command()
def propose(tenant: TenantOption = "demo", as_json: JsonOption = False) -> None:
    """Put what may be pushed into the outbox."""
    from trueup.pipeline import steps

    with reporting_errors(as_json):
        report = steps.propose(open_tenant(tenant), run_id=new_run_id(), actor=actor())
        print_json(report) if as_json else print_facts("Proposed", report)


@app.command()
def correct(tenant: TenantOption = "demo", as_json: JsonOption = False) -> None:
    """Push what is due, read it back, resolve what was unconfirmed."""
    from trueup.pipeline import steps

    with reporting_errors(as_json):
        report = steps.correct(open_tenant(tenant), run_id=new_run_id(), actor=actor())
        print_json(report) if as_json else print_facts("Corrected", report)


@app.command()
def reconcile(tenant: TenantOption = "demo", as_json: JsonOption = False) -> None:
    """Validate everything and count what the channels show wrong, by cause."""
    from trueup.pipeline import steps

    with reporting_errors(as_json):
        report = steps.reconcile(open_tenant(tenant), run_id=new_run_id(), actor=actor())
        if as_json:
            print_json(report)
        else:
            print_rows(
                f"Differences among {report.listing_count} listings",
                report.differences,
                f"All {report.listing_count} listings show what they should.",
            )
