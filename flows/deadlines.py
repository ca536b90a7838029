"""Deadlines whose day is past act by themselves; notices that ended without objection are concluded."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from prefect import flow

from flows.runtime import bound, slice_task
from milepost.work.deadlines import SLICE, DeadlineReport, act_on_deadlines, conclude_notices


@slice_task("deadlines-slice")
async def act_slice(after: UUID | None) -> DeadlineReport:
    """One slice of the deadlines."""
    with bound().database.session() as session:
        return act_on_deadlines(session, after=after, limit=SLICE)


@slice_task("notices")
async def conclude_slice() -> DeadlineReport:
    """The notices that ended."""
    with bound().database.session() as session:
        return conclude_notices(session)


async def act() -> dict[str, Any]:
    """What the flow does; also a part of the day in ``flows.daily``."""
    acted: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    after: UUID | None = None
    while True:
        report = await act_slice(after)
        acted += report.acted
        refused += report.refused
        after = report.next_after
        if after is None:
            break
    concluded = await conclude_slice()
    return {"acted": dict(acted + concluded.acted), "refused": dict(refused + concluded.refused)}


@flow(name="deadlines", persist_result=False)
async def deadlines() -> dict[str, Any]:
    """Calls open and close, notices end, agreements lapse, milestones fall overdue, reviews late."""
    return await act()


__all__ = ["act", "deadlines"]
