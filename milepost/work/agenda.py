"""Whether anything waits to be done: a few milliseconds, so that nothing is started for nothing."""

from __future__ import annotations

from collections.abc import Callable

from milepost.db import Session
from milepost.work.reminders import anything_to_remind
from milepost.work.reviews import anything_to_staff
from milepost.work.sealing import anything_to_seal
from milepost.work.waiting import anything_changed

Question = Callable[[Session], bool]


def _exists(sql: str) -> Question:
    def ask(session: Session) -> bool:
        row = session.conn.execute(
            f"SELECT {sql}", {"today": session.clock.today(), "now": session.clock.now()}
        ).fetchone()
        return bool(row and row[0])

    return ask


_QUESTIONS: dict[str, Question] = {
    "deadlines": _exists(
        "EXISTS (SELECT 1 FROM deadline WHERE closed_seq IS NULL AND act IS NOT NULL AND due_on < %(today)s) "
        "OR EXISTS (SELECT 1 FROM project WHERE state = 'public_notice' AND notice_state = 'ended' "
        "AND open_objections = 0)"
    ),
    "reviews": anything_to_staff,
    "payment_checks": anything_changed,
    "disbursement": _exists(
        "EXISTS (SELECT 1 FROM payment WHERE state IN ('released', 'instructed', 'unknown'))"
    ),
    # Whether a file lies there is for the flow to see, which knows the folder: a payment may come back long
    # after its batch is closed.
    "reconciliation": _exists(
        "EXISTS (SELECT 1 FROM batch WHERE sha256 IS NOT NULL) "
        "OR EXISTS (SELECT 1 FROM bank_entry WHERE outcome = 'new')"
    ),
    "reminders": anything_to_remind,
    "mail": _exists(
        "EXISTS (SELECT 1 FROM message WHERE state = 'queued' AND next_attempt_at <= %(now)s::timestamptz)"
    ),
    "sealing": lambda session: anything_to_seal(session, session.clock.today()),
}
JOBS = tuple(_QUESTIONS)


def has_work(session: Session, job: str) -> bool:
    """Whether a job has something to do now; KeyError for one that does not exist."""
    return _QUESTIONS[job](session)


def agenda(session: Session) -> frozenset[str]:
    """The jobs that have something to do now."""
    return frozenset(job for job in JOBS if has_work(session, job))


__all__ = ["JOBS", "agenda", "has_work"]
