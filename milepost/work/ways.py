"""The ways on from a subject: each step from here, who can take it, and what still objects to them.

Asked of ``available``, person by person: the same guards and gates as the step itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from milepost.actions import Actor
from milepost.available import available
from milepost.db import Session
from milepost.queries.named import Named
from milepost.queries.sight import Sight, find_subject
from states.diagram import picture
from states.labels import STATES
from states.machines import Compiled
from states.refusals import Refusal
from states.step import NounMachine, Step

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


def ways_from(
    session: Session, named: Named, compiled: Compiled, reader: Sight | None, *, whole: bool | None = None
) -> list[Way]:
    """Every step from here. ``reader``: only what this person may know; ``whole`` where the caller knows
    that names may be told, as of payments to all who see who of the office acts.
    """
    machine = compiled.machines[named.noun]
    if whole is None:
        whole = reader is None or _knows(session, named, reader)
    known = holders(session, named) if whole else []
    spine = line_of(machine)
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
        for role, id, login, name in (h for h in known if h[0] in way.roles):
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


def line_of(machine: NounMachine) -> tuple[str, ...]:
    """The states of the straight way, in order. A payment's is told whole: the bank may be quicker than we
    are, and then the shortest way leaves out that it was handed over.
    """
    if machine.noun != "payment":
        return picture(machine).spine
    line = list(STATES["payment"])
    return tuple(state for state in line[: line.index("settled") + 1] if state in machine.states)


def holders(session: Session, named: Named) -> list[Any]:
    """Who holds which role here: role, id, login, name; a named expert or evaluator is the only one."""
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


__all__ = ["Way", "Who", "holders", "line_of", "ways_from"]
