"""Reminders and escalation: every day of a deadline that a programme names is told once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import flow

from flows.runtime import bound, slice_task
from milepost.work.reminders import SLICE, ReminderReport, send_reminders


@slice_task("reminders-slice")
async def remind_slice(after: UUID | None) -> ReminderReport:
    """One slice of the deadlines."""
    with bound().database.session() as session:
        return send_reminders(session, after=after, limit=SLICE)


async def remind() -> dict[str, Any]:
    """What the flow does; also a part of the day in ``flows.daily``."""
    found = {"deadlines": 0, "days": 0, "mails": 0, "unaddressed": 0}
    after: UUID | None = None
    while True:
        report = await remind_slice(after)
        for name in found:
            found[name] += getattr(report, name)
        after = report.next_after
        if after is None:
            return found


@flow(name="reminders", persist_result=False)
async def reminders() -> dict[str, Any]:
    """Queue what is to be reminded of by today."""
    return await remind()


__all__ = ["remind", "reminders"]
