"""The query string: a bounded part of Lucene's syntax, read into a tree. Pure.

    status:404 AND path:/images/* AND NOT agent:"curl/7.1"      status:[500 TO 599]   size:>1000000
    googlebot (country:DE OR country:AT)                          ip:10.0.0.0/8         referrer:*

Clauses side by side must all match, as with AND; NOT binds closest, then AND, then OR. `+`, `-`, `!`, `&&` and `||`
mean what they mean in Lucene. Not taken, because each of them may cost more than a whole day's counting: patterns
that begin with a wildcard, regular expressions, fuzzy and proximity search; boosts have nothing to do here.

Source: https://lucene.apache.org/core/9_12_0/queryparser/org/apache/lucene/queryparser/classic/package-summary.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_CHARACTERS = 1_000
MAX_CLAUSES = 32
MAX_DEPTH = 8
MAX_TERM_CHARACTERS = 256


class QuerySyntaxError(Exception):
    """The query string is not of this syntax, or beyond its bounds.

    Args:
        at: the place, counted in characters from 1.
        reason: what is wrong there, for people.
    """

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(f"at character {at}: {reason}")


@dataclass(frozen=True, slots=True)
class Text:
    """A word or a phrase.

    Args:
        parts: the literal texts between wildcards; one part is a plain text.
        wildcards: `*` or `?`, one between any two parts.
        quoted: whether it stood in quotes.
        at: its place.
    """

    parts: tuple[str, ...]
    wildcards: str = ""
    quoted: bool = False
    at: int = 1


@dataclass(frozen=True, slots=True)
class Range:
    """From one text to another; None is without a bound."""

    low: Text | None
    high: Text | None
    includes_low: bool = True
    includes_high: bool = True
    at: int = 1


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


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # ( ) AND OR NOT FIELD TEXT RANGE END
    at: int
    name: str = ""
    value: Text | Range | None = None


_BLANK = re.compile(r"[ \t\r\n]+")
_FIELD = re.compile(r"[@A-Za-z_][@A-Za-z0-9_.]*(?=:)")
_WORD = re.compile(r'(?:\\[^\x00-\x1f]|[^\s()\[\]{}"\\\x00-\x1f])+')
_PHRASE = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_RANGE = re.compile(r"([\[{])\s*(\S+)\s+TO\s+([^\s\]}]+)\s*([\]}])")
_COMPARISON = re.compile(r"(>=|<=|>|<)")
_BOOST = re.compile(r"\^[0-9.]+\Z")
_FUZZY = re.compile(r"~[0-9.]*\Z")
_REGEX = re.compile(r"/.*[*+?|$^\\].*/\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_OPERATORS = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR", "NOT": "NOT", "!": "NOT"}


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
    tokens = _tokens(text)
    if len(tokens) == 1:
        return None
    return _Parser(tokens).whole()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at, after_field = 0, False
    while at < len(text):
        blank = _BLANK.match(text, at)
        if blank is not None:
            if after_field:
                raise QuerySyntaxError(at + 1, "a value has to follow the colon at once")
            at = blank.end()
            continue
        token, at = _token(text, at, after_field)
        after_field = token.kind == "FIELD"
        found.append(token)
    return [*found, _Token("END", len(text) + 1)]


def _token(text: str, at: int, after_field: bool) -> tuple[_Token, int]:
    place = at + 1
    if text[at] in "()":
        return _Token(text[at], place), at + 1
    if text[at] == '"':
        return _phrase(text, at)
    if text[at] in "[{":
        return _range(text, at)
    if after_field and (compared := _COMPARISON.match(text, at)) is not None:
        return _comparison(text, at, compared[1])
    if not after_field:
        if (named := _FIELD.match(text, at)) is not None:
            return _Token("FIELD", place, name=named[0]), named.end() + 1
        if text[at] in "+-!":
            return _Token("NOT" if text[at] != "+" else "PLUS", place), at + 1
    word = _WORD.match(text, at)
    if word is None:
        raise QuerySyntaxError(place, f"{text[at]!a} does not belong here")
    if not after_field and (operator := _OPERATORS.get(word[0])) is not None:
        return _Token(operator, place), word.end()
    return _Token("TEXT", place, value=_word(word[0], place)), word.end()


def _phrase(text: str, at: int) -> tuple[_Token, int]:
    found = _PHRASE.match(text, at)
    if found is None:
        raise QuerySyntaxError(at + 1, "the quotes have no end")
    end = found.end()
    if text[end : end + 1] in ("~", "^"):
        raise QuerySyntaxError(end + 1, "proximity search and boosts are not taken")
    literal = re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)
    return _Token("TEXT", at + 1, value=_checked(Text((literal,), quoted=True, at=at + 1))), end


def _range(text: str, at: int) -> tuple[_Token, int]:
    found = _RANGE.match(text, at)
    if found is None:
        raise QuerySyntaxError(at + 1, "a range is [low TO high] or {low TO high}")
    low, high = (
        None if found[group] == "*" else _literal(found[group], found.start(group) + 1) for group in (2, 3)
    )
    value = Range(low, high, found[1] == "[", found[4] == "]", at + 1)
    return _Token("RANGE", at + 1, value=value), found.end()


def _comparison(text: str, at: int, sign: str) -> tuple[_Token, int]:
    start = at + len(sign)
    word = _WORD.match(text, start)
    if word is None:
        raise QuerySyntaxError(start + 1, f"a number has to follow {sign}")
    bound = _literal(word[0], start + 1)
    low, high = (bound, None) if sign[0] == ">" else (None, bound)
    return _Token("RANGE", at + 1, value=Range(low, high, sign == ">=", sign == "<=", at + 1)), word.end()


def _literal(word: str, at: int) -> Text:
    found = _word(word.strip('"') or word, at)
    if found.wildcards:
        raise QuerySyntaxError(at, "a range's end has no wildcard")
    return found


def _word(raw: str, at: int) -> Text:
    if _BOOST.search(raw) is not None:
        raise QuerySyntaxError(at, "boosts are not taken")
    if _FUZZY.search(raw) is not None and not raw.endswith("\\~"):
        raise QuerySyntaxError(at, "fuzzy search is not taken; a ~ at the end needs a \\ before it")
    if len(raw) > 1 and _REGEX.match(raw) is not None:
        raise QuerySyntaxError(at, "regular expressions are not taken; a path goes into quotes")
    parts, wildcards, current = [], "", ""
    characters = iter(raw)
    for character in characters:
        if character == "\\":
            current += next(characters)
        elif character in "*?":
            parts.append(current)
            wildcards, current = wildcards + character, ""
        else:
            current += character
    return _checked(Text((*parts, current), wildcards, at=at))


def _checked(text: Text) -> Text:
    if sum(map(len, text.parts)) > MAX_TERM_CHARACTERS:
        raise QuerySyntaxError(text.at, f"a term has at most {MAX_TERM_CHARACTERS} characters")
    if any(_CONTROL.search(part) for part in text.parts):
        raise QuerySyntaxError(text.at, "a term has no control characters")
    return text


class _Parser:
    """Recursive descent over the tokens; the depth is bounded, so the recursion is."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._clauses = 0

    def whole(self) -> Node:
        node = self._any(None, 0)
        left = self._tokens[self._next]
        if left.kind != "END":
            raise QuerySyntaxError(left.at, "there is no ( for this )")
        return node

    def _any(self, field: _Token | None, depth: int) -> Node:
        options = [self._all(field, depth)]
        while self._taken("OR"):
            options.append(self._all(field, depth))
        return options[0] if len(options) == 1 else Group(False, tuple(options))

    def _all(self, field: _Token | None, depth: int) -> Node:
        needed = [self._one(field, depth)]
        while self._taken("AND") or self._tokens[self._next].kind not in ("OR", ")", "END"):
            needed.append(self._one(field, depth))
        return needed[0] if len(needed) == 1 else Group(True, tuple(needed))

    def _one(self, field: _Token | None, depth: int) -> Node:
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

    def _of_field(self, field: _Token, depth: int) -> Node:
        if self._tokens[self._next].kind not in ("TEXT", "RANGE", "("):
            raise QuerySyntaxError(self._tokens[self._next].at, "a value has to follow the colon")
        return self._one(field, depth)

    def _clause(self, field: _Token | None, value: Text | Range, at: int) -> Node:
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
