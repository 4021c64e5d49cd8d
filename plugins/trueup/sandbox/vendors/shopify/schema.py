"""The part of the Admin schema that the simulator executes: the vendor's names and types.

Every type, field, argument and nullability is the vendor's own (a contract test holds it against the
published schema); what is left out is simply not there, so asking for it is an error as it would be for a
misspelt field. The definitions are in `admin_api`, a file for each subject.
"""

from functools import cache
from pathlib import Path

from graphql import GraphQLSchema, build_schema

API_VERSION = "2026-10"
_FILES = Path(__file__).with_name("admin_api")


@cache
def admin_schema() -> GraphQLSchema:
    """The executable subset, built once."""
    return build_schema("\n".join(file.read_text("utf-8") for file in sorted(_FILES.glob("*.graphql"))))
