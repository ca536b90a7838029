"""What is left of a receivable, and how instalments divide it: sums and days, no rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from milepost.calendar import CalendarSource, deadline
from schema.money import Money


def covered_minor(row: Mapping[str, Any]) -> int:
    """What of a receivable is no longer owed."""
    return int(row["received_minor"]) + int(row["written_off_minor"]) + int(row["offset_minor"])


def left_minor(row: Mapping[str, Any]) -> int:
    """What of a receivable is still to come in: what is to be set off is not."""
    return int(row["amount_minor"]) - covered_minor(row) - int(row["reserved_minor"])


def instalments(
    left: int, currency: str, number: int, first_on: date, every_months: int, source: CalendarSource
) -> list[dict[str, Any]]:
    """``left`` in so many parts, the last of which takes the remainder, each with its day."""
    parts = Money(left, currency).split([f"1/{number}"] * number)
    return [
        {
            "number": place + 1,
            "due_on": _months_on(first_on, place * every_months, source).isoformat(),
            "amount_minor": part.minor,
        }
        for place, part in enumerate(parts)
    ]


def _months_on(day: date, months: int, source: CalendarSource) -> date:
    return deadline(day, months, "months", source=source).due if months else day


def open_instalments(plan: Sequence[Mapping[str, Any]], paid_minor: int) -> list[dict[str, Any]]:
    """The instalments with what is left of each; what was paid since the plan goes to the oldest first."""
    found = []
    for part in plan:
        taken = min(paid_minor, int(part["amount_minor"]))
        paid_minor -= taken
        found.append({**part, "left_minor": int(part["amount_minor"]) - taken})
    return found


def next_due(row: Mapping[str, Any], more_minor: int = 0) -> date:
    """The day of what is due next, once ``more_minor`` came in on top: the oldest open part."""
    paid = covered_minor(row) + more_minor - int(row["planned_from_minor"])
    for part in open_instalments(row["plan"], paid):
        if part["left_minor"]:
            return date.fromisoformat(part["due_on"])
    last: date = row["next_due_on"]
    return last


__all__ = ["covered_minor", "instalments", "left_minor", "next_due", "open_instalments"]
