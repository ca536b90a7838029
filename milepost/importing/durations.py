"""Reads how long people said a piece of work would take: "5 weeks", "~2 weeks", "1 month and 1 week"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from dateutil.relativedelta import relativedelta

_PART = re.compile(
    r"(?P<count>\d+(?:\.\d+)?|one|two|three|four|five|six)[\s-]*(?P<unit>day|week|month|year)s?\b",
    re.IGNORECASE,
)
_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}
MONTH_DAYS = 30  # for the half in "2.5 months"
MOST_MONTHS, MOST_DAYS = 240, 7300


@dataclass(frozen=True, slots=True)
class Duration:
    """Months and days, as they were written; months are not turned into days until a day is known."""

    months: int
    days: int

    def after(self, start: date) -> date:
        """The last day of a period that starts on ``start``."""
        return start + relativedelta(months=self.months) + timedelta(days=self.days)

    def before(self, end: date) -> date:
        """A day from which the period ends on ``end``, or the day nearest to it."""
        return end - timedelta(days=self.days) - relativedelta(months=self.months)

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.months + other.months, self.days + other.days)


NOTHING = Duration(0, 0)


def read_duration(text: str) -> Duration | None:
    """The duration that is written there, remarks in brackets left out; None where none can be read."""
    plain = re.sub(r"\([^)]*\)|（[^）]*）", " ", text)
    months = days = 0
    found = list(_PART.finditer(plain))
    for part in found:
        word = part["count"].lower()
        count = Fraction(_WORDS.get(word, 0) or word)
        unit = part["unit"].lower()
        if unit in _DAYS:
            days += round(count * _DAYS[unit])
        else:
            whole = int(count * _MONTHS[unit])
            months += whole
            days += round((count * _MONTHS[unit] - whole) * MONTH_DAYS)
    if not found or months + days < 1 or months > MOST_MONTHS or days > MOST_DAYS:
        return None
    return Duration(months, days)
