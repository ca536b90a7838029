"""A round is counted, decided and balloted as its programme says, and a decision is reviewed within its days.

Every rule is tried through ``perform``: what a table here says is what the office gets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from milepost.actions import Actor
from milepost.db import Database
from milepost.work.reminders import send_reminders
from states.refusals import Refused
from tests.builders import PROGRAMMES, World, build

HUNDRED = '{ code = "all", text = { zh = "总", en = "All" }, max = 100%s }'
FIFTEEN = [f'{{ code = "{c}", text = {{ zh = "{c}", en = "{c}" }}, max = 5, threshold = 3 }}' for c in "abc"]
YES_NO = (
    '{ code = "sound", text = { zh = "合规", en = "Sound" }, kind = "pass_fail", max = 1, threshold = 1 }'
)
MIXED = [HUNDRED % ", weight = 9", YES_NO]
TEN = {"rubric": FIFTEEN, "pass_mark": '"10/15"'}
Office = Callable[..., World]


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    """An office with a programme of these rules; the rest is as in the shipped one."""
    text = (PROGRAMMES / "city-milestone-subsidy.toml").read_text(encoding="utf-8")

    def make(rubric: str | Sequence[str] = HUNDRED % "", stage: str = "remote_review", **rules: Any) -> World:
        items = [rubric] if isinstance(rubric, str) else rubric
        lines = [f"{name} = {value}" for name, value in {"quorum": 3, **rules}.items()]
        review = "\n".join(["[review]", *lines, f"rubric = [{', '.join(items)}]", ""])
        changed = re.sub(r"\[review\].*?\n(?=\[milestones\])", review, text, flags=re.S)
        path = tmp_path / "city-milestone-subsidy.toml"
        path.write_text(changed.replace("remote_review", stage), encoding="utf-8")
        return build(database, path)

    return make


Marks = Sequence[dict[str, int] | int]


def reviewed(world: World, marks: Marks) -> tuple[UUID, UUID, list[UUID]]:
    """A project with a round in which each expert gave these marks: the project, the round, the tasks."""
    assert world.programme.review is not None
    stage = next(s for s in world.programme.stages if s.endswith("_review"))
    project_id = world.project_at(stage)
    round_id, tasks = world.open_round(project_id, experts=len(marks))
    for task_id, given in zip(tasks, marks, strict=True):
        submit(world, task_id, {"all": given} if isinstance(given, int) else given)
    return project_id, round_id, tasks


def submit(world: World, task_id: UUID, scores: dict[str, int]) -> None:
    expert = Actor(world.value("SELECT expert_id FROM task WHERE id = %s", task_id))
    if world.value("SELECT state FROM task WHERE id = %s", task_id) == "invited":
        world.take(expert, "task.accept", task_id)
    world.take(expert, "task.submit", task_id, scores=scores, comment="")


def refused(
    world: World, step: str, subject: UUID, who: str = "programme_officer", **given: Any
) -> list[str]:
    with pytest.raises(Refused) as found:
        world.take(who, step, subject, **given)
    return [refusal.code for refusal in found.value.refusals]


def decide(world: World, round_id: UUID) -> tuple[int, bool]:
    world.take("programme_officer", "round.score", round_id)
    world.take("programme_officer", "round.decide", round_id)
    return world.rows("SELECT score_milli, passed FROM round WHERE id = %s", round_id)[0]  # type: ignore[return-value]


WEIGHTED = [
    '{ code = "a", text = { zh = "甲", en = "A" }, max = 30 }',
    '{ code = "b", text = { zh = "乙", en = "B" }, max = 40, weight = 2 }',
    '{ code = "c", text = { zh = "丙", en = "C" }, max = 30 }',
]
HALF = {"a": 15, "b": 40, "c": 30}
RULES: list[tuple[str, dict[str, Any], Marks, tuple[int, bool]]] = [
    ("items count by their weights", {"rubric": WEIGHTED}, [HALF] * 3, (87_500, True)),
    ("the mean is rounded down", {}, [70, 70, 71], (70_333, True)),
    ("four reviews are all counted", {}, [10, 20, 30, 100], (40_000, False)),
    ("of five the best and the worst are dropped", {}, [10, 20, 30, 40, 100], (30_000, False)),
    ("trimming begins where the programme says", {"drop_extremes_from": 3}, [10, 61, 90], (61_000, True)),
    ("or never", {"drop_extremes_from": 99}, [0, 0, 100, 100, 100, 60], (60_000, True)),
    ("the pass mark itself passes", {}, [60, 60, 60], (60_000, True)),
    ("and just below it does not", {}, [60, 60, 59], (59_666, False)),
    (
        "ten of fifteen points pass",
        TEN,
        [{"a": 4, "b": 3, "c": 3}] * 3,
        (66_666, True),
    ),
    (
        "nine do not",
        TEN,
        [{"a": 3, "b": 3, "c": 3}] * 3,
        (60_000, False),
    ),
    (
        "an item's mean below its threshold fails",
        {"rubric": FIFTEEN},
        [{"a": 5, "b": 5, "c": 2}, {"a": 5, "b": 5, "c": 3}, {"a": 5, "b": 5, "c": 3}],
        (84_444, False),
    ),
    (
        "at its threshold it passes",
        {"rubric": FIFTEEN},
        [{"a": 5, "b": 5, "c": 2}, {"a": 5, "b": 5, "c": 4}, {"a": 5, "b": 5, "c": 3}],
        (86_666, True),
    ),
    (
        "one no fails",
        {"rubric": MIXED},
        [{"all": 100, "sound": 1}, {"all": 100, "sound": 0}, {"all": 100, "sound": 1}],
        (96_666, False),
    ),
    (
        "a dropped no fails as well",
        {"rubric": MIXED, "drop_extremes_from": 3},
        [{"all": 100, "sound": 1}, {"all": 10, "sound": 0}, {"all": 90, "sound": 1}],
        (91_000, False),
    ),
    (
        "no no passes",
        {"rubric": MIXED},
        [{"all": 90, "sound": 1}] * 3,
        (91_000, True),
    ),
]


@pytest.mark.parametrize(
    ("rules", "marks", "expected"), [row[1:] for row in RULES], ids=[row[0] for row in RULES]
)
def test_a_round_is_counted_and_decided_by_its_rules(
    office: Office, rules: dict[str, Any], marks: Marks, expected: tuple[int, bool]
) -> None:
    world = office(**rules)
    project_id, round_id, _ = reviewed(world, marks)
    assert decide(world, round_id) == expected
    if expected[1]:
        world.take("programme_officer", "project.conclude_remote_review", project_id)
    else:
        assert refused(world, "project.conclude_remote_review", project_id) == ["review_not_passed"]


def test_without_a_quorum_of_submitted_reviews_nothing_is_counted(office: Office) -> None:
    world = office()
    _, round_id, tasks = reviewed(world, [80, 80])
    state = "SELECT state FROM round WHERE id = %s"
    assert refused(world, "round.score", round_id) == ["quorum_missing"]
    fourth, third = world.people["expert"][3], world.people["expert"][2]
    asked = [
        world.take("programme_officer", "task.invite", round_id, expert_id=str(expert.id)).subject_id
        for expert in (third, fourth)
    ]
    world.take(fourth, "task.recuse", asked[1], reason="同事")
    world.take(third, "task.accept", asked[0])
    assert refused(world, "round.score", round_id) == ["quorum_missing"], "neither a draft nor a refusal"
    submit(world, asked[0], {"all": 80})
    assert world.value(state, round_id) == "quorum_reached", "by itself"
    world.take("programme_officer", "task.reopen", tasks[0], reason="请补充意见")
    assert refused(world, "round.score", round_id) == ["quorum_missing"], "one is being written again"
    submit(world, tasks[0], {"all": 20})
    assert decide(world, round_id) == (60_000, True)
    assert refused(world, "task.reopen", tasks[0], reason="x") == ["round_over"], "what was counted stays"


# Ballots --------------------------------------------------------------------------------------------------

PANEL = {"stage": "panel_review", "ballot": "{ present = 3 }"}


def ballot(present: int, in_favour: int, against: int, abstained: int = 0) -> dict[str, Any]:
    counts = {"present": present, "in_favour": in_favour, "against": against, "abstained": abstained}
    return {**counts, "minutes": "示例纪要"}


COUNTS: list[tuple[str, dict[str, Any], list[str] | bool]] = [
    ("more than half of those present", ballot(5, 3, 2), True),
    ("exactly half is not more", ballot(4, 2, 2), False),
    ("who abstains is present", ballot(5, 2, 1, 2), False),
    ("who is absent is not", ballot(3, 2, 1), True),
    ("all abstain", ballot(3, 0, 0, 3), False),
    ("too few were there", ballot(2, 2, 0), ["ballot_without_quorum"]),
    ("somebody voted for another", ballot(6, 6, 0), ["ballot_by_proxy"]),
    ("a vote too many", ballot(5, 4, 2), ["ballot_does_not_add_up"]),
    ("a vote too few", ballot(5, 2, 2), ["ballot_does_not_add_up"]),
]


@pytest.mark.parametrize(("given", "expected"), [row[1:] for row in COUNTS], ids=[row[0] for row in COUNTS])
def test_a_panel_carries_by_more_than_half_of_those_present_and_nobody_is_represented(
    office: Office, given: dict[str, Any], expected: list[str] | bool
) -> None:
    world = office(**PANEL)
    project_id, round_id, _ = reviewed(world, [90] * 5)
    if isinstance(expected, list):
        assert refused(world, "round.record_vote", round_id, **given) == expected
        return
    world.take("programme_officer", "round.record_vote", round_id, **given)
    assert decide(world, round_id) == (90_000, expected)
    assert world.value("SELECT review_outcomes FROM project WHERE id = %s", project_id) == {
        "panel_review": expected
    }


def test_a_panel_that_has_not_voted_decides_nothing_and_its_last_ballot_counts(office: Office) -> None:
    world = office(**{**PANEL, "ballot": '{ present = 3, more_than = "2/3" }'})
    _, round_id, _ = reviewed(world, [90] * 3)
    world.take("programme_officer", "round.score", round_id)
    assert refused(world, "round.decide", round_id) == ["ballot_missing"]
    world.take("programme_officer", "round.record_vote", round_id, **ballot(3, 3, 0))
    world.clock.set(world.clock.now() + timedelta(minutes=20))
    world.take("programme_officer", "round.record_vote", round_id, **ballot(3, 2, 1))
    world.take("programme_officer", "round.decide", round_id)
    assert world.value("SELECT passed FROM round WHERE id = %s", round_id) is False, (
        "two of three are not more"
    )
    assert world.value("SELECT count(*) FROM vote WHERE round_id = %s", round_id) == 2, "both stay on record"


def test_a_ballot_cannot_carry_what_the_scores_fail(office: Office) -> None:
    world = office(**PANEL)
    _, round_id, _ = reviewed(world, [50] * 3)
    world.take("programme_officer", "round.record_vote", round_id, **ballot(3, 3, 0))
    assert decide(world, round_id) == (50_000, False)


def test_who_declined_or_left_is_no_member_who_could_be_present(office: Office) -> None:
    world = office(**PANEL)
    _, round_id, _ = reviewed(world, [90] * 3)
    fourth = world.people["expert"][3]
    task = world.take("programme_officer", "task.invite", round_id, expert_id=str(fourth.id)).subject_id
    world.take(fourth, "task.decline", task, reason="不便")
    assert refused(world, "round.record_vote", round_id, **ballot(4, 4, 0)) == ["ballot_by_proxy"]


def test_where_no_panel_meets_there_is_no_ballot(office: Office) -> None:
    world = office()
    _, round_id, _ = reviewed(world, [90] * 3)
    assert refused(world, "round.record_vote", round_id, **ballot(3, 3, 0)) == ["ballot_not_wanted"]


# Requests for review --------------------------------------------------------------------------------------

REQUEST = {"ground": "procedure", "statement": "评审程序有误"}


@pytest.fixture
def declined(office: Office) -> tuple[World, UUID]:
    """A project that was declined under notice on 3 March 2025."""
    world = office()
    project_id = world.project_at("public_notice")
    world.take("programme_officer", "project.decline", project_id, reason="不符合条件")
    return world, project_id


@pytest.mark.parametrize(("days", "taken"), [(0, True), (14, True), (15, True), (16, False), (400, False)])
def test_a_review_is_requested_within_fifteen_days(
    declined: tuple[World, UUID], days: int, taken: bool
) -> None:
    world, project_id = declined
    world.clock.set(date(2025, 3, 3) + timedelta(days=days))
    if taken:
        world.take("applicant", "review_request.file", project_id, **REQUEST)
    else:
        found = refused(world, "review_request.file", project_id, "applicant", **REQUEST)
        assert found == ["request_too_late"]


def test_academic_judgement_is_no_ground(declined: tuple[World, UUID]) -> None:
    world, project_id = declined
    given = {**REQUEST, "ground": "academic_judgement"}
    assert refused(world, "review_request.file", project_id, "applicant", **given) == ["academic_judgement"]


def test_a_request_that_is_upheld_brings_the_project_back_where_it_was(declined: tuple[World, UUID]) -> None:
    world, project_id = declined
    officer = "programme_officer"
    assert refused(world, "project.reinstate", project_id, officer, reason="x") == ["request_not_upheld"]
    request = world.take("applicant", "review_request.file", project_id, **REQUEST).subject_id
    assert refused(world, "review_request.file", project_id, "applicant", **REQUEST) == ["request_open"]
    assert refused(world, "project.reinstate", project_id, officer, reason="x") == ["request_not_upheld"]
    world.take(officer, "review_request.uphold", request, answer="程序有误")
    world.take(officer, "project.reinstate", project_id, reason="复审请求成立")
    assert world.state(project_id) == "public_notice"
    world.bring_to(project_id, "task_agreement")


def test_a_request_that_is_dismissed_leaves_the_decision_and_another_may_follow_in_time(
    declined: tuple[World, UUID],
) -> None:
    world, project_id = declined
    request = world.take("applicant", "review_request.file", project_id, **REQUEST).subject_id
    world.take("programme_officer", "review_request.dismiss", request, answer="程序无误")
    assert world.state(project_id) == "declined"
    assert refused(world, "project.reinstate", project_id, reason="x") == ["request_not_upheld"]
    again = {**REQUEST, "ground": "fact"}
    world.take("principal_investigator", "review_request.file", project_id, **again)


def test_there_is_nothing_to_review_while_nothing_was_declined(office: Office) -> None:
    world = office()
    project_id = world.project_at("public_notice")
    assert refused(world, "review_request.file", project_id, "applicant", **REQUEST) == ["nothing_to_review"]


def test_only_the_grantee_requests_and_only_the_office_answers(declined: tuple[World, UUID]) -> None:
    world, project_id = declined
    for role in ("programme_officer", "supervisor", "finance_officer", "counsel"):
        assert refused(world, "review_request.file", project_id, role, **REQUEST) == ["not_permitted"]
    request = world.take("applicant", "review_request.file", project_id, **REQUEST).subject_id
    for role in ("applicant", "supervisor"):
        assert refused(world, "review_request.dismiss", request, role, answer="x") == ["not_permitted"]


def reminded(world: World, request: UUID) -> list[str]:
    """Who was reminded of the request's answer so far."""
    with world.database.session() as session:
        send_reminders(session)
    rows = world.rows(
        "SELECT n.login FROM message m JOIN person n ON n.id = m.recipient_id "
        "JOIN deadline d ON d.id = (m.context ->> 'deadline_id')::uuid WHERE d.subject_id = %s ORDER BY 1",
        request,
    )
    return [row[0] for row in rows]


def test_officers_are_reminded_of_the_answer_in_sixty_days_whatever_the_programme_names(
    declined: tuple[World, UUID],
) -> None:
    world, project_id = declined
    assert "review_request" not in " ".join(r.deadline for r in world.programme.reminders)
    request = world.take("applicant", "review_request.file", project_id, **REQUEST).subject_id
    due = world.value("SELECT due_on FROM deadline WHERE subject_id = %s", request)
    assert due == date(2025, 5, 6), "sixty days, which end in the holidays"
    assert reminded(world, request) == []
    world.clock.set(due - timedelta(days=30))
    assert reminded(world, request) == ["programme_officer-1", "programme_officer-2"]
    world.clock.set(due + timedelta(days=1))
    assert reminded(world, request).count("supervisor-1") == 1, "it escalates once it is late"
    world.take("programme_officer", "review_request.dismiss", request, answer="无误")
    before = reminded(world, request)
    world.clock.set(due + timedelta(days=7))
    assert reminded(world, request) == before, "an answer ends it"
