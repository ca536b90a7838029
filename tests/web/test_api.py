"""The API is the same steps: every step described, one receipt a request, one shape of refusal."""

from __future__ import annotations

from uuid import uuid4

from openapi_spec_validator import validate

from milepost.web.openapi import path_of, steps_of_people
from tests.web.conftest import PASSWORD, Reader, Site


def bearer(site: Site, login: str) -> Reader:
    """A program with a token."""
    reader = site.anonymous()
    answer = reader.client.post("/api/v1/session", json={"login": login, "password": PASSWORD})
    assert answer.status_code == 201
    reader.client.cookies.clear()
    reader.client.headers["authorization"] = f"Bearer {answer.json()['token']}"
    return reader


def key() -> dict[str, str]:
    return {"idempotency-key": uuid4().hex}


def test_the_description_is_valid_and_holds_every_step_with_its_input(site: Site) -> None:
    document = site.anonymous().get("/api/v1/openapi.json").json()
    validate(document)
    schemas = document["components"]["schemas"]
    for step in steps_of_people():
        operation = document["paths"][path_of(step)]["post"]
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = schemas[reference.rpartition("/")[2]]
        assert set(schema.get("properties", {})) == set(step.input.model_fields), step.name
        assert any(p["name"] == "Idempotency-Key" for p in operation["parameters"])


def test_a_program_works_with_a_token_from_work_list_to_receipt(site: Site) -> None:
    project_id = site.world.project_at("completeness_check")
    officer = bearer(site, "programme_officer-1")
    items = officer.get("/api/v1/work").json()["items"]
    assert str(project_id) in [item["subject_id"] for item in items]
    steps = officer.get(f"/api/v1/project/{project_id}/available").json()["steps"]
    entry = next(s for s in steps if s["step"] == "project.pass_completeness")
    assert entry["allowed"] and entry["label"]["zh"] == "形式审查通过"
    path = f"/api/v1/project/{project_id}/steps/project.pass_completeness"
    headers = {**key(), "if-match": f'"{entry["version"]}"'}
    first = officer.client.post(path, json={"note": "ok"}, headers=headers)
    again = officer.client.post(path, json={"note": "ok"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "repeated": True}
    other = officer.client.post(path, json={"note": "changed"}, headers=headers)
    assert other.status_code == 409 and other.json()["refusals"][0]["code"] == "request_reused"
    assert officer.client.delete("/api/v1/session").status_code == 204
    assert officer.get("/api/v1/work").status_code == 401


def test_every_refusal_has_the_one_shape_in_both_languages(site: Site) -> None:
    project_id = site.world.project_at("completeness_check")
    officer, applicant = site.the("programme_officer"), site.the("applicant")
    path = f"/project/{project_id}/steps"
    answers = {
        "idempotency_key_missing": officer.api("POST", f"{path}/project.pass_completeness", json={}),
        "version_unreadable": officer.api(
            "POST", f"{path}/project.pass_completeness", json={}, headers={**key(), "if-match": "new"}
        ),
        "stale_page": officer.api(
            "POST", f"{path}/project.pass_completeness", json={}, headers={**key(), "if-match": "1"}
        ),
        "unknown_step": officer.api("POST", f"{path}/project.fly", json={}, headers=key()),
        "not_permitted": applicant.api("POST", f"{path}/project.pass_completeness", json={}, headers=key()),
        "wrong_state": officer.api("POST", f"{path}/project.sign_agreement", json={}, headers=key()),
        "input_invalid": officer.api("POST", f"{path}/project.decline", json={"x": 1}, headers=key()),
        "not_found": officer.api("POST", f"/project/{uuid4()}/steps/project.close", json={}, headers=key()),
        "login_needed": site.anonymous().api("POST", f"{path}/project.close", json={}, headers=key()),
    }
    for code, answer in answers.items():
        assert answer.status_code in (401, 403, 404, 409, 422), code
        refusal = answer.json()["refusals"][0]
        assert refusal["code"] == code
        for part in ("fact", "remedy"):
            assert refusal[part]["zh"] and refusal[part]["en"], code
        assert isinstance(refusal["who"], list)
    fields = answers["input_invalid"].json()["refusals"][0]["fields"]
    assert {f["field"] for f in fields} == {"x", "reason"}
    assert "没有“x”这一项" in str(fields) and "no field “x”" in str(fields)
    assert site.world.state(project_id) == "completeness_check"


def test_a_body_that_is_no_object_is_refused_in_the_same_shape(site: Site) -> None:
    project_id = site.world.project_at("completeness_check")
    officer = site.the("programme_officer")
    for body in (b"[1]", b"{", b'"x"'):
        answer = officer.api(
            "POST",
            f"/project/{project_id}/steps/project.decline",
            content=body,
            headers={**key(), "content-type": "application/json"},
        )
        assert answer.status_code == 422 and answer.json()["refusals"][0]["code"] == "input_invalid"


def test_an_application_is_made_from_nothing(site: Site) -> None:
    applicant = site.the("applicant")
    given = {
        "code": "API-1",
        "title": "t",
        "programme_id": str(site.world.published.id),
        "office_path": "/",
        "unit_name": "u",
        "leader_name": "l",
        "requested_minor": 1000,
        "currency": "CNY",
        "plan": [{"number": 1, "title": "a", "amount_minor": 1000, "due_on": "2026-01-01"}],
    }
    made = applicant.api("POST", "/steps/project.apply", json=given, headers=key())
    assert made.status_code == 201 and made.json()["state"] == "application"
    project = applicant.api("GET", f"/projects/{made.json()['subject_id']}").json()
    assert project["project"]["code"] == "API-1"
    supervisor = site.the("supervisor").api("POST", "/steps/project.apply", json=given, headers=key())
    assert supervisor.status_code == 404


def test_a_batch_takes_each_subject_by_the_same_rules(site: Site) -> None:
    world = site.world
    ready = [world.project_at("completeness_check") for _ in range(3)]
    wrong = world.project_at("application")
    orders = [{"subject_id": str(id), "request_id": uuid4().hex} for id in (*ready, wrong, uuid4())]
    officer = site.the("programme_officer")
    for repeated in (False, True):
        answer = officer.api("POST", "/steps/project.pass_completeness/batch", json={"orders": orders})
        outcomes = answer.json()["outcomes"]
        assert [o["receipt"]["repeated"] for o in outcomes[:3]] == [repeated] * 3
        assert outcomes[3]["refusals"][0]["code"] == "wrong_state"
        assert outcomes[4]["refusals"][0]["code"] == "not_found"
    elsewhere = site.reader(site.stranger("programme_officer"))
    answer = elsewhere.api("POST", "/steps/project.decline/batch", json={"orders": orders})
    assert {o["refusals"][0]["code"] for o in answer.json()["outcomes"]} == {"not_found"}


def test_projects_are_paged_by_key_and_searched(site: Site) -> None:
    for _ in range(3):
        site.world.apply(f"PAGE-{uuid4().hex[:6]}")
    officer = site.the("programme_officer")
    from milepost.queries.projects import project_list

    with site.database.session() as session:
        first = project_list(session, officer.actor.id, limit=2)  # type: ignore[union-attr]
        second = project_list(session, officer.actor.id, limit=2, after=first.next or "")  # type: ignore[union-attr]
    codes = [row["code"] for row in (*first.rows, *second.rows)]
    assert len(codes) == 3 and codes == sorted(codes) and second.next is None
    found = officer.api("GET", "/projects", params={"search": codes[1]}).json()["items"]
    assert [row["code"] for row in found] == [codes[1]]
    assert officer.api("GET", "/projects", params={"search": "%"}).json()["items"] == []
