"""SuiteQL to SQLite's SQL: parsed as the Oracle dialect and checked against the schema.

Left out deliberately: ANSI LIMIT (SuiteQL has none either: TOP, FETCH FIRST, ROWNUM and the paging parameters),
writes, and every table and column that `tables.py` does not list.
"""

from collections.abc import Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.dialects.oracle import Oracle
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.parsers.oracle import OracleParser
from sqlglot.tokenizer_core import TokenType

from trueup.sandbox.vendors.netsuite import dates
from trueup.sandbox.vendors.netsuite.tables import DISPLAY, STATUSES, TABLES

# Kept as they are written: SQLite gets functions of these names instead of sqlglot's idea of them.
_OWN_FUNCTIONS = frozenset({"TO_CHAR", "TO_DATE", "TO_TIMESTAMP", "TO_TIMESTAMP_TZ", "TRUNC", "SYS_EXTRACT_UTC"})
_DATE_FUNCTIONS = frozenset({"ns_to_date", "ns_now", "ns_shift", "ns_trunc"})
_NOW = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentDatetime, exp.Systimestamp)
_SCHEMA: dict[str, object] = {
    table: {
        column: {"int": "int", "number": "decimal", "date": "datetime", "datetime": "datetime"}.get(kind, "text")
        for column, kind in columns.items()
    }
    for table, columns in TABLES.items()
}


class SuiteQLError(Exception):
    """The query cannot be run; the message is what NetSuite's `detail` would say after its preamble."""


class _Dialect(Oracle):
    class Tokenizer(Oracle.Tokenizer):
        KEYWORDS = {**Oracle.Tokenizer.KEYWORDS, "TOP": TokenType.TOP}  # noqa: RUF012 - sqlglot reads it like this

    class Parser(OracleParser):
        FUNCTIONS = {  # noqa: RUF012 - sqlglot reads it like this
            name: build for name, build in OracleParser.FUNCTIONS.items() if name not in _OWN_FUNCTIONS
        }


@lru_cache(maxsize=256)
def translate(query: str) -> tuple[str, str]:
    """SuiteQL to SQLite's SQL, and a cheaper statement with as many rows to count them by.

    `SuiteQLError` for what is no query, or names what is not there.
    """
    try:
        if any(token.token_type in (TokenType.LIMIT, TokenType.OFFSET) for token in _Dialect().tokenize(query)):
            raise SuiteQLError("Invalid or unsupported search: LIMIT and OFFSET are request parameters")
        statements = sqlglot.parse(query, read=_Dialect)
    except SqlglotError as error:
        raise SuiteQLError("Invalid or unsupported search") from error
    tree = statements[0] if len(statements) == 1 else None
    if not isinstance(tree, exp.Query):
        raise SuiteQLError("Invalid or unsupported search: one SELECT is expected")
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("this", identifier.this.lower())
    _check_tables(tree)
    _order_by_index(tree)
    tree = _rownum_to_limit(tree)
    try:
        tree = annotate_types(qualify(tree, schema=_SCHEMA, dialect="sqlite"), schema=_SCHEMA, dialect="sqlite")
    except SqlglotError as error:
        raise SuiteQLError(f"Unknown identifier. {str(error).split(' Line:')[0]}") from error
    sources = _sources(tree)
    for node in reversed(list(tree.walk())):  # children first: what they become decides what is a date
        replacement = _rewrite(node, sources)
        if replacement is not node:
            node.replace(replacement)
    for number, projection in enumerate(tree.selects, 1):
        _show_date(projection)
        if projection.alias.startswith("_col_"):
            projection.set("alias", exp.to_identifier(f"expr{number}"))
    return tree.sql(dialect="sqlite", identify=True), _countable(tree).sql(dialect="sqlite", identify=True)


def _countable(tree: exp.Query) -> exp.Query:
    """Without its columns and its order, where those decide nothing about how many rows there are."""
    if not isinstance(tree, exp.Select) or any(tree.args.get(part) for part in ("group", "distinct", "limit", "with_")):
        return tree
    if any(projection.find(exp.AggFunc, exp.Placeholder, exp.Window) for projection in tree.selects):
        return tree
    counted = tree.copy().select("1", append=False, copy=False)
    counted.set("order", None)
    return counted


def _check_tables(tree: exp.Expr) -> None:
    local = {common.alias.lower() for common in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name not in TABLES and table.name not in local:
            raise SuiteQLError(f"Record '{table.name}' was not found")


def _order_by_index(tree: exp.Expr) -> None:
    """Oracle puts nulls last, SQLite first; where there are none, saying so would only cost the index."""
    is_level = [table.name for table in tree.find_all(exp.Table)] == ["aggregateitemlocation"]
    never_null = {"id", "uniquekey", *(("item", "location") if is_level else ())}
    for ordered in tree.find_all(exp.Ordered):
        if isinstance(ordered.this, exp.Column) and ordered.this.name in never_null:
            ordered.set("nulls_first", not ordered.args.get("desc"))


def _rownum_to_limit(tree: exp.Query) -> exp.Query:
    """`WHERE ROWNUM <= n`, Oracle's way to say FETCH FIRST n."""
    for column in list(tree.find_all(exp.Column)):
        if column.name != "rownum":
            continue
        comparison, select = column.parent, column.find_ancestor(exp.Select)
        count = comparison.expression if isinstance(comparison, exp.LTE | exp.LT) else None
        if select is None or not isinstance(count, exp.Literal) or count.is_string or comparison is None:
            raise SuiteQLError("Invalid or unsupported search: ROWNUM")
        comparison.replace(exp.true())
        select.limit(int(count.this) - isinstance(comparison, exp.LT), copy=False)
    return tree


def _sources(tree: exp.Expr) -> Mapping[str, str]:
    return {table.alias_or_name: table.name for table in tree.find_all(exp.Table)}


def _rewrite(node: exp.Expr, sources: Mapping[str, str]) -> exp.Expr:
    if isinstance(node, _NOW):
        return _call("ns_now")
    if isinstance(node, exp.Dot) and node.this.name == "builtin" and isinstance(node.expression, exp.Anonymous):
        return _builtin(node.expression, sources)
    if isinstance(node, exp.Anonymous):
        return node if isinstance(node.parent, exp.Dot) else _function(node)
    if isinstance(node, exp.GroupConcat):
        return _without_order(node)
    if isinstance(node, exp.DateStrToDate):
        return _call("ns_to_date", node.this, exp.Literal.string("YYYY-MM-DD"))
    if isinstance(node, exp.Add | exp.Sub):
        return _date_arithmetic(node)
    if isinstance(node, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if _is_date(side) and isinstance(other, exp.Literal):
                # Oracle would read the literal by the account's date format; a script that relies on it breaks.
                raise SuiteQLError("Invalid or unsupported search: a date is compared with text; use TO_DATE")
    return node


def _without_order(joined: exp.GroupConcat) -> exp.Expr:
    """LISTAGG without its order: SQLite learnt it after the oldest release that Python may bring."""
    if not isinstance(joined.this, exp.Order):
        return joined
    return exp.GroupConcat(this=joined.this.this.copy(), separator=joined.args.get("separator"))


def _builtin(function: exp.Anonymous, sources: Mapping[str, str]) -> exp.Expr:
    name, arguments = function.name.upper(), function.expressions
    if name not in ("DF", "CF") or len(arguments) != 1:
        raise SuiteQLError(f"Unknown function BUILTIN.{name}")
    column = arguments[0]
    source = (sources.get(column.table, ""), column.name) if isinstance(column, exp.Column) else ("", "")
    if source == ("transaction", "status"):
        kind = exp.column("type", column.table)
        separator, status = (" : ", _status_names(kind, column)) if name == "DF" else (":", column)
        prefix = _call("ns_type_name", kind) if name == "DF" else kind
        return exp.DPipe(this=exp.DPipe(this=prefix, expression=exp.Literal.string(separator)), expression=status)
    display = DISPLAY.get(source) if name == "DF" else None
    if display is None:
        return exp.cast(column, "text")
    shown = sqlglot.parse_one(display.format(value=column.sql(dialect="sqlite", identify=True)), read="sqlite")
    return exp.paren(shown, copy=False) if isinstance(shown, exp.Select) else shown


def _status_names(kind: exp.Expr, column: exp.Expr) -> exp.Expr:
    case = exp.Case(this=exp.DPipe(this=kind.copy(), expression=column.copy()), default=column.copy())
    for name, statuses in STATUSES.items():
        for code, shown in statuses.items():
            case = case.when(exp.Literal.string(name + code), exp.Literal.string(shown), copy=False)
    return case


def _function(node: exp.Anonymous) -> exp.Expr:
    name, arguments = node.name.upper(), node.expressions
    match name:
        case "TO_CHAR":
            is_date = bool(arguments) and _is_date(arguments[0])
            return _call("ns_to_char", exp.Literal.number(int(is_date)), *arguments)
        case "TO_DATE" | "TO_TIMESTAMP" | "TO_TIMESTAMP_TZ":
            return _call("ns_to_date", *arguments)
        case "TRUNC" if len(arguments) == 1 and _is_date(arguments[0]):
            return _call("ns_trunc", *arguments)
        case "SYS_EXTRACT_UTC" if len(arguments) == 1:
            argument: exp.Expr = arguments[0]
            return argument.copy()
        case _ if name.lower().startswith("ns_"):
            return node
    raise SuiteQLError(f"Unknown function {name}")


def _date_arithmetic(node: exp.Add | exp.Sub) -> exp.Expr:
    left, right = node.left, node.right
    if _is_date(left) and _is_date(right) and isinstance(node, exp.Sub):
        return _call("ns_days", left, right)
    if _is_date(left):
        return _call("ns_shift", left, exp.Neg(this=exp.paren(right)) if isinstance(node, exp.Sub) else right)
    if _is_date(right) and isinstance(node, exp.Add):
        return _call("ns_shift", right, left)
    return node


def _is_date(node: exp.Expr) -> bool:
    if isinstance(node, exp.Paren):
        return _is_date(node.this)
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _DATE_FUNCTIONS or node.name.upper() in ("TO_DATE", "TO_TIMESTAMP")
    if isinstance(node, exp.Add | exp.Sub):
        return _is_date(node.left) != _is_date(node.right)
    if isinstance(node, (*_NOW, exp.DateStrToDate)):
        return True
    return node.type is not None and node.type.this in (exp.DataType.Type.DATETIME, exp.DataType.Type.DATE)


def _show_date(projection: exp.Expr) -> None:
    value = projection.unalias()
    if _is_date(value):
        value.replace(_call("ns_to_char", exp.Literal.number(1), value.copy(), exp.Literal.string(dates.ACCOUNT_DATE)))


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])
