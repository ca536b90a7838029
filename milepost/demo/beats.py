"""What happens in a made-up project, beat by beat: each is a day's work of somebody, days after the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from milepost.actions import Actor
from milepost.demo.office import Office
from milepost.demo.refunds import owe

ACCOUNTS = {"returned": "SIM622200009990", "unknown": "SIM622200009991", "instructed": "SIM622200009992"}
"""Accounts that the demo's bank turns down, loses its answer about, or takes its time with."""


@dataclass(slots=True)
class Tale:
    """One project's life so far: its office with its own applicant, its ids, what is special about it."""

    office: Office
    code: str
    title: str
    unit: str
    leader: str
    requested_minor: int
    call_id: UUID
    twist: str = ""
    project_id: UUID = field(default_factory=lambda: UUID(int=0))
    round_id: UUID = field(default_factory=lambda: UUID(int=0))
    tasks: list[UUID] = field(default_factory=list)
    notice_id: UUID = field(default_factory=lambda: UUID(int=0))

    def take(self, actor: Actor | str, step: str, **given: Any) -> None:
        """A step on the project itself."""
        self.office.take(actor, step, self.project_id, **given)

    def payment(self, number: int) -> UUID:
        """The live payment of a tranche."""
        id: UUID = self.office.value(
            "SELECT y.id FROM payment y JOIN tranche t ON t.id = y.tranche_id WHERE y.project_id = %s "
            "AND t.number = %s ORDER BY y.attempt DESC LIMIT 1",
            self.project_id,
            number,
        )
        return id


# Before the agreement -------------------------------------------------------------------------------------


def _apply(t: Tale) -> None:
    t.project_id = t.office.apply(
        t.code,
        requested_minor=t.requested_minor,
        title=t.title,
        unit_name=t.unit,
        leader_name=t.leader,
        call_id=str(t.call_id),
    )


def _eligibility(t: Tale) -> None:
    t.take(
        "programme_officer",
        "project.confirm_eligibility",
        met=[i.code for i in t.office.programme.checklist],
    )


def _review_open(t: Tale) -> None:
    # Every project asks its experts from another place in the list, so that all have something to do.
    shift = sum(t.code.encode()) % len(t.office.people["expert"])
    experts = t.office.people["expert"]
    t.round_id = t.office.take("programme_officer", "round.open", t.project_id).subject_id
    t.tasks = [
        t.office.take(
            "programme_officer",
            "task.invite",
            t.round_id,
            expert_id=str(experts[(shift + n) % len(experts)].id),
        ).subject_id
        for n in range(5)
    ]


def _expert_of(t: Tale, task_id: UUID) -> Actor:
    return Actor(t.office.value("SELECT expert_id FROM task WHERE id = %s", task_id), fresh=True)


def _review_accept(t: Tale) -> None:
    for task_id in t.tasks:
        t.office.take(_expert_of(t, task_id), "task.accept", task_id)


def _submit_reviews(t: Tale, some: list[UUID]) -> None:
    review = t.office.programme.review
    assert review is not None
    for n, task_id in enumerate(some):
        percent = 45 if t.twist == "declined" else 72 + (sum(t.code.encode()) + 5 * n) % 24
        scores = {c.code: c.max * percent // 100 for c in review.rubric}
        t.office.take(
            _expert_of(t, task_id), "task.submit", task_id, scores=scores, comment="示例评审意见（虚构）。"
        )


def _review_decide(t: Tale) -> None:
    t.office.take("programme_officer", "round.score", t.round_id)
    t.office.take("programme_officer", "round.decide", t.round_id)
    if t.twist == "declined":
        t.take("programme_officer", "project.decline", reason="评审未通过（示例）")
    else:
        t.take("programme_officer", "project.conclude_remote_review")


def _notice(t: Tale) -> None:
    t.notice_id = t.office.publish_notice(t.project_id)


def _objection(t: Tale) -> None:
    t.office.take(
        "programme_officer",
        "objection.file",
        t.notice_id,
        objector="示例异议人",
        contact="000-0000-0000",
        grounds="示例：认为申报材料有误。",
    )


# From the agreement on ------------------------------------------------------------------------------------


def _payee(t: Tale) -> None:
    t.office.take(
        "applicant",
        "payee.enter",
        t.project_id,
        account_name=t.unit,
        account_no=ACCOUNTS.get(t.twist, f"SIM6222{sum(t.code.encode()):04d}0001"),
        bank_name="示例银行",
    )


def _verify(t: Tale) -> None:
    payee_id = t.office.value("SELECT id FROM payee WHERE project_id = %s", t.project_id)
    t.office.take(t.office.who("finance_officer", 3), "payee.verify", payee_id)
    for kind in t.office.programme.gate_settings.required_reviews:
        t.take("counsel", "project.record_review", kind=kind, opinion="示例意见：无异议。")


def _report(number: int) -> Callable[[Tale], None]:
    def report(t: Tale) -> None:
        milestone_id = t.office.milestones(t.project_id)[number - 1]
        evaluator = t.office.who("evaluator", number % 2)
        t.office.take("programme_officer", "milestone.assign", milestone_id, evaluator_id=str(evaluator.id))
        t.office.take(
            "applicant", "milestone.report", milestone_id, report="示例里程碑报告。", deliverables=3
        )

    return report


def _accept(number: int) -> Callable[[Tale], None]:
    def accept(t: Tale) -> None:
        milestone_id = t.office.milestones(t.project_id)[number - 1]
        evaluator = t.office.who("evaluator", number % 2)
        t.office.take(
            evaluator, "milestone.accept", milestone_id, opinion="示例：达到要求。", deliverables_accepted=3
        )

    return accept


def _pay(step: str, number: int, finance: int) -> Callable[[Tale], None]:
    def pay(t: Tale) -> None:
        t.office.take(t.office.who("finance_officer", finance), step, t.payment(number))

    return pay


def _contribute(t: Tale) -> None:
    award = t.office.value("SELECT award_minor FROM project WHERE id = %s", t.project_id)
    need = int(award * t.office.programme.gate_settings.own_contribution_ratio)
    t.take("finance_officer", "project.evidence_contribution", amount_minor=need, evidence="示例凭证")


def _spend(t: Tale) -> None:
    paid = t.office.value("SELECT paid_minor FROM tranche WHERE project_id = %s AND number = 1", t.project_id)
    t.take("applicant", "project.report_spending", tranche=1, spent_minor=paid)


def _milestone_returned(t: Tale) -> None:
    milestone_id = t.office.milestones(t.project_id)[0]
    t.office.take(
        t.office.who("evaluator", 1), "milestone.return", milestone_id, reason="示例：请补充测试数据。"
    )


def _by(role: str, step: str, **given: Any) -> Callable[[Tale], None]:
    return lambda t: t.take(role, step, **given)


Beat = tuple[str, int, Callable[[Tale], None]]
OFFICER = "programme_officer"

BEFORE: tuple[Beat, ...] = (
    ("apply", 0, _apply),
    ("submit", 4, lambda t: t.office.submit(t.project_id)),
    ("completeness", 4, _by(OFFICER, "project.pass_completeness")),
    ("eligibility", 4, _eligibility),
    ("review_open", 2, _review_open),
    ("review_accept", 2, _review_accept),
    ("review_some", 9, lambda t: _submit_reviews(t, t.tasks[:3])),
    ("review_rest", 4, lambda t: _submit_reviews(t, t.tasks[3:])),
    ("review_decide", 2, _review_decide),
)
SITE_VISIT: Beat = ("site_visit", 6, _by(OFFICER, "project.record_site_visit", reason="现场情况属实（示例）"))
TO_AGREEMENT: tuple[Beat, ...] = (
    ("notice", 3, _notice),
    ("approve", 13, _by(OFFICER, "project.approve", document_no="示科〔示例〕1号")),
    ("grantee_sign", 5, _by("applicant", "project.sign_agreement_as_grantee")),
    ("sign", 3, _by(OFFICER, "project.sign_agreement")),
    ("payee", 2, _payee),
    ("verify", 3, _verify),
)


def _paid(number: int) -> tuple[Beat, ...]:
    return (
        (f"request_{number}", 2, _pay("payment.request", number, 0)),
        (f"approve_{number}", 1, _pay("payment.approve", number, 1)),
        (f"release_{number}", 1, _pay("payment.release", number, 2)),
    )


_ACCEPTANCE: Beat = (
    "acceptance",
    14,
    _by(OFFICER, "project.record_acceptance", outcome="passed", opinion="示例：通过验收。"),
)
_COMPLETE: Beat = ("complete", 20, _by(OFFICER, "project.complete_implementation"))
_END: tuple[Beat, ...] = (
    ("close", 5, _by(OFFICER, "project.close")),
    ("archive", 20, _by(OFFICER, "project.archive")),
)

COURSES: dict[str, tuple[Beat, ...]] = {
    "city-milestone-subsidy": (
        *BEFORE,
        *TO_AGREEMENT,
        ("report_1", 40, _report(1)),
        ("accept_1", 10, _accept(1)),
        *_paid(1),
        ("report_2", 40, _report(2)),
        ("accept_2", 10, _accept(2)),
        *_paid(2),
        _COMPLETE,
        _ACCEPTANCE,
        *_END,
    ),
    "city-pre-subsidy": (
        *BEFORE,
        SITE_VISIT,
        *TO_AGREEMENT,
        *_paid(1),
        ("contribute", 20, _contribute),
        ("spend", 40, _spend),
        _COMPLETE,
        _ACCEPTANCE,
        *_paid(2),
        *_END,
    ),
    "city-post-subsidy": (
        *BEFORE,
        *TO_AGREEMENT,
        ("contribute", 40, _contribute),
        _COMPLETE,
        _ACCEPTANCE,
        *_paid(1),
        *_END,
    ),
}
"""What a project of each programme goes through, and how many days after the beat before."""

# What may happen to a project once it has come as far as it is to come.
TWISTS: dict[str, Callable[[Tale], None]] = {
    "sent back": _by(OFFICER, "project.return_for_completion", reason="示例：缺少附件。"),
    "objection": _objection,
    "hold": _by("finance_officer", "project.place_hold", reason="示例：待核实发票。"),
    "integrity": _by("supervisor", "project.flag_integrity", reason="示例：信用核查中。"),
    "suspended": _by(OFFICER, "project.suspend", reason="示例：负责人变更中。"),
    "terminated": _by(OFFICER, "project.terminate", reason="示例：无法继续实施。"),
    "withdrawn": _by("applicant", "project.withdraw", reason="示例：申报单位撤回。"),
    "milestone returned": _milestone_returned,
    "owes": lambda t: owe(t.office, t.project_id, t.unit),
}
