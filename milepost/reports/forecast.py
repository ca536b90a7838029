"""How much will be paid each month: what is planned, delayed as often as before, counted in integers.

Every unpaid tranche goes its way many times, each time with delays drawn from what really happened; the sums
of the scenarios, put in order, give the range. Nothing is fitted, and nothing is left to chance: draws follow
from the tranche's id, so the same records on the same day give the same figures. See ``docs/forecast.md``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from uuid import UUID

SCENARIOS = 400
MONTHS = 12
ENOUGH = 20
"""So many finished cases and the history of a kind stands for itself; with fewer a wider one is asked."""
YEARS = 40
"""How many possible years are put together of the past's quarters."""
LOW, MIDDLE, HIGH = 10, 50, 90
"""The quantiles that are shown, in percent."""
# Where there is no history at all: days that are believable, and far apart.
_NO_HISTORY = {"report": (-30, 0, 30, 90, 240), "decide": (5, 20, 45, 120), "pay": (5, 15, 30, 90)}
Case = tuple[int, int, int]
"""One leg of one tranche: the quarter in which it began, its days, and how it ended as in ``Leg``."""
_BITS = 60
WHOLE = 1 << _BITS
# What rounding may leave over of a whole.
_NOTHING = WHOLE >> 30
# What waits for nobody's report: paid on signing, or on a day.
_AT_ONCE = ("agreement", "day")
_LEGS = ("report", "decide", "pay")


@dataclass(frozen=True, slots=True)
class Planned:
    """A tranche with the days on which its way began and went on; a day that has not come is None.

    ``due_on`` is the day of its milestone; ``ready_on`` the report, ``earned_on`` the acceptance (or whatever
    it waits for), ``paid_on`` the settlement, ``dropped_on`` the day from which it can no longer be paid.
    """

    id: UUID
    programme: str
    office: str
    waits_for: str
    amount_minor: int
    currency: str
    planned_on: date
    due_on: date | None = None
    ready_on: date | None = None
    earned_on: date | None = None
    paid_on: date | None = None
    dropped_on: date | None = None

    def at(self, day: date) -> Planned | None:
        """The same as it was known at the end of a day; None where it was not planned yet."""
        if self.planned_on > day:
            return None

        def seen(value: date | None) -> date | None:
            return None if value is not None and value > day else value

        return replace(
            self,
            ready_on=seen(self.ready_on),
            # The day of an instalment is agreed from the beginning.
            earned_on=self.earned_on if self.waits_for in _AT_ONCE else seen(self.earned_on),
            paid_on=seen(self.paid_on),
            dropped_on=seen(self.dropped_on),
        )

    def legs(self) -> Iterator[tuple[str, date, date | None]]:
        """The legs it has begun: which, from when, and when it ended."""
        if self.waits_for not in _AT_ONCE:
            anchor = self.due_on or self.planned_on
            yield ("report" if self.due_on else "report_undated"), anchor, self.ready_on
            if self.ready_on is not None:
                yield "decide", self.ready_on, self.earned_on
        if self.earned_on is not None:
            yield "pay", self.earned_on, self.paid_on


@dataclass(frozen=True, slots=True)
class Leg:
    """How likely a leg took so many days: the product-limit estimate, in parts of ``WHOLE``.

    ``days`` in order, each with the share of the whole that is gone by then (``gone``); None in ``outcomes``
    where it is gone because it was dropped. What is never gone is left over at the end.
    """

    days: tuple[int, ...]
    outcomes: tuple[int | None, ...]
    gone: tuple[int, ...]

    @classmethod
    def of(cls, cases: Iterable[tuple[int, int]]) -> Leg:
        """From days and how each ended (1 gone, 0 still under way, -1 dropped), in any order."""
        at: dict[int, Counter[int]] = defaultdict(Counter)
        left = 0
        for time, how in cases:
            at[time][how] += 1
            left += 1
        days: list[int] = []
        outcomes: list[int | None] = []
        gone: list[int] = []
        share = 0
        for time in sorted(at):
            still = WHOLE - share
            for how, outcome in ((1, time), (-1, None)):
                if count := at[time][how]:
                    share += still * count // left
                    days.append(time)
                    outcomes.append(outcome)
                    gone.append(share)
            left -= at[time].total()
        return cls(tuple(days), tuple(outcomes), tuple(gone))

    def after(self, elapsed: int) -> int:
        """The share that is gone by a day; what is drawn of those that take longer lies above it."""
        known = bisect_right(self.days, elapsed)
        return self.gone[known - 1] if known else 0

    def draw(self, elapsed: int, beyond: int, chance: Random) -> int | None:
        """The days of a case longer than ``elapsed``, whose share is ``beyond``; None: it never comes."""
        if WHOLE - beyond < _NOTHING:
            # All that ever began it were through by now: every second never comes, the others start again.
            if chance.getrandbits(1) or not self.days:
                return None
            return elapsed + abs(self.days[chance.getrandbits(32) * len(self.days) >> 32]) + 1
        at = bisect_right(self.gone, beyond + (chance.getrandbits(_BITS) * (WHOLE - beyond) >> _BITS))
        return self.outcomes[at] if at < len(self.outcomes) else None


@dataclass(frozen=True, slots=True)
class Basis:
    """On what a leg's draws rest: the kind's own history, that of all, or too little of both."""

    leg: str
    programme: str
    scope: str
    finished: int


class History:
    """The legs gone and under way on a day, by programme, with wider ones to fall back on.

    Each of ``YEARS`` possible years is put together of four quarters that really were, so that what was slow
    together is slow together again; a scenario lives in one of them.
    """

    def __init__(self, plans: Iterable[Planned], day: date) -> None:
        self._cases: dict[tuple[str, str, str], list[Case]] = defaultdict(list)
        for plan in plans:
            for leg, begun, ended in plan.legs():
                stop = ended or plan.dropped_on or day
                how = 1 if ended else -1 if plan.dropped_on else 0
                if how == 0 and plan.paid_on is not None:
                    continue
                case = (begun.year * 4 + (begun.month - 1) // 3, (stop - begun).days, how)
                for scope in ((plan.programme, plan.waits_for), ("", plan.waits_for), ("", "")):
                    self._cases[(leg, *scope)].append(case)
        self._years: dict[tuple[str, str, str], list[Leg]] = {}
        self.bases: dict[tuple[str, str], Basis] = {}

    def years(self, name: str, programme: str, waits_for: str) -> list[Leg]:
        """The history of a leg as ``YEARS`` possible years: the narrowest that has enough, else widened."""
        key = (name, programme, waits_for)
        if key not in self._years:
            self._years[key] = self._chosen(*key)
        return self._years[key]

    def _chosen(self, name: str, programme: str, waits_for: str) -> list[Leg]:
        found: list[Case] = []
        finished = 0
        for scope, key in (
            ("programme", (name, programme, waits_for)),
            ("office", (name, "", waits_for)),
            ("all", (name, "", "")),
        ):
            found = self._cases.get(key, [])
            finished = sum(1 for case in found if case[2] == 1)
            if finished >= ENOUGH:
                self.bases[(name, programme)] = Basis(name, programme, scope, finished)
                return _possible(name, found)
        self.bases[(name, programme)] = Basis(name, programme, "few", finished)
        return [_widened(name, found)] * YEARS


def _possible(name: str, cases: Sequence[Case]) -> list[Leg]:
    """Possible years, each of four quarters of the past, and of more where these hold too few cases."""
    quarters: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        quarters[case[0]].append(case)
    names = sorted(quarters)
    chance = Random(len(cases) * 1000 + _order(name))
    years = []
    for _ in range(YEARS):
        chosen: list[Case] = []
        drawn = 0
        while drawn < 4 or (drawn < 40 and sum(1 for case in chosen if case[2] == 1) < ENOUGH // 2):
            chosen += quarters[names[chance.getrandbits(32) * len(names) >> 32]]
            drawn += 1
        years.append(Leg.of((days, how) for _, days, how in chosen))
    return years


def _widened(name: str, cases: Sequence[Case]) -> Leg:
    """Too little is known: what there is at half and at twice its length too, beside what is believable."""
    believed = [(days, 1) for days in _NO_HISTORY[name.removesuffix("_undated")]]
    more = [(days * factor // 2, 1) for _, days, how in cases if how == 1 for factor in (1, 2, 4)]
    return Leg.of([*believed, *more, *((days, how) for _, days, how in cases if how != 1)])


@dataclass(frozen=True, slots=True)
class Band:
    """A month's range in minor units: one case in ten lies below ``low``, one in ten above ``high``.

    ``planned_minor`` is what would be paid if everything came on its day.
    """

    low: int
    middle: int
    high: int
    planned_minor: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the forecast: of everything, of a programme or of an office; a band a month, and in all."""

    kind: str
    key: str
    currency: str
    bands: tuple[Band, ...]
    whole: Band
    open_minor: int
    """What is planned and not paid, whenever it comes."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The months ahead as they look on a day. Month 0 is what is left of the day's own month."""

    day: date
    months: tuple[date, ...]
    lines: tuple[Line, ...]
    bases: tuple[Basis, ...]
    tranches: int

    def of(self, kind: str, currency: str, key: str = "") -> Line | None:
        """One line."""
        return next((x for x in self.lines if (x.kind, x.key, x.currency) == (kind, key, currency)), None)

    @property
    def few(self) -> tuple[Basis, ...]:
        """The legs for which there is too little history."""
        return tuple(basis for basis in self.bases if basis.scope == "few")


def month_of(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def months_from(day: date, count: int) -> tuple[date, ...]:
    """So many months, the day's own first."""
    first = day.year * 12 + day.month - 1
    return tuple(date((first + n) // 12, (first + n) % 12 + 1, 1) for n in range(count))


def scenarios_for(tranches: int) -> int:
    """So many scenarios that a page is drawn in seconds: fewer where there are many tranches to sum."""
    return max(2 * YEARS, min(SCENARIOS, 200_000 // max(tranches, 1) // YEARS * YEARS))


def forecast(
    plans: Sequence[Planned], day: date, *, months: int = MONTHS, scenarios: int | None = None
) -> Forecast:
    """What will be paid in the months from ``day`` on, as far as the records of that day tell."""
    known = [plan for one in plans if (plan := one.at(day)) is not None]
    history = History(known, day)
    ahead = months_from(day, months)
    sums: dict[tuple[str, str, str], list[list[int]]] = {}
    planned: dict[tuple[str, str, str], list[int]] = {}
    still: dict[tuple[str, str, str], int] = defaultdict(int)
    waiting = [plan for plan in known if plan.paid_on is None and plan.dropped_on is None]
    scenarios = scenarios or scenarios_for(len(waiting))
    for plan in waiting:
        keys = [
            ("all", "", plan.currency),
            ("programme", plan.programme, plan.currency),
            ("office", plan.office, plan.currency),
        ]
        for key in keys:
            sums.setdefault(key, [[0] * scenarios for _ in ahead])
            planned.setdefault(key, [0] * months)
            still[key] += plan.amount_minor
        on_time = _index(max(plan.earned_on or plan.ready_on or plan.due_on or plan.planned_on, day), ahead)
        for key in keys if on_time is not None else ():
            planned[key][on_time or 0] += plan.amount_minor
        rows = [sums[key] for key in keys]
        for scenario, month in enumerate(_months(plan, history, day, ahead, scenarios)):
            if month is not None:
                for row in rows:
                    row[month][scenario] += plan.amount_minor
    lines = [
        Line(
            *key,
            bands=tuple(_band(row, planned[key][n]) for n, row in enumerate(rows)),
            whole=_band([sum(column) for column in zip(*rows, strict=True)], sum(planned[key])),
            open_minor=still[key],
        )
        for key, rows in sorted(sums.items())
    ]
    bases = tuple(sorted(history.bases.values(), key=lambda b: (b.programme, _order(b.leg))))
    return Forecast(day, ahead, tuple(lines), bases, len(waiting))


def _order(leg: str) -> int:
    return _LEGS.index(leg.removesuffix("_undated"))


def _months(
    plan: Planned, history: History, day: date, ahead: Sequence[date], scenarios: int
) -> Iterator[int | None]:
    """By scenario the month in which a tranche is paid; None: not within those ahead."""
    chance = Random(plan.id.int)
    today = day.toordinal()
    starts = [month.toordinal() for month in (*ahead, months_from(ahead[-1], 2)[1])]
    # A leg under way has already lasted so long; one that is still to begin has lasted nothing.
    ways: list[tuple[int, list[tuple[Leg, int]]]] = []
    for begun, years in _steps(plan, history):
        elapsed = today - begun.toordinal() if begun is not None else -1
        ways.append((elapsed, [(leg, leg.after(elapsed)) for leg in years]))
    first = today - ways[0][0]
    for scenario in range(scenarios):
        at: int | None = first
        for elapsed, possible in ways:
            leg, beyond = possible[scenario % YEARS]
            days = leg.draw(elapsed, beyond, chance)
            if days is None:
                at = None
                break
            at = (at or first) + days
        month = None if at is None else bisect_right(starts, max(at, today)) - 1
        yield month if month is not None and month < len(ahead) else None


def _steps(plan: Planned, history: History) -> list[tuple[date | None, list[Leg]]]:
    """The legs that are still to go; the first is under way since a day that is on record."""

    def leg(name: str) -> list[Leg]:
        return history.years(name, plan.programme, plan.waits_for)

    if plan.earned_on is not None:
        return [(plan.earned_on, leg("pay"))]
    if plan.ready_on is not None:
        return [(plan.ready_on, leg("decide")), (None, leg("pay"))]
    dated = plan.due_on is not None
    first = leg("report" if dated else "report_undated")
    return [(plan.due_on or plan.planned_on, first), (None, leg("decide")), (None, leg("pay"))]


def _index(day: date, ahead: Sequence[date]) -> int | None:
    n = (day.year - ahead[0].year) * 12 + day.month - ahead[0].month
    return n if 0 <= n < len(ahead) else None


def _band(sums: Sequence[int], planned: int) -> Band:
    """The quantiles of the scenarios' sums: the smallest sum that so many of a hundred do not exceed."""
    ordered = sorted(sums)
    low, middle, high = (ordered[(len(ordered) * q + 99) // 100 - 1] for q in (LOW, MIDDLE, HIGH))
    return Band(low, middle, high, planned)


# How good it was ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tried:
    """A month that was forecast on an earlier day, and what was paid in it of what was known on that day."""

    day: date
    month: date
    ahead: int
    currency: str
    band: Band
    truth_minor: int

    @property
    def inside(self) -> bool:
        """Whether the truth lay in the range."""
        return self.band.low <= self.truth_minor <= self.band.high

    @property
    def empty(self) -> bool:
        """Whether nothing was expected and nothing came: such a month proves nothing."""
        return self.band.high == 0 and self.truth_minor == 0


def month_ends(first: date, last: date) -> list[date]:
    """The last days of the months from one day's on that are over before another."""
    count = (last.year - first.year) * 12 + last.month - first.month
    return [month - timedelta(days=1) for month in months_from(first, count + 1)[1:]]


def back_test(
    plans: Sequence[Planned], days: Iterable[date], *, months: int = 6, scenarios: int = SCENARIOS
) -> list[Tried]:
    """Forecasts as they would have been made on earlier days, beside the truth about the same tranches."""
    found = []
    for day in days:
        made = forecast(plans, day, months=months, scenarios=scenarios)
        for line in made.lines:
            if line.kind != "all":
                continue
            for n, month in enumerate(made.months):
                truth = sum(
                    plan.amount_minor
                    for plan in plans
                    if plan.currency == line.currency
                    and plan.planned_on <= day
                    and plan.paid_on is not None
                    and plan.paid_on > day
                    and month_of(plan.paid_on) == month
                )
                found.append(Tried(day, month, n, line.currency, line.bands[n], truth))
    return found


__all__ = [
    "ENOUGH",
    "MONTHS",
    "SCENARIOS",
    "Band",
    "Basis",
    "Forecast",
    "History",
    "Leg",
    "Line",
    "Planned",
    "Tried",
    "back_test",
    "forecast",
    "month_ends",
    "month_of",
    "months_from",
]
