"""The query string: a bounded part of Lucene's syntax, read into a tree. Pure.

    status:404 AND path:/images/* AND NOT agent:"curl/7.1"      status:[500 TO 599]   size:>1000000
    googlebot (country:DE OR country:AT)                          ip:10.0.0.0/8         referrer:*

Clauses side by side must all match, as with AND; NOT binds closest, then AND, then OR. `+`, `-`, `!`, `&&` and `||`
mean what they mean in Lucene. Not taken, because each of them may cost more than a whole day's counting: patterns
that begin with a wildcard, regular expressions, fuzzy and proximity search; boosts have nothing to do here.

Source: https://lucene.apache.org/core/9_12_0/queryparser/org/apache/lucene/queryparser/classic/package-summary.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.console.logs.tokens import QuerySyntaxError, Range, Text, Token, tokens

MAX_CHARACTERS = 1_000
MAX_CLAUSES = 32
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Clause:
    """A field has a value; without a field, the value is anywhere.

    Args:
        name_at: where the field's name stands.
    """

    field: str | None
    value: Text | Range
    name_at: int = 1


@dataclass(frozen=True, slots=True)
class Not:
    """The inner one does not match."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Group:
    """All of them match, or any."""

    all_of: bool
    inner: tuple[Node, ...]


Node = Clause | Not | Group


def parse(text: str) -> Node | None:
    """Read a query string.

    Args:
        text: at most MAX_CHARACTERS.

    Returns:
        The tree, at most MAX_CLAUSES clauses and about MAX_DEPTH deep; None of a text that is empty.

    Raises:
        QuerySyntaxError: with the place and the reason.
    """
    if len(text) > MAX_CHARACTERS:
        raise QuerySyntaxError(MAX_CHARACTERS + 1, f"a query has at most {MAX_CHARACTERS} characters")
    found = tokens(text)
    if len(found) == 1:
        return None
    return _Parser(found).whole()


class _Parser:
    """Recursive descent over the tokens; the depth is bounded, so the recursion is."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._clauses = 0

    def whole(self) -> Node:
        node = self._any(None, 0)
        left = self._tokens[self._next]
        if left.kind != "END":
            raise QuerySyntaxError(left.at, "there is no ( for this )")
        return node

    def _any(self, field: Token | None, depth: int) -> Node:
        options = [self._all(field, depth)]
        while self._taken("OR"):
            options.append(self._all(field, depth))
        return options[0] if len(options) == 1 else Group(False, tuple(options))

    def _all(self, field: Token | None, depth: int) -> Node:
        needed = [self._one(field, depth)]
        while self._taken("AND") or self._tokens[self._next].kind not in ("OR", ")", "END"):
            needed.append(self._one(field, depth))
        return needed[0] if len(needed) == 1 else Group(True, tuple(needed))

    def _one(self, field: Token | None, depth: int) -> Node:
        token = self._tokens[self._next]
        self._next += 1
        if depth > MAX_DEPTH:
            raise QuerySyntaxError(token.at, f"a query is at most {MAX_DEPTH} deep")
        match token.kind:
            case "NOT":
                return Not(self._one(field, depth + 1))
            case "PLUS":
                return self._one(field, depth + 1)
            case "(":
                inner = self._any(field, depth + 1)
                if not self._taken(")"):
                    raise QuerySyntaxError(token.at, "this ( has no )")
                return inner
            case "FIELD" if field is None:
                return self._of_field(token, depth)
            case "FIELD":
                raise QuerySyntaxError(token.at, "there is a field before this group already")
            case "TEXT" | "RANGE" if token.value is not None:
                return self._clause(field, token.value, token.at)
        raise QuerySyntaxError(token.at, "a term is missing here")

    def _of_field(self, field: Token, depth: int) -> Node:
        if self._tokens[self._next].kind not in ("TEXT", "RANGE", "("):
            raise QuerySyntaxError(self._tokens[self._next].at, "a value has to follow the colon")
        return self._one(field, depth)

    def _clause(self, field: Token | None, value: Text | Range, at: int) -> Node:
        self._clauses += 1
        if self._clauses > MAX_CLAUSES:
            raise QuerySyntaxError(at, f"a query has at most {MAX_CLAUSES} clauses")
        if field is None:
            return Clause(None, value, at)
        return Clause(field.name, value, field.at)

    def _taken(self, kind: str) -> bool:
        if self._tokens[self._next].kind != kind:
            return False
        self._next += 1
        return True
