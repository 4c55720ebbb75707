"""The argument of `%{...}t`: a strftime format, or one of Apache's counts, as an expression and what to do with it.

Source: Apache httpd 2.4, mod_log_config, `%{format}t`; strftime(3) in the C locale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.log_shipper.event_time import Moment, month_number
from services.log_shipper.format_tokens import Directive, wrong

Put = Callable[[Moment, str], None]
_TWO = "[0-9]{2}"
_PADDED = "[ 0-9][0-9]"
_NAME = "[A-Za-z]{3,9}"


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How one `%{...}t` is read.

    Args:
        pattern: an expression that its value matches, without groups.
        partial: one that a beginning of its value matches, where a line is cut off.
        whole: `pattern` with one group for each of `puts`.
        sample: a value of this format.
    """

    pattern: str
    partial: str
    whole: re.Pattern[str]
    puts: tuple[Put, ...]
    sample: str

    def read(self, value: str, moment: Moment) -> None:
        """Put what the value says into the moment.

        Raises:
            ValueError: it is not of this format.
        """
        match = self.whole.fullmatch(value)
        if match is None:
            raise ValueError("not of the time format")
        for put, text in zip(self.puts, match.groups(), strict=True):
            put(moment, text)


def _number(field: str) -> Put:
    return lambda moment, text: setattr(moment, field, int(text))


def _short_year(moment: Moment, text: str) -> None:
    # POSIX: 69 to 99 are of the last century.
    moment.year = int(text) + (1900 if int(text) >= 69 else 2000)


def _month_name(moment: Moment, text: str) -> None:
    moment.month = month_number(text)


def _half_day(moment: Moment, text: str) -> None:
    moment.afternoon = text.upper() == "PM"


def _zone(moment: Moment, text: str) -> None:
    moment.zone = text


def _epoch(unit_us: int) -> Put:
    return lambda moment, text: setattr(moment, "epoch_us", int(text) * unit_us)


def _fraction(unit_us: int) -> Put:
    return lambda moment, text: setattr(moment, "fraction_us", int(text) * unit_us)


def _nothing(_: Moment, __: str) -> None:
    pass


_CONVERSIONS: dict[str, tuple[str, Put, str]] = {
    "Y": ("[0-9]{4}", _number("year"), "2010"),
    "y": (_TWO, _short_year, "10"),
    "m": (_TWO, _number("month"), "12"),
    "b": (_NAME, _month_name, "Dec"),
    "B": (_NAME, _month_name, "December"),
    "h": (_NAME, _month_name, "Dec"),
    "d": (_TWO, _number("day"), "01"),
    "e": (_PADDED, _number("day"), " 1"),
    "j": ("[0-9]{3}", _number("day_of_year"), "335"),
    "H": (_TWO, _number("hour"), "08"),
    "k": (_PADDED, _number("hour"), " 8"),
    "I": (_TWO, _number("hour"), "08"),
    "l": (_PADDED, _number("hour"), " 8"),
    "M": (_TWO, _number("minute"), "26"),
    "S": (_TWO, _number("second"), "00"),
    "p": ("[APap][Mm]", _half_day, "AM"),
    "P": ("[APap][Mm]", _half_day, "am"),
    "z": ("[+-][0-9]{4}", _zone, "+0000"),
    "Z": ("[A-Za-z0-9+-]{1,9}", _zone, "UTC"),
    "s": ("[0-9]{1,12}", _epoch(1_000_000), "1291191960"),
    "a": (_NAME, _nothing, "Wed"),
    "A": (_NAME, _nothing, "Wednesday"),
    "C": (_TWO, _nothing, "20"),
    "g": (_TWO, _nothing, "10"),
    "G": ("[0-9]{4}", _nothing, "2010"),
    "u": ("[1-7]", _nothing, "3"),
    "U": (_TWO, _nothing, "48"),
    "V": (_TWO, _nothing, "48"),
    "w": ("[0-6]", _nothing, "3"),
    "W": (_TWO, _nothing, "48"),
}
_SHORTHANDS = {
    "T": "%H:%M:%S",
    "R": "%H:%M",
    "X": "%H:%M:%S",
    "D": "%m/%d/%y",
    "x": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "r": "%I:%M:%S %p",
    "c": "%a %b %e %H:%M:%S %Y",
    "n": "\n",
    "t": "\t",
    "%": "%%",
}
_COUNTS: dict[str, tuple[str, Put, str]] = {
    "sec": ("[0-9]{1,12}", _epoch(1_000_000), "1291191960"),
    "msec": ("[0-9]{1,15}", _epoch(1000), "1291191960000"),
    "usec": ("[0-9]{1,18}", _epoch(1), "1291191960000000"),
    "msec_frac": ("[0-9]{3}", _fraction(1000), "000"),
    "usec_frac": ("[0-9]{6}", _fraction(1), "000000"),
}
_PART = re.compile(r"%(?:[EO_0^#-]?)(.)|([^%]+)|(%)", re.DOTALL)


def time_format(directive: Directive) -> TimeFormat:
    """Read the argument of a `%{...}t`, with or without begin: or end:.

    Raises:
        Misconfigured: it names a conversion that strftime in the C locale does not have, or that says no time.
    """
    argument = directive.argument or ""
    text = argument.removeprefix("begin:").removeprefix("end:") or "[%d/%b/%Y:%H:%M:%S %z]"
    if text in _COUNTS:
        pattern, put, sample = _COUNTS[text]
        return TimeFormat(pattern, _partial([pattern]), re.compile(f"({pattern})"), (put,), sample)
    grouped, sample = "", ""
    pieces: list[str] = []
    puts: list[Put] = []
    for part in _parts(text, directive):
        if len(part) == 2 and part[0] == "%" and part != "%%":
            pattern, put, example = _CONVERSIONS[part[1]]
            grouped, sample = grouped + f"({pattern})", sample + example
            pieces.append(pattern)
            puts.append(put)
        else:
            literal = "%" if part == "%%" else part
            grouped, sample = grouped + re.escape(literal), sample + literal
            pieces.append(re.escape(literal))
    return TimeFormat("".join(pieces), _partial(pieces), re.compile(grouped), tuple(puts), sample)


def _partial(pieces: Sequence[str]) -> str:
    """As many whole pieces as there are, and the begun next one: digits or letters."""
    return "(?:".join(("", *pieces)) + ")?" * len(pieces) + "[0-9A-Za-z+-]{0,9}"


def _parts(text: str, directive: Directive) -> list[str]:
    found: list[str] = []
    for match in _PART.finditer(text):
        letter, literal = match[1], match[2]
        if literal is not None:
            found.append(literal)
        elif letter == "%":
            found.append("%%")
        elif letter in _SHORTHANDS:
            found += _parts(_SHORTHANDS[letter], directive)
        elif letter in _CONVERSIONS:
            found.append(f"%{letter}")
        else:
            raise wrong(directive.place, f"{directive.name}: %{letter or ''} is no conversion of strftime")
    return found
