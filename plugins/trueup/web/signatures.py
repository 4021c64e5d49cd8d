"""Tells a vendor's webhook from anybody else's, with what the web server has at hand.

A stranger must cost next to nothing: no file is parsed and no connection is looked up that was asked for a moment ago.
"""

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trueup.configuration.model import SystemDeclaration
from trueup.configuration.tenants import load_tenant
from trueup.connectors.registry import SIGNATURE_HEADERS, takes_webhooks, verify_webhook
from trueup.connectors.webhooks import NotGenuine, Notice
from trueup.domain.connections import ConnectionDetails, Connections
from trueup.domain.errors import Permanent, TrueupError

log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST_HEADER: Final = 2000
_KEPT_SECONDS: Final = 60.0
_ASKED_AGAIN_SECONDS: Final = 5.0
_LOGGED_AGAIN_SECONDS: Final = 60.0


def is_plausible(tenant: str, system: str, headers: Mapping[str, str]) -> bool:
    """Whether it could be a vendor's by the form alone: names as ours are, one signature of a sensible length."""
    signatures = [headers[name] for name in SIGNATURE_HEADERS if name in headers]
    return bool(
        _NAME.fullmatch(tenant)
        and _NAME.fullmatch(system)
        and len(signatures) == 1
        and 0 < len(signatures[0]) <= _LONGEST_HEADER
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What a connection was when it was asked for; `details` None where it could not be had."""

    details: ConnectionDetails | None
    trouble: str
    asked_at: float


class Signatures:
    """Verifies webhooks of the tenants under `folder()`, of which `chosen()` are run here (none named: all)."""

    def __init__(
        self,
        connections: Callable[[], Connections],
        folder: Callable[[], Path],
        chosen: Callable[[], tuple[str, ...]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._folder = folder
        self._chosen = chosen
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._logged_at: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()
        self._decoy = secrets.token_bytes(32)

    def verified(self, tenant: str, system: str, headers: Mapping[str, str], body: bytes) -> Notice | None:
        """What a genuine webhook is about; None for all others, whatever is wrong with them.

        What the keeper of the connection has to mend is logged, once a minute.
        """
        try:
            declaration = self._declaration(tenant, system)
        except TrueupError as error:
            # Which systems a broken tenant has cannot be known: a stranger who names a thousand gets one line.
            self._log(tenant, "any system", f"could not be verified, so nothing was done: {error}")
            return None
        if declaration is None:
            # As much work as a forged signature makes.
            hmac.new(self._decoy, body, hashlib.sha256).digest()
            return None
        try:
            return self._verify(declaration, headers, body)
        except NotGenuine as error:
            self._log(tenant, system, f"refused: {error}")
        except TrueupError as error:
            self._log(tenant, system, f"could not be verified, so nothing was done: {error}")
        return None

    def _declaration(self, tenant: str, system: str) -> SystemDeclaration | None:
        folder, chosen = self._folder(), self._chosen()
        if (chosen and tenant not in chosen) or not (folder / tenant).is_dir():
            return None
        declaration = load_tenant(folder, tenant).systems.get(system)
        return declaration if declaration is not None and takes_webhooks(declaration) else None

    def _verify(self, declaration: SystemDeclaration, headers: Mapping[str, str], body: bytes) -> Notice:
        known = self._details(declaration.connection, _KEPT_SECONDS)
        try:
            return verify_webhook(declaration, _had(known), headers, body)
        except (NotGenuine, Permanent):
            # Its secret may have been replaced since.
            newer = self._details(declaration.connection, _ASKED_AGAIN_SECONDS)
            if newer is known:
                raise
            return verify_webhook(declaration, _had(newer), headers, body)

    def _details(self, conn_id: str, kept_seconds: float) -> _Known:
        with self._lock:
            known = self._known.get(conn_id)
            if known is not None and self._clock() - known.asked_at < kept_seconds:
                return known
            try:
                known = _Known(self._connections().get(conn_id), "", self._clock())
            except TrueupError as error:
                known = _Known(None, str(error), self._clock())
            self._known[conn_id] = known
            return known

    def _log(self, tenant: str, system: str, words: str) -> None:
        key, now = (tenant, system), self._clock()
        if now - self._logged_at.get(key, -_LOGGED_AGAIN_SECONDS) >= _LOGGED_AGAIN_SECONDS:
            self._logged_at[key] = now
            log.warning("webhook for %s of %s %s", system, tenant, words)


def _had(known: _Known) -> ConnectionDetails:
    if known.details is None:
        raise Permanent(known.trouble)
    return known.details
