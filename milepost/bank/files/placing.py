"""A file is at its place whole or not at all, and what stands there already is never overwritten."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from milepost.bank.files.findings import finding
from schema.money import Explained

# File systems without hard links (some network shares) answer with one of these.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV})


class TargetExists(Explained):
    """A file of that name is there, with other bytes. Nothing was changed."""

    def __init__(self, path: Path) -> None:
        said = finding("target_exists", "file", path=path.name)
        super().__init__(said.code, said.text("zh"), said.text("en"))
        self.path = path

    def __reduce__(self) -> tuple[type[TargetExists], tuple[Path]]:  # type: ignore[override]
        return type(self), (self.path,)


@dataclass(frozen=True, slots=True)
class Placed:
    """A file at its place: its hash and size, and whether it was there before with the same bytes."""

    path: Path
    sha256: str
    size: int
    there_before: bool


def place(
    path: Path, write: Callable[[BinaryIO], None], check: Callable[[Path], None] = lambda _: None
) -> Placed:
    """Write beside the place, check what was written, make it durable, and only then give it its name.

    ``check`` raises to keep the file from its place. Where ``path`` exists with the same bytes, all is well;
    with others it is `TargetExists`. Two who place the same file at the same time both succeed. The file
    can be read by its owner alone, because it holds account numbers.
    """
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(number, "wb") as out:
            write(out)
            out.flush()
            os.fsync(out.fileno())
        check(beside)
        digest, size = file_digest(beside), beside.stat().st_size
        there_before = not _named(beside, path)
        if there_before and file_digest(path) != digest:
            raise TargetExists(path)
        _sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)
    return Placed(path, digest, size, there_before)


def _named(beside: Path, path: Path) -> bool:
    """Give the file its name unless that is taken. A link never replaces; a rename would."""
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        beside.rename(path)
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = sha256()
    with path.open("rb") as handle:
        while piece := handle.read(2**16):
            digest.update(piece)
    return digest.hexdigest()


__all__ = ["Placed", "TargetExists", "file_digest", "place"]
