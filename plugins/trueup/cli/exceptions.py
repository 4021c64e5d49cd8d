"""The queue of everything that left the line."""

from typing import Annotated

import typer

from trueup.cli.output import print_facts, print_json, print_rows
from trueup.cli.session import JsonOption, TenantOption, actor, new_run_id, open_tenant, reporting_errors

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_open(tenant: TenantOption = "demo", as_json: JsonOption = False) -> None:
    """List the open exceptions, newest first."""
    from trueup.exceptions.queue import list_exceptions

    with reporting_errors(as_json):
        rows = list_exceptions(open_tenant(tenant).warehouse)
        print_json(rows) if as_json else print_rows("Open exceptions", rows, "The queue is empty.")


@app.command()
def show(
    exception_id: Annotated[int, typer.Argument(help="The exception's id.")],
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Show one exception whole, with its payload."""
    from trueup.exceptions.queue import show_exception

    with reporting_errors(as_json):
        row = show_exception(open_tenant(tenant).warehouse, exception_id)
        print_json(row) if as_json else print_facts(f"Exception {exception_id}", row)


@app.command()
def replay(
    exception_ids: Annotated[list[int], typer.Argument(help="The exceptions' ids.")],
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Try again what left the line; what succeeds closes itself."""
    from trueup.pipeline.replay import replay as replay_exceptions

    with reporting_errors(as_json):
        opened = open_tenant(tenant)
        results = replay_exceptions(
            opened.warehouse, opened.configuration, exception_ids, run_id=new_run_id(), actor=actor()
        )
        print_json(results) if as_json else print_rows("Replayed", results, "nothing to replay")


@app.command()
def resolve(
    exception_id: Annotated[int, typer.Argument(help="The exception's id.")],
    reason: Annotated[str, typer.Option(help="What was done about it; the audit trail keeps it.")],
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Close an exception whose cause was mended elsewhere."""
    from trueup.exceptions.queue import resolve_exception

    with reporting_errors(as_json):
        resolve_exception(open_tenant(tenant).warehouse, exception_id, actor=actor(), reason=reason)
        closed = {"exception_id": exception_id, "status": "resolved"}
        print_json(closed) if as_json else print_facts("Closed", closed)


@app.command()
def dismiss(
    exception_id: Annotated[int, typer.Argument(help="The exception's id.")],
    reason: Annotated[str, typer.Option(help="Why nothing is to be done; the audit trail keeps it.")],
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Close an exception that needs nothing done."""
    from trueup.exceptions.queue import dismiss_exception

    with reporting_errors(as_json):
        dismiss_exception(open_tenant(tenant).warehouse, exception_id, actor=actor(), reason=reason)
        closed = {"exception_id": exception_id, "status": "dismissed"}
        print_json(closed) if as_json else print_facts("Closed", closed)
