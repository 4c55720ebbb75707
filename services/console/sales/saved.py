"""Saved queries: files of SQL with a head that says what they answer and what they are asked with. Pure.

/*
title = "..."
description = "..."
[parameters.year]
type = "integer"                  # or text, date
description = "..."
default = 2011                    # what is asked for where nothing is given; without it, it has to be given
minimum = 1                       # of an integer; of a text `max_length`
maximum = 9999
*/
SELECT ... :year
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from services.console.sales import statement
from services.kernel.core.http_parameters import InvalidParameter
from services.kernel.core.questions import Question

FOLDER = Path(__file__).parents[1] / "queries"
_FILE = re.compile(r"/\*\n(?P<head>.*?)\n\*/\n(?P<sql>.*)", re.DOTALL)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
Given = int | str | date


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What a query is asked with.

    Args:
        type: integer, text or date.
        default: as text; None where it has to be given.
        minimum, maximum: of an integer, inclusive.
        max_length: of a text, in characters.
    """

    name: str
    type: str
    description: str
    default: str | None = None
    minimum: int = 0
    maximum: int = 0
    max_length: int = 0

    @property
    def expected(self) -> str:
        """What is taken, for people."""
        return {
            "integer": f"a whole number from {self.minimum} to {self.maximum}",
            "date": "a day such as 2011-12-09",
            "text": f"a text of at most {self.max_length} characters",
        }[self.type]

    def value(self, text: str) -> Given:
        """Read a value.

        Raises:
            InvalidParameter: it is not what is expected.
        """
        found: Given | None = None
        if self.type == "integer" and _WHOLE_NUMBER.fullmatch(text):
            found = int(text) if self.minimum <= int(text) <= self.maximum else None
        elif self.type == "date":
            found = day(text)
        elif self.type == "text" and len(text) <= self.max_length and text.isprintable():
            found = text
        if found is None:
            raise InvalidParameter(self.name, self.expected)
        return found


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """One file.

    Args:
        sql: in Athena's dialect, its parameters as `:name`.
    """

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    sql: str

    def asked(self, given: Mapping[str, str]) -> Question:
        """The question with these parameters, and the defaults of others.

        Raises:
            InvalidParameter: one is not known, is not what is expected, or is missing.
        """
        known = {parameter.name for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise InvalidParameter(name[:64], f"parameters are {', '.join(sorted(known)) or 'none'}")
        return statement.checked(self.sql, {one.name: self._value(one, given) for one in self.parameters})

    def _value(self, parameter: Parameter, given: Mapping[str, str]) -> Given:
        text = given.get(parameter.name, parameter.default)
        if text is None:
            raise InvalidParameter(parameter.name, f"{parameter.expected}, which has to be given")
        return parameter.value(text)

    def document(self) -> dict[str, Any]:
        """What it is, for those who want to ask it."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "parameters": [
                {
                    "name": one.name,
                    "type": one.type,
                    "description": one.description,
                    "default": one.default,
                    "expected": one.expected,
                }
                for one in self.parameters
            ],
        }


def day(text: str) -> date | None:
    """Read a day, YYYY-MM-DD; None where it is none."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
    except ValueError:
        return None


@cache
def queries() -> Mapping[str, SavedQuery]:
    """Every saved query by its name."""
    return {
        path.stem: parse(path.stem, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.sql"))
    }


def parse(name: str, text: str) -> SavedQuery:
    """Read one file.

    Raises:
        ValueError: it has no head, a default that its own bounds refuse, or SQL that is not taken.
    """
    match = _FILE.fullmatch(text)
    if match is None:
        raise ValueError(f"{name}: a head between /* and */ has to come first")
    head = tomllib.loads(match["head"])
    parameters = tuple(
        Parameter(name=one, **{**stated, "default": _text(stated)})
        for one, stated in head.pop("parameters", {}).items()
    )
    for parameter in parameters:
        if parameter.default is not None:
            parameter.value(parameter.default)
    return SavedQuery(name, head.pop("title"), head.pop("description"), parameters, match["sql"].strip())


def _text(stated: Mapping[str, Any]) -> str | None:
    return str(stated["default"]) if "default" in stated else None
