"""Shopify's webhooks: how one is signed."""

from collections.abc import Mapping

from trueup.connectors.webhooks import Notice, check_signature, notice_of, secret_of, signature_of
from trueup.domain.connections import ConnectionDetails


def verify(details: ConnectionDetails, headers: Mapping[str, str], body: bytes) -> Notice:
    """HMAC-SHA256 of the body by the app's client secret, in `X-Shopify-Hmac-SHA256`.

    Source: shopify.dev/docs/apps/build/webhooks/subscribe/https, "Verify the origin".
    """
    check_signature(headers, "x-shopify-hmac-sha256", signature_of(secret_of(details, "client_secret").encode(), body))
    return notice_of(
        headers.get("x-shopify-event-id") or headers.get("x-shopify-webhook-id"), headers.get("x-shopify-topic")
    )
