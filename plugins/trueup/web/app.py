"""One FastAPI application under `/trueup`: the pages for operations, which only read, and the vendors' webhooks."""

from collections.abc import Callable
from pathlib import Path

import jinja2
from fastapi import APIRouter, FastAPI, HTTPException, Request, status
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from trueup.domain.connections import Connections
from trueup.gates.docs import site_index
from trueup.web import settings
from trueup.web.hooks import Trigger, hooks
from trueup.web.quality import list_tenants, report
from trueup.web.security import LOGGED_IN, send_to_login, with_policy

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def create_app(connections: Callable[[], Connections], trigger: Trigger) -> FastAPI:
    """Build the application; nothing is opened before a page is asked for. `trigger` is called for each webhook."""
    # No generated documentation: those routes would stand outside the login.
    app = FastAPI(title="Trueup", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(HTTPException, send_to_login)
    app.middleware("http")(with_policy)
    pages = APIRouter(dependencies=[LOGGED_IN])
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("trueup.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["age"] = age

    # Plain functions on purpose: they wait for a database, so they belong in a thread, not in the event loop.
    @pages.get("/", response_class=HTMLResponse)
    def overview(request: Request) -> Response:
        """All tenants; with one, its report at once."""
        names = list_tenants(settings.tenants_folder(), settings.chosen_tenants())
        if len(names) == 1:
            return RedirectResponse(f"{_root(request)}/{names[0]}/quality", status_code=status.HTTP_303_SEE_OTHER)
        reports = [report(settings.tenants_folder(), name, connections()) for name in names]
        return _page(templates, "overview", root=_root(request), reports=reports)

    @pages.get("/{tenant}/quality", response_class=HTMLResponse)
    def quality(request: Request, tenant: str) -> Response:
        """The newest verdicts, open quarantine and open stops of one tenant."""
        names = _known(tenant)
        found = report(settings.tenants_folder(), tenant, connections())
        has_docs = site_index(settings.docs_folder(tenant)).exists()
        return _page(
            templates, "quality", root=_root(request), report=found, has_docs=has_docs, has_others=len(names) > 1
        )

    @pages.get("/{tenant}/docs/{path:path}")
    def docs(tenant: str, path: str) -> Response:
        """A file of the tenant's Data Docs."""
        _known(tenant)
        site = site_index(settings.docs_folder(tenant)).parent.resolve()
        file = _file_below(site, path or "index.html")
        if file is None:
            raise HTTPException(
                status.HTTP_404_NOT_FOUND,
                f"no such page; the DAG {tenant}.docs builds the Data Docs, and replaces old ones",
            )
        return FileResponse(file)

    app.include_router(pages)
    app.include_router(hooks(connections, trigger))
    return app


def age(seconds: float) -> str:
    """`42 s`, `7 min`, `3 h`, `2 d`: as long ago as matters."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"


def _known(tenant: str) -> list[str]:
    """The tenants there are, this one among them. Nothing else may become part of a path."""
    names = list_tenants(settings.tenants_folder(), settings.chosen_tenants())
    if tenant not in names:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no such tenant; the overview lists them")
    return names


def _file_below(site: Path, path: str) -> Path | None:
    """The file of the site that a stranger's words name; None where they name none, or nothing that can be one."""
    try:
        file = (site / path).resolve()
        return file if file.is_relative_to(site) and file.is_file() else None
    # A null character, more letters than a name may have, links that go round.
    except (OSError, ValueError, RuntimeError):
        return None


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")


def _page(templates: jinja2.Environment, name: str, **values: object) -> HTMLResponse:
    return HTMLResponse(templates.get_template(f"{name}.html.jinja").render(**values))
