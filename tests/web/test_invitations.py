"""An invitation's link tells whose it is and opens no log-in; a mailed code opens one, once, for minutes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from milepost.db import Database
from milepost.experts.invitations import CODES_AN_HOUR, TRIES_MAX
from milepost.experts.links import LINK_DAYS, code_of, invitation_key, read_link, signed_link
from milepost.mail.facts import load_letters
from tests.web.conftest import PASSWORD, Reader, form_of
from tests.web.review_scene import CODE, LEADER, SUMMARY, TITLE, UNIT, ReviewSite, review_site


@pytest.fixture
def site(database: Database, password_hash: str, tmp_path: Path) -> Iterator[ReviewSite]:
    with review_site(database, password_hash, tmp_path, accepted=False) as made:
        yield made


def key(site: ReviewSite) -> bytes:
    with site.database.session() as session:
        return invitation_key(session.conn)


def token(site: ReviewSite, task_id: UUID | None = None, person_id: UUID | None = None) -> str:
    today = site.world.clock.today()
    return signed_link(key(site), task_id or site.task_id, person_id or site.expert.id, today)


def mailed_code(site: ReviewSite) -> str:
    """The code as the mail that is owed says it."""
    rows = site.world.rows(
        "SELECT id FROM message WHERE template = 'login_code' ORDER BY created_at DESC, "
        "(SELECT created_at FROM login_code c WHERE c.id = (context->>'login_code')::uuid) DESC LIMIT 1"
    )
    with site.database.session() as session:
        letter = load_letters(session.conn, [rows[0][0]], today=site.world.clock.today(), public_url="")[0]
    return str(letter.values["login_code"])


def ask(reader: Reader, link: str) -> int:
    """Press the button that has a code sent."""
    path = f"/invitations/{link}"
    fields = form_of(reader.get(path).text, f"{path}/code")
    return reader.client.post(f"{path}/code", data=fields).status_code


def enter(reader: Reader, link: str, code: str) -> Any:
    path = f"/invitations/{link}"
    fields = form_of(reader.get(f"{path}?sent=1").text, f"{path}/enter")
    return reader.client.post(f"{path}/enter", data={**fields, "code": code})


def test_a_link_says_whose_it_is_and_nothing_of_the_application(site: ReviewSite) -> None:
    reader = site.anonymous()
    answer = reader.get(f"/invitations/{token(site)}")
    name = site.world.value("SELECT name FROM person WHERE id = %s", site.expert.id)
    assert answer.status_code == 200 and name in answer.text
    assert "set-cookie" not in answer.headers or "milepost=" not in answer.headers["set-cookie"]
    for secret in (TITLE, SUMMARY, UNIT, LEADER, CODE, str(site.project_id)):
        assert secret not in answer.text
    assert reader.get(f"/tasks/{site.task_id}").status_code == 303, "no log-in by a link alone"


def test_whatever_is_wrong_with_a_link_the_answer_is_the_same(site: ReviewSite) -> None:
    good = token(site)
    other_task = site.world.value("SELECT id FROM task WHERE id <> %s", site.task_id)
    elsewhere = signed_link(b"\0" * 32, site.task_id, site.expert.id, site.world.clock.today())
    old = signed_link(
        key(site),
        site.task_id,
        site.expert.id,
        site.world.clock.today() - timedelta(days=LINK_DAYS + 1),
    )
    bad = {
        "altered": good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
        "padded": good + "=",
        "cut": good[:-5],
        "empty text": "x",
        "not base64": "ä" * 20,
        "another installation": elsewhere,
        "expired": old,
        "another's task": token(site, task_id=other_task),
        "nobody": token(site, person_id=UUID(int=7)),
    }
    answers = {}
    for name, link in bad.items():
        reader = site.anonymous()
        answer = reader.get(f"/invitations/{link}")
        reader.get("/login")
        csrf = form_of(reader.get("/login").text, "/login")["csrf"]
        for what in ("code", "enter"):
            posted = reader.client.post(f"/invitations/{link}/{what}", data={"csrf": csrf, "code": "x"})
            assert (posted.status_code, posted.text) == (404, answer.text), (name, what)
        answers[name] = (answer.status_code, answer.text)
    somebody_else = site.the("expert", 1).get(f"/invitations/{good}")
    answers["somebody else is logged in"] = (somebody_else.status_code, somebody_else.text)
    site.world.take("system", "task.take_away", site.task_id, reason="test")
    taken = site.anonymous().get(f"/invitations/{good}")
    answers["taken away"] = (taken.status_code, taken.text)
    assert len(set(answers.values())) == 1 and answers["cut"][0] == 404, answers.keys()
    assert site.world.value("SELECT count(*) FROM login_code") == 0


@pytest.mark.parametrize("end", ["conflict", "declined", "disabled", "revoked"])
def test_a_link_ends_with_the_task_and_with_the_expert(site: ReviewSite, end: str) -> None:
    link = token(site)
    assert site.anonymous().get(f"/invitations/{link}").status_code == 200
    with site.database.session() as session:
        if end == "conflict":
            site.declare_conflict()
        elif end == "declined":
            site.world.take(site.expert, "task.decline", site.task_id, reason="test")
        elif end == "disabled":
            session.conn.execute("UPDATE person SET active = false WHERE id = %s", (site.expert.id,))
        else:
            session.conn.execute(
                "UPDATE role_grant SET revoked_at = granted_at WHERE person_id = %s", (site.expert.id,)
            )
    assert site.anonymous().get(f"/invitations/{link}").status_code == 404


def test_a_link_leads_to_the_task_by_password_and_for_who_is_logged_in(site: ReviewSite) -> None:
    reader = site.anonymous()
    fields = form_of(reader.get(f"/invitations/{token(site)}").text, "/login")
    answer = reader.client.post("/login", data={**fields, "login": "expert-1", "password": PASSWORD})
    assert answer.headers["location"] == f"/tasks/{site.task_id}"
    assert reader.get(f"/invitations/{token(site)}").headers["location"] == f"/tasks/{site.task_id}"


def test_a_code_opens_an_ordinary_log_in_that_releases_no_money(site: ReviewSite) -> None:
    reader = site.anonymous()
    assert ask(reader, token(site)) == 303
    code = mailed_code(site)
    answer = enter(reader, token(site), f" {code.lower().replace('-', ' ')} ")
    assert answer.status_code == 303 and answer.headers["location"] == f"/tasks/{site.task_id}"
    assert TITLE in reader.get(f"/tasks/{site.task_id}").text
    age = site.world.value(
        "SELECT extract(epoch FROM created_at - fresh_at) FROM web_session WHERE person_id = %s",
        site.expert.id,
    )
    assert age > 86_400, "no password was typed"


def test_a_code_works_once_for_minutes_and_dies_with_the_next(site: ReviewSite) -> None:
    link = token(site)
    ask(site.anonymous(), link)
    first = mailed_code(site)
    site.minutes.advance(timedelta(minutes=1))
    ask(site.anonymous(), link)
    second = mailed_code(site)
    assert enter(site.anonymous(), link, first).status_code == 401, "a new one was sent since"
    assert enter(site.anonymous(), link, second).status_code == 303
    assert enter(site.anonymous(), link, second).status_code == 401, "used"
    ask(site.anonymous(), link)
    third = mailed_code(site)
    site.minutes.advance(timedelta(minutes=11))
    assert enter(site.anonymous(), link, third).status_code == 401, "too late"


def test_after_a_few_wrong_tries_the_right_code_opens_nothing(site: ReviewSite) -> None:
    link = token(site)
    ask(site.anonymous(), link)
    code = mailed_code(site)
    texts = {enter(site.anonymous(), link, "AAAA-AAAA").status_code for _ in range(TRIES_MAX)}
    assert texts == {401}
    assert enter(site.anonymous(), link, code).status_code == 401
    assert site.world.value("SELECT attempts FROM login_code") == TRIES_MAX


def test_a_code_is_anothers_for_nobody(site: ReviewSite) -> None:
    ask(site.anonymous(), token(site))
    code = mailed_code(site)
    other, task = site.world.rows("SELECT expert_id, id FROM task WHERE id <> %s", site.task_id)[0]
    answer = enter(site.anonymous(), token(site, task_id=task, person_id=other), code)
    assert answer.status_code == 401


def test_codes_are_sent_a_few_times_an_hour_and_no_more(site: ReviewSite) -> None:
    reader = site.anonymous()
    assert [ask(reader, token(site)) for _ in range(CODES_AN_HOUR + 1)] == [303] * CODES_AN_HOUR + [429]
    assert site.world.value("SELECT count(*) FROM login_code") == CODES_AN_HOUR
    site.minutes.advance(timedelta(minutes=61))
    assert ask(reader, token(site)) == 303


def test_of_a_code_only_a_hash_stands_in_the_database(site: ReviewSite) -> None:
    link = token(site)
    ask(site.anonymous(), link)
    code = mailed_code(site).replace("-", "")
    with site.database.session() as session:
        session.conn.execute("UPDATE message SET state = 'sent', raw = %s", (code.encode(),))
    for table in ("login_code", "setting", "web_session"):
        assert code not in str(site.world.rows(f"SELECT row_to_json(t)::text FROM {table} t"))
    assert code not in str(site.world.rows("SELECT context, source FROM message"))
    assert enter(site.anonymous(), link, code).status_code == 303
    left = site.world.rows("SELECT raw FROM message WHERE template = 'login_code'")
    assert left == [(None,)], "the mail's bytes are forgotten with the code"


def test_the_forms_of_the_page_are_proven_ours(site: ReviewSite) -> None:
    reader = site.anonymous()
    path = f"/invitations/{token(site)}"
    assert reader.client.post(f"{path}/code", data={}).status_code == 403
    reader.get(path)
    assert reader.client.post(f"{path}/code", data={"csrf": "x"}).status_code == 403
    fields = form_of(reader.get(path).text, f"{path}/code")
    headers = {"origin": "https://evil.example"}
    assert reader.client.post(f"{path}/code", data=fields, headers=headers).status_code == 403
    assert site.world.value("SELECT count(*) FROM login_code") == 0


def test_the_page_speaks_the_experts_language_until_the_browser_chose_another(site: ReviewSite) -> None:
    path = f"/invitations/{token(site)}"
    with site.database.session() as session:
        session.conn.execute("UPDATE person SET locale = 'en' WHERE id = %s", (site.expert.id,))
    reader = site.anonymous()
    assert "Invitation to review" in reader.get(path).text
    reader.client.cookies.set("lang", "zh", domain="testserver.local")
    assert "评审邀请" in reader.get(path).text


def test_codes_differ_from_row_to_row_and_links_hold_what_was_signed(site: ReviewSite) -> None:
    codes = {code_of(b"key", UUID(int=n)) for n in range(2000)}
    assert len(codes) == 2000 and all(len(code) == 8 for code in codes)
    link = read_link(key(site), token(site))
    assert link is not None
    last = site.world.clock.today() + timedelta(days=LINK_DAYS)
    assert link == (site.task_id, site.expert.id, last)
