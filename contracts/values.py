"""The keys of one TOML table, each taken once and checked."""

from __future__ import annotations

import re
from typing import Any

from contracts.profile import ProfileError

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class Values:
    """The keys of one TOML table, each taken once; what nobody took is an error."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = dict(values)

    def text(self, key: str, *allowed: str) -> str:
        """Take a text, one of `allowed` if any are given."""
        value = self._take(key, str)
        if not value.strip() or (allowed and value not in allowed):
            raise ProfileError(f"{key} must be {' or '.join(allowed) or 'a text'}")
        return str(value)

    def optional(self, key: str) -> str | None:
        """Take a text that may be left out."""
        return self.text(key) if key in self._values else None

    def number(self, key: str, low: int, high: int) -> int:
        """Take a whole number from `low` to `high`."""
        value = self._take(key, int)
        if isinstance(value, bool) or not low <= value <= high:
            raise ProfileError(f"{key} must be {low} to {high}")
        return int(value)

    def names(self, key: str) -> tuple[str, ...]:
        """Take a list of different names, at least one."""
        value = self._take(key, list)
        if (
            not value
            or len(set(value)) != len(value)
            or not all(_NAME.fullmatch(str(name)) for name in value)
        ):
            raise ProfileError(f"{key} must be a list of different names")
        return tuple(value)

    def optional_names(self, key: str) -> tuple[str, ...]:
        """Take a list of different names that may be left out."""
        return self.names(key) if key in self._values else ()

    def table(self, key: str) -> Values:
        """Take a table of its own."""
        return Values(self._take(key, dict))

    def tables(self, key: str) -> list[Values]:
        """Take a list of tables that may be left out."""
        return [Values(value) for value in self._take(key, list)] if key in self._values else []

    def has(self, key: str) -> bool:
        """Say whether the key is there and not taken yet."""
        return key in self._values

    def end(self) -> None:
        """Refuse what nobody took."""
        if self._values:
            raise ProfileError(f"unknown: {', '.join(sorted(self._values))}")

    def _take(self, key: str, kind: type) -> Any:
        if key not in self._values:
            raise ProfileError(f"{key} is missing")
        value = self._values.pop(key)
        if not isinstance(value, kind):
            raise ProfileError(f"{key} must be a {kind.__name__}")
        return value
