"""BigCommerce's webhooks: Standard Webhooks, signed with the API account's client secret."""

from collections.abc import Mapping

from trueup.connectors.reading import within
from trueup.connectors.webhooks import Notice, json_or_none, notice_of, secret_of, verify_standard
from trueup.domain.connections import ConnectionDetails


def verify(details: ConnectionDetails, headers: Mapping[str, str], body: bytes) -> Notice:
    """Check the signature; what the webhook is about stands in its body as `scope`."""
    notice = verify_standard(headers, body, key=secret_of(details, "client_secret").encode(), topic=None)
    return notice_of(notice.notice_id, within(json_or_none(body), "scope"))
