"""Whatever people do in whatever order: the books balance, nothing is paid unearned, no refusal writes.

Random people take random steps on two projects of a programme of their own, with little money; a small model
keeps what must hold: who did what, what was accepted, what is on hold, what was answered to which request.
"""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from milepost.actions import Receipt, perform
from states.gates import PAYING_STATES
from states.refusals import Refused
from tests.chance import FACTOR, examples
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import Town, programme_text

FINANCE = tuple(f"finance{n}" for n in range(1, 6))
EVERYBODY = (*FINANCE, "unit", "lead", "officer", "judge", "supervisor", "system", "nobody", "admin")
NEXT = {
    "planned": ("payment.fall_due",),
    "due": ("payment.request", "payment.fall_back"),
    "requested": ("payment.approve", "payment.send_back"),
    "approved": ("payment.release", "payment.send_back"),
    "released": ("payment.instruct",),
    "instructed": ("payment.settle", "payment.bank_return", "payment.lose", "payment.not_received"),
    "unknown": ("payment.attest", "payment.confirm", "payment.settle", "payment.not_received"),
}
ANY_PAYMENT_STEP = sorted({step for steps in NEXT.values() for step in steps} | {"payment.void"})
BY_THE_SYSTEM = (
    "payment.fall_due",
    "payment.fall_back",
    "payment.instruct",
    "payment.settle",
    "payment.bank_return",
    "payment.lose",
    "payment.not_received",
)
DUTY = {
    "payment.request": "requester",
    "payment.approve": "approver",
    "payment.release": "releaser",
    "payment.attest": "first_attester",
    "payment.confirm": "second_attester",
    "payment.send_back": "objector",
}
INPUT: dict[str, dict[str, Any]] = {
    "payment.send_back": {"reason": "r"},
    "payment.void": {"reason": "r", "again": True},
    "payment.settle": {"reference": "B"},
    "payment.bank_return": {"reference": "B"},
    "payment.not_received": {"reference": "B"},
    "payment.attest": {"finding": "settled", "evidence": "letter"},
}


class Office(RuleBasedStateMachine):
    """Two projects, eight payments' worth of wishes, money for not quite all of it."""

    town: Town
    number = 0

    @initialize()
    def begin(self) -> None:
        town, Office.number = self.town, Office.number + 1
        text = programme_text(
            **{
                'code = "city-milestone-subsidy"': f'code = "model-{Office.number}"',
                "quorum = 5": "quorum = 1",
            }
        )
        town.programme = town.publish(text)
        town.vote(1_500_000)
        self.projects = [town.funded() for _ in range(2)]
        self.milestones = {m: p for p in self.projects for m in town.milestones(p)}
        self.accepted: set[UUID] = set()
        self.holds: dict[UUID, list[str]] = {p: [] for p in self.projects}
        self.flags: dict[UUID, list[str]] = {p: [] for p in self.projects}
        self.payees: dict[UUID, str] = dict.fromkeys(self.projects, "finance7")
        self.duties: dict[UUID, set[str]] = {}
        self.answers: dict[tuple[str, str], tuple[str, UUID, dict[str, Any], str]] = {}
        # Something is earned from the start, so that short runs reach the money too.
        for pick in range(3):
            self.earn_a_milestone(pick)

    # What everybody can try ------------------------------------------------------------------------

    def attempt(self, who: str, step: str, subject: UUID, **input: Any) -> Receipt | None:
        """Take a step; a refusal must have written nothing, an answer exactly what it says."""
        town = self.town
        before = town.one("SELECT count(*) FROM event")
        request = town.next_request()
        try:
            receipt = perform(town.session, town.people[who], step, subject, input, request)
        except Refused as refused:
            assert refused.refusals
            assert town.one("SELECT count(*) FROM event") == before
            return None
        assert not receipt.repeated
        assert town.one("SELECT count(*) FROM event") > before
        row = town.all("SELECT to_state, subject_seq FROM event WHERE hash = %s", bytes.fromhex(receipt.hash))
        assert row == [(receipt.state, receipt.version)]
        self.answers[who, request] = (step, subject, input, receipt.hash)
        return receipt

    def paying(self, payment: UUID, step: str, who: str) -> None:
        """What must have held when money moved towards the bank."""
        row = self.town.all(
            "SELECT y.project_id, y.milestone_id, p.state, y.payee_id = p.payee_id FROM payment y "
            "JOIN project p ON p.id = y.project_id WHERE y.id = %s",
            payment,
        )[0]
        project, milestone, state, bound = row
        if step in ("payment.request", "payment.approve", "payment.release", "payment.instruct"):
            assert state in PAYING_STATES and bound
            assert milestone in self.accepted
            assert not self.holds[project] and not self.flags[project]
        if step in DUTY:
            duties = self.duties.setdefault(payment, set())
            if step == "payment.request":
                duties.add(self.payees[project])
            assert who not in duties
            duties.add(who)

    @rule(pick=st.integers(0, 3), who=st.sampled_from(FINANCE), choice=st.integers(0, 3))
    def go_on_with_a_payment(self, pick: int, who: str, choice: int) -> None:
        payments = [y for p in self.projects for y in self.town.payments(p)]
        payment = payments[pick % len(payments)]
        steps = NEXT.get(self.town.state("payment", payment), ("payment.void",))
        step = steps[choice % len(steps)]
        who = "system" if step in BY_THE_SYSTEM else who
        if self.attempt(who, step, payment, **INPUT.get(step, {})) is not None:
            self.paying(payment, step, who)

    @rule(pick=st.integers(0, 3), seed=st.integers(0, 2**16))
    def bring_a_payment_as_far_as_it_goes(self, pick: int, seed: int) -> None:
        chance = random.Random(seed)
        people = chance.sample(FINANCE, len(FINANCE))
        for n in range(7):
            self.go_on_with_a_payment(pick, people[n % len(people)], chance.choice((0, 0, 0, 0, 1, 2, 3)))

    @rule(pick=st.integers(0, 9), who=st.sampled_from(EVERYBODY), step=st.sampled_from(ANY_PAYMENT_STEP))
    def try_any_step_on_a_payment(self, pick: int, who: str, step: str) -> None:
        rows = self.town.all("SELECT id FROM payment WHERE project_id = ANY(%s) ORDER BY id", self.projects)
        payment = rows[pick % len(rows)][0]
        if self.attempt(who, step, payment, **INPUT.get(step, {})) is not None:
            self.paying(payment, step, who)

    @rule(
        pick=st.integers(0, 3),
        who=st.sampled_from(("unit", "judge", "officer", "finance1", "nobody")),
        step=st.sampled_from(("report", "accept", "accept", "return", "reject", "waive")),
    )
    def handle_a_milestone(self, pick: int, who: str, step: str) -> None:
        milestone = list(self.milestones)[pick]
        said = {"report": {"report": "r"}, "accept": {"opinion": "o"}, "reject": {"opinion": "o"}}
        if (
            self.attempt(who, f"milestone.{step}", milestone, **said.get(step, {"reason": "r"}))
            and step == "accept"
        ):
            self.accepted.add(milestone)

    @rule(pick=st.integers(0, 3))
    def earn_a_milestone(self, pick: int) -> None:
        self.handle_a_milestone(pick, "unit", "report")
        self.handle_a_milestone(pick, "judge", "accept")

    @rule(
        pick=st.integers(0, 1),
        who=st.sampled_from(("officer", "supervisor", "finance2", "unit")),
        kind=st.sampled_from(("hold", "flag")),
    )
    def stop_the_money(self, pick: int, who: str, kind: str) -> None:
        project = self.projects[pick]
        step = "project.place_hold" if kind == "hold" else "project.flag_integrity"
        if self.attempt(who, step, project, reason="r"):
            book = self.holds if kind == "hold" else self.flags
            book[project].append(self._newest(project, "hold" if kind == "hold" else "integrity"))

    def _newest(self, project: UUID, kind: str) -> str:
        known = [UUID(i) for i in (*self.holds[project], *self.flags[project])]
        return str(
            self.town.one(
                "SELECT id FROM hold WHERE project_id = %s AND kind = %s AND lifted_at IS NULL "
                "AND NOT id = ANY(%s)",
                project,
                kind,
                known,
            )
        )

    @rule(pick=st.integers(0, 1), who=st.sampled_from(("officer", "supervisor", "finance2", "unit")))
    def let_the_money_go(self, pick: int, who: str) -> None:
        project = self.projects[pick]
        for book, step in ((self.holds, "project.lift_hold"), (self.flags, "project.clear_integrity")):
            for hold in list(book[project]):
                if self.attempt(who, step, project, hold_id=hold, reason="r"):
                    book[project].remove(hold)

    @rule(
        pick=st.integers(0, 1),
        editor=st.sampled_from(("unit", "finance4", "finance5")),
        verifier=st.sampled_from(("finance4", "finance5", "officer")),
    )
    def change_the_account(self, pick: int, editor: str, verifier: str) -> None:
        project = self.projects[pick]
        account = {"account_name": "a", "account_no": "123456", "bank_name": "b"}
        entered = self.attempt(editor, "payee.enter", project, **account)
        if entered and self.attempt(verifier, "payee.verify", entered.subject_id):
            assert editor != verifier
            self.payees[project] = editor

    @rule(
        pick=st.integers(0, 1),
        step=st.sampled_from(("suspend", "resume", "resume", "complete_implementation", "close")),
        who=st.sampled_from(("officer", "unit")),
    )
    def move_the_project(self, pick: int, step: str, who: str) -> None:
        input = {"reason": "r"} if step in ("suspend", "resume") else {}
        self.attempt(who, f"project.{step}", self.projects[pick], **input)

    # Again ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.answers)
    @rule(pick=st.integers(0, 10**6))
    def ask_again(self, pick: int) -> None:
        (who, request), (step, subject, input, hash) = list(self.answers.items())[pick % len(self.answers)]
        before = self.town.one("SELECT count(*) FROM event")
        receipt = perform(self.town.session, self.town.people[who], step, subject, input, request)
        assert receipt.repeated and receipt.hash == hash
        assert self.town.one("SELECT count(*) FROM event") == before

    @precondition(lambda self: self.answers)
    @rule(pick=st.integers(0, 10**6))
    def ask_for_something_else_under_a_used_id(self, pick: int) -> None:
        (who, request), (step, subject, input, _) = list(self.answers.items())[pick % len(self.answers)]
        with pytest.raises(Refused, match="request_reused"):
            perform(
                self.town.session, self.town.people[who], step, subject, {**input, "note": "other"}, request
            )

    # What always holds -----------------------------------------------------------------------------------

    @invariant()
    def the_books_balance(self) -> None:
        if not hasattr(self, "projects"):
            return
        rows = self.town.all(
            "SELECT sum(debits_posted) - sum(credits_posted), sum(debits_pending) - sum(credits_pending) "
            "FROM account"
        )
        assert rows == [(0, 0)]
        spent = self.town.one(
            "SELECT coalesce(sum(amount_minor), 0) FROM payment WHERE project_id = ANY(%s) AND state IN "
            "('requested', 'approved', 'released', 'instructed', 'unknown', 'settled')",
            self.projects,
        )
        assert spent <= 1_500_000

    def teardown(self) -> None:
        if hasattr(self, "projects"):
            assert faults(self.town.session.conn) == []


# What it finds it has to make short before it can say it: that takes minutes, and only then.
@pytest.mark.timeout(500 * FACTOR)
def test_no_order_of_steps_breaks_a_promise(found: Found) -> None:
    class Here(Office):
        town = found()

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples(15),
            stateful_step_count=30,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_model_reaches_the_bank_and_back(found: Found) -> None:
    """A model that never pays proves nothing: here is one history of it that does."""

    class Here(Office):
        town = found()

    office = Here()
    office.begin()
    for seed in range(40):
        office.bring_a_payment_as_far_as_it_goes(0, seed)
        office.the_books_balance()
    office.teardown()
    states = {row[0] for row in Here.town.all("SELECT DISTINCT state FROM payment")}
    assert "settled" in states, states
