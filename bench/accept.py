"""Accepting reported milestones: one by one, and set by set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bench.copies import Pattern
from bench.office import Office, Walk, actor
from milepost.actions import Order, perform, perform_many
from milepost.db import Session

STEP = "milestone.accept"
EACH = 5
OPINION = {"opinion": "It does what was promised."}


@dataclass(frozen=True, slots=True)
class Reported:
    """The reported milestones: some to accept one by one, the others in one go."""

    singly: Sequence[UUID]
    together: Sequence[UUID]


def reported_milestones(office: Office, together: int, singly: int) -> Reported:
    """Projects with five reported milestones each, spread over the office's programmes."""
    with office.database.session() as session:
        walk = Walk(session, office.clock, EACH)
        walk.to_implementation()
        walk.report(EACH)
        ids = [str(id) for id in walk.ids("milestone")]
    office.dismiss_passing()
    pattern = Pattern(office.database.owner_url, walk.project)
    holes = [pattern.names.index(id) for id in ids]
    projects = -(-(together + singly) // EACH)
    made = pattern.copy(projects, programmes=office.programmes, salt="accept")
    milestones = [UUID(names[hole]) for hole in holes for names in made]
    return Reported(milestones[:singly], milestones[singly : singly + together])


def one_by_one(session: Session, milestones: Sequence[UUID]) -> None:
    """Each in a transaction of its own."""
    for id in milestones:
        perform(session, actor("officer"), STEP, id, OPINION, f"accept:{id}")


def set_by_set(session: Session, milestones: Sequence[UUID]) -> None:
    """All in one call. Every one must have been accepted."""
    orders = [Order(STEP, id, OPINION, f"accept:{id}") for id in milestones]
    outcomes = perform_many(session, actor("officer"), orders)
    assert all(outcome.receipt is not None for outcome in outcomes)
