"""What NetSuite says when it takes a record not, and what a person does about it.

Its envelope is a problem document with `o:errorDetails` (docs.oracle.com, ns-online-help, section_156570709583).
Business rules come as USER_ERROR with the words of its screens, so the remedy hangs on words and is a hint, no more.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_AT_LINE: Final = re.compile(r"item\.items\[([0-9]+)\]")
_REMEDIES: Final[Sequence[tuple[str, str]]] = (
    ("already exists", "another record has its external id"),
    ("following field: item", "make the item active in NetSuite, or give the product another one"),
    ("following field: entity", "make the customer active in NetSuite, or name another in the system's options"),
    ("for: customer", "name the customer in the system's options"),
    ("following field: location", "make the location active in NetSuite, or send the line from another"),
    ("for: location", "name a location in the system's options"),
    ("following field: currency", "add the currency to the customer, or to the account"),
    ("accounting period", "open the period in NetSuite, or have it booked on a later day"),
    ("permission", "give the integration's role the permission that it names"),
    ("dependent records", "undo what was made from it first"),
)
_OTHERWISE: Final = "correct it in NetSuite or in the order, then replay it"


def refusal_of(body: object, components: Sequence[str] = ()) -> str:
    """A refusal in NetSuite's words, the component that it is about, and the remedy.

    `components`: what the lines of the request were, by their position.
    """
    detail = _detail(body)
    words = str(detail.get("detail") or "no reason was given").removeprefix("Error while accessing a resource. ")
    place = _AT_LINE.search(str(detail.get("o:errorPath") or ""))
    at = int(place[1]) if place else len(components)
    component = f"{components[at]}: " if at < len(components) else ""
    lowered = words.lower()
    remedy = next((remedy for part, remedy in _REMEDIES if part in lowered), _OTHERWISE)
    return f"{component}{words.rstrip('.')} ({detail.get('o:errorCode') or 'no code'}); {remedy}"


def _detail(body: object) -> Mapping[str, object]:
    details = body.get("o:errorDetails") if isinstance(body, Mapping) else None
    first = details[0] if isinstance(details, Sequence) and details else None
    return first if isinstance(first, Mapping) else {}
