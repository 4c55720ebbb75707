"""DynamoDB's expressions, as far as this project uses them, over typed items.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from services.kernel.core.errors import Refused

Item = dict[str, Any]
_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),+-]|[#:]?[A-Za-z_][A-Za-z0-9_.-]*)")


class Expression:
    """One expression at work on one item.

    Args:
        names, values: the placeholders' meaning.
        item: attributes as they stand; empty where there is no item.
    """

    def __init__(
        self, text: str, names: Mapping[str, str] | None, values: Mapping[str, Any] | None, item: Item
    ) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._names = names or {}
        self._values = values or {}
        self._item = item

    def holds(self) -> bool:
        """Evaluate a condition."""
        result = self._or()
        if self._peek():
            raise Refused(f"an expression goes on after its end: {self._peek()}")
        return result

    def updated(self) -> Item:
        """Apply an update expression and return the new item."""
        new = dict(self._item)
        while self._peek():
            clause = self._next().upper()
            while True:
                self._change(clause, new)
                if self._peek() != ",":
                    break
                self._next()
        return new

    def _change(self, clause: str, new: Item) -> None:
        name = self._name(self._next())
        if clause == "REMOVE":
            new.pop(name, None)
        elif clause == "ADD":
            amount = self._operand()
            old = self._item.get(name, {"N": "0"})
            new[name] = {"N": str(Decimal(old["N"]) + Decimal(amount["N"]))}
        elif clause == "SET":
            self._expect("=")
            value = self._operand()
            while self._peek() in ("+", "-"):
                sign = 1 if self._next() == "+" else -1
                value = {"N": str(Decimal(value["N"]) + sign * Decimal(self._operand()["N"]))}
            new[name] = value
        else:
            raise Refused(f"unknown clause {clause}")

    def _or(self) -> bool:
        result = self._and()
        while self._keyword("OR"):
            right = self._and()
            result = result or right
        return result

    def _and(self) -> bool:
        result = self._not()
        while self._keyword("AND"):
            right = self._not()
            result = result and right
        return result

    def _not(self) -> bool:
        if self._keyword("NOT"):
            return not self._not()
        if self._peek() == "(":
            self._next()
            result = self._or()
            self._expect(")")
            return result
        return self._predicate()

    def _predicate(self) -> bool:
        if self._peek() in ("attribute_exists", "attribute_not_exists", "begins_with"):
            function = self._next()
            self._expect("(")
            name = self._name(self._next())
            if function == "begins_with":
                self._expect(",")
                start = self._operand()
                self._expect(")")
                held = self._item.get(name)
                return held is not None and held.get("S", "").startswith(start["S"])
            self._expect(")")
            return (name in self._item) == (function == "attribute_exists")
        left = self._operand()
        operator = self._next()
        if operator.upper() == "BETWEEN":
            low = self._operand()
            if not self._keyword("AND"):
                raise Refused("BETWEEN without AND")
            return _compare(">=", left, low) and _compare("<=", left, self._operand())
        if operator.upper() == "IN":
            self._expect("(")
            found = _compare("=", left, self._operand())
            while self._peek() == ",":
                self._next()
                found = _compare("=", left, self._operand()) or found
            self._expect(")")
            return found
        return _compare(operator, left, self._operand())

    def _operand(self) -> Any:
        token = self._next()
        if token == "if_not_exists":
            self._expect("(")
            name = self._name(self._next())
            self._expect(",")
            other = self._operand()
            self._expect(")")
            return self._item.get(name, other)
        if token.startswith(":"):
            if token not in self._values:
                raise Refused(f"no value for {token}")
            return self._values[token]
        return self._item.get(self._name(token))

    def _name(self, token: str) -> str:
        if not token.startswith("#"):
            return token
        if token not in self._names:
            raise Refused(f"no name for {token}")
        return self._names[token]

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise Refused("an expression ends too early")
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise Refused(f"an expression lacks {token}")

    def _keyword(self, word: str) -> bool:
        if self._peek().upper() == word:
            self._at += 1
            return True
        return False


def comparable(value: Mapping[str, Any]) -> Any:
    """What a typed value is ordered by."""
    kind, held = next(iter(value.items()))
    if kind == "N":
        return Decimal(held)
    return held.encode() if kind == "S" else held


def _compare(operator: str, left: Any, right: Any) -> bool:
    if left is None or right is None or set(left) != set(right):
        return operator == "<>"
    a, b = (comparable(side) for side in (left, right))
    results = {"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
    if operator not in results:
        raise Refused(f"unknown operator {operator}")
    return bool(results[operator])


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Refused(f"an expression is not understood at {at}")
        tokens.append(match[1])
        at = match.end()
    return tokens
