"""References for what is to be paid, with check digits (ISO 11649, computed by ISO 7064 mod 97-10)."""

from __future__ import annotations

import re
from uuid import UUID

_BODY_DIGITS = 16
# As people and banks write it: with blanks or without, in capitals or not, anywhere in a text.
_ANYWHERE = re.compile(rf"(?<![A-Z0-9])RF[ -]?[0-9]{{2}}(?:[ -]?[0-9]){{{_BODY_DIGITS}}}(?![0-9])")


def _remainder(text: str) -> int:
    """The text as one number, letters as 10 to 35, modulo 97."""
    return int("".join(str(int(sign, 36)) for sign in text)) % 97


def reference_of(id: UUID) -> str:
    """The reference that follows from an id: RF, two check digits, sixteen digits."""
    body = str(id.int % 10**_BODY_DIGITS).zfill(_BODY_DIGITS)
    return f"RF{98 - _remainder(body + 'RF00'):02d}{body}"


def is_reference(text: str) -> bool:
    """Whether the check digits of a reference (without blanks) are right."""
    return bool(re.fullmatch(r"RF[0-9]{2}[A-Z0-9]{1,21}", text)) and _remainder(text[4:] + text[:4]) == 1


def references_in(text: str) -> list[str]:
    """Every reference of our shape in a text whose check digits are right, each once, without blanks."""
    found = (re.sub(r"[ -]", "", match.group()) for match in _ANYWHERE.finditer(text.upper()))
    return list(dict.fromkeys(reference for reference in found if is_reference(reference)))


def spaced(reference: str) -> str:
    """A reference in groups of four, as people copy it."""
    return " ".join(reference[at : at + 4] for at in range(0, len(reference), 4))


__all__ = ["is_reference", "reference_of", "references_in", "spaced"]
