"""What an invitation's link and a one-time code are made of: an installation's key, and what it signs.

A link is sealed, not only signed: whoever holds one cannot read task or expert out of it, not even their ids.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

LINK_DAYS = 120
"""How long a link opens its page; the task's own deadlines are shorter."""

CODE_LENGTH = 8
# Neither 0 and O nor 1, I and L: people type it from one screen into another.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_KEY = "invitation_key"
_CONTENT = 36


class Link(NamedTuple):
    """What a link says; that it says so does not mean that the task is still that expert's."""

    task_id: UUID
    person_id: UUID
    last_day: date


def invitation_key(conn: psycopg.Connection[Any]) -> bytes:
    """The installation's key for links and codes; in the database, so that all processes share it."""
    for _ in range(2):
        row = conn.execute("SELECT value FROM setting WHERE name = %s", (_KEY,)).fetchone()
        if row is not None:
            return bytes.fromhex(row[0])
        # Of two that begin at once the second waits here, and then reads what the first has made.
        conn.execute(
            "INSERT INTO setting (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (_KEY, Jsonb(secrets.token_hex(32))),
        )
    raise AssertionError("a key that was just made is there")


def _signature(key: bytes, purpose: bytes, content: bytes) -> bytes:
    return hmac.new(key, purpose + b"\0" + content, hashlib.sha256).digest()


def signed_link(key: bytes, task_id: UUID, person_id: UUID, today: date) -> str:
    """What follows /invitations/ in the address: task, expert and last day, sealed, and the signature."""
    last = (today + timedelta(days=LINK_DAYS)).toordinal()
    content = task_id.bytes + person_id.bytes + last.to_bytes(4, "big")
    signature = _signature(key, b"link", content)
    return _written(_masked(key, signature, content) + signature)


def _masked(key: bytes, signature: bytes, content: bytes) -> bytes:
    """Content to what hides it, and back. The mask follows from the signature: no two contents share one."""
    mask = hmac.new(key, b"mask\0" + signature, hashlib.sha512).digest()
    return bytes(a ^ b for a, b in zip(content, mask, strict=False))


def read_link(key: bytes, text: str) -> Link | None:
    """What a link says, or None where it is not, letter for letter, one that was signed."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    signature = raw[_CONTENT:]
    content = _masked(key, signature, raw[:_CONTENT])
    # Other ways to write the same bytes are no link of ours either.
    if not hmac.compare_digest(signature, _signature(key, b"link", content)) or _written(raw) != text:
        return None
    last = date.fromordinal(int.from_bytes(content[32:], "big"))
    return Link(UUID(bytes=content[:16]), UUID(bytes=content[16:32]), last)


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def code_of(key: bytes, id: UUID) -> str:
    """The code of a row, which follows from its id under the key."""
    number = int.from_bytes(_signature(key, b"code", id.bytes), "big")
    letters = []
    for _ in range(CODE_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return "".join(letters)


def shown_code(code: str) -> str:
    """A code as people read it: in two halves."""
    return f"{code[: CODE_LENGTH // 2]}-{code[CODE_LENGTH // 2 :]}"


def code_hash(key: bytes, id: UUID, code: str) -> str:
    """What is kept of a code."""
    return _signature(key, b"hash", id.bytes + code.encode()).hex()


__all__ = [
    "CODE_LENGTH",
    "LINK_DAYS",
    "Link",
    "code_hash",
    "code_of",
    "invitation_key",
    "read_link",
    "shown_code",
    "signed_link",
]
