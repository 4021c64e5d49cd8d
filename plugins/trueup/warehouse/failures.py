"""PostgreSQL's errors in our two kinds."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from trueup.domain.errors import Permanent, Transient

# The statement was right and the moment wrong: the same work can succeed when it is done again.
_PASSING = (psycopg.OperationalError, errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)


@contextmanager
def translated(work: str) -> Iterator[None]:
    """Raise `Transient` or `Permanent` for whatever PostgreSQL says while `work` is done.

    Only its primary message is passed on: the details of some errors quote the row.
    """
    try:
        yield
    except _PASSING as error:
        raise Transient(
            f"{work}: the warehouse answered {_primary(error)}; the work is repeated by the next run"
        ) from error
    except psycopg.Error as error:
        raise Permanent(
            f"{work}: the warehouse answered {_primary(error)}; check that it is migrated"
            " (`trueup tenant prepare TENANT`) and built (`trueup build`)"
        ) from error


def _primary(error: psycopg.Error) -> str:
    return error.diag.message_primary or type(error).__name__
