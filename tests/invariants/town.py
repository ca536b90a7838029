"""A town with people in every role and projects walked step by step: what the tests of promises act on.

Everything here goes through ``perform``. ``Town.stand`` brings a subject of any noun to any of its states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5

from config.programme_files import load_programme
from milepost.actions import SYSTEM, Actor, Order, Receipt, perform
from milepost.clock import SimulatedClock
from milepost.db import Database, Session
from milepost.programmes import Published, ensure_system, publish
from tests.invariants import town_bank, town_budget, town_claims, town_duties, town_receivable, town_review

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "config" / "programmes").glob("*.toml"))
START = date(2025, 3, 3)
ROLES = {
    "unit": "applicant",
    "lead": "principal_investigator",
    "officer": "programme_officer",
    "officer2": "programme_officer",
    "judge": "evaluator",
    "judge2": "evaluator",
    **{f"finance{n}": "finance_officer" for n in range(1, 9)},
    **{f"expert{n}": "expert" for n in range(1, 9)},
    "supervisor": "supervisor",
    "counsel": "counsel",
    "admin": "administrator",
    "nobody": "",
}
MILESTONES = [
    {"number": 1, "title": "Prototype", "amount_minor": 400_000, "due_on": "2025-06-01"},
    {"number": 2, "title": "Field test", "amount_minor": 600_000, "due_on": "2025-09-01"},
]
REQUESTED = 1_000_000


def programme_text(name: str = "city-milestone-subsidy", **changes: str) -> str:
    """A shipped programme's file, with some of its lines replaced by others."""
    text = (ROOT / "config" / "programmes" / f"{name}.toml").read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in {name}"
        text = text.replace(old, new)
    return text


class Town:
    """One database with people and a programme; ``take`` is ``perform`` under request ids of its own."""

    def __init__(self, database: Database, clock: SimulatedClock, *, programme: str | None = None) -> None:
        self.database = database
        self.clock = clock
        self.people: dict[str, Actor] = {name: Actor(person_id(name), fresh=True) for name in ROLES}
        self.people["system"] = SYSTEM
        self._held: AbstractContextManager[Session] = database.session()
        self.session: Session = self._held.__enter__()
        self.begin_again()
        self._found()
        self.programme = self.publish(programme or programme_text())

    def begin_again(self) -> None:
        """Go on counting where the database stopped: it may be a copy of another, or put back."""
        self._requests = int(self.one("SELECT count(*) FROM event"))
        self._codes = int(self.one("SELECT count(*) FROM project"))

    def close(self) -> None:
        """Give the connection back."""
        self._held.__exit__(None, None, None)

    def __enter__(self) -> Town:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def _found(self) -> None:
        conn = self.session.conn
        ensure_system(conn)
        for name, role in ROLES.items():
            conn.execute(
                "INSERT INTO person (id, login, name, email, locale, active) "
                "VALUES (%s, %s, %s, %s, 'zh', true) ON CONFLICT DO NOTHING",
                (person_id(name), name, name, f"{name}@example.org"),
            )
            if role:
                self.grant(name, role)

    def grant(self, name: str, role: str, office: str = "/", *, project: UUID | None = None) -> UUID:
        """Give a person a role for an office and all below it, or for one project."""
        id = uuid5(NAMESPACE_DNS, f"grant:{name}:{role}:{project or office}")
        self.session.conn.execute(
            "INSERT INTO role_grant (id, person_id, role, office_path, project_id, granted_at) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (id, person_id(name), role, None if project else office, project, self.clock.now()),
        )
        return id

    def drawing(self) -> Published:
        """A programme like the town's that draws its panels."""
        return self.publish(town_review.drawing_text(programme_text()))

    def claiming(self) -> Published:
        """A lean programme whose grantees claim costs."""
        return self.publish(town_claims.claiming_text(programme_text("small-grants")))

    def publish(self, text: str) -> Published:
        """Publish a programme's text."""
        loaded, owner = load_programme(text, name="town"), self.database.owner_url
        return publish(self.session.conn, loaded, self.clock, owner_url=owner)

    # Steps ------------------------------------------------------------------------------------------------

    def next_request(self) -> str:
        """A request id that was not used yet."""
        self._requests += 1
        return f"town-{self._requests}"

    def take(self, who: str, step: str, subject: UUID | None, **input: Any) -> Receipt:
        """Perform a step as somebody."""
        return perform(self.session, self.people[who], step, subject, input, self.next_request())

    def order(self, step: str, subject: UUID, **input: Any) -> Order:
        """An order for ``perform_many``."""
        return Order(step, subject, input, self.next_request())

    def one(self, sql: str, *params: Any) -> Any:
        """The first column of the first row."""
        row = self.session.conn.execute(sql, params).fetchone()
        return row[0] if row else None

    def all(self, sql: str, *params: Any) -> list[Any]:
        """Every row."""
        return self.session.conn.execute(sql, params).fetchall()

    # Money and applications ---------------------------------------------------------------------------------

    def vote(
        self, amount: int = 100_000_000, *, year: int = 2025, programme: Published | None = None
    ) -> UUID:
        """The year's appropriation, proposed by one and confirmed by another."""
        chosen = programme or self.programme
        proposed = self.take(
            "finance8",
            "appropriation.propose",
            None,
            programme_id=str(chosen.id),
            fiscal_year=year,
            currency="CNY",
            amount_minor=amount,
        ).subject_id
        return self.take("finance7", "appropriation.vote", proposed).subject_id

    def apply(self, *, programme: Published | None = None, requested: int = REQUESTED, **more: Any) -> UUID:
        """An application with two milestones that make up the sum."""
        chosen = programme or self.programme
        self._codes += 1
        plan: list[Mapping[str, Any]] = []
        if chosen.compiled.programme.milestones.from_application:
            first = requested * 2 // 5
            plan = [
                {**MILESTONES[0], "amount_minor": first},
                {**MILESTONES[1], "amount_minor": requested - first},
            ]
        given = {
            "code": f"P-{self._codes}",
            "title": "Glass",
            "programme_id": str(chosen.id),
            "office_path": "/city/",
            "unit_name": "Glass Works",
            "leader_name": "Li",
            "requested_minor": requested,
            "currency": "CNY",
            "plan": plan,
            **more,
        }
        return self.take("unit", "project.apply", None, **given).subject_id

    def advance(self, project: UUID, stage: str) -> None:
        """Take the project on, stage by stage, until it stands in ``stage``."""
        while (state := self.state("project", project)) != stage:
            _ADVANCE[state](self, project)

    def state(self, noun: str, id: UUID) -> str:
        """Where a subject stands."""
        return str(self.one(f'SELECT state FROM "{noun}" WHERE id = %s', id))

    def funded(self, *, programme: Published | None = None, requested: int = REQUESTED) -> UUID:
        """A project in implementation (or whatever follows the approval) with a verified payee."""
        project = self.apply(programme=programme, requested=requested)
        stages = (programme or self.programme).compiled.programme.stages
        self.advance(project, next(s for s in ("implementation", "acceptance", "closure") if s in stages))
        self.payee(project)
        self.take("counsel", "project.record_review", project, kind="legal", opinion="in order")
        return project

    def payee(self, project: UUID, *, editor: str = "finance7", number: str = "622200011122") -> UUID:
        """A payee entered by one and verified by another."""
        payee = self.take(
            editor,
            "payee.enter",
            project,
            account_name="Glass Works",
            account_no=number,
            bank_name="City Bank",
        ).subject_id
        self.take("finance6", "payee.verify", payee)
        return payee

    def milestones(self, project: UUID) -> list[UUID]:
        """The project's milestones by number."""
        return [
            r[0] for r in self.all("SELECT id FROM milestone WHERE project_id = %s ORDER BY number", project)
        ]

    def payments(self, project: UUID) -> list[UUID]:
        """The newest attempt of each tranche, by tranche."""
        rows = self.all(
            "SELECT DISTINCT ON (t.number) y.id FROM payment y JOIN tranche t ON t.id = y.tranche_id "
            "WHERE y.project_id = %s ORDER BY t.number, y.attempt DESC",
            project,
        )
        return [row[0] for row in rows]

    def accept(self, milestone: UUID) -> None:
        """Report a milestone and accept it."""
        self.take("unit", "milestone.report", milestone, report="built", deliverables=1)
        self.take("judge", "milestone.accept", milestone, opinion="works")

    def payment(self, state: str, *, project: UUID | None = None, tranche: int = 0) -> UUID:
        """A payment brought to a state."""
        of = project or self.funded()
        payment = self.payments(of)[tranche]
        if state != "planned":
            milestone = self.one("SELECT milestone_id FROM payment WHERE id = %s", payment)
            if milestone is not None and self.state("milestone", milestone) == "planned":
                self.accept(milestone)
        for who, step, input in _PAY[state]:
            self.take(who, step, payment, **input)
        return payment

    def stand(self, noun: str, state: str) -> UUID:
        """A new subject of a noun that stands in a state."""
        return _STAND[noun](self, state)


def person_id(name: str) -> UUID:
    """A person's id follows from the name, so that two towns hold the same people."""
    return uuid5(NAMESPACE_DNS, f"person:{name}")


# How a project gets from each stage to the next -------------------------------------------------------


def _pledge_and_submit(town: Town, project: UUID) -> None:
    town.take("unit", "project.sign_unit_pledge", project)
    town.take("lead", "project.sign_leader_pledge", project)
    town.take("unit", "project.submit", project)


def _eligible(town: Town, project: UUID) -> None:
    codes = [item.code for item in town.programme.compiled.programme.checklist]
    town.take("officer", "project.confirm_eligibility", project, met=codes)


def _reviewed(town: Town, project: UUID) -> None:
    review = town.programme.compiled.programme.review
    assert review is not None
    stage = town.state("project", project)
    round = town.take("officer", "round.open", project).subject_id
    for n in range(1, review.quorum + 1):
        task = town.take("officer", "task.invite", round, expert_id=str(person_id(f"expert{n}"))).subject_id
        town.take(f"expert{n}", "task.accept", task)
        town.take(f"expert{n}", "task.submit", task, scores={c.code: c.max for c in review.rubric})
    town.take("officer", "round.score", round)
    town.take("officer", "round.decide", round)
    town.take("officer", f"project.conclude_{stage}", project)


def _noticed(town: Town, project: UUID) -> None:
    notice = town.take("officer", "notice.publish", project).subject_id
    closes: date = town.one("SELECT closes_on FROM notice WHERE id = %s", notice)
    before = town.clock.now()
    town.clock.set(date.fromordinal(closes.toordinal() + 1))
    town.take("system", "notice.end", notice)
    town.take("officer", "project.conclude_notice", project)
    if before > town.clock.now():
        town.clock.set(before)


def _agreed(town: Town, project: UUID) -> None:
    town.take("unit", "project.sign_agreement_as_grantee", project)
    town.take("officer", "project.sign_agreement", project)


def _implemented(town: Town, project: UUID) -> None:
    for milestone in town.milestones(project):
        if town.state("milestone", milestone) not in ("accepted", "waived", "rejected"):
            town.accept(milestone)
    town.take("officer", "project.complete_implementation", project)


def _passed(town: Town, project: UUID) -> None:
    town.take("officer", "project.record_acceptance", project, outcome="passed", opinion="good")


def _closed(town: Town, project: UUID) -> None:
    for payment in town.payments(project):
        if town.state("payment", payment) in ("planned", "due"):
            town.take("finance1", "payment.void", payment, reason="closing", again=False)
    town.take("officer", "project.close", project)


_ADVANCE: dict[str, Callable[[Town, UUID], None]] = {
    "application": _pledge_and_submit,
    "completeness_check": lambda town, p: void(town.take("officer", "project.pass_completeness", p)),
    "eligibility_check": _eligible,
    "remote_review": _reviewed,
    "panel_review": _reviewed,
    "public_notice": _noticed,
    "approval": lambda town, p: void(town.take("officer", "project.approve", p)),
    "task_agreement": _agreed,
    "implementation": _implemented,
    "acceptance": _passed,
    "closure": _closed,
    "closed_passed": lambda town, p: void(town.take("officer", "project.archive", p)),
}


def void(_: Receipt) -> None:
    """Throw a receipt away."""


# How a payment gets to each of its states -------------------------------------------------------------

Way = list[tuple[str, str, dict[str, Any]]]
_DUE: Way = [("system", "payment.fall_due", {})]
_REQUESTED: Way = [*_DUE, ("finance1", "payment.request", {})]
_APPROVED: Way = [*_REQUESTED, ("finance2", "payment.approve", {})]
_RELEASED: Way = [*_APPROVED, ("finance3", "payment.release", {})]
_INSTRUCTED: Way = [*_RELEASED, ("system", "payment.instruct", {})]
_PAY: dict[str, Way] = {
    "planned": [],
    "due": _DUE,
    "requested": _REQUESTED,
    "approved": _APPROVED,
    "released": _RELEASED,
    "instructed": _INSTRUCTED,
    "settled": [*_INSTRUCTED, ("system", "payment.settle", {"reference": "B1"})],
    "returned": [
        *_INSTRUCTED,
        ("system", "payment.bank_return", {"reference": "B2", "reason": "no such account"}),
    ],
    "unknown": [*_INSTRUCTED, ("system", "payment.lose", {})],
    "void": [*_DUE, ("finance1", "payment.void", {"reason": "wrong year"})],
}


# How every noun gets to each of its states ------------------------------------------------------------


def _project(town: Town, state: str) -> UUID:
    project = town.apply()
    if state == "lapsed":
        # The leader has a part in it: of what others lead they would hear nothing.
        town.take("lead", "project.sign_leader_pledge", project)
        before = town.clock.now()
        town.clock.set(date.fromordinal(town.clock.today().toordinal() + 60))
        town.take("system", "project.lapse_application", project)
        town.clock.set(before)
    elif state == "withdrawn":
        town.take("lead", "project.sign_leader_pledge", project)
        town.take("unit", "project.withdraw", project, reason="changed plans")
    elif state == "declined":
        town.advance(project, "completeness_check")
        town.take("officer", "project.decline", project, reason="out of scope")
    elif state in ("terminated", "revoked", "suspended"):
        town.advance(project, "implementation")
        verb = {"terminated": "terminate", "revoked": "revoke", "suspended": "suspend"}[state]
        town.take("officer", f"project.{verb}", project, reason="as decided")
    elif state in ("closed_without_pass", "closed_failed"):
        town.advance(project, "acceptance")
        outcome = "closed_without_pass" if state == "closed_without_pass" else "failed"
        town.take("officer", "project.record_acceptance", project, outcome=outcome, opinion="no")
        _closed(town, project)
    else:
        town.advance(project, state)
    return project


def _milestone(town: Town, state: str) -> UUID:
    milestone = town.milestones(town.funded())[0]
    if state == "due":
        town.take("system", "milestone.fall_due", milestone)
    elif state == "overdue":
        before = town.clock.now()
        town.clock.set(date(2025, 7, 1))
        town.take("system", "milestone.fall_overdue", milestone)
        town.clock.set(before)
    elif state == "waived":
        town.take("officer", "milestone.waive", milestone, reason="merged")
    elif state != "planned":
        town.take("unit", "milestone.report", milestone, report="built")
        if state != "reported":
            verb = {"returned": "return", "accepted": "accept", "rejected": "reject"}[state]
            said = {"reason": "more"} if state == "returned" else {"opinion": "seen"}
            town.take("judge", f"milestone.{verb}", milestone, **said)
    return milestone


def _payee(town: Town, state: str) -> UUID:
    project = town.apply()
    entry = {"account_name": "Glass Works", "account_no": "622200011122", "bank_name": "City Bank"}
    payee = town.take("finance7", "payee.enter", project, **entry).subject_id
    if state == "rejected":
        town.take("finance6", "payee.reject", payee, reason="no such account")
    elif state != "entered":
        town.take("finance6", "payee.verify", payee)
        if state == "superseded":
            town.payee(project, number="622200099999")
    return payee


def _round(town: Town, state: str) -> UUID:
    project = town.apply()
    town.advance(project, "remote_review")
    round = town.take("officer", "round.open", project).subject_id
    review = town.programme.compiled.programme.review
    assert review is not None
    if state == "open":
        return round
    for n in range(1, review.quorum + 1):
        task = town.take("officer", "task.invite", round, expert_id=str(person_id(f"expert{n}"))).subject_id
        town.take(f"expert{n}", "task.accept", task)
        town.take(f"expert{n}", "task.submit", task, scores={c.code: c.max for c in review.rubric})
    for verb, reached in (("score", "scored"), ("decide", "decided")):
        if state in (reached, "decided"):
            town.take("officer", f"round.{verb}", round)
    return round


def _task(town: Town, state: str) -> UUID:
    round = _round(town, "open")
    task = town.take("officer", "task.invite", round, expert_id=str(person_id("expert1"))).subject_id
    review = town.programme.compiled.programme.review
    assert review is not None
    if state in ("accepted", "submitted"):
        town.take("expert1", "task.accept", task)
    if state == "submitted":
        town.take("expert1", "task.submit", task, scores={c.code: c.max for c in review.rubric})
    elif state == "declined":
        town.take("expert1", "task.decline", task, reason="no time")
    elif state == "recused":
        town.take("expert1", "task.recuse", task, reason="a friend's project")
    elif state == "replaced":
        town.take("officer", "task.replace", task, reason="no answer")
    elif state == "taken_away":
        town.take("system", "task.take_away", task, reason="kin")
    elif state == "late":
        before = town.clock.now()
        town.clock.set(date.fromordinal(town.clock.today().toordinal() + 60))
        town.take("system", "task.fall_late", task)
        town.clock.set(before)
    return task


def _notice(town: Town, state: str) -> UUID:
    project = town.apply()
    town.advance(project, "public_notice")
    notice = town.take("officer", "notice.publish", project).subject_id
    if state == "withdrawn":
        town.take("officer", "notice.withdraw", notice, reason="a mistake")
    elif state == "ended":
        before = town.clock.now()
        town.clock.set(date.fromordinal(town.clock.today().toordinal() + 30))
        town.take("system", "notice.end", notice)
        town.clock.set(before)
    return notice


def _objection(town: Town, state: str) -> UUID:
    said = {"objector": "Wang", "contact": "555", "grounds": "copied"}
    objection = town.take("officer", "objection.file", _notice(town, "open"), **said).subject_id
    if state != "filed":
        verb = {"upheld": "uphold", "dismissed": "dismiss"}[state]
        town.take("officer", f"objection.{verb}", objection, answer="examined")
    return objection


def _call(town: Town, state: str) -> UUID:
    today = town.clock.today()
    window = {"opens_on": today.isoformat(), "closes_on": today.replace(month=12).isoformat()}
    call = town.take(
        "officer", "call.announce", None, programme_id=str(town.programme.id), title="Spring", **window
    ).subject_id
    if state == "open":
        town.take("system", "call.open", call)
    elif state == "closed":
        town.take("officer", "call.close", call)
    return call


_STAND: dict[str, Callable[[Town, str], UUID]] = {
    "project": _project,
    "milestone": _milestone,
    "payment": lambda town, state: town.payment(state),
    "payee": _payee,
    "receivable": town_receivable.receivable,
    "round": _round,
    "task": _task,
    "notice": _notice,
    "objection": _objection,
    "review_request": town_review.review_request,
    "claim": town_claims.claim,
    "call": _call,
    "draw": town_review.draw,
    "delegation": town_duties.delegation,
    "batch": town_bank.batch,
    "appropriation": town_budget.appropriation,
    "budget_change": town_budget.change,
    "bank_exception": town_bank.bank_exception,
    "bank_intake": town_bank.bank_intake,
}
