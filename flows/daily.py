"""One day from its deadlines to its seal, in the order in which each part needs the one before.

``live_day`` is a plain function: inside a flow its parts are that flow's tasks, so that a replay lives
through thousands of days in one run; inside ``without_prefect`` they are plain functions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from prefect import flow

from flows.deadlines import act
from flows.disbursement import pay
from flows.mail import deliver
from flows.payment_checks import check
from flows.reconciliation import reconcile_inbox
from flows.reminders import remind
from flows.reviews import staff
from flows.runtime import bound
from flows.sealing import close_day
from milepost.work.agenda import JOBS, has_work

# Deadlines first, because they open gates and vacate seats; mail after all that owes some; the seal last.
PARTS: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
    "deadlines": act,
    "reviews": staff,
    "payment_checks": check,
    "disbursement": pay,
    "reconciliation": reconcile_inbox,
    "reminders": remind,
    "mail": deliver,
    "sealing": close_day,
}
assert set(PARTS) == set(JOBS)


def waits(part: str) -> bool:
    """Whether a part has something to do now."""
    with bound().database.session() as session:
        return has_work(session, part)


async def live_day(*, parts: Collection[str] = tuple(PARTS), idle_too: bool = False) -> dict[str, Any]:
    """Live through the day that the database's clock shows; a part with nothing to do is left out.

    What a part makes due, a later part sees. ``idle_too`` runs every part, for those who want it on record.
    """
    found: dict[str, Any] = {}
    for name, part in PARTS.items():
        if name in parts and (idle_too or waits(name)):
            found[name] = await part()
    return found


@flow(name="daily", persist_result=False)
async def daily(idle_too: bool = True) -> dict[str, Any]:
    """All parts of one day, each a part of this run."""
    return await live_day(idle_too=idle_too)


__all__ = ["PARTS", "daily", "live_day", "waits"]
