"""`POST /trueup/<tenant>/hooks/<system>`: a vendor's webhook has its system polled now.

Open to the world, so it believes nothing but a signature, and what is cheap to look at comes first. Whatever is not
genuine gets one and the same answer after one and the same time: neither tells which tenants and systems there are.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from fastapi import APIRouter, HTTPException, Request, status
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from trueup.connectors.webhooks import Notice
from trueup.domain.connections import Connections
from trueup.domain.errors import TrueupError
from trueup.web import settings
from trueup.web.rate import Rate
from trueup.web.signatures import Signatures, is_plausible

log = logging.getLogger(__name__)

LARGEST_BODY: Final = 1_048_576
"""Bytes. Shopify's largest order stays below it; more is no vendor's."""

A_SECOND: Final = 100
AT_ONCE: Final = 500
"""Of one address for one path. A vendor sends again what is refused, and the poll sees it anyhow."""

REFUSED_AFTER_SECONDS: Final = 0.1
_BODY_SECONDS: Final = 10


class Trigger(Protocol):
    """Has a system polled. Called again before the poll began, it is still one poll."""

    def __call__(self, tenant: str, system: str, notice: Notice) -> None: ...


def hooks(connections: Callable[[], Connections], trigger: Trigger) -> APIRouter:
    """Build the routes; `trigger` is called for every genuine webhook."""
    router = APIRouter()
    rate = Rate(A_SECOND, AT_ONCE)
    signatures = Signatures(connections, settings.tenants_folder, settings.chosen_tenants)

    @router.post("/{tenant}/hooks/{system}", status_code=status.HTTP_202_ACCEPTED)
    async def receive(request: Request, tenant: str, system: str) -> Response:
        if not rate.take((request.client.host if request.client else "", tenant, system)):
            raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, "too many; send it again", {"Retry-After": "5"})
        notice: Notice | None = None
        body = await _body(request)
        read_at = time.monotonic()
        if is_plausible(tenant, system, request.headers):
            # Files and Airflow's secrets may be asked: not in the event loop.
            notice = await run_in_threadpool(signatures.verified, tenant, system, request.headers, body)
        if notice is None:
            await asyncio.sleep(REFUSED_AFTER_SECONDS - (time.monotonic() - read_at) % REFUSED_AFTER_SECONDS)
            answer = {"detail": "not signed as the vendor signs; nothing was done"}
            return JSONResponse(answer, status.HTTP_401_UNAUTHORIZED)
        return await run_in_threadpool(_trigger, tenant, system, notice)

    def _trigger(tenant: str, system: str, notice: Notice) -> Response:
        try:
            trigger(tenant, system, notice)
        except TrueupError as error:
            # The vendor sends it again; whoever runs the DAGs finds the remedy here.
            log.error("webhook for %s of %s could not be taken: %s", system, tenant, error)  # noqa: TRY400 - no trace
            answer = {"detail": "not ready to take webhooks; see the web server's log"}
            return JSONResponse(answer, status.HTTP_503_SERVICE_UNAVAILABLE)
        return JSONResponse({"detail": "accepted"}, status.HTTP_202_ACCEPTED)

    return router


async def _body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > len(str(LARGEST_BODY)) or int(declared) > LARGEST_BODY:
        raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, f"at most {LARGEST_BODY} bytes")
    content = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                content += piece
                if len(content) > LARGEST_BODY:
                    raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, f"at most {LARGEST_BODY} bytes")
    except TimeoutError:
        raise HTTPException(status.HTTP_408_REQUEST_TIMEOUT, f"not sent within {_BODY_SECONDS} s") from None
    return bytes(content)
