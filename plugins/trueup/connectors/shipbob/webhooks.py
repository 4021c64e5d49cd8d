"""ShipBob's webhooks: how one is signed."""

import base64
import contextlib
from collections.abc import Mapping

from trueup.connectors.webhooks import Clock, Notice, our_clock, secret_of, verify_standard
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent


def verify(details: ConnectionDetails, headers: Mapping[str, str], body: bytes, *, clock: Clock = our_clock) -> Notice:
    """Standard Webhooks; the secret is base64 after `whsec_`."""
    key: bytes | None = None
    # Outside any handler: an error of the decoder must not come along with ours.
    with contextlib.suppress(ValueError):
        key = base64.b64decode(secret_of(details, "webhook_secret").removeprefix("whsec_"), validate=True)
    if key is None:
        raise Permanent(
            f"connection '{details.conn_id}': webhook_secret is not base64 after 'whsec_'; copy it again from ShipBob"
        )
    topic = headers.get("x-webhook-topic")
    return verify_standard(headers, body, key=key, topic=topic, clock=clock)
