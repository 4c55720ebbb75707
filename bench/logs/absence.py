"""Why a participant is not measured."""

from __future__ import annotations


class Absent(Exception):
    """A participant cannot run on this machine; the message says why, in one line. The rest goes on."""
