"""What people do besides paying: delegate, stop, set off, attest, amend, correct; each in any order."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.invariants import town_receivable
from tests.invariants.treasury import FINANCE, Treasury, reference_of, there

STOPPERS = (*FINANCE[:2], "officer", "supervisor")


class Duties(Treasury):
    """Duties in other hands, holds, accounts that change."""

    @rule(
        one=st.sampled_from(FINANCE),
        other=st.sampled_from(("officer", "officer2", "finance5")),
        duty=st.sampled_from(("every", "request", "approve", "release")),
    )
    def act_for_another(self, one: str, other: str, duty: str) -> None:
        today = self.loop.today()
        made = self.attempt(
            one,
            "delegation.grant",
            None,
            programme_id=str(self.town.programme.id),
            office_path="/city/",
            delegate_id=str(self.town.people[other].id),
            role="finance_officer",
            duty=duty,
            from_on=today.isoformat(),
            until_on=(today + timedelta(days=14)).isoformat(),
            reason="leave",
        )
        if made:
            self.attempt(other, "delegation.accept", made.subject_id)

    @there("accepted")
    @rule(pick=st.integers(0, 3))
    def come_back_from_leave(self, pick: int) -> None:
        found = self.one_of("SELECT id FROM delegation WHERE state = 'accepted' ORDER BY id", pick)
        if found is not None:
            who = self.town.one(
                "SELECT n.login FROM delegation d JOIN person n ON n.id = d.delegator_id WHERE d.id = %s",
                found,
            )
            self.attempt(who, "delegation.revoke", found, reason="back")

    @rule(pick=st.integers(0, 3), who=st.sampled_from(STOPPERS), noun=st.sampled_from(("project", "payment")))
    def stop_the_money(self, pick: int, who: str, noun: str) -> None:
        sql = {
            "project": "SELECT id FROM project ORDER BY code",
            "payment": "SELECT id FROM payment WHERE state NOT IN ('void', 'returned') ORDER BY id",
        }[noun]
        found = self.one_of(sql, pick)
        if found is not None:
            self.attempt(who, f"{noun}.place_hold", found, reason="a question")

    @there("held")
    @rule(pick=st.integers(0, 3), who=st.sampled_from(STOPPERS))
    def let_the_money_go(self, pick: int, who: str) -> None:
        rows = self.town.all(
            "SELECT id, project_id, payment_id FROM hold WHERE lifted_at IS NULL ORDER BY placed_at, id"
        )
        if rows:
            id, project, payment = rows[pick % len(rows)]
            noun, subject = ("payment", payment) if payment else ("project", project)
            self.attempt(who, f"{noun}.lift_hold", subject, hold_id=str(id), reason="answered")

    @rule(pick=st.integers(0, 2), number=st.integers(100_000, 999_999))
    def change_the_account(self, pick: int, number: int) -> None:
        """What was approved for the account before is void."""
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

    @there("at_bank")
    @rule(pick=st.integers(0, 3), honest=st.booleans(), people=st.permutations(FINANCE))
    def find_out_what_became_of_it(self, pick: int, honest: bool, people: list[str]) -> None:
        """The bank gives no answer: two people say what they know, or what they think they know."""
        payment = self.one_of(
            "SELECT id FROM payment WHERE state IN ('instructed', 'unknown') ORDER BY id", pick
        )
        if payment is None:
            return
        if self.town.state("payment", payment) == "instructed":
            self.attempt("system", "payment.lose", payment)
        paid = bool(self.loop.bank.paid(self.loop.today()).get(payment.hex))
        finding = "settled" if paid is honest else "returned"
        self.attempt(people[0], "payment.attest", payment, finding=finding, evidence="a call")
        self.attempt(people[1], "payment.confirm", payment)


class Amendments(Treasury):
    """The project changes under its payments."""

    @there("to_approve")
    @rule(pick=st.integers(0, 2), tenths=st.integers(3, 13))
    def award(self, pick: int, tenths: int) -> None:
        """A further project is approved, for less or more than was asked for."""
        project = self.one_of("SELECT id FROM project WHERE state = 'approval' ORDER BY code", pick)
        if project is None:
            return
        asked = int(self.town.one("SELECT requested_minor FROM project WHERE id = %s", project))
        if self.attempt("officer", "project.approve", project, award_minor=asked * tenths // 10):
            self.town.advance(project, "implementation")
            self.town.payee(project, number=f"6222000{pick}0000")
            self.town.take("counsel", "project.record_review", project, kind="legal", opinion="in order")

    @rule(pick=st.integers(0, 3), days=st.integers(1, 60), waived=st.booleans())
    def change_the_plan(self, pick: int, days: int, waived: bool) -> None:
        rows = self.town.all(
            "SELECT id, due_on FROM milestone "
            "ORDER BY state IN ('accepted', 'waived', 'rejected'), number, id"
        )
        milestone, due = rows[pick % len(rows)]
        if waived:
            self.attempt("officer", "milestone.waive", milestone, reason="merged")
        else:
            day = (max(due, self.loop.today()) + timedelta(days=days)).isoformat()
            self.attempt("officer", "milestone.extend", milestone, due_on=day, reason="delays")

    @rule(
        pick=st.integers(0, 2),
        step=st.sampled_from((*["suspend", "resume"] * 4, "terminate", "revoke")),
    )
    def stop_the_project(self, pick: int, step: str) -> None:
        state = "suspended" if step == "resume" else "implementation"
        project = self.one_of(f"SELECT id FROM project ORDER BY state <> '{state}', code", pick)
        self.attempt("officer", f"project.{step}", project, reason="as decided")


class SetOffs(Treasury):
    """What is owed, set off against what is still to be paid."""

    @there("to_set_off")
    @rule(
        pick=st.integers(0, 3),
        tenths=st.integers(1, 10),
        agreed=st.booleans(),
        people=st.permutations(FINANCE),
    )
    def set_off(self, pick: int, tenths: int, agreed: bool, people: list[str]) -> None:
        """Proposed, and perhaps agreed to; then the payment goes its way, the lesser sum or none at all."""
        rows = self.town.all(
            "SELECT r.id, y.id, least(r.amount_minor, y.amount_minor) FROM receivable r "
            "JOIN payment y ON y.project_id = r.project_id AND y.state IN ('planned', 'due') "
            "WHERE r.state IN ('owed', 'instalments') ORDER BY 1, 2"
        )
        if not rows:
            return
        claim, payment, most = rows[pick % len(rows)]
        given = {
            "payment_id": str(payment),
            "amount_minor": max(1, most * tenths // 10),
            "grounds": "art. 12",
        }
        self.attempt("officer", "receivable.propose_set_off", claim, **given)
        if agreed and self.attempt("finance4", "receivable.agree_set_off", claim) and tenths % 2 == 0:
            milestone = self.town.one("SELECT milestone_id FROM payment WHERE id = %s", payment)
            if milestone is not None:
                self.attempt("unit", "milestone.report", milestone, report="built", deliverables=1)
                self.attempt("judge", "milestone.accept", milestone, opinion="works")
            self.take_on(payment, people)
            self.hand_a_batch_over()

    @there("set_offs")
    @rule(pick=st.integers(0, 3), agreed=st.booleans())
    def decide_a_set_off(self, pick: int, agreed: bool) -> None:
        claim = self.one_of(
            "SELECT receivable_id FROM set_off WHERE status IN ('proposed', 'agreed') ORDER BY id", pick
        )
        if claim is None:
            return
        if agreed:
            self.attempt("finance4", "receivable.agree_set_off", claim)
        else:
            self.attempt("officer", "receivable.drop_set_off", claim, reason="after all")


class Mistakes(Treasury):
    """What somebody enters for the wrong one, writes off too soon, explains away; and takes back."""

    def correct(self, who: str, claim: UUID) -> None:
        """Agree to what waits; where all of it was too much, by the step for that."""
        if not self.attempt(who, "receivable.correct", claim):
            self.attempt(who, "receivable.correct_over", claim)

    @there("claimed")
    @rule(pick=st.integers(0, 3), claim=st.integers(0, 3), slip=st.booleans())
    def receive_by_hand(self, pick: int, claim: int, slip: bool) -> None:
        """Somebody finds out what a credit is, or thinks so; or enters a slip of the treasury."""
        made = self.one_of("SELECT id FROM receivable ORDER BY state = 'proposed', id", claim)
        if made is None:
            return
        if slip:
            given = {"reference": f"S-{pick}", "received_on": self.loop.today().isoformat()}
            papers = [town_receivable.paper(self.town)]
            self.attempt(
                "finance3", "receivable.receive_slip", made, amount_minor=70_000, documents=papers, **given
            )
            return
        credit = self.one_of(
            "SELECT id FROM bank_entry WHERE source = 'statement' AND said = 'credit' AND payment_id IS NULL "
            "AND outcome IN ('new', 'queued') ORDER BY id",
            pick,
        )
        step = "receive" if self.town.state("receivable", made) in ("owed", "instalments") else "receive_over"
        if credit is not None:
            self.attempt("finance3", f"receivable.{step}", made, entry_id=str(credit))

    @there("receipts")
    @rule(
        pick=st.integers(0, 3), who=st.sampled_from(FINANCE[:2]), named=st.booleans(), at_once=st.booleans()
    )
    def take_a_receipt_back(self, pick: int, who: str, named: bool, at_once: bool) -> None:
        rows = self.town.all(
            "SELECT id, receivable_id FROM receipt ORDER BY reversal_id IS NOT NULL, taken_minor > 0, id"
        )
        if not rows:
            return
        receipt, claim = rows[pick % len(rows)]
        given = {"receipt_id": str(receipt), "reason": "not theirs", "correction_no": "D-7" if named else ""}
        self.attempt(who, "receivable.propose_reversal", claim, **given)
        if at_once:
            self.correct("finance2", claim)

    @there("confirmed")
    @rule(pick=st.integers(0, 3), tenths=st.integers(9, 11), agreed=st.booleans())
    def pay_in_twice(self, pick: int, tenths: int, agreed: bool) -> None:
        """The second time all of it is too much; somebody takes it for a mistake."""
        claim = self.one_of(
            "SELECT id FROM receivable WHERE state IN ('owed', 'instalments') ORDER BY id", pick
        )
        if claim is None:
            return
        owed = int(self.town.one("SELECT amount_minor FROM receivable WHERE id = %s", claim))
        for sum_ in (max(1, owed * tenths // 10), owed):
            self.loop.bank.credit(sum_, "CNY", self.loop.today(), reference_of(claim))
            self.a_usual_day()
        over = self.one_of(
            f"SELECT id FROM receipt WHERE receivable_id = '{claim}' AND reversal_id IS NULL "
            "AND taken_minor = 0 ORDER BY id",
            pick,
        )
        if over is not None:
            given = {"receipt_id": str(over), "reason": "another's"}
            self.attempt("finance1", "receivable.propose_reversal", claim, **given)
            if agreed:
                self.attempt("finance2", "receivable.correct_over", claim)

    @there("given_up")
    @rule(pick=st.integers(0, 3), who=st.sampled_from(FINANCE[:2]), at_once=st.booleans())
    def take_a_write_off_back(self, pick: int, who: str, at_once: bool) -> None:
        claim = self.one_of("SELECT id FROM receivable ORDER BY written_off_minor = 0, id", pick)
        if claim is None:
            return
        papers = [town_receivable.paper(self.town)]
        given = {"reason": "they have it", "correction_no": "D-8", "documents": papers}
        self.attempt(who, "receivable.propose_reopening", claim, **given)
        if at_once:
            self.correct("finance2", claim)

    @there("corrections")
    @rule(pick=st.integers(0, 3), who=st.sampled_from(FINANCE[:3]), agreed=st.booleans())
    def decide_a_correction(self, pick: int, who: str, agreed: bool) -> None:
        claim = self.one_of(
            "SELECT receivable_id FROM correction WHERE status = 'proposed' ORDER BY id", pick
        )
        if claim is not None and agreed:
            self.correct(who, claim)
        elif claim is not None:
            self.attempt(who, "receivable.drop_correction", claim, reason="it is right")

    @there("explained")
    @rule(pick=st.integers(0, 3), who=st.sampled_from(FINANCE))
    def ask_again(self, pick: int, who: str) -> None:
        found = self.one_of("SELECT id FROM bank_exception WHERE state = 'explained' ORDER BY id", pick)
        if found is not None:
            self.attempt(who, "bank_exception.reopen", found, reason="it was no interest")


__all__ = ["Amendments", "Duties", "Mistakes", "SetOffs"]
