"""Files handed in: stored once under the SHA-256 of their bytes, checked for type and size, never executed.

What a file is follows from its first bytes and its ending together; the name is kept for people to read and
never used as a path.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from milepost.db import Session
from schema.money import Explained

NAME_MAX = 180
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OFFICE = "application/vnd.openxmlformats-officedocument."
# ending: media type, what the bytes begin with (nothing: readable text)
KINDS: dict[str, tuple[str, bytes]] = {
    "pdf": ("application/pdf", b"%PDF-"),
    "png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    "jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "jpeg": ("image/jpeg", b"\xff\xd8\xff"),
    "docx": (f"{_OFFICE}wordprocessingml.document", _ZIP),
    "xlsx": (f"{_OFFICE}spreadsheetml.sheet", _ZIP),
    "pptx": (f"{_OFFICE}presentationml.presentation", _ZIP),
    "odt": ("application/vnd.oasis.opendocument.text", _ZIP),
    "ofd": ("application/ofd", _ZIP),
    "zip": ("application/zip", _ZIP),
    "doc": ("application/msword", _OLE),
    "xls": ("application/vnd.ms-excel", _OLE),
    "txt": ("text/plain", b""),
    "md": ("text/markdown", b""),
    "csv": ("text/csv", b""),
}


class DocumentError(Explained):
    """A file that is not taken; says why and what would be."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A document without its bytes."""

    sha256: str
    name: str
    media_type: str


def safe_name(name: str) -> str:
    """The file's own name for people to read: no folders, no control characters, not too long."""
    bare = name.replace("\\", "/").rsplit("/", 1)[-1]
    bare = "".join(c for c in bare if unicodedata.category(c)[0] != "C").strip(" .")
    stem, dot, ending = bare.rpartition(".")
    if not stem:
        return bare[:NAME_MAX] or "document"
    return f"{stem[:NAME_MAX]}{dot}{ending[:10]}"


def kind_of(name: str, content: bytes) -> str:
    """The media type of a file, where its ending is one of those taken and its bytes agree."""
    ending = name.rpartition(".")[2].lower()
    if ending not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise DocumentError(
            "document_kind",
            f"不接受“{name}”这类文件。可用的类型：{known}。",
            f"Files such as {name!r} are not taken. These are: {known}.",
        )
    media_type, start = KINDS[ending]
    if not (content.startswith(start) if start else _is_text(content)):
        raise DocumentError(
            "document_differs",
            f"“{name}”的内容与扩展名不符，请确认文件未损坏。",
            f"The content of {name!r} is not what its ending says. Check that the file is intact.",
        )
    return media_type


def _is_text(content: bytes) -> bool:
    if b"\x00" in content:
        return False
    for encoding in ("utf-8", "gb18030"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


def store(session: Session, name: str, content: bytes, person_id: UUID, bytes_max: int) -> Stored:
    """Keep a file; the same bytes again are the same document."""
    name = safe_name(name)
    if not content:
        raise DocumentError("document_empty", f"“{name}”是空文件。", f"{name!r} is empty.")
    if len(content) > bytes_max:
        raise DocumentError(
            "document_too_large",
            f"“{name}”超过 {bytes_max // 1024 // 1024} MB，请压缩或拆分。",
            f"{name!r} is larger than {bytes_max // 1024 // 1024} MB. Compress or divide it.",
        )
    media_type = kind_of(name, content)
    digest = hashlib.sha256(content).hexdigest()
    now = session.clock.now()
    with session.conn.transaction():
        session.conn.execute(
            "INSERT INTO document (sha256, name, media_type, content, uploaded_by, uploaded_at) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (digest, name, media_type, content, person_id, now),
        )
        session.conn.execute(
            "INSERT INTO document_upload (sha256, person_id, at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (digest, person_id, now),
        )
    return Stored(digest, name, media_type)


def not_brought(session: Session, person_id: UUID, digests: Sequence[str]) -> list[str]:
    """Which of some documents the person did not hand in: knowing a hash is not having the file."""
    if not digests:
        return []
    rows = session.conn.execute(
        "SELECT sha256 FROM document_upload WHERE person_id = %s AND sha256 = ANY(%s)",
        (person_id, list(digests)),
    ).fetchall()
    brought = {row[0] for row in rows}
    return [digest for digest in digests if digest not in brought]


def described(session: Session, digests: Sequence[str]) -> dict[str, Stored]:
    """Names and types of documents by hash; those that were never stored are left out."""
    if not digests:
        return {}
    rows = session.conn.execute(
        "SELECT sha256, name, media_type FROM document WHERE sha256 = ANY(%s)", (list(set(digests)),)
    ).fetchall()
    return {row[0]: Stored(*row) for row in rows}


def content_of(session: Session, digest: str) -> bytes | None:
    """The bytes of a document."""
    row = session.conn.execute("SELECT content FROM document WHERE sha256 = %s", (digest,)).fetchone()
    return bytes(row[0]) if row else None
