"""Stop all pushes to a channel at once, and start them again."""

from typing import Annotated

import typer

from trueup.cli.output import console, print_json, print_rows
from trueup.cli.session import JsonOption, TenantOption, actor, open_tenant, reporting_errors

app = typer.Typer(no_args_is_help=True)
Channel = Annotated[str, typer.Argument(help="The channel.")]


@app.command("list")
def list_stopped(tenant: TenantOption = "demo", as_json: JsonOption = False) -> None:
    """List the channels that are stopped by hand."""
    from trueup.corrections.engine.switches import stopped_channels

    with reporting_errors(as_json):
        stopped = stopped_channels(open_tenant(tenant).warehouse)
        print_json(stopped) if as_json else print_rows("Stopped", stopped, "No channel is stopped by hand.")


@app.command()
def stop(
    channel: Channel,
    reason: Annotated[str, typer.Option(help="Why; the audit trail keeps it.")],
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Push nothing more to the channel, from the next batch on."""
    from trueup.corrections.engine.switches import stop_channel

    with reporting_errors(as_json):
        stop_channel(open_tenant(tenant).warehouse, channel, actor(), reason)
        print_json({"channel": channel, "is_stopped": True}) if as_json else console.print(f"{channel} is stopped.")


@app.command()
def resume(
    channel: Channel,
    reason: Annotated[str, typer.Option(help="Why; the audit trail keeps it.")],
    tenant: TenantOption = "demo",
    as_json: JsonOption = False,
) -> None:
    """Push to the channel again."""
    from trueup.corrections.engine.switches import resume_channel

    with reporting_errors(as_json):
        resume_channel(open_tenant(tenant).warehouse, channel, actor(), reason)
        print_json({"channel": channel, "is_stopped": False}) if as_json else console.print(f"{channel} goes on.")
