"""Each day's seal: one Merkle root (RFC 6962) over the heads of all chains, on record, exported and mailed.

Whoever keeps yesterday's root detects an edit, a deletion, a reordering, a truncation or a restored old
backup of anything before it. A day has one seal, whoever comes first; a day on which no chain has moved
since the last seal needs none, and a missed day is covered by the next.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from milepost.db import Session
from milepost.evidence.chain import head_leaf
from milepost.evidence.merkle import Tree
from milepost.mail.outbox import queue
from milepost.work.people import people_of_offices

TEMPLATE = "daily_seal"
FOLDER = "seals"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A day's seal; ``fresh`` where this call made it."""

    sealed_on: date
    size: int
    root: bytes
    fresh: bool

    @property
    def file_name(self) -> str:
        """Where the root is exported, under the data folder's ``seals``."""
        return f"{self.sealed_on.isoformat()}.json"


def seal(session: Session, day: date | None = None, *, data_dir: Path | None = None) -> Sealed | None:
    """Seal a day, today by default; None where no chain has moved since the last seal.

    With ``data_dir`` the root is also written to a file there: also for a seal whose maker died before.
    """
    chosen = day or session.clock.today()
    made, moved = _found(session.conn, chosen)
    if made is None:
        if not moved:
            return None
        made = _seal(session, chosen)
    if data_dir is not None:
        export(made, data_dir)
    return made


def anything_to_seal(session: Session, day: date) -> bool:
    """Whether a seal of the day would be made."""
    made, moved = _found(session.conn, day)
    return made is None and moved


def _found(conn: psycopg.Connection[Any], day: date) -> tuple[Sealed | None, bool]:
    """The day's seal if there is one, and whether some chain has another head than the last seal has.

    Both out of one snapshot: asked one after the other, a seal made in between by another process would
    be neither there yet nor still needed. As sets: what the database knows of a table's contents never has
    the newest day in it, so that joined as rows every head would be compared with every leaf.
    """
    row = conn.execute(
        "SELECT s.size, s.root, EXISTS (SELECT id, seq FROM chain WHERE seq > 0 "
        "EXCEPT SELECT chain_id, seq FROM seal_leaf WHERE sealed_on = (SELECT max(sealed_on) FROM seal)) "
        "FROM (SELECT %s::date AS day) asked LEFT JOIN seal s ON s.sealed_on = asked.day",
        (day,),
    ).fetchone()
    assert row is not None
    size, root, moved = row
    return (None if size is None else Sealed(day, size, bytes(root), fresh=False)), bool(moved)


def _seal(session: Session, day: date) -> Sealed:
    """One snapshot of all heads, its root and its leaves, in one transaction; the first of a day wins."""
    conn = session.conn
    try:
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            heads = conn.execute("SELECT id, seq, head FROM chain WHERE seq > 0 ORDER BY id").fetchall()
            tree = Tree(head_leaf(id, seq, bytes(head)) for id, seq, head in heads)
            sealed = Sealed(day, tree.size, tree.root, fresh=True)
            conn.execute(
                "INSERT INTO seal (sealed_on, size, root, sealed_at) VALUES (%s, %s, %s, %s)",
                (day, sealed.size, sealed.root, session.clock.now()),
            )
            _leaves(conn, day, heads)
            _mail(session, sealed)
        return sealed
    except (psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure):
        # Another process sealed the day while this one read.
        made, _ = _found(conn, day)
        if made is None:
            raise
        return made


def _leaves(conn: psycopg.Connection[Any], day: date, heads: list[tuple[UUID, int, bytes]]) -> None:
    into = "COPY seal_leaf (sealed_on, position, chain_id, seq, hash) FROM STDIN (FORMAT BINARY)"
    with conn.cursor() as cursor, cursor.copy(into) as copy:
        copy.set_types(["date", "int4", "uuid", "int8", "bytea"])
        for position, (id, seq, head) in enumerate(heads):
            copy.write_row((day, position, id, seq, bytes(head)))


def _mail(session: Session, sealed: Sealed) -> None:
    """Supervisors keep the root where the office cannot reach it: in their mail."""
    queue(
        session.conn,
        source=f"seal:{sealed.sealed_on.isoformat()}",
        recipient_ids=people_of_offices(session.conn, ["supervisor"]).get("supervisor", []),
        template=TEMPLATE,
        context={
            "sealed_on": sealed.sealed_on.isoformat(),
            "size": sealed.size,
            "root": sealed.root.hex(),
        },
        now=session.clock.now(),
        chain_id=None,
    )


def export(sealed: Sealed, data_dir: Path) -> Path:
    """Write the root beside the data, whole or not at all; a file that is there stays."""
    folder = data_dir / FOLDER
    path = folder / sealed.file_name
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    body = {"sealed_on": sealed.sealed_on.isoformat(), "size": sealed.size, "root": sealed.root.hex()}
    beside = folder / f".{sealed.file_name}.{os.getpid()}"
    beside.write_text(json.dumps(body) + "\n", encoding="utf-8")
    os.replace(beside, path)
    return path


__all__ = ["Sealed", "anything_to_seal", "export", "seal"]
