"""A role's name tells its database, fits PostgreSQL, and no two databases meet in one."""

from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trueup.warehouse.roles import Role, role_identifier, role_name, with_role_names

_SURROGATES: tuple[Literal["Cs"]] = ("Cs",)
_DATABASES = st.one_of(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=_SURROGATES), min_size=1, max_size=63),
    st.from_regex(r"(trueup_)?[a-z][a-z0-9_]{0,55}", fullmatch=True),
).filter(lambda name: len(name.encode()) <= 63)


def test_the_name_says_tenant_and_work() -> None:
    assert role_name("trueup_acme", Role.ANALYST) == "trueup_acme_analyst"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_DATABASES, st.sampled_from(list(Role)))
def test_a_name_is_never_cut_off(database: str, role: Role) -> None:
    """PostgreSQL cuts at 63 bytes without a word, and two tenants' roles would be one."""
    name = role_name(database, role)
    assert len(name.encode()) <= 63
    assert name.startswith("trueup_")
    assert name.endswith(f"_{role}")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(_DATABASES, min_size=2, max_size=6))
def test_no_two_databases_share_a_name(databases: set[str]) -> None:
    names = [role_name(database, role) for database in databases for role in Role]
    assert len(set(names)) == len(names)


def test_databases_that_look_alike_keep_apart() -> None:
    """The prefix is not doubled, so `acme` and `trueup_acme` want care; so do names that differ at their end only."""
    long = "trueup_" + "a" * 54
    names = {role_name(name, Role.LOADER) for name in ("acme", "trueup_acme", "trueup", f"{long}b", f"{long}c")}
    assert len(names) == 5
    assert "trueup_loader" not in names, "what all warehouses once shared"


def test_a_name_that_is_no_plain_word_is_quoted() -> None:
    """Dbt puts the role into its statement as it is given."""
    assert role_identifier("trueup_acme", Role.TRANSFORMER) == "trueup_acme_transformer"
    assert role_identifier("trueup_acme-de", Role.TRANSFORMER) == '"trueup_acme-de_transformer"'


def test_statements_are_written_for_any_database() -> None:
    assert with_role_names("grant select on t to trueup_loader, trueup_operator;", "trueup_acme") == (
        "grant select on t to trueup_acme_loader, trueup_acme_operator;"
    )
    assert with_role_names("grant x to trueup_loader", 'a"b').startswith('grant x to "trueup_a""b_')
    assert with_role_names("-- trueup_demo and trueup_loaders", "trueup_acme") == "-- trueup_demo and trueup_loaders"
