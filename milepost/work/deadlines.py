"""Deadlines that act by themselves, once their day is past; then notices that ended without objection.

Calls open and close, notices end, applications and agreements lapse, milestones fall overdue, reviews
late; where a programme says so, a late one passes to somebody else.
What acts is a step like any other, under a request id made of the deadline: repeated, it has one effect. A
step that is refused leaves the deadline open: somebody has to act, and the deadline goes on reminding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from milepost.actions import SYSTEM, Order, Outcome, perform_many
from milepost.db import Session
from states.labels import every_step

SLICE = 5_000
_FIRST = UUID(int=0)


@dataclass(slots=True)
class DeadlineReport:
    """How many deadlines acted, by step; how many were refused, by reason; where the slice ended."""

    acted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    next_after: UUID | None = None

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count what became of some orders; what another process did first is not counted here."""
        for outcome in outcomes:
            if outcome.receipt is None:
                self.refused.update(refusal.code for refusal in outcome.refusals)
            elif not outcome.receipt.repeated:
                self.acted[outcome.order.step] += 1


def act_on_deadlines(
    session: Session, *, after: UUID | None = None, limit: int | None = None
) -> DeadlineReport:
    """Take the step of every open deadline whose day is past; with ``limit`` one slice of them, by id."""
    report = DeadlineReport()
    last = after or _FIRST
    while True:
        size = SLICE if limit is None else limit
        rows = session.conn.execute(
            "SELECT id, act, subject_id, name, due_on FROM deadline WHERE closed_seq IS NULL "
            "AND act IS NOT NULL AND due_on < %s AND id > %s ORDER BY id LIMIT %s",
            (session.clock.today(), last, size),
        ).fetchall()
        orders = [
            Order(act, subject_id, given_for(act, name, due_on), f"deadline:{id}")
            for id, act, subject_id, name, due_on in rows
        ]
        report.add(perform_many(session, SYSTEM, orders) if orders else ())
        full = len(rows) == size
        if full:
            last = rows[-1][0]
        if not full or limit is not None:
            report.next_after = last if full else None
            return report


def given_for(step: str, deadline: str, due_on: date) -> dict[str, str]:
    """What a deadline says for a step that asks why: which day has passed. Other steps are asked nothing."""
    row = every_step().get(step)
    asked = row.input.model_fields.get("reason") if row is not None else None
    if asked is None or not asked.is_required():
        return {}
    return {
        "reason": f"期限 {due_on} 已过，未办理（{deadline}）。\n"
        f"The deadline of {due_on} passed without it ({deadline})."
    }


def conclude_notices(session: Session) -> DeadlineReport:
    """Conclude every notice that ended without an open objection; the step's own guard decides."""
    report = DeadlineReport()
    rows = session.conn.execute(
        "SELECT id, version FROM project WHERE state = 'public_notice' AND notice_state = 'ended' "
        "AND open_objections = 0 ORDER BY id"
    ).fetchall()
    step = "project.conclude_notice"
    orders = [Order(step, id, {}, f"{step}:{id}:{version}") for id, version in rows]
    report.add(perform_many(session, SYSTEM, orders) if orders else ())
    return report


__all__ = ["SLICE", "DeadlineReport", "act_on_deadlines", "conclude_notices", "given_for"]
