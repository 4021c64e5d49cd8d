"""The local machinery: an embedded PostgreSQL and the sandbox, in the background."""

from typing import Annotated

import typer

from trueup.cli.output import console, print_json, print_rows
from trueup.cli.session import JsonOption, actor, folders, open_tenant, reporting_errors

app = typer.Typer()


@app.command()
def up(
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 1,
    skus: Annotated[int, typer.Option(help="How many products.")] = 500,
    speed: Annotated[float, typer.Option(help="World seconds a second; 0 stands still until told.")] = 0.0,
    faults: Annotated[str, typer.Option(help="none, typical or storm.")] = "none",
    fresh: Annotated[bool, typer.Option("--fresh", help="Drop the warehouse of an earlier `up` first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start PostgreSQL and the sandbox, and prepare the demo tenant's warehouse; one of the same world is kept."""
    from trueup.dev.local import bring_up
    from trueup.pipeline.steps import prepare

    with reporting_errors(as_json):
        parts = bring_up(folders().state, seed=seed, skus=skus, speed=speed, faults=faults, is_fresh=fresh)
        prepare(open_tenant("demo"), actor())
        if as_json:
            print_json(parts)
        else:
            print_rows("Running", parts, "nothing")
            console.print("Next: trueup land, trueup build, trueup gate, trueup propose, trueup correct")


@app.command()
def down(as_json: JsonOption = False) -> None:
    """Stop what `trueup up` started; the warehouse's data stays."""
    from trueup.dev.local import take_down

    with reporting_errors(as_json):
        parts = take_down(folders().state)
        print_json(parts) if as_json else print_rows("Local machinery", parts, "nothing")


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show what of the local machinery runs."""
    from trueup.dev.local import local_status

    with reporting_errors(as_json):
        parts = local_status(folders().state)
        print_json(parts) if as_json else print_rows("Local machinery", parts, "nothing")
