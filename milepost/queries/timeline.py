"""What happened to a project: who, what, when and why, as far as the reader may see it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from milepost.db import Session
from milepost.queries.sight import GRANTEES, OWN_REQUESTS, REVIEW, Sight, review_open, rows
from states.labels import every_step
from states.roles import PERMISSIONS

PAGE = 30
# What a person typed to say why; the first of these that a step asked for. Never an account, never a score.
_WHY = ("reason", "opinion", "answer", "note", "evidence")


# Whom the actor of the event ``e`` acted for: its body says so, and only a payment's can.
BEHALF = """CASE WHEN e.noun = 'payment' THEN (SELECT f.name FROM person f
  WHERE f.id = (convert_from(e.body, 'UTF8')::jsonb->>'for')::uuid) END AS behalf"""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event. ``person`` is empty where the office speaks with its role only.

    ``seq`` is None where the reader does not see the review: its gaps would count what was left out.
    """

    seq: int | None
    at: datetime
    noun: str
    subject_id: UUID
    step: str
    from_state: str
    to_state: str
    role: str
    person: str
    why: str
    hash: str
    behalf: str = ""
    """For whom the person did it, by delegation; empty where it was their own or is not to be told."""


@lru_cache(maxsize=1)
def told_to_grantees() -> frozenset[str]:
    """The steps whose reasons are meant for the grantee: their own, and those that send them word."""
    own = set().union(*(PERMISSIONS[role] for role in GRANTEES))
    sent = {
        step.name
        for step in every_step().values()
        if any(GRANTEES & set(notify.to) for notify in step.notify)
    }
    return frozenset(own | sent)


def timeline(
    session: Session, sight: Sight, project_id: UUID, *, before: str | None = None, limit: int = PAGE
) -> tuple[list[Happening], str | None]:
    """Events, the newest first, and where the next page begins: the hash of the last one shown."""
    own = [] if "milestone" in sight.nouns else _own_milestones(session, sight, project_id)
    found = rows(
        session,
        f"""SELECT e.seq, e.at, e.noun, e.subject_id, e.step, e.from_state, e.to_state, e.role, e.actor_id,
          e.body, n.name, e.hash, {BEHALF} FROM event e JOIN person n ON n.id = e.actor_id
        WHERE e.chain_id = %(id)s AND (%(before)s::bytea IS NULL OR e.seq < (
          SELECT x.seq FROM event x WHERE x.chain_id = e.chain_id AND x.hash = %(before)s))
          AND (e.noun = ANY(%(nouns)s) OR e.subject_id = ANY(%(own)s))
          AND (e.noun <> ALL(%(review)s) OR (SELECT {review_open("%(id)s")}))
          AND (NOT %(grantee)s OR e.step = ANY(%(told)s) OR e.from_state <> e.to_state)
        ORDER BY e.seq DESC LIMIT %(limit)s""",
        {
            "id": project_id,
            "before": _hash(before) if before else None,
            "nouns": sorted(sight.nouns),
            "review": sorted(REVIEW - OWN_REQUESTS if sight.roles & GRANTEES else REVIEW),
            "actor": sight.actor_id,
            "today": session.clock.today(),
            "own": own,
            "grantee": not sight.names,
            "told": sorted(told_to_grantees()),
            "limit": limit + 1,
        },
    )
    shown = [happening(row, sight) for row in found[:limit]]
    return shown, shown[-1].hash if len(found) > limit else None


def _hash(text: str) -> bytes:
    """A hash that was given out; what is none is that of no event, and nothing comes before it."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _own_milestones(session: Session, sight: Sight, project_id: UUID) -> list[UUID]:
    found = rows(
        session,
        "SELECT id FROM milestone WHERE project_id = %(id)s AND evaluator_id = %(actor)s",
        {"id": project_id, "actor": sight.actor_id},
    )
    return [row["id"] for row in found]


def happening(row: dict[str, Any], sight: Sight) -> Happening:
    """An event's row as its reader may see it."""
    given = json.loads(bytes(row["body"])).get("input") or {}
    may_know = sight.names or row["actor_id"] == sight.actor_id
    why = ""
    if may_know or row["step"] in told_to_grantees():
        why = next((str(given[key]) for key in _WHY if given.get(key)), "")
    named = may_know or row["role"] in GRANTEES
    return Happening(
        row["seq"] if sight.counts else None,
        row["at"],
        row["noun"],
        row["subject_id"],
        row["step"],
        row["from_state"],
        row["to_state"],
        row["role"],
        row["name"] if named else "",
        why,
        bytes(row["hash"]).hex(),
        (row.get("behalf") or "") if may_know else "",
    )
