"""Holds an exchange with Shopify's Admin API against the vendor's own schema."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

GRAPHQL_PATH = "/graphql.json"
OK = 200


def validate_graphql_line(schema: GraphQLSchema, line: Mapping[str, Any]) -> list[str]:
    """What the schema has against one line of a sandbox recording: its document, its variables, its answer."""
    reported = line["request"]
    document = parse(reported["query"])
    errors: list[GraphQLError] = list(validate(schema, document))
    operation = get_operation_ast(document)
    if errors or not isinstance(operation, OperationDefinitionNode):
        return [str(error) for error in errors]
    variables = get_variable_values(schema, operation.variable_definitions or (), reported["variables"])
    if isinstance(variables, list):
        return [str(error) for error in variables]
    answer = line["response"]
    problems = list(_error_problems(line["status"], answer))
    if answer.get("data") is None:
        return problems
    return problems + _data_problems(schema, line)


def _error_problems(status: int, answer: Mapping[str, Any]) -> list[str]:
    """GraphQL's own rules: data, or errors each with its words; without data only where something went wrong."""
    if unknown := answer.keys() - {"data", "errors", "extensions"}:
        return [f"the answer has {sorted(unknown)} beside data, errors and extensions"]
    errors = answer.get("errors")
    if errors is None:
        return [] if answer.get("data") is not None and status == OK else [f"status {status} without data or errors"]
    if isinstance(errors, str) and status != OK:
        return []  # what stands in front of the API, such as the check of the token, speaks plain text
    if not isinstance(errors, list) or not errors:
        return ["errors is no list of errors"]
    return ["an error has no message" for error in errors if not isinstance(error.get("message"), str)]


def _data_problems(schema: GraphQLSchema, line: Mapping[str, Any]) -> list[str]:
    reported = line["request"]

    def kind_of(value: Mapping[str, Any], _: object, abstract: GraphQLAbstractType) -> str:
        # By what is answered of it: the others have the same fields.
        if abstract.name == "DiscountApplication":
            return "DiscountCodeApplication" if "code" in value else "AutomaticDiscountApplication"
        if abstract.name == "ReturnLineItemType":
            return "ReturnLineItem" if "fulfillmentLineItem" in value else "UnverifiedReturnLineItem"
        # The answer does not say what a node is; its id in the question does.
        ids = reported["variables"].get("ids") or [reported["variables"]["id"]]
        return str(ids[0].split("/")[3])

    # The answer is run through the schema as if it were the data: a wrong type or a null where none may be is an error.
    run = execute_sync(
        schema,
        parse(reported["query"]),
        root_value=line["response"]["data"],
        variable_values=reported["variables"],
        field_resolver=lambda source, info, **_: source[info.path.key],
        type_resolver=kind_of,
    )
    if run.errors:
        return [str(error) for error in run.errors]
    return [] if run.data == line["response"]["data"] else ["the answer holds more than was asked for"]
