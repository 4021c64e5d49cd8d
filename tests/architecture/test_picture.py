"""The architecture picture shows the code as it is."""

import re

from tests.architecture.picture import BESIDE_THE_LINE, LINE, PICTURE, PROJECT, draw, layers

PACKAGE = PROJECT / "plugins" / "trueup"


def test_the_picture_is_what_the_code_draws() -> None:
    """A picture of last year's packages sends a newcomer to the wrong folder."""
    assert PICTURE.read_text(encoding="utf-8") == draw(), "`make docs` draws it again"


def test_every_package_is_in_the_picture() -> None:
    """A package outside the layers has no import rule."""
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == {name for layer in layers() for name in layer} | {"sandbox"}


def test_every_schema_and_package_of_the_line_exists() -> None:
    migrations = (PACKAGE / "warehouse" / "migrations" / "versions").glob("*.sql")
    created = re.compile(r"^create schema (?:if not exists )?(\w+)", re.MULTILINE)
    schemas = {name for path in migrations for name in created.findall(path.read_text(encoding="utf-8"))}
    steps = [(schema, package) for _, schema, package, *_ in (*LINE, *BESIDE_THE_LINE)]
    assert {schema for schema, _ in steps if schema} <= schemas
    assert all((PACKAGE / package / "__init__.py").is_file() for _, package in steps)
