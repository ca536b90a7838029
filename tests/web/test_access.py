"""Every route names one rule, and every role sees of every object what its rule says: a matrix without holes.

Own: the person takes part in the project through their role. Other: the same role, for something else.
Forbidden and missing look the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount

from milepost import people
from milepost.web.visitor import RULES
from tests.web.conftest import ROLES, Reader, Site

PROJECT_READERS = {
    "applicant",
    "principal_investigator",
    "programme_officer",
    "evaluator",
    "finance_officer",
    "supervisor",
    "counsel",
}
SEES_MILESTONES = PROJECT_READERS
SEES_TASKS = {"programme_officer", "supervisor", "expert"}

ANYBODY = {
    "GET /healthz",
    "GET /login",
    "POST /login",
    "POST /language",
    "POST /api/v1/session",
    # Public notices: the same for everybody.
    "GET /public/notices",
    "GET /public/notices/{id}",
    "GET /public/notices/lists/{programme_id}/{opens_on}",
    "GET /public/draws",
    "GET /public/draws/method",
    "GET /public/draws/method.md",
    "GET /public/draws/{commitment}.json",
    "GET /invitations/{token}",
    "POST /invitations/{token}/code",
    "POST /invitations/{token}/enter",
    # What was typed comes back with a log-in form, and nothing else.
    "POST /tasks/{id}/draft",
    "POST /tasks/{id}/submit",
}
ADMINISTRATORS = {
    "GET /people",
    "POST /people",
    "GET /people/{id}",
    "POST /people/{id}/password",
    "POST /people/{id}/active",
    "POST /people/{id}/grants",
    "POST /people/{id}/grants/{grant_id}/revoke",
    "GET /mail",
    "POST /mail",
}
FUNDS = {
    "GET /appropriations",
    "GET /ageing",
    "GET /ageing/sheet.{ending}",
    "GET /forecast",
    "GET /forecast/sheet.{ending}",
    "GET /receivables",
    "GET /receivables/ageing.{ending}",
    "GET /budget/execution",
    "GET /budget/execution/sheet.{ending}",
    "GET /budget/close-report/{year}",
    "GET /budget/close-report/{year}/sheet.{ending}",
}
BANK = {"GET /bank", "GET /bank/batches/{id}"}
POOL_READERS = {
    "GET /experts",
    "POST /experts",
    "GET /experts/new",
    "GET /experts/duplicates",
    "GET /experts/sheets/import",
    "POST /experts/sheets/import",
    "GET /experts/sheets/pool.{ending}",
    "GET /experts/sheets/template.{ending}",
}
MEMBERS = {
    "GET /receivables/{id}/demand",
    "GET /delegations",
    "POST /logout",
    "GET /",
    "GET /projects",
    "GET /projects/{id}",
    "GET /payments/{id}",
    "GET /payments/{id}/papers/{kind}",
    "GET /claims/{id}",
    "POST /claims/{id}/lines",
    "GET /projects/{id}/papers/{digest}",
    "GET /claims/{id}/evidence/{digest}",
    "GET /tasks/{id}",
    "GET /tasks/{id}/draft",
    "POST /tasks/{id}/draft/take",
    "GET /go/{noun}/{id}",
    "GET /{noun}/{id}/documents/{digest}",
    "GET /steps/{step}",
    "GET /steps/{step}/{subject_id}",
    "POST /steps/{step}",
    "POST /steps/{step}/{subject_id}",
    "GET /experts/me",
    "GET /experts/{id}",
    "POST /experts/{id}/{part}",
    "GET /matching",
    "GET /matching/{id}/{stage}",
    "POST /matching/{id}/{stage}/start",
    "POST /matching/{id}/{stage}/stop",
    "POST /matching/{id}/{stage}/invite",
    "GET /rankings",
    "GET /rankings/{id}/{stage}",
    "GET /rankings/{id}/{stage}/sheet.{ending}",
    "GET /rankings/{id}/{stage}/what-if",
    "POST /rankings/{id}/{stage}/confirm",
    "POST /rankings/{id}/{stage}/steps",
    "GET /draws",
    "GET /draws/{id}",
    "GET /draws/{id}/record.json",
    "GET /draws/{id}/names.json",
    "GET /calls",
    "GET /programmes",
    "GET /programmes/{id}",
    "GET /programmes/{id}/diagram.svg",
    "DELETE /api/v1/session",
    "GET /api/v1/work",
    "GET /api/v1/projects",
    "GET /api/v1/projects/{id}",
    "GET /api/v1/{noun}/{subject_id}/available",
    "POST /api/v1/steps/{step}",
    "POST /api/v1/{noun}/{subject_id}/steps/{step}",
    "POST /api/v1/steps/{step}/batch",
    "POST /api/v1/documents",
}


def routes(app: object) -> Iterator[tuple[str, APIRoute]]:
    """Every route of ours as "METHOD path"; included routers are unfolded."""
    waiting = list(app.routes)  # type: ignore[attr-defined]
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            for method in route.methods:
                yield f"{method} {route.path}", route
        elif inner := getattr(route, "original_router", None):
            waiting.extend(inner.routes)
        elif isinstance(route, Mount):
            assert route.path == "/static"
        else:
            assert getattr(route, "path", "") == "/api/v1/openapi.json", route


def rules_of(dependant: Dependant) -> set[str]:
    """The rules in a route's tree of dependencies."""
    found = {dependant.call.__name__} if dependant.call in RULES else set()  # type: ignore[union-attr]
    for inner in dependant.dependencies:
        found |= rules_of(inner)
    return found


def strictest(found: set[str]) -> str:
    for name in ("administrator", "funds_reader", "bank_reader", "pool_reader", "member", "anyone"):
        if name in found:
            return name
    raise AssertionError("a route without a rule")


def test_every_route_names_the_rule_that_the_matrix_expects(site: Site) -> None:
    expected = {
        **dict.fromkeys(ANYBODY, "anyone"),
        **dict.fromkeys(MEMBERS, "member"),
        **dict.fromkeys(ADMINISTRATORS, "administrator"),
        **dict.fromkeys(FUNDS, "funds_reader"),
        **dict.fromkeys(BANK, "bank_reader"),
        **dict.fromkeys(POOL_READERS, "pool_reader"),
    }
    found = {name: strictest(rules_of(route.dependant)) for name, route in routes(site.app)}
    assert found == expected


def test_without_a_log_in_every_other_route_asks_for_one(site: Site) -> None:
    reader = site.anonymous()
    for name in sorted(MEMBERS | ADMINISTRATORS | FUNDS | BANK | POOL_READERS):
        method, path = name.split(" ")
        for part in ("{id}", "{subject_id}", "{grant_id}"):
            path = path.replace(part, str(uuid4()))
        path = (
            path.replace("{noun}", "project").replace("{step}", "project.close").replace("{digest}", "0" * 64)
        )
        answer = reader.client.request(method, path, headers={"x-requested-with": "milepost"})
        if method == "GET" and not path.startswith("/api/"):
            assert answer.status_code == 303 and answer.headers["location"].startswith("/login"), name
        else:
            assert answer.status_code == 401, (name, answer.status_code)


def test_no_get_route_takes_a_form(site: Site) -> None:
    for name, route in routes(site.app):
        if name.startswith("GET "):
            assert route.body_field is None, name
            assert "checked_form" not in str([d.call for d in route.dependant.dependencies]), name


def _may_read(role: str, noun: str) -> bool:
    return role in {
        "project": PROJECT_READERS,
        "milestone": SEES_MILESTONES,
        "payment": {
            "applicant",
            "principal_investigator",
            "programme_officer",
            "finance_officer",
            "supervisor",
        },
        "payee": {
            "applicant",
            "principal_investigator",
            "programme_officer",
            "finance_officer",
            "supervisor",
        },
        "round": {"programme_officer", "supervisor"},
        "task": SEES_TASKS,
        "notice": PROJECT_READERS - {"evaluator"},
    }.get(noun, set())


def _subjects(site: Site) -> dict[str, str]:
    """One project with a part of each noun, an evaluator on its milestone, and the expert's own task."""
    world = site.world
    project_id = world.project_at("implementation")
    milestone_id = world.milestones(project_id)[0]
    evaluator = world.people["evaluator"][0]
    world.take("programme_officer", "milestone.assign", milestone_id, evaluator_id=str(evaluator.id))
    account = {"account_name": "A", "account_no": "622200011122233", "bank_name": "B"}
    payee_id = world.take("applicant", "payee.enter", project_id, **account).subject_id
    found = {"project": project_id, "milestone": milestone_id, "payee": payee_id}
    for noun in ("payment", "round", "notice"):
        found[noun] = world.value(f'SELECT id FROM "{noun}" WHERE project_id = %s LIMIT 1', project_id)
    expert = world.people["expert"][0]
    found["task"] = world.value(
        "SELECT id FROM task WHERE project_id = %s AND expert_id = %s", project_id, expert.id
    )
    return {noun: str(id) for noun, id in found.items()}


def _shown(reader: Reader, path: str) -> bool:
    answer = reader.get(path)
    assert answer.status_code in (200, 303, 404), (path, answer.status_code)
    if answer.status_code == 404:
        # What is forbidden reads exactly as what does not exist.
        missing = path.replace(path.split("/")[-1 if "available" not in path else -2], str(uuid4()))
        assert reader.get(missing).text == answer.text
    return answer.status_code != 404


def test_each_role_sees_its_own_objects_and_nobody_elses(site: Site) -> None:
    subjects = _subjects(site)
    wrong = []
    for role in ROLES:
        for own in (True, False):
            reader = site.reader(site.world.people[role][0] if own else site.stranger(role))
            for noun, id in subjects.items():
                expected = own and _may_read(role, noun)
                paths = [f"/go/{noun}/{id}", f"/api/v1/{noun}/{id}/available"]
                if noun == "project":
                    paths += [f"/projects/{id}", f"/api/v1/projects/{id}"]
                if noun == "payment":
                    paths.append(f"/payments/{id}")
                if noun == "project" and own and role == "expert":
                    # A mail's link names the project; to its expert that is their own task, and no more.
                    answer = reader.get(paths.pop(2))
                    assert answer.headers["location"] == f"/tasks/{subjects['task']}"
                wrong += [(role, own, path) for path in paths if _shown(reader, path) != expected]
            expert = own and role == "expert"
            wrong += [(role, own, "task")] if _shown(reader, f"/tasks/{subjects['task']}") != expert else []
            listed = subjects["project"] in reader.get("/projects").text
            wrong += [(role, own, "list")] if listed != (own and role in PROJECT_READERS) else []
    assert wrong == []


def test_a_colleague_of_the_same_role_sees_no_more_than_a_stranger(site: Site) -> None:
    """Another expert, evaluator or applicant of the same office has no part in this project."""
    subjects = _subjects(site)
    applicant = site.person("another-unit", "applicant", office_path="/")
    others = [site.world.people["expert"][8], site.world.people["evaluator"][1], applicant]
    for actor in others:
        reader = site.reader(actor)
        for noun, id in subjects.items():
            assert not _shown(reader, f"/go/{noun}/{id}"), noun
            answer = reader.api(
                "POST", f"/{noun}/{id}/steps/{noun}.whatever", headers={"idempotency-key": "k"}
            )
            assert answer.status_code == 404
        assert subjects["project"] not in reader.get("/projects").text


def test_office_wide_pages_follow_the_roles(site: Site) -> None:
    for role in ROLES:
        reader = site.the(role)
        for path, readers in (
            ("/people", {"administrator"}),
            ("/mail", {"administrator"}),
            ("/appropriations", {"finance_officer", "supervisor", "programme_officer"}),
            ("/experts", {"programme_officer", "supervisor", "administrator"}),
            ("/experts/new", {"programme_officer", "administrator"}),
            ("/experts/duplicates", {"programme_officer", "supervisor", "administrator"}),
            ("/experts/sheets/import", {"programme_officer", "administrator"}),
            ("/experts/sheets/pool.csv", {"programme_officer", "supervisor", "administrator"}),
            ("/experts/sheets/template.csv", {"programme_officer", "supervisor", "administrator"}),
            ("/experts/me", {"expert"}),
            ("/rankings", {"programme_officer", "supervisor"}),
            ("/matching", {"programme_officer"}),
            ("/bank", {"finance_officer", "supervisor"}),
            ("/receivables", {"finance_officer", "supervisor", "programme_officer"}),
            ("/receivables/ageing.csv", {"finance_officer", "supervisor", "programme_officer"}),
            ("/calls", set(ROLES)),
            ("/programmes", set(ROLES)),
        ):
            assert (reader.get(path).status_code == 200) == (role in readers), (role, path)


def test_a_step_of_somebody_elses_project_is_missing_whoever_asks(site: Site) -> None:
    project_id = site.world.project_at("completeness_check")
    for role in ROLES:
        reader = site.reader(site.stranger(role))
        csrf = reader.csrf()
        answer = reader.send("project.pass_completeness", project_id, {"csrf": csrf, "request_id": "r"})
        assert answer.status_code == 404, role
    assert site.world.state(project_id) == "completeness_check"


def test_a_role_that_may_see_but_not_do_is_told_who_can(site: Site) -> None:
    project_id = site.world.project_at("completeness_check")
    reader = site.the("applicant")
    answer = reader.send("project.pass_completeness", project_id, {"csrf": reader.csrf(), "request_id": "r"})
    assert answer.status_code == 403
    assert "Programme officer" in answer.text
    assert site.world.state(project_id) == "completeness_check"


def test_a_role_for_the_office_is_no_role_in_a_project_one_only_evaluates(site: Site) -> None:
    """Whoever applies at the office and evaluates another's milestone still cannot act as its grantee."""
    world = site.world
    project_id = world.project_at("implementation")
    milestone_id = world.milestones(project_id)[0]
    actor = site.person("both", "evaluator", office_path="/")
    world.take("programme_officer", "milestone.assign", milestone_id, evaluator_id=str(actor.id))
    with site.database.session() as session:
        people.grant(session, actor.id, "applicant", office_path="/")
    reader = site.reader(actor)
    assert reader.get(f"/go/milestone/{milestone_id}").status_code == 303, "it may be seen"
    path = f"/milestone/{milestone_id}/steps/milestone.report"
    answer = reader.api("POST", path, json={"report": "x"}, headers={"idempotency-key": "k"})
    assert answer.status_code == 403
    form = {"csrf": reader.csrf(), "request_id": "r", "report": "x"}
    assert reader.send("milestone.report", milestone_id, form).status_code == 403
    orders = {"orders": [{"subject_id": str(milestone_id), "request_id": "b", "input": {"report": "x"}}]}
    batch = reader.api("POST", "/steps/milestone.report/batch", json=orders).json()["outcomes"]
    assert batch[0]["refusals"][0]["code"] == "not_found"
    assert world.value("SELECT state FROM milestone WHERE id = %s", milestone_id) != "reported"
