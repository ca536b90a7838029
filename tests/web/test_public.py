"""Everybody reads a notice's columns and nothing else; an objection holds up its own project and no other."""

from __future__ import annotations

import re
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from milepost.actions import Actor
from milepost.mail.facts import load_letters
from milepost.work.reminders import send_reminders
from states.refusals import Refused
from tests.builders import World
from tests.web.conftest import Reader, Site

LISTS = "/public/notices"
EXPERT_NAME, COMMENT = "MARKED-EXPERT", "MARKED-COMMENT"
OBJECTOR, CONTACT, GROUNDS = "MARKED-OBJECTOR", "MARKED-CONTACT", "MARKED-GROUNDS"


def marked(site: Site) -> UUID:
    """A project under notice with marks on its experts, their words, and an objection."""
    world = site.world
    project_id = world.project_at("remote_review")
    round_id, tasks = world.open_round(project_id)
    for task_id in tasks:
        expert = Actor(world.value("SELECT expert_id FROM task WHERE id = %s", task_id))
        with site.database.session() as session:
            session.conn.execute("UPDATE person SET name = %s WHERE id = %s", (EXPERT_NAME, expert.id))
        world.take(expert, "task.accept", task_id)
        scores = {c.code: c.max * 4 // 5 for c in world.programme.review.rubric}
        world.take(expert, "task.submit", task_id, scores=scores, comment=COMMENT)
    for step in ("round.score", "round.decide"):
        world.take("programme_officer", step, round_id)
    world.take("programme_officer", "project.conclude_remote_review", project_id)
    objection = {"objector": OBJECTOR, "contact": CONTACT, "grounds": GROUNDS}
    world.take("programme_officer", "objection.file", world.publish_notice(project_id), **objection)
    return project_id


def leaks(reader: Reader, project_id: UUID, marks: tuple[str, ...]) -> list[tuple[str, str]]:
    """Where somebody reads a mark: the pages and the API's answers about a project."""
    paths = ["/", "/projects", f"/projects/{project_id}", "/api/v1/work", "/api/v1/projects"]
    paths += [f"/api/v1/projects/{project_id}", f"/api/v1/project/{project_id}/available"]
    return [(path, mark) for path in paths for mark in marks if mark in reader.get(path).text]


def noticed(world: World, code: str = "", **given: object) -> tuple[UUID, UUID]:
    """A project whose notice is out: the project and the notice."""
    project_id = world.project_at("public_notice", code, **given)
    return project_id, world.publish_notice(project_id)


def facts(html: str) -> dict[str, str]:
    found = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", html, re.S)
    return {name: re.sub(r"<[^>]+>", "", value).strip() for name, value in found}


def test_a_notice_has_its_columns_its_window_and_the_way_to_object(site: Site) -> None:
    with site.database.session() as session:
        session.conn.execute(
            "INSERT INTO office (id, path, name_zh, name_en) "
            "VALUES (gen_random_uuid(), '/', '市科技局', 'City bureau')"
        )
    _, notice_id = noticed(site.world, title="量子传感", unit_name="某公司", leader_name="李工")
    page = site.anonymous().get(f"{LISTS}/{notice_id}?lang=en").text
    assert facts(page) == {
        "Supervising department": "City bureau",
        "Applicant": "某公司",
        "Leader": "李工",
        "Proposed amount": "1,000,000.00 CNY",
        "First payment": "500,000.00 CNY",
        "Type of project": "Milestone subsidy",
        "Open for objections": "4 March 2025 – 10 March 2025",
        "Issued on": "3 March 2025",
        "Can be read until": "9 April 2025",
    }
    assert "real name and a telephone number; anonymous objections are not taken" in page
    assert "answered by: City bureau" in page and "within 60 days" in page
    chinese = site.anonymous().get(f"{LISTS}/{notice_id}", headers={"accept-language": "zh-CN"}).text
    assert facts(chinese)["主管部门"] == "市科技局" and facts(chinese)["首笔拨款"] == "500,000.00元"


def test_everybody_reads_the_same_bytes_and_no_cookie_is_set(site: Site) -> None:
    _, notice_id = noticed(site.world)
    listed = f"{LISTS}/lists/{site.world.published.id}/2025-03-04"
    for path in (LISTS, listed, f"{LISTS}/{notice_id}"):
        stranger = site.anonymous().get(f"{path}?lang=en")
        member = site.the("applicant", locale="zh").get(f"{path}?lang=en")
        assert stranger.status_code == 200 and stranger.content == member.content
        for answer in (stranger, member):
            assert "set-cookie" not in answer.headers
            assert answer.headers["cache-control"] == "public, max-age=300"
            assert answer.headers["vary"] == "accept-language"
            assert "csrf" not in answer.text and "<form" not in answer.text
    missing = site.anonymous().get(f"{LISTS}/{uuid4()}")
    assert missing.status_code == 404 and missing.headers["cache-control"] == "no-store"


def test_what_opens_on_one_day_is_one_list(site: Site) -> None:
    world = site.world
    noticed(world, title="甲")
    noticed(world, title="乙", requested_minor=30_000_000)
    listed = site.anonymous().get(f"{LISTS}/lists/{world.published.id}/2025-03-04?lang=zh").text
    assert [row for row in re.findall(r'<td class="what"><a [^>]+>(.*?)</a>', listed)] == ["乙", "甲"]
    heads = re.findall(r"<th[^>]*>(.*?)</th>", listed)
    assert heads[1:] == [
        "主管部门",
        "项目名称",
        "申报单位",
        "项目负责人",
        "拟立项金额",
        "首笔拨款",
        "项目类型",
    ]
    assert "300,000.00元" in listed and "150,000.00元" in listed
    world.clock.advance(timedelta(days=1))
    noticed(world, title="丙")
    page = site.anonymous().get(f"{LISTS}?lang=en").text
    assert re.findall(r"(\d+) (projects?)<", page) == [("1", "project"), ("2", "projects")]


def test_a_notice_is_read_until_thirty_days_after_its_window(site: Site) -> None:
    world = site.world
    project_id, notice_id = noticed(world)
    states = {
        date(2025, 3, 3): "To begin",
        date(2025, 3, 4): "Open",
        date(2025, 3, 10): "Open",
        date(2025, 3, 11): "Over",
        date(2025, 4, 9): "Over",
    }
    for day, state in states.items():
        world.clock.set(day)
        if day == date(2025, 3, 11):
            world.take("system", "notice.end", notice_id)
            world.take("programme_officer", "project.conclude_notice", project_id)
        page = site.anonymous().get(f"{LISTS}/{notice_id}?lang=en").text
        assert re.search(r'<span class="pill \w+">(.*?)</span>', page).group(1) == state, day  # type: ignore[union-attr]
    world.clock.set(date(2025, 4, 10))
    assert site.anonymous().get(f"{LISTS}/{notice_id}").status_code == 404
    assert site.anonymous().get(f"{LISTS}/lists/{world.published.id}/2025-03-04").status_code == 404
    assert str(world.published.id) not in site.anonymous().get(LISTS).text


@pytest.mark.parametrize("by", ["withdrawn", "declined"])
def test_a_notice_that_was_withdrawn_says_so_and_no_more(site: Site, by: str) -> None:
    world = site.world
    project_id, notice_id = noticed(world, title="丁", unit_name="MARKED-UNIT", leader_name="MARKED-LEADER")
    if by == "withdrawn":
        world.take("programme_officer", "notice.withdraw", notice_id, reason="MARKED-REASON")
    else:
        world.take("programme_officer", "project.decline", project_id, reason="MARKED-REASON")
    for path in (f"{LISTS}/{notice_id}", f"{LISTS}/lists/{world.published.id}/2025-03-04"):
        page = site.anonymous().get(f"{path}?lang=en").text
        assert "The notice of this project was withdrawn." in page
        assert "MARKED" not in page and "1,000,000" not in page


def test_nothing_of_reviews_or_objections_is_published(site: Site) -> None:
    project_id = marked(site)
    notice_id = site.world.value("SELECT id FROM notice WHERE project_id = %s", project_id)
    listed = f"{LISTS}/lists/{site.world.published.id}/2025-03-04"
    for path in (LISTS, listed, f"{LISTS}/{notice_id}"):
        answer = site.anonymous().get(path)
        assert answer.status_code == 200
        assert "MARKED" not in f"{answer.headers}{answer.text}" and "80.00" not in answer.text


# Objections -----------------------------------------------------------------------------------------------


def codes(world: World, step: str, subject: UUID, **given: object) -> list[str]:
    with pytest.raises(Refused) as refused:
        world.take("programme_officer", step, subject, **given)
    return [refusal.code for refusal in refused.value.refusals]


SIGNED = {"objector": "王某", "contact": "13900000000", "grounds": "单位不符"}


def test_an_objection_holds_up_its_own_project_and_the_other_goes_on_to_its_payment(site: Site) -> None:
    world = site.world
    (held, held_notice), (free, free_notice) = noticed(world), noticed(world)
    objection = world.take("programme_officer", "objection.file", held_notice, **SIGNED).subject_id
    world.clock.set(date(2025, 3, 11))
    for notice_id in (held_notice, free_notice):
        world.take("system", "notice.end", notice_id)
    assert codes(world, "project.conclude_notice", held) == ["objection_open"]
    world.take("programme_officer", "project.conclude_notice", free)
    world.bring_to(free, "implementation")
    payment = world.payments(free)[0]
    world.pay(payment, "settled")
    assert world.value("SELECT state FROM payment WHERE id = %s", payment) == "settled"
    assert world.state(held) == "public_notice"

    world.take("programme_officer", "objection.dismiss", objection, answer="经核实不成立")
    world.take("programme_officer", "project.conclude_notice", held)
    assert world.state(held) == "approval"


def test_no_more_is_awarded_than_was_noticed_and_left_out_it_is_that(site: Site) -> None:
    world = site.world
    project_id = world.project_at("public_notice")
    notice_id = world.take("programme_officer", "notice.publish", project_id, proposed_minor=60_000_000)
    world.let_notice_end(notice_id.subject_id)
    world.take("programme_officer", "project.conclude_notice", project_id)
    assert codes(world, "project.approve", project_id, award_minor=60_000_001) == ["award_exceeds_notice"]
    world.take("programme_officer", "project.approve", project_id)
    assert world.value("SELECT award_minor FROM project WHERE id = %s", project_id) == 60_000_000


def test_an_objection_that_is_upheld_ends_this_notice_for_the_project(site: Site) -> None:
    world = site.world
    project_id, notice_id = noticed(world)
    objection = world.take("programme_officer", "objection.file", notice_id, **SIGNED).subject_id
    world.take("programme_officer", "objection.uphold", objection, answer="成立")
    world.clock.set(date(2025, 3, 11))
    world.take("system", "notice.end", notice_id)
    assert codes(world, "project.conclude_notice", project_id) == ["objection_upheld"]
    # Once amended it is noticed anew, and the new window counts.
    again = world.publish_notice(project_id)
    assert codes(world, "project.conclude_notice", project_id) == ["notice_running"]
    world.let_notice_end(again)
    world.take("programme_officer", "project.conclude_notice", project_id)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"objector": "", "contact": "1", "grounds": "g"}, ["objection_anonymous"]),
        ({"objector": "某", "contact": "", "grounds": "g"}, ["objection_anonymous"]),
        ({"grounds": "g"}, ["objection_anonymous"]),
    ],
)
def test_an_unsigned_objection_is_refused_where_the_programme_takes_none(
    site: Site, given: dict[str, str], refused: list[str]
) -> None:
    _, notice_id = noticed(site.world)
    assert codes(site.world, "objection.file", notice_id, **given) == refused


def test_who_objected_stands_in_no_mail_no_export_and_no_page_of_the_applicant(site: Site) -> None:
    project_id = marked(site)
    world = site.world
    objection = world.value("SELECT id FROM objection WHERE project_id = %s", project_id)
    world.take("programme_officer", "objection.dismiss", objection, answer="MARKED-ANSWER")
    marks = (OBJECTOR, CONTACT, GROUNDS, "MARKED-ANSWER")
    for role in ("applicant", "principal_investigator", "finance_officer", "counsel", "expert"):
        assert leaks(site.the(role), project_id, marks) == [], role
    officer = site.the("supervisor").get(f"/projects/{project_id}").text
    assert all(mark in officer for mark in marks)
    with site.database.session() as session:
        ids = [row[0] for row in session.conn.execute("SELECT id FROM message").fetchall()]
        letters = load_letters(session.conn, ids, today=world.clock.today(), public_url="http://x")
    assert {"objection_filed", "notice_published"} <= {letter.template for letter in letters}
    assert not [letter.template for letter in letters if any(mark in str(letter.values) for mark in marks)]


def test_an_objection_is_answered_within_sixty_days_and_officers_are_reminded(site: Site) -> None:
    world = site.world
    _, notice_id = noticed(world)
    objection = world.take("programme_officer", "objection.file", notice_id, **SIGNED).subject_id
    due = world.value("SELECT due_on FROM deadline WHERE subject_id = %s AND closed_seq IS NULL", objection)
    # The sixtieth day, 2 May, lies in the holidays.
    assert due == date(2025, 5, 6)
    world.clock.set(date(2025, 5, 7))
    with site.database.session() as session:
        send_reminders(session)
        told = session.conn.execute(
            "SELECT DISTINCT n.login FROM message m JOIN person n ON n.id = m.recipient_id "
            "JOIN deadline d ON d.id = (m.context ->> 'deadline_id')::uuid WHERE d.subject_id = %s",
            (objection,),
        ).fetchall()
    assert sorted(row[0] for row in told) == ["programme_officer-1", "programme_officer-2", "supervisor-1"]
