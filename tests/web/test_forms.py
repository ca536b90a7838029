"""A form is safe to fill in: nothing typed is lost, nothing happens twice, every refusal says why and who."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from tests.web.conftest import PASSWORD, Site, form_of, message_codes

APPLICATION = {
    "code": "WEB-1",
    "title": "一个项目 <b>x</b>",
    "office_path": "/",
    "unit_name": "Unit",
    "leader_name": "Leader",
    "requested_minor": "1,000.00",
    "currency": "CNY",
}


def application(site: Site, **typed: object) -> dict[str, object]:
    plan = {"plan.title": ["first", ""], "plan.amount": ["1000", ""], "plan.due_on": ["2026-01-01", ""]}
    return {**APPLICATION, "programme_id": str(site.world.published.id), **plan, **typed}


def events(site: Site, project_id: UUID) -> int:
    return int(site.world.value("SELECT count(*) FROM event WHERE chain_id = %s", project_id))


def test_an_application_is_made_and_handed_in_by_forms_alone(site: Site) -> None:
    reader = site.the("applicant")
    answer = reader.take("project.apply", None, **application(site))
    assert answer.status_code == 303
    page = reader.get(answer.headers["location"])
    assert page.status_code == 200 and "1,000.00 CNY" in page.text
    assert "<b>x</b>" not in page.text, "what people type is text"
    project_id = site.world.value("SELECT id FROM project WHERE code = 'WEB-1'")
    assert reader.take("project.sign_unit_pledge", project_id).status_code == 303
    refused = reader.take("project.submit", project_id)
    assert refused.status_code == 409 and "pledge_leader_missing" in message_codes(refused.text)
    assert "Principal investigator" in refused.text, "who can act"


def test_an_amount_that_cannot_be_read_comes_back_as_typed_with_the_remedy(site: Site) -> None:
    for locale, words in (("en", "12,345.67"), ("zh", "请写成")):
        reader = site.the("applicant", locale=locale)
        answer = reader.take("project.apply", None, **application(site, requested_minor="12,3,4.567"))
        assert answer.status_code == 422
        assert 'value="12,3,4.567"' in answer.text and 'value="first"' in answer.text
        assert words in answer.text
    assert site.world.value("SELECT count(*) FROM project") == 0


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("code", ""),
        ("code", "ä b"),
        ("title", "x" * 301),
        ("programme_id", "no-id"),
        ("requested_minor", "-5"),
        ("requested_minor", "0"),
        ("requested_minor", "9" * 60),
        ("office_path", "../etc"),
        ("plan.due_on", ["2026-13-01", ""]),
        ("plan.title", ["", ""]),
    ],
)
def test_whatever_cannot_be_read_is_named_at_its_field(site: Site, field: str, typed: object) -> None:
    reader = site.the("applicant")
    answer = reader.take("project.apply", None, **application(site, **{field: typed}))
    assert answer.status_code == 422
    name = field.partition(".")[0]
    assert f'class="field wrong" id="field-{name}"' in answer.text
    assert 'value="Leader"' in answer.text


def test_a_second_submit_answers_with_the_first_receipt(site: Site) -> None:
    project_id = site.world.project_at("completeness_check")
    reader = site.the("programme_officer")
    fields = reader.form("project.pass_completeness", project_id)
    first = reader.send("project.pass_completeness", project_id, fields)
    before = events(site, project_id)
    second = reader.send("project.pass_completeness", project_id, fields)
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert events(site, project_id) == before


def test_a_stale_page_is_refused_and_keeps_what_was_typed(site: Site) -> None:
    project_id = site.world.project_at("completeness_check")
    reader = site.the("programme_officer")
    fields = reader.form("project.place_hold", project_id)
    site.world.take("supervisor", "project.place_hold", project_id, reason="meanwhile")
    answer = reader.send("project.place_hold", project_id, {**fields, "reason": "what I typed"})
    assert answer.status_code == 409
    assert message_codes(answer.text) == ["stale_page"]
    assert "what I typed" in answer.text
    again = form_of(answer.text, f"/steps/project.place_hold/{project_id}")
    assert again["request_id"] != fields["request_id"]
    assert reader.send("project.place_hold", project_id, again).status_code == 303


def test_a_step_that_is_over_says_where_the_subject_stands(site: Site) -> None:
    project_id = site.world.project_at("eligibility_check")
    answer = site.the("programme_officer", locale="zh").get(f"/steps/project.pass_completeness/{project_id}")
    assert answer.status_code == 409
    assert "资格审查" in answer.text and "eligibility_check" not in answer.text


def test_checklist_and_rubric_and_sum_are_read_into_the_steps_input(site: Site) -> None:
    world = site.world
    project_id = world.project_at("eligibility_check")
    officer = site.the("programme_officer")
    codes = [item.code for item in world.programme.checklist]
    refused = officer.take("project.confirm_eligibility", project_id, met=codes[:1])
    assert refused.status_code == 422 and refused.text.count("checked") == 1
    assert officer.take("project.confirm_eligibility", project_id, met=codes).status_code == 303
    round_id, tasks = world.open_round(project_id, experts=1)
    expert = site.the("expert")
    assert expert.take("task.accept", tasks[0]).status_code == 303
    draft = expert.take("task.save_draft", tasks[0], **{"scores.novelty": "7", "comment": "half"})
    assert draft.headers["location"].startswith(f"/tasks/{tasks[0]}")
    form = expert.form("task.submit", tasks[0])
    assert form["scores.novelty"] == "7" and form["comment"] == "half", "no typed word is lost"
    wrong = expert.send("task.submit", tasks[0], {**form, "scores.feasibility": "lots"})
    assert wrong.status_code == 422 and "“lots”" in wrong.text
    assert world.value("SELECT state FROM round WHERE id = %s", round_id) == "open"


def test_a_report_carries_its_documents_to_those_who_may_read_them(site: Site) -> None:
    world = site.world
    project_id = world.project_at("implementation")
    milestone_id = world.milestones(project_id)[0]
    reader = site.the("applicant")
    form = reader.form("milestone.report", milestone_id)
    path = f"/steps/milestone.report/{milestone_id}"
    bad = {"documents": ("报告.pdf", b"MZ not a pdf", "application/pdf")}
    refused = reader.client.post(path, data={**form, "report": "my words"}, files=bad)
    assert refused.status_code == 422 and "my words" in refused.text and "报告.pdf" in refused.text
    good = {"documents": ("../报告\r\nx.pdf", b"%PDF-1.7 content", "text/html")}
    assert reader.client.post(path, data={**form, "report": "done"}, files=good).status_code == 303
    digest = world.value("SELECT documents->>0 FROM milestone WHERE id = %s", milestone_id)
    address = f"/milestone/{milestone_id}/documents/{digest}"
    answer = site.the("programme_officer").get(address)
    assert answer.content == b"%PDF-1.7 content"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert ".." not in answer.headers["content-disposition"]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert site.reader(site.stranger("applicant")).get(address).status_code == 404
    assert site.the("expert").get(address).status_code == 404


def test_what_proves_an_account_is_only_for_those_who_see_its_number(site: Site) -> None:
    """A letter of the bank has the number that the page masks."""
    world = site.world
    project_id = world.project_at("implementation")
    reader = site.the("applicant")
    form = {
        **reader.form("payee.enter", project_id),
        "account_name": "A",
        "account_no": "622200011122233",
        "bank_name": "B",
    }
    letter = {"documents": ("开户证明.pdf", b"%PDF-1.7 622200011122233", "application/pdf")}
    assert reader.client.post(f"/steps/payee.enter/{project_id}", data=form, files=letter).status_code == 303
    payee_id, digest = world.rows(
        "SELECT id, documents->>0 FROM payee WHERE project_id = %s AND jsonb_array_length(documents) > 0",
        project_id,
    )[0]
    address = f"/payee/{payee_id}/documents/{digest}"
    for role, status in (("finance_officer", 200), ("programme_officer", 404), ("supervisor", 404)):
        assert site.the(role).get(address).status_code == status, role


def test_knowing_the_hash_of_a_document_is_not_having_it(site: Site) -> None:
    world = site.world
    milestone_id = world.milestones(world.project_at("implementation"))[0]
    other = site.the("finance_officer").api("POST", "/documents", files={"file": ("a.txt", b"secret")})
    digest = other.json()["sha256"]
    reader = site.the("applicant")
    reader.take("milestone.report", milestone_id, report="x", **{"documents.kept": digest})
    assert world.value("SELECT documents FROM milestone WHERE id = %s", milestone_id) == []


def test_releasing_money_asks_for_the_password_once_more(site: Site) -> None:
    world = site.world
    _, payment_id = world.payment_at("approved")
    reader = site.the("finance_officer", 2)
    site.minutes.advance(timedelta(minutes=11))
    form = reader.form("payment.release", payment_id)
    assert "password" in form
    without = reader.send("payment.release", payment_id, form)
    assert without.status_code == 403 and message_codes(without.text) == ["fresh_login_needed"]
    wrong = reader.send("payment.release", payment_id, {**form, "password": "wrong one"})
    assert wrong.status_code == 403 and "not right" in wrong.text
    before = reader.client.cookies.get("milepost")
    right = reader.send("payment.release", payment_id, {**form, "password": PASSWORD})
    assert right.status_code == 303
    assert reader.client.cookies.get("milepost") != before, "a typed password begins a new session"
    assert world.value("SELECT state FROM payment WHERE id = %s", payment_id) == "released"


def test_one_who_requested_is_told_to_find_another_to_approve(site: Site) -> None:
    _, payment_id = site.world.payment_at("requested")
    name = site.world.value(
        "SELECT person_id FROM duty WHERE payment_id = %s AND duty = 'requester'", payment_id
    )
    actor = next(a for a in site.world.people["finance_officer"] if a.id == name)
    reader = site.reader(actor, "zh")
    project_id = site.world.value("SELECT project_id FROM payment WHERE id = %s", payment_id)
    page = reader.get(f"/projects/{project_id}").text
    assert "您已在本笔拨付中担任“申请人”" in page and "请由另一位财务人员办理" in page
    answer = reader.take("payment.approve", payment_id)
    assert answer.status_code == 409 and message_codes(answer.text) == ["four_eyes"]
    assert str(payment_id) not in reader.get("/").text, "it waits for somebody else"
