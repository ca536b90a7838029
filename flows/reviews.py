"""Reviews keep their panels: conflicts end tasks, drawn experts are invited, vacant seats go to the next."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from prefect import flow

from flows.runtime import bound, slice_task
from milepost.work.conflicts import SLICE as TASKS
from milepost.work.conflicts import ConflictReport, take_away_conflicted
from milepost.work.reviews import SLICE, PanelReport, fill_panels


@slice_task("conflicts-slice")
async def sweep_slice(after: UUID | None) -> ConflictReport:
    """One slice of the experts' tasks."""
    with bound().database.session() as session:
        return take_away_conflicted(session, after=after, limit=TASKS)


@slice_task("panels-slice")
async def fill_slice(after: UUID | None) -> PanelReport:
    """One slice of the rounds that were drawn."""
    with bound().database.session() as session:
        return fill_panels(session, after=after, limit=SLICE)


async def staff() -> dict[str, Any]:
    """What the flow does; also a part of the day in ``flows.daily``.

    Conflicts first: a seat that falls vacant by one is filled in the same run.
    """
    taken, refused = Counter[str](), Counter[str]()
    after: UUID | None = None
    while True:
        swept = await sweep_slice(after)
        taken += swept.taken
        refused += swept.refused
        after = swept.next_after
        if after is None:
            break
    total = PanelReport()
    while True:
        filled = await fill_slice(after)
        total.add(filled)
        after = filled.next_after
        if after is None:
            break
    return {
        "taken_away": dict(taken),
        "invited": total.invited,
        "succeeded": total.succeeded,
        "short": total.short,
        "told": total.told,
        "refused": dict(refused + total.refused),
    }


@flow(name="reviews", persist_result=False)
async def reviews() -> dict[str, Any]:
    """Take conflicted reviews away, invite who was drawn, let the next in the ranking follow."""
    return await staff()


__all__ = ["reviews", "staff"]
