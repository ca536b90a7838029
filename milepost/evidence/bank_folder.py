"""The bank's files as they lie in their folder, against what the database has on record of them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any

import psycopg

NAMED_BY = 16
"""So many digits of its digest a file's name begins with, once it was read and put away."""


def placed(folder: Path, digest: str) -> Path | None:
    """Where a file that was read lies, by the beginning of its name; what is in it is not looked at."""
    return next(iter(sorted(folder.glob(f"{digest[:NAMED_BY]}-*"))), None)


def check_folder(conn: psycopg.Connection[Any], folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Each file in the folder that is not, byte for byte, one that was read: code, name, and the fact twice.

    A file that was taken elsewhere is no fault: its digest stays on record, and whoever has it can compare.
    """
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as content:
            digest = file_digest(content, "sha256").hexdigest()
        known = conn.execute(
            "SELECT 1 FROM bank_file WHERE direction = 'in' AND sha256 = %s", (digest,)
        ).fetchone()
        if known is None:
            yield (
                "bank_file_changed",
                path.name,
                f"存放的银行来文“{path.name}”与已读入并登记的任何来文都不相同。",
                f"The stored file {path.name!r} is none of the bank's files that were read.",
            )


__all__ = ["check_folder", "placed"]
