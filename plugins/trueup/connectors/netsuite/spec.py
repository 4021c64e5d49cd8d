"""NetSuite: the account's own word on its stock, read only."""

from trueup.connectors.forms import extra_field, host_field, login_field, secret_field
from trueup.connectors.spec import SELDOM_SECONDS, ConnectorSpec, Polling

SPEC = ConnectorSpec(
    name="netsuite",
    title="NetSuite",
    streams=("locations", "products", "stock_levels", "stock_movements", "orders"),
    polling={"locations": Polling(is_whole=True, every_seconds=SELDOM_SECONDS)},
    form=(
        host_field("https://1234567.suitetalk.api.netsuite.com", "The account's SuiteTalk address"),
        login_field("Client ID", "The consumer key of the integration record (OAuth 2.0, client credentials)"),
        secret_field("Private key", "PEM of the key whose certificate was uploaded; line breaks may be written as \\n"),
        extra_field(
            "certificate_id",
            "Certificate ID",
            "Shown at OAuth 2.0 Client Credentials (M2M) Setup after the upload",
            is_required=True,
        ),
        extra_field("algorithm", "Signature", "PS256 for an RSA key, ES256 for an EC one", placeholder="PS256"),
        extra_field(
            "account_concurrency",
            "Concurrent requests",
            "What the account's tier allows this integration at once",
            placeholder="5",
        ),
        extra_field(
            "time_zone",
            "Time zone",
            "Of the integration's user in Set Preferences; set it to GMT there and leave this empty",
            placeholder="UTC",
        ),
        extra_field(
            "channel_field",
            "Channel field",
            "Body field of a sales order that names the channel; empty string where there is none",
            placeholder="custbody_channel",
        ),
    ),
)
