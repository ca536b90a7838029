"""The steps of a request to review a decision (复审): filed within days, answered within sixty."""

from __future__ import annotations

from schema.inputs import Answer, FileReviewRequest
from states.case import Case, Change
from states.step import Notify, Step, words

GRANTEE = ("applicant", "principal_investigator")


def _file(case: Case) -> Change:
    given: FileReviewRequest = case.input
    return Change(set={"project_id": case.of["id"], **given.model_dump()})


def _answer(case: Case) -> Change:
    return Change(set={"answer": case.input.answer})


STEPS: tuple[Step, ...] = (
    Step(
        "review_request.file",
        (),
        "filed",
        words("申请复审", "Request a review"),
        input=FileReviewRequest,
        guards=("project_declined", "request_in_time", "ground_can_be_reviewed", "no_request_open"),
        effect=_file,
        notify=(Notify("review_request_filed", ("programme_officer", "supervisor")),),
    ),
    Step(
        "review_request.uphold",
        ("filed",),
        "upheld",
        words("复审请求成立", "Uphold the request"),
        input=Answer,
        guards=("review_not_closed",),
        effect=_answer,
        notify=(Notify("review_request_upheld", GRANTEE),),
    ),
    Step(
        "review_request.dismiss",
        ("filed",),
        "dismissed",
        words("驳回复审请求", "Dismiss the request"),
        input=Answer,
        guards=("review_not_closed",),
        effect=_answer,
        notify=(Notify("review_request_dismissed", GRANTEE),),
    ),
)
