"""Query strings cut into words, phrases, ranges and signs, each with its place. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
class Token:
    """One piece of a query string.

    Args:
        kind: `(`, `)`, AND, OR, NOT, PLUS, FIELD, TEXT, RANGE or END.
        at: its place.
        name: of a FIELD.
        value: of a TEXT or a RANGE.
    """

    kind: str
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


def tokens(text: str) -> list[Token]:
    """Cut a query string into pieces; the last one is END.

    Raises:
        QuerySyntaxError: a piece is none, or one that is not taken.
    """
    found: list[Token] = []
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
    return [*found, Token("END", len(text) + 1)]


def _token(text: str, at: int, after_field: bool) -> tuple[Token, int]:
    place = at + 1
    if text[at] in "()":
        return Token(text[at], place), at + 1
    if text[at] == '"':
        return _phrase(text, at)
    if text[at] in "[{":
        return _range(text, at)
    if after_field and (compared := _COMPARISON.match(text, at)) is not None:
        return _comparison(text, at, compared[1])
    if not after_field:
        if (named := _FIELD.match(text, at)) is not None:
            return Token("FIELD", place, name=named[0]), named.end() + 1
        if text[at] in "+-!":
            return Token("NOT" if text[at] != "+" else "PLUS", place), at + 1
    word = _WORD.match(text, at)
    if word is None:
        raise QuerySyntaxError(place, f"{text[at]!a} does not belong here")
    if not after_field and (operator := _OPERATORS.get(word[0])) is not None:
        return Token(operator, place), word.end()
    return Token("TEXT", place, value=_word(word[0], place)), word.end()


def _phrase(text: str, at: int) -> tuple[Token, int]:
    found = _PHRASE.match(text, at)
    if found is None:
        raise QuerySyntaxError(at + 1, "the quotes have no end")
    end = found.end()
    if text[end : end + 1] in ("~", "^"):
        raise QuerySyntaxError(end + 1, "proximity search and boosts are not taken")
    literal = re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)
    return Token("TEXT", at + 1, value=_checked(Text((literal,), quoted=True, at=at + 1))), end


def _range(text: str, at: int) -> tuple[Token, int]:
    found = _RANGE.match(text, at)
    if found is None:
        raise QuerySyntaxError(at + 1, "a range is [low TO high] or {low TO high}")
    low, high = (
        None if found[group] == "*" else _literal(found[group], found.start(group) + 1) for group in (2, 3)
    )
    value = Range(low, high, found[1] == "[", found[4] == "]", at + 1)
    return Token("RANGE", at + 1, value=value), found.end()


def _comparison(text: str, at: int, sign: str) -> tuple[Token, int]:
    start = at + len(sign)
    word = _WORD.match(text, start)
    if word is None:
        raise QuerySyntaxError(start + 1, f"a number has to follow {sign}")
    bound = _literal(word[0], start + 1)
    low, high = (bound, None) if sign[0] == ">" else (None, bound)
    return Token("RANGE", at + 1, value=Range(low, high, sign == ">=", sign == "<=", at + 1)), word.end()


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
