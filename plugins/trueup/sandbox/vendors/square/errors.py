"""Square's way of saying no: a list of errors, each with a category and a code."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import JSONResponse

from trueup.sandbox.vendors.vendor_api import Refusal

_STATUS: Final[Mapping[str, int]] = {
    "UNAUTHORIZED": 401,
    "ACCESS_TOKEN_EXPIRED": 401,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMITED": 429,
    "INTERNAL_SERVER_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
}
_CATEGORY: Final[Mapping[int, str]] = {
    401: "AUTHENTICATION_ERROR",
    429: "RATE_LIMIT_ERROR",
    500: "API_ERROR",
    503: "API_ERROR",
}
_REFUND_ERRORS: Final = frozenset({"REFUND_AMOUNT_INVALID", "PAYMENT_NOT_REFUNDABLE"})


class ApiError(Refusal):
    """One refusal; `field` is the path of what is wrong in the request, where something is."""

    def __init__(self, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return _STATUS.get(self.code, 400)

    def content(self) -> dict[str, str]:
        """One entry of `errors`."""
        is_refund = self.code in _REFUND_ERRORS
        error = {
            "category": "REFUND_ERROR" if is_refund else _CATEGORY.get(self.status, "INVALID_REQUEST_ERROR"),
            "code": self.code,
            "detail": self.detail,
        }
        return error if self.field is None else {**error, "field": self.field}

    def response(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """The answer to send."""
        return JSONResponse({"errors": [self.content()]}, status_code=self.status, headers=headers)
