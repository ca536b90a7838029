"""How batches and late returns get to each of their states in a town."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from milepost.calendar import is_working_day

if TYPE_CHECKING:
    from tests.invariants.town import Town

WRITTEN = {"size": 1, "number": 1, "total_minor": 1}


def make(town: Town, *, currency: str = "CNY") -> UUID:
    """A batch of everything that is released."""
    return town.take(
        "finance4",
        "batch.make",
        None,
        programme_id=str(town.programme.id),
        currency=currency,
        execution_on=working_day(town).isoformat(),
    ).subject_id


def working_day(town: Town) -> date:
    """Today, or the working day after it."""
    day = town.clock.today()
    while not is_working_day(day)[0]:
        day += timedelta(days=1)
    return day


def batch(town: Town, state: str) -> UUID:
    """A batch of one payment."""
    payment = town.payment("released")
    made = make(town)
    if state == "discarded":
        town.take("finance4", "batch.discard", made, reason="the wrong day")
    if state in ("made", "discarded"):
        return made
    town.take("finance5", "batch.hand_over", made)
    if state == "lapsed":
        town.take("system", "batch.lapse", made, reason="nothing was left")
    if state in ("handed_over", "lapsed"):
        return made
    town.take("system", "payment.instruct", payment)
    town.take(
        "system",
        "batch.write",
        made,
        file_name=f"{made.hex}.xml",
        sha256=f"{made.hex}{made.hex}",
        staged_as=f"{made.hex[:8]}.xml",
        **WRITTEN,
    )
    if state != "written":
        town.take("system", "batch.send", made)
    if state == "answered":
        town.take("system", "batch.answer", made)
    if state == "closed":
        town.take("system", "payment.settle", payment, reference="B")
        town.take("system", "batch.close", made)
    return made
