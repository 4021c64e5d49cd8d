"""How Tryton says no: a 400 with its message, a 404 for a record it has not, a 500 with HTML for what is broken."""

from starlette.responses import HTMLResponse, JSONResponse, Response

from trueup.sandbox.vendors.vendor_api import Refusal


class Broken(Refusal):
    """An unknown field or model is a 500 with HTML, as in Tryton itself."""

    def response(self) -> Response:
        return HTMLResponse("<h1>Internal Server Error</h1>", status_code=500)


class NotFound(Refusal):
    """There is no such record."""

    def response(self) -> Response:
        return HTMLResponse("<h1>Not Found</h1>", status_code=404)


class Refused(Refusal):
    """A rule of Tryton's; the message as the real server words it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def response(self) -> Response:
        return JSONResponse({"status": 400, "message": self.message, "description": ""}, status_code=400)
