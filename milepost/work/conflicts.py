"""Takes reviews away from experts who have a conflict now, and tells the officer: a step each, once.

What an expert may see has ended already, with the commit that made the conflict. This does what follows,
right after a change of the pool, of a team or of an application, and again by the flow that looks at all
reviews: a process may die in between, and a task may be given in the moment in which a conflict is declared.
Two processes may do it at the same time, and whatever was done is done once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from milepost.actions import SYSTEM, Order, Outcome, Receipt, perform_many
from milepost.db import Session
from milepost.experts.conflicts import BAN_RULE, STAFF_RULE, Conflict, conflicts_of

SLICE = 500
_FIRST = UUID(int=0)
# Another process was quicker: the task is no longer there to be taken.
_DONE_ELSEWHERE = frozenset({"wrong_state", "request_reused"})
# Steps that change who stands behind an application, or whether it still competes.
_CHANGES_PARTIES = frozenset(
    {"project.apply", "project.revise", "project.describe", "project.amend_team", "project.submit"}
)


@dataclass(slots=True)
class ConflictReport:
    """How many tasks were looked at, and taken away by rule; refusals by reason; where the slice ended."""

    looked_at: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    next_after: UUID | None = None

    def add(self, rules: Sequence[str], outcomes: Sequence[Outcome]) -> None:
        """Count what became of some tasks; what another process did first is not counted here."""
        for rule, outcome in zip(rules, outcomes, strict=True):
            if outcome.receipt is None:
                codes = {refusal.code for refusal in outcome.refusals}
                self.refused.update(codes - _DONE_ELSEWHERE)
            elif not outcome.receipt.repeated:
                self.taken[rule] += 1


# A review that was submitted counts until its round is scored; after that it stays as it was counted.
_LIVE = """SELECT t.id, t.project_id, t.expert_id, t.state FROM task t JOIN round r ON r.id = t.round_id
WHERE t.state IN ('invited', 'accepted', 'late', 'submitted') AND r.state IN ('open', 'quorum_reached')
  AND t.id > %(after)s AND (%(people)s::uuid[] IS NULL OR t.expert_id = ANY(%(people)s::uuid[]))
  AND (%(projects)s::uuid[] IS NULL OR t.project_id = ANY(%(projects)s::uuid[]))
ORDER BY t.id LIMIT %(limit)s"""


def take_away_conflicted(
    session: Session,
    *,
    people: Iterable[UUID] | None = None,
    projects: Iterable[UUID] | None = None,
    after: UUID | None = None,
    limit: int | None = None,
) -> ConflictReport:
    """Take away every live task whose expert may not review today, among some people and some projects.

    None means everybody, or every project. With ``limit`` one slice of the tasks, by id.
    """
    report, last = ConflictReport(), after or _FIRST
    given: dict[str, Any] = {
        "people": None if people is None else list(people),
        "projects": None if projects is None else list(projects),
    }
    size = SLICE if limit is None else limit
    while True:
        rows = session.conn.execute(_LIVE, {**given, "after": last, "limit": size}).fetchall()
        report.looked_at += len(rows)
        _take(session, rows, report)
        full = len(rows) == size
        if full:
            last = rows[-1][0]
        if not full or limit is not None:
            report.next_after = last if full else None
            return report


def _take(session: Session, tasks: Sequence[tuple[UUID, UUID, UUID, str]], report: ConflictReport) -> None:
    conflicts = conflicts_of(
        session.conn,
        sorted({project for _, project, *_ in tasks}),
        sorted({expert for _, _, expert, _ in tasks}),
        session.clock.today(),
    )
    rules: list[str] = []
    orders: list[Order] = []
    for id, project, expert, state in tasks:
        # A ban takes what is open. Were it to undo what was submitted, it could undo a score nobody likes.
        spared = (STAFF_RULE, BAN_RULE) if state == "submitted" else (STAFF_RULE,)
        own = [c for c in conflicts.get((project, expert), ()) if c.rule not in spared]
        if own:
            rules.append(own[0].rule)
            given = {"reason": reason_for(own)}
            orders.append(Order("task.take_away", id, given, f"conflict:{id}:{own[0].rule}"))
    if orders:
        report.add(rules, perform_many(session, SYSTEM, orders))


def reason_for(conflicts: Sequence[Conflict]) -> str:
    """What the record says: each rule in both languages, with its evidence."""
    return "\n".join(f"{c.text.zh} / {c.text.en} [{c.rule}: {c.evidence}]" for c in conflicts)[:4000]


def after_step(session: Session, receipt: Receipt) -> ConflictReport:
    """What a step on an application changed about conflicts: in its own review, and for those in its team.

    Whoever stands behind an application competes with the others of its call and has worked with those who
    stand there too; so their tasks are looked at, whatever these are for. Other steps change nothing.
    """
    if receipt.step not in _CHANGES_PARTIES:
        return ConflictReport()
    report = take_away_conflicted(session, projects=[receipt.subject_id])
    busy = [row[0] for row in session.conn.execute(_BUSY).fetchall()]
    found = conflicts_of(session.conn, [receipt.subject_id], busy, session.clock.today())
    team = [person for (_, person), own in found.items() if any(c.rule == "own_application" for c in own)]
    if team:
        others = take_away_conflicted(session, people=team)
        report.looked_at += others.looked_at
        report.taken += others.taken
        report.refused += others.refused
    return report


_BUSY = """SELECT DISTINCT t.expert_id FROM task t JOIN round r ON r.id = t.round_id
WHERE t.state IN ('invited', 'accepted', 'late', 'submitted') AND r.state IN ('open', 'quorum_reached')"""

__all__ = ["SLICE", "ConflictReport", "after_step", "reason_for", "take_away_conflicted"]
