"""The simulator's Admin schema is the vendor's own, only smaller."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    print_ast,
    print_schema,
)

from trueup.sandbox.vendors.shopify.schema import API_VERSION, admin_schema

_OWN_TYPES = sorted(name for name in admin_schema().type_map if not name.startswith("__"))


@pytest.fixture(scope="module")
def published(shared_folder: Path) -> GraphQLSchema:
    sdl = (shared_folder / "specs" / "shopify" / f"admin-{API_VERSION}.graphql").read_text(encoding="utf-8")
    return build_schema(sdl, assume_valid=True)


def differences(ours: GraphQLNamedType, theirs: GraphQLNamedType | None) -> list[str]:
    """What our type says that the vendor's does not."""
    name = ours.name
    if type(ours) is not type(theirs):
        return [f"{name} is a {type(ours).__name__}, the vendor has {type(theirs).__name__}"]
    if isinstance(ours, GraphQLObjectType | GraphQLInterfaceType) and isinstance(
        theirs, GraphQLObjectType | GraphQLInterfaceType
    ):
        extra = {item.name for item in ours.interfaces} - {item.name for item in theirs.interfaces}
        found = [f"{name} is no {interface}" for interface in sorted(extra)]
        for field_name, field in ours.fields.items():
            other = theirs.fields.get(field_name)
            if other is None:
                found.append(f"{name}.{field_name} does not exist")
                continue
            if str(field.type) != str(other.type):
                found.append(f"{name}.{field_name} is {other.type}, not {field.type}")
            found += argument_differences(f"{name}.{field_name}", field.args, other.args)
        return found
    if isinstance(ours, GraphQLInputObjectType) and isinstance(theirs, GraphQLInputObjectType):
        found = [
            f"{name}.{field_name} differs"
            for field_name, field in ours.fields.items()
            if field_name not in theirs.fields or str(field.type) != str(theirs.fields[field_name].type)
        ]
        required = {field_name for field_name, field in theirs.fields.items() if str(field.type).endswith("!")}
        return found + [f"{name} lacks required {field_name}" for field_name in sorted(required - set(ours.fields))]
    if isinstance(ours, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
        return [f"{name}.{value} does not exist" for value in sorted(set(ours.values) - set(theirs.values))]
    return []


def default_of(argument: GraphQLArgument) -> str:
    """The default as the schema's text has it, empty where there is none."""
    return "" if argument.default is None or argument.default.literal is None else print_ast(argument.default.literal)


def argument_differences(where: str, ours: dict[str, GraphQLArgument], theirs: dict[str, GraphQLArgument]) -> list[str]:
    found = []
    for name, argument in ours.items():
        other = theirs.get(name)
        if other is None or str(other.type) != str(argument.type) or default_of(other) != default_of(argument):
            found.append(f"{where}({name}:) differs")
    required = {name for name, argument in theirs.items() if str(argument.type).endswith("!")}
    return found + [f"{where} lacks required ({name}:)" for name in sorted(required - set(ours))]


@pytest.mark.parametrize("name", _OWN_TYPES)
def test_every_type_is_the_vendors(name: str, published: GraphQLSchema) -> None:
    """A field renamed by the vendor, or invented by us, would let a connector pass here and fail there."""
    assert differences(admin_schema().type_map[name], published.type_map.get(name)) == []


def test_the_idempotent_directive_is_the_vendors(published: GraphQLSchema) -> None:
    """The mutation is refused without it, so its name and argument have to be right."""
    ours, theirs = admin_schema().get_directive("idempotent"), published.get_directive("idempotent")
    assert ours is not None
    assert theirs is not None
    assert {name: str(argument.type) for name, argument in ours.args.items()} == {
        name: str(argument.type) for name, argument in theirs.args.items()
    }
    assert ours.locations == theirs.locations


@pytest.mark.parametrize(
    ("reported", "renamed"),
    [
        ("changeFromQuantity: Int", "expectedQuantity: Int"),
        ("updatedAt: DateTime!", "changedAt: DateTime!"),
        ("sortKey: OrderSortKeys = PROCESSED_AT", "sortKey: OrderSortKeys = ID"),
    ],
)
def test_a_field_of_another_name_is_found(reported: str, renamed: str, published: GraphQLSchema) -> None:
    """The comparison itself can fail."""
    changed = build_schema(print_schema(admin_schema()).replace(reported, renamed))
    found = [
        difference
        for name in _OWN_TYPES
        for difference in differences(changed.type_map[name], published.type_map.get(name))
    ]
    assert found
