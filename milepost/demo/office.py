"""Drives projects the way the people of an office would: every change is a step, taken by who may take it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from milepost.actions import SYSTEM, Actor, Receipt, perform
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.demo.panels import draw_panels, enrol_experts, invite_drawn
from milepost.demo.plans import plan_of
from milepost.programmes import Published
from schema.money import Money
from states.approvals import approvals_needed, still_missing

TO_RELEASED = ("planned", "due", "requested", "approved", "released")


class Office:
    """One office with its people, one programme and a simulated clock that its work moves on.

    ``people`` are actors by role. Requests are numbered under ``name``, so that the same work done again in
    the same order has one effect.
    """

    def __init__(
        self,
        database: Database,
        published: Published,
        people: Mapping[str, tuple[Actor, ...]],
        *,
        name: str = "office",
        path: str = "/",
    ) -> None:
        if not isinstance(database.clock, SimulatedClock):
            raise TypeError("an office that lives through days needs a database with a SimulatedClock")
        self.database, self.published, self.people = database, published, people
        self.name, self.path = name, path
        self.clock: SimulatedClock = database.clock
        self.programme = published.compiled.programme
        self.currency = "CNY" if self.programme.currency == "XXX" else self.programme.currency
        self.taken = 0
        self._voted: set[tuple[int, str]] = set()

    # -- one step ------------------------------------------------------------------------------------------

    def who(self, role: str, n: int = 0) -> Actor:
        """The n-th person of a role; ``system`` is the system."""
        return SYSTEM if role == "system" else self.people[role][n]

    def take(
        self, actor: Actor | str, step: str, subject_id: UUID | None, request_id: str = "", **given: Any
    ) -> Receipt:
        """One step; an actor may be named by role. Raises ``Refused`` as ``perform`` does."""
        self.taken += 1
        acting = self.who(actor) if isinstance(actor, str) else actor
        request = request_id or f"{self.name}:{self.taken}"
        with self.database.session() as session:
            return perform(session, acting, step, subject_id, given, request)

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.database.session() as session:
            return session.conn.execute(sql, params).fetchall()

    def value(self, sql: str, *params: Any) -> Any:
        """The one value a query finds."""
        return self.rows(sql, *params)[0][0]

    # -- from the application to the agreement ------------------------------------------------------------

    def vote(self, amount_minor: int = 10**13, *, year: int | None = None, currency: str = "") -> None:
        """The year's appropriation, by two people, unless the programme has one."""
        chosen, money = year or self.clock.today().year, currency or self.currency
        if (chosen, money) in self._voted:
            return
        self._voted.add((chosen, money))
        if not self.rows(
            "SELECT 1 FROM appropriation WHERE programme_code = %s AND fiscal_year = %s AND currency = %s",
            self.programme.code,
            chosen,
            money,
        ):
            request = f"{self.name}:vote:{self.programme.code}:{chosen}:{money}"
            proposed = self.take(
                "finance_officer",
                "appropriation.propose",
                None,
                request,
                programme_id=str(self.published.id),
                fiscal_year=chosen,
                currency=money,
                amount_minor=amount_minor,
            )
            second = self.who("finance_officer", 1)
            self.take(second, "appropriation.vote", proposed.subject_id, f"{request}:confirm")

    def apply(
        self,
        code: str,
        *,
        requested_minor: int = 100_000_000,
        milestones: int = 2,
        dossier: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> UUID:
        """An application; where the programme wants them, with milestones of equal sums, and described."""
        today = self.clock.today()
        plan = plan_of(self.programme, Money(requested_minor, self.currency), milestones, today)
        row = {
            "code": code,
            "title": f"示例项目 {code}",
            "programme_id": str(self.published.id),
            "office_path": self.path,
            "unit_name": "示例单位",
            "leader_name": "示例负责人",
            "requested_minor": requested_minor,
            "currency": self.currency,
            "plan": plan,
        }
        project_id = self.take("applicant", "project.apply", None, **{**row, **given}).subject_id
        if self.draws:
            enrol_experts(self, region=self.path)
            described = dossier or {"summary": "示例摘要", "fields": ["510"], "team": []}
            self.take("applicant", "project.describe", project_id, **described)
        return project_id

    @property
    def draws(self) -> bool:
        """Whether the programme draws its panels."""
        return self.programme.review is not None and self.programme.review.panel.by == "draw"

    def state(self, project_id: UUID) -> str:
        """The stage a project stands in."""
        return str(self.value("SELECT state FROM project WHERE id = %s", project_id))

    def bring_to(self, project_id: UUID, stage: str) -> None:
        """Take the project's steps, stage by stage, until it stands in ``stage``.

        The clock moves on where days must pass: a notice runs its window.
        """
        while (state := self.state(project_id)) != stage:
            move = _MOVES.get(state)
            if move is None:
                raise ValueError(f"{stage!r} cannot be reached from {state!r} in {self.programme.code}")
            move(self, project_id)

    def project_at(self, stage: str, code: str, **given: Any) -> UUID:
        """A new project brought to a stage of its programme, or to closed_passed or archived."""
        project_id = self.apply(code, **given)
        self.bring_to(project_id, stage)
        return project_id

    def submit(self, project_id: UUID) -> None:
        """Sign the pledges the programme asks for and hand in."""
        if "unit" in self.programme.pledge_signers:
            self.take("applicant", "project.sign_unit_pledge", project_id)
        if "leader" in self.programme.pledge_signers:
            self.take("principal_investigator", "project.sign_leader_pledge", project_id)
        self.take("applicant", "project.submit", project_id)

    def open_round(self, project_id: UUID, experts: int | None = None) -> tuple[UUID, list[UUID]]:
        """A review round with experts invited, as many as make the quorum: the round and its tasks."""
        review = self.programme.review
        count = experts or (review.quorum if review else 3)
        round_id = self.take("programme_officer", "round.open", project_id).subject_id
        if self.draws:
            draw_panels(self, [round_id])
            return round_id, invite_drawn(self, round_id)
        tasks = [
            self.take("programme_officer", "task.invite", round_id, expert_id=str(expert.id)).subject_id
            for expert in self.people["expert"][:count]
        ]
        return round_id, tasks

    def review_task(self, task_id: UUID, *, percent: int = 80) -> None:
        """The invited expert accepts and submits scores of that share of the most."""
        expert = Actor(self.value("SELECT expert_id FROM task WHERE id = %s", task_id))
        rubric = self.programme.review.rubric if self.programme.review else ()
        self.take(expert, "task.accept", task_id)
        scores = {c.code: c.max * percent // 100 for c in rubric}
        self.take(expert, "task.submit", task_id, scores=scores, comment="示例意见")

    def review(self, project_id: UUID, *, percent: int = 80) -> None:
        """A round from its opening to its decision, and the stage concluded if it passed."""
        round_id, tasks = self.open_round(project_id)
        for task_id in tasks:
            self.review_task(task_id, percent=percent)
        self.take("programme_officer", "round.score", round_id)
        self.take("programme_officer", "round.decide", round_id)
        if self.value("SELECT passed FROM round WHERE id = %s", round_id):
            self.take("programme_officer", f"project.conclude_{self.state(project_id)}", project_id)

    def publish_notice(self, project_id: UUID) -> UUID:
        """A public notice, its window beginning with the next working day."""
        return self.take("programme_officer", "notice.publish", project_id).subject_id

    def let_notice_end(self, notice_id: UUID) -> None:
        """Wait until the day after the notice's window, then end it."""
        closes: date = self.value("SELECT closes_on FROM notice WHERE id = %s", notice_id)
        if self.clock.today() <= closes:
            self.clock.set(closes + timedelta(days=1))
        self.take("system", "notice.end", notice_id)

    def _confirm_eligibility(self, project_id: UUID) -> None:
        met = [item.code for item in self.programme.checklist]
        self.take("programme_officer", "project.confirm_eligibility", project_id, met=met)

    def _notice(self, project_id: UUID) -> None:
        self.let_notice_end(self.publish_notice(project_id))
        self.take("programme_officer", "project.conclude_notice", project_id)

    def _agreement(self, project_id: UUID) -> None:
        self.take("applicant", "project.sign_agreement_as_grantee", project_id)
        self.take("programme_officer", "project.sign_agreement", project_id)

    # -- milestones and the end ---------------------------------------------------------------------------

    def milestones(self, project_id: UUID) -> list[UUID]:
        """The project's milestones by number."""
        rows = self.rows("SELECT id FROM milestone WHERE project_id = %s ORDER BY number", project_id)
        return [row[0] for row in rows]

    def bring_milestone_to(self, milestone_id: UUID, state: str) -> None:
        """Take a milestone to due, reported, returned, accepted, rejected or waived."""
        now = self.value("SELECT state FROM milestone WHERE id = %s", milestone_id)
        if now == state:
            return
        if state == "due":
            self.take("system", "milestone.fall_due", milestone_id)
        elif state == "overdue":
            due: date = self.value("SELECT due_on FROM milestone WHERE id = %s", milestone_id)
            if self.clock.today() <= due:
                self.clock.set(due + timedelta(days=1))
            self.take("system", "milestone.fall_overdue", milestone_id)
        elif state == "waived":
            self.take("programme_officer", "milestone.waive", milestone_id, reason="示例：无需完成")
        else:
            if now != "reported":
                self.take("applicant", "milestone.report", milestone_id, report="示例报告", deliverables=3)
            if state == "returned":
                self.take("programme_officer", "milestone.return", milestone_id, reason="示例：请补充")
            elif state in ("accepted", "rejected"):
                step = {"accepted": "milestone.accept", "rejected": "milestone.reject"}[state]
                self.take(
                    "programme_officer", step, milestone_id, opinion="示例意见", deliverables_accepted=3
                )

    def _implementation(self, project_id: UUID) -> None:
        for milestone_id in self.milestones(project_id):
            self.bring_milestone_to(milestone_id, "accepted")
        self.take("programme_officer", "project.complete_implementation", project_id)

    def _acceptance(self, project_id: UUID) -> None:
        # Without a stage of implementation the milestones are finished under the acceptance itself.
        for milestone_id in self.milestones(project_id):
            self.bring_milestone_to(milestone_id, "accepted")
        self.take(
            "programme_officer",
            "project.record_acceptance",
            project_id,
            outcome="passed",
            opinion="示例：通过",
        )

    def _closure(self, project_id: UUID) -> None:
        for payment_id in self.payments(project_id):
            self.pay(payment_id, "settled")
        self.take("programme_officer", "project.close", project_id)

    # -- money --------------------------------------------------------------------------------------------

    def payments(self, project_id: UUID) -> list[UUID]:
        """The project's live or settled payments in the order of their tranches."""
        rows = self.rows(
            "SELECT y.id FROM payment y JOIN tranche t ON t.id = y.tranche_id WHERE y.project_id = %s "
            "AND y.state NOT IN ('returned', 'void') ORDER BY t.number",
            project_id,
        )
        return [row[0] for row in rows]

    def enter_payee(self, project_id: UUID, *, verified: bool = True) -> UUID:
        """The account the project is paid to, entered by the applicant and verified by finance."""
        payee_id = self.take(
            "applicant",
            "payee.enter",
            project_id,
            account_name="示例单位",
            account_no="6222000011112222",
            bank_name="示例银行",
            **({"account_kind": "cn", "bank_code": "102100099996"} if self.programme.payees.kinds else {}),
        ).subject_id
        if verified:
            self.take(self.who("finance_officer", 3), "payee.verify", payee_id)
        return payee_id

    def make_payable(self, payment_id: UUID) -> None:
        """Open every gate of the payment: funds, payee, reviews, contribution, spending, milestone."""
        project_id, milestone_id, tranche = self.rows(
            "SELECT y.project_id, y.milestone_id, t.code FROM payment y "
            "JOIN tranche t ON t.id = y.tranche_id WHERE y.id = %s",
            payment_id,
        )[0]
        gates = next(t for t in self.programme.tranches if t.code == tranche).gates
        settings = self.programme.gate_settings
        self.vote()
        payee, award, own, done = self.rows(
            "SELECT payee_id, award_minor, own_contribution_minor, reviews_done FROM project WHERE id = %s",
            project_id,
        )[0]
        if payee is None:
            self.enter_payee(project_id)
        for kind in settings.required_reviews:
            if "required_reviews_done" in gates and kind not in done:
                self.take("counsel", "project.record_review", project_id, kind=kind, opinion="示例意见")
        need = -int(-award * settings.own_contribution_ratio // 1)
        if "own_contribution_evidenced" in gates and own < need:
            given = {"amount_minor": need - own, "evidence": "示例凭证"}
            self.take("finance_officer", "project.evidence_contribution", project_id, **given)
        if "previous_tranche_spent" in gates:
            self._spend_before(project_id, payment_id)
        if milestone_id is not None and "milestone_accepted" in gates:
            self.bring_milestone_to(milestone_id, "accepted")
        if "acceptance_passed" in gates:
            self.bring_to(project_id, "closure")

    def _spend_before(self, project_id: UUID, payment_id: UUID) -> None:
        number = self.value(
            "SELECT t.number FROM payment y JOIN tranche t ON t.id = y.tranche_id WHERE y.id = %s", payment_id
        )
        for before in self.payments(project_id):
            other, paid, spent = self.rows(
                "SELECT t.number, t.paid_minor, t.spent_minor FROM payment y JOIN tranche t "
                "ON t.id = y.tranche_id WHERE y.id = %s",
                before,
            )[0]
            if other >= number:
                return
            if paid == 0:
                self.pay(before, "settled")
            if spent == 0:
                sum_minor = self.value(
                    "SELECT paid_minor FROM tranche WHERE project_id = %s AND number = %s", project_id, other
                )
                given = {"tranche": other, "spent_minor": sum_minor}
                self.take("applicant", "project.report_spending", project_id, **given)

    def pay(self, payment_id: UUID, state: str) -> None:
        """Bring a payment to a state: due, requested, approved, released, instructed, settled, returned…

        Three finance officers share the duties, a fourth verified the payee.
        """
        ladder = [*TO_RELEASED, "instructed"]
        goal = ladder.index(state) if state in ladder else ladder.index("instructed")
        if state == "void":
            self.take(self.who("finance_officer", 0), "payment.void", payment_id, reason="示例", again=False)
            return
        now = self.value("SELECT state FROM payment WHERE id = %s", payment_id)
        if now == "planned" and goal > 0:
            self.make_payable(payment_id)
            now = self.value("SELECT state FROM payment WHERE id = %s", payment_id)
        while now in ladder and ladder.index(now) < goal:
            now = _PAYMENT_MOVES[now](self, payment_id).state
        reference = f"SIM-{str(payment_id)[:8]}"
        if state == "settled" and now in ("instructed", "unknown"):
            self.take("system", "payment.settle", payment_id, reference=reference)
        elif state == "returned" and now in ("instructed", "unknown"):
            reason = {"reference": reference, "reason": "账号户名不符"}
            self.take("system", "payment.bank_return", payment_id, **reason)
        elif state == "unknown" and now == "instructed":
            self.take("system", "payment.lose", payment_id, note="示例：银行无回音")

    def _approve_payment(self, payment_id: UUID) -> Receipt:
        """One more of the approvals that its sum asks for, by somebody who has none of its duties."""
        amount = self.value("SELECT amount_minor FROM payment WHERE id = %s", payment_id)
        roles = self.rows("SELECT role FROM duty WHERE payment_id = %s AND duty = 'approver'", payment_id)
        given = Counter(role for (role,) in roles)
        missing = still_missing(approvals_needed(self.programme, amount), given)
        role = next(iter(missing))
        # The first finance officer requests, the third releases.
        turn = (1, 3)[given[role]] if role == "finance_officer" else given[role]
        return self.take(self.who(role, turn), "payment.approve", payment_id)


_MOVES: dict[str, Callable[[Office, UUID], object]] = {
    "application": Office.submit,
    "completeness_check": lambda o, p: o.take("programme_officer", "project.pass_completeness", p),
    "eligibility_check": Office._confirm_eligibility,
    "remote_review": Office.review,
    "panel_review": Office.review,
    "public_defence": lambda o, p: o.take(
        "programme_officer", "project.record_public_defence", p, reason="示例"
    ),
    "site_visit": lambda o, p: o.take("programme_officer", "project.record_site_visit", p, reason="示例"),
    "interagency_consultation": lambda o, p: o.take(
        "programme_officer", "project.record_interagency_consultation", p, reason="示例"
    ),
    "public_notice": Office._notice,
    "approval": lambda o, p: o.take("programme_officer", "project.approve", p),
    "task_agreement": Office._agreement,
    "implementation": Office._implementation,
    "acceptance": Office._acceptance,
    "closure": Office._closure,
    "closed_passed": lambda o, p: o.take("programme_officer", "project.archive", p),
}

_PAYMENT_MOVES: dict[str, Callable[[Office, UUID], Receipt]] = {
    "planned": lambda o, y: o.take("system", "payment.fall_due", y),
    "due": lambda o, y: o.take(o.who("finance_officer", 0), "payment.request", y),
    "requested": Office._approve_payment,
    "approved": lambda o, y: o.take(o.who("finance_officer", 2), "payment.release", y),
    "released": lambda o, y: o.take("system", "payment.instruct", y),
}
