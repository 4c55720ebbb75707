"""What a value may look like where it stands in a format, so that each line can be read in one way only.

A quote ends a text for sure, for Apache escapes it; so does a tab outside quotes. Between two such marks at
most one text may hold blanks, because everything else there is counted in words. Where a format has more texts
between two marks, each ends at the next mark of its own kind, and a line that does not fit is not guessed at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from services.log_shipper.directives import Home, Kind, holds_blanks, homes, rule
from services.log_shipper.format_tokens import Directive, wrong
from services.log_shipper.time_format import TimeFormat, time_format

_ENDS_TEXT = '"\t'


@dataclass(frozen=True, slots=True)
class Value:
    """One directive where it stands.

    Args:
        pattern: an expression for its value, without groups.
        partial: an expression for a beginning of its value, where a line is cut off.
        time: how it is read, if it is a time.
    """

    directive: Directive
    home: Home
    kind: Kind
    pattern: str
    partial: str
    time: TimeFormat | None

    @property
    def needs_next(self) -> bool:
        """Whether only the next value shows where this one ended: it may hold what stands between them."""
        return self.pattern.endswith("*?)")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a directive stands: the texts beside it, and which stretch between marks it is in."""

    directive: Directive
    kind: Kind
    before: str
    after: str
    following: Directive | None
    in_quotes: bool
    stretch: int


def values(tokens: Sequence[str | Directive]) -> list[Value]:
    """Say how each directive of a format is read.

    Raises:
        Misconfigured: a directive is wrong, or nobody could tell where its value ends.
    """
    places = _places(tokens)
    texts = Counter(place.stretch for place in places if place.kind is Kind.TEXT)
    fills = homes([place.directive for place in places])
    return [
        _value(place, home, alone=texts[place.stretch] <= 1)
        for place, home in zip(places, fills, strict=True)
    ]


def _places(tokens: Sequence[str | Directive]) -> list[_Place]:
    found = []
    quotes = stretch = 0
    for index, token in enumerate(tokens):
        if isinstance(token, str):
            quotes += token.count('"')
            stretch += sum(map(token.count, _ENDS_TEXT))
            continue
        before, after = tokens[index - 1] if index else "", (*tokens[index + 1 :], "")[0]
        found.append(
            _Place(
                token,
                _kind(token),
                before if isinstance(before, str) else "",
                after if isinstance(after, str) else "",
                after if isinstance(after, Directive) else None,
                quotes % 2 == 1,
                stretch,
            )
        )
    return found


def _kind(directive: Directive) -> Kind:
    kind = rule(directive).kind
    return Kind.TIME if kind is Kind.CLF_TIME and directive.argument is not None else kind


def _value(place: _Place, home: Home, *, alone: bool) -> Value:
    _require_end(place)
    end = place.after[:1] or ("?" if _is_query(place.following) else "[" if place.following else "")
    time = None
    match place.kind:
        case Kind.CLF_TIME:
            pattern, partial = r'\[[^]\["]{0,64}\]', r'(?:\[[^]\["]{0,64}\]?)?'
            time = time_format(place.directive)
        case Kind.TIME:
            time = time_format(place.directive)
            pattern, partial = time.pattern, time.partial
        case Kind.TEXT:
            pattern, partial = _text(place, end, alone=alone), r'(?:[^"\\]|\\.)*+\\?'
        case Kind.QUERY:
            pattern = rf'(?:-|(?:\?(?:[^ "\\{re.escape(end)}]|\\.)*+)?)'
            partial = r'(?:[^ "\\]|\\.)*+\\?'
        case _:
            pattern, partial = _word(place.kind, end), r'(?:[^ \t"\\]|\\.)*+\\?'
    return Value(place.directive, home, place.kind, pattern, partial, time)


def _is_query(directive: Directive | None) -> bool:
    return directive is not None and directive.letter == "q"


def _require_end(place: _Place) -> None:
    directive, end = place.directive, place.after[:1]
    if place.following is not None and not _may_touch(directive, place.following):
        raise wrong(
            place.following.place,
            f"nothing stands between {directive.name} and {place.following.name}: "
            "nobody can tell where the first ends",
        )
    if place.kind in (Kind.CLF_TIME, Kind.TIME) or not end:
        return
    taken = end.isdigit() if place.kind is Kind.NUMBER else end.isalnum()
    taken |= place.kind is Kind.ADDRESS and end in ".-"
    if taken:
        raise wrong(directive.place, f"{directive.name} may itself hold the {end!r} that should end it")


def _may_touch(first: Directive, second: Directive) -> bool:
    if first.letter == "U" and second.letter == "q":
        return True
    fraction = (second.argument or "").removeprefix("begin:").removeprefix("end:")
    if first.letter == "t":
        return first.argument is None or fraction in ("msec_frac", "usec_frac")
    # The bracket that begins a time cannot be part of a word.
    return second.letter == "t" and second.argument is None and rule(first).kind is not Kind.TEXT


def _word(kind: Kind, end: str) -> str:
    if kind is Kind.ADDRESS and end == ":":
        # The last colon ends it, for addresses of IPv6 have more of them; a number follows.
        return r'[^ \t"\\]+'
    colon = ":" if kind is Kind.NUMBER else ""
    atoms = rf'(?:[^ \t"\\{colon}{re.escape(end)}]|\\.)++'
    return f"(?:-|{atoms})" if end == "-" else atoms


def _text(place: _Place, end: str, *, alone: bool) -> str:
    tab = "" if place.in_quotes and end != "\t" else r"\t"
    nothing = '""|' if place.directive.letter == "u" and not place.in_quotes else ""
    if (end and end in _ENDS_TEXT) or (alone and not end):
        return rf'(?:{nothing}[^"\\{tab}]*+(?:\\.[^"\\{tab}]*+)*+)'
    if alone:
        mark = r"?" if end == "?" else ""
        return rf'(?:{nothing}(?:[^"\\{tab}{mark}]|\\.)*?)'
    end = end or place.before[-1:]
    if end != " ":
        return rf'(?:{nothing}(?:[^"\\{tab}{re.escape(end)}]|\\.)*+)'
    if holds_blanks(place.directive):
        raise wrong(
            place.directive.place,
            f"{place.directive.name} holds blanks, and it is not alone between quotes or tabs: "
            "put it into quotes",
        )
    # Lists of addresses, such as those of X-Forwarded-For, have a blank after each comma.
    return rf'(?:{nothing}(?:[^"\\ ,{tab}]|\\.|, ?)*+)'
