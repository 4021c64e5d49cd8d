"""What vendors' token endpoints share: tokens that end, the endpoint itself, and how OAuth says no."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from trueup.sandbox.vendors.vendor_api import Refusal

Fields = Mapping[str, Any]


class AccessTokens:
    """The tokens given out, each with its end, on our own clock: a token's hour is an hour, whatever the world's is."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ends: dict[str, float] = {}

    def give(self, token: str, seconds: float) -> float:
        """Note a token that is good for so long; when it ends, in seconds since 1970."""
        self._ends[token] = self._clock() + seconds
        return self._ends[token]

    def is_known(self, token: str | None) -> bool:
        """Whether it was ever given out."""
        return token in self._ends

    def is_good(self, token: str | None) -> bool:
        """Whether it was given out and has not ended."""
        return token is not None and self._ends.get(token, 0.0) > self._clock()

    def end_all(self) -> None:
        """Every token given out so far has had its time."""
        self._ends = dict.fromkeys(self._ends, 0.0)

    def secrets(self) -> list[str]:
        """All of them."""
        return list(self._ends)


def bearer_of(request: Request) -> str | None:
    """The token of an Authorization header, None where it carries none."""
    return bearer_in(request.headers.get("authorization"))


def bearer_in(header: str | None) -> str | None:
    """The same, of the header's text."""
    scheme, _, token = (header or "").partition(" ")
    return token if scheme.lower() == "bearer" else None


class OAuthRefusal(Refusal):
    """An error of RFC 6749: its code, and a description where the vendor gives one."""

    def __init__(self, code: str, description: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.description = description

    def response(self) -> Response:
        content = {} if self.description is None else {"error_description": self.description}
        return JSONResponse({"error": self.code, **content}, status_code=400)


def token_route(
    path: str,
    read: Callable[[Request], Awaitable[Fields]],
    grant: Callable[[Fields, Request], Fields],
    headers: Mapping[str, str] | None = None,
) -> Route:
    """The route of a token endpoint: `read` reads what was sent, `grant` answers it or raises a `Refusal`."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(dict(grant(await read(request), request)), headers=headers)
        except Refusal as refusal:
            return refusal.response()

    return Route(path, answer, methods=["POST"])
