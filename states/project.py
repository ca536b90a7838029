"""The project's table of steps: its programme's stages in order, and what can happen beside them."""

from __future__ import annotations

from config.programmes import Programme
from schema.inputs import Contribute, LiftHold, PlaceHold, Reason, RecordReview, ReportSpending
from states.case import Case, Change, Follow
from states.claims import budgeted
from states.proofs import proof_steps
from states.stages import GRANTEE, STAGES
from states.step import SAME, Effect, Notify, Step, words

ENDED = ("lapsed", "declined", "withdrawn", "terminated", "revoked")
FUNDED = ("implementation", "acceptance", "closure")


def _place(kind: str, column: str) -> Effect:
    def place(case: Case) -> Change:
        row = {
            "id": case.new_id(kind),
            "project_id": case.subject_id,
            "kind": kind,
            "reason": case.input.reason,
            "placed_by": case.actor_id,
            "placed_at": case.now,
        }
        return Change(set={column: case.here[column] + 1}, insert=[("hold", row)])

    return place


def _lift(column: str) -> Effect:
    def lift(case: Case) -> Change:
        lifted = {"lifted_by": case.actor_id, "lifted_at": case.now}
        return Change(set={column: case.here[column] - 1}, update=[("hold", case.input.hold_id, lifted)])

    return lift


def _contribute(case: Case) -> Change:
    row = {
        "id": case.new_id("contribution"),
        "project_id": case.subject_id,
        "amount_minor": case.input.amount_minor,
        "currency": case.here["currency"],
        "evidence": case.input.evidence,
        "verified_by": case.actor_id,
        "verified_at": case.now,
    }
    total = case.here["own_contribution_minor"] + case.input.amount_minor
    return Change(set={"own_contribution_minor": total}, insert=[("contribution", row)])


def _spend(case: Case) -> Change:
    tranche = next(t for t in case.facts["tranches"] if t["number"] == case.input.tranche)
    return Change(update=[("tranche", tranche["id"], {"spent_minor": case.input.spent_minor})])


def _reviewed(case: Case) -> Change:
    kinds = sorted({*case.here["reviews_done"], case.input.kind})
    return Change(set={"reviews_done": kinds})


def _suspend(case: Case) -> Change:
    return Change(set={"suspended_from": case.state})


def _where_it_was(case: Case) -> str:
    return str(case.here["suspended_from"])


def _decline(case: Case) -> Change:
    """Where it stood is kept: a request for review that is upheld brings it back there."""
    return Change(set={"suspended_from": case.state})


def _resume(case: Case) -> Change:
    return Change(set={"suspended_from": None})


def _stop(case: Case) -> Change:
    """Neither a payment that the bank does not have yet nor an open milestone survives its project."""
    reason = {"reason": case.input.reason}
    payments = [
        Follow("payment.void", payment["id"], {**reason, "again": False})
        for payment in case.facts["payments"]
        if payment["state"] in ("planned", "due", "requested", "approved", "released")
    ]
    milestones = [
        Follow("milestone.waive", milestone["id"], reason)
        for milestone in case.facts["milestones"]
        if milestone["state"] not in ("accepted", "rejected", "waived")
    ]
    return Change(follow=[*payments, *milestones])


def project_steps(programme: Programme) -> tuple[Step, ...]:
    """The rows of one programme version, stage by stage, then those beside the stages."""
    rows: list[Step] = []
    stages = programme.stages
    for stage, following in zip(stages, (*stages[1:], ""), strict=True):
        rows.extend(STAGES[stage].build(following, programme))
    before_funds = tuple(s for s in stages if s not in FUNDED)
    # A project waits for money from the agreement on; without one, from the approval.
    live = tuple(stages)
    funded = tuple(s for s in stages if s in FUNDED)
    after_application = tuple(s for s in before_funds if s not in ("application", "task_agreement"))
    rows += [
        Step(
            "project.withdraw",
            before_funds,
            "withdrawn",
            words("撤回申报", "Withdraw"),
            input=Reason,
            notify=(Notify("project_withdrawn", ("programme_officer",)),),
        ),
        Step(
            "project.suspend",
            live,
            "suspended",
            words("暂停", "Suspend"),
            input=Reason,
            effect=_suspend,
            notify=(Notify("project_suspended", GRANTEE),),
        ),
        Step(
            "project.resume",
            ("suspended",),
            live,
            words("恢复", "Resume"),
            input=Reason,
            choose=_where_it_was,
            effect=_resume,
            notify=(Notify("project_resumed", GRANTEE),),
        ),
        Step(
            "project.record_review",
            live,
            SAME,
            words("出具审查意见", "Record a required review"),
            input=RecordReview,
            effect=_reviewed,
        ),
    ]
    if after_application:
        rows.append(
            Step(
                "project.decline",
                after_application,
                "declined",
                words("不予立项", "Decline"),
                input=Reason,
                effect=_decline,
                notify=(Notify("project_declined", GRANTEE),),
            )
        )
        rows.append(
            Step(
                "project.reinstate",
                ("declined",),
                after_application,
                words("恢复办理", "Reinstate"),
                input=Reason,
                guards=("request_upheld",),
                choose=_where_it_was,
                effect=_resume,
                notify=(Notify("project_reinstated", GRANTEE),),
            )
        )
    stoppable = (*funded, "suspended")
    for verb, state, zh, en in (
        ("terminate", "terminated", "终止", "Terminate"),
        ("revoke", "revoked", "撤销", "Revoke"),
    ):
        rows.append(
            Step(
                f"project.{verb}",
                stoppable,
                state,
                words(zh, en),
                input=Reason,
                guards=("no_money_on_its_way",),
                needs=("payments", "milestones"),
                effect=_stop,
                notify=(Notify(f"project_{state}", (*GRANTEE, "finance_officer")),),
            )
        )
    rows += [
        Step(
            "project.place_hold",
            (*live, "suspended"),
            SAME,
            words("冻结拨付", "Place a hold"),
            input=PlaceHold,
            effect=_place("hold", "holds"),
            notify=(Notify("hold_placed", (*GRANTEE, "finance_officer")),),
        ),
        Step(
            "project.lift_hold",
            (*live, "suspended"),
            SAME,
            words("解除冻结", "Lift a hold"),
            input=LiftHold,
            guards=("hold_stands", "hold_of_another"),
            effect=_lift("holds"),
            notify=(Notify("hold_lifted", (*GRANTEE, "finance_officer")),),
        ),
        Step(
            "project.flag_integrity",
            (*live, "suspended"),
            SAME,
            words("标记失信", "Flag integrity"),
            input=PlaceHold,
            effect=_place("integrity", "integrity_flags"),
        ),
        Step(
            "project.clear_integrity",
            (*live, "suspended"),
            SAME,
            words("解除失信标记", "Clear an integrity flag"),
            input=LiftHold,
            guards=("integrity_hold_stands",),
            effect=_lift("integrity_flags"),
        ),
    ]
    if funded:
        rows += [
            Step(
                "project.evidence_contribution",
                funded,
                SAME,
                words("核实自筹到位", "Evidence own contribution"),
                input=Contribute,
                guards=("documents_handed_in",),
                effect=_contribute,
            ),
            Step(
                "project.report_spending",
                funded,
                SAME,
                words("填报支出", "Report spending"),
                input=ReportSpending,
                guards=("spending_plausible",),
                effect=_spend,
            ),
        ]
    rows += proof_steps(programme, (*funded, "suspended") if funded else ())
    rows += budgeted(programme, (*after_application, "application", *funded))
    return tuple(rows)
