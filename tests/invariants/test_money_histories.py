"""Whatever is approved, paid, returned, refunded, amended or carried into another year, in any order.

And whatever the bank makes of it: the books balance, nothing exceeds its award or its budget, and the bank's
books and ours say the same at the end.

Milestones are earned, payments requested and released, accounts change under them; batches go to a bank that
misbehaves, and its files come in any order, twice, in parts; exceptions are cleared up; what was paid is owed
back, paid in, written off; budgets grow, shrink, close and are carried over. Thousands of such histories:
``MILEPOST_TEST_HISTORIES=500``.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from milepost.actions import Receipt
from milepost.bank.simulated_files import Answer, Misbehaviour
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from milepost.evidence.recounts import recounts
from states.reference import reference_of
from states.refusals import Refused
from tests.chance import FACTOR, examples
from tests.invariants import town_budget, town_receivable
from tests.invariants.checks import faults
from tests.invariants.conftest import drop_database, new_database
from tests.invariants.town import START, Town
from tests.work.files_scene import Loop

FINANCE = tuple(f"finance{n}" for n in range(1, 6))
FAULTS = (
    "reject",
    "come_back",
    "reject_late",
    "lose_reply",
    "slow",
    "wrong_amount",
    "twice",
    "unknown",
    "part",
)
FILES = ("duplicate", "split", "reorder", "wrong_total")
# What a day brings until everything has been said: slow payments, late returns, the statement of each day.
LAST_DAYS = 7


class Treasury(RuleBasedStateMachine):
    """One office, two projects, two years' budgets, a bank of its own."""

    server: EmbeddedPostgres
    begun: str
    """The name of a database with the office in it, for each history to be a copy of."""
    settled: int = 0
    """How many payments were settled in all histories: a model that never pays proves nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.held = ExitStack()

    @initialize(seed=st.integers(0, 2**20))
    def begin(self, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        told = {name: chance.choice((0, 0, 3, 5)) for name in FAULTS} | {
            name: chance.choice((0, 0, 2)) for name in FILES
        }
        name = new_database(self.server, self.begun)
        self.held.callback(drop_database, self.server, name)
        clock = SimulatedClock(START)
        database = Database(self.server.url("milepost_app", name), clock=clock)
        self.held.callback(database.close)
        self.town = town = self.held.enter_context(Town(database, clock))
        folder = Path(tempfile.mkdtemp(prefix="milepost-history-"))
        self.held.callback(shutil.rmtree, folder)
        self.loop = Loop(town, folder, Misbehaviour(seed=seed, **told))
        self.projects: list[UUID] = [row[0] for row in town.all("SELECT id FROM project ORDER BY code")]
        # The latest day there has been: the bank's files are of days that are over.
        town.clock.set(town.one("SELECT max(at)::date FROM event"))
        self.waiting: list[Answer] = []
        # Something is at the bank from the start, so that short histories reach the money too.
        self.earn(0)
        self.pay_by_the_next_batch(0, seed)

    def attempt(self, who: str, step: str, subject: UUID | None, **input: Any) -> Receipt | None:
        """Take a step; a refusal has written nothing."""
        before = self.town.one("SELECT count(*) FROM event")
        try:
            return self.town.take(who, step, subject, **input)
        except Refused as refused:
            assert refused.refusals
            assert self.town.one("SELECT count(*) FROM event") == before
            return None

    def one_of(self, sql: str, pick: int) -> UUID | None:
        """One of the rows that a query finds, in their order."""
        rows = self.town.all(sql)
        return rows[pick % len(rows)][0] if rows else None

    # Paying ------------------------------------------------------------------------------------------------

    @rule(pick=st.integers(0, 3))
    def earn(self, pick: int) -> None:
        milestone = self.one_of("SELECT id FROM milestone WHERE state = 'planned' ORDER BY number, id", pick)
        if milestone is not None:
            self.attempt("unit", "milestone.report", milestone, report="built", deliverables=1)
            self.attempt("judge", "milestone.accept", milestone, opinion="works")

    @rule(pick=st.integers(0, 3), people=st.permutations(FINANCE), stop=st.integers(1, 4))
    def pay(self, pick: int, people: list[str], stop: int) -> None:
        """Request, approve and release, or stop on the way."""
        payment = self.one_of("SELECT id FROM payment WHERE state IN ('planned', 'due') ORDER BY id", pick)
        if payment is None:
            return
        self.attempt("system", "payment.fall_due", payment)
        for who, step in list(zip(people, ("request", "approve", "release"), strict=False))[:stop]:
            self.attempt(who, f"payment.{step}", payment)

    @rule(pick=st.integers(0, 3), seed=st.integers(0, 2**16))
    def pay_by_the_next_batch(self, pick: int, seed: int) -> None:
        """The usual way: earned, asked for, released, in a batch, and taken by the bank."""
        self.earn(pick)
        self.pay(pick, random.Random(seed).sample(FINANCE, 3), 3)
        self.hand_a_batch_over()
        self.loop.taken()

    @rule(pick=st.integers(0, 3), who=st.sampled_from(FINANCE), again=st.booleans())
    def think_better_of_it(self, pick: int, who: str, again: bool) -> None:
        payment = self.one_of(
            "SELECT id FROM payment WHERE state IN ('requested', 'approved', 'released') ORDER BY id", pick
        )
        if payment is not None and not self.attempt(who, "payment.send_back", payment, reason="r"):
            self.attempt(who, "payment.void", payment, reason="r", again=again)

    @rule(pick=st.integers(0, 1), number=st.integers(100_000, 999_999))
    def change_the_account(self, pick: int, number: int) -> None:
        """An amendment that voids what was approved for the account before."""
        entered = self.attempt(
            "finance7",
            "payee.enter",
            self.projects[pick],
            account_name="Glass Works",
            account_no=f"622200{number}",
            bank_name="City Bank",
        )
        if entered:
            self.attempt("finance6", "payee.verify", entered.subject_id)

    # The bank ----------------------------------------------------------------------------------------------

    @rule()
    def hand_a_batch_over(self) -> None:
        if self.town.one("SELECT count(*) FROM payment WHERE state = 'released'"):
            try:
                self.loop.batch()
            except Refused as refused:
                assert refused.refusals
        self.loop.send()

    @rule(late=st.booleans())
    def let_the_bank_work(self, late: bool) -> None:
        self.loop.taken()
        self._ask(late)

    def _ask(self, late: bool) -> None:
        """What the bank has to say: reports at once, the statements of the days that are over."""
        today = self.loop.today()
        self.waiting += self.loop.bank.reports(today) + self.loop.bank.statements(today)
        if late:
            self.waiting += self.loop.bank.late_reports(today)

    @rule(share=st.integers(1, 10), twice=st.booleans())
    def read_some_of_its_files(self, share: int, twice: bool) -> None:
        """Some of what waits, in any order; some of it is read again another day."""
        self.chance.shuffle(self.waiting)
        cut = -(-len(self.waiting) * share // 10)
        now, self.waiting = self.waiting[:cut], self.waiting[cut:]
        self._read(now)
        if twice:
            self.waiting += now

    def _read(self, answers: list[Answer]) -> None:
        for answer in answers:
            self.loop.put(Answer(f"{self.chance.getrandbits(64):x}.xml", answer.content))
        self.loop.read()

    @rule(days=st.integers(1, 4))
    def days_pass(self, days: int) -> None:
        for _ in range(days):
            self.loop.next_day()
        self.loop.send()

    @rule(
        pick=st.integers(0, 5), who=st.sampled_from(FINANCE), way=st.sampled_from(("match", "explain", "use"))
    )
    def clear_something_up(self, pick: int, who: str, way: str) -> None:
        found = self.one_of("SELECT id FROM bank_exception WHERE state = 'open' ORDER BY id", pick)
        if found is not None:
            self.attempt(who, f"bank_exception.{way}", found, note="asked the bank")
            self.loop.read()

    # Refunds -----------------------------------------------------------------------------------------------

    @rule(pick=st.integers(0, 1), tenths=st.integers(1, 11), confirmed=st.booleans())
    def ask_money_back(self, pick: int, tenths: int, confirmed: bool) -> None:
        project = self.projects[pick]
        paid = self.town.one(
            "SELECT coalesce(sum(paid_minor), 0) FROM tranche WHERE project_id = %s", project
        )
        made = self.attempt(
            "officer",
            "receivable.establish",
            project,
            amount_minor=max(1, int(paid) * tenths // 10),
            due_on=(self.loop.today() + timedelta(days=20)).isoformat(),
            **town_receivable.BASIS,
        )
        if made and confirmed:
            self.attempt("finance1", "receivable.confirm", made.subject_id)

    @rule(pick=st.integers(0, 3), tenths=st.integers(1, 12), named=st.booleans())
    def pay_money_in(self, pick: int, tenths: int, named: bool) -> None:
        """The grantee pays in, a part or too much, with the reference or without; a statement will say so."""
        claim = self.one_of("SELECT id FROM receivable WHERE state <> 'proposed' ORDER BY id", pick)
        if claim is None:
            return
        owed = int(self.town.one("SELECT amount_minor FROM receivable WHERE id = %s", claim))
        words = reference_of(claim) if named else "refund"
        self.loop.bank.credit(max(1, owed * tenths // 10), "CNY", self.loop.today(), words)

    @rule(pick=st.integers(0, 3), step=st.sampled_from(("write_off", "grant", "cancel", "confirm")))
    def decide_what_is_owed(self, pick: int, step: str) -> None:
        claim = self.one_of("SELECT id FROM receivable ORDER BY id", pick)
        if claim is None:
            return
        if step == "grant":
            day = self.loop.today().isoformat()
            self.attempt(
                "finance2", "receivable.grant_instalments", claim, number=3, first_on=day, decision_no="D"
            )
        elif step == "write_off":
            try:
                town_receivable.propose(self.town, claim)
            except Refused as refused:
                assert refused.refusals
            self.attempt("finance3", "receivable.write_off", claim)
        else:
            given = {"reason": "r"} if step == "cancel" else {}
            self.attempt("officer" if step == "cancel" else "finance1", f"receivable.{step}", claim, **given)

    # The budget --------------------------------------------------------------------------------------------

    @rule(
        pick=st.integers(0, 3),
        kind=st.sampled_from(("increase", "decrease", "move", "carry_over", "lapse")),
        amount=st.integers(1, 900_000),
    )
    def change_the_budget(self, pick: int, kind: str, amount: int) -> None:
        purses = [row[0] for row in self.town.all("SELECT id FROM appropriation ORDER BY fiscal_year, id")]
        purse = purses[pick % len(purses)]
        given: dict[str, Any] = {} if kind in ("carry_over", "lapse") else {"amount_minor": amount}
        if kind == "move":
            given["to_id"] = str(purses[(pick + 1) % len(purses)])
        try:
            town_budget.changed(self.town, kind, purse, **given)
        except Refused as refused:
            assert refused.refusals

    @rule()
    def end_the_year(self) -> None:
        """The year's budget closes, unless something hangs on it; life goes on in the next one."""
        year = self.loop.today().year
        if year > START.year:
            return
        for (purse,) in self.town.all("SELECT id FROM appropriation WHERE fiscal_year = %s", year):
            if not self.attempt("finance1", "appropriation.propose_close", purse, reason="year's end"):
                return
            if not self.attempt("finance2", "appropriation.close", purse):
                return
        self.town.clock.set(date(year + 1, 1, 5))

    # The end -----------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        with self.held:
            if not hasattr(self, "town"):
                return
            for _ in range(LAST_DAYS):
                self.loop.send()
                self.loop.taken()
                self._ask(late=False)
                waiting, self.waiting = self.waiting, []
                self._read(waiting)
                self.loop.next_day()
            self._check()

    def _check(self) -> None:
        town = self.town
        assert faults(town.session.conn) == []
        for claim in recounts():
            assert town.all(claim.sql.replace("%", "%%")) == [], claim.en
        # What was paid and what is held stays within the award, and that within what was voted.
        over = town.all(
            "SELECT p.code FROM project p WHERE p.award_minor < (SELECT coalesce(sum(y.amount_minor), 0) "
            "FROM payment y WHERE y.project_id = p.id AND y.state IN "
            "('requested', 'approved', 'released', 'instructed', 'unknown', 'settled'))"
        )
        assert over == []
        self._the_bank_agrees()
        Treasury.settled += town.one("SELECT count(*) FROM payment WHERE state = 'settled'")

    def _the_bank_agrees(self) -> None:
        """Each payment that went is in the bank's books as its state says, or stands in the queue."""
        town, loop = self.town, self.loop
        # The day that has just begun has no statement yet.
        paid = loop.bank.paid(loop.today() - timedelta(days=1))
        queued = {
            row[0]
            for row in town.all(
                "SELECT y.id FROM bank_exception x JOIN payment y "
                "ON y.tranche_id = x.tranche_id OR y.id = x.likely_id"
            )
        }
        assert len(loop.bank.files()) == len(set(loop.bank.files()))
        for id, state, amount in town.all(
            "SELECT y.id, y.state, y.amount_minor FROM payment y "
            "JOIN batch_payment b ON b.payment_id = y.id AND b.live JOIN batch h ON h.id = b.batch_id "
            "AND h.state IN ('sent', 'answered', 'closed')"
        ):
            expected = amount if state == "settled" else 0
            assert paid.get(id.hex, 0) == expected or id in queued, (id, state, paid.get(id.hex))
            assert state in ("settled", "returned") or id in queued, (id, state)


@pytest.fixture(scope="module")
def begun(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    """A database with the office, its people, two projects and the budgets of two years; nobody is in it."""
    name = new_database(server, template)
    clock = SimulatedClock(START)
    database = Database(server.url("milepost_app", name), clock=clock)
    with Town(database, clock) as town:
        town.vote(3_000_000)
        town.vote(500_000, year=START.year + 1)
        for _ in range(2):
            town.funded()
    database.close()
    yield name
    drop_database(server, name)


@pytest.mark.slow
@pytest.mark.timeout(400 * FACTOR)
def test_the_books_agree_after_every_history(server: EmbeddedPostgres, begun: str) -> None:
    Treasury.server, Treasury.begun = server, begun
    run_state_machine_as_test(
        Treasury,
        settings=settings(
            max_examples=examples(4),
            stateful_step_count=30,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Treasury.settled > 0
