"""Names for the databases of tests."""

import itertools
import os

from trueup.dev.postgres import EmbeddedPostgres
from trueup.warehouse.connection import connect


def free_name(postgres: EmbeddedPostgres, prefix: str) -> str:
    """The first name of this process that no database has.

    What dbt parsed for a database serves the next one of its name; parsing anew would double the time of most tests.
    """
    with connect(postgres.details("postgres"), None) as connection:
        taken = {name for (name,) in connection.execute("select datname from pg_database")}
    names = (f"{prefix}_{os.getpid()}_{number}" for number in itertools.count(1))
    return next(name for name in names if name not in taken)
