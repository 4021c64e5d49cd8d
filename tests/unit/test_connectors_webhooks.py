"""Signatures of webhooks, by the vendors' own examples where they publish one."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping

import pytest

from trueup.connectors.shipbob.webhooks import verify as verify_shipbob
from trueup.connectors.shopify.webhooks import verify as verify_shopify
from trueup.connectors.square.webhooks import verify as verify_square
from trueup.connectors.webhooks import NotGenuine, Notice
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent

# The example of the Standard Webhooks specification and its libraries' tests.
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_SENT_AT = 1614265330
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(STANDARD_SENT_AT),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
# The example in the tests of Square's own SDKs.
SQUARE_EXTRA = {
    "webhook_secret": "Ibxx_5AKakO-3qeNVR61Dw",
    "webhook_url": "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
}
SQUARE_BODY = (
    b'{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification",'
    b'"event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z",'
    b'"data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}'
)
SQUARE_HEADERS = {"x-square-hmacsha256-signature": "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4="}
SHOPIFY_BODY = b'{"inventory_item_id":1}'
SHOPIFY_HEADERS = {
    "x-shopify-hmac-sha256": base64.b64encode(hmac.new(b"hush", SHOPIFY_BODY, hashlib.sha256).digest()).decode(),
    "x-shopify-event-id": "e-1",
    "x-shopify-topic": "inventory_levels/update",
}

Check = Callable[[ConnectionDetails, Mapping[str, str], bytes], Notice]


def details(**extra: str) -> ConnectionDetails:
    return ConnectionDetails(
        conn_id="shop", conn_type="x", host=None, port=None, schema=None, login=None, password=None, extra=extra
    )


def at_that_time(connection: ConnectionDetails, headers: Mapping[str, str], body: bytes) -> Notice:
    return verify_shipbob(connection, headers, body, clock=lambda: STANDARD_SENT_AT + 60)


CASES = [
    pytest.param(verify_shopify, {"client_secret": "hush"}, SHOPIFY_HEADERS, SHOPIFY_BODY, id="shopify"),
    pytest.param(at_that_time, {"webhook_secret": STANDARD_SECRET}, STANDARD_HEADERS, STANDARD_BODY, id="shipbob"),
    pytest.param(verify_square, SQUARE_EXTRA, SQUARE_HEADERS, SQUARE_BODY, id="square"),
]


@pytest.mark.parametrize(("check", "extra", "headers", "body"), CASES)
def test_what_the_vendor_signed_is_taken(
    check: Check, extra: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    """The notice names itself, so that a run says what rang for it."""
    notice = check(details(**extra), headers, body)

    assert notice.notice_id in {"e-1", STANDARD_HEADERS["webhook-id"], "ac3ac95b-f97d-458c-a6e6-18981597e05f"}


@pytest.mark.parametrize(("check", "extra", "headers", "body"), CASES)
def test_a_changed_body_another_secret_or_no_signature_is_refused(
    check: Check, extra: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    """And the refusal quotes nothing of it."""
    other = {**extra, **{name: "d2hzZWNfb3RoZXI=" for name in extra if "secret" in name}}
    for connection, reported, content in (
        (details(**extra), headers, body + b" "),
        (details(**other), headers, body),
        (details(**extra), {}, body),
        (details(**extra), {**headers, **{name: "v1,é" for name in headers if "sig" in name or "hmac" in name}}, body),
    ):
        with pytest.raises(NotGenuine) as caught:
            check(connection, reported, content)
        assert not any(secret in str(caught.value) for secret in (*extra.values(), *headers.values()))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_webhook_is_no_longer_taken(seconds: int) -> None:
    """Else whoever recorded one could ring for ever."""
    with pytest.raises(NotGenuine, match="five minutes"):
        verify_shipbob(
            details(webhook_secret=STANDARD_SECRET),
            STANDARD_HEADERS,
            STANDARD_BODY,
            clock=lambda: STANDARD_SENT_AT + seconds,
        )


def test_one_of_several_signatures_is_enough() -> None:
    """While a secret is replaced ShipBob signs with both."""
    headers = {**STANDARD_HEADERS, "webhook-signature": f"v1,bm9uZQ== {STANDARD_HEADERS['webhook-signature']}"}

    assert at_that_time(details(webhook_secret=STANDARD_SECRET), headers, STANDARD_BODY).topic == "untold"


@pytest.mark.parametrize(("check", "extra", "headers", "body"), CASES)
def test_a_connection_without_the_secret_says_what_to_add(
    check: Check,
    extra: dict[str, str],
    headers: dict[str, str],
    body: bytes,
) -> None:
    """Nobody's signature may pass because ours is empty."""
    with pytest.raises(Permanent, match="'shop' has no"):
        check(details(), headers, body)
