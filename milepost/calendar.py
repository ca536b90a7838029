"""A deadline is counted as the law counts it, and says so when the calendar it rests on is not out yet.

Counting follows 民法典 201–203 and 民事诉讼法 85: the day a period starts on does not count; a
period of months or years ends on the corresponding day, or on the month's last day where there is
none; a last day on a day of rest moves to the next working day. 行政强制法 69 makes periods of up
to ten days working days.

China's working days know the make-up days (调休), which the State Council announces year by year,
usually in November for the year to come. A result that rests on a day not yet announced is
`provisional`: count it again once the calendar is out, and treat the first answer as a forecast.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from chinese_calendar.constants import holidays as _cn_days_off
from chinese_calendar.constants import workdays as _cn_make_up_days

from schema.money import Explained

CalendarSource = Literal["CN", "weekends", "none"]
Unit = Literal["working_days", "calendar_days", "months", "years"]


class CalendarError(Explained):
    """A date, a unit, a length or a calendar with which nothing can be counted."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The last day on which something may still be done, and whether it may yet move."""

    due: date
    provisional: bool


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Which days work, and the range in which that is settled."""

    works: Callable[[date], bool]
    settled_from: date = date.min
    settled_until: date = date.max

    def settled(self, first: date, last: date) -> bool:
        """Whether every day from first to last is settled."""
        return self.settled_from <= first and last <= self.settled_until


def _works_in_china(day: date) -> bool:
    return day in _cn_make_up_days or (day.weekday() < 5 and day not in _cn_days_off)


# The announcement for a new year may reach back into the last days of the old one: 2006-12-30,
# 2007-12-29, 2011-12-31 and 2018-12-29 were make-up Saturdays of the New Year that followed. None
# reached further back than the 29th, so the last year on record is settled up to the 28th.
_CALENDARS: Mapping[str, _Calendar] = MappingProxyType(
    {
        "CN": _Calendar(
            _works_in_china,
            settled_from=date(min(_cn_days_off).year, 1, 1),
            settled_until=date(max(_cn_days_off).year, 12, 28),
        ),
        "weekends": _Calendar(lambda day: day.weekday() < 5),
        "none": _Calendar(lambda day: True),
    }
)


def settled_until(source: CalendarSource = "CN") -> date:
    """The last day for which the calendar has been announced; later answers are provisional."""
    return _calendar(source).settled_until


def is_working_day(day: date, *, source: CalendarSource = "CN") -> tuple[bool, bool]:
    """Whether people work that day, and whether the answer is provisional."""
    found = _calendar(source)
    _require_date(day)
    return day.toordinal() in _working_set(source, day.year), not found.settled(day, day)


def add_working_days(start: date, length: int, *, source: CalendarSource = "CN") -> Deadline:
    """The length-th working day after the start; the start itself does not count."""
    found = _calendar(source)
    _require_date(start)
    _require_length(length)
    if length == 0:
        return Deadline(start, False)
    due = _nth_working_day_after(source, start, length)
    return Deadline(due, not found.settled(start + timedelta(days=1), due))


def working_days_between(first: date, last: date, *, source: CalendarSource = "CN") -> int:
    """How many working days lie from first to last, both counted; none when last comes before first."""
    _calendar(source)
    _require_date(first)
    _require_date(last)
    count = 0
    for year in range(first.year, last.year + 1):
        days = _working_days(source, year)
        count += max(0, bisect_right(days, last.toordinal()) - bisect_left(days, first.toordinal()))
    return count


def deadline(
    start: date, length: int, unit: Unit, *, roll: bool = True, source: CalendarSource = "CN"
) -> Deadline:
    """The last day of a period that starts with an event on `start` (民法典 201–203, 民事诉讼法 85).

    `roll` moves a last day that is no working day to the next one; turn it off for periods that
    a contract ends on the day itself. A period in working days ends on a working day either way.
    """
    found = _calendar(source)
    if unit == "working_days" and length:
        return add_working_days(start, length, source=source)
    last = _last_day(start, length, unit)
    if not roll:
        return Deadline(last, False)
    due = last
    if not is_working_day(last, source=source)[0]:
        due = _nth_working_day_after(source, last, 1)
    return Deadline(due, not found.settled(last, due))


def statutory_days(length: int) -> tuple[int, Unit]:
    """A period in days as the law means it: up to ten are working days (行政强制法 69).

    The answer is what `deadline` takes: `deadline(served_on, *statutory_days(10))`.
    """
    _require_length(length)
    return length, "working_days" if length <= 10 else "calendar_days"


def back_from(
    due: date,
    days: int,
    *,
    unit: Literal["working_days", "calendar_days"] = "calendar_days",
    source: CalendarSource = "CN",
) -> date:
    """The day that lies so many days before a due date, for reminders: T−60, T−30, T−10."""
    _calendar(source)
    _require_date(due)
    _require_length(days)
    if unit == "calendar_days":
        return _moved(due, -days)
    if unit != "working_days":
        raise _unknown_unit(unit, "working_days, calendar_days")
    return _nth_working_day_before(source, due, days) if days else due


def _calendar(source: str) -> _Calendar:
    found = _CALENDARS.get(source)
    if found is None:
        known = ", ".join(_CALENDARS)
        raise CalendarError(
            "calendar_unknown",
            f"没有日历“{source}”。请使用以下日历之一：{known}。",
            f"There is no calendar {source!r}. Use one of: {known}.",
        )
    return found


@lru_cache(maxsize=512)
def _working_days(source: str, year: int) -> tuple[int, ...]:
    """The working days of one year as ordinals, in order: a count becomes a look-up."""
    works = _CALENDARS[source].works
    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    return tuple(n for n in range(first, last + 1) if works(date.fromordinal(n)))


@lru_cache(maxsize=512)
def _working_set(source: str, year: int) -> frozenset[int]:
    return frozenset(_working_days(source, year))


def _nth_working_day_after(source: str, start: date, n: int) -> date:
    year, ordinal = start.year, start.toordinal()
    while year <= MAXYEAR:
        days = _working_days(source, year)
        index = bisect_right(days, ordinal) + n - 1
        if index < len(days):
            return date.fromordinal(days[index])
        n, year = index - len(days) + 1, year + 1
    raise _beyond_dates(start)


def _nth_working_day_before(source: str, due: date, n: int) -> date:
    year, ordinal = due.year, due.toordinal()
    while year >= 1:
        days = _working_days(source, year)
        index = bisect_left(days, ordinal) - n
        if index >= 0:
            return date.fromordinal(days[index])
        n, year = -index, year - 1
    raise _beyond_dates(due)


def _last_day(start: date, length: int, unit: str) -> date:
    """The last day of a period before it is moved off a day of rest."""
    _require_date(start)
    _require_length(length)
    if unit in ("calendar_days", "working_days"):
        return _moved(start, length)
    if unit not in ("months", "years"):
        raise _unknown_unit(unit, "working_days, calendar_days, months, years")
    months = start.month - 1 + (length if unit == "months" else 12 * length)
    year, month = start.year + months // 12, months % 12 + 1
    if year > MAXYEAR:
        raise _beyond_dates(start)
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


def _moved(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise _beyond_dates(day) from None


def _require_date(day: date) -> None:
    # A moment has a time zone to decide before it has a day; that decision is not made here.
    if not isinstance(day, date) or isinstance(day, datetime):
        raise CalendarError(
            "not_a_date",
            f"{day!r} 不是日期。请先按当地时区取其日期。",
            f"{day!r} is not a date. Take its date in the local time zone first.",
        )


def _require_length(length: int) -> None:
    if type(length) is not int or length < 0:
        raise CalendarError(
            "length_not_countable",
            f"期间长度 {length!r} 无效。请填写不小于零的整数。",
            f"A period of {length!r} cannot be counted. Give a whole number that is not below zero.",
        )


def _unknown_unit(unit: str, known: str) -> CalendarError:
    return CalendarError(
        "unit_unknown",
        f"没有期间单位“{unit}”。请使用以下单位之一：{known}。",
        f"There is no unit {unit!r}. Use one of: {known}.",
    )


def _beyond_dates(start: date) -> CalendarError:
    return CalendarError(
        "date_out_of_range",
        f"从 {start} 起算的日期超出公历可表示的范围。请缩短期间。",
        f"Counting from {start} leaves the dates that exist. Shorten the period.",
    )
