"""What is confidential appears to nobody else: in no page, refusal, count, header or answer of the API.

Marked strings stand in every field about experts, objectors and accounts; everything that each role can reach
by links is read and searched for them.
"""

from __future__ import annotations

import re
from uuid import UUID

from tests.web.conftest import ROLES, Reader, Site

EXPERT_NAME, COMMENT, REASON = "MARKED-EXPERT", "MARKED-COMMENT", "MARKED-RECUSAL"
OBJECTOR, CONTACT, GROUNDS = "MARKED-OBJECTOR", "MARKED-CONTACT", "MARKED-GROUNDS"
ACCOUNT = "6222MARKED00071"
SCORE = "80.00"
PAGES_MOST = 80


def marked(site: Site) -> UUID:
    """A project under notice with marks everywhere, and an account entered."""
    world = site.world
    project_id = world.project_at("remote_review")
    round_id, tasks = world.open_round(project_id, experts=6)
    with site.database.session() as session:
        for task in tasks:
            session.conn.execute(
                "UPDATE person SET name = %s WHERE id = (SELECT expert_id FROM task WHERE id = %s)",
                (EXPERT_NAME, task),
            )
    for task in tasks[:5]:
        _review(site, task)
    world.take(_expert(site, tasks[5]), "task.recuse", tasks[5], reason=REASON)
    world.take("programme_officer", "round.score", round_id)
    world.take("programme_officer", "round.decide", round_id)
    world.take("programme_officer", "project.conclude_remote_review", project_id)
    notice_id = world.publish_notice(project_id)
    objection = {"objector": OBJECTOR, "contact": CONTACT, "grounds": GROUNDS}
    world.take("programme_officer", "objection.file", notice_id, **objection)
    return project_id


def _expert(site: Site, task_id: UUID) -> object:
    expert_id = site.world.value("SELECT expert_id FROM task WHERE id = %s", task_id)
    return next(actor for actor in site.world.people["expert"] if actor.id == expert_id)


def _review(site: Site, task_id: UUID) -> None:
    expert = _expert(site, task_id)
    site.world.take(expert, "task.accept", task_id)
    scores = {c.code: c.max * 4 // 5 for c in site.world.programme.review.rubric}
    site.world.take(expert, "task.submit", task_id, scores=scores, comment=COMMENT)


def everything(reader: Reader, project_id: UUID) -> list[tuple[str, str]]:
    """Whatever can be reached by links and by the API, headers included."""
    waiting = ["/", "/projects", "/calls", "/programmes", "/appropriations", "/mail"]
    waiting += ["/api/v1/work", "/api/v1/projects", f"/api/v1/projects/{project_id}"]
    waiting += [f"/api/v1/project/{project_id}/available", f"/projects/{project_id}"]
    read: dict[str, str] = {}
    while waiting and len(read) < PAGES_MOST:
        path = waiting.pop(0)
        if path in read:
            continue
        answer = reader.get(path)
        read[path] = f"{answer.headers}\n{answer.text}"
        links = [
            link.split("#")[0].replace("&amp;", "&") for link in re.findall(r'href="(/[^"]*)"', answer.text)
        ]
        waiting += [link for link in links if link not in read and not link.startswith("/static")]
    return list(read.items())


def leaks(reader: Reader, project_id: UUID, marks: tuple[str, ...]) -> list[tuple[str, str]]:
    pages = everything(reader, project_id)
    assert len(pages) > 5
    return [(path, mark) for path, text in pages for mark in marks if mark in text]


def test_experts_and_what_they_wrote_are_seen_by_officers_and_supervisors_only(site: Site) -> None:
    project_id = marked(site)
    for role in ROLES:
        if role in ("programme_officer", "supervisor", "expert"):
            continue
        found = leaks(site.the(role), project_id, (EXPERT_NAME, COMMENT, REASON, SCORE))
        # That somebody has an account is what an administrator is for; what they do as an expert is not.
        assert [leak for leak in found if not leak[0].startswith("/people")] == [], role


def test_an_expert_sees_no_other_expert(site: Site) -> None:
    project_id = marked(site)
    reader = site.the("expert", 8)
    assert leaks(reader, project_id, (EXPERT_NAME, COMMENT, REASON)) == []
    own = site.the("expert", 0)
    with site.database.session() as session:
        session.conn.execute(
            "UPDATE person SET name = 'myself' WHERE id = %s", (site.world.people["expert"][0].id,)
        )
    assert leaks(own, project_id, (EXPERT_NAME, REASON)) == []


def test_objectors_are_seen_by_officers_and_supervisors_only(site: Site) -> None:
    project_id = marked(site)
    for role in ROLES:
        found = leaks(site.the(role), project_id, (OBJECTOR, CONTACT, GROUNDS))
        if role in ("programme_officer", "supervisor"):
            assert {mark for _, mark in found} == {OBJECTOR, CONTACT, GROUNDS}, role
        else:
            assert found == [], role


def test_account_numbers_are_whole_for_finance_and_the_applicant_only(site: Site) -> None:
    project_id = site.world.project_at("implementation")
    account = {"account_name": "A", "account_no": ACCOUNT, "bank_name": "B"}
    site.world.take("applicant", "payee.enter", project_id, **account)
    for role in ROLES:
        found = leaks(site.the(role), project_id, (ACCOUNT,))
        assert bool(found) == (role in ("finance_officer", "applicant")), role


def test_the_grantee_reads_reasons_meant_for_them_and_not_the_offices_own(site: Site) -> None:
    world = site.world
    project_id = world.project_at("implementation")
    world.take("programme_officer", "project.place_hold", project_id, reason="for-the-grantee")
    world.take("supervisor", "project.flag_integrity", project_id, reason="for-the-office")
    page = site.the("applicant").get(f"/projects/{project_id}").text
    assert "for-the-grantee" in page
    assert "for-the-office" not in page
    assert "for-the-office" in site.the("supervisor").get(f"/projects/{project_id}").text
