"""What a person fills in to connect a system, as plain data: Airflow's connection types are made from it."""

from dataclasses import dataclass
from enum import StrEnum

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent


class FieldPlace(StrEnum):
    """Where an Airflow connection keeps the value; `extra` keeps it under the field's name."""

    HOST = "host"
    PORT = "port"
    LOGIN = "login"
    PASSWORD = "password"  # noqa: S105 - the name of a place
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of the form. `label`, `placeholder` and `help` are shown; a secret is never shown again."""

    name: str
    label: str
    place: FieldPlace
    is_required: bool = True
    is_secret: bool = False
    placeholder: str = ""
    help: str = ""


HOST = "host"
LOGIN = "login"
PASSWORD = "password"  # noqa: S105 - the name of a place


def host_field(placeholder: str, help_text: str = "https unless it says otherwise") -> FormField:
    """The system's address."""
    return FormField(HOST, "Address", FieldPlace.HOST, placeholder=placeholder, help=help_text)


def secret_field(label: str, help_text: str, *, is_required: bool = True) -> FormField:
    """The connection's password field, under the vendor's own name for it."""
    return FormField(PASSWORD, label, FieldPlace.PASSWORD, is_required=is_required, is_secret=True, help=help_text)


def login_field(label: str, help_text: str, *, is_required: bool = True) -> FormField:
    """The connection's login field, under the vendor's own name for it."""
    return FormField(LOGIN, label, FieldPlace.LOGIN, is_required=is_required, help=help_text)


def extra_field(
    name: str,
    label: str,
    help_text: str,
    *,
    is_required: bool = False,
    is_secret: bool = False,
    placeholder: str = "",
) -> FormField:
    """A field kept in the connection's `extra`."""
    return FormField(
        name, label, FieldPlace.EXTRA, is_required, is_secret=is_secret, placeholder=placeholder, help=help_text
    )


def number_in(details: ConnectionDetails, name: str, default: int, remedy: str) -> int:
    """Return the whole number above 0 that the connection's `extra` has under the name, the default where it is empty.

    `remedy`: what to enter instead. Raises `Permanent` for anything else.
    """
    reported = details.extra.get(name)
    if reported in (None, ""):
        return default
    try:
        number = int(str(reported))
    except ValueError:
        number = 0
    if number < 1:
        raise Permanent(f"connection '{details.conn_id}': {name} is no whole number above 0; {remedy}")
    return number
