"""The company of Tryton that is read and written: its id, what every question about it is asked with, its time zone."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trueup.connectors.http.answers import Answer
from trueup.connectors.http.client import HttpClient
from trueup.connectors.reading import ids_of
from trueup.connectors.state import SharedState
from trueup.connectors.tryton import rest
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent

SYSTEM = "Tryton"
_MOST = 500


def connect_models(details: ConnectionDetails, state: SharedState) -> rest.Models:
    """Build the way to the database from the fields of spec.py's form; no I/O."""
    client = HttpClient(SYSTEM, details, authenticator=rest.application_key(details.password or ""), our_time=state.now)
    return rest.Models(client, str(details.extra.get("database") or ""))


def company_number(details: ConnectionDetails) -> int | None:
    """The company that the connection names, None where it leaves it to us; raises `Permanent` where it is no id."""
    company = details.extra.get("company")
    if company not in (None, "") and not str(company).isdigit():
        raise Permanent(f"connection '{details.conn_id}': company is no number; enter the company's id, or nothing")
    return int(str(company)) if company not in (None, "") else None


class Company:
    """One company. `number` None: the only one there is."""

    def __init__(self, models: rest.Models, number: int | None) -> None:
        self._models = models
        self._number = number
        self._zone: ZoneInfo | None = None

    def ask(self) -> Answer:
        """Ask for all companies."""
        return self._models.ask("company.company", ("party.name",), [], {}, limit=_MOST)

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """All companies."""
        return self._models.rows(self.ask())

    @property
    def number(self) -> int:
        """The company's id; raises `Permanent` where there are several and the connection names none."""
        if self._number is None:
            found, _ = ids_of(self.rows())
            if len(found) != 1:
                raise Permanent(
                    f"{SYSTEM} (connection '{self._models.client.conn_id}') has {len(found)} companies; enter the"
                    " id of the one to read in the connection's company"
                )
            self._number = found[0]
        return self._number

    def context(self, **rest_of_it: object) -> rest.Context:
        """What a question is asked with: without the company Tryton answers 200 with nulls where figures should be."""
        return {"company": self.number, "active_test": False, **rest_of_it}

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which the company dates its documents; UTC where it has none."""
        if self._zone is None:
            rows = self._models.all("company.company", ("timezone",), [["id", "=", self.number]], {})
            name = str((rows[0].get("timezone") if rows else None) or "UTC")
            try:
                self._zone = ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise Permanent(f"{SYSTEM} has a company in no known time zone, '{name}'; correct it there") from error
        return self._zone
