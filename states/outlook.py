"""Into which years an award falls: by the day on which each of its tranches is expected to be due.

An expectation, not a promise: it moves with every extension. What is late falls into the present year.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta

from config.programmes import Programme
from schema.money import Money
from states.tranches import planned_milestones, planned_tranches


def _implementation_ends(programme: Programme, start: date) -> date:
    """When the work ends by the programme's own deadline; at once where it sets none."""
    for row in programme.deadlines:
        if row.of == "project.implementation":
            if row.unit in ("months", "years"):
                return start + relativedelta(months=row.length * (12 if row.unit == "years" else 1))
            # Five working days make a week; to find the year, holidays do not matter.
            days = row.length * 7 // 5 if row.unit == "working_days" else row.length
            return start + timedelta(days=days)
    return start


def _day(value: str | date) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def years_of(
    programme: Programme, award_minor: int, currency: str, plan: Sequence[dict[str, Any]] | None, today: date
) -> dict[int, int]:
    """Minor units of an award by fiscal year, were it agreed today; together they are the award.

    A milestone without a day counts with the last one that has one.
    """
    milestones = planned_milestones(programme, list(plan or ()), today)
    due = {row["number"]: _day(row["due_on"]) for row in milestones if row["due_on"] is not None}
    end = max(due.values()) if due else _implementation_ends(programme, today)
    found: dict[int, int] = {}
    for row in planned_tranches(programme, Money(award_minor, currency), milestones, today):
        known = row.due_on or {"agreement": today, "acceptance": end}.get(row.waits_for)
        day = known or due.get(row.milestone or 0, end)
        year = max(day.year, today.year)
        found[year] = found.get(year, 0) + row.amount_minor
    return dict(sorted(found.items()))


__all__ = ["years_of"]
