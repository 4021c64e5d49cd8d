"""Who may see the pages: whoever may see Airflow. A browser that is not logged in is sent to log in.

A plugin's application is mounted bare: Airflow's own middleware reads the cookie, but refuses nobody.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from airflow.api_fastapi.app import API_ROOT_PATH
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, HTTPException, Request, status
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import RedirectResponse, Response

# What every role of every auth manager may see that may open Airflow at all.
LOGGED_IN = Depends(requires_access_view(AccessView.WEBSITE))

# Our pages run no script and load nothing from elsewhere; Airflow shows them in a frame of its own.
_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self';"
    " frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # The report is of this moment and of this user.
    "Cache-Control": "no-store",
}


async def send_to_login(request: Request, error: Exception) -> Response:
    """A browser gets the login page and comes back afterwards; anything else gets the 401."""
    if not isinstance(error, HTTPException):
        raise error
    is_browser = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if error.status_code == status.HTTP_401_UNAUTHORIZED and is_browser:
        login = f"{API_ROOT_PATH}api/v2/auth/login?{urlencode({'next': str(request.url)})}"
        return RedirectResponse(login, status_code=status.HTTP_303_SEE_OTHER)
    return await http_exception_handler(request, error)


async def with_policy(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Middleware: every answer carries the policy, also a file's, a redirect's and an error's."""
    response = await answer(request)
    response.headers.update(HEADERS)
    return response
