"""Who of the pool is fit for work on a day, and how much each has done in a year: one SQL for all who ask.

``BANNED`` and ``ABSENT`` are conditions on an expert ``x`` and ``%(day)s``. ``USED`` counts by expert the
tasks that were given in the year of ``of_year``; whoever asks adds conditions and the grouping.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from milepost.clock import OFFICE_ZONE

UNUSED = ("declined", "recused", "replaced", "taken_away")
"""Tasks that came to nothing for the expert count for no load."""

BANNED = """EXISTS (SELECT 1 FROM ban b WHERE b.person_id = x.person_id AND b.lifted_at IS NULL
    AND %(day)s BETWEEN b.from_on AND b.until_on)"""
ABSENT = """EXISTS (SELECT 1 FROM absence b WHERE b.person_id = x.person_id
    AND %(day)s BETWEEN b.from_on AND b.to_on)"""
USED = """SELECT t.expert_id, count(*) AS used FROM task t
  JOIN event e ON e.subject_id = t.id AND e.subject_seq = 1
  WHERE e.at >= %(begins)s AND e.at < %(ends)s AND t.state <> ALL(%(unused)s)"""


def of_year(year: int, zone: ZoneInfo = OFFICE_ZONE) -> dict[str, Any]:
    """What ``USED`` asks for: the calendar year at the office."""
    return {
        "begins": datetime(year, 1, 1, tzinfo=zone),
        "ends": datetime(year + 1, 1, 1, tzinfo=zone),
        "unused": list(UNUSED),
    }


__all__ = ["ABSENT", "BANNED", "UNUSED", "USED", "of_year"]
