"""The milestones that an application plans: of equal sums, some months apart."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from config.programmes import Programme
from schema.money import Money
from states.tranches import milestone_part

DAYS = (120, 210, 300, 390, 480, 570)


def plan_of(programme: Programme, requested: Money, milestones: int, today: date) -> list[dict[str, Any]]:
    """The plan as ``project.apply`` takes it; empty where the programme does not ask for one."""
    if not programme.milestones.from_application:
        return []
    sums = milestone_part(programme, requested).split([Fraction(1, milestones)] * milestones)
    return [
        {
            "number": n,
            "title": f"里程碑 {n}",
            "amount_minor": money.minor,
            "due_on": (today + timedelta(days=DAYS[n - 1])).isoformat(),
        }
        for n, money in enumerate(sums, start=1)
    ]


__all__ = ["plan_of"]
