"""An expert's page shows what they may read and nothing else, and no way of sending it loses a word."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from milepost.db import Database
from milepost.mail.facts import load_letters
from tests.web.conftest import PASSWORD, Reader, Site, form_of, message_codes
from tests.web.review_scene import CODE, LEADER, MEMBER, SUMMARY, TITLE, UNIT, ReviewSite, review_site

HIDDEN = (UNIT, LEADER, MEMBER, CODE)
GOOD = {"scores.novelty": "80", "scores.team": "4", "scores.lawful": "1", "comment": "好 😀\n第二行"}


@pytest.fixture
def site(database: Database, password_hash: str, tmp_path: Path) -> Iterator[ReviewSite]:
    with review_site(database, password_hash, tmp_path) as made:
        yield made


def page_of(site: ReviewSite, reader: Reader) -> httpx.Response:
    return reader.get(f"/tasks/{site.task_id}")


def form(site: ReviewSite, reader: Reader, **typed: str) -> dict[str, Any]:
    """The form as it is shown now, with something typed into it."""
    return {**form_of(page_of(site, reader).text, f"/tasks/{site.task_id}/submit"), **typed}


def send(site: ReviewSite, reader: Reader, what: str, fields: dict[str, Any], **given: Any) -> httpx.Response:
    return reader.client.post(f"/tasks/{site.task_id}/{what}", data=fields, **given)


def script(site: ReviewSite, reader: Reader, **typed: str) -> httpx.Response:
    """A save as the page's script makes it."""
    fields = {"csrf": reader.csrf(), "base": "0", "tab": "t", "sequence": "1", **typed}
    return send(site, reader, "draft", fields, headers={"accept": "application/json"})


# What is shown -------------------------------------------------------------------------------------------


def test_a_double_blind_review_names_no_applicant_wherever_its_expert_reads(site: ReviewSite) -> None:
    reader = site.reader(site.expert)
    reader.client.follow_redirects = True
    task, project = site.task_id, site.project_id
    paths = ["/", f"/tasks/{task}", f"/tasks/{task}/draft", f"/projects/{project}", f"/go/task/{task}"]
    paths += [f"/steps/task.{verb}/{task}" for verb in ("submit", "recuse", "decline", "save_draft")]
    paths += ["/api/v1/work", f"/api/v1/task/{task}/available", f"/api/v1/projects/{project}", "/projects"]
    for path in paths:
        answer = reader.get(path)
        found = f"{answer.url}\n{answer.headers}\n{answer.text}"
        assert [word for word in HIDDEN if word in found] == [], path
    page = page_of(site, reader).text
    reference = f"R-{str(task)[:8].upper()}"
    for shown in (TITLE, SUMMARY, "430", "520", "1,000,000.00", "Milestone plan", reference):
        assert shown in page, shown
    assert reference in reader.get("/").text


def test_mail_to_the_expert_of_a_double_blind_review_names_no_applicant(site: ReviewSite) -> None:
    with site.database.session() as session:
        ids = [
            r[0] for r in site.world.rows("SELECT id FROM message WHERE recipient_id = %s", site.expert.id)
        ]
        letters = load_letters(session.conn, ids, today=site.world.clock.today(), public_url="https://x")
    assert any(letter.template == "task_invited" for letter in letters)
    for letter in letters:
        assert [word for word in HIDDEN if word in str(letter.values)] == [], letter.template
        assert letter.values["link"].startswith("https://x/invitations/")


@pytest.mark.parametrize("blinding", ["single", "open"])
def test_without_double_blinding_the_expert_sees_who_applies_before_they_accept(
    database: Database, password_hash: str, tmp_path: Path, blinding: str
) -> None:
    with review_site(database, password_hash, tmp_path, blinding=blinding, accepted=False) as site:
        page = page_of(site, site.reader(site.expert)).text
    assert [word for word in HIDDEN if word not in page] == []
    assert "Milestone plan" not in page and "1,000,000.00" not in page, "not needed to decide"


def test_an_invitation_is_answered_on_the_page_itself(
    database: Database, password_hash: str, tmp_path: Path
) -> None:
    with review_site(database, password_hash, tmp_path, accepted=False) as site:
        reader = site.reader(site.expert)
        page = page_of(site, reader).text
        assert "Kin" in page or "kin" in page, "what counts as a conflict"
        assert SUMMARY in page and "My review" not in page
        accept = form_of(page, f"/steps/task.accept/{site.task_id}")
        answer = reader.client.post(f"/steps/task.accept/{site.task_id}", data=accept)
        assert answer.headers["location"] == f"/tasks/{site.task_id}?done=task.accept"
        page = page_of(site, reader).text
        assert "My review" in page and "What is new against the best that exists." in page
        recuse = form_of(page, f"/steps/task.recuse/{site.task_id}")
        recuse["reason"] = "a former colleague"
        assert reader.client.post(f"/steps/task.recuse/{site.task_id}", data=recuse).status_code == 303
        after = page_of(site, reader).text
        assert TITLE not in after and SUMMARY not in after, "whoever left reads no more"


def test_the_page_is_for_its_expert_alone_and_ends_with_the_task(site: ReviewSite) -> None:
    paths = [f"/tasks/{site.task_id}", f"/tasks/{site.task_id}/draft"]
    others = [site.the("expert", 1), site.the("programme_officer"), site.the("supervisor")]
    own = site.reader(site.expert)
    assert script(site, own, comment="MARKED-DRAFT").status_code == 200
    for reader in others:
        assert {reader.get(path).status_code for path in paths} == {404}
        assert script(site, reader, comment="x").status_code == 404
        assert "MARKED-DRAFT" not in reader.get(f"/projects/{site.project_id}").text
    token = own.csrf()
    site.declare_conflict()
    assert {own.get(path).status_code for path in paths} == {404}
    for what in ("draft", "submit", "draft/take"):
        answer = send(site, own, what, {"csrf": token, "kept": str(uuid4()), "comment": "x"})
        assert answer.status_code == 404, what
        assert TITLE not in answer.text
    assert site.draft()["comment"] == "MARKED-DRAFT"


def test_drafts_are_in_no_event_and_no_export_of_the_record(site: ReviewSite) -> None:
    script(site, site.reader(site.expert), comment="MARKED-DRAFT")
    assert (
        site.world.value(
            "SELECT count(*) FROM event WHERE convert_from(body, 'UTF8') LIKE '%%MARKED-DRAFT%%'"
        )
        == 0
    )


# Typing and submitting -------------------------------------------------------------------------------------


def test_without_a_script_a_half_filled_form_is_saved_and_comes_back_as_typed(site: ReviewSite) -> None:
    reader = site.reader(site.expert)
    typed = {"scores.novelty": "4,5 oder so", "comment": "  erste\r\n\r\nzweite <b>"}
    answer = send(site, reader, "draft", form(site, reader, **typed))
    assert answer.headers["location"] == f"/tasks/{site.task_id}?said=saved"
    again = form(site, reader)
    assert again["scores.novelty"] == "4,5 oder so"
    assert again["comment"] == "  erste\n\nzweite <b>"
    assert site.task("state") == "accepted"


def test_a_review_is_submitted_once_by_one_request(site: ReviewSite) -> None:
    reader = site.reader(site.expert)
    fields = form(site, reader, **GOOD)
    first, second = (send(site, reader, "submit", fields) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert (
        first.headers["location"] == second.headers["location"] == f"/tasks/{site.task_id}?done=task.submit"
    )
    assert site.task("state") == "submitted"
    assert site.task("scores") == {"novelty": 80, "team": 4, "lawful": 1}
    assert site.task("comment") == "好 😀\n第二行"
    assert site.task("score_milli") == 85_000
    count = "SELECT count(*) FROM event WHERE subject_id = %s AND step = 'task.submit'"
    assert site.world.value(count, site.task_id) == 1
    page = page_of(site, reader).text
    assert "85.00 / 100" in page and "好 😀" in page and "My review" not in page


@pytest.mark.parametrize(
    ("typed", "status", "code", "said"),
    [
        ({"scores.novelty": "4.5"}, 422, None, "Give a whole number"),
        ({"scores.novelty": ""}, 422, "scores_incomplete", "Give this one a score"),
        ({"scores.novelty": "101"}, 422, "score_out_of_range", "between 0 and 100"),
        ({"scores.novelty": "-1"}, 422, None, "Give a whole number"),
        ({"scores.lawful": "2"}, 422, "score_out_of_range", "between 0 and 1"),
        ({"comment": "x" * 20_001}, 422, "input_invalid", ""),
    ],
)
def test_what_cannot_be_submitted_is_saved_and_says_where_it_is_wrong(
    site: ReviewSite, typed: dict[str, str], status: int, code: str | None, said: str
) -> None:
    reader = site.reader(site.expert)
    fields = form(site, reader, **{**GOOD, **typed})
    answer = send(site, reader, "submit", fields)
    assert answer.status_code == status
    assert message_codes(answer.text) == ([code] if code else [])
    assert said in answer.text
    assert site.draft()["comment"] == fields["comment"]
    again = form_of(answer.text, f"/tasks/{site.task_id}/submit")
    assert again["comment"] == fields["comment"] and again["request_id"] != fields["request_id"]
    assert site.task("state") == "accepted"


def test_a_stale_window_shows_both_texts_before_one_of_them_is_the_review(site: ReviewSite) -> None:
    reader = site.reader(site.expert)
    stale = form(site, reader, **{**GOOD, "comment": "old window"})
    script(site, reader, comment="new window", tab="other")
    answer = send(site, reader, "submit", stale)
    assert answer.status_code == 409 and "old window" in answer.text and "new window" in answer.text
    assert site.task("state") == "accepted"
    kept = form_of(answer.text, f"/tasks/{site.task_id}/draft/take")
    taken = send(site, reader, "draft/take", kept)
    assert taken.headers["location"].startswith(f"/tasks/{site.task_id}?said=taken")
    page = page_of(site, reader).text
    assert form_of(page, f"/tasks/{site.task_id}/submit")["comment"] == "new window"
    assert "old window" in page, "what stood in the form is kept now"


def test_after_a_reopening_the_form_holds_what_was_submitted(site: ReviewSite) -> None:
    reader = site.reader(site.expert)
    script(site, reader, comment="a draft, never sent", tab="web")
    scores = {"novelty": 55, "team": 2, "lawful": 0}
    site.world.take(site.expert, "task.submit", site.task_id, scores=scores, comment="by the API")
    assert "a draft, never sent" in page_of(site, reader).text, "readable until the round is decided"
    site.world.take("programme_officer", "task.reopen", site.task_id, reason="please look at the plan again")
    page = page_of(site, reader).text
    assert "please look at the plan again" in page
    fields = form_of(page, f"/tasks/{site.task_id}/submit")
    assert (fields["scores.novelty"], fields["comment"]) == ("55", "by the API")
    assert send(site, reader, "submit", {**fields, **GOOD}).status_code == 303
    assert site.task("comment") == GOOD["comment"]


def test_once_the_round_is_decided_what_was_not_submitted_is_shown_no_more(site: ReviewSite) -> None:
    reader = site.reader(site.expert)
    script(site, reader, comment="MARKED-DRAFT", tab="web")
    scores = {"novelty": 55, "team": 2, "lawful": 1}
    site.world.take(site.expert, "task.submit", site.task_id, scores=scores, comment="my review")
    site.world.take("programme_officer", "round.score", site.round_id)
    site.world.take("programme_officer", "round.decide", site.round_id)
    page = page_of(site, reader).text
    assert "my review" in page and "MARKED-DRAFT" not in page and "Milestone plan" not in page


# Log-ins that end, forms that are not ours -----------------------------------------------------------------


def _end_logins(site: Site) -> None:
    with site.database.session() as session:
        session.conn.execute("DELETE FROM web_session")


@pytest.mark.parametrize("what", ["submit", "draft"])
def test_a_form_whose_log_in_ended_comes_back_whole_and_is_saved_by_logging_in(
    site: ReviewSite, what: str
) -> None:
    reader = site.reader(site.expert)
    fields = form(site, reader, **GOOD)
    _end_logins(site)
    answer = send(site, reader, what, fields)
    assert answer.status_code == 401
    assert site.draft() == {} and site.task("state") == "accepted"
    again = form_of(answer.text, f"/tasks/{site.task_id}/draft")
    assert {name: again[name] for name in GOOD} == GOOD
    wrong = send(site, reader, "draft", {**again, "login": "expert-1", "password": "not this one"})
    assert wrong.status_code == 401 and GOOD["comment"] in wrong.text
    again = form_of(wrong.text, f"/tasks/{site.task_id}/draft")
    other = send(site, reader, "draft", {**again, "login": "expert-2", "password": PASSWORD})
    assert other.status_code == 401 and GOOD["comment"] in other.text
    assert "set-cookie" not in other.headers or "milepost=" not in other.headers["set-cookie"]
    right = send(site, reader, "draft", {**again, "login": "expert-1", "password": PASSWORD})
    assert right.status_code == 303 and right.headers["location"].startswith(f"/tasks/{site.task_id}")
    assert form(site, reader)["comment"] == GOOD["comment"]
    assert site.draft()["scores"] == {"novelty": "80", "team": "4", "lawful": "1"}


def test_the_script_is_told_that_the_log_in_ended_and_gets_the_new_token_after_it(site: ReviewSite) -> None:
    reader = site.reader(site.expert)
    old = reader.csrf()
    _end_logins(site)
    headers = {"accept": "application/json"}
    assert send(site, reader, "draft", {"csrf": old, "comment": "x"}, headers=headers).status_code == 401
    again = site.reader(site.expert)
    assert send(site, again, "draft", {"csrf": old, "comment": "x"}, headers=headers).status_code == 403
    told = json.loads(again.get(f"/tasks/{site.task_id}/draft").text)
    assert (
        send(site, again, "draft", {"csrf": told["csrf"], "comment": "x"}, headers=headers).status_code == 200
    )


def test_a_form_that_is_not_ours_saves_and_submits_nothing(site: ReviewSite) -> None:
    reader, other = site.reader(site.expert), site.the("expert", 1)
    fields = form(site, reader, **GOOD)
    for what in ("draft", "submit", "draft/take"):
        for wrong in ({**fields, "csrf": ""}, {**fields, "csrf": other.csrf()}):
            assert send(site, reader, what, wrong).status_code == 403, what
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
            assert send(site, reader, what, fields, headers=headers).status_code == 403
    stranger = site.anonymous()
    forged = {**fields, "login": "expert-1", "password": PASSWORD}
    assert send(site, stranger, "draft", forged).status_code == 401, "a log-in needs a form of ours too"
    assert site.draft() == {} and site.task("state") == "accepted"


def test_too_much_text_is_refused_with_the_bound_and_nothing_is_overwritten(site: ReviewSite) -> None:
    reader = site.reader(site.expert)
    script(site, reader, comment="short")
    answer = script(site, reader, comment="字" * 100_001, sequence="2")
    assert answer.status_code == 422 and "100000" in answer.json()["problem"]
    assert site.draft()["comment"] == "short"


def test_the_page_keeps_the_strict_policy_and_both_languages(site: ReviewSite) -> None:
    for locale, word in (("zh", "我的评审"), ("en", "My review")):
        text = page_of(site, site.reader(site.expert, locale)).text
        assert word in text
        assert " style=" not in text and not re.search(r"<script(?! src)", text) and " onclick" not in text


def test_a_late_review_is_still_taken(site: ReviewSite) -> None:
    reader = site.reader(site.expert)
    fields = form(site, reader, **GOOD)
    site.world.clock.advance(timedelta(days=60))
    site.world.take("system", "task.fall_late", site.task_id)
    assert send(site, reader, "submit", fields).status_code == 303
    assert site.task("state") == "submitted"
