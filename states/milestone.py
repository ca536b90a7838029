"""The steps of a milestone: planned, due, overdue, reported, returned, accepted, rejected, waived."""

from __future__ import annotations

from schema.inputs import (
    AssignEvaluator,
    MilestoneDecision,
    MilestoneReport,
    NewDueDay,
    PlanMilestone,
    Reason,
)
from states.case import Case, Change
from states.step import SAME, Notify, Step, words

OPEN = ("planned", "due", "overdue", "returned")
GRANTEE = ("applicant", "principal_investigator")


def _plan(case: Case) -> Change:
    given: PlanMilestone = case.input
    return Change(
        set={
            "project_id": case.of["id"],
            "number": given.number,
            "title": given.title,
            "amount_minor": given.amount_minor,
            "due_on": given.due_on,
            "evaluator_id": given.evaluator_id,
        }
    )


def _report(case: Case) -> Change:
    given: MilestoneReport = case.input
    return Change(
        set={
            "report": given.report,
            "deliverables": given.deliverables,
            "documents": list(given.documents),
            "reported_on": case.today,
        }
    )


def _decide(case: Case) -> Change:
    given: MilestoneDecision = case.input
    return Change(
        set={
            "opinion": given.opinion,
            "deliverables_accepted": given.deliverables_accepted,
            "decided_on": case.today,
        }
    )


def _return(case: Case) -> Change:
    return Change(set={"opinion": case.input.reason})


def _assign(case: Case) -> Change:
    return Change(set={"evaluator_id": case.input.evaluator_id})


def _extend(case: Case) -> Change:
    return Change(set={"due_on": case.input.due_on})


STEPS: tuple[Step, ...] = (
    Step("milestone.plan", (), "planned", words("列入计划", "Plan"), input=PlanMilestone, effect=_plan),
    Step("milestone.fall_due", ("planned",), "due", words("到期提醒", "Fall due")),
    Step(
        "milestone.fall_overdue",
        ("planned", "due"),
        "overdue",
        words("逾期", "Fall overdue"),
        guards=("project_not_suspended", "deadline_passed"),
        notify=(Notify("milestone_overdue", (*GRANTEE, "programme_officer")),),
    ),
    Step(
        "milestone.report",
        OPEN,
        "reported",
        words("提交里程碑报告", "Hand in the report"),
        guards=("project_not_suspended", "documents_handed_in"),
        input=MilestoneReport,
        effect=_report,
        notify=(Notify("milestone_reported", ("programme_officer", "evaluator")),),
    ),
    Step(
        "milestone.return",
        ("reported",),
        "returned",
        words("退回修改", "Return for revision"),
        guards=("project_not_suspended", "evaluator_is_the_one"),
        input=Reason,
        effect=_return,
        notify=(Notify("milestone_returned", GRANTEE),),
    ),
    Step(
        "milestone.accept",
        ("reported",),
        "accepted",
        words("通过里程碑", "Accept"),
        guards=("project_not_suspended", "evaluator_is_the_one"),
        input=MilestoneDecision,
        effect=_decide,
        notify=(Notify("milestone_accepted", GRANTEE),),
    ),
    Step(
        "milestone.reject",
        ("reported",),
        "rejected",
        words("不通过里程碑", "Reject"),
        guards=("project_not_suspended", "evaluator_is_the_one"),
        input=MilestoneDecision,
        effect=_decide,
        notify=(Notify("milestone_rejected", GRANTEE),),
    ),
    Step(
        "milestone.waive",
        (*OPEN, "reported"),
        "waived",
        words("免除里程碑", "Waive"),
        input=Reason,
        effect=_return,
        notify=(Notify("milestone_waived", GRANTEE),),
    ),
    Step(
        "milestone.extend",
        ("planned", "due", "overdue"),
        "planned",
        words("延期", "Extend"),
        guards=("project_not_suspended", "due_day_later"),
        input=NewDueDay,
        effect=_extend,
        notify=(Notify("milestone_extended", GRANTEE),),
    ),
    Step(
        "milestone.assign",
        (*OPEN, "reported"),
        SAME,
        words("指定评价人", "Assign the evaluator"),
        guards=("assignee_evaluates",),
        input=AssignEvaluator,
        effect=_assign,
    ),
)
