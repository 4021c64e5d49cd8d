"""Makes documents in NetSuite: what the writers of orders and of credit memos have in common there.

A document is made by POST, which NetSuite refuses where the external id is taken.
"""

from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

from trueup.connectors.bookings import Currency
from trueup.connectors.document_writer import DocumentWriter, Made, Sent
from trueup.connectors.http.client import HttpClient, Resend
from trueup.connectors.netsuite.account import SYSTEM
from trueup.connectors.netsuite.booked_orders import currencies
from trueup.connectors.netsuite.refused_records import refusal_of

Wanted = TypeVar("Wanted")


class RecordWriter(DocumentWriter[Wanted], ABC):
    """Writes records of one kind. `options`: of the system in systems.yml. `zone`: in which the account dates them.

    `channel_field`: the body field that names the channel, empty where there is none. `currency`: that of an account
    that keeps no other, else empty.
    """

    path: ClassVar[str]

    def __init__(
        self, client: HttpClient, options: Mapping[str, str], zone: ZoneInfo, channel_field: str, currency: str
    ) -> None:
        super().__init__(client, options)
        self._zone = zone
        self._channel_field = channel_field
        self._currency = currency
        self._known_currencies: Mapping[str, Currency] = {}

    def _currencies(self) -> Mapping[str, Currency]:
        """The account's, asked for once."""
        if not self._known_currencies:
            self._known_currencies = currencies(self._client, self._currency)
        return self._known_currencies

    def _post_to(self, path: str, body: Mapping[str, Any], components: Sequence[str]) -> Sent:
        """Send one document. `components`: of its lines, for what NetSuite says of one by its position."""
        return self._sent_by(
            lambda: self._client.request("POST", path, json=body, operation="record", accept=(400,)),
            lambda answer: refusal_of(answer.body, components),
        )

    def _withdraw(self, own: Made[Wanted]) -> str:
        self._client.request(
            "DELETE", f"{self.path}/{own.number}", operation="record", resend=Resend.IDEMPOTENT, accept=(404,)
        )
        return f"{own.title} was deleted again"

    def _left_behind(self, own: Made[Wanted]) -> str:
        return f"{own.title} could not be deleted again, delete it in {SYSTEM}"
