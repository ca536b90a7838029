"""What an application says of its subject and its people, where experts review it."""

from __future__ import annotations

from config.programmes import Programme
from schema.inputs import AmendTeam, Describe
from states.case import Case, Change
from states.step import SAME, Notify, Step, words

GRANTEE = ("applicant", "principal_investigator")
BEFORE_AGREEMENT = (
    "completeness_check",
    "eligibility_check",
    "remote_review",
    "panel_review",
    "public_defence",
    "site_visit",
    "interagency_consultation",
    "public_notice",
    "approval",
)


def _describe(case: Case) -> Change:
    given: Describe = case.input
    row = {
        "project_id": case.subject_id,
        "summary": given.summary,
        "region": case.here["office_path"],
        "fields": list(given.fields),
        "team": [member.model_dump(mode="json") for member in given.team],
        "unsuitable": [expert.model_dump(mode="json") for expert in given.unsuitable],
    }
    if case.facts["dossier"]:
        return Change(update=[("dossier", case.subject_id, row)])
    return Change(insert=[("dossier", {"id": case.subject_id, **row})])


def _amend_team(case: Case) -> Change:
    team = [member.model_dump(mode="json") for member in case.input.team]
    return Change(update=[("dossier", case.subject_id, {"team": team})])


def described(programme: Programme, here: tuple[str, ...]) -> tuple[Step, ...]:
    """Where experts review, the application says what they need to be found, and kept away, by."""
    if programme.review is None:
        return ()
    under_review = tuple(s for s in programme.stages if s in BEFORE_AGREEMENT)
    return (
        Step(
            "project.describe",
            here,
            SAME,
            words("填写摘要、学科与项目组", "Describe the application"),
            input=Describe,
            guards=("unsuitable_few",),
            needs=("dossier",),
            effect=_describe,
        ),
        Step(
            "project.amend_team",
            under_review,
            SAME,
            words("变更项目组", "Amend the team"),
            input=AmendTeam,
            guards=("application_described",),
            effect=_amend_team,
            notify=(Notify("team_amended", GRANTEE),),
        ),
    )


__all__ = ["described"]
