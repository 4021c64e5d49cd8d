"""Oracle's date formats, as SuiteQL takes them in TO_CHAR, TO_DATE and TO_TIMESTAMP.

Dates are kept as `YYYY-MM-DD HH:MM:SS` text in UTC, which sorts as time does.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

STORED: Final = "%Y-%m-%d %H:%M:%S"
# How a date column looks when the query does not say: the account's date format, and the time of day is gone.
ACCOUNT_DATE: Final = "MM/DD/YYYY"

_ELEMENT = re.compile(
    r'"(?P<quoted>[^"]*)"|(?P<element>YYYY|YY|MONTH|MON|MM|MI|DDD|DD|DAY|DY|D|HH24|HH12|HH|SSSSS|SS|FF[0-9]?|AM|PM'
    r"|FM|TZH|TZM)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_WRITTEN: Final[Mapping[str, Callable[[datetime], str]]] = {
    "YYYY": lambda moment: f"{moment.year:04}",
    "YY": lambda moment: f"{moment.year % 100:02}",
    "MM": lambda moment: f"{moment.month:02}",
    "MON": lambda moment: moment.strftime("%b"),
    "MONTH": lambda moment: moment.strftime("%B"),
    "DD": lambda moment: f"{moment.day:02}",
    "DDD": lambda moment: f"{moment.timetuple().tm_yday:03}",
    "D": lambda moment: str(moment.isoweekday() % 7 + 1),
    "DY": lambda moment: moment.strftime("%a"),
    "DAY": lambda moment: moment.strftime("%A"),
    "HH24": lambda moment: f"{moment.hour:02}",
    "HH12": lambda moment: f"{(moment.hour + 11) % 12 + 1:02}",
    "HH": lambda moment: f"{(moment.hour + 11) % 12 + 1:02}",
    "MI": lambda moment: f"{moment.minute:02}",
    "SS": lambda moment: f"{moment.second:02}",
    "SSSSS": lambda moment: str(moment.hour * 3600 + moment.minute * 60 + moment.second),
    "AM": lambda moment: "AM" if moment.hour < 12 else "PM",
    "PM": lambda moment: "AM" if moment.hour < 12 else "PM",
    "TZH": lambda _: "+00",
    "TZM": lambda _: "00",
}
_READ: Final[Mapping[str, str]] = {
    "YYYY": "%Y",
    "YY": "%y",
    "MM": "%m",
    "MON": "%b",
    "MONTH": "%B",
    "DD": "%d",
    "DDD": "%j",
    "HH24": "%H",
    "HH12": "%I",
    "HH": "%I",
    "MI": "%M",
    "SS": "%S",
    "AM": "%p",
    "PM": "%p",
}


def stored(moment: datetime) -> str:
    """As the tables keep it: UTC, whole seconds."""
    return moment.strftime(STORED)


def parse_stored(text: str) -> datetime:
    """Back from the tables' form."""
    return datetime.strptime(text, STORED)  # noqa: DTZ007 - everything in the tables is UTC


def write(value: str, picture: str) -> str:
    """TO_CHAR of a date. `ValueError` for a picture that Oracle would refuse."""
    moment = parse_stored(value)
    is_filled = True
    parts: list[str] = []
    for match in _ELEMENT.finditer(picture):
        element = (match["element"] or "").upper()
        if match["quoted"] is not None:
            parts.append(match["quoted"])
        elif element == "FM":
            is_filled = not is_filled
        elif element.startswith("FF"):
            parts.append("0" * int(element[2:] or 6))
        elif element:
            text = _WRITTEN[element](moment)
            parts.append(text if is_filled or not text.isdigit() else text.lstrip("0") or "0")
        elif match["other"].isalnum():
            raise ValueError(f"date format not recognized: {picture}")
        else:
            parts.append(match["other"])
    return "".join(parts)


def read(text: str, picture: str) -> str:
    """TO_DATE and TO_TIMESTAMP. `ValueError` where the text does not fit the picture."""
    pattern: list[str] = []
    for match in _ELEMENT.finditer(picture):
        element = (match["element"] or "").upper()
        if match["quoted"] is not None:
            pattern.append(match["quoted"].replace("%", "%%"))
        elif element == "FM":
            continue
        elif element.startswith("FF"):
            pattern.append("%f")
        elif element:
            if element not in _READ:
                raise ValueError(f"date format not recognized: {picture}")
            pattern.append(_READ[element])
        else:
            pattern.append(match["other"].replace("%", "%%"))
    return stored(datetime.strptime(text, "".join(pattern)))  # noqa: DTZ007 - SuiteQL's literals carry no zone


def shift(value: str, days: float) -> str:
    """A date plus days, as Oracle counts: a number added to a date is days."""
    # Oracle's DATE counts whole seconds; 5/1440 as a float is not quite five minutes.
    return stored(parse_stored(value) + timedelta(seconds=round(days * 86400)))


def days_between(later: str, earlier: str) -> float:
    """A date minus a date: days."""
    return (parse_stored(later) - parse_stored(earlier)).total_seconds() / 86400


def start_of_day(value: str) -> str:
    """TRUNC of a date."""
    return value[:10] + " 00:00:00"
