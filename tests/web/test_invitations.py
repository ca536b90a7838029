"""An invitation's link tells nothing and opens no log-in; a mailed code opens one, once, for minutes."""

from __future__ import annotations

import base64
import re
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


def execute(site: ReviewSite, sql: str, *params: Any) -> None:
    with site.database.session() as session:
        session.conn.execute(sql, params)


def shown(reader: Reader, link: str) -> tuple[int, str, list[tuple[str, str]]]:
    """What the link's page says: status, content and headers, but for the link and the form's token."""
    reader.get("/login")
    answer = reader.get(f"/invitations/{link}")
    found = re.findall('name="csrf" value="([^"]*)"', answer.text)
    text = answer.text.replace(found[0] if found else "\0", "CSRF").replace(link, "LINK")
    headers = sorted((k, v) for k, v in answer.headers.items() if k not in ("set-cookie", "content-length"))
    return answer.status_code, text, headers


def test_a_link_says_nothing_of_its_expert_or_of_the_application(site: ReviewSite) -> None:
    reader = site.anonymous()
    with site.database.session() as session:
        session.conn.execute("UPDATE person SET locale = 'en' WHERE id = %s", (site.expert.id,))
    answer = reader.get(f"/invitations/{token(site)}")
    name, login = site.world.rows("SELECT name, login FROM person WHERE id = %s", site.expert.id)[0]
    assert answer.status_code == 200 and "评审邀请" in answer.text, "in the office's language, not in theirs"
    assert "set-cookie" not in answer.headers or "milepost=" not in answer.headers["set-cookie"]
    secrets = (TITLE, SUMMARY, UNIT, LEADER, CODE, str(site.project_id), name, login, str(site.task_id))
    for secret in (*secrets, str(site.expert.id)):
        assert secret not in f"{answer.headers} {answer.text}", secret
    assert reader.get(f"/tasks/{site.task_id}").status_code == 303, "no log-in by a link alone"


def test_a_link_cannot_be_read_without_the_key(site: ReviewSite) -> None:
    """Not even the ids of task and expert, by which records of other things could be matched with it."""
    raw = base64.urlsafe_b64decode(token(site) + "==")
    assert site.task_id.bytes not in raw and site.expert.id.bytes not in raw
    other = base64.urlsafe_b64decode(token(site, task_id=UUID(int=1)) + "==")
    assert all(a != b for a, b in zip(batched(raw[:36]), batched(other[:36]), strict=True)), "nothing repeats"


def batched(raw: bytes) -> list[bytes]:
    return [raw[at : at + 4] for at in range(0, len(raw), 4)]


def test_whatever_is_wrong_with_a_link_the_answer_is_the_same(site: ReviewSite) -> None:
    good = token(site)
    today = site.world.clock.today()
    bad = {
        "altered": good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
        "padded": good + "=",
        "cut": good[:-5],
        "empty text": "x",
        "not base64": "ä" * 20,
        "another installation": signed_link(b"\0" * 32, site.task_id, site.expert.id, today),
        "expired": signed_link(
            key(site), site.task_id, site.expert.id, today - timedelta(days=LINK_DAYS + 1)
        ),
    }
    answers = {}
    for name, link in bad.items():
        reader = site.anonymous()
        answers[name] = shown(reader, link)
        csrf = form_of(reader.get("/login").text, "/login")["csrf"]
        for what in ("code", "enter"):
            posted = reader.client.post(f"/invitations/{link}/{what}", data={"csrf": csrf, "code": "x"})
            assert (posted.status_code, posted.text) == (404, answers[name][1]), (name, what)
    assert len({str(answer) for answer in answers.values()}) == 1 and answers["cut"][0] == 404
    assert site.world.value("SELECT count(*) FROM login_code") == 0


def test_a_link_of_ours_says_the_same_whatever_became_of_its_task(site: ReviewSite) -> None:
    """Who holds it learns neither whose it is, nor that somebody accepted, declined or was replaced."""
    first, task = token(site), site.task_id
    asked = shown(site.anonymous(), first)
    other = site.world.value("SELECT id FROM task WHERE id <> %s", task)
    for name, link in (("nobody's", token(site, person_id=UUID(int=7))), ("another", token(site, other))):
        assert shown(site.anonymous(), link) == asked, name
    ends = {
        "accepted": lambda: site.world.take(site.expert, "task.accept", task),
        "conflict": lambda: site.declare_conflict(),
        "taken away": lambda: site.world.take("system", "task.take_away", task, reason="test"),
        "revoked": lambda: execute(
            site, "UPDATE role_grant SET revoked_at = granted_at WHERE person_id = %s", site.expert.id
        ),
        "closed": lambda: execute(site, "UPDATE person SET active = false WHERE id = %s", site.expert.id),
    }
    for name, end in ends.items():
        end()
        reader = site.anonymous()
        assert shown(reader, first) == asked, name
        answers = [
            reader.client.post(
                f"/invitations/{first}/{what}",
                data={**form_of(reader.get(f"/invitations/{first}?sent=1").text, "/login"), "code": "x"},
            )
            for what in ("code", "enter")
        ]
        assert [answer.status_code for answer in answers] == [303, 401], name
        assert answers[0].headers["location"] == f"/invitations/{first}?sent=1"
    # A code was mailed as long as there was somebody who could use it, and never after.
    assert site.world.value("SELECT count(*) FROM login_code") == 3


def test_who_lost_the_task_logs_in_by_the_link_all_the_same(site: ReviewSite) -> None:
    link = token(site)
    site.world.take(site.expert, "task.decline", site.task_id, reason="test")
    reader = site.anonymous()
    ask(reader, link)
    answer = enter(reader, link, mailed_code(site))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert reader.get(f"/invitations/{link}").headers["location"] == "/"


def test_who_is_logged_in_as_somebody_else_is_told_so_and_no_more(site: ReviewSite) -> None:
    reader = site.the("expert", 1)
    own = site.world.value("SELECT login FROM person WHERE id = %s", site.world.people["expert"][1].id)
    answer = reader.get(f"/invitations/{token(site)}")
    name = site.world.value("SELECT name FROM person WHERE id = %s", site.expert.id)
    assert answer.status_code == 200 and own in answer.text and name not in answer.text


def test_a_link_leads_to_the_task_by_password_and_for_who_is_logged_in(site: ReviewSite) -> None:
    reader = site.anonymous()
    fields = form_of(reader.get(f"/invitations/{token(site)}").text, "/login")
    answer = reader.client.post("/login", data={**fields, "login": "expert-1", "password": PASSWORD})
    assert answer.headers["location"] == f"/invitations/{token(site)}"
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
    assert [ask(reader, token(site)) for _ in range(CODES_AN_HOUR + 1)] == [303] * (CODES_AN_HOUR + 1)
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


def test_the_page_speaks_the_browsers_language(site: ReviewSite) -> None:
    path = f"/invitations/{token(site)}"
    reader = site.anonymous()
    assert "Invitation to review" in reader.get(path, headers={"accept-language": "en"}).text
    reader.client.cookies.set("lang", "zh", domain="testserver.local")
    assert "评审邀请" in reader.get(path).text


def test_codes_differ_from_row_to_row_and_links_hold_what_was_signed(site: ReviewSite) -> None:
    codes = {code_of(b"key", UUID(int=n)) for n in range(2000)}
    assert len(codes) == 2000 and all(len(code) == 8 for code in codes)
    link = read_link(key(site), token(site))
    assert link is not None
    last = site.world.clock.today() + timedelta(days=LINK_DAYS)
    assert link == (site.task_id, site.expert.id, last)
