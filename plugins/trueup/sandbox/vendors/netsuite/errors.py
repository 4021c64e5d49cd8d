"""NetSuite's way of saying no: a problem document with `o:errorDetails`."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse

from trueup.sandbox.vendors.vendor_api import Refusal

MEDIA_TYPE: Final = "application/vnd.oracle.resource+json; type=error; charset=UTF-8"
_RFC: Final = "https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html"
_TITLES: Final[Mapping[int, tuple[str, str]]] = {
    400: (f"{_RFC}#sec10.4.1", "Bad Request"),
    401: (f"{_RFC}#sec10.4.2", "Unauthorized"),
    404: (f"{_RFC}#sec10.4.5", "Not Found"),
    405: (f"{_RFC}#sec10.4.6", "Method Not Allowed"),
    415: (f"{_RFC}#sec10.4.16", "Unsupported Media Type"),
    429: ("https://www.rfc-editor.org/rfc/rfc6585#section-4", "Too Many Requests"),
    500: (f"{_RFC}#sec10.5.1", "Internal Server Error"),
}


class ApiError(Refusal):
    """One refusal. `where` is one of `o:errorPath`, `o:errorQueryParam`, `o:errorHeader` with what it points at."""

    def __init__(self, status: int, code: str, detail: str, where: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.where = where or {}

    def response(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """The answer to send."""
        kind, title = _TITLES[self.status]
        body = {
            "type": kind,
            "title": title,
            "status": self.status,
            "o:errorDetails": [{"detail": self.detail, **self.where, "o:errorCode": self.code}],
        }
        return JSONResponse(body, status_code=self.status, headers=headers, media_type=MEDIA_TYPE)


def invalid_login() -> ApiError:
    """No token, a wrong one, or one whose hour is over."""
    return ApiError(
        401,
        "INVALID_LOGIN",
        "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at Setup > "
        "Users/Roles > User Management > View Login Audit Trail.",
    )


def too_many_requests() -> ApiError:
    """More at once than the account may."""
    return ApiError(429, "CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded. Request blocked.")


def unexpected() -> ApiError:
    """NetSuite's 500."""
    return ApiError(500, "UNEXPECTED_ERROR", "An unexpected error occurred. Error ID: sandbox")


def invalid_parameter(detail: str, parameter: str) -> ApiError:
    """A query parameter or the query itself is no good."""
    return ApiError(400, "INVALID_PARAMETER", detail, {"o:errorQueryParam": parameter})


def invalid_content(detail: str, path: str) -> ApiError:
    """The request body is no good at a path."""
    return ApiError(400, "INVALID_CONTENT", detail, {"o:errorPath": path})


def not_found(detail: str) -> ApiError:
    """No such record."""
    return ApiError(404, "NONEXISTENT_ID", detail)


def user_error(detail: str, path: str = "") -> ApiError:
    """A rule of NetSuite's own, or of the account's, is broken: the words are those of its screens."""
    return ApiError(
        400, "USER_ERROR", f"Error while accessing a resource. {detail}", {"o:errorPath": path} if path else None
    )


def invalid_value(value: object, field: str, path: str) -> ApiError:
    """Something is named that is not there, or may not be used any more."""
    return user_error(f"You have entered an Invalid Field Value {value} for the following field: {field}", path)


def missing(label: str, path: str = "") -> ApiError:
    """A field that a record cannot do without."""
    return user_error(f"Please enter value(s) for: {label}.", path)
