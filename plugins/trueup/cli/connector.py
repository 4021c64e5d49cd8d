"""The connectors there are, and the files of a new one."""

from typing import Annotated

import typer

from trueup.cli.output import console, print_json, print_rows
from trueup.cli.session import JsonOption, folders, reporting_errors

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The connector's folder, such as bigcommerce.")]


@app.command("list")
def list_connectors(as_json: JsonOption = False) -> None:
    """List the connectors that systems.yml can name."""
    from trueup.connectors.registry import CONNECTORS

    with reporting_errors(as_json):
        rows = [
            {
                "connector": spec.name,
                "title": spec.title,
                "reads": ", ".join(spec.streams),
                "writes": ", ".join(spec.writes) or "nothing",
            }
            for spec in CONNECTORS.values()
        ]
        print_json(rows) if as_json else print_rows("Connectors", rows, "no connectors")


@app.command()
def new(
    name: Name,
    title: Annotated[str, typer.Option(help="The vendor's name as people write it.")] = "",
    streams: Annotated[
        str, typer.Option(help="Kinds of contracts/streams.yml, by commas, in the order of reading.")
    ] = "locations,products,listings,orders",
    as_json: JsonOption = False,
) -> None:
    """Write the files of a new connector into this checkout, ready to be filled in (docs/add-a-system.md)."""
    from trueup.dev.skeleton import write_skeleton

    with reporting_errors(as_json):
        written = write_skeleton(folders().project, name, title or name.title(), streams.split(","))
        print_json([str(path) for path in written]) if as_json else console.print("\n".join(map(str, written)))


@app.command()
def describe(name: Name, as_json: JsonOption = False) -> None:
    """Describe a connector's staging models anew from their kinds of record."""
    from trueup.connectors.registry import CONNECTORS
    from trueup.dev.skeleton import write_description
    from trueup.domain.errors import Permanent

    with reporting_errors(as_json):
        if name not in CONNECTORS:
            raise Permanent(f"no connector '{name}'; there are {', '.join(sorted(CONNECTORS))}")
        path = write_description(folders().project, name, CONNECTORS[name].title)
        print_json(str(path)) if as_json else console.print(str(path))
