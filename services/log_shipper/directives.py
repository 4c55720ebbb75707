"""What each directive of mod_log_config writes, and which field of an entry it is.

Source: Apache httpd 2.4, mod_log_config "Custom Log Formats", mod_logio, mod_ssl.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from services.log_shipper.format_tokens import Directive, wrong


class Kind(Enum):
    """How a value looks on the line."""

    WORD = auto()  # never holds a blank or a quote
    ADDRESS = auto()  # a word that may hold colons
    NUMBER = auto()  # a word that never holds a colon
    TEXT = auto()  # whatever somebody sent, escaped
    QUERY = auto()  # nothing, or a question mark and text
    CLF_TIME = auto()  # [day/month/year:hour:minute:second zone]
    TIME = auto()  # by a strftime format of its own


@dataclass(frozen=True, slots=True)
class Rule:
    """What is known of a directive.

    Args:
        arguments: what may stand in braces; None for any text, which then must be there; empty for nothing.
        argument_optional: whether it may also stand without braces.
    """

    kind: Kind
    arguments: tuple[str, ...] | None = ()
    argument_optional: bool = True


_NAMED = Rule(Kind.TEXT, None, argument_optional=False)
RULES = {
    "a": Rule(Kind.ADDRESS, ("c",)),
    "A": Rule(Kind.ADDRESS),
    "B": Rule(Kind.NUMBER),
    "b": Rule(Kind.NUMBER),
    "C": _NAMED,
    "c": _NAMED,
    "D": Rule(Kind.NUMBER),
    "e": _NAMED,
    "f": Rule(Kind.TEXT),
    "h": Rule(Kind.ADDRESS, ("c",)),
    "H": Rule(Kind.WORD),
    "i": _NAMED,
    "I": Rule(Kind.NUMBER),
    "k": Rule(Kind.NUMBER),
    "l": Rule(Kind.WORD),
    "L": Rule(Kind.WORD),
    "m": Rule(Kind.WORD),
    "n": _NAMED,
    "o": _NAMED,
    "O": Rule(Kind.NUMBER),
    "p": Rule(Kind.NUMBER, ("canonical", "local", "remote")),
    "P": Rule(Kind.WORD, ("pid", "tid", "hextid")),
    "q": Rule(Kind.QUERY),
    "r": Rule(Kind.TEXT),
    "R": Rule(Kind.WORD),
    "s": Rule(Kind.NUMBER),
    "S": Rule(Kind.NUMBER),
    "t": Rule(Kind.CLF_TIME, None),
    "T": Rule(Kind.NUMBER, ("ms", "us", "s")),
    "u": Rule(Kind.TEXT),
    "U": Rule(Kind.TEXT),
    "v": Rule(Kind.ADDRESS),
    "V": Rule(Kind.ADDRESS),
    "x": _NAMED,
    "X": Rule(Kind.WORD),
    "^ti": _NAMED,
    "^to": _NAMED,
    "^FB": Rule(Kind.NUMBER),
}
# Sent texts that hold blanks by nature: between blanks nobody can tell where they end.
_HAVE_BLANKS = {
    "user-agent",
    "cookie",
    "accept",
    "accept-language",
    "accept-encoding",
    "date",
    "authorization",
}


class Home(Enum):
    """Where an entry keeps a value."""

    ADDRESS = auto()
    USER = auto()
    TIME = auto()
    REQUEST = auto()
    METHOD = auto()
    PATH = auto()
    QUERY = auto()
    VERSION = auto()
    STATUS = auto()
    SIZE = auto()
    DURATION = auto()
    SERVER = auto()
    REFERRER = auto()
    AGENT = auto()
    EXTRA = auto()


# Of several directives for one field the lowest rank has it, then the first; the others are extra.
_HOMES = {
    "a": (Home.ADDRESS, 0),
    "h": (Home.ADDRESS, 0),
    "%{c}a": (Home.ADDRESS, 1),
    "%{c}h": (Home.ADDRESS, 1),
    "u": (Home.USER, 0),
    "r": (Home.REQUEST, 0),
    "m": (Home.METHOD, 0),
    "U": (Home.PATH, 0),
    "q": (Home.QUERY, 0),
    "H": (Home.VERSION, 0),
    "%>s": (Home.STATUS, 0),
    "s": (Home.STATUS, 1),
    "b": (Home.SIZE, 0),
    "B": (Home.SIZE, 0),
    "O": (Home.SIZE, 1),
    "D": (Home.DURATION, 0),
    "%{us}T": (Home.DURATION, 0),
    "%{ms}T": (Home.DURATION, 1),
    "T": (Home.DURATION, 2),
    "v": (Home.SERVER, 0),
    "V": (Home.SERVER, 0),
    "%{referer}i": (Home.REFERRER, 0),
    "%{user-agent}i": (Home.AGENT, 0),
}
_PARTS_OF_REQUEST = (Home.METHOD, Home.PATH, Home.QUERY, Home.VERSION)
NANOSECONDS = {"D": 1000, "us": 1000, "ms": 1_000_000, "s": 1_000_000_000, "T": 1_000_000_000}


def rule(directive: Directive) -> Rule:
    """Look up what a directive writes.

    Raises:
        Misconfigured: there is no such directive, or not with this argument.
    """
    known = RULES.get(directive.letter)
    if known is None:
        raise wrong(directive.place, f"{directive.name} is no directive of mod_log_config")
    if directive.argument is None:
        if not known.argument_optional:
            raise wrong(directive.place, f"{directive.name} needs a name in braces")
    elif known.arguments is not None and directive.argument not in known.arguments:
        allowed = " or ".join(known.arguments) or "no argument"
        raise wrong(directive.place, f"{directive.name}: %{directive.letter} takes {allowed}")
    return known


def holds_blanks(directive: Directive) -> bool:
    """Whether what it writes mostly holds blanks."""
    if directive.letter == "r":
        return True
    return directive.letter == "i" and (directive.argument or "").lower() in _HAVE_BLANKS


def homes(directives: Sequence[Directive]) -> list[Home]:
    """Say for each directive of a format which field it fills; no field but TIME and EXTRA twice."""
    ranked = [_ranked(directive) for directive in directives]
    best: dict[Home, tuple[int, int]] = {}
    for index, (home, rank) in enumerate(ranked):
        best[home] = min(best.get(home, (rank, index)), (rank, index))
    found = []
    for index, (home, _) in enumerate(ranked):
        displaced = best[home][1] != index and home is not Home.TIME
        displaced |= home in _PARTS_OF_REQUEST and Home.REQUEST in best
        found.append(Home.EXTRA if displaced else home)
    return found


def _ranked(directive: Directive) -> tuple[Home, int]:
    if directive.letter == "t":
        ends = (directive.argument or "").startswith("end:")
        return (Home.EXTRA, 0) if ends else (Home.TIME, 0)
    name = directive.name.lower() if directive.letter == "i" else directive.name
    return _HOMES.get(name) or _HOMES.get(directive.letter) or (Home.EXTRA, 0)
