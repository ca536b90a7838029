"""Whatever is voted, changed, paid, returned, closed, carried over or lapsed, in any order: years balance.

M1 M2, against a small model that knows nothing of the ledger: what each purse holds and what was taken of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.queries.budget import lines
from milepost.reports.budget_year import check, close_report
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import Town, programme_text
from tests.milepost.test_budget import SOURCES

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("budget_histories")
YEARS = (2025, 2026, 2027)
_names = count(1)
SUMS = (1, 200_000, 400_000, 600_000, 1_000_000)


@dataclass
class Purse:
    """What the model knows of an appropriation: where it stands, what is free, what payments took."""

    year: int
    origin: int
    source: str
    state: str = "voted"
    free: int = 0
    taken: dict[UUID, int] = field(default_factory=dict)


class History:
    """One history over a town, in a programme of its own, beside the model of it."""

    def __init__(self, town: Town, *, old: bool) -> None:
        self.town = town
        named = programme_text().replace('code = "', f'code = "history-{next(_names)}-', 1)
        self.town.programme = self.town.publish(named + SOURCES)
        self.town.clock.set(date(2025, 3, 3))
        self.code = self.town.programme.compiled.programme.code
        self.purses: dict[UUID, Purse] = {}
        self.payments: list[UUID] = []
        for n in (0, 3, 4):  # The city's of 2025, the region's of 2025, the city's of 2026.
            self.vote(n, 1_000_000)
        project = self.town.funded()
        for n in range(2):
            self.town.accept(self.town.milestones(project)[n])
        self.payments = self.town.payments(project)
        if old:
            self.the_year_turns(orderly=True)

    def attempt(self, who: str, step: str, subject: UUID | None, **given: Any) -> UUID | None:
        try:
            return self.town.take(who, step, subject, **given).subject_id
        except Refused:
            return None

    def pick(self, which: int) -> UUID:
        return list(self.purses)[which % len(self.purses)]

    def vote(self, which: int, amount: int) -> None:
        year, source = YEARS[which % 3], ("city", "region")[which % 2]
        given = {"fiscal_year": year, "currency": "CNY", "amount_minor": amount, "source": source}
        programme = str(self.town.programme.id)
        id = self.attempt("finance8", "appropriation.propose", None, programme_id=programme, **given)
        if id is not None:
            assert self.attempt("finance8", "appropriation.vote", id) is None, "nobody confirms their own"
            assert self.attempt("finance7", "appropriation.vote", id) == id
        known = any((p.year, p.origin, p.source) == (year, year, source) for p in self.purses.values())
        assert (id is None) == known
        if id is not None:
            self.purses[id] = Purse(year, year, source, free=amount)

    def change(self, kind: str, purse: UUID, **given: Any) -> bool:
        made = self.attempt("finance1", f"budget_change.{kind}", purse, reason="drawn", **given)
        if made is None:
            return False
        return self.attempt("finance2", "budget_change.confirm", made) is not None or (
            self.attempt("finance1", "budget_change.withdraw", made, reason="drawn") is None
        )

    def increase(self, which: int, amount: int) -> None:
        id = self.pick(which)
        purse = self.purses[id]
        assert self.change("increase", id, amount_minor=amount) == (purse.state == "voted")
        purse.free += amount if purse.state == "voted" else 0

    def decrease(self, which: int, amount: int) -> None:
        id = self.pick(which)
        purse = self.purses[id]
        may = purse.state == "voted" and purse.free >= amount
        assert self.change("decrease", id, amount_minor=amount) == may
        purse.free -= amount if may else 0

    def move(self, which: int, other: int, amount: int) -> None:
        one, two = self.pick(which), self.pick(other)
        a, b = self.purses[one], self.purses[two]
        may = one != two and (a.state, b.state) == ("voted", "voted") and a.free >= amount
        may = may and (a.year, a.origin) == (b.year, b.origin)
        assert self.change("move", one, amount_minor=amount, to_id=str(two)) == may
        if may:
            a.free, b.free = a.free - amount, b.free + amount

    def request(self, which: int) -> None:
        payment = self.payments[which]
        self.attempt("system", "payment.fall_due", payment)
        if self.attempt("finance1", "payment.request", payment) is None:
            return
        id, sum = self.town.all("SELECT appropriation_id, amount_minor FROM payment WHERE id = %s", payment)[
            0
        ]
        purse, today = self.purses[id], self.town.clock.today()
        could = [
            p for p in self.purses.values()
            if p.year == today.year and p.state == "voted" and p.free >= sum
        ]  # fmt: skip
        # The oldest money first, then the programme's order of sources.
        assert purse is min(could, key=lambda p: (p.origin, p.source != "city"))
        purse.free -= sum
        purse.taken[payment] = sum

    def go_on(self, which: int, how: str) -> None:
        payment = self.payments[which]
        state = self.town.state("payment", payment)
        if how == "send_back" and state == "requested":
            assert self.attempt("finance2", "payment.send_back", payment, reason="drawn")
            self.back(which)
        elif how in ("settle", "bank_return") and state == "requested":
            for who, step in (("finance2", "approve"), ("finance3", "release"), ("system", "instruct")):
                assert self.attempt(who, f"payment.{step}", payment)
            given = {"reference": str(payment), "reason": "drawn"}
            assert self.attempt("system", f"payment.{how}", payment, **given)
            if how == "bank_return":
                self.back(which)
        elif how == "late" and state == "settled":
            given = {"reference": f"{payment}-2", "reason": "drawn"}
            assert self.attempt("system", "payment.return_late", payment, **given)
            self.back(which)

    def back(self, which: int) -> None:
        """The money is where it came from, and the tranche's next attempt is planned."""
        payment = self.payments[which]
        for purse in self.purses.values():
            purse.free += purse.taken.pop(payment, 0)
        project = self.town.one("SELECT project_id FROM payment WHERE id = %s", payment)
        self.payments = self.town.payments(project)

    def close(self, which: int) -> None:
        id = self.pick(which)
        purse = self.purses[id]
        hanging = any(self.town.state("payment", payment) == "requested" for payment in purse.taken)
        asked = self.attempt("finance1", "appropriation.propose_close", id, reason="drawn")
        closed = self.attempt("finance2", "appropriation.close", id) if asked else None
        assert (closed is not None) == (purse.state == "voted" and not hanging)
        purse.state = "closed" if closed else purse.state

    def end(self, which: int) -> None:
        """What is left goes on or back: one of the two, and never both."""
        id = self.pick(which)
        purse = self.purses[id]
        into = max(purse.year + 1, self.town.clock.today().year)
        target = (into, purse.origin, purse.source)
        there = next((p for p in self.purses.values() if (p.year, p.origin, p.source) == target), None)
        may = purse.state == "closed" and purse.free > 0
        lapses = into - purse.origin >= 2
        carries = may and not lapses and (there is None or there.state == "voted")
        tried = {"carry_over": carries, "lapse": may and lapses}
        # What must be refused is tried first: afterwards nothing would be left for it to take.
        for kind in sorted(tried, key=lambda kind: tried[kind]):
            assert self.change(kind, id) == tried[kind]
        if carries and there is None:
            new = self.town.one(
                "SELECT id FROM appropriation WHERE programme_code = %s AND fiscal_year = %s "
                "AND origin_year = %s AND source = %s",
                self.code,
                *target,
            )
            there = self.purses[new] = Purse(*target)
        if carries and there is not None:
            there.free += purse.free
        if carries or (may and lapses):
            purse.free = 0

    def the_year_turns(self, orderly: bool) -> None:
        """In an orderly office what can be closed is, and its rest goes on or back."""
        year = self.town.clock.today().year
        if year == YEARS[-1]:
            return
        for n, purse in enumerate(list(self.purses.values())):
            if orderly and purse.year == year:
                self.close(n)
                self.end(n)
        self.town.clock.set(date(year + 1, 3, 3))

    def the_years_balance_and_are_as_the_model_has_them(self) -> None:
        found = lines(self.town.session, None, programme=self.code)
        check(found)
        assert {line.id: (line.state, line.left) for line in found} == {
            id: (purse.state, purse.free) for id, purse in self.purses.items()
        }

    def end_well(self) -> None:
        assert faults(self.town.session.conn) == []
        for year in YEARS:
            close_report(self.town.session, None, year)

    def act(self, chance: random.Random) -> None:
        """Something that people, the bank or the calendar do next."""
        n, m, amount = chance.randrange(20), chance.randrange(20), chance.choice(SUMS)
        which = chance.randrange(len(self.payments))
        how = chance.choice(("settle", "settle", "send_back", "bank_return", "late"))
        deeds: list[tuple[int, Callable[[], None]]] = [
            (1, lambda: self.vote(n, amount)),
            (2, lambda: self.increase(n, amount)),
            (2, lambda: self.decrease(n, amount)),
            (2, lambda: self.move(n, m, amount)),
            (6, lambda: self.request(which)),
            (6, lambda: self.go_on(which, how)),
            (1, lambda: self.close(n)),
            (2, lambda: self.end(n)),
            (2, lambda: self.the_year_turns(orderly=chance.random() < 0.7)),
        ]
        chance.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]()


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    return found()


@settings(
    max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_the_years_balance_whatever_is_done(town: Town, seed: int) -> None:
    chance = random.Random(seed)
    history = History(town, old=chance.random() < 0.5)
    for _ in range(30):
        history.act(chance)
        history.the_years_balance_and_are_as_the_model_has_them()
    history.end_well()
