"""Serve the vendors' APIs over one simulated world."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from trueup.cli.output import console, print_json, print_rows
from trueup.cli.session import JsonOption, reporting_errors, require_transactions

app = typer.Typer(no_args_is_help=True)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 0,
    public_host: Annotated[
        str | None, typer.Option(help="Name that the base URLs carry, where it is not --host.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 1,
    skus: Annotated[int, typer.Option(help="How many products.")] = 500,
    intensity: Annotated[float, typer.Option(help="Multiplies the demand.")] = 1.0,
    order_incidents: Annotated[
        float, typer.Option(help="How often orders are edited, exchanged, apologised for; 1: as in a busy shop.")
    ] = 0.0,
    returns_within_hours: Annotated[
        float, typer.Option(help="So soon goods come back; 0: within days, as customers do.")
    ] = 0.0,
    start: Annotated[
        datetime | None, typer.Option(help="The world's first moment, UTC; stores open at 9.", show_default=False)
    ] = None,
    world: Annotated[
        Path | None, typer.Option(help="Real transactions to replay (UCI Online Retail II layout).")
    ] = None,
    days: Annotated[int | None, typer.Option(help="Trading days of the file to replay.")] = None,
    speed: Annotated[float, typer.Option(help="World seconds a second; 0 stands still until told.")] = 0.0,
    faults: Annotated[str, typer.Option(help="none, typical or storm.")] = "none",
    recording: Annotated[Path | None, typer.Option(help="Folder for every request and answer, as JSONL.")] = None,
    describe_to: Annotated[
        Path | None, typer.Option(help="Write the connections here, as a file that Airflow's secrets backend reads.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose connection ids to print.")] = "demo",
    tenant_files: Annotated[
        Path | None, typer.Option(help="Folder of the tenant whose systems to serve; the demo tenant's without it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve until interrupted; prints base URLs and credentials once it answers."""
    from trueup.dev.secret_files import write_secret
    from trueup.sandbox.server import run_sandbox
    from trueup.sandbox.world.clock import DEFAULT_START
    from trueup.sandbox.world.layout import Layout, demo_layout
    from trueup.sandbox.world.settings import WorldSettings

    def announce(description: dict[str, Any]) -> None:
        if describe_to is not None:
            write_secret(describe_to, description["connections"])
        if as_json:
            print_json(description)
        else:
            console.print(f"World: {description['world']}")
            rows = [{"system": name, "base_url": url} for name, url in description["systems"].items()]
            print_rows("Systems", rows, "no systems")
            console.print("Credentials: --json prints them, --describe-to FILE writes them.")

    with reporting_errors(as_json):
        require_transactions(world)
        layout = demo_layout() if tenant_files is None else Layout.read(tenant_files)
        settings = WorldSettings(
            seed,
            skus,
            intensity,
            start=DEFAULT_START if start is None else start.replace(tzinfo=UTC),
            transactions=world,
            days=days,
            order_incidents=order_incidents,
            returns_within_hours=returns_within_hours,
            layout=layout,
        )
        run_sandbox(
            settings,
            announce=announce,
            host=host,
            port=port,
            public_host=public_host,
            faults=faults,
            speed=speed,
            recording=recording,
            tenant=tenant,
        )
