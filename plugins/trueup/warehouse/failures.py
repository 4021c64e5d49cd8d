"""PostgreSQL's errors in our two kinds, with what helps."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from trueup.domain.errors import Permanent, Transient
from trueup.warehouse.watch import recent_silence

# The statement was right and the moment wrong: the same work can succeed when it is done again.
_PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.ReadOnlySqlTransaction,
)
_MAKE_ROOM = "make room on the disk of the warehouse's server"
_WHO_HOLDS_IT = "look in the server's pg_stat_activity for what holds it up"
_REMEDIES = {
    errors.DiskFull: _MAKE_ROOM,
    errors.OutOfMemory: "give the warehouse's server more memory, or lower its work_mem",
    errors.TooManyConnections: "raise max_connections of the warehouse's server, or run fewer tasks at once",
    errors.ConfigurationLimitExceeded: "raise the limit that the warehouse's server names",
    errors.ReadOnlySqlTransaction: "point the connection at the server that takes writes",
    errors.QueryCanceled: _WHO_HOLDS_IT,
    errors.LockNotAvailable: _WHO_HOLDS_IT,
    errors.IdleInTransactionSessionTimeout: _WHO_HOLDS_IT,
}
# Where only the words are left of an error; the server may tell them in another language, and then it is not known.
_PASSING_WORDS = {
    "no space left on device": _MAKE_ROOM,
    "read-only transaction": _REMEDIES[errors.ReadOnlySqlTransaction],
    "too many clients": _REMEDIES[errors.TooManyConnections],
    "deadlock detected": None,
    "could not serialize access": None,
    "server closed the connection": None,
    "could not connect": None,
    "connection refused": None,
    "lock timeout": _WHO_HOLDS_IT,
    "statement timeout": _WHO_HOLDS_IT,
    "timeout expired": None,
    "could not receive data from server": None,
    "ssl connection has been closed": None,
    "eof detected": None,
    "connection already closed": None,
    "connection reset by peer": None,
    "terminating connection": None,
    "connection reset": None,
    "connection timed out": None,
    "no route to host": None,
    "network is unreachable": None,
    "could not translate host name": None,
    "could not receive data": None,
    "could not send data": None,
    "consuming input failed": None,
    "ssl syscall error": None,
    "the connection is closed": None,
    "the connection is lost": None,
    "is starting up": None,
    "is shutting down": None,
    "in recovery mode": None,
    "remaining connection slots": _REMEDIES[errors.TooManyConnections],
}
# The driver has no error code for a connection that did not come about, only the server's words.
_REFUSING_WORDS = (
    "authentication failed",
    "does not exist",
    "permission denied",
    "no pg_hba.conf entry",
    "no password supplied",
    "not permitted to log in",
)


def next_step(error: psycopg.Error) -> str | None:
    """What to do about an error that passes: first what helps, where something must. None where it does not pass."""
    if not isinstance(error, _PASSING):
        return None
    remedy = next((help_text for kind, help_text in _REMEDIES.items() if isinstance(error, kind)), None)
    return _then(remedy)


def next_step_of_words(message: str) -> str | None:
    """The same by the server's words alone; None where it is no error that passes."""
    words = message.lower()
    for phrase, remedy in _PASSING_WORDS.items():
        if phrase in words:
            return _then(remedy)
    return None


def opening_is_refused(error: psycopg.OperationalError) -> bool:
    """Whether the server turned the login away; else it was not reached, or had no time or room for us."""
    words = str(error).lower()
    return any(phrase in words for phrase in _REFUSING_WORDS)


def failure(error: psycopg.Error, message: str, remedy: str) -> Transient | Permanent:
    """What to raise: `Transient` with what helps where the error passes, else `Permanent` with `remedy`."""
    passing = next_step(error)
    return Permanent(f"{message}; {remedy}") if passing is None else Transient(f"{message}; {passing}")


@contextmanager
def translated(work: str) -> Iterator[None]:
    """Raise `Transient` or `Permanent` for whatever PostgreSQL says while `work` is done.

    Only its primary message is passed on: the details of some errors quote the row.
    """
    try:
        yield
    except psycopg.Error as error:
        # Errors of the driver's own have no message of the server's.
        message = f"{work}: the warehouse answered {error.diag.message_primary or type(error).__name__}"
        remedy = "check that it is migrated (`trueup tenant prepare TENANT`) and built (`trueup build`)"
        raise failure(error, message, remedy) from error


def _then(remedy: str | None) -> str:
    silence = recent_silence()
    if silence is not None:
        return silence
    again = "the work is repeated by the next run"
    return again if remedy is None else f"{remedy}; {again}"
