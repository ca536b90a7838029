"""A draw as the database keeps it, put together as the record that is published.

The committed part is the very row of bytes that was hashed; the rest are the row's columns. Nothing is
computed here: whether it all follows is for ``milepost.experts.draw_verify`` to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from milepost.clock import OFFICE_ZONE
from milepost.experts.beacon import PublicValue
from milepost.experts.draw_record import Record, Witness, write
from states.commitment import committed_from
from states.drawing import Panel
from states.draws import entries_of

RECORD_SQL = """SELECT d.id, d.state, d.committed, d.commitment, d.value, d.panels, d.entries, d.witness_id,
  (SELECT e.at FROM event e WHERE e.subject_id = d.id AND e.step = 'draw.witness'
    ORDER BY e.subject_seq DESC LIMIT 1) AS witnessed_at
FROM draw d"""
"""The columns that ``record_of_row`` reads; a condition on ``d`` may follow."""


def record_of_row(row: Mapping[str, Any]) -> Record:
    """The record of a row of ``RECORD_SQL``; ValueError where the committed bytes are no such thing."""
    try:
        committed = committed_from(json.loads(bytes(row["committed"])))
        panels, entries = _outcome(row)
    except (KeyError, TypeError, AttributeError) as wrong:
        raise ValueError(f"not what a draw keeps: {wrong!r}") from None
    return Record(
        committed,
        row["commitment"],
        _value(row),
        panels,
        tuple(entries_of(entries)),
        _witnesses(row),
    )


def published_bytes(row: Mapping[str, Any]) -> bytes:
    """The record of a row of ``RECORD_SQL`` as it is published."""
    return write(record_of_row(row))


def moment_of(at: datetime) -> str:
    """A moment as records write it: in the office's time, to the second."""
    return at.astimezone(OFFICE_ZONE).isoformat(timespec="seconds")


def _outcome(row: Mapping[str, Any]) -> tuple[tuple[Panel, ...], list[dict[str, Any]]]:
    kept = (row["panels"] or {}).get("panels", [])
    panels = tuple(Panel(p["project"], tuple(p["members"]), tuple(p["short"])) for p in kept)
    return panels, list(row["entries"] or ())


def _value(row: Mapping[str, Any]) -> PublicValue | None:
    if row["value"] is None:
        return None
    signed = (row["panels"] or {}).get("signed", {})
    return PublicValue(
        row["value"],
        signed.get("taken_at", ""),
        signed.get("signature", ""),
        signed.get("previous_signature", ""),
    )


def _witnesses(row: Mapping[str, Any]) -> tuple[Witness, ...]:
    if row["witness_id"] is None or row["witnessed_at"] is None:
        return ()
    return (Witness(str(row["witness_id"]), "present", moment_of(row["witnessed_at"])),)


__all__ = ["RECORD_SQL", "moment_of", "published_bytes", "record_of_row"]
