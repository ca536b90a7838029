"""A deadline falls on the day the law says, and says so when that day may still move."""

from datetime import MAXYEAR, UTC, date, datetime, timedelta

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.calendar import (
    CalendarError,
    Deadline,
    add_working_days,
    back_from,
    deadline,
    is_working_day,
    settled_until,
    statutory_days,
    working_days_between,
)

SETTLED = settled_until()
FAR = date(SETTLED.year + 5, 1, 1)
sources = st.sampled_from(["CN", "weekends", "none"])
days = st.dates(date(2000, 1, 1), date(2035, 12, 31))


def refused(code: str, call) -> CalendarError:
    with pytest.raises(CalendarError) as caught:
        call()
    assert caught.value.code == code
    assert caught.value.zh and caught.value.en
    return caught.value


# start, length, unit, due
VECTORS = [
    (date(2026, 9, 18), 10, "working_days", date(2026, 10, 9)),
    (date(2026, 9, 18), 10, "calendar_days", date(2026, 9, 28)),
    (date(2026, 4, 1), 60, "calendar_days", date(2026, 6, 1)),
    (date(2026, 4, 1), 6, "months", date(2026, 10, 8)),
    (date(2026, 10, 8), 3, "months", date(2027, 1, 8)),
    (date(2025, 8, 31), 6, "months", date(2026, 2, 28)),
    (date(2023, 4, 25), 5, "working_days", date(2023, 5, 5)),
    # A leap day corresponds to the last day of February, and back.
    (date(2024, 2, 29), 1, "years", date(2025, 2, 28)),
    (date(2024, 2, 28), 1, "years", date(2025, 2, 28)),
    (date(2023, 11, 29), 3, "months", date(2024, 2, 29)),
    (date(2024, 12, 31), 2, "months", date(2025, 2, 28)),
    (date(2025, 1, 31), 1, "months", date(2025, 2, 28)),
    # Over the end of a year, and twelve months are a year.
    (date(2024, 11, 30), 14, "months", date(2026, 1, 30)),
    (date(2024, 6, 18), 12, "months", date(2025, 6, 18)),
    (date(2024, 6, 18), 1, "years", date(2025, 6, 18)),
    # A last day inside the National Day week moves over the whole of it.
    (date(2024, 9, 1), 1, "months", date(2024, 10, 8)),
    # A last day on an ordinary Saturday moves to Monday.
    (date(2024, 6, 5), 10, "calendar_days", date(2024, 6, 17)),
    # Nothing to count ends the same day, or on the next one that people work.
    (date(2024, 6, 14), 0, "calendar_days", date(2024, 6, 14)),
    (date(2024, 6, 15), 0, "calendar_days", date(2024, 6, 17)),
    (date(2024, 6, 15), 0, "working_days", date(2024, 6, 17)),
]


@pytest.mark.parametrize(("start", "length", "unit", "due"), VECTORS)
def test_period_ends_on_the_day_the_law_says(start, length, unit, due):
    assert deadline(start, length, unit) == Deadline(due, provisional=due > SETTLED)


def test_six_months_then_three_more_rest_on_a_calendar_not_yet_announced():
    first = deadline(date(2026, 4, 1), 6, "months")
    then = deadline(first.due, 3, "months")
    assert then == Deadline(date(2027, 1, 8), provisional=settled_until() < date(2027, 1, 8))


def test_notice_ran_five_working_days_without_its_issue_date():
    issued, first, last = date(2023, 4, 25), date(2023, 4, 26), date(2023, 5, 5)
    assert working_days_between(first, last) == 5
    assert add_working_days(issued, 5).due == last


def test_last_day_on_a_make_up_saturday_does_not_move():
    assert date(2026, 2, 28).weekday() == 5
    assert deadline(date(2025, 8, 31), 6, "months").due == date(2026, 2, 28)
    assert deadline(date(2025, 8, 31), 6, "months", source="weekends").due == date(2026, 3, 2)
    assert deadline(date(2025, 8, 31), 6, "months", source="none").due == date(2026, 2, 28)


def test_period_that_does_not_roll_ends_on_the_day_itself_for_certain():
    assert deadline(date(2024, 6, 5), 10, "calendar_days", roll=False) == Deadline(date(2024, 6, 15), False)
    assert deadline(FAR, 10, "calendar_days", roll=False) == Deadline(FAR + timedelta(days=10), False)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2024, 10, 1), False),
        (date(2024, 10, 12), True),
        (date(2024, 10, 13), False),
        (date(2024, 10, 14), True),
        (date(2026, 1, 4), True),
        (date(2026, 10, 7), False),
        (date(2004, 1, 1), False),
        (date(2020, 1, 31), False),
    ],
)
def test_holidays_and_make_up_days_are_known(day, works):
    assert is_working_day(day) == (works, False)


@pytest.mark.parametrize("year", [2023, 2024, 2025, 2026])
def test_calendar_agrees_with_another_source(year):
    other = holidays.country_holidays("CN", years=year)
    year_days = [date(year, 1, 1) + timedelta(days=n) for n in range(366)]
    differ = [d for d in year_days if d.year == year and is_working_day(d)[0] != other.is_working_day(d)]
    assert differ == []


@pytest.mark.parametrize("day", [date(2003, 12, 31), date(1999, 5, 3), FAR, SETTLED + timedelta(days=1)])
def test_outside_the_announced_calendar_only_weekends_rest_and_the_answer_is_provisional(day):
    assert is_working_day(day) == (day.weekday() < 5, True)


def test_end_of_the_last_announced_year_is_still_open():
    # The announcement for 2019 made 2018-12-29 a working Saturday and 2018-12-31 a day off.
    assert (SETTLED.month, SETTLED.day) == (12, 28)
    assert not is_working_day(SETTLED)[1]
    assert is_working_day(date(SETTLED.year, 12, 29))[1]


@pytest.mark.parametrize(
    ("start", "length", "unit", "provisional"),
    [
        (SETTLED - timedelta(days=30), 3, "working_days", False),
        (SETTLED - timedelta(days=3), 10, "working_days", True),
        (SETTLED - timedelta(days=400), 1, "years", False),
        (SETTLED, 1, "years", True),
        (date(2003, 12, 25), 10, "working_days", True),
        (date(2003, 12, 31), 1, "working_days", False),
        (date(2003, 6, 30), 1, "years", False),
    ],
)
def test_deadline_is_provisional_when_a_day_it_rests_on_is_not_announced(start, length, unit, provisional):
    assert deadline(start, length, unit).provisional == provisional


@pytest.mark.parametrize("source", ["weekends", "none"])
def test_calendars_that_nobody_announces_are_never_provisional(source):
    assert not deadline(FAR, 10, "working_days", source=source).provisional
    assert not is_working_day(FAR, source=source)[1]
    assert settled_until(source) == date.max


def test_calendar_none_works_every_day():
    assert deadline(date(2026, 9, 18), 10, "working_days", source="none").due == date(2026, 9, 28)
    assert working_days_between(date(2024, 2, 1), date(2024, 2, 29), source="none") == 29


@pytest.mark.parametrize(
    ("length", "unit"),
    [(1, "working_days"), (10, "working_days"), (11, "calendar_days"), (60, "calendar_days")],
)
def test_statutory_period_of_ten_days_or_fewer_is_in_working_days(length, unit):
    assert statutory_days(length) == (length, unit)


def test_statutory_period_goes_straight_into_a_deadline():
    assert deadline(date(2026, 9, 18), *statutory_days(10)).due == date(2026, 10, 9)


@pytest.mark.parametrize(
    ("due", "length", "unit", "day"),
    [
        (date(2026, 10, 8), 60, "calendar_days", date(2026, 8, 9)),
        (date(2026, 10, 8), 30, "calendar_days", date(2026, 9, 8)),
        (date(2026, 10, 8), 10, "calendar_days", date(2026, 9, 28)),
        (date(2026, 10, 8), 1, "working_days", date(2026, 9, 30)),
        (date(2026, 10, 8), 0, "working_days", date(2026, 10, 8)),
        (date(2026, 1, 5), 1, "working_days", date(2026, 1, 4)),
        (date(2026, 1, 4), 2, "working_days", date(2025, 12, 30)),
    ],
)
def test_reminder_lies_so_many_days_before_the_due_date(due, length, unit, day):
    assert back_from(due, length, unit=unit) == day


# --- against the plain way of counting, day by day -----------------------------------------------


def step(day: date, count: int, direction: int, source: str) -> date:
    while count:
        day += timedelta(days=direction)
        count -= is_working_day(day, source=source)[0]
    return day


@given(days, st.integers(1, 400), sources)
def test_counting_forward_equals_counting_day_by_day(start, length, source):
    due, provisional = step(start, length, 1, source), False
    for n in range(1, (due - start).days + 1):
        provisional |= is_working_day(start + timedelta(days=n), source=source)[1]
    assert add_working_days(start, length, source=source) == Deadline(due, provisional)
    assert working_days_between(start + timedelta(days=1), due, source=source) == length


@given(days, st.integers(1, 400), sources)
def test_counting_back_equals_counting_day_by_day(due, length, source):
    assert back_from(due, length, unit="working_days", source=source) == step(due, length, -1, source)


@given(
    days, st.integers(0, 800), st.sampled_from(["working_days", "calendar_days", "months", "years"]), sources
)
def test_deadline_ends_on_a_working_day_and_never_before_the_period_does(start, length, unit, source):
    length = min(length, 15) if unit == "years" else length
    rolled = deadline(start, length, unit, source=source)
    assert is_working_day(rolled.due, source=source)[0]
    plain = deadline(start, length, unit, roll=False, source=source)
    assert rolled.due >= plain.due >= start


@given(days, days)
def test_working_days_between_counts_both_ends(a, b):
    expected = sum(is_working_day(a + timedelta(days=n))[0] for n in range((b - a).days + 1))
    assert working_days_between(a, b) == expected


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [-1, 1.0, True, "3", None])
def test_length_that_cannot_be_counted_is_refused(length):
    for unit in ("working_days", "calendar_days", "months", "years"):
        refused("length_not_countable", lambda unit=unit: deadline(date(2026, 1, 5), length, unit))
    refused("length_not_countable", lambda: back_from(date(2026, 1, 5), length))
    refused("length_not_countable", lambda: statutory_days(length))


@pytest.mark.parametrize("moment", [datetime(2026, 1, 5, tzinfo=UTC), "2026-01-05", None, 20260105])
def test_moment_or_text_in_place_of_a_date_is_refused(moment):
    for call in (
        lambda: deadline(moment, 3, "working_days"),
        lambda: deadline(moment, 3, "months"),
        lambda: is_working_day(moment),
        lambda: back_from(moment, 3),
        lambda: working_days_between(moment, date(2026, 1, 5)),
    ):
        refused("not_a_date", call)


def test_unknown_unit_and_calendar_are_refused_with_those_that_exist():
    assert "months" in refused("unit_unknown", lambda: deadline(date(2026, 1, 5), 1, "weeks")).en
    refused("unit_unknown", lambda: back_from(date(2026, 1, 5), 1, unit="months"))
    for call in (
        lambda: deadline(date(2026, 1, 5), 1, "months", source="US"),
        lambda: deadline(date(2026, 1, 5), 1, "months", roll=False, source="US"),
        lambda: is_working_day(date(2026, 1, 5), source="US"),
        lambda: back_from(date(2026, 1, 5), 1, source="US"),
        lambda: settled_until("US"),
    ):
        assert "CN, weekends, none" in refused("calendar_unknown", call).en


@pytest.mark.parametrize(
    "call",
    [
        lambda: deadline(date(MAXYEAR, 12, 30), 5, "calendar_days"),
        lambda: deadline(date(MAXYEAR, 12, 30), 5, "working_days"),
        lambda: deadline(date(MAXYEAR, 12, 30), 5, "months"),
        lambda: deadline(date(MAXYEAR, 12, 30), 10**9, "years"),
        lambda: deadline(date(2026, 1, 5), 10**12, "calendar_days"),
        lambda: back_from(date(1, 1, 5), 30),
        lambda: back_from(date(1, 1, 5), 30, unit="working_days"),
    ],
)
def test_period_that_leaves_the_dates_that_exist_is_refused(call):
    refused("date_out_of_range", call)
