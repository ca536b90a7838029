"""The expert pool in the browser: who sees what of it, forms that keep what was typed, sheets reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.sync_api import Browser, expect

from milepost.experts import pool
from milepost.experts.pool import NewExpert, Unit
from tests.web.conftest import ROLES, Reader, Site, form_of
from tests.web.test_browser import address, browser, log_in

__all__ = ["address", "browser"]

LI = NewExpert(
    login="li",
    name="李文",
    kinds=["technology"],
    region="/",
    yearly_load=10,
    title="教授",
    profile="marker-profile",
    phone="13977200001",
    identity_no="11010519491231002X",
    fields=["460", "52020"],
    units=[Unit("广西大学")],
)
SEES_POOL = {"programme_officer", "supervisor", "administrator"}


@pytest.fixture
def li(site: Site) -> UUID:
    with site.database.session() as session:
        id = pool.enrol(session, LI, by=site.world.people["programme_officer"][0].id).person_id
        pool.declare_tie(session, id, kind="kin", other_name="marker-kin", evidence="marker-why", by=id)
        pool.ban(session, id, years=2, reason="marker-ban", by=site.world.people["supervisor"][0].id)
    return id


def send(reader: Reader, id: UUID | str, part: str, **typed: Any) -> httpx.Response:
    fields = {"csrf": reader.csrf(), "version": "1", **typed}
    return reader.client.post(f"/experts/{id}/{part}", data=fields)


# Who sees what ------------------------------------------------------------------------------------------


def test_nobody_but_those_of_the_pool_finds_anything_of_an_expert(site: Site, li: UUID) -> None:
    for role in ROLES:
        reader = site.the(role)
        answer = reader.get(f"/experts/{li}")
        assert (answer.status_code == 200) == (role in SEES_POOL), role
        if role not in SEES_POOL:
            assert answer.text == reader.get(f"/experts/{uuid4()}").text, role
            sent = send(reader, li, "profile", title="x")
            assert sent.status_code == 404 and "marker" not in sent.text, role
            for path in ("/experts", "/experts/duplicates", "/experts/sheets/pool.csv"):
                assert reader.get(path).status_code == 404, (role, path)
        for path in (f"/experts/{li}", "/experts", "/", "/experts/sheets/pool.csv"):
            text = reader.get(path).text
            assert role == "programme_officer" or "13977200001" not in text, (role, path)
            assert role in ("programme_officer", "supervisor") or "marker-kin" not in text, (role, path)
            assert role in ("programme_officer", "supervisor") or "marker-ban" not in text, (role, path)


def test_an_officer_of_another_region_finds_nobody(site: Site, li: UUID) -> None:
    for role in SEES_POOL:
        reader = site.reader(site.stranger(role))
        assert reader.get(f"/experts/{li}").status_code == 404
        assert "李文" not in reader.get("/experts").text
        assert send(reader, li, "retire", reason="x").status_code == 404


def test_to_an_administrator_nobody_is_banned(site: Site, li: UUID) -> None:
    reader = site.the("administrator")
    assert "Banned" not in reader.get("/experts").text + reader.get(f"/experts/{li}").text
    assert "李文" in reader.get("/experts?standing=banned").text, "what is not theirs to ask filters nothing"
    account = reader.get(f"/people/{li}").text
    assert "Account created" in account and "expert_" not in account


def test_each_form_that_is_shown_can_be_sent_and_no_other(site: Site, li: UUID) -> None:
    parts = {
        "programme_officer": {
            "profile",
            "fields",
            "standing",
            "affiliate",
            "tie",
            "absence",
            "ban",
            "retire",
        },
        "supervisor": {"ban"},
        "administrator": {"standing", "retire"},
    }
    for role, shown in parts.items():
        text = site.the(role).get(f"/experts/{li}").text
        every = {*parts["programme_officer"], "load"}
        assert {part for part in every if f"/experts/{li}/{part}" in text} == shown, role
    own = site.reader(replace(site.world.people["expert"][0], id=li)).get("/experts/me").text
    shown = {"profile", "fields", "load", "affiliate", "tie", "absence"}
    assert {part for part in every if f"/experts/{li}/{part}" in own} == shown


# Forms --------------------------------------------------------------------------------------------------


def test_an_expert_keeps_the_own_profile_and_nothing_that_is_the_offices(site: Site, li: UUID) -> None:
    own = site.reader(replace(site.world.people["expert"][0], id=li))
    assert own.get(f"/experts/{li}").headers["location"] == "/experts/me"
    form = form_of(own.get("/experts/me").text, f"/experts/{li}/profile")
    assert form["phone"] == "13977200001"
    saved = own.client.post(f"/experts/{li}/profile", data={**form, "title": "院士", "languages": ["en"]})
    assert saved.headers["location"] == "/experts/me?saved=profile"
    assert "Saved." in own.get(saved.headers["location"]).text
    for part, typed in {
        "standing": {"kinds": ["finance"], "region": "/", "yearly_load": "99"},
        "ban": {"years": "1", "reason": "x"},
        "retire": {"reason": "x"},
        "load": {"yearly_load": "11"},
    }.items():
        answer = send(own, li, part, **{**typed, "version": "2"})
        assert answer.status_code == 422 and 'role="alert"' in answer.text, part
    row = site.world.rows("SELECT title, kinds, yearly_load, active, languages FROM expert")
    assert row == [("院士", ["technology"], 10, True, ["en"])]


def test_what_was_typed_stays_when_it_is_not_taken(site: Site, li: UUID) -> None:
    officer = site.the("programme_officer")
    long = "three lines\nof careful\nwords"
    answer = send(officer, li, "profile", title="院士", phone="not a number", profile=long, languages=["ja"])
    assert answer.status_code == 422 and "Check it." in answer.text
    form = form_of(answer.text, f"/experts/{li}/profile")
    assert (form["title"], form["phone"], form["profile"]) == ("院士", "not a number", long)
    assert form["languages"] == "ja"
    tie = send(officer, li, "tie", kind="economic", other_name="", other_unit=" ", evidence="kept words")
    assert "kept words" in tie.text and "Give the other" in tie.text
    new = {
        "login": "li",
        "name": "李武",
        "kinds": ["finance"],
        "region": "/",
        "yearly_load": "3",
        "fields": "460",
    }
    refused = officer.client.post("/experts", data={"csrf": officer.csrf(), **new, "profile": long})
    assert refused.status_code == 422
    again = form_of(refused.text, "/experts")
    assert (again["name"], again["kinds"], again["profile"]) == ("李武", "finance", long)


def test_of_two_tabs_the_second_is_told_and_keeps_its_text(site: Site, li: UUID) -> None:
    officer = site.the("programme_officer")
    first = form_of(officer.get(f"/experts/{li}").text, f"/experts/{li}/profile")
    second = dict(first)
    officer.client.post(f"/experts/{li}/profile", data={**first, "title": "first"})
    late = officer.client.post(f"/experts/{li}/profile", data={**second, "title": "second"})
    assert late.status_code == 422 and "changed after you opened it" in late.text
    form = form_of(late.text, f"/experts/{li}/profile")
    assert form["title"] == "second"
    assert officer.client.post(f"/experts/{li}/profile", data=form).status_code == 303
    assert site.world.value("SELECT title FROM expert") == "second"


def test_an_officer_enrols_and_is_told_who_may_be_the_same(site: Site, li: UUID) -> None:
    officer = site.the("programme_officer")
    new = {
        "csrf": officer.csrf(),
        "login": "li2",
        "name": "李文",
        "kinds": ["finance"],
        "region": "/",
        "yearly_load": "3",
        "unit": "广西 大学",
        "from_on": "2020-01-01",
    }
    done = officer.client.post("/experts", data=new)
    page = officer.get(done.headers["location"]).text
    assert "Perhaps in the pool already:" in page and "same name at the same unit" in page
    assert "李文" in officer.get("/experts/duplicates").text
    twice = officer.client.post("/experts", data={**new, "login": "li3", "identity_no": LI.identity_no})
    assert twice.status_code == 422 and "李文 (li)" in twice.text


def test_a_tie_declared_on_the_page_takes_the_review_away_at_once(site: Site, li: UUID) -> None:
    world = site.world
    project = world.project_at("remote_review", unit_name="西江重工", leader_name="韦大同")
    round_id = world.take("programme_officer", "round.open", project).subject_id
    officer = world.people["programme_officer"][0]
    with site.database.session() as session:
        ban = session.conn.execute("SELECT id FROM ban WHERE person_id = %s", (li,)).fetchone()
        assert ban is not None
        pool.lift_ban(session, ban[0], reason="-", by=officer.id)
    task = world.take("programme_officer", "task.invite", round_id, expert_id=str(li)).subject_id
    sent = send(site.the("programme_officer"), li, "tie", kind="kin", other_name="韦 大同", evidence="兄弟")
    assert sent.status_code == 303, sent.text
    assert world.value("SELECT state FROM task WHERE id = %s", task) == "taken_away"


def test_a_ban_is_lifted_by_another_and_the_page_says_so(site: Site, li: UUID) -> None:
    ban = str(site.world.value("SELECT id FROM ban"))
    supervisor, officer = site.the("supervisor"), site.the("programme_officer")
    assert "another person must lift it" in supervisor.get(f"/experts/{li}").text
    assert send(supervisor, li, "lift-ban", entry=ban, reason="x").status_code == 422
    assert send(officer, li, "lift-ban", entry=ban, reason="appeal").status_code == 303
    assert "Lifted" in officer.get(f"/experts/{li}").text


def test_a_form_of_another_site_or_of_nonsense_does_nothing(site: Site, li: UUID) -> None:
    officer = site.the("programme_officer")
    answer = officer.client.post(f"/experts/{li}/retire", data={"version": "1", "reason": "x"})
    assert answer.status_code == 403
    assert send(officer, li, "explode").status_code == 404
    assert send(officer, li, "end-tie", entry="not an id").status_code == 404
    assert send(officer, li, "end-tie", entry=str(uuid4())).status_code == 422
    assert send(officer, li, "profile", version="x").status_code == 404
    assert site.world.value("SELECT version FROM expert WHERE active") == 1


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_list_finds_by_what_is_asked(site: Site, li: UUID, locale: str) -> None:
    reader = site.the("programme_officer", locale=locale)
    for asked, there in {
        "search=李": True,
        "search=%25": False,
        "unit=广西 大": True,
        "unit=柳工": False,
        "field=520": True,
        "field=110": False,
        "kind=technology": True,
        "kind=finance": False,
        "standing=banned": True,
        "standing=available": False,
        "standing=retired": False,
        "after=li": False,
        "after=lh": True,
    }.items():
        assert (f"/experts/{li}" in reader.get(f"/experts?{asked}").text) == there, asked


# Sheets -------------------------------------------------------------------------------------------------


def upload(reader: Reader, content: bytes, name: str = "e.csv", **typed: str) -> httpx.Response:
    return reader.client.post(
        "/experts/sheets/import", data={"csrf": reader.csrf(), **typed}, files={"file": (name, content)}
    )


def test_a_sheet_is_taken_in_and_each_row_reported(site: Site, li: UUID) -> None:
    officer = site.the("programme_officer")
    sheet = "login,name,kinds,region,yearly_load\nwu,吴一,技术,/,3\nli,李文,<b>,/,3\nli,李文,,,\n".encode()
    checked = upload(officer, sheet, check="yes").text
    assert "Checked only" in checked and site.world.value("SELECT count(*) FROM expert") == 1
    report = upload(officer, sheet).text
    assert "Row 3" in report and "There is no kind of expert" in report and "<b>" not in report
    assert site.world.value("SELECT count(*) FROM expert") == 2
    assert upload(officer, b"x", "e.pdf").status_code == 422
    assert upload(officer, b"x" * 200_000).status_code == 422
    assert upload(site.the("supervisor"), sheet).status_code == 404


def test_the_pool_and_the_template_are_given_out_as_files(site: Site, li: UUID) -> None:
    officer = site.the("programme_officer")
    for name in ("pool.xlsx", "pool.csv", "template.xlsx", "template.csv"):
        answer = officer.get(f"/experts/sheets/{name}")
        assert answer.status_code == 200 and answer.headers["content-disposition"].startswith("attachment")
    assert officer.get("/experts/sheets/pool.exe").status_code == 404
    again = upload(officer, officer.get("/experts/sheets/pool.xlsx").content, "pool.xlsx").text
    assert "And 1 more row<" in again and "Refused</span>" not in again


# A real browser -----------------------------------------------------------------------------------------


@pytest.mark.browser
def test_no_page_of_the_pool_is_wider_than_a_telephone(
    site: Site, li: UUID, address: str, browser: Browser, tmp_path: Path
) -> None:
    faults: list[str] = []
    with site.database.session() as session:
        expert = site.world.people["expert"][0]
        row = session.conn.execute("SELECT login, name FROM person WHERE id = %s", (expert.id,)).fetchone()
        assert row is not None
        officer_id = site.world.people["programme_officer"][0].id
        own = replace(LI, login=row[0], name=row[1], identity_no="", units=[Unit("广西" * 40)])
        pool.enrol(session, own, by=officer_id)
    sheet = tmp_path / "e.csv"
    sheet.write_text(
        "login,name,kinds,region,yearly_load\nli,李文,魔法,/,3\nwu,吴一,技术,/,3\n", encoding="utf-8"
    )
    for login, paths in (
        ("programme_officer-1", ["/experts", f"/experts/{li}", "/experts/new", "/experts/sheets/import"]),
        ("supervisor-1", ["/experts/duplicates", f"/experts/{li}"]),
        ("expert-1", ["/experts/me"]),
    ):
        page = log_in(browser, address, login, "zh", viewport={"width": 375, "height": 800})
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        for path in paths:
            answer = page.goto(address + path)
            assert answer is not None and answer.status == 200, path
            for fold in page.locator("summary").all():
                fold.click()
            assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
        if "/experts/sheets/import" in paths:
            page.set_input_files("#file", sheet)
            page.click("button.main")
            expect(page.locator("main")).to_contain_text("没有专家类别")
            assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert faults == []
