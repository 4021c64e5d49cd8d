"""How BigCommerce says no."""

from starlette.responses import JSONResponse, Response

from trueup.sandbox.vendors.vendor_api import Refusal


class Problem(Refusal):
    """A problem document. `is_listed`: in a list under `data`, as the payment actions answer."""

    def __init__(self, status: int, title: str, *, is_listed: bool = False, **more: object) -> None:
        super().__init__(title)
        self.status = status
        content = {"status": status, "title": title, "type": "about:blank", **more}
        self.content = {"data": [content]} if is_listed else content

    def response(self) -> Response:
        return JSONResponse(self.content, status_code=self.status)


class V2Problem(Refusal):
    """How the second version of the API says no: a list of messages, without a type."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def response(self) -> Response:
        return JSONResponse([{"status": self.status, "message": str(self)}], status_code=self.status)
