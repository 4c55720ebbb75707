"""A LogFormat string taken apart into literal texts and directives."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.kernel.core.errors import Misconfigured

MAX_FORMAT_LENGTH = 4096
MAX_DIRECTIVES = 64
_MAX_ARGUMENT = 200
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
# Source: parse_log_item, Apache httpd 2.4, modules/loggers/mod_log_config.c: modifiers come in any order.
_DIRECTIVE = re.compile(
    r"%(?P<modifiers>(?:[!<>,0-9]|\{[^}]*\})*)(?P<letter>\^[A-Za-z]{2}|[A-Za-z%])", re.DOTALL
)
_MARKS = {True: ">", False: "<", None: ""}
_ARGUMENT = re.compile(r"\{([^}]*)\}", re.DOTALL)
_CONDITION = re.compile(r"!?(?:[0-9]{3}(?:,[0-9]{3})*)?")


@dataclass(frozen=True, slots=True)
class Directive:
    """One `%...` of a format.

    Args:
        letter: what it writes, such as `h`, or `^ti`.
        argument: the text in braces; None without braces.
        final: whether `>` asks for the final request of an internal redirect, False for `<`, None for neither.
        place: which character of the format it begins at, from 1.
    """

    letter: str
    argument: str | None
    final: bool | None
    place: int

    @property
    def name(self) -> str:
        """The directive without conditions, such as `%{X-Request-Id}i`."""
        argument = "" if self.argument is None else f"{{{self.argument}}}"
        return f"%{_MARKS[self.final]}{argument}{self.letter}"


def wrong(place: int, reason: str) -> Misconfigured:
    """The error of a format that cannot be used, with the character it is about, from 1."""
    return Misconfigured(f"LogFormat, character {place}: {reason}")


def tokens(text: str) -> list[str | Directive]:
    """Take a LogFormat apart.

    Returns:
        literal texts, their escapes read, and directives, in order; no two literals are neighbours.

    Raises:
        Misconfigured: it is no LogFormat; the message says where and why.
    """
    if len(text) > MAX_FORMAT_LENGTH:
        raise wrong(MAX_FORMAT_LENGTH, f"longer than {MAX_FORMAT_LENGTH} characters")
    found: list[str | Directive] = []
    literal = ""
    at = 0
    while at < len(text):
        if text[at] != "%":
            character, after = _literal(text, at)
            if character == "\n":
                raise wrong(at + 1, "an entry of several lines cannot be told from several entries")
            literal, at = literal + character, after
            continue
        match = _DIRECTIVE.match(text, at)
        if match is None:
            raise wrong(at + 1, "after % comes a letter, perhaps with {argument} and modifiers before it")
        at = match.end()
        if match["letter"] == "%":
            literal += "%"
            continue
        found += [literal] * bool(literal) + [_directive(match)]
        literal = ""
    return found + [literal] * bool(literal)


def _literal(text: str, at: int) -> tuple[str, int]:
    if text[at] == "\\" and text[at + 1 : at + 2] in _ESCAPES and at + 1 < len(text):
        return _ESCAPES[text[at + 1]], at + 2
    return text[at], at + 1


def _directive(match: re.Match[str]) -> Directive:
    place = match.start() + 1
    modifiers = match["modifiers"]
    arguments = _ARGUMENT.findall(modifiers)
    if len(arguments) > 1:
        raise wrong(place, "a directive has one {argument} at most")
    if arguments and not 0 < len(arguments[0]) <= _MAX_ARGUMENT:
        raise wrong(place, f"an argument has 1 to {_MAX_ARGUMENT} characters")
    marks = _ARGUMENT.sub("", modifiers)
    if _CONDITION.fullmatch(re.sub("[<>]", "", marks)) is None:
        raise wrong(place, f"{marks!r} is no condition such as 400,501 or !200,304")
    directions = re.findall("[<>]", marks)
    final = None if not directions else directions[-1] == ">"
    return Directive(match["letter"], arguments[0] if arguments else None, final, place)
