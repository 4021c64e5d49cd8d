"""Who buys: invented people, the same for the same order in every run. Addresses are at example.com."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from zlib import crc32

from trueup.sandbox.vendors.shopify.objects import gid

_FIRST = ("Ada", "Ben", "Chloe", "Dara", "Emil", "Freya", "Gus", "Hana", "Ivor", "Juno")
_LAST = ("Archer", "Bell", "Carver", "Dunn", "Ellery", "Frost", "Grey", "Hale", "Innes", "Jarvis")
_STREETS = ("Mill Lane", "Station Road", "Church Street", "High Street", "Park Avenue")
_TOWNS: Mapping[str, tuple[str, str, str]] = {
    "GB": ("Leeds", "LS1 4AP", "United Kingdom"),
    "IE": ("Cork", "T12 XF62", "Ireland"),
    "FR": ("Lyon", "69001", "France"),
    "DE": ("Köln", "50667", "Germany"),
}
_COUNTRIES: Mapping[str, str] = {
    "United Kingdom": "GB",
    "EIRE": "IE",
    "France": "FR",
    "Germany": "DE",
    "Netherlands": "NL",
    "Spain": "ES",
    "Belgium": "BE",
    "Portugal": "PT",
    "Italy": "IT",
    "Switzerland": "CH",
    "Sweden": "SE",
    "Norway": "NO",
    "Denmark": "DK",
    "Finland": "FI",
    "Austria": "AT",
    "Poland": "PL",
    "Greece": "GR",
    "Cyprus": "CY",
    "Australia": "AU",
    "Japan": "JP",
    "USA": "US",
}
"""Countries of replayed invoices, as the file spells them; any other has no code."""


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """Where mail reaches a customer."""

    email_address: str


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """Where a customer can be called."""

    phone_number: str


@dataclass(frozen=True, slots=True)
class Address:
    """A `MailingAddress`."""

    kind: ClassVar[str] = "MailingAddress"
    number: int
    first_name: str
    last_name: str
    address1: str
    city: str
    zip: str
    country: str
    country_code_v2: str | None
    address2: ClassVar[str | None] = None
    company: ClassVar[str | None] = None
    phone: ClassVar[str | None] = None
    province: ClassVar[str | None] = None
    province_code: ClassVar[str | None] = None
    latitude: ClassVar[float | None] = None
    longitude: ClassVar[float | None] = None

    @property
    def id(self) -> str:
        return gid(self.kind, self.number)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Customer:
    """A person who ordered."""

    kind: ClassVar[str] = "Customer"
    number: int
    first_name: str
    last_name: str
    default_address: Address

    @property
    def id(self) -> str:
        return gid(self.kind, self.number)

    @property
    def legacy_resource_id(self) -> str:
        return str(self.number)

    @property
    def email(self) -> str:
        """Unique to the person."""
        return f"{self.first_name}.{self.last_name}.{self.number % 100_000}@example.com".lower()

    @property
    def default_email_address(self) -> EmailAddress:
        return EmailAddress(self.email)

    @property
    def default_phone_number(self) -> PhoneNumber:
        return PhoneNumber(f"+4477009{self.number % 100_000:05d}")


def country_code(given: str) -> str | None:
    """The ISO code of an order's country, None where the name tells none."""
    return given if len(given) == 2 and given.isupper() else _COUNTRIES.get(given)


def invent_customer(order_name: str, country: str, first_number: int) -> Customer:
    """The person behind an order. `first_number`: ids are counted from there."""
    draw = crc32(order_name.encode())
    number = first_number + draw % 9_000_000
    first, last = _FIRST[draw % 10], _LAST[draw // 10 % 10]
    code = country_code(country)
    city, code_of_post, name = _TOWNS.get(code or "", ("Capital", "1000", country))
    street = f"{draw % 90 + 1} {_STREETS[draw // 100 % 5]}"
    return Customer(number, first, last, Address(number, first, last, street, city, code_of_post, name, code))
