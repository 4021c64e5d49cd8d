"""Runs that would change too much, and a person's word on them."""

from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.output import console, print_json, print_rows
from trueup.cli.session import JsonOption, TenantOption, actor, open_tenant, reporting_errors

if TYPE_CHECKING:
    from trueup.corrections.engine.holds import Decision

app = typer.Typer(no_args_is_help=True)
HoldId = Annotated[int, typer.Argument(help="The hold's id, from `trueup holds list`.")]


@app.command("list")
def list_holds(tenant: TenantOption = "demo", as_json: JsonOption = False) -> None:
    """List what waits for a decision."""
    from trueup.corrections.engine.holds import open_holds

    with reporting_errors(as_json):
        holds = open_holds(open_tenant(tenant).warehouse)
        print_json(holds) if as_json else print_rows("On hold", holds, "Nothing is on hold.")


@app.command()
def approve(hold_id: HoldId, tenant: TenantOption = "demo", as_json: JsonOption = False) -> None:
    """Push the corrections on hold with the next run."""
    _decide(hold_id, "approved", tenant, as_json=as_json)


@app.command()
def reject(hold_id: HoldId, tenant: TenantOption = "demo", as_json: JsonOption = False) -> None:
    """Drop the corrections on hold; the differences are decided afresh."""
    _decide(hold_id, "rejected", tenant, as_json=as_json)


@app.command()
def reconsider(hold_id: HoldId, tenant: TenantOption = "demo", as_json: JsonOption = False) -> None:
    """Take a rejection back: the differences may be proposed again at once, not after a day."""
    from trueup.corrections.engine.holds import reconsider_hold

    with reporting_errors(as_json):
        reconsider_hold(open_tenant(tenant).warehouse, hold_id, actor())
        print_json({"hold_id": hold_id}) if as_json else console.print(f"Hold {hold_id} may be decided again.")


def _decide(hold_id: int, decision: "Decision", tenant: str, *, as_json: bool) -> None:
    from trueup.corrections.engine.holds import decide_hold

    with reporting_errors(as_json):
        decided = decide_hold(open_tenant(tenant).warehouse, hold_id, decision, actor())
        missing = decided.missing_approvals
        if as_json:
            print_json({"hold_id": hold_id, "decision": decision, "missing_approvals": missing})
        elif missing:
            console.print(f"Hold {hold_id} {decision} by you; {missing} more person must approve it.")
        else:
            console.print(f"Hold {hold_id} {decision}.")
