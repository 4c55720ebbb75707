"""The vocabulary of failure: what may be tried again, what a record did wrong, what ends the process.

Adapters translate SDK errors into these and nobody else catches SDK errors. A partial batch result is a
value, never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class CadabraError(Exception):
    """Any failure that the platform gives a name to."""


class Retryable(CadabraError):
    """The same call may succeed later; nothing about the record is wrong."""


class Throttled(Retryable):
    """The other side, or a limit of our own, asks for a slower pace."""


class Unavailable(Retryable):
    """The other side cannot be reached or answered with a server error."""


class TimedOut(Retryable):
    """No answer in time: the effect may or may not have happened."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One fault in a document.

    Args:
        pointer: JSON Pointer (RFC 6901) to the faulty value, "" for the whole document.
        reason: what is wrong, for people.
    """

    pointer: str
    reason: str


class InvalidRecord(CadabraError):
    """The record itself is wrong and will stay wrong: it belongs into `rejected`.

    Args:
        reason: stable code, one of the `reason` values of the contract `rejected/1`.
        message: one sentence for people, without the record's content.
        details: every fault found, in document order.
    """

    def __init__(self, reason: str, message: str, details: Sequence[Detail] = ()) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.details = tuple(details)


class Fatal(CadabraError):
    """The process cannot do its work at all; it exits before it says it is ready."""


class Misconfigured(Fatal):
    """A setting is missing or wrong; the message lists every problem."""


class MissingResource(Fatal):
    """A stream, table or file that must exist does not."""


class Refused(CadabraError):
    """The other side refuses this call as it is and always will: a fault of our code, not of a record.

    It is none of Retryable, InvalidRecord and Fatal on purpose: a consumer treats it as a bug.
    """
