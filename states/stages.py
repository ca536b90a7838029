"""The stages a programme can be composed of. A stage is a state of the project and the steps that leave it.

To add a stage: one entry in ``STAGES``; a programme then names it in its order. The steps are built with
the stage that follows, since what comes next is the programme's to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from config.programmes import Programme, Text
from schema.inputs import (
    AcceptanceOutcome,
    Approve,
    Checklist,
    Note,
    Reason,
)
from schema.money import Money
from states.application import GRANTEE, application
from states.case import Case, Change, Follow, account_id
from states.step import SAME, Notify, Step, words
from states.tranches import planned_milestones, planned_tranches

OFFICER = ("programme_officer",)
Build = Callable[[str, Programme], tuple[Step, ...]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: its label and how its steps are built, given the next stage's name."""

    name: str
    label: Text
    build: Build


# From the checks to the approval ------------------------------------------------------------------------


def _completeness(following: str, programme: Programme) -> tuple[Step, ...]:
    here = ("completeness_check",)
    return (
        Step(
            "project.pass_completeness",
            here,
            following,
            words("形式审查通过", "Pass the completeness check"),
            input=Note,
        ),
        Step(
            "project.return_for_completion",
            here,
            "application",
            words("退回补正", "Return for completion"),
            input=Reason,
            notify=(Notify("project_returned", GRANTEE),),
        ),
    )


def _confirm_eligibility(case: Case) -> Change:
    return Change(set={"checklist": {"met": list(case.input.met), "note": case.input.note}})


def _eligibility(following: str, programme: Programme) -> tuple[Step, ...]:
    return (
        Step(
            "project.confirm_eligibility",
            ("eligibility_check",),
            following,
            words("资格审查通过", "Confirm eligibility"),
            input=Checklist,
            guards=("checklist_confirmed",),
            effect=_confirm_eligibility,
        ),
    )


def _review(stage: str, zh: str, en: str) -> Build:
    def build(following: str, programme: Programme) -> tuple[Step, ...]:
        return (
            Step(
                f"project.conclude_{stage}",
                (stage,),
                following,
                words(zh, en),
                input=Note,
                guards=("review_not_closed", "review_passed"),
            ),
        )

    return build


def _record(stage: str, step: str, zh: str, en: str) -> Build:
    def build(following: str, programme: Programme) -> tuple[Step, ...]:
        return (Step(f"project.{step}", (stage,), following, words(zh, en), input=Reason),)

    return build


def _notice(following: str, programme: Programme) -> tuple[Step, ...]:
    return (
        Step(
            "project.conclude_notice",
            ("public_notice",),
            following,
            words("公示结束", "Conclude the notice"),
            guards=("notice_concluded",),
            notify=(Notify("notice_concluded", OFFICER),),
        ),
    )


def start_funding(case: Case, award_minor: int) -> Change:
    """What an award sets going: accounts with the award as ceiling, milestones, tranches, first attempts."""
    project, currency = case.here, case.here["currency"]
    change = Change()
    for kind in ("commitment", "payable", "paid"):
        ceiling = award_minor if kind == "commitment" else None
        row = {
            "id": account_id(kind, project["id"], currency),
            "kind": kind,
            "owner_id": project["id"],
            "currency": currency,
            "ceiling_minor": ceiling,
        }
        change.insert.append(("account", row))
    milestones = planned_milestones(case.programme, project["plan"], case.today)
    tranches = planned_tranches(case.programme, Money(award_minor, currency), milestones, case.today)
    sums = {t.milestone: t.amount_minor + t.retained_minor for t in tranches if t.milestone is not None}
    ids = {m["number"]: case.new_id(f"milestone:{m['number']}") for m in milestones}
    for milestone in milestones:
        row = {**milestone, "amount_minor": sums.get(milestone["number"], milestone["amount_minor"])}
        change.follow.append(Follow("milestone.plan", ids[milestone["number"]], row))
    before = None
    for tranche in tranches:
        id = case.new_id(f"tranche:{tranche.number}")
        milestone_id = ids.get(tranche.milestone) if tranche.milestone is not None else None
        row = {
            "id": id,
            "project_id": project["id"],
            "number": tranche.number,
            "code": tranche.code,
            "amount_minor": tranche.amount_minor,
            "currency": currency,
            "waits_for": tranche.waits_for,
            "milestone_id": milestone_id,
            "previous_id": before,
            "basis": tranche.basis,
            "retained_minor": tranche.retained_minor,
            "due_on": tranche.due_on,
        }
        change.insert.append(("tranche", row))
        plan = {
            "tranche_id": id,
            "attempt": 1,
            "amount_minor": tranche.amount_minor,
            "currency": currency,
            "milestone_id": milestone_id,
        }
        change.follow.append(Follow("payment.plan", case.new_id(f"payment:{id}:1"), plan))
        before = id
    return change


def _award(case: Case) -> int:
    """What was typed, else what the public read, else what was asked for."""
    return int(case.input.award_minor or case.facts["noticed_minor"] or case.here["requested_minor"])


def _approve(case: Case) -> Change:
    return Change(set={"award_minor": _award(case)})


def _approve_and_start(case: Case) -> Change:
    award = _award(case)
    change = start_funding(case, award)
    change.set = {"award_minor": award, "agreement_signed_on": case.today}
    return change


def _approval(following: str, programme: Programme) -> tuple[Step, ...]:
    effect = _approve if "task_agreement" in programme.stages else _approve_and_start
    return (
        Step(
            "project.approve",
            ("approval",),
            following,
            words("批准立项", "Approve"),
            input=Approve,
            guards=(
                "award_within_request",
                "award_within_notice",
                *(("award_fits_budget",) if programme.budget.fits_before_approval else ()),
            ),
            needs=("noticed_minor",),
            effect=effect,
            notify=(Notify("project_approved", (*GRANTEE, "finance_officer")),),
        ),
    )


# From the agreement to the closure --------------------------------------------------------------------------


def _sign_as_grantee(case: Case) -> Change:
    return Change(set={"grantee_signed_on": case.today})


def _sign(case: Case) -> Change:
    award = case.here["award_minor"] or case.here["requested_minor"]
    change = start_funding(case, award)
    change.set = {"award_minor": award, "agreement_signed_on": case.today}
    return change


def _agreement(following: str, programme: Programme) -> tuple[Step, ...]:
    here = ("task_agreement",)
    return (
        Step(
            "project.sign_agreement_as_grantee",
            here,
            SAME,
            words("承担单位签署任务书", "Sign the agreement as grantee"),
            guards=("grantee_not_signed",),
            effect=_sign_as_grantee,
            notify=(Notify("agreement_signed_by_grantee", OFFICER),),
        ),
        Step(
            "project.sign_agreement",
            here,
            following,
            words("签署任务书", "Sign the agreement"),
            guards=("grantee_signed",),
            effect=_sign,
            notify=(Notify("agreement_signed", (*GRANTEE, "finance_officer")),),
        ),
        Step(
            "project.lapse_agreement",
            here,
            "lapsed",
            words("逾期未签，视为放弃", "The award lapses unsigned"),
            guards=("deadline_passed",),
            notify=(Notify("agreement_lapsed", (*GRANTEE, "programme_officer")),),
        ),
    )


def _implementation(following: str, programme: Programme) -> tuple[Step, ...]:
    return (
        Step(
            "project.complete_implementation",
            ("implementation",),
            following,
            words("实施完成", "Complete the work"),
            input=Note,
            guards=("milestones_finished",),
            notify=(Notify("implementation_completed", GRANTEE),),
        ),
    )


def _accept(case: Case) -> Change:
    return Change(set={"acceptance_outcome": case.input.outcome})


def _rectify(case: Case) -> Change:
    return Change(set={"rectified": True})


def _acceptance(following: str, programme: Programme) -> tuple[Step, ...]:
    return (
        Step(
            "project.record_acceptance",
            ("acceptance",),
            following,
            words("作出验收结论", "Record the acceptance"),
            input=AcceptanceOutcome,
            guards=("milestones_finished",) if "implementation" not in programme.stages else (),
            effect=_accept,
            notify=(Notify("acceptance_recorded", GRANTEE),),
        ),
        Step(
            "project.require_rectification",
            ("acceptance",),
            SAME,
            words("要求整改", "Require rectification"),
            input=Reason,
            guards=("not_rectified",),
            effect=_rectify,
            notify=(Notify("rectification_required", GRANTEE),),
        ),
    )


CLOSED = ("closed_passed", "closed_without_pass", "closed_failed")


def _closing(case: Case) -> str:
    return {None: "closed_passed", "passed": "closed_passed"}.get(
        case.here["acceptance_outcome"],
        f"closed_{case.here['acceptance_outcome']}".replace("closed_closed", "closed"),
    )


def _closure(following: str, programme: Programme) -> tuple[Step, ...]:
    guards = ["acceptance_decided", "payments_finished"]
    if not {"implementation", "acceptance"} & set(programme.stages):
        guards.append("milestones_finished")
    if programme.claims is not None:
        guards.append("claims_finished")
    return (
        Step(
            "project.close",
            ("closure",),
            CLOSED,
            words("结项", "Close"),
            input=Note,
            guards=tuple(guards),
            choose=_closing,
            notify=(Notify("project_closed", GRANTEE),),
        ),
        Step("project.archive", CLOSED, "archived", words("归档", "Archive"), input=Note),
    )


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("application", words("申报", "Application"), application),
        Stage("completeness_check", words("形式审查", "Completeness check"), _completeness),
        Stage("eligibility_check", words("资格审查", "Eligibility check"), _eligibility),
        Stage(
            "remote_review",
            words("通讯评审", "Remote review"),
            _review("remote_review", "通讯评审结束", "Conclude the remote review"),
        ),
        Stage(
            "panel_review",
            words("会议评审", "Panel review"),
            _review("panel_review", "会议评审结束", "Conclude the panel review"),
        ),
        Stage(
            "public_defence",
            words("公开答辩", "Public defence"),
            _record("public_defence", "record_public_defence", "记录答辩结果", "Record the defence"),
        ),
        Stage(
            "site_visit",
            words("现场考察", "Site visit"),
            _record("site_visit", "record_site_visit", "记录考察结果", "Record the site visit"),
        ),
        Stage(
            "interagency_consultation",
            words("局际会商", "Inter-agency consultation"),
            _record(
                "interagency_consultation",
                "record_interagency_consultation",
                "记录会商结果",
                "Record the consultation",
            ),
        ),
        Stage("public_notice", words("公示", "Public notice"), _notice),
        Stage("approval", words("立项审批", "Approval"), _approval),
        Stage("task_agreement", words("签署任务书", "Task agreement"), _agreement),
        Stage("implementation", words("实施", "Implementation"), _implementation),
        Stage("acceptance", words("验收", "Acceptance"), _acceptance),
        Stage("closure", words("结项", "Closure"), _closure),
    )
}

__all__ = ["GRANTEE", "STAGES", "Stage", "start_funding"]
