"""The steps of a review round, of the tasks experts receive in it, of notices and of objections."""

from __future__ import annotations

from fractions import Fraction

from schema.inputs import (
    Answer,
    FileObjection,
    Invite,
    Note,
    OpenRound,
    PublishNotice,
    Reason,
    RecordVote,
    Scores,
)
from states.case import Case, Change, Follow
from states.step import SAME, Notify, Step, words

OFFICER = ("programme_officer",)
SCALE = 100_000  # a full score, in thousandths of a percent point


def _open(case: Case) -> Change:
    stage = case.of["state"]
    number = 1 + sum(1 for r in case.facts["rounds"] if r["stage"] == stage)
    return Change(set={"project_id": case.of["id"], "stage": stage, "number": number})


def weighted_score(case: Case, scores: dict[str, int]) -> int:
    """The weighted share of the full marks, in thousandths of a percent point, rounded down."""
    rubric = case.programme.review.rubric if case.programme.review else ()
    weights = sum(c.weight for c in rubric)
    total = sum((Fraction(scores[c.code] * c.weight, c.max) for c in rubric), Fraction(0))
    return int(total / weights * SCALE) if weights else 0


def counted(case: Case) -> list[int]:
    """The valid scores in order, the highest and the lowest left out where the programme says so."""
    scores = sorted(t["score_milli"] for t in case.facts["round_tasks"] if t["state"] == "submitted")
    limit = case.programme.review.drop_extremes_from if case.programme.review else 5
    return scores[1:-1] if len(scores) >= limit else scores


def raw_score(case: Case) -> int:
    """The mean of the counted scores, rounded down; there has to be one."""
    scores = counted(case)
    return sum(scores) // len(scores)


def _score(case: Case) -> Change:
    return Change(set={"score_milli": raw_score(case)})


PASS_MARK, BALLOT = "pass_mark", "ballot"


def failings(case: Case) -> list[str]:
    """What keeps the round from passing: the pass mark, the ballot, or criteria whose mean is too low."""
    review = case.programme.review
    if review is None:
        return []
    found: list[str] = []
    if case.here["score_milli"] < review.pass_mark * SCALE // 100:
        found.append(PASS_MARK)
    if ballot_due(case) and not carried(case):
        found.append(BALLOT)
    tasks = [t for t in case.facts["round_tasks"] if t["state"] == "submitted"]
    for criterion in review.rubric:
        total = sum(t["scores"][criterion.code] for t in tasks)
        if tasks and total < criterion.threshold * len(tasks):
            found.append(f"criterion:{criterion.code}")
    return found


def ballot_due(case: Case) -> bool:
    """Whether the panel of this round meets and votes."""
    review = case.programme.review
    return review is not None and review.ballot is not None and case.here["stage"] == "panel_review"


def carried(case: Case) -> bool:
    """Whether the last ballot was for the application: more than the share of those present that it takes."""
    votes = case.facts["votes"]
    ballot = case.programme.review.ballot if case.programme.review else None
    return bool(votes and ballot and votes[-1]["in_favour"] > ballot.more_than * votes[-1]["present"])


def _vote(case: Case) -> Change:
    given: RecordVote = case.input
    row = {
        "id": case.new_id("vote"),
        "project_id": case.of["id"],
        "round_id": case.subject_id,
        "recorded_by": case.actor_id,
        "recorded_at": case.now,
        **given.model_dump(),
    }
    return Change(insert=[("vote", row)])


def _decide(case: Case) -> Change:
    passed = not failings(case)
    outcomes = {**case.of["review_outcomes"], case.here["stage"]: passed}
    return Change(set={"passed": passed}, project={"review_outcomes": outcomes})


ROUND_STEPS: tuple[Step, ...] = (
    Step(
        "round.open",
        (),
        "open",
        words("组织评审", "Open a review round"),
        input=OpenRound,
        effect=_open,
        guards=("review_not_closed", "project_under_review", "no_round_undecided"),
    ),
    Step(
        "round.reach_quorum",
        ("open",),
        "quorum_reached",
        words("达到有效份数", "Reach the quorum"),
        notify=(Notify("quorum_reached", OFFICER),),
    ),
    Step(
        "round.score",
        ("open", "quorum_reached"),
        "scored",
        words("汇总评分", "Count the scores"),
        guards=(
            "review_not_closed",
            "quorum_reached",
        ),
        effect=_score,
    ),
    Step(
        "round.record_vote",
        ("open", "quorum_reached", "scored"),
        SAME,
        words("登记投票结果", "Record the ballot"),
        input=RecordVote,
        guards=("review_not_closed", "ballot_wanted", "ballot_counts"),
        effect=_vote,
    ),
    Step(
        "round.decide",
        ("scored",),
        "decided",
        words("确定评审结果", "Decide"),
        input=Note,
        guards=(
            "review_not_closed",
            "ballot_recorded",
        ),
        needs=("round_tasks", "votes"),
        effect=_decide,
    ),
)


def _invite(case: Case) -> Change:
    given: Invite = case.input
    row = {"project_id": case.of["id"], "round_id": case.facts["parent_id"], "expert_id": given.expert_id}
    reason = {"reason": "已更换专家 · replaced by another expert"}
    follow = [Follow("task.replace", given.replaces, reason)] if given.replaces else []
    return Change(set=row, follow=follow)


def _reason(case: Case) -> Change:
    return Change(set={"reason": case.input.reason})


def _reopen(case: Case) -> Change:
    """What was written stays for the expert to go on from; it counts again once it is submitted anew."""
    return Change(set={"reason": case.input.reason, "score_milli": None})


def _take_away(case: Case) -> Change:
    return Change(set={"reason": case.input.reason, "score_milli": None})


def _draft(case: Case) -> Change:
    return Change(set={"scores": case.input.scores, "comment": case.input.comment})


def _submit(case: Case) -> Change:
    change = _draft(case)
    change.set["score_milli"] = weighted_score(case, case.input.scores)
    review = case.programme.review
    have = 1 + sum(1 for t in case.facts["round_tasks"] if t["state"] == "submitted")
    if review is not None and have == review.quorum and case.facts["round_state"] == "open":
        change.follow.append(Follow("round.reach_quorum", case.here["round_id"]))
    return change


TASK_STEPS: tuple[Step, ...] = (
    Step(
        "task.invite",
        (),
        "invited",
        words("邀请专家", "Invite an expert"),
        input=Invite,
        effect=_invite,
        guards=(
            "review_not_closed",
            "round_still_open",
            "assignee_is_expert",
            "expert_not_in_round",
            "replaced_task_in_round",
            "invitee_fit",
            "invitee_without_conflict",
            "invitee_was_drawn",
        ),
        needs=("parent_id",),
        notify=(Notify("task_invited", ("expert",)),),
    ),
    Step(
        "task.accept",
        ("invited",),
        "accepted",
        words("接受评审", "Accept the task"),
        guards=("task_is_mine", "no_conflict"),
    ),
    Step(
        "task.decline",
        ("invited", "accepted", "late"),
        "declined",
        words("谢绝评审", "Decline the task"),
        guards=("task_is_mine",),
        input=Reason,
        effect=_reason,
        notify=(Notify("task_declined", OFFICER),),
    ),
    Step(
        "task.recuse",
        ("invited", "accepted", "late"),
        "recused",
        words("申请回避", "Recuse oneself"),
        guards=("task_is_mine",),
        input=Reason,
        effect=_reason,
        notify=(Notify("task_recused", OFFICER),),
    ),
    Step(
        "task.save_draft",
        ("accepted", "late"),
        SAME,
        words("保存草稿", "Save a draft"),
        guards=("task_is_mine", "no_conflict", "scores_in_range"),
        input=Scores,
        effect=_draft,
    ),
    Step(
        "task.submit",
        ("accepted", "late"),
        "submitted",
        words("提交评审", "Submit the review"),
        guards=("task_is_mine", "no_conflict", "round_not_scored", "scores_complete"),
        needs=("round_tasks", "round_state"),
        input=Scores,
        effect=_submit,
    ),
    Step(
        "task.fall_late",
        ("invited", "accepted"),
        "late",
        words("逾期未评", "Fall late"),
        guards=("deadline_passed",),
        notify=(Notify("task_late", ("expert", "programme_officer")),),
    ),
    Step(
        "task.reopen",
        ("submitted",),
        "accepted",
        words("退回修改评审", "Reopen the review"),
        input=Reason,
        guards=(
            "review_not_closed",
            "round_not_scored",
            "no_conflict",
        ),
        effect=_reopen,
        notify=(Notify("task_reopened", ("expert",)),),
    ),
    Step(
        "task.take_away",
        ("invited", "accepted", "late", "submitted"),
        "taken_away",
        words("收回评审任务", "Take the task away"),
        input=Reason,
        guards=("round_not_scored",),
        effect=_take_away,
        notify=(Notify("task_taken_away", ("expert", "programme_officer")),),
    ),
    Step(
        "task.replace",
        ("invited", "accepted", "declined", "recused", "late"),
        "replaced",
        words("更换专家", "Replace the expert"),
        guards=("review_not_closed",),
        input=Reason,
        effect=_reason,
    ),
)


def _publish(case: Case) -> Change:
    given: PublishNotice = case.input
    window = case.facts["notice_window"]
    row = {
        "project_id": case.of["id"],
        "issued_on": case.today,
        "opens_on": window["opens_on"],
        "closes_on": window["closes_on"],
        "proposed_minor": given.proposed_minor,
    }
    return Change(set=row, project={"notice_state": "open", "notice_closes_on": window["closes_on"]})


def _end(case: Case) -> Change:
    """An upheld objection outlasts the window: the project is declined, or noticed anew once amended."""
    return Change(project={} if case.of["notice_state"] == "upheld" else {"notice_state": "ended"})


def _withdraw(case: Case) -> Change:
    return Change(project={"notice_state": "withdrawn", "notice_closes_on": None})


def _file(case: Case) -> Change:
    given: FileObjection = case.input
    row = {"project_id": case.of["id"], "notice_id": case.facts["parent_id"], **given.model_dump()}
    return Change(set=row, project={"open_objections": case.of["open_objections"] + 1})


def _answer(case: Case) -> Change:
    return Change(
        set={"answer": case.input.answer}, project={"open_objections": case.of["open_objections"] - 1}
    )


def _uphold(case: Case) -> Change:
    change = _answer(case)
    change.project["notice_state"] = "upheld"
    return change


NOTICE_STEPS: tuple[Step, ...] = (
    Step(
        "notice.publish",
        (),
        "open",
        words("发布公示", "Publish the notice"),
        input=PublishNotice,
        guards=("project_under_notice", "no_notice_open", "notice_opens_from_today"),
        needs=("notice_window",),
        effect=_publish,
        notify=(Notify("notice_published", ("applicant", "principal_investigator")),),
    ),
    Step(
        "notice.end",
        ("open",),
        "ended",
        words("公示期满", "The notice ends"),
        guards=("notice_window_over",),
        effect=_end,
        notify=(Notify("notice_ended", OFFICER),),
    ),
    Step(
        "notice.withdraw",
        ("open",),
        "withdrawn",
        words("撤回公示", "Withdraw the notice"),
        input=Reason,
        effect=_withdraw,
    ),
)

OBJECTION_STEPS: tuple[Step, ...] = (
    Step(
        "objection.file",
        (),
        "filed",
        words("登记异议", "File an objection"),
        input=FileObjection,
        effect=_file,
        guards=("review_not_closed", "project_under_notice", "objection_signed"),
        needs=("parent_id",),
        notify=(Notify("objection_filed", OFFICER),),
    ),
    Step(
        "objection.uphold",
        ("filed",),
        "upheld",
        words("异议成立", "Uphold"),
        input=Answer,
        guards=("review_not_closed",),
        effect=_uphold,
    ),
    Step(
        "objection.dismiss",
        ("filed",),
        "dismissed",
        words("异议不成立", "Dismiss"),
        input=Answer,
        guards=("review_not_closed",),
        effect=_answer,
    ),
)
