"""Text for an SMS: what the GSM 7-bit alphabet holds, how long it is there, and what stands for the rest. Pure.

Source: 3GPP TS 23.038, default alphabet and its extension table; one part of an SMS holds 160 septets.
"""

from __future__ import annotations

import unicodedata

PART_SEPTETS = 160
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")  # written after an escape: two septets
_LOOK_ALIKES = {
    "Ł": "L",
    "ł": "l",
    "Đ": "D",
    "đ": "d",
    "Ð": "D",
    "ð": "d",
    "Þ": "Th",
    "þ": "th",
    "Œ": "Oe",
    "œ": "oe",
    "\u0131": "i",
    "ə": "e",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2013": "-",
    "\u2014": "-",
    "\u2026": "...",
    "\u00a0": " ",
    "`": "'",
}
_UNKNOWN = "?"


def septets(text: str) -> int:
    """How long a text of the alphabet is.

    Raises:
        ValueError: a character is not in the alphabet.
    """
    length = 0
    for character in text:
        if character not in _BASIC and character not in _EXTENDED:
            raise ValueError(f"U+{ord(character):04X} is not in the GSM 7-bit alphabet")
        length += 2 if character in _EXTENDED else 1
    return length


def written(text: str) -> str:
    """The text in the alphabet, on one line: accents that it lacks are left out, other letters become "?"."""
    return "".join(_written(character) for character in _composed(text))


def ascii_written(text: str) -> str:
    """The text in printable ASCII, on one line, in the same manner."""
    return "".join(_plain(character) for character in _composed(text))


def cut(text: str, limit: int) -> str:
    """As much of a text of the alphabet as `limit` septets hold, with ".." where something is missing."""
    if septets(text) <= limit:
        return text
    kept = ""
    for character in text:
        if septets(kept + character) > limit - 2:
            break
        kept += character
    return kept.rstrip() + ".." if limit >= 2 else ""


def _composed(text: str) -> str:
    """The text without accents that stand alone."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(character for character in composed if not unicodedata.combining(character))


def _written(character: str) -> str:
    if (character in _BASIC and character.isprintable()) or character in _EXTENDED:
        return character
    return _plain(character)


def _plain(character: str) -> str:
    """Printable ASCII that looks alike, "?" where nothing does."""
    decomposed = unicodedata.normalize("NFKD", _LOOK_ALIKES.get(character, character))
    bare = "".join(_LOOK_ALIKES.get(one, one) for one in decomposed if not unicodedata.combining(one))
    return bare if bare and bare.isascii() and bare.isprintable() else _UNKNOWN
