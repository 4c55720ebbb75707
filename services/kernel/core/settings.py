"""Settings: one frozen dataclass a service, read once from the environment, every problem told at once."""

from __future__ import annotations

import dataclasses
import importlib
import math
import os
import re
import secrets
import socket
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from services.kernel.core.errors import Misconfigured

T = TypeVar("T")
_METADATA_KEY = "cadabra.setting"
_BOOLEANS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


@dataclass(frozen=True)
class _Setting:
    env: str
    help: str
    aliases: tuple[str, ...]
    secret: bool
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    pattern: str | None
    shown_default: str | None


def setting(
    env: str,
    *,
    help: str,
    default: Any = dataclasses.MISSING,
    default_factory: Callable[[], Any] | None = None,
    shown_default: str | None = None,
    aliases: Sequence[str] = (),
    secret: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] = (),
    pattern: str | None = None,
) -> Any:
    """Declare one field of a settings dataclass.

    The field's annotation gives the type: str, int, float, bool, Path, or one of these `| None`.

    Args:
        env: name of the environment variable; set but empty counts as not set.
        help: meaning and unit, one line for the README.
        default: value when it is not set; without one the setting is required.
        default_factory: makes the default at load time; `shown_default` is what the README prints for it.
        aliases: further variables, looked at in order when `env` is not set.
        secret: never shown, neither in repr nor in an error message.
        minimum, maximum: inclusive bounds of a number.
        choices: the allowed values.
        pattern: regular expression that the whole text must match.
    """
    meta = _Setting(
        env, help, tuple(aliases), secret, minimum, maximum, tuple(choices), pattern, shown_default
    )
    arguments: dict[str, Any] = {"metadata": {_METADATA_KEY: meta}, "repr": not secret, "kw_only": True}
    if default_factory is not None:
        arguments["default_factory"] = default_factory
    elif default is not dataclasses.MISSING:
        arguments["default"] = default
    return dataclasses.field(**arguments)


def load(cls: type[T], env: Mapping[str, str] | None = None) -> T:
    """Read a settings dataclass from the environment.

    Returns:
        The settings, every value checked.

    Raises:
        Misconfigured: something is missing or wrong; the message holds every problem, one a line.
    """
    source = os.environ if env is None else env
    values: dict[str, Any] = {}
    problems: list[str] = []
    hints = typing.get_type_hints(cls)
    for field, meta in _declared(cls):
        name, text = _lookup(meta, source)
        if text is None:
            if _required(field):
                problems.append(f"{meta.env} is not set ({meta.help})")
            continue
        try:
            values[field.name] = _checked(meta, _convert(hints[field.name], text))
        except ValueError as error:
            given = "the value given" if meta.secret else repr(text)
            problems.append(f"{name}: {given} {error}")
    if problems:
        raise Misconfigured("\n".join(problems))
    return cls(**values)


def describe(cls: type[Any]) -> list[dict[str, str]]:
    """List every setting of a class in order of declaration: env, type, default, help."""
    hints = typing.get_type_hints(cls)
    return [
        {
            "env": meta.env,
            "type": _type_text(hints[field.name], meta),
            "default": _default_text(field, meta),
            "help": meta.help,
        }
        for field, meta in _declared(cls)
    ]


def markdown(cls: type[Any]) -> str:
    """Render the settings as the Markdown table that a service's README carries."""
    rows = ["| variable | type | default | meaning |", "| --- | --- | --- | --- |"]
    for row in describe(cls):
        cells = (f"`{row['env']}`", row["type"], row["default"], row["help"])
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _declared(cls: type[Any]) -> list[tuple[dataclasses.Field[Any], _Setting]]:
    found = [(field, field.metadata.get(_METADATA_KEY)) for field in dataclasses.fields(cls)]
    return [(field, meta) for field, meta in found if meta is not None]


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _lookup(meta: _Setting, env: Mapping[str, str]) -> tuple[str, str | None]:
    for name in (meta.env, *meta.aliases):
        if env.get(name):
            return name, env[name]
    return meta.env, None


def _plain(hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next(arg for arg in typing.get_args(hint) if arg is not type(None))
    return hint


def _convert(hint: Any, text: str) -> Any:
    kind = _plain(hint)
    if kind is bool:
        if text.lower() not in _BOOLEANS:
            raise ValueError("is not a boolean (true or false)")
        return _BOOLEANS[text.lower()]
    if kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            raise ValueError("is not a whole number" if kind is int else "is not a number") from None
        if not math.isfinite(number):
            raise ValueError("is not a finite number")
        return number
    return kind(text)


def _checked(meta: _Setting, value: Any) -> Any:
    if meta.minimum is not None and value < meta.minimum:
        raise ValueError(f"is below {meta.minimum:g}")
    if meta.maximum is not None and value > meta.maximum:
        raise ValueError(f"is above {meta.maximum:g}")
    if meta.choices and value not in meta.choices:
        raise ValueError(f"is not one of {', '.join(meta.choices)}")
    if meta.pattern is not None and re.fullmatch(meta.pattern, str(value)) is None:
        raise ValueError(f"does not match {meta.pattern}")
    return value


def _type_text(hint: Any, meta: _Setting) -> str:
    text = "one of " + ", ".join(meta.choices) if meta.choices else str(_plain(hint).__name__).lower()
    if meta.minimum is not None and meta.maximum is not None:
        return f"{text}, {meta.minimum:g} to {meta.maximum:g}"
    if meta.minimum is not None:
        return f"{text}, at least {meta.minimum:g}"
    if meta.maximum is not None:
        return f"{text}, at most {meta.maximum:g}"
    return text


def _default_text(field: dataclasses.Field[Any], meta: _Setting) -> str:
    if meta.shown_default is not None:
        return meta.shown_default
    if _required(field):
        return "required"
    if field.default in (None, "", dataclasses.MISSING):
        return "none"
    return "hidden" if meta.secret else f"`{field.default}`"


def _instance_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """What every service is told; a service's own settings class adds to it."""

    namespace: str = setting(
        "CADABRA_NAMESPACE",
        default="cadabra",
        pattern=r"[a-z][a-z0-9-]{0,31}",
        help="prefix of every stream and table: `<namespace>-<name>`",
    )
    kinesis_endpoint: str | None = setting(
        "CADABRA_KINESIS_ENDPOINT", default=None, pattern=r"https?://.+", help="URL of Kinesis; unset on AWS"
    )
    dynamodb_endpoint: str | None = setting(
        "CADABRA_DYNAMODB_ENDPOINT",
        default=None,
        pattern=r"https?://.+",
        help="URL of DynamoDB; unset on AWS",
    )
    data_plane: str = setting(
        "CADABRA_DATA_PLANE",
        default="raw",
        choices=("raw", "sdk"),
        help="what PutRecords, GetRecords, PutItem, GetItem, Query and inserts go by: our own wire, or the SDK",
    )
    region: str = setting(
        "AWS_REGION", aliases=("AWS_DEFAULT_REGION",), default="us-east-1", help="AWS region"
    )
    host: str = setting("CADABRA_HOST", default="127.0.0.1", help="address to listen on")
    port: int = setting(
        "CADABRA_PORT", default=0, minimum=0, maximum=65535, help="port to serve on; 0 takes a free one"
    )
    metrics_port: int = setting(
        "CADABRA_METRICS_PORT",
        default=0,
        minimum=0,
        maximum=65535,
        help="port of /metrics, /healthz and /readyz; 0 takes a free one",
    )
    log_level: str = setting(
        "CADABRA_LOG_LEVEL",
        default="INFO",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        help="least level that is logged",
    )
    jwks_file: Path | None = setting(
        "CADABRA_JWKS_FILE",
        default=None,
        help="JSON Web Key Set with the public keys that tokens are checked by",
    )
    stop_timeout_s: float = setting(
        "CADABRA_STOP_TIMEOUT_S",
        default=30.0,
        minimum=0.1,
        maximum=3600,
        help="seconds to drain after SIGTERM; past them the process exits with 75",
    )
    ready_file: Path | None = setting(
        "CADABRA_READY_FILE", default=None, help="file to write ports and pid to (JSON) once ready"
    )
    run_id: str | None = setting(
        "CADABRA_RUN_ID", default=None, help="mark that a local set-up finds its processes by; only carried"
    )
    instance: str = setting(
        "CADABRA_INSTANCE",
        default_factory=_instance_name,
        shown_default="host, pid and a random part",
        help="name of this process in logs and leases; never shared by two processes",
    )


@dataclass(frozen=True, kw_only=True)
class SnsSettings:
    """Where SNS is; for those who publish."""

    sns_endpoint: str | None = setting(
        "CADABRA_SNS_ENDPOINT", default=None, pattern=r"https?://.+", help="URL of SNS; unset on AWS"
    )


@dataclass(frozen=True, kw_only=True)
class S3Settings:
    """Where S3 is; for those who read or write objects."""

    s3_endpoint: str | None = setting(
        "CADABRA_S3_ENDPOINT", default=None, pattern=r"https?://.+", help="URL of S3; unset on AWS"
    )


def main(arguments: Sequence[str]) -> int:
    """Print the Markdown table of the settings class named as `package.module:Class`."""
    if len(arguments) != 1 or ":" not in arguments[0]:
        sys.stderr.write("usage: python -m services.kernel.core.settings package.module:Class\n")
        return 64
    module, name = arguments[0].split(":", 1)
    sys.stdout.write(markdown(getattr(importlib.import_module(module), name)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
