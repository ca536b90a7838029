"""Why something waits: what blocks it, who can act, until when; by the same guards and gates as the steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from milepost.cases import load_cases
from milepost.cli.subjects import Named, find
from milepost.db import Session
from milepost.facts import FACTS
from milepost.programmes import load_published
from milepost.queries.sight import Sight, find_subject
from milepost.work.ways import Way, Who, ways_from
from states.approvals import Progress, progress
from states.case import SYSTEM_ID
from states.gates import shut_gates
from states.machines import Compiled
from states.refusals import Refusal

GATED = ("planned", "due", "requested", "approved", "released")


@dataclass(slots=True)
class Why:
    """One subject that waits."""

    subject: Named
    label: str
    deadlines: list[tuple[str, date, list[str]]]
    blocked: list[Refusal] | None
    ways: list[Way]
    approvals: Progress | None = None
    parts: list[Why] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs; the shape is stable. ``blocked`` is null where no gate stands before the subject."""
        named = self.subject
        return {
            "subject": {
                "noun": named.noun,
                "id": str(named.id),
                "code": named.code,
                "label": self.label,
                "state": named.state,
            },
            "deadlines": [{"name": n, "due_on": d.isoformat(), "who": who} for n, d, who in self.deadlines],
            "approvals": None if self.approvals is None else asdict(self.approvals),
            "blocked": None if self.blocked is None else [r.as_json() for r in self.blocked],
            "steps": [_way_json(way) for way in self.ways],
            "parts": [part.as_json() for part in self.parts],
        }


def _way_json(way: Way) -> dict[str, Any]:
    return {
        "step": way.step.name,
        "label": {"zh": way.step.label.zh, "en": way.step.label.en},
        "onward": way.onward,
        "roles": list(way.roles),
        "who": [{"login": w.login, "name": w.name, "role": w.role} for w in way.who],
        "refusals": [refusal.as_json() for refusal in way.refusals],
    }


def explain(session: Session, named: Named, *, parts: bool = True, reader: Sight | None = None) -> Why:
    """Everything that keeps a subject waiting; of a project also its open milestones and payments.

    ``reader``: only what this person may know. Who does not see the review hears no names, and of steps only
    what keeps them from their own.
    """
    compiled = load_published(session.conn, named.programme_id)
    assert compiled is not None, "a subject's programme is published"
    found = Why(
        named,
        _label(session, named),
        _deadlines(session, named.id),
        _blocked(session, named),
        ways_from(session, named, compiled, reader),
        _approvals(session, named, compiled),
    )
    if parts and named.noun == "project":
        found.parts = [
            explain(session, part, parts=False, reader=reader)
            for part in _open_parts(session, named)
            if reader is None or find_subject(session, reader.actor_id, part.noun, part.id) is not None
        ]
    return found


def _label(session: Session, named: Named) -> str:
    if named.noun in ("milestone", "payment"):
        sql = {
            "milestone": "SELECT number FROM milestone WHERE id = %s",
            "payment": "SELECT t.number FROM payment y JOIN tranche t ON t.id = y.tranche_id WHERE y.id = %s",
        }[named.noun]
        row = session.conn.execute(sql, (named.id,)).fetchone()
        assert row is not None
        return f"{named.code}/{named.noun[0].replace('p', 't')}{row[0]}"
    return named.code if named.noun == "project" else f"{named.code} {named.noun} {str(named.id)[:8]}".strip()


def _open_parts(session: Session, named: Named) -> list[Named]:
    """The live payments, and the milestones and other parts that somebody still has to act on."""
    rows = session.conn.execute(
        """SELECT id FROM (
          SELECT m.id, 1 AS kind, m.number AS n FROM milestone m WHERE m.project_id = %(id)s
             AND m.state IN ('planned', 'due', 'overdue', 'reported', 'returned')
          UNION ALL SELECT y.id, 2, t.number FROM payment y JOIN tranche t ON t.id = y.tranche_id
           WHERE y.project_id = %(id)s AND y.state NOT IN ('settled', 'returned', 'void')
          UNION ALL SELECT r.id, 3, r.number FROM round r WHERE r.project_id = %(id)s AND r.state <> 'decided'
          UNION ALL SELECT t.id, 4, 0 FROM task t WHERE t.project_id = %(id)s
             AND t.state IN ('invited', 'accepted', 'late')
          UNION ALL SELECT n.id, 5, 0 FROM notice n WHERE n.project_id = %(id)s AND n.state = 'open'
          UNION ALL SELECT o.id, 6, 0 FROM objection o WHERE o.project_id = %(id)s AND o.state = 'filed'
          UNION ALL SELECT e.id, 7, 0 FROM payee e WHERE e.project_id = %(id)s AND e.state = 'entered'
        ) part ORDER BY kind, n, id""",
        {"id": named.id},
    ).fetchall()
    return [find(session, str(row[0])) for row in rows]


def _deadlines(session: Session, id: UUID) -> list[tuple[str, date, list[str]]]:
    return session.conn.execute(
        "SELECT name, due_on, who FROM deadline WHERE subject_id = %s AND closed_seq IS NULL ORDER BY due_on",
        (id,),
    ).fetchall()


def _blocked(session: Session, named: Named) -> list[Refusal] | None:
    """What the gates of a payment say now."""
    if named.noun != "payment" or named.state not in GATED:
        return None
    cache: dict[UUID, Compiled] = {}
    cases = load_cases(session.conn, session.clock, "payment", [named.id], SYSTEM_ID, frozenset(), cache)
    return shut_gates(cases[named.id])


def _approvals(session: Session, named: Named, compiled: Compiled) -> Progress | None:
    """How far the approvals of a payment are that asks for them."""
    if named.noun != "payment" or named.state not in ("requested", "approved"):
        return None
    row = session.conn.execute(
        f"SELECT s.amount_minor, {FACTS['duties']} FROM payment s WHERE s.id = %s", (named.id,)
    ).fetchone()
    assert row is not None
    return progress(compiled.programme, *row)


__all__ = ["Way", "Who", "Why", "explain"]
