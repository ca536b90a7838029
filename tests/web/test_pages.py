"""A page costs the same number of questions however much it shows, and today's work is what waits for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.web.conftest import ROLES, Reader, Site


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Every statement that goes to the database meanwhile."""
    asked: list[object] = []
    execute = psycopg.Cursor.execute

    def counting(self: psycopg.Cursor, query: object, *given: object, **named: object) -> object:
        asked.append(query)
        return execute(self, query, *given, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", counting)
        yield asked


def cost(reader: Reader, path: str, monkeypatch: pytest.MonkeyPatch) -> int:
    reader.get(path)
    with counted(monkeypatch) as asked:
        assert reader.get(path).status_code == 200
    return len(asked)


def test_a_project_with_more_parts_costs_no_more_questions(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = site.world.project_at("implementation", milestones=1)
    large = site.world.project_at("implementation", milestones=6)
    for role in ("programme_officer", "finance_officer", "applicant"):
        reader = site.the(role)
        assert cost(reader, f"/projects/{large}", monkeypatch) == cost(
            reader, f"/projects/{small}", monkeypatch
        )


def test_a_longer_work_list_costs_no_more_questions(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = site.the("programme_officer")
    site.world.project_at("completeness_check")
    one = cost(reader, "/", monkeypatch)
    for _ in range(5):
        site.world.project_at("completeness_check")
    assert cost(reader, "/", monkeypatch) == one


def test_work_is_what_waits_for_this_person_the_most_urgent_first(site: Site) -> None:
    world = site.world
    later = world.project_at("completeness_check")
    _, due = world.payment_at("due")
    milestone_id = world.milestone_at("reported")
    evaluator = world.people["evaluator"][0]
    world.take("programme_officer", "milestone.assign", milestone_id, evaluator_id=str(evaluator.id))
    items = {
        role: site.the(role).api("GET", "/work").json()["items"]
        for role in ("programme_officer", "finance_officer", "evaluator", "counsel", "administrator")
    }
    subjects = {role: [item["subject_id"] for item in some] for role, some in items.items()}
    assert str(later) in subjects["programme_officer"] and str(due) not in subjects["programme_officer"]
    assert str(due) in subjects["finance_officer"] and str(later) not in subjects["finance_officer"]
    assert subjects["evaluator"] == [str(milestone_id)]
    assert subjects["counsel"] == subjects["administrator"] == []
    days = [item["due_on"] for item in items["programme_officer"] if item["due_on"]]
    assert days == sorted(days)


def test_the_work_list_goes_on_where_its_page_ended(site: Site) -> None:
    from milepost.queries.work import work

    for _ in range(4):
        site.world.project_at("completeness_check")
    officer = site.world.people["programme_officer"][0]
    with site.database.session() as session:
        whole = [row["subject_id"] for row in work(session, officer.id).rows]
        found, after = [], ""
        while True:
            page = work(session, officer.id, after=after, limit=3)
            found += [row["subject_id"] for row in page.rows]
            if page.next is None:
                break
            after = page.next
    assert found == whole and len(whole) == 4


def test_an_empty_office_has_pages_too(site: Site) -> None:
    for locale, words in (("zh", "现在没有等您办理的事项"), ("en", "Nothing is waiting for you")):
        for role in ROLES:
            assert words in site.the(role, locale=locale).get("/").text, role
    assert "没有您能查看的项目" in site.the("counsel", locale="zh").get("/projects").text


def test_a_project_says_what_blocks_its_money_and_who_can_act(site: Site) -> None:
    project_id = site.world.project_at("implementation")
    page = site.the("applicant", locale="zh").get(f"/projects/{project_id}").text
    assert "还不能拨付，因为" in page
    assert "里程碑未通过（现为“计划中”）" in page and "没有经核实的收款账户" in page
    assert "可办理：" in page and "milestone_not_accepted" in page


def test_people_get_roles_with_who_and_when_and_nobody_gives_them_to_themselves(site: Site) -> None:
    reader = site.the("administrator")
    csrf = reader.csrf()
    made = reader.client.post(
        "/people",
        data={"csrf": csrf, "login": "new-one", "name": "新人", "email": "n@example.org", "locale": "zh"},
    )
    address = made.headers["location"]
    given = {"csrf": csrf, "role": "expert", "office_path": "/liuzhou/"}
    assert reader.client.post(f"{address}/grants", data=given).status_code == 303
    page = reader.get(address).text
    assert "/liuzhou/" in page and "administrator 1" in page
    wrong = reader.client.post(f"{address}/grants", data={**given, "office_path": "", "project_code": "nope"})
    assert wrong.status_code == 422 and 'value="nope"' in wrong.text
    taken = {"csrf": csrf, "login": "new-one", "name": "x", "email": "", "locale": "en"}
    assert "is taken" in reader.client.post("/people", data=taken).text
    own = site.world.people["administrator"][0].id
    answer = reader.client.post(f"/people/{own}/grants", data={**given, "role": "finance_officer"})
    assert answer.status_code == 422 and "another administrator" in answer.text


def test_calls_and_budgets_are_made_on_their_pages(site: Site) -> None:
    programme = str(site.world.published.id)
    officer, finance = site.the("programme_officer"), site.the("finance_officer")
    call = {"programme_id": programme, "title": "指南一", "opens_on": "2025-03-10", "closes_on": "2025-04-10"}
    assert officer.take("call.announce", None, **call).status_code == 303
    assert "指南一" in site.the("applicant").get("/calls").text
    budget = {"programme_id": programme, "fiscal_year": "2026", "currency": "CNY", "amount_minor": "1万元"}
    assert finance.take("appropriation.propose", None, **budget).status_code == 303
    assert "10,000.00 CNY" in finance.get("/appropriations").text
    again = finance.take("appropriation.propose", None, **budget)
    assert again.status_code == 409, "one budget a year and currency"


def test_a_programme_is_shown_with_its_file_and_its_drawing(site: Site) -> None:
    reader = site.the("applicant")
    address = f"/programmes/{site.world.published.id}"
    assert "SHA-256" in reader.get(address).text
    drawing = reader.get(f"{address}/diagram.svg")
    assert drawing.headers["content-type"] == "image/svg+xml" and "<svg" in drawing.text
    assert "script-src" not in drawing.headers["content-security-policy"]


def test_mail_that_nobody_got_is_seen_and_sent_again(site: Site) -> None:
    site.world.project_at("completeness_check")
    reader = site.the("administrator")
    assert "Every mail was delivered" in reader.get("/mail").text
    with site.database.session() as session:
        session.conn.execute("UPDATE message SET state = 'dead', last_error = 'no such mailbox'")
    page = reader.get("/mail").text
    assert "no such mailbox" in page
    ids = [str(row[0]) for row in site.world.rows("SELECT id FROM message")]
    assert reader.client.post("/mail", data={"csrf": reader.csrf(), "id": ids}).status_code == 303
    assert site.world.rows("SELECT DISTINCT state FROM message") == [("queued",)]
