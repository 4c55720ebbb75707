"""Which SQL is taken: one SELECT over the lake's tables, of known functions; everything else is refused. Pure.

What was typed never reaches an engine: it is read into a tree, every node of the tree is looked at, and the statement
is written anew from it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import date

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from services.kernel.core.questions import Question

DIALECT = "trino"
"""Athena's engine version 3 is Trino."""
MAX_CHARACTERS = 20_000
NAMESPACE = "sales"
TABLES = frozenset(
    {"dim_country", "dim_customer", "dim_date", "dim_product", "fact_order_lines", "order_lines"}
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FUNCTION_NAMES = """
    abs and any_value approx_distinct approx_quantile arg_max arg_min avg case cast ceil coalesce concat corr count
    count_if cume_dist current_date date date_add datediff day day_of_month day_of_year dayofweek_iso dense_rank every
    exists exp extract first_value floor greatest grouping hour if lag last_value lead least length ln log logical_and
    logical_or lower max min minute month nth_value ntile nullif or percent_rank power quarter rank replace round
    row_number sign split_part sqrt starts_with stddev stddev_pop stddev_samp str_position substring sum
    timestamp_trunc trim trunc try_cast upper variance variance_pop week_of_year year year_of_week
"""
"""By sqlglot's names, several of which stand for one of Trino's in other words. Sources of rows and of texts without an
end (sequence, repeat, lpad) are left out, as is all that tells of the engine or reads a file."""
_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_NODES: tuple[type, ...] = (
    exp.Select,
    exp.SetOperation,
    exp.Subquery,
    exp.With,
    exp.CTE,
    exp.From,
    exp.Join,
    exp.Where,
    exp.Group,
    exp.Having,
    exp.Order,
    exp.Ordered,
    exp.Limit,
    exp.Offset,
    exp.Distinct,
    exp.Window,
    exp.WindowSpec,
    exp.Filter,
    exp.Table,
    exp.TableAlias,
    exp.Alias,
    exp.Identifier,
    exp.Column,
    exp.Star,
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.Interval,
    exp.Var,
    exp.DataType,
    exp.DataTypeParam,
    exp.Tuple,
    exp.Paren,
    exp.Binary,
    exp.Unary,
    exp.Between,
    exp.In,
)
_NOT_TAKEN: tuple[type, ...] = (exp.Dot, exp.Kwarg, exp.PropertyEQ)

# It warns of what it leaves out when it reads; all that is left out here is refused or harmless.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


class InvalidStatement(ValueError):
    """The SQL is not taken; the message says why, for people."""


def checked(text: str, values: Mapping[str, int | str | date] | None = None) -> Question:
    """Read a statement, refuse it or write it anew.

    Args:
        text: one SELECT in Athena's dialect; tables by their names, alone or behind `sales.`.
        values: of its parameters, which it names as `:name`.

    Raises:
        InvalidStatement: it is no such statement.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidStatement(f"at most {MAX_CHARACTERS:,} characters are taken")
    try:
        tree = _filled(_one(text), values or {})
        tables = _hold(tree)
        return Question(tree.sql(dialect=DIALECT, comments=False), tables)
    except SqlglotError as error:
        raise InvalidStatement(str(error).splitlines()[0]) from None
    except RecursionError:
        raise InvalidStatement("it is nested too deep") from None


def _one(text: str) -> exp.Expression:
    found = [tree for tree in sqlglot.parse(text, dialect=DIALECT) if tree is not None]
    if len(found) != 1 or not isinstance(found[0], exp.Select | exp.SetOperation):
        raise InvalidStatement("one SELECT is taken, and nothing else")
    return found[0]


def _filled(tree: exp.Expression, values: Mapping[str, int | str | date]) -> exp.Expression:
    def fill(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Placeholder):
            return node
        if node.name not in values:
            raise InvalidStatement(f"there is no parameter {node.name or '?'!r}")
        return literal(values[node.name])

    return tree.transform(fill)


def literal(value: int | str | date) -> exp.Expression:
    """A value as a node of a statement, which no text can break out of."""
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), exp.DataType.Type.DATE)
    return exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value)


def _hold(tree: exp.Expression) -> frozenset[str]:
    """Refuse every node that is not known to be harmless; returns the tables that are named."""
    named = {cte.alias for cte in tree.find_all(exp.CTE)}
    if wrong := [name for name in named if name in TABLES or not _NAME.fullmatch(name)]:
        raise InvalidStatement(f"WITH cannot name something {wrong[0][:64]!r}")
    tables: set[str] = set()
    for node in tree.walk():
        if isinstance(node, exp.Table):
            name = _table(node, named)
            tables.update({name} & TABLES)
        elif isinstance(node, exp.Func):
            _hold_function(node)
        elif isinstance(node, _NOT_TAKEN) or not isinstance(node, _NODES):
            raise InvalidStatement(f"{type(node).__name__} is not taken")
        elif isinstance(node, exp.With) and node.args.get("recursive"):
            raise InvalidStatement("WITH RECURSIVE is not taken")
        elif isinstance(node, exp.Select):
            _hold_select(node)
    return frozenset(tables)


def _hold_select(node: exp.Select) -> None:
    if node.args.get("into") or node.args.get("locks"):
        raise InvalidStatement("a SELECT that only reads is taken")
    if not node.expressions:
        raise InvalidStatement("SELECT has to say what")


def _table(node: exp.Table, named: set[str]) -> str:
    if not isinstance(node.this, exp.Identifier):
        raise InvalidStatement("functions in the place of a table are not taken")
    name = node.name if node.name in named else node.name.lower()
    if node.catalog or node.db.lower() not in ("", NAMESPACE) or (node.db and name in named):
        raise InvalidStatement(f"tables are named alone, or behind {NAMESPACE}.")
    if name not in TABLES and name not in named:
        raise InvalidStatement(f"there is no table {node.name[:64]!r}; there are {', '.join(sorted(TABLES))}")
    node.set("db", None)
    return name


def _hold_function(node: exp.Func) -> None:
    name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
    if name.lower() not in _FUNCTIONS:
        raise InvalidStatement(f"the function {name[:64]} is not taken")
