"""`POST /trueup/<tenant>/hooks/<system>`: a vendor's webhook has its system polled now.

Open to the world, so it believes nothing but a signature, reads little, and tells strangers nothing of what is behind.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from fastapi import APIRouter, HTTPException, Request, status
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from trueup.connectors.registry import takes_webhooks, verify_webhook
from trueup.connectors.webhooks import NotGenuine, Notice
from trueup.domain.connections import Connections
from trueup.domain.errors import TrueupError
from trueup.governance.tenants import load_tenant
from trueup.web import settings
from trueup.web.quality import list_tenants

log = logging.getLogger(__name__)

LARGEST_BODY: Final = 1_048_576
"""Bytes. Shopify's largest order stays below it; more is no vendor's."""


class Bell(Protocol):
    """Has a system polled. Rung again before somebody came, it stays one ring."""

    def __call__(self, tenant: str, system: str, notice: Notice) -> None: ...


def hooks(connections: Callable[[], Connections], bell: Bell) -> APIRouter:
    """Build the routes; `bell` is rung for every genuine webhook."""
    router = APIRouter()

    @router.post("/{tenant}/hooks/{system}", status_code=status.HTTP_202_ACCEPTED)
    async def hear(request: Request, tenant: str, system: str) -> Response:
        body = await _body(request)
        # A database and Airflow's secrets are asked: not in the event loop.
        return await run_in_threadpool(_hear, tenant, system, request.headers, body)

    def _hear(tenant: str, system: str, headers: Mapping[str, str], body: bytes) -> Response:
        try:
            notice = _verified(settings.tenants_folder(), tenant, system, headers, body, connections())
            bell(tenant, system, notice)
        except NotGenuine as error:
            log.warning("webhook for %s of %s refused: %s", system, tenant, error)
            return JSONResponse({"detail": f"{error}; nothing was done"}, status.HTTP_401_UNAUTHORIZED)
        except TrueupError as error:
            # The vendor sends it again; whoever keeps the connection finds the remedy here.
            log.error("webhook for %s of %s could not be taken: %s", system, tenant, error)  # noqa: TRY400 - no trace
            told = {"detail": "not ready to take webhooks; see the web server's log"}
            return JSONResponse(told, status.HTTP_503_SERVICE_UNAVAILABLE)
        return JSONResponse({"detail": "heard"}, status.HTTP_202_ACCEPTED)

    return router


async def _body(request: Request) -> bytes:
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST_BODY:
            raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, f"at most {LARGEST_BODY} bytes")
    return content


def _verified(
    folder: Path, tenant: str, system: str, headers: Mapping[str, str], body: bytes, connections: Connections
) -> Notice:
    if tenant not in list_tenants(folder, settings.chosen_tenants()):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "nothing takes webhooks here")
    declaration = load_tenant(folder, tenant).systems.get(system)
    if declaration is None or not takes_webhooks(declaration):
        raise HTTPException(status.HTTP_404_NOT_FOUND, "nothing takes webhooks here")
    return verify_webhook(declaration, connections.get(declaration.connection), headers, body)
