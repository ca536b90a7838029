# ruff: noqa: F811  (a fixture's name is the name of the argument that asks for it)
"""A conflict that comes about while a review runs ends access at once; the task is taken away, once.

Access ends with the commit that makes the conflict, before anything else has run. What follows is a step on
record: the officer is told, the round's quorum is counted anew.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from uuid import UUID

import pytest

from milepost import people
from milepost.actions import Actor
from milepost.experts import records
from milepost.experts.conflicts import rules
from milepost.queries.projects import project_view
from milepost.queries.reviews import expert_task
from milepost.queries.sight import Sight, find_subject
from milepost.queries.timeline import timeline
from milepost.queries.work import work
from milepost.work.conflicts import after_step, take_away_conflicted
from states.refusals import Refused
from tests.experts.pool_scene import PoolScene, member
from tests.web.conftest import Reader, Site, clock, form_of, password_hash, site  # noqa: F401

MARK = "绝密评语7391"


class Review:
    """A project under review, and its round with tasks for experts of the pool."""

    def __init__(self, site: Site, experts: int = 1) -> None:
        self.site, self.world = site, site.world
        self.pool = PoolScene(site.world)
        self.project = self.pool.project("评审单位", "被评人", team=[member("成员甲", "成员单位")])
        self.world.bring_to(self.project, "remote_review")
        self.round = self.world.take("programme_officer", "round.open", self.project).subject_id
        self.experts = [self.pool.person(f"评审专家{n}", f"专家单位{n}") for n in range(experts)]
        self.tasks = [
            self.world.take("programme_officer", "task.invite", self.round, expert_id=str(e.id)).subject_id
            for e in self.experts
        ]

    def accept(self, n: int = 0) -> None:
        self.world.take(self.experts[n], "task.accept", self.tasks[n])

    def submit(self, n: int = 0) -> None:
        rubric = self.world.programme.review.rubric if self.world.programme.review else ()
        scores = {c.code: c.max for c in rubric}
        self.world.take(self.experts[n], "task.submit", self.tasks[n], scores=scores, comment=MARK)

    def state(self, n: int = 0) -> str:
        return str(self.world.value("SELECT state FROM task WHERE id = %s", self.tasks[n]))

    def take_away(self, **among: list[UUID]) -> dict[str, int]:
        with self.world.database.session() as session:
            report = take_away_conflicted(session, **among)
        assert not report.refused
        return dict(report.taken)


def _kin(review: Review) -> None:
    review.pool.tie(review.experts[0], "kin", name="被评人", evidence="兄弟")


def _unit(review: Review) -> None:
    review.pool.affiliate(review.experts[0].id, "成员单位")


def _team(review: Review) -> None:
    team = [member("新人", "专家单位0")]
    review.world.take("programme_officer", "project.amend_team", review.project, team=team, reason="换人")


def _declared(review: Review) -> None:
    review.pool.tie(review.experts[0], "declared", project=review.project)


def _competing(review: Review) -> None:
    own = member("评审专家0", "专家单位0")
    review.pool.project(team=[own])


def _ban(review: Review) -> None:
    supervisor = review.world.people["supervisor"][0].id
    with review.world.database.session() as session:
        records.ban(session, review.experts[0].id, years=1, reason="示例", by=supervisor)


WAYS: dict[str, tuple[Callable[[Review], None], str]] = {
    "a tie is added": (_kin, "kin"),
    "an affiliation is added": (_unit, "same_unit"),
    "the team changes": (_team, "same_unit"),
    "the expert says so": (_declared, "declared"),
    "the expert applies too": (_competing, "own_competing_application"),
    "the expert is banned": (_ban, "banned"),
}


def seen_by_expert(review: Review, reader: Reader) -> dict[str, bool]:
    """Each way to a task and what belongs to it, and whether something comes back."""
    task, project = review.tasks[0], review.project
    with review.world.database.session() as session:
        actor = review.experts[0].id
        inside = {
            "expert_task": expert_task(session, actor, task) is not None,
            "find_subject": find_subject(session, actor, "task", task) is not None,
            "work": bool(work(session, actor).rows),
        }
    return {
        **inside,
        "page": reader.get(f"/tasks/{task}").status_code == 200,
        "mail's link": reader.get(f"/go/task/{task}").status_code == 303,
        "project's link": reader.get(f"/projects/{project}").status_code == 303,
        "form": reader.get(f"/steps/task.submit/{task}").status_code == 200,
        "steps": reader.api("GET", f"/task/{task}/available").status_code == 200,
        "list": bool(reader.api("GET", "/work").json()["items"]),
    }


@pytest.mark.parametrize("way", WAYS)
def test_access_ends_with_the_commit_that_makes_the_conflict(site: Site, way: str) -> None:
    make, rule = WAYS[way]
    review = Review(site)
    review.accept()
    reader = site.reader(review.experts[0])
    before = seen_by_expert(review, reader)
    assert all(before.values()), before
    make(review)
    after = seen_by_expert(review, reader)
    assert not any(after.values()), after
    assert review.state() == "accepted"
    with pytest.raises(Refused) as refused:
        review.submit()
    assert [refusal.code for refusal in refused.value.refusals] == ["conflict_of_interest"]
    assert review.take_away() == {rule: 1}
    assert review.state() == "taken_away"


def test_a_ban_takes_what_is_open_and_leaves_what_was_submitted(site: Site) -> None:
    """A submitted review counts on, though its author reads it no more, and goes back to nobody."""
    review = Review(site, experts=2)
    review.accept()
    review.submit()
    _ban(review)
    assert not any(seen_by_expert(review, site.reader(review.experts[0])).values())
    assert review.take_away() == {} and review.state() == "submitted"
    with pytest.raises(Refused) as refused:
        review.world.take("programme_officer", "task.reopen", review.tasks[0], reason="示例")
    assert [refusal.code for refusal in refused.value.refusals] == ["conflict_of_interest"]


def test_of_a_ban_the_officer_is_told_and_the_record_says_that_it_was_one(site: Site) -> None:
    review = Review(site, experts=2)
    review.accept()
    _ban(review)
    assert review.take_away() == {"banned": 1} and review.state(1) == "invited"
    told = review.world.rows("SELECT recipient_id FROM message WHERE template = 'task_taken_away'")
    assert {o.id for o in review.world.people["programme_officer"]} <= {row[0] for row in told}
    reason = review.world.value("SELECT reason FROM task WHERE id = %s", review.tasks[0])
    assert rules()["banned"].text.zh in reason and "示例" not in reason, "why is for those who see the pool"


def test_a_ban_on_the_experts_page_takes_the_task_away_at_once(site: Site) -> None:
    review = Review(site)
    review.accept()
    reader = site.the("programme_officer")
    path = f"/experts/{review.experts[0].id}"
    fields = form_of(reader.get(path).text, f"{path}/ban")
    answer = reader.client.post(f"{path}/ban", data={**fields, "years": "1", "reason": "示例"})
    assert answer.status_code == 303 and review.state() == "taken_away"


def test_a_page_that_was_open_says_no_more_than_a_page_that_never_was(site: Site) -> None:
    review = Review(site)
    review.accept()
    reader = site.reader(review.experts[0])
    form = reader.form("task.submit", review.tasks[0])
    _kin(review)
    late = reader.send("task.submit", review.tasks[0], form)
    never = reader.get(f"/tasks/{UUID(int=7)}")
    assert late.status_code == never.status_code == 404
    assert "被评人" not in late.text


def test_the_officer_is_told_once_and_the_record_says_why(site: Site) -> None:
    review = Review(site)
    _kin(review)
    assert review.take_away(people=[review.experts[0].id]) == {"kin": 1}
    assert review.take_away() == review.take_away(projects=[review.project]) == {}
    told = review.world.rows(
        "SELECT recipient_id FROM message WHERE template = 'task_taken_away' AND chain_id = %s",
        review.project,
    )
    officers = {officer.id for officer in review.world.people["programme_officer"]}
    assert officers <= {row[0] for row in told} <= officers | {review.experts[0].id}
    reason = review.world.value("SELECT reason FROM task WHERE id = %s", review.tasks[0])
    rule = rules()["kin"].text
    assert all(word in reason for word in (rule.zh, rule.en, "兄弟"))
    events = review.world.rows(
        "SELECT request_id, role FROM event WHERE subject_id = %s AND step = 'task.take_away'",
        review.tasks[0],
    )
    assert events == [(f"conflict:{review.tasks[0]}:kin", "system")]
    assert not review.world.rows(
        "SELECT 1 FROM deadline WHERE subject_id = %s AND closed_seq IS NULL", review.tasks[0]
    )


def test_two_who_take_away_at_the_same_time_do_it_once(site: Site) -> None:
    review = Review(site, experts=6)
    for expert in review.experts:
        review.pool.tie(expert, "kin", name="被评人")
    gate = Barrier(2)

    def run() -> int:
        with review.world.database.session() as session:
            gate.wait()
            return sum(take_away_conflicted(session).taken.values())

    with ThreadPoolExecutor(2) as both:
        done = [future.result() for future in [both.submit(run), both.submit(run)]]
    assert sum(done) == 6
    count = "SELECT count(*) FROM event WHERE chain_id = %s AND step = 'task.take_away'"
    assert review.world.value(count, review.project) == 6


def test_slices_follow_each_other_to_the_end(site: Site) -> None:
    review = Review(site, experts=5)
    for expert in review.experts[::2]:
        review.pool.tie(expert, "kin", name="被评人")
    taken, after, slices = 0, None, 0
    with review.world.database.session() as session:
        while slices == 0 or after is not None:
            report = take_away_conflicted(session, after=after, limit=2)
            taken, after, slices = taken + sum(report.taken.values()), report.next_after, slices + 1
    assert (taken, slices) == (3, 3)


def test_a_submitted_review_stops_counting_until_the_round_is_scored(site: Site) -> None:
    quorum = site.world.programme.review.quorum if site.world.programme.review else 0
    review = Review(site, experts=quorum + 1)
    for n in range(quorum):
        review.accept(n)
        review.submit(n)
    assert review.world.value("SELECT state FROM round WHERE id = %s", review.round) == "quorum_reached"
    _kin(review)
    assert review.take_away() == {"kin": 1}
    with pytest.raises(Refused) as refused:
        review.world.take("programme_officer", "round.score", review.round)
    assert "quorum_missing" in [refusal.code for refusal in refused.value.refusals]
    review.accept(quorum)
    review.submit(quorum)
    review.world.take("programme_officer", "round.score", review.round)
    review.pool.tie(review.experts[1], "kin", name="被评人")
    assert review.take_away() == {}, "what was counted stays as it was counted"
    assert review.state(1) == "submitted"


def test_a_step_on_an_application_is_followed_by_what_it_makes_of_reviews(site: Site) -> None:
    """The review of the application itself, and the reviews that its own people have in hand."""
    review = Review(site, experts=2)
    own = member("评审专家0", "专家单位0")
    competing = review.pool.project()
    team = review.world.take(
        "applicant", "project.describe", competing, summary="摘要", fields=["520"], team=[own], unsuitable=[]
    )
    other = review.world.take(
        "programme_officer",
        "project.amend_team",
        review.project,
        team=[member("甲", "专家单位1")],
        reason="r",
    )
    with review.world.database.session() as session:
        assert dict(after_step(session, team).taken) == {"own_competing_application": 1}
        assert dict(after_step(session, other).taken) == {"same_unit": 1}
        assert after_step(session, other).looked_at == 0
    assert [review.state(0), review.state(1)] == ["taken_away", "taken_away"]


def test_a_team_amended_through_the_web_takes_the_task_away_in_the_same_request(site: Site) -> None:
    review = Review(site)
    officer = site.reader(review.world.people["programme_officer"][0])
    answer = officer.api(
        "POST",
        f"/project/{review.project}/steps/project.amend_team",
        json={"team": [member("新人", "专家单位0")], "reason": "换人"},
        headers={"idempotency-key": "amend-1"},
    )
    assert (answer.status_code, review.state()) == (201, "taken_away")


def test_only_experts_without_a_conflict_are_offered_for_an_invitation(site: Site) -> None:
    review = Review(site)
    fit, unfit = review.pool.person("可邀请的"), review.pool.person("须回避的", "评审单位")
    officer = site.reader(review.world.people["programme_officer"][0])
    page = officer.get(f"/steps/task.invite/{review.round}").text
    assert str(fit.id) in page and str(unfit.id) not in page


def test_an_ended_tie_gives_the_task_back_to_its_reader(site: Site) -> None:
    review = Review(site)
    review.accept()
    _kin(review)
    reader = site.reader(review.experts[0])
    assert reader.get(f"/tasks/{review.tasks[0]}").status_code == 404
    review.pool.execute("UPDATE tie SET ended_at = %s", datetime(2025, 3, 3, tzinfo=UTC))
    assert reader.get(f"/tasks/{review.tasks[0]}").status_code == 200


def test_a_conflict_with_one_project_hides_no_other(site: Site) -> None:
    review = Review(site)
    review.pool.tie(review.experts[0], "kin", name="别的负责人")
    other = review.pool.project("别的单位", "别的负责人")
    reader = site.reader(review.experts[0])
    assert review.pool.conflicts(other, review.experts[0]) == {"kin": "kin on record"}
    assert reader.get(f"/tasks/{review.tasks[0]}").status_code == 200
    assert review.take_away() == {}


def test_a_role_of_the_department_that_comes_later_ends_no_review(site: Site) -> None:
    review = Review(site)
    review.accept()
    with review.world.database.session() as session:
        people.grant(session, review.experts[0].id, "counsel", office_path="/")
    assert review.pool.conflicts(review.project, review.experts[0]) == {"department_staff": "counsel /"}
    assert site.reader(review.experts[0]).get(f"/tasks/{review.tasks[0]}").status_code == 200
    assert review.take_away() == {}
    review.submit()


# Officers -------------------------------------------------------------------------------------------------


def _read_of(review: Review, actor: Actor) -> tuple[str, set[str], set[str]]:
    """All that somebody's pages and API say, the parts that are not empty, the nouns of the timeline."""
    reader = review.site.reader(actor)
    page = reader.get(f"/projects/{review.project}")
    answer = reader.api("GET", f"/projects/{review.project}")
    assert page.status_code == answer.status_code == 200
    said = page.text + answer.text + reader.api("GET", "/work").text
    for noun, id in (("task", review.tasks[0]), ("round", review.round)):
        said += reader.api("GET", f"/{noun}/{id}/available").text + reader.get(f"/go/{noun}/{id}").text
    with review.world.database.session() as session:
        view = project_view(session, actor.id, review.project)
        assert view is not None
        parts = {noun for noun, rows in view.parts().items() if rows}
        happened = {h.noun for h in timeline(session, view.sight, review.project)[0]}
        # Whoever holds an older sight of the project, from before the conflict, reads no more with it.
        old = Sight(actor.id, view.sight.roles)
        happened |= {h.noun for h in timeline(session, old, review.project)[0]}
    return said, parts, happened


@pytest.mark.parametrize("role", ["programme_officer", "supervisor"])
def test_whoever_has_a_conflict_sees_of_a_review_what_an_applicant_sees(site: Site, role: str) -> None:
    review = Review(site, experts=2)
    review.accept()
    review.submit()
    someone = site.person("kin-of-the-leader", role, office_path="/")
    said, parts, happened = _read_of(review, someone)
    assert MARK in said and "评审专家0" in said
    assert {"round", "task"} <= parts and {"round", "task"} <= happened
    review.pool.tie(someone, "kin", name="被评人")
    said, parts, happened = _read_of(review, someone)
    assert MARK not in said and "评审专家" not in said and str(review.tasks[0]) not in said
    assert not {"round", "task"} & parts and not {"round", "task"} & happened
    grantee = _read_of(review, review.world.people["applicant"][0])
    assert (parts, happened & {"round", "task"}) == (grantee[1], set())
    reader = site.reader(someone)
    for step, id in (("task.invite", review.round), ("round.score", review.round)):
        assert reader.get(f"/steps/{step}/{id}").status_code in (403, 404)
    answer = reader.api("GET", f"/projects/{review.project}").json()
    assert "review_outcomes" not in answer["project"]
    other = review.world.people["programme_officer"][0]
    assert MARK in _read_of(review, other)[0]
