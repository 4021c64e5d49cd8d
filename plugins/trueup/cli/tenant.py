"""What a retailer declares: checked, and applied to its warehouse."""

from typing import Annotated

import typer

from trueup.cli.output import console, print_json, print_rows
from trueup.cli.session import JsonOption, actor, folders, open_tenant, reporting_errors
from trueup.domain.errors import TrueupError
from trueup.pipeline.tenant import Tenant

app = typer.Typer(no_args_is_help=True)
TenantName = Annotated[str, typer.Argument(help="The tenant's folder under tenants/.")]


@app.command("list")
def list_tenants(as_json: JsonOption = False) -> None:
    """List the tenants declared here."""
    from trueup.configuration.tenants import tenant_names

    with reporting_errors(as_json):
        names = tenant_names(folders().tenants)
        print_json(names) if as_json else console.print("\n".join(names) or "No tenants.")


@app.command()
def check(
    tenant: TenantName,
    connect: Annotated[bool, typer.Option(help="Call every system too, with the connections at hand.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the tenant's files, and with --connect its connections, all of them; exits with 1 where one fails."""
    from trueup.connectors.registry import require_options
    from trueup.corrections.ownership import require_owners
    from trueup.corrections.policies import POLICIES

    with reporting_errors(as_json):
        opened = open_tenant(tenant)
        require_options(opened.configuration.systems)
        require_owners(opened.configuration, POLICIES)
        reached = [_reach(opened, name) for name in (opened.configuration.systems if connect else {})]
        summary = {
            "tenant": tenant,
            "systems": len(opened.configuration.systems),
            "locations": len(opened.configuration.locations),
            "channels": len(opened.configuration.channels),
            "reached": reached,
        }
        if as_json:
            print_json(summary)
        else:
            console.print(
                f"{tenant}: {summary['systems']} systems, {summary['locations']} locations,"
                f" {summary['channels']} channels: the files hold together."
            )
            if connect:
                print_rows("Systems", reached, "no systems")
        if any(not system["is_reached"] for system in reached):
            raise typer.Exit(1)


@app.command()
def prepare(tenant: TenantName, as_json: JsonOption = False) -> None:
    """Migrate the tenant's warehouse and apply its configuration; safe to repeat."""
    from trueup.pipeline.steps import prepare as prepare_tenant
    from trueup.warehouse.roles import Role, role_name

    with reporting_errors(as_json):
        opened = open_tenant(tenant)
        is_changed = prepare_tenant(opened, actor())
        analyst = role_name(str(opened.warehouse.schema), Role.ANALYST)
        if as_json:
            print_json({"tenant": tenant, "is_changed": is_changed, "analyst_role": analyst})
        else:
            console.print(
                f"{tenant}: the warehouse is migrated; its configuration {'is' if is_changed else 'was'} applied."
                f" Analysts read it with the role {analyst}."
            )


def _reach(opened: Tenant, system_id: str) -> dict[str, str | bool]:
    """Call one system; what hinders is its answer, so that one wrong connection does not hide the next."""
    try:
        return {"system": system_id, "is_reached": True, "answer": opened.connector(system_id).check()}
    except TrueupError as error:
        return {"system": system_id, "is_reached": False, "answer": str(error)}
