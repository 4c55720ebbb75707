"""Makes mutants of a module's source: one small change each, the kind that a slip of a hand would make. Pure."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_REMOVABLE = (ast.Expr, ast.AugAssign, ast.Raise, ast.Delete, ast.Continue, ast.Break, ast.Assign)

Field = tuple[ast.AST, str, int | None]  # where a node hangs: its parent, the field, the place in a list


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed module.

    Args:
        module: short name of the module.
        function: qualified name of what was changed in, `<module>` outside of functions and classes.
        line: number in the source; it moves with every edit, so nothing is keyed by it.
        text: the source line without its indentation.
        operator: kind of change.
        change: the expression or statement before and after.
        code: the changed module, compiled.
    """

    module: str
    function: str
    line: int
    text: str
    operator: str
    change: str
    occurrence: int
    code: CodeType

    @property
    def mutant_id(self) -> str:
        """Stays the same while the line and its function do."""
        parts = (self.module, self.function, self.text, self.operator, self.change, str(self.occurrence))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def mutants_of(module: str, source: str, path: str, functions: frozenset[str] | None = None) -> list[Mutant]:
    """List all mutants of a source, in its order.

    Args:
        path: for tracebacks.
        functions: qualified names to keep to; None for everything.
    """
    tree = ast.parse(source, path)
    lines = source.splitlines()
    seen: Counter[tuple[str, ...]] = Counter()
    found: list[Mutant] = []
    for function, node, where in list(_nodes(tree)):
        if functions is not None and function not in functions:
            continue
        for operator, new in _changes(node, where):
            text = lines[node.lineno - 1].strip()
            change = f"{_short(node)} -> {_short(new)}"
            key = (function, text, operator, change)
            code = _compiled(tree, where, new, node, path)
            found.append(Mutant(module, function, node.lineno, text, operator, change, seen[key], code))
            seen[key] += 1
    return found


def _compiled(tree: ast.Module, where: Field, new: ast.AST, old: ast.AST, path: str) -> CodeType:
    _put(where, ast.copy_location(new, old))
    ast.fix_missing_locations(tree)
    try:
        return compile(tree, path, "exec", dont_inherit=True)
    finally:
        _put(where, old)


def _put(where: Field, node: ast.AST) -> None:
    parent, name, place = where
    if place is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[place] = node


def _nodes(tree: ast.Module) -> Iterator[tuple[str, Any, Field]]:
    """Every node that may be changed, with the function it is in and where it hangs."""

    def walk(node: ast.AST, inside: tuple[str, ...]) -> Iterator[tuple[str, Any, Field]]:
        for name, value in ast.iter_fields(node):
            if name in _NO_CODE or (isinstance(node, ast.Raise) and name == "exc"):
                continue
            children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for place, child in children:
                if not isinstance(child, ast.AST) or _is_out_of_scope(child):
                    continue
                named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                within = (*inside, child.name) if named else inside  # type: ignore[attr-defined]
                if hasattr(child, "lineno"):
                    yield ".".join(within) or "<module>", child, (node, name, place)
                yield from walk(child, within)

    yield from walk(tree, ())


_NO_CODE = ("annotation", "returns", "decorator_list", "type_params", "bases")


def _is_out_of_scope(node: ast.AST) -> bool:
    """Docstrings, messages, what is logged, imports and type aliases: words for people, not behaviour."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or _is_log(node.value)
    return isinstance(node, ast.Assign) and (_is_log(node.value) or _is_alias(node))


def _is_log(node: ast.AST) -> bool:
    root = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
    return isinstance(root, ast.Name) and root.id in ("log", "logs")


def _is_alias(node: ast.Assign) -> bool:
    target = node.targets[0]
    return isinstance(target, ast.Name) and target.id in (
        "Place",
        "Item",
        "Handler",
        "ProcessorFactory",
        "__slots__",
    )


def _changes(node: ast.AST, where: Field) -> Iterator[tuple[str, ast.AST]]:
    """What a node may be changed to."""
    yield from _changed_expression(node)
    yield from _changed_statement(node, where)
    if _is_condition(where) and isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Await):
        yield "negate", ast.UnaryOp(ast.Not(), node)


def _changed_expression(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare():
            yield from _compared(node)
        case ast.BoolOp():
            swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "and/or", ast.BoolOp(swapped, node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield "not", node.operand
        case ast.UnaryOp(op=ast.USub()):
            yield "sign", node.operand
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            yield "arithmetic", ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
        case ast.Constant():
            for value in _other_constants(node.value):
                yield "constant", ast.Constant(value)
        case ast.Call():
            yield from _called(node)


def _changed_statement(node: ast.AST, where: Field) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        yield "arithmetic", ast.AugAssign(node.target, _ARITHMETIC[type(node.op)](), node.value)
    if isinstance(node, _REMOVABLE) and where[1] in ("body", "orelse", "finalbody") and _matters(node):
        yield "remove", ast.Pass()
    if isinstance(node, ast.Return):
        nothing = node.value is None or _is_none(node.value)
        yield ("remove", ast.Pass()) if nothing else ("return", ast.Return(ast.Constant(None)))


def _compared(node: ast.Compare) -> Iterator[tuple[str, ast.AST]]:
    for place, op in enumerate(node.ops):
        for other in _COMPARISONS.get(type(op), ()):
            ops = [*node.ops[:place], other(), *node.ops[place + 1 :]]
            yield "compare", ast.Compare(node.left, ops, node.comparators)


def _called(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        other = ast.Name(_CALLS[node.func.id], ast.Load())
        yield "call", ast.Call(ast.copy_location(other, node.func), node.args, node.keywords)
    for place, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            rest = [*node.keywords[:place], *node.keywords[place + 1 :]]
            yield "keyword", ast.Call(node.func, node.args, rest)


def _other_constants(value: object) -> tuple[str | int | float, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1, value - 1)
    if isinstance(value, float):
        return (value + 1, value / 2) if value else (1.0,)
    if isinstance(value, str):
        return (value + "~",)
    return ()


def _is_condition(where: Field) -> bool:
    parent, name, _place = where
    if isinstance(parent, ast.BoolOp):
        return name == "values"
    return name in ("test", "ifs")


def _matters(node: ast.AST) -> bool:
    """An assignment to a plain name is not removed: what follows would stumble over the name."""
    return not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name)


def _is_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _short(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())
