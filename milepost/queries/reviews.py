"""What an expert may read of their own review: decided by the statement that reads it, never by the page.

Only the task's own expert reads anything, only while they hold the role and have no conflict, all of it asked
in the statement that fetches. What a double-blind programme hides is not among the columns that are fetched,
and a reference of the task's own stands for the project's code, which often names a unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from config.programmes import Criterion
from milepost.db import Session
from milepost.programmes import load_published
from milepost.queries.sight import Row, review_open, rows
from states.machines import Compiled

OPEN = ("accepted", "late")
"""The states in which an expert writes."""

MINE = f"""s.expert_id = %(actor)s AND s.state <> 'taken_away' AND EXISTS (
  SELECT 1 FROM role_grant g WHERE g.person_id = %(actor)s AND g.role = 'expert' AND g.revoked_at IS NULL
    AND (g.project_id = p.id OR starts_with(p.office_path, g.office_path))) AND {review_open()}"""
"""The condition under which a task ``s`` of a project ``p`` is its expert's to read."""

_OWN = """s.id, s.state, s.version, s.scores, s.comment, s.score_milli, s.reason, r.stage,
  r.state AS round_state, p.programme_id,
  (SELECT min(d.due_on) FROM deadline d WHERE d.subject_id = s.id AND d.closed_seq IS NULL) AS due_on,
  (SELECT coalesce(max(e.subject_seq), 0) FROM event e WHERE e.chain_id = s.project_id
    AND e.subject_id = s.id AND e.step IN ('task.submit', 'task.save_draft')) AS written_at_version"""
_ABOUT = "p.title, o.summary, o.fields"
_WHO = "p.code, p.unit_name, p.leader_name, o.team"
_WHOLE = "p.requested_minor, p.currency, p.plan"
_FROM = "task s JOIN round r ON r.id = s.round_id JOIN project p ON p.id = s.project_id"


def reference(task_id: UUID) -> str:
    """What a task is called where the project's code would tell whose it is. It follows from nothing else."""
    return f"R-{str(task_id)[:8].upper()}"


def blinded(compiled: Compiled) -> bool:
    """Whether experts of the programme do not know whose application they read."""
    review = compiled.programme.review
    return review is not None and review.blinding == "double"


def blinded_programmes(conn: psycopg.Connection[Any], programme_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Those of some programmes whose experts do not know whose application they read."""
    found = ((id, load_published(conn, id)) for id in set(programme_ids))
    return frozenset(id for id, compiled in found if compiled is not None and blinded(compiled))


@dataclass(frozen=True, slots=True)
class ExpertTask:
    """A task with as much of its application as its expert may read now; ``row`` has no other columns."""

    row: Row
    compiled: Compiled

    @property
    def id(self) -> UUID:
        """The task."""
        return UUID(str(self.row["id"]))

    @property
    def name(self) -> str:
        """The project's code, or the reference that stands for it."""
        return str(self.row.get("code") or reference(self.id))

    @property
    def blinded(self) -> bool:
        """Whether the applicant is hidden."""
        return blinded(self.compiled)

    @property
    def open(self) -> bool:
        """Whether the expert writes now."""
        return self.row["state"] in OPEN

    @property
    def decided(self) -> bool:
        """Whether the round was decided: what was typed and not submitted is shown no more."""
        return bool(self.row["round_state"] == "decided")

    @property
    def rubric(self) -> tuple[Criterion, ...]:
        """What is scored."""
        review = self.compiled.programme.review
        return review.rubric if review else ()


def _columns(state: str, decided: bool, hidden: bool) -> str:
    """What is read in a state: enough to answer an invitation, then the whole, at the end one's own."""
    if state not in ("invited", *OPEN, "submitted"):
        return _OWN
    parts = [_OWN, _ABOUT] + ([] if hidden else [_WHO])
    if state != "invited" and not decided:
        parts.append(_WHOLE)
    return ", ".join(parts)


def expert_task(session: Session, actor_id: UUID, id: UUID) -> ExpertTask | None:
    """An expert's own task, or None: there is none, it was taken away, or a conflict came about.

    From the very commit on that makes a conflict, nothing is read.
    """
    for _ in range(2):
        asked = {"id": id, "actor": actor_id, "today": session.clock.today()}
        first = rows(
            session,
            f"SELECT s.state, r.state = 'decided' AS decided, p.programme_id FROM {_FROM} "
            "WHERE s.id = %(id)s AND s.expert_id = %(actor)s",
            asked,
        )
        compiled = load_published(session.conn, first[0]["programme_id"]) if first else None
        if compiled is None:
            return None
        state, decided = first[0]["state"], first[0]["decided"]
        found = rows(
            session,
            f"SELECT {_columns(state, decided, blinded(compiled))} FROM {_FROM} "
            f"LEFT JOIN dossier o ON o.project_id = p.id WHERE s.id = %(id)s AND {MINE} "
            "AND s.state = %(state)s AND (r.state = 'decided') = %(decided)s",
            {**asked, "state": state, "decided": decided},
        )
        if found:
            return ExpertTask(found[0], compiled)
    # It moves each time it is looked at, or it is not this person's.
    return None


def hide_applicants(session: Session, found: list[Row]) -> None:
    """Take out of rows of work what a double-blind review hides; ``own_task`` marks an expert's own tasks."""
    own = [row for row in found if row.pop("own_task")]
    hidden = blinded_programmes(session.conn, [row["programme_id"] for row in own])
    for row in own:
        if row["programme_id"] in hidden:
            row["code"], row["unit_name"] = reference(row["subject_id"]), ""


__all__ = [
    "MINE",
    "OPEN",
    "ExpertTask",
    "blinded",
    "blinded_programmes",
    "expert_task",
    "hide_applicants",
    "reference",
]
