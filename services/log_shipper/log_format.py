"""A LogFormat, compiled once into what reads its lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from services.log_shipper.directives import Home, Kind
from services.log_shipper.event_time import Moment
from services.log_shipper.format_tokens import MAX_DIRECTIVES, Directive, tokens, wrong
from services.log_shipper.value_patterns import Value, values

# Source: Apache httpd 2.4, "Log Files" (common, combined) and Debian's apache2.conf (vhost_combined).
COMMON = '%h %l %u %t "%r" %>s %b'
COMBINED = COMMON + ' "%{Referer}i" "%{User-Agent}i"'
VHOST_COMBINED = '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"'
NAMED_FORMATS = {"common": COMMON, "combined": COMBINED, "vhost_combined": VHOST_COMBINED}


class Fit(Enum):
    """How far a line is of a format."""

    WHOLE = auto()
    CUT_OFF = auto()
    NOT = auto()


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A compiled LogFormat.

    Args:
        text: the LogFormat string.
        values: its directives in order.
    """

    text: str
    values: tuple[Value, ...]
    _whole: re.Pattern[str]
    _beginning: re.Pattern[str]
    _partial: tuple[re.Pattern[str], ...]
    # So many values at least tell a line of this format from any text.
    _telling: int

    def match(self, line: str) -> tuple[Fit, Sequence[str]]:
        """Read a line, in time linear in its length for each directive.

        Args:
            line: without its end.

        Returns:
            how far it fits, and the values of as many directives, from the first on, as stand there in full.
        """
        whole = self._whole.fullmatch(line)
        if whole is not None:
            return Fit.WHOLE, whole.groups()
        beginning = self._beginning.match(line)
        if beginning is None:
            return Fit.NOT, ()
        count = beginning.lastindex or 0
        if not self._telling <= count < len(self.values):
            return Fit.NOT, beginning.groups()[:count]
        cut = self._partial[count].fullmatch(line, beginning.end())
        return Fit.NOT if cut is None else Fit.CUT_OFF, beginning.groups()[:count]


def compile_format(format_or_name: str) -> LogFormat:
    """Compile a LogFormat string, or one of the names `common`, `combined` and `vhost_combined`.

    Raises:
        Misconfigured: it is wrong, or its lines could be read in more than one way; the message says where.
    """
    text = NAMED_FORMATS.get(format_or_name, format_or_name)
    parts = tokens(text)
    directives = [part for part in parts if isinstance(part, Directive)]
    if not directives:
        raise wrong(1, "no directive")
    if len(directives) > MAX_DIRECTIVES:
        raise wrong(directives[MAX_DIRECTIVES].place, f"more than {MAX_DIRECTIVES} directives")
    found = values(parts)
    literals = _literals(parts)
    _require_telling_colons(found, literals)
    _require_whole_time(found)
    return LogFormat(
        text,
        tuple(found),
        _whole(found, literals),
        _beginning(found, literals),
        tuple(map(_partial, found, literals[1:])),
        _telling(found, literals),
    )


def _require_telling_colons(found: Sequence[Value], literals: Sequence[str]) -> None:
    for index, value in enumerate(found):
        after, following = literals[index + 1], found[index + 1 : index + 2]
        if value.kind is not Kind.ADDRESS or not after.startswith(":"):
            continue
        if after != ":" or not following or following[0].kind is not Kind.NUMBER:
            raise wrong(value.directive.place, "after an address, a colon stands before a number only")


def _require_whole_time(found: Sequence[Value]) -> None:
    times = [value for value in found if value.home is Home.TIME]
    moment = Moment()
    try:
        for value in times:
            if value.time is not None:
                value.time.read(value.time.sample, moment)
        if times:
            moment.instant()
    except ValueError:
        raise wrong(
            times[0].directive.place, "the time directives together do not say day and time"
        ) from None


def _literals(parts: Sequence[str | Directive]) -> tuple[str, ...]:
    found = [""]
    for part in parts:
        if isinstance(part, str):
            found[-1] = part
        else:
            found.append("")
    return tuple(found)


def _whole(found: Sequence[Value], literals: Sequence[str]) -> re.Pattern[str]:
    pattern = re.escape(literals[0])
    for value, literal in zip(found, literals[1:], strict=True):
        pattern += f"({value.pattern}){re.escape(literal)}"
    return re.compile(pattern, re.DOTALL)


def _beginning(found: Sequence[Value], literals: Sequence[str]) -> re.Pattern[str]:
    """As many values as are followed by what must follow them: one within the other, each may be missing."""
    opening, closing = re.escape(literals[0]), ""
    together = False
    for index, (value, literal) in enumerate(zip(found, literals[1:], strict=True), 1):
        if not together:
            opening, closing = opening + "(?:", ")?" + closing
        last = index == len(found)
        opening += f"({value.pattern}){re.escape(literal)}" + (r"\Z" if last else "")
        together = not literal or value.needs_next
    return re.compile(opening + closing, re.DOTALL)


def _partial(value: Value, literal: str) -> re.Pattern[str]:
    ends = "|".join(re.escape(literal[:size]) for size in range(len(literal) - 1, 0, -1))
    return re.compile(f"{value.partial}(?:{ends})?", re.DOTALL)


def _telling(found: Sequence[Value], literals: Sequence[str]) -> int:
    """Words between blanks are any text; a time or another mark is not."""
    for index, (value, literal) in enumerate(zip(found, literals[1:], strict=True)):
        if value.kind in (Kind.CLF_TIME, Kind.TIME) or (literals[index] + literal).strip():
            return index + 1
    return len(found)
