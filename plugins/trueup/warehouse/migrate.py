"""Brings a warehouse to the newest schema."""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config

from trueup.domain.connections import ConnectionDetails


def migrate(details: ConnectionDetails) -> None:
    """Apply every pending migration, each in a transaction; doing it again changes nothing."""
    url = sqlalchemy.URL.create(
        "postgresql+psycopg",
        username=details.login,
        password=details.password,
        host=details.host if details.host and not details.host.startswith("/") else None,
        port=details.port if details.host and not details.host.startswith("/") else None,
        database=details.schema,
        query={"host": details.host} if details.host and details.host.startswith("/") else {},
    )
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("select pg_advisory_lock(7303014)"))
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
