"""Why a number is what it is, and what became of a fact."""

from typing import Annotated
from uuid import UUID

import typer

from trueup.cli.output import console, print_json
from trueup.cli.session import JsonOption, TenantOption, open_tenant, reporting_errors

app = typer.Typer()


@app.command()
def explain(
    subject: Annotated[
        str, typer.Argument(metavar="SKU|ORDER", help="A SKU with its channel, or an order's id or name.")
    ],
    channel: Annotated[str | None, typer.Argument(help="The channel, for a SKU.")] = None,
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Show every term of what a channel should show for a SKU, or of what an order comes to and where it is booked."""
    from trueup.explain.explain import explain as explain_position
    from trueup.explain.orders import explain_order

    with reporting_errors(as_json):
        opened = open_tenant(tenant)
        explanation = (
            explain_order(opened.warehouse, subject)
            if channel is None
            else explain_position(opened.warehouse, opened.configuration, subject, channel)
        )
        if as_json:
            print_json(explanation)
        else:
            console.print("\n".join(explanation.lines), highlight=False, markup=False, soft_wrap=True)


@app.command()
def trace(
    correlation_id: Annotated[UUID, typer.Argument(help="The id that a fact carries down the line.")],
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Show all that came of one fact, in order of time."""
    from trueup.explain.trace import trace as trace_fact

    with reporting_errors(as_json):
        found = trace_fact(open_tenant(tenant).warehouse, correlation_id)
        if as_json:
            print_json(found)
        else:
            console.print("\n".join(found.lines), highlight=False, markup=False, soft_wrap=True)


@app.command()
def history(
    target: Annotated[str, typer.Argument(help="The channel or system that the changes went to.")],
    record: Annotated[str, typer.Argument(help="The target's own address of the record, or its external id.")],
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Show every change that was decided for one record: why, by whom, and what became of it."""
    from trueup.explain.record_history import read_record_history

    with reporting_errors(as_json):
        found = read_record_history(open_tenant(tenant).warehouse, target, record)
        if as_json:
            print_json(found)
        else:
            console.print("\n".join(found.lines), highlight=False, markup=False, soft_wrap=True)
