"""How long a changed account rests, found again: in the event that verified it, or from the programme's rule.

The event says the day since it is put on record. Of one from before, the day is counted again, by the rule of
the programme version and the calendar as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg

from milepost.clock import OFFICE_ZONE
from milepost.programmes import load_published
from states.machines import Compiled
from states.payee import rest_of

_BODY = "convert_from(e.body, 'UTF8')::jsonb"
_VERIFIED = f"""SELECT e.subject_id, e.at, k.id IS NOT NULL, k.rests_until,
    {_BODY}->'computed' ? 'rests_until', {_BODY}->'computed'->>'rests_until',
    EXISTS (SELECT 1 FROM event b WHERE b.chain_id = e.chain_id AND b.step = 'payee.verify'
      AND b.seq < e.seq),
    v.id
  FROM event e LEFT JOIN payee k ON k.id = e.subject_id
  LEFT JOIN programme_version v ON v.code || ':' || v.version = {_BODY}->>'programme'
 WHERE e.step = 'payee.verify' ORDER BY e.chain_id, e.seq"""


def check_rests(conn: psycopg.Connection[Any]) -> Iterator[tuple[str, str, str]]:
    """Each verified account whose rest is not the one it was given: its id, what is stored, what it was."""
    known: dict[UUID | None, Compiled | None] = {}
    with conn.cursor(name="verify_rests", binary=True) as cursor:
        cursor.execute(_VERIFIED)
        found = cursor.fetchall()
    for id, at, there, stored, said, day, another, version in found:
        if said:
            due = day or None
        elif not another:
            due = None
        else:
            if version not in known:
                known[version] = load_published(conn, version) if version is not None else None
            compiled = known[version]
            rest = rest_of(compiled.programme, at.astimezone(OFFICE_ZONE).date()) if compiled else None
            due = rest.isoformat() if rest else None
        told = stored.isoformat() if stored else None
        if there and told != due:
            yield str(id), told or "-", due or "-"


__all__ = ["check_rests"]
