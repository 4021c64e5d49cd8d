"""What a query costs, and the bucket it is paid from.

Shopify publishes that an object costs 1, a mutation 10, scalars nothing, and that a connection is "sized" by
`first` or `last`, but not how. The size used here grows with the logarithm: it gives the 25 points that
Shopify answered for `product { variants(first: 250) { nodes { inventoryItem { id } } } }`, and what Microsoft's
connector has noted of its queries (a contract test holds it against them). An amount of money is no object there: it
costs nothing.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
    is_list_type,
    is_object_type,
    value_from_ast_untyped,
)
from graphql.type import GraphQLNonNull

LARGEST_QUERY = 1_000
MUTATION_COST = 10
_FREE_TYPES = frozenset({"CashRoundingAdjustment", "MoneyBag", "MoneyV2"})
_FREE_FIELDS = frozenset({"pageInfo", "edges", "nodes", "userErrors"})


def size_weight(count: int) -> int:
    """How heavily so many items of a connection weigh."""
    return 0 if count <= 0 else max(1, math.floor(2 * math.log(count)))


class CostMeter:
    """Measures one document: before execution from its arguments, afterwards from what came back."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._variables = dict(variables)
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]

    def requested(self) -> int:
        """The most that the document can cost."""
        return max(1, sum(self._operation(operation, None) for operation in self._operations))

    def actual(self, data: Mapping[str, Any] | None) -> int:
        """What it cost, given what it brought."""
        return max(1, sum(self._operation(operation, data or {}) for operation in self._operations))

    def _operation(self, operation: OperationDefinitionNode, data: Mapping[str, Any] | None) -> int:
        if operation.operation is OperationType.MUTATION:
            return MUTATION_COST * len(operation.selection_set.selections)
        root = self._schema.query_type
        return 0 if root is None else self._selection(operation.selection_set, root, data)

    def _selection(self, selection: SelectionSetNode, parent: GraphQLNamedType, data: Any) -> int:  # noqa: ANN401
        total, variants = 0, [0]
        for node in selection.selections:
            match node:
                case FieldNode():
                    total += self._field(node, parent, data)
                case InlineFragmentNode():
                    on = node.type_condition
                    inner = parent if on is None else self._schema.type_map[on.name.value]
                    variants.append(self._selection(node.selection_set, inner, data))
                case FragmentSpreadNode():
                    fragment = self._fragments[node.name.value]
                    inner = self._schema.type_map[fragment.type_condition.name.value]
                    variants.append(self._selection(fragment.selection_set, inner, data))
        # Of several fragments on an interface only one can apply: the dearest counts.
        return total + max(variants)

    def _field(self, node: FieldNode, parent: GraphQLNamedType, data: Any) -> int:  # noqa: ANN401
        if not isinstance(parent, GraphQLObjectType) or node.name.value not in parent.fields:
            return 0
        declared = parent.fields[node.name.value].type
        named = get_named_type(declared)
        if node.selection_set is None or not is_composite_type(named) or named.name in _FREE_TYPES:
            return 0
        is_measured = data is not None
        brought = self._brought(node, data) if is_measured else None
        if is_measured and brought is None:
            return 0
        arguments = {
            item.name.value: value_from_ast_untyped(item.value, self._variables) for item in node.arguments or ()
        }
        if node.name.value in _FREE_FIELDS and parent is not self._schema.query_type:
            return self._children(node.selection_set, named, brought)
        if is_object_type(named) and named.name.endswith("Connection"):
            sized = arguments.get("first") or arguments.get("last") or 0
            count = len(_rows(brought)) if is_measured else int(sized)
            return 2 + size_weight(count) * (1 + self._node_cost(node.selection_set, named, brought))
        inner = declared.of_type if isinstance(declared, GraphQLNonNull) else declared
        if is_list_type(inner):
            asked = arguments.get("first") or len(arguments.get("ids") or ()) or 1
            count = len(brought or ()) if is_measured else int(asked)
            return size_weight(count) * (1 + self._dearest(node.selection_set, named, brought))
        return 1 + self._selection(node.selection_set, named, brought)

    def _node_cost(self, selection: SelectionSetNode, connection: GraphQLNamedType, data: Any) -> int:  # noqa: ANN401
        """What one node of a connection costs beyond itself."""
        if not isinstance(connection, GraphQLObjectType):
            return 0
        rows = None if data is None else _rows(data)
        for node in selection.selections:
            if not isinstance(node, FieldNode) or node.selection_set is None:
                continue
            if node.name.value == "nodes":
                return self._dearest(node.selection_set, get_named_type(connection.fields["nodes"].type), rows)
            if node.name.value == "edges":
                edge = get_named_type(connection.fields["edges"].type)
                for inner in node.selection_set.selections:
                    if isinstance(inner, FieldNode) and inner.name.value == "node" and inner.selection_set is not None:
                        named = (
                            get_named_type(edge.fields["node"].type) if isinstance(edge, GraphQLObjectType) else edge
                        )
                        return self._dearest(inner.selection_set, named, rows)
        return 0

    def _children(self, selection: SelectionSetNode, named: GraphQLNamedType, brought: Any) -> int:  # noqa: ANN401
        return 0 if isinstance(brought, list) else self._selection(selection, named, brought)

    def _dearest(self, selection: SelectionSetNode, named: GraphQLNamedType, rows: Any) -> int:  # noqa: ANN401
        if rows is None:
            return self._selection(selection, named, None)
        return max((self._selection(selection, named, row) for row in rows if row is not None), default=0)

    @staticmethod
    def _brought(node: FieldNode, data: Any) -> Any:  # noqa: ANN401
        name = node.name.value if node.alias is None else node.alias.value
        return data.get(name) if isinstance(data, Mapping) else None


def _rows(brought: Any) -> list[Any]:  # noqa: ANN401
    if not isinstance(brought, Mapping):
        return []
    if "nodes" in brought:
        return list(brought["nodes"] or ())
    return [edge.get("node") for edge in brought.get("edges") or ()]


class Bucket:
    """Points that refill steadily, on our clock: budgets are real even where the world's time is not."""

    def __init__(
        self, *, rate: float = 100.0, size: float = 2_000.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self.set(rate=rate, size=size)

    def set(self, *, rate: float | None = None, size: float | None = None) -> None:
        """Another plan: points a second, and how many the bucket holds. It is full then."""
        self.rate = self.rate if rate is None else rate
        self.size = self.size if size is None else size
        self._level, self._at = self.size, self._clock()

    rate: float = 100.0
    size: float = 2_000.0

    @property
    def available(self) -> float:
        """Points there are now."""
        now = self._clock()
        self._level = min(self.size, self._level + (now - self._at) * self.rate)
        self._at = now
        return self._level

    def take(self, points: float) -> bool:
        """Pay, where there is enough."""
        if self.available < points:
            return False
        self._level -= points
        return True

    def give_back(self, points: float) -> None:
        """What was asked for and not needed."""
        self._level = min(self.size, self._level + points)

    def status(self) -> dict[str, float]:
        """As `throttleStatus` tells it: whole points."""
        return {
            "maximumAvailable": self.size,
            "currentlyAvailable": math.floor(self.available),
            "restoreRate": self.rate,
        }
