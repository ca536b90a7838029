"""The first stage: an application is written, pledged for by unit and leader, and handed in, or lapses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from config.programmes import Programme
from schema.inputs import Apply, Revise
from states.case import Case, Change
from states.dossiers import described
from states.step import SAME, Notify, Step, words

GRANTEE = ("applicant", "principal_investigator")


def _plan_rows(plan: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [m.model_dump(mode="json") for m in plan]


def _apply(case: Case) -> Change:
    given: Apply = case.input
    row = given.model_dump(exclude={"plan"})
    return Change(
        set={
            **row,
            "programme_code": case.programme.code,
            "plan": _plan_rows(given.plan),
            "machine": case.facts["machine"],
        }
    )


def _revise(case: Case) -> Change:
    given: Revise = case.input
    return Change(set={**given.model_dump(exclude={"plan"}), "plan": _plan_rows(given.plan)})


def _pledge(signer: str) -> Callable[[Case], Change]:
    def sign(case: Case) -> Change:
        row = {
            "project_id": case.subject_id,
            "signer": signer,
            "person_id": case.actor_id,
            "signed_at": case.now,
        }
        return Change(set={f"pledged_{signer}": True}, insert=[("pledge", row)])

    return sign


def application(following: str, programme: Programme) -> tuple[Step, ...]:
    """The steps of an application, up to the stage that follows."""
    here = ("application",)
    return (
        Step(
            "project.apply",
            (),
            "application",
            words("新建申报", "Apply"),
            input=Apply,
            effect=_apply,
            needs=("machine",),
            guards=("currency_is_the_programmes", "plan_adds_up", "call_is_the_programmes"),
        ),
        Step(
            "project.revise",
            here,
            SAME,
            words("修改申报书", "Revise the application"),
            input=Revise,
            effect=_revise,
            guards=("plan_adds_up",),
        ),
        *described(programme, here),
        Step(
            "project.sign_unit_pledge",
            here,
            SAME,
            words("单位签署承诺书", "Sign the pledge for the unit"),
            guards=("unit_pledge_missing",),
            effect=_pledge("unit"),
        ),
        Step(
            "project.sign_leader_pledge",
            here,
            SAME,
            words("负责人签署承诺书", "Sign the pledge as leader"),
            guards=("leader_pledge_missing",),
            effect=_pledge("leader"),
        ),
        Step(
            "project.submit",
            here,
            following,
            words("提交申报", "Submit"),
            guards=("unit_pledged", "leader_pledged", "plan_present", "plan_adds_up", "call_open"),
            notify=(Notify("project_submitted", (*GRANTEE, "programme_officer")),),
        ),
        Step(
            "project.lapse_application",
            here,
            "lapsed",
            words("申报逾期失效", "The application lapses"),
            guards=("deadline_passed",),
            notify=(Notify("project_lapsed", GRANTEE),),
        ),
    )


__all__ = ["GRANTEE", "application"]
