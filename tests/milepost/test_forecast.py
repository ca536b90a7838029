"""The forecast's range is that of the past: it holds the truth about as often as it says, never by luck."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from uuid import UUID

from milepost.reports.forecast import Leg, Planned, back_test, forecast, months_from

DAY = date(2024, 1, 31)


def tranche(n: int, **given: object) -> Planned:
    """A tranche of 100.00 with its milestone due on the day."""
    made = Planned(UUID(int=n), "A", "/", "milestone", 10_000, "CNY", date(2022, 1, 1), DAY)
    return replace(made, **given)  # type: ignore[arg-type]


def gone(n: int, late: int, decided: int, paid: int, due: date = date(2023, 3, 1)) -> Planned:
    """A tranche that was paid, so many days after each step."""
    ready = due + timedelta(days=late)
    earned = ready + timedelta(days=decided)
    return tranche(n, due_on=due, ready_on=ready, earned_on=earned, paid_on=earned + timedelta(days=paid))


def office(seed: int, projects: int = 90) -> list[Planned]:
    """Projects over four years, late at each step by skewed laws; some are stopped and never paid on."""
    chance = Random(seed)
    found = []
    for _ in range(projects):
        start = date(2020, 1, 1) + timedelta(days=chance.randrange(1500))
        stopped = chance.random() < 0.15
        for k in range(1, chance.randrange(2, 6)):
            due = start + timedelta(days=90 * k)
            late = int(chance.lognormvariate(3.2, 1.0)) - 15
            made = gone(
                chance.getrandbits(128),
                late,
                int(chance.lognormvariate(2.8, 0.7)),
                int(chance.lognormvariate(2, 0.5)) + 3,
                due,
            )
            made = replace(made, planned_on=start, amount_minor=chance.randrange(1, 20) * 100_000)
            if stopped and k > 1:
                never = {"ready_on": None, "earned_on": None, "paid_on": None}
                made = replace(made, dropped_on=due + timedelta(days=200), **never)  # type: ignore[arg-type]
            found.append(made)
    return found


def test_about_eight_months_in_ten_lie_in_the_range() -> None:
    """Of 30 such offices 83 % of 720 months were inside when this was measured; here ten of them."""
    tried = []
    for seed in range(10):
        days = [date(2022, 3, 31), date(2023, 1, 31)]
        tried += [one for one in back_test(office(seed), days, months=5, scenarios=120) if one.ahead]
    told = [one for one in tried if not one.empty]
    inside = sum(one.inside for one in told) * 100 // len(told)
    assert len(told) == 80 and 72 <= inside <= 92, inside
    assert sum(one.band.low > 0 for one in told) > 60, "a range from nothing on proves nothing"
    # The middle is no wishful one: in all it is what was paid.
    middle, truth = sum(one.band.middle for one in told), sum(one.truth_minor for one in told)
    assert 90 * truth < 100 * middle < 110 * truth, (middle, truth)


def test_the_same_records_on_the_same_day_give_the_same_figures_in_any_order() -> None:
    plans = office(1, 20)
    mixed = list(plans)
    Random(5).shuffle(mixed)
    day = date(2022, 6, 30)
    assert forecast(plans, day) == forecast(mixed, day)
    # What happened after the day changes nothing.
    blind = [plan for one in plans if (plan := one.at(day)) is not None]
    assert forecast(blind, day).lines == forecast(plans, day).lines


def test_where_everything_always_took_as_long_the_range_is_one_sum() -> None:
    past = [gone(n, 0, 5, 10) for n in range(40)]
    soon = tranche(100, ready_on=DAY, earned_on=DAY)
    later = tranche(101, due_on=date(2024, 4, 20))
    found = forecast([*past, soon, later], DAY, months=6)
    assert found.months == months_from(DAY, 6)
    line = found.of("all", "CNY")
    assert line is not None and line.open_minor == 20_000
    bands = [(band.low, band.middle, band.high) for band in line.bands]
    paid = (10_000, 10_000, 10_000)
    assert bands == [(0, 0, 0), paid, (0, 0, 0), (0, 0, 0), paid, (0, 0, 0)], "10 February, 5 May"
    assert [band.planned_minor for band in line.bands] == [10_000, 0, 0, 10_000, 0, 0]
    assert found.few == ()


def test_an_instalment_is_expected_after_its_day() -> None:
    past = [gone(n, 0, 5, 10) for n in range(40)]
    agreed = date(2024, 3, 25)
    instalment = tranche(100, waits_for="day", due_on=agreed, earned_on=agreed)
    line = forecast([*past, instalment], DAY, months=4).of("all", "CNY")
    assert line is not None
    assert [band.middle for band in line.bands] == [0, 0, 0, 10_000], "paid ten days after 25 March"
    assert [band.planned_minor for band in line.bands] == [0, 0, 10_000, 0]


def test_with_few_cases_it_says_so_and_is_wider() -> None:
    waiting = [tranche(1000 + n, ready_on=DAY, earned_on=DAY) for n in range(10)]
    few = forecast([*(gone(n, 0, 5, 10) for n in range(5)), *waiting], DAY, months=6)
    none = forecast(waiting, DAY, months=6)
    assert {basis.leg for basis in few.few} == {"pay"} and few.few[0].finished == 5
    assert none.few[0].finished == 0
    for found in (few, none):
        line = found.of("all", "CNY")
        assert line is not None and any(band.low < band.high for band in line.bands)


def test_what_never_came_in_the_past_is_not_expected_for_certain() -> None:
    paid = [gone(n, 0, 5, 10) for n in range(30)]
    lost = [tranche(100 + n, due_on=date(2023, 3, 1), dropped_on=date(2023, 6, 1)) for n in range(30)]
    waiting = [tranche(1000 + n, due_on=date(2024, 2, 10)) for n in range(40)]
    line = forecast([*paid, *lost, *waiting], DAY).of("all", "CNY")
    assert line is not None
    assert 100_000 < line.whole.low < line.whole.middle < line.whole.high < 300_000, "about half of 400,000"


def test_a_case_under_way_hands_its_turn_to_those_that_took_longer() -> None:
    """The share of each duration is that of the product-limit estimate: 1/2 and 1/2, not 2/3 and 1/3."""
    leg = Leg.of([(10, 0), (20, 1), (30, 1)])
    chance = Random(3)

    def drawn(elapsed: int, count: int) -> list[int | None]:
        return [leg.draw(elapsed, leg.after(elapsed), chance) for _ in range(count)]

    found = drawn(-1, 4000)
    assert set(found) == {20, 30} and 1850 < found.count(20) < 2150
    assert set(drawn(25, 50)) == {30}
    beyond = drawn(40, 400)
    assert None in beyond and all(days is None or days > 40 for days in beyond)
