"""What a bank's format cannot carry is written otherwise where that is harmless, and refused where it is not.

Two repertoires: ``unicode`` takes whatever people can read, Chinese among it; ``latin`` is the basic set that
every bank in the SEPA area must take: letters, digits, blank and ``/ - ? : ( ) . , ' +``. What is invisible,
reorders a line or was damaged on its way is refused in both, because a payee's name is compared by people.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Repertoire = Literal["unicode", "latin"]

_LATIN = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]*")
_DAMAGED = "\ufffd"
# Left behind by copying from pages and documents; they show nothing and mean nothing in a name.
_INVISIBLE = frozenset("\u200b\ufeff\u00ad\u2060")
_BLANKS = frozenset("\t\n\r\u00a0\u3000\u2002\u2003\u2007\u2009\u202f")
_TO_LATIN: Mapping[str, str] = MappingProxyType(
    {
        "&": "+", "_": "-", ";": ",", "*": ".", "!": ".", "=": "-", "#": "/", "|": "/", "\\": "/",
        '"': "'", "`": "'", "´": "'", "‘": "'", "’": "'", "‚": "'", "“": "'", "”": "'", "„": "'",
        "«": "'", "»": "'", "[": "(", "]": ")", "{": "(", "}": ")", "<": "(", ">": ")",
        "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "…": "...", "·": ".", "•": ".",
        "ß": "ss", "ẞ": "SS", "Æ": "AE", "æ": "ae", "Ø": "O", "ø": "o", "Œ": "OE", "œ": "oe",
        "Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "Ð": "D", "ð": "d", "Þ": "TH", "þ": "th", "ı": "i",
        "Ħ": "H", "ħ": "h", "€": "EUR", "。": ".", "、": ",", "№": "No",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text as the bank takes it: what was written otherwise, and what could not be."""

    text: str
    mapped: tuple[tuple[str, str], ...] = ()
    refused: tuple[str, ...] = ()


def fit(text: str, repertoire: Repertoire) -> Fitted:
    """The text in the bank's characters, blanks at the ends taken off, runs of blanks made one.

    A refused character stays where it is: a text with ``refused`` must not be written to a file.
    """
    if _fits(text, repertoire):
        return Fitted(text)
    mapped: dict[str, str] = {}
    refused: dict[str, None] = {}
    out: list[str] = []
    for char in text:
        put = _carried(char, repertoire)
        if put is None:
            refused[char] = None
            out.append(char)
            continue
        if put != char:
            mapped[char] = put
        out.append(put)
    joined = " ".join("".join(out).split(" "))
    return Fitted(re.sub(r" {2,}", " ", joined).strip(" "), tuple(mapped.items()), tuple(refused))


def _fits(text: str, repertoire: Repertoire) -> bool:
    if text[:1] == " " or text[-1:] == " " or "  " in text:
        return False
    if repertoire == "latin":
        return _LATIN.fullmatch(text) is not None
    return text.isprintable() and _DAMAGED not in text


def _carried(char: str, repertoire: Repertoire) -> str | None:
    """What stands for a character, or None where nothing does."""
    if char in _BLANKS:
        return " "
    if char in _INVISIBLE:
        return ""
    if char == _DAMAGED or not char.isprintable():
        return None
    if repertoire == "unicode" or _LATIN.fullmatch(char):
        return char
    if char in _TO_LATIN:
        return _TO_LATIN[char]
    # An accent is taken off its letter, and a full-width letter becomes the ordinary one.
    plain = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    plain = "".join(_TO_LATIN.get(c, c) for c in plain)
    return plain if plain and _LATIN.fullmatch(plain) else None


def named(char: str) -> str:
    """A character as a person can look for it: itself if it shows, its number and its name."""
    shown = f"{char} " if char.isprintable() and not char.isspace() else ""
    return f"{shown}(U+{ord(char):04X} {unicodedata.name(char, 'without a name')})"


__all__ = ["Fitted", "Repertoire", "fit", "named"]
