"""Why something waits: what blocks it, who can act, until when; by the same guards and gates as the steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from milepost.actions import Actor
from milepost.available import available
from milepost.cases import load_cases
from milepost.cli.subjects import Named, find
from milepost.db import Session
from milepost.programmes import load_published
from milepost.queries.sight import Sight, find_subject
from states.case import SYSTEM_ID
from states.diagram import picture
from states.gates import shut_gates
from states.machines import Compiled
from states.refusals import Refusal
from states.step import Step

GATED = ("planned", "due", "requested", "approved", "released")
# How many holders of a role are asked before one is believed to be the best placed.
_ASKED_MAX = 5
_HOLDERS = """SELECT DISTINCT g.role, n.id, n.login, n.name FROM role_grant g
  JOIN person n ON n.id = g.person_id AND n.active JOIN project p ON p.id = %s
  WHERE g.revoked_at IS NULL AND (g.project_id = p.id OR starts_with(p.office_path, g.office_path))
  ORDER BY n.login"""
_NAMED = """SELECT 'expert', n.id, n.login, n.name FROM task t JOIN person n ON n.id = t.expert_id
   WHERE t.id = %(id)s UNION ALL
  SELECT 'evaluator', n.id, n.login, n.name FROM milestone m JOIN person n ON n.id = m.evaluator_id
   WHERE m.id = %(id)s"""


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who may take a step."""

    login: str
    name: str
    role: str


@dataclass(slots=True)
class Way:
    """A step from here: who can take it, and what still objects to the best placed of them.

    ``onward`` is true where it leads further along the straight way through the machine. Where ``told`` is
    false the reader may not know who that would be, nor what objects to others.
    """

    step: Step
    roles: tuple[str, ...]
    onward: bool
    who: list[Who] = field(default_factory=list)
    refusals: tuple[Refusal, ...] = ()
    told: bool = True


@dataclass(slots=True)
class Why:
    """One subject that waits."""

    subject: Named
    label: str
    deadlines: list[tuple[str, date, list[str]]]
    blocked: list[Refusal] | None
    ways: list[Way]
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
        _ways(session, named, compiled, reader),
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


def _ways(session: Session, named: Named, compiled: Compiled, reader: Sight | None) -> list[Way]:
    machine = compiled.machines[named.noun]
    whole = reader is None or _knows(session, named, reader)
    holders = _holders(session, named) if whole else []
    spine = picture(machine).spine
    ahead = frozenset(spine[spine.index(named.state) + 1 :] if named.state in spine else spine)
    found = [
        Way(step, machine.roles_of(step.name), any(a == named.state and b in ahead for a, b in step.pairs()))
        for step in machine.steps_from(named.state)
    ]
    if not whole and reader is not None:
        offers = available(session, Actor(reader.actor_id, fresh=True), named.noun, named.id)
        own = {offer.step.name: offer.refusals for offer in offers}
        return [replace(way, refusals=own.get(way.step.name, ()), told=False) for way in found]
    asked: dict[UUID, dict[str, tuple[Refusal, ...]]] = {}
    for way in found:
        best: list[tuple[int, Who, tuple[Refusal, ...]]] = []
        for role, id, login, name in (h for h in holders if h[0] in way.roles):
            if id not in asked and len(best) < _ASKED_MAX:
                offers = available(session, Actor(id, fresh=True), named.noun, named.id)
                asked[id] = {offer.step.name: offer.refusals for offer in offers}
            if way.step.name in asked.get(id, {}):
                refusals = asked[id][way.step.name]
                best.append((len(refusals), Who(login, name, role), refusals))
        if best:
            fewest = min(count for count, _, _ in best)
            way.who = [who for count, who, _ in best if count == fewest]
            way.refusals = next(refusals for count, _, refusals in best if count == fewest)
    return found


def _knows(session: Session, named: Named, reader: Sight) -> bool:
    """Whether somebody sees the review of the project, and so who acts in it."""
    if named.project_id is None:
        return reader.names
    seen = find_subject(session, reader.actor_id, "project", named.project_id)
    return seen is not None and seen.sight.counts


def _holders(session: Session, named: Named) -> list[Any]:
    """Who holds which role here; an expert or evaluator who is named is the only one."""
    if named.project_id is None:
        return session.conn.execute(
            "SELECT DISTINCT g.role, n.id, n.login, n.name FROM role_grant g "
            "JOIN person n ON n.id = g.person_id AND n.active "
            "WHERE g.revoked_at IS NULL AND g.office_path IS NOT NULL ORDER BY n.login"
        ).fetchall()
    everybody = session.conn.execute(_HOLDERS, (named.project_id,)).fetchall()
    named_ones = session.conn.execute(_NAMED, {"id": named.id}).fetchall()
    only = {role for role, *_ in named_ones}
    return [h for h in everybody if h[0] not in only] + named_ones


__all__ = ["Way", "Who", "Why", "explain"]
