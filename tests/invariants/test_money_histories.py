"""Whatever is approved, paid, returned, refunded, amended or carried into another year, in any order.

And whatever the bank makes of it: the books balance, nothing exceeds its award or its budget, and the bank's
books and ours say the same at the end.

Milestones are earned, payments requested and released, by those whose duty it is or who act for them, stopped
and let go; accounts, plans and awards change under them; batches go to a bank that misbehaves, and its files
come in any order, twice, in parts; exceptions are cleared up, outcomes attested; what was paid is owed back,
paid in, set off, written off; budgets grow, shrink, close and are carried over. Thousands of such histories:
``MILEPOST_TEST_HISTORIES=500``, and ``-s`` shows what was in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from tests.chance import FACTOR, examples
from tests.invariants.conftest import drop_database, new_database
from tests.invariants.stages import Stage
from tests.invariants.town import START, Town
from tests.invariants.treasury import PROGRAMME, Treasury
from tests.invariants.treasury_ends import check
from tests.invariants.treasury_rules import Amendments, Duties, Mistakes, SetOffs

# What a day brings until everything has been said: slow payments, late returns, the statement of each day.
LAST_DAYS = 8
# From so many histories on every kind of step has to have been taken, or the model does not say what it says.
MANY = 1000


class Office(Duties, Amendments, SetOffs, Mistakes, Treasury):
    """All of it together."""

    def teardown(self) -> None:
        with self.held:
            if not hasattr(self, "town"):
                return
            for day in range(LAST_DAYS):
                self.loop.send()
                self.loop.taken()
                self.ask(late=False)
                if day % 2:
                    waiting, self.waiting = self.waiting, []
                    self.read(waiting)
                self.loop.next_day()
            check(self.loop)
            now = Counter(dict(self.town.all("SELECT step, count(*) FROM event GROUP BY 1")))
            Treasury.accepted.update(now - self.before)
            Treasury.states.update(dict(self.town.all("SELECT state, count(*) FROM payment GROUP BY 1")))
            Treasury.histories += 1


@pytest.fixture(scope="module")
def begun(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    """A database with the office, its people, three projects and two years' budgets; nobody is in it."""
    name = new_database(server, template)
    clock = SimulatedClock(START)
    database = Database(server.url("milepost_app", name), owner_url=server.url("postgres", name), clock=clock)
    with Town(database, clock, programme=PROGRAMME) as town:
        for source, year, amount in (
            ("city", 0, 2_500_000),
            ("region", 0, 500_000),
            ("city", 1, 500_000),
            ("interest", 0, 50_000),
        ):
            given: dict[str, Any] = {"fiscal_year": START.year + year, "currency": "CNY", "source": source}
            programme = str(town.programme.id)
            given |= {"programme_id": programme, "amount_minor": amount}
            made = town.take("finance8", "appropriation.propose", None, **given).subject_id
            town.take("finance7", "appropriation.vote", made)
        for _ in range(2):
            town.funded()
        town.advance(town.apply(requested=600_000), "approval")
    database.close()
    yield name
    drop_database(server, name)


@pytest.mark.slow
@pytest.mark.timeout(400 * FACTOR)
def test_the_books_agree_after_every_history(server: EmbeddedPostgres, begun: str) -> None:
    Treasury.stage = Stage(server, begun, PROGRAMME)
    number = examples(4)
    try:
        run_state_machine_as_test(
            Office,
            settings=settings(
                max_examples=number,
                stateful_step_count=40,
                deadline=None,
                print_blob=True,
                # To make a long history short takes longer than to read it: its own seed repeats it.
                phases=(Phase.explicit, Phase.reuse, Phase.generate),
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        Treasury.stage.close()
        print(f"\nhistories {Treasury.histories}, payments {dict(Treasury.states)}")
        for step in sorted({*Treasury.accepted, *Treasury.refused}):
            print(f"{step:36} accepted {Treasury.accepted[step]:7} refused {Treasury.refused[step]:7}")
    # A model that never pays proves nothing.
    assert Treasury.accepted["batch.send"] > 0
    if number >= MANY:
        assert Treasury.states["settled"] > 0
        assert {*Treasury.refused} - {*Treasury.accepted} == set()
