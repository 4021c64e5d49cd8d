"""The `trueup` command: the line, its questions and its local machinery."""

import warnings

import typer

from trueup.cli import bench, channel, connector, demo, exceptions, holds, line, local, questions, sandbox, tenant

# Said by a library's library wherever nobody is logged in, such as in a container; it changes nothing for us.
warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")

app = typer.Typer(
    help="Keeps every sales channel true to its system of record.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
for commands in (local.app, demo.app, line.app, questions.app, bench.app):
    app.registered_commands.extend(commands.registered_commands)
app.add_typer(exceptions.app, name="exceptions", help="The queue of everything that left the line.")
app.add_typer(holds.app, name="holds", help="Runs that wait for a person.")
app.add_typer(channel.app, name="channel", help="The kill switch of each channel.")
app.add_typer(connector.app, name="connector", help="The connectors there are, and a new one.")
app.add_typer(tenant.app, name="tenant", help="What a retailer declares.")
app.add_typer(sandbox.app, name="sandbox", help="The vendors' APIs over one simulated world.")

if __name__ == "__main__":
    app()
