"""Square's webhooks: how one is signed."""

from collections.abc import Mapping

from trueup.connectors.webhooks import Notice, check_signature, json_or_none, notice_of, secret_of, signature_of
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent


def verify(details: ConnectionDetails, headers: Mapping[str, str], body: bytes) -> Notice:
    """HMAC-SHA256 of the notification URL and the body by the subscription's signature key.

    Source: developer.squareup.com/docs/webhooks/step3validate. The URL is the one that Square was given, whatever a
    proxy made of it on the way.
    """
    url = str(details.extra.get("webhook_url") or "")
    if not url:
        raise Permanent(
            f"connection '{details.conn_id}' has no webhook_url; set it to the notification URL of the subscription"
        )
    key = secret_of(details, "webhook_secret").encode()
    check_signature(headers, "x-square-hmacsha256-signature", signature_of(key, url.encode() + body))
    reported = json_or_none(body)
    facts = reported if isinstance(reported, Mapping) else {}
    return notice_of(facts.get("event_id"), facts.get("type"))
