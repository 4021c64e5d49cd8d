"""The SuiteQL that NetSuite is asked, a statement a stream.

Pages are found by key, not by offset: rows move between pages while others write, and beyond 100,000 rows SuiteQL
answers nothing at all. Every statement tells the source's own clock with its rows, as `read_at`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from trueup.connectors.reading import moment_or_none
from trueup.domain.errors import Permanent

READ_AT = "read_at"
_FORMAT = "YYYY-MM-DD HH24:MI:SS"
_PYTHON_FORMAT = "%Y-%m-%d %H:%M:%S"
_NOW = f"TO_CHAR(SYS_EXTRACT_UTC(CURRENT_TIMESTAMP), '{_FORMAT}') AS {READ_AT}"
_LINES = "transaction t JOIN transactionline tl ON tl.transaction = t.id"
_NOTHING = timedelta()
_ORDER_LINES = f"{_LINES} JOIN currency c ON c.id = t.currency"
# Tax lines have no quantity and are of no product: what they come to stands on each line of the order.
_TAX = "(SELECT SUM(tx.foreignamount) FROM transactionline tx WHERE tx.transaction = t.id AND tx.taxline = 'T')"
# What of a line of a return authorisation was put back on a shelf: receipts of it that move no stock are left out.
_RESTOCKED = (
    "(SELECT SUM(rl.quantity) FROM transactionline rl JOIN transaction r ON r.id = rl.transaction"
    " WHERE r.type = 'ItemRcpt' AND rl.createdfrom = tl.transaction AND rl.item = tl.item"
    " AND rl.isinventoryaffecting = 'T')"
)
_ORIGIN = "(SELECT MAX(o.type) FROM transaction o WHERE o.id = tl.createdfrom)"
# A fulfilment's packages have a number each, and all of its lines have all of them.
_TRACKINGS = (
    "(SELECT LISTAGG(tn.trackingnumber, ' ') WITHIN GROUP (ORDER BY tn.trackingnumber) FROM trackingnumbermap tm"
    " JOIN trackingnumber tn ON tn.id = tm.trackingnumber WHERE tm.transaction = t.id)"
)
_CURRENCY = re.compile(r"^[A-Z]{3}$")
_FIELD = re.compile(r"^[a-z][a-z0-9_]{0,60}$")

# What changes a location's stock. Assemblies, vendor returns and bin transfers are other types, left out until a
# retailer has them: their effect still arrives with the level.
_MOVEMENT_TYPES = ("ItemShip", "ItemRcpt", "InvAdjst", "InvCount", "InvTrnfr", "CustCred")

Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One stream's question. `key` names the columns that identify and order its rows; `changed` tests for a change.

    `happened`: tests when a row's fact happened, for streams of which a sweep reads the last months only.
    `local_times`: columns that come in the account's time zone and leave here in UTC. `occurred_at`: the column that
    tells when the fact happened, on the source's clock. `signed`: the column whose sign says which of two readings of a
    local time is the safe one: what takes stock away is read as late as it can have been, what adds to it as early.
    """

    columns: tuple[str, ...]
    source: str
    key: tuple[tuple[str, str], ...]
    changed: Callable[[str], str] | None
    where: tuple[str, ...] = ()
    local_times: frozenset[str] = frozenset()
    version: str | None = None
    occurred_at: str | None = None
    happened: Callable[[str], str] | None = None
    signed: str | None = None

    def text(self, since: str | None, after: Key | None, happened_since: str | None = None) -> str:
        """Return the SuiteQL for the rows after the key `after`, changed at or after the literal `since`.

        `happened_since`: a literal too; only facts that happened at or after then.
        """
        conditions = list(self.where)
        if since is not None and self.changed is not None:
            conditions.append(self.changed(since))
        if happened_since is not None and self.happened is not None:
            conditions.append(self.happened(happened_since))
        if after is not None:
            conditions.append(_beyond([column for column, _ in self.key], after))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        order = ", ".join(column for column, _ in self.key)
        columns = ", ".join((*self.columns, _NOW))
        return f"SELECT {columns} FROM {self.source}{where} ORDER BY {order}"  # noqa: S608 - keys, times, our own names


def statements(channel_field: str, currency: str = "") -> Mapping[str, Statement]:
    """Return a statement for each stream. `channel_field`: the order's body field that names the channel, or empty.

    `currency`: that of every order, where the account keeps no other; empty where orders name theirs.
    """
    if channel_field and not _FIELD.match(channel_field):
        raise Permanent(
            f"channel_field '{channel_field}' is no NetSuite field id; enter one such as custbody_channel, or leave it"
            " empty where orders do not name their channel"
        )
    if currency and not _CURRENCY.match(currency):
        raise Permanent(
            f"currency '{currency}' is none; enter three capital letters (ISO 4217), or leave it empty where the"
            " account has the feature Multiple Currencies"
        )
    channel = (f"t.{channel_field} AS custbody_channel",) if channel_field else ()
    line = (
        "tl.uniquekey AS uniquekey",
        "tl.transaction AS transaction",
        "t.tranid AS tranid",
        "t.otherrefnum AS otherrefnum",
        "tl.item AS item",
        "tl.location AS location",
        # Of a discount there is no number of units.
        "NVL(tl.quantity, 0) AS quantity",
        _time("t.trandate"),
        _time("t.createddate"),
        _time("t.lastmodifieddate"),
    )
    types = ", ".join(f"'{name}'" for name in _MOVEMENT_TYPES)
    return {
        "locations": Statement(
            columns=("l.id AS id", "l.name AS name", "l.isinactive AS isinactive"),
            source="location l",
            key=(("l.id", "id"),),
            changed=None,
        ),
        "products": Statement(
            columns=(
                "i.id AS id",
                "i.itemid AS itemid",
                "i.displayname AS displayname",
                "i.upccode AS upccode",
                "i.itemtype AS itemtype",
                "i.isinactive AS isinactive",
                "BUILTIN.DF(i.class) AS class",
                _time("i.lastmodifieddate"),
            ),
            source="item i",
            key=(("i.id", "id"),),
            changed=lambda since: f"i.lastmodifieddate >= {since}",
            local_times=frozenset({"lastmodifieddate"}),
            version="lastmodifieddate",
        ),
        "stock_levels": Statement(
            columns=(
                "a.item AS item",
                "a.location AS location",
                "a.quantityonhand AS quantityonhand",
                "a.quantityavailable AS quantityavailable",
                "a.quantitycommitted AS quantitycommitted",
                _time("a.lastquantityavailablechange"),
            ),
            source="aggregateitemlocation a",
            key=(("a.item", "item"), ("a.location", "location")),
            changed=lambda since: f"a.lastquantityavailablechange >= {since}",
            local_times=frozenset({"lastquantityavailablechange"}),
            version="lastquantityavailablechange",
            occurred_at=READ_AT,
        ),
        "stock_movements": Statement(
            columns=(
                *line,
                "t.type AS type",
                "tl.createdfrom AS createdfrom",
                # A receipt may be of a purchase or of what customers sent back.
                f"{_ORIGIN} AS createdfromtype",
                f"{_TRACKINGS} AS trackingnumbers",
            ),
            source=_LINES,
            key=(("tl.uniquekey", "uniquekey"),),
            # A quantity that is corrected moves these; what is deleted is in no answer at all, the sweep misses it.
            changed=lambda since: f"(t.lastmodifieddate >= {since} OR tl.linelastmodifieddate >= {since})",
            happened=lambda since: f"t.createddate >= {since}",
            where=("tl.isinventoryaffecting = 'T'", f"t.type IN ({types})"),
            local_times=frozenset({"createddate", "lastmodifieddate"}),
            version="lastmodifieddate",
            occurred_at="createddate",
            signed="quantity",
        ),
        "orders": Statement(
            columns=(
                *line,
                *channel,
                "t.status AS status",
                "tl.quantityshiprecv AS quantityshiprecv",
                "tl.isclosed AS isclosed",
                "t.externalid AS externalid",
                "tl.itemtype AS itemtype",
                "ROUND(tl.rate, 6) AS rate",
                "tl.foreignamount AS foreignamount",
                "tl.netamount AS netamount",
                "t.foreigntotal AS foreigntotal",
                f"{_TAX} AS taxamount",
                f"'{currency}' AS currency" if currency else "c.symbol AS currency",
            ),
            source=_LINES if currency else _ORDER_LINES,
            key=(("tl.uniquekey", "uniquekey"),),
            # A shipment or a closed line moves the line's own date, not always the order's.
            changed=lambda since: f"(t.lastmodifieddate >= {since} OR tl.linelastmodifieddate >= {since})",
            where=("t.type = 'SalesOrd'", "tl.mainline = 'F'", "tl.taxline = 'F'", "tl.item IS NOT NULL"),
            local_times=frozenset({"createddate", "lastmodifieddate"}),
            version="lastmodifieddate",
        ),
        "returns": Statement(
            columns=(
                *line,
                *channel,
                "t.status AS status",
                "tl.quantityshiprecv AS quantityshiprecv",
                f"{_RESTOCKED} AS restockedquantity",
                "tl.isclosed AS isclosed",
                "tl.createdfrom AS createdfrom",
            ),
            source=_LINES,
            key=(("tl.uniquekey", "uniquekey"),),
            changed=lambda since: f"(t.lastmodifieddate >= {since} OR tl.linelastmodifieddate >= {since})",
            where=("t.type = 'RtnAuth'", "tl.mainline = 'F'", "tl.taxline = 'F'", "tl.item IS NOT NULL"),
            local_times=frozenset({"createddate", "lastmodifieddate"}),
            version="lastmodifieddate",
        ),
        "credits": Statement(
            columns=(
                "t.id AS id",
                "t.tranid AS tranid",
                "t.otherrefnum AS otherrefnum",
                *channel,
                "t.externalid AS externalid",
                "t.status AS status",
                "t.voided AS voided",
                "t.foreigntotal AS foreigntotal",
                f"'{currency}' AS currency" if currency else "c.symbol AS currency",
                "tl.createdfrom AS createdfrom",
                _time("t.trandate"),
                _time("t.createddate"),
                _time("t.lastmodifieddate"),
            ),
            source=_LINES if currency else _ORDER_LINES,
            key=(("t.id", "id"),),
            changed=lambda since: f"t.lastmodifieddate >= {since}",
            # The main line is the document itself; what it was made from stands there.
            where=("t.type = 'CustCred'", "tl.mainline = 'T'"),
            local_times=frozenset({"createddate", "lastmodifieddate"}),
            version="lastmodifieddate",
        ),
    }


NOW = f"SELECT {_NOW} FROM dual"  # noqa: S608 - our own words
COUNT_LOCATIONS = "SELECT COUNT(*) AS locations FROM location"


def time_literal(moment: datetime, zone: ZoneInfo) -> str:
    """Return a date of SuiteQL's own, in the account's time zone, before which nothing since the moment is dated.

    Clocks that are put back show an hour twice. In its first turn the date is as much earlier: what happens in the
    second turn bears dates from its beginning on.
    """
    local = moment.astimezone(zone)
    put_back = (local.utcoffset() or _NOTHING) - (local.replace(fold=1).utcoffset() or _NOTHING)
    earliest = local.replace(tzinfo=None) - max(put_back, _NOTHING)
    return f"TO_DATE('{earliest.strftime(_PYTHON_FORMAT)}', '{_FORMAT}')"


def parse_time(reported: object, zone: ZoneInfo, *, is_latest: bool = False) -> datetime | None:
    """Return what a TO_CHAR of ours tells as UTC, None where it is none: the contract refuses it, not the reader.

    A local time that comes twice, or that clocks put forward leave out, has two readings: the earliest of them, or the
    latest.
    """
    if not isinstance(reported, str):
        return None
    try:
        local = datetime.strptime(reported, _PYTHON_FORMAT).replace(tzinfo=zone)
    except ValueError:
        return moment_or_none(reported)
    if not 1970 <= local.year <= 2200:
        return None
    readings = [local.replace(fold=turn).astimezone(UTC) for turn in (0, 1)]
    return max(readings) if is_latest else min(readings)


def written(moment: datetime) -> str:
    """Return the moment as payloads carry it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime(_PYTHON_FORMAT)


def _time(column: str) -> str:
    name = column.partition(".")[2]
    return f"TO_CHAR({column}, '{_FORMAT}') AS {name}"


def _beyond(columns: list[str], after: Key) -> str:
    """Return (a > x) or, where a is equal, (b > y): SuiteQL compares no row values."""
    head, *rest = columns
    if not rest:
        return f"{head} > {after[0]}"
    return f"({head} > {after[0]} OR ({head} = {after[0]} AND {_beyond(rest, after[1:])}))"
