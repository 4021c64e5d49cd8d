"""ShipBob's ways of saying no: nothing but a status for a bad token, a problem document, its own words for 429."""

from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.vendor_api import Refusal


class ApiError(Refusal):
    """A problem; 400 unless it says otherwise."""

    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status

    def response(self) -> Response:
        """The answer to send."""
        titles = {400: "Bad Request", 404: "Not Found", 422: "Unprocessable Entity", 500: "Internal Server Error"}
        body = {
            "type": f"https://httpstatuses.io/{self.status}",
            "title": titles.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            "instance": None,
        }
        return JSONResponse(body, status_code=self.status)


def unauthorized() -> Response:
    """No token, or one that was never given out."""
    return Response(status_code=401)


def too_many_requests(seconds: int) -> Response:
    """The window is full for so many seconds."""
    body = {"statusCode": 429, "message": f"Rate limit is exceeded. Try again in {seconds} seconds."}
    return JSONResponse(body, status_code=429, headers={"x-retry-after": str(seconds), "x-remaining-calls": "0"})


class FieldErrors(Refusal):
    """What is wrong with a field of an order."""

    def __init__(self, field: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self._body = {field: [message]}
        self._status = status

    def response(self) -> Response:
        """The answer to send."""
        return JSONResponse(self._body, status_code=self._status)


class ReturnRefusal(Refusal):
    """What is wrong with a return."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self._message = message

    def response(self) -> Response:
        """The answer to send."""
        body = {"message": self._message, "errors": [self._message], "details": None, "stackTrace": None}
        return JSONResponse(body, status_code=422)
