"""A decision can be asked to be reviewed on the project's page; reviews show to the office only."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

from tests.experts.pool_scene import PoolScene
from tests.web.conftest import ROLES, Site

FILED = {"ground": "procedure", "statement": "MARKED-STATEMENT"}


def declined(site: Site, **given: object) -> UUID:
    project_id = site.world.project_at("public_notice", **given)
    site.world.take("programme_officer", "project.decline", project_id, reason="不符合条件")
    return project_id


def test_the_applicant_reads_until_when_and_on_which_grounds_files_and_reads_the_answer(site: Site) -> None:
    world, project_id = site.world, declined(site)
    reader = site.the("applicant")
    page = reader.get(f"/projects/{project_id}").text
    assert "may ask until 18 March 2025 (that day included)" in page
    assert "academic judgement is no ground" in page
    form = reader.get(f"/steps/review_request.file/{project_id}").text
    assert re.findall(r'name="ground" value="(\w+)"', form) == [
        "procedure",
        "fact",
        "recusal",
        "academic_judgement",
    ]
    wrong = reader.take("review_request.file", project_id, ground="academic_judgement", statement="s")
    assert wrong.status_code == 409 and 'data-code="academic_judgement"' in wrong.text
    assert reader.take("review_request.file", project_id, **FILED).status_code == 303
    request = world.value("SELECT id FROM review_request WHERE project_id = %s", project_id)
    page = reader.get(f"/projects/{project_id}").text
    assert "MARKED-STATEMENT" in page and "To be answered" in page
    officer = site.the("programme_officer")
    assert f'/projects/{project_id}#review_request-{request}"' in officer.get("/").text, "it waits for them"
    assert officer.take("review_request.dismiss", request, answer="MARKED-ANSWER").status_code == 303
    page = reader.get(f"/projects/{project_id}").text
    assert "MARKED-ANSWER" in page and "Dismissed" in page
    assert page.count("MARKED-ANSWER") == 2, "with the request, and in what happened"


def test_after_the_fifteenth_day_the_page_says_that_it_is_over(site: Site) -> None:
    project_id = declined(site)
    reader = site.the("principal_investigator")
    site.world.clock.advance(timedelta(days=15))
    assert "review_request.file" in reader.get(f"/projects/{project_id}").text
    site.world.clock.advance(timedelta(days=1))
    page = reader.get(f"/projects/{project_id}").text
    assert "The time to ask for a review ended on 18 March 2025" in page
    assert f'href="/steps/review_request.file/{project_id}"' not in page


def test_a_request_is_read_by_its_grantee_and_the_office_without_a_conflict(site: Site) -> None:
    world, project_id = site.world, declined(site, leader_name="亲属负责人")
    request = world.take("applicant", "review_request.file", project_id, **FILED).subject_id
    readers = {"applicant", "principal_investigator", "programme_officer", "supervisor"}
    for role in ROLES:
        reader = site.the(role)
        assert (reader.get(f"/go/review_request/{request}").status_code == 303) == (role in readers), role
        if reader.get(f"/projects/{project_id}").status_code == 200:
            page = reader.get(f"/projects/{project_id}").text
            assert ("MARKED-STATEMENT" in page) == (role in readers), role
    officer = world.people["programme_officer"][0]
    PoolScene(world).tie(officer, "kin", name="亲属负责人")
    reader = site.reader(officer)
    page = reader.get(f"/projects/{project_id}").text
    assert "MARKED-STATEMENT" not in page and "Request a review" not in page
    assert reader.get(f"/go/review_request/{request}").status_code == 404
    assert str(request) not in reader.get("/").text
    assert str(request) not in reader.get(f"/api/v1/projects/{project_id}").text


def test_what_was_applied_for_shows_as_far_as_the_reader_may_know(
    site: Site,
) -> None:
    world = site.world
    project_id = world.apply("D-1", leader_name="亲属负责人")
    member = {"name": "MARKED-MEMBER", "unit": "某校", "part": "member"}
    world.take(
        "applicant",
        "project.describe",
        project_id,
        summary="MARKED-SUMMARY",
        fields=["51010"],
        team=[member],
        unsuitable=[{"name": "MARKED-RIVAL", "unit": "某所"}],
    )
    world.bring_to(project_id, "remote_review")
    kin = world.people["programme_officer"][1]
    PoolScene(world).tie(kin, "kin", name="亲属负责人")
    for role in ("applicant", "programme_officer", "supervisor"):
        page = site.the(role).get(f"/projects/{project_id}").text
        assert all(f"MARKED-{word}" in page for word in ("SUMMARY", "MEMBER", "RIVAL")), role
    for role in ("finance_officer", "counsel"):
        assert "MARKED" not in site.the(role).get(f"/projects/{project_id}").text, role
    assert "MARKED-RIVAL" not in site.reader(kin).get(f"/projects/{project_id}").text


def test_rounds_and_tasks_show_to_the_office_and_not_in_what_an_applicant_reads(site: Site) -> None:
    world = site.world
    project_id = world.project_at("remote_review")
    round_id, tasks = world.open_round(project_id)
    world.review_task(tasks[0])
    world.take("programme_officer", "task.reopen", tasks[0], reason="MARKED-REASON")
    officer = site.the("programme_officer").get(f"/projects/{project_id}").text
    assert f"round-{round_id}" in officer and "MARKED-REASON" in officer
    for role in ("applicant", "principal_investigator", "finance_officer", "counsel"):
        page = site.the(role).get(f"/projects/{project_id}").text
        told = site.the(role).get(f"/api/v1/projects/{project_id}").text
        for word in (str(round_id), str(tasks[0]), "MARKED", "review round", "Invite an expert", "task."):
            assert word not in page and word not in told, (role, word)
