"""A log-in is one person's: new at the password, gone at log-out, when disabled, when roles change."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient

from config.settings import Settings
from milepost import people
from milepost.db import Database
from milepost.web.app import create_app
from milepost.web.visitor import Limiter
from tests.web.conftest import PASSWORD, Reader, Site, form_of


def log_in(reader: Reader, login: str, password: str = PASSWORD, next: str = "/") -> int:
    form = form_of(reader.get("/login", params={"next": next}).text, "/login")
    answer = reader.client.post("/login", data={**form, "login": login, "password": password})
    if answer.status_code == 303:
        assert answer.headers["location"] == next if next.startswith("/p") else True
    return answer.status_code


def test_a_log_in_makes_a_new_session_and_ends_the_one_before(site: Site) -> None:
    reader = site.anonymous()
    reader.client.cookies.set("milepost", "chosen-by-an-attacker", domain="testserver.local")
    assert log_in(reader, "programme_officer-1") == 303
    first = reader.client.cookies.get("milepost")
    assert first != "chosen-by-an-attacker"
    assert reader.get("/").status_code == 200
    stolen = site.anonymous()
    stolen.client.cookies.set("milepost", str(first), domain="testserver.local")
    assert stolen.get("/").status_code == 200
    csrf = reader.csrf()
    assert reader.client.post("/logout", data={"csrf": csrf}).status_code == 303
    assert stolen.get("/").status_code == 303, "the session ended in the database too"


def test_only_the_hash_of_a_token_is_kept(site: Site) -> None:
    reader = site.anonymous()
    log_in(reader, "programme_officer-1")
    token = reader.client.cookies.get("milepost")
    assert site.world.value("SELECT count(*) FROM web_session WHERE token_hash = %s", token) == 0
    hashes = site.world.rows("SELECT password_hash FROM person WHERE password_hash IS NOT NULL")
    assert all(row[0].startswith("$argon2id$") for row in hashes)


def test_a_wrong_password_and_an_unknown_login_read_the_same(site: Site) -> None:
    answers = []
    for login in ("programme_officer-1", "nobody-at-all"):
        reader = site.anonymous()
        form = form_of(reader.get("/login").text, "/login")
        answer = reader.client.post("/login", data={**form, "login": login, "password": "x" * 12})
        assert answer.status_code == 401
        answers.append(answer.text.replace(login, "").replace(form["csrf"], ""))
    assert answers[0] == answers[1]


def test_too_many_tries_have_to_wait_even_with_the_right_password(site: Site) -> None:
    site.app.state.web.by_login = Limiter(2, 300)
    reader = site.anonymous()
    assert [log_in(reader, "counsel-1", "wrong") for _ in range(2)] == [401, 401]
    assert log_in(reader, "counsel-1") == 429
    assert log_in(site.anonymous(), "supervisor-1") == 303, "others are not kept out"


def test_a_limiter_hears_again_once_the_span_is_over() -> None:
    now = [0.0]
    limiter = Limiter(2, 60, now=lambda: now[0])
    for _ in range(2):
        assert limiter.wait("k") == 0
        limiter.fail("k")
    assert limiter.wait("k") == 60
    now[0] = 61
    assert limiter.wait("k") == 0


def test_the_way_back_after_a_log_in_never_leaves_the_site(site: Site) -> None:
    for given in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        reader = site.anonymous()
        form = form_of(reader.get("/login", params={"next": given}).text, "/login")
        assert form["next"] == "/"
    reader = site.anonymous()
    sent = reader.get("/projects?state=closure").headers["location"]
    assert form_of(reader.get(sent).text, "/login")["next"] == "/projects?state=closure"


def test_sessions_end_when_disabled_when_roles_change_and_with_time(site: Site) -> None:
    officer = site.world.people["programme_officer"][0]
    boss = site.world.people["administrator"][0].id
    grant_id = site.world.value("SELECT id FROM role_grant WHERE person_id = %s", officer.id)
    for end in (
        lambda s: (
            people.set_active(s, officer.id, False, by=boss)
            or people.set_active(s, officer.id, True, by=boss)
        ),
        lambda s: people.set_password(s, officer.id, "another password", by=boss),
        lambda s: people.grant(s, officer.id, "counsel", office_path="/", by=boss),
        lambda s: people.revoke(s, grant_id, by=boss),
    ):
        reader = site.reader(officer)
        assert reader.get("/").status_code == 200
        with site.database.session() as session:
            end(session)
        assert reader.get("/").status_code == 303
    reader = site.reader(officer)
    site.minutes.advance(timedelta(hours=11))
    assert reader.get("/").status_code == 200, "use keeps it alive"
    site.minutes.advance(timedelta(hours=11))
    assert reader.get("/").status_code == 200
    site.minutes.advance(timedelta(hours=13))
    assert reader.get("/").status_code == 303


def test_a_form_that_is_not_ours_changes_nothing(site: Site) -> None:
    project_id = site.world.project_at("completeness_check")
    reader, other = site.the("programme_officer"), site.the("programme_officer", 1)
    form = reader.form("project.pass_completeness", project_id)
    for wrong in (
        {**form, "csrf": ""},
        {**form, "csrf": other.csrf()},
        {k: form[k] for k in ("request_id",)},
    ):
        assert reader.send("project.pass_completeness", project_id, wrong).status_code == 403
    path = f"/steps/project.pass_completeness/{project_id}"
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert reader.client.post(path, data=form, headers=headers).status_code == 403
    assert reader.client.post("/logout", data={}).status_code == 403
    assert site.anonymous().client.post("/login", data={"login": "a", "password": "b"}).status_code == 403
    assert site.world.state(project_id) == "completeness_check"


def test_a_cookie_alone_is_not_enough_for_the_api_to_change_anything(site: Site) -> None:
    project_id = site.world.project_at("completeness_check")
    reader = site.the("programme_officer")
    path = f"/api/v1/project/{project_id}/steps/project.pass_completeness"
    assert reader.client.post(path, json={}, headers={"idempotency-key": "k"}).status_code == 403
    assert site.world.state(project_id) == "completeness_check"


def test_every_answer_carries_the_headers_that_keep_browsers_strict(site: Site) -> None:
    reader = site.the("programme_officer")
    for path in ("/", "/login", "/nowhere", "/api/v1/work", "/static/app.css", "/projects/no-id"):
        headers = reader.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "unsafe" not in headers["content-security-policy"]
    page = reader.get("/").text
    assert "<style" not in page and " style=" not in page and "onclick" not in page
    assert reader.get("/").headers["cache-control"] == "no-store"


def test_cookies_are_bound_to_host_and_tls_where_there_is_tls(site: Site, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, public_url="https://grants.example.org")
    with TestClient(create_app(site.database, settings), base_url="https://testserver") as client:
        reader = Reader(client)
        form = form_of(reader.get("/login").text, "/login")
        given = {**form, "login": "counsel-1", "password": PASSWORD}
        answer = client.post("/login", data=given, follow_redirects=False)
    cookies = [c for c in answer.headers.get_list("set-cookie") if c.startswith("__Host-milepost=")]
    assert len(cookies) == 1
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert word in cookies[0]
    assert "strict-transport-security" in answer.headers


def test_the_language_is_the_persons_own_choice(site: Site) -> None:
    reader = site.the("programme_officer", locale="zh")
    page = reader.get("/")
    assert "我的工作" in page.text and 'lang="zh-CN"' in page.text
    form = form_of(page.text, "/language")
    assert reader.client.post("/language", data={**form, "locale": "en"}).status_code == 303
    assert "My work" in reader.get("/").text
    again = site.anonymous()
    log_in(again, "programme_officer-1")
    assert "My work" in again.get("/").text
    stranger = site.anonymous()
    assert "登录名" in stranger.get("/login", headers={"accept-language": "zh-CN,zh"}).text
    assert "Login" in stranger.get("/login", headers={"accept-language": "en-GB"}).text


def test_without_a_database_every_page_says_so_and_recovers_by_itself(site: Site) -> None:
    reader = site.the("programme_officer")
    assert reader.get("/healthz").json() == {"status": "ok"}
    name = site.world.value("SELECT current_database()")
    owner = Database(site.database.owner_url.replace(f"/{name}", "/postgres"))
    try:
        with owner.session() as session:
            session.conn.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            session.conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
        answer = reader.get("/")
        assert answer.status_code == 503 and answer.headers["retry-after"]
        assert "数据库" in answer.text and "database" in answer.text
        assert reader.get("/healthz").status_code == 503
        with owner.session() as session:
            session.conn.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        owner.close()
    answers = [reader.get("/").status_code for _ in range(10)]
    assert answers[-1] == 200


def test_a_failure_of_ours_shows_a_number_and_nothing_of_its_inside(site: Site) -> None:
    def fail() -> None:
        raise RuntimeError("secret 6222000111222")

    site.app.add_api_route("/fail", fail)
    with TestClient(site.app, raise_server_exceptions=False) as client:
        answer = client.get("/fail")
    assert answer.status_code == 500
    assert "secret" not in answer.text and "Traceback" not in answer.text
    assert "编号" in answer.text and "number" in answer.text


def test_an_upload_beyond_the_bound_is_refused_before_it_is_kept(site: Site) -> None:
    reader = site.the("applicant")
    answer = reader.api("POST", "/documents", files={"file": ("a.txt", b"x" * 100_001)})
    assert answer.status_code == 422 and answer.json()["refusals"][0]["code"] == "document_too_large"
    answer = reader.api("POST", "/documents", files={"file": ("a.txt", b"x" * 3_000_000)})
    assert answer.status_code == 413
    assert site.world.value("SELECT count(*) FROM document") == 0
