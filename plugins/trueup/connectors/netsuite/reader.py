"""NetSuite: items, locations, stock, movements, sales orders, returns and credit memos in, by SuiteQL over REST.

Stock is NetSuite's own word and never written; orders and credits are, by writers/. NetSuite has no webhooks of its
own, so streams are polled and swept.

Transactions are saved late and out of order: a poll goes back behind its cursor (`_OVERLAP`, on the source's clock),
what comes twice is sorted out downstream. `lastquantityavailablechange` does not move with every change of stock, and a
transaction that is deleted is in no answer; the sweep finds those. Of movements it reads the last months. SuiteQL's
`deletedrecord` is not asked: it needs a permission that shows every deletion in the account, and names whole
transactions, not the lines that somebody takes out of one.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from trueup.connectors.http.client import Answer, HttpClient
from trueup.connectors.netsuite import queries as queries
from trueup.connectors.netsuite.account import PAGE_SIZE, SYSTEM, ask, channel_field, connect_client, rows_of, zone
from trueup.connectors.reading import (
    as_of,
    piece_of,
    polled_since,
    position,
    resume_after,
    started_at,
    swept_since,
    text_or_none,
    windowed,
)
from trueup.connectors.state import SharedState
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent, Transient
from trueup.domain.records import Cursor, Page, ReadMode, Record

_OVERLAP = timedelta(minutes=10)
# NetSuite's database and the server that answers for it; a clock further off than this is no clock.
_CLOCKS_APART_AT_MOST = timedelta(days=1)
_ID = re.compile(r"0|-?[1-9][0-9]{0,17}").fullmatch


def connect(details: ConnectionDetails, state: SharedState) -> "NetSuiteConnector":
    """Build the connector from the fields of spec.py's form; no I/O. `state` is where workers share quotas."""
    currency = str(details.extra.get("currency") or "")
    return NetSuiteConnector(connect_client(details, state), zone(details), channel_field(details), currency)


class NetSuiteConnector:
    """Reads one account. `zone`: the time zone in which the account shows its times.

    `currency`: that of all orders, where the account has one only; empty where orders name theirs.
    """

    def __init__(
        self, client: HttpClient, zone: ZoneInfo, channel_field: str = "custbody_channel", currency: str = ""
    ) -> None:
        self._client = client
        self._zone = zone
        self._statements = queries.statements(channel_field, currency)

    def close(self) -> None:
        """Close the connections to NetSuite."""
        self._client.close()

    def check(self) -> str:
        body = self._query(queries.COUNT_LOCATIONS, limit=1).body
        count = body["items"][0].get("locations", "?") if isinstance(body, Mapping) and body.get("items") else "?"
        return f"{SYSTEM} at {self._client.base_url}: {count} locations"

    def read(self, stream: str, mode: ReadMode, cursor: Cursor | None) -> Iterator[Page]:
        statement = self._statements.get(stream)
        if statement is None:
            raise Permanent(f"{SYSTEM} has no stream '{stream}'; declare some of {', '.join(self._statements)}")
        since = polled_since(cursor, _OVERLAP) if mode is ReadMode.POLL else None
        start = started_at(self._client, lambda: self._query(queries.NOW, limit=1))
        if mode is ReadMode.SWEEP and statement.happened is not None:
            asked = swept_since(start)
            return windowed(self._pages(stream, statement, start, None, asked), asked)
        return self._pages(stream, statement, start, since)

    def _pages(
        self,
        stream: str,
        statement: queries.Statement,
        start: datetime,
        since: datetime | None,
        happened_since: datetime | None = None,
    ) -> Iterator[Page]:
        changed = None if since is None else queries.time_literal(since, self._zone)
        happened = None if happened_since is None else queries.time_literal(happened_since, self._zone)
        after: queries.Key | None = None
        seen: set[queries.Key] = set()
        while True:
            answer = self._query(statement.text(changed, after, happened))
            rows, has_more = rows_of(answer)
            moment = _read_at(rows, as_of(answer, start))
            records, damaged, keys = self._records(statement, rows, moment, seen)
            onward = resume_after(keys, after)
            if has_more and (onward is None or onward == after):
                raise Transient(f"{SYSTEM}, {stream}: a page of it has no usable key to go on from; read it again")
            yield Page(
                records=records,
                as_of=moment,
                cursor=None if has_more else position(start),
                is_last=not has_more,
                damaged=damaged,
            )
            if not has_more:
                return
            after, seen = onward, set(keys)

    def _records(
        self, statement: queries.Statement, rows: Sequence[object], moment: datetime, seen: Collection[queries.Key]
    ) -> tuple[list[Record], list[tuple[str, str]], list[queries.Key]]:
        records: list[Record] = []
        damaged: list[tuple[str, str]] = []
        keys: list[queries.Key] = []
        for row in rows:
            key = _key(statement, row)
            if key is None or not isinstance(row, Mapping):
                damaged.append((piece_of(row), "no record can be made of it: its key is missing or no number"))
                continue
            keys.append(key)
            if key not in seen:
                records.append(self._record(statement, row, key, moment))
        return records, damaged, keys

    def _record(
        self, statement: queries.Statement, row: Mapping[str, Any], key: queries.Key, read_at: datetime
    ) -> Record:
        # `links` is the REST layer's, not a column: it is empty for every SuiteQL row.
        payload = {name: value for name, value in row.items() if name not in (queries.READ_AT, "links")}
        takes_away = statement.signed is not None and str(payload.get(statement.signed)).startswith("-")
        for name in statement.local_times:
            is_latest = takes_away and name == statement.occurred_at
            moment = queries.parse_time(payload.get(name), self._zone, is_latest=is_latest)
            if moment is not None:
                payload[name] = queries.written(moment)
        occurred_at = None
        if statement.occurred_at == queries.READ_AT:
            occurred_at = read_at
        elif statement.occurred_at is not None:
            occurred_at = queries.parse_time(payload.get(statement.occurred_at), _UTC)
        return Record(
            source_key="|".join(str(part) for part in key),
            payload=payload,
            source_version=text_or_none(payload.get(statement.version)) if statement.version else None,
            occurred_at=occurred_at,
        )

    def _query(self, text: str, limit: int = PAGE_SIZE) -> Answer:
        return ask(self._client, text, limit)


_UTC = ZoneInfo("UTC")


def _read_at(rows: Sequence[object], at_the_least: datetime) -> datetime:
    """Return the clock that the page's rows tell, `at_the_least` for a page without one.

    One statement tells one clock: what a single row tells otherwise is not believed.
    """
    reported = [queries.parse_time(row.get(queries.READ_AT), _UTC) for row in rows if isinstance(row, Mapping)]
    counts = Counter(
        moment for moment in reported if moment is not None and abs(moment - at_the_least) <= _CLOCKS_APART_AT_MOST
    )
    most = max(counts.values(), default=0)
    return min((moment for moment, count in counts.items() if count == most), default=at_the_least)


def _key(statement: queries.Statement, row: object) -> queries.Key | None:
    if not isinstance(row, Mapping):
        return None
    parts = [row.get(name) for _, name in statement.key]
    if any(isinstance(part, bool) or not isinstance(part, str | int) for part in parts):
        return None
    reported = [str(part) for part in parts]
    # As NetSuite writes its ids, so that no other spelling of a number passes for another record's.
    return tuple(map(int, reported)) if all(map(_ID, reported)) else None
