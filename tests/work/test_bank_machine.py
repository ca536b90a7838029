"""Whatever people, the office and the bank do in whatever order: the books balance, and the bank's agree.

M1 M2 M5 M7. Random histories over two projects: payments are requested, approved, released and voided;
batches are made and handed over; the bank takes files late, rejects, pays twice, pays a strange sum, brings
back, loses its reply, splits, repeats and reorders; files are read in any order and twice; people clear up
what does not fit. At the end of each history everything that the bank has said is read.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from milepost.bank.simulated_files import Answer, Misbehaviour
from milepost.work import reconciliation
from states.refusals import Refused
from tests.chance import examples
from tests.invariants import town_bank
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import Town
from tests.work.files_scene import Loop

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("bank_machine")
OF_PAYMENTS = (
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
OF_FILES = ("duplicate", "split", "reorder", "wrong_total")
HELD_BACK = {"bank_doubt", "tranche_before_open", "wrong_state", "four_eyes", "tranche_spent_short"}
IN_A_TOWN = 20
SEEN = {"histories": 0, "settled": 0, "returned": 0, "exceptions": 0}
now = st.integers(0, 2**16)


class Histories(RuleBasedStateMachine):
    """One history; all of them share one town, and each has projects and a bank of its own."""

    town: Town

    @initialize(
        seed=st.integers(0, 2**20),
        payments=st.fixed_dictionaries({name: st.sampled_from((0, 0, 2, 3)) for name in OF_PAYMENTS}),
        files=st.fixed_dictionaries({name: st.sampled_from((0, 0, 2)) for name in OF_FILES}),
    )
    def begin(self, seed: int, payments: dict[str, int], files: dict[str, int]) -> None:
        self.folder = Path(mkdtemp(prefix="milepost-history-"))
        self.loop = Loop(self.town, self.folder, Misbehaviour(seed=seed, **payments, **files))
        self.projects = [self.town.funded() for _ in range(2)]
        self.said: list[Answer] = []
        for project in self.projects:
            self.town.payment("released", project=project)

    def payments(self, *states: str) -> list[Any]:
        return self.town.all(
            "SELECT id, milestone_id, state FROM payment WHERE project_id = ANY(%s) AND state = ANY(%s) "
            "ORDER BY project_id, id",
            self.projects,
            list(states),
        )

    @rule(which=now)
    def somebody_brings_a_payment_on(self, which: int) -> None:
        if not (found := self.payments("planned", "due", "requested", "approved")):
            return
        payment, milestone, state = found[which % len(found)]
        if milestone is not None and self.town.state("milestone", milestone) == "planned":
            self.town.accept(milestone)
        ways = (
            ("system", "fall_due"),
            ("finance1", "request"),
            ("finance2", "approve"),
            ("finance3", "release"),
        )
        at = ("planned", "due", "requested", "approved").index(state)
        try:
            for who, step in ways[at:]:
                self.town.take(who, f"payment.{step}", payment)
        except Refused as refused:
            assert {r.code for r in refused.refusals} <= HELD_BACK, refused

    @rule(which=now)
    def somebody_voids_a_payment_that_may_be_in_a_batch(self, which: int) -> None:
        if found := self.payments("released"):
            self.town.take(
                "finance6", "payment.void", found[which % len(found)][0], reason="a mistake", again=True
            )

    @rule(carry_on=st.booleans())
    def a_batch_is_made_and_handed_over(self, carry_on: bool) -> None:
        loose = (
            "SELECT count(*) FROM payment y WHERE state = 'released' AND NOT EXISTS "
            "(SELECT 1 FROM batch_payment b WHERE b.payment_id = y.id AND b.live)"
        )
        if self.town.one(loose) and self.loop.today() == town_bank.working_day(self.town):
            self.loop.batch()
        if carry_on:
            self.loop.send()

    @rule()
    def the_office_carries_on(self) -> None:
        self.loop.send()

    @rule()
    def the_bank_takes_what_is_there(self) -> None:
        self.loop.taken()

    @rule(late=st.booleans())
    def the_bank_reports(self, late: bool) -> None:
        bank = self.loop.bank
        self.said += bank.reports(self.loop.today())
        if late:
            self.said += bank.late_reports(self.loop.today())

    @rule()
    def a_day_ends(self) -> None:
        self.loop.taken()
        self.said += self.loop.bank.statements(self.loop.today())
        self.loop.next_day()

    @rule(which=now, again=st.booleans())
    def a_file_is_read(self, which: int, again: bool) -> None:
        # No precondition: what the bank has said depends on ids, which another town gives anew.
        if not self.said:
            return
        answer = self.said[which % len(self.said)]
        self.loop.put(Answer(f"{which}-{answer.name}", answer.content))
        self.loop.read()
        if not again:
            self.said.remove(answer)

    @rule(which=now, how=st.sampled_from(("explain", "explain", "match", "use")))
    def somebody_clears_something_up(self, which: int, how: str) -> None:
        found = self.town.all("SELECT id FROM bank_exception WHERE state = 'open' ORDER BY raised_at, id")
        if not found:
            return
        try:
            self.town.take(
                "finance4", f"bank_exception.{how}", found[which % len(found)][0], note="looked into"
            )
        except Refused as refused:
            assert {r.code for r in refused.refusals} <= {"no_likely_payment", "statement_not_in_doubt"}, (
                refused
            )

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        while self.loop.today() != town_bank.working_day(self.town):
            self.a_day_ends()
        self.a_batch_is_made_and_handed_over(True)
        self.loop.taken()
        self.said += self.loop.bank.reports(self.loop.today())
        # Long enough for what is slow, and for what comes back after it.
        for _ in range(6):
            self.a_day_ends()
        self.loop.put(*(Answer(f"{n}-{answer.name}", answer.content) for n, answer in enumerate(self.said)))
        self.loop.read()
        self.loop.read()
        self._agree()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _agree(self) -> None:
        """The bank's books and ours say the same of each payment, or somebody is or was asked about it."""
        town, paid = self.town, self.loop.bank.paid(self.loop.today())
        assert faults(town.session.conn) == []
        assert len(self.loop.bank.files()) == len(set(self.loop.bank.files()))
        asked = {
            row[0]
            for row in town.all(
                "SELECT y.id FROM payment y JOIN bank_exception x ON x.tranche_id = y.tranche_id "
                "OR x.payment_id = y.id OR x.likely_id = y.id WHERE y.project_id = ANY(%s)",
                self.projects,
            )
        }
        mine = town.all(
            "SELECT y.id, y.state, y.amount_minor FROM payment y WHERE y.project_id = ANY(%s)", self.projects
        )
        ours = {id.hex for id, _, _ in mine}
        for id, state, amount in mine:
            assert paid.get(id.hex, 0) == (amount if state == "settled" else 0) or id in asked, (id, state)
            assert state not in ("instructed", "unknown") or id in asked, (id, state)
        # Money that the bank gave to nobody of ours was noticed.
        strange = sorted(id for id, net in paid.items() if id not in ours and net)
        noticed = {r[0] for r in town.all("SELECT end_to_end FROM bank_entry WHERE outcome <> 'new'")}
        assert set(strange) <= noticed
        assert town.all("SELECT id FROM bank_entry WHERE outcome = 'new'") == []
        SEEN["histories"] += 1
        for _, state, _ in mine:
            SEEN[state] = SEEN.get(state, 0) + 1
        SEEN["exceptions"] += len(asked)


def test_the_books_agree_at_the_end_of_whatever_history(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A slice of three, so that what belongs together is seen apart.
    monkeypatch.setattr(reconciliation, "SLICE", 3)
    number = examples(4)
    for at in range(0, number, IN_A_TOWN):
        # The whole town is looked through after each history, so that none may become too large.
        town = found()
        # A history takes a few weeks, and all of a town's follow each other.
        for year in range(2025, 2030):
            town.vote(1_000_000_000_000, year=year)
        Histories.town = town
        run_state_machine_as_test(
            Histories,
            settings=settings(
                max_examples=min(IN_A_TOWN, number - at),
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        print(SEEN, flush=True)
    assert SEEN["histories"] >= number // 2 and SEEN["settled"]
