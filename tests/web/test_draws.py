"""Draws in the browser: the office announces, concludes and looks; everybody else has the public page."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser

from milepost.db import Database
from milepost.demo.panels import announce_draw
from milepost.experts import records
from milepost.experts.draw_names import check_names
from milepost.experts.draw_record import read
from milepost.experts.draw_verify import verify
from milepost.web.draws import METHOD
from tests.builders import World, published
from tests.experts import second_draw
from tests.web.conftest import ROLES, Reader, Site, form_of, message_codes
from tests.web.test_browser import address, browser, log_in
from tests.work.panels import Panels, announce_ready, draw_again, drawn, expert_actor

__all__ = ["address", "browser"]

SEE = {"programme_officer", "supervisor"}


@pytest.fixture
def panels(site: Site, database: Database) -> Panels:
    """Two panels, drawn and invited, one seat filled again."""
    made = drawn(database, projects=2)
    made.fill()
    gone, task = next(iter(made.live(0).items()))
    made.world.take(expert_actor(gone), "task.decline", task, reason="示例")
    made.fill()
    return made


def end_reviews(panels: Panels) -> None:
    """The applications leave the stage in which they were reviewed."""
    for project_id in panels.projects:
        panels.world.take("programme_officer", "project.decline", project_id, reason="示例")


def names(panels: Panels) -> list[str]:
    return [row[0] for row in panels.world.rows("SELECT name FROM person WHERE name LIKE '抽取专家%%'")]


# Who sees -----------------------------------------------------------------------------------------------


def test_officers_and_supervisors_of_the_office_see_a_draw_and_nobody_else_does(
    site: Site, panels: Panels
) -> None:
    pages = ("/draws", f"/draws/{panels.draw_id}", f"/draws/{panels.draw_id}/record.json")
    for role in ROLES:
        for reader in (site.the(role), site.reader(site.stranger(role))):
            own = reader.actor in panels.world.people[role]
            for path in pages:
                expected = 200 if role in SEE and (own or path == "/draws") else 404
                assert reader.get(path).status_code == expected, (role, own, path)
            listed = str(panels.draw_id) in reader.get("/draws").text
            assert listed == (role in SEE and own), (role, own)
            if not (role in SEE and own):
                reader_steps = reader.get(f"/steps/draw.void/{panels.draw_id}")
                assert reader_steps.status_code == 404, (role, own)
    for path in pages:
        assert site.anonymous().get(path).status_code == 303


def test_an_officer_of_another_office_can_do_nothing_to_a_draw(site: Site, panels: Panels) -> None:
    from milepost.actions import perform
    from states.refusals import Refused

    stranger = site.stranger("programme_officer")
    with site.database.session() as session, pytest.raises(Refused) as refused:
        perform(session, stranger, "draw.void", panels.draw_id, {"reason": "x"}, "r-1")
    assert [r.code for r in refused.value.refusals] == ["not_found"]


def test_a_draw_page_tells_what_was_committed_drawn_and_replaced_by_name(site: Site, panels: Panels) -> None:
    row, known = panels.row(), panels.people()
    people = {str(id): name for id, name in panels.world.rows("SELECT id, name FROM person")}
    for locale, word in (("en", "Replacements"), ("zh", "递补")):
        text = site.the("supervisor", locale=locale).get(f"/draws/{panels.draw_id}").text
        assert row["commitment"] in text and row["value"] in text and word in text
        seats = [member for panel in row["panels"]["panels"] for member in panel["members"]]
        for one in (*seats, row["entries"][0]["successors"][0], row["entries"][0]["gone"]):
            assert f'/experts/{known[one]}">{people[known[one]]}<' in text


def test_a_supervisor_opens_the_names_of_a_record_and_nobody_else_does(site: Site, panels: Panels) -> None:
    path = f"/draws/{panels.draw_id}"
    record = read(site.the("supervisor").get(f"{path}/record.json").content)
    opening = json.loads(site.the("supervisor").get(f"{path}/names.json").content)
    assert check_names(record, opening) == []
    assert set(opening["experts"]) == set(panels.people().values()), "everybody of this pool was there"
    for role in ("programme_officer", "applicant", "expert", "administrator", "finance_officer", "counsel"):
        assert site.the(role).get(f"{path}/names.json").status_code == 404, role
    assert site.anonymous().get(f"{path}/names.json").status_code == 303
    # Whoever exchanges a person, the salt or the draw is found out.
    others = {
        "salt_not_committed": {**opening, "salt": "0" * 64},
        "names_of_nobody": {**opening, "experts": opening["experts"][1:]},
        "names_not_there": {**opening, "experts": [*opening["experts"], str(UUID(int=7))]},
        "another_draw": {**opening, "commitment": "0" * 64},
        "malformed": {**opening, "names": []},
    }
    for code, wrong in others.items():
        assert code in {finding.code for finding in check_names(record, wrong)}, code
    assert [f.code for f in check_names(record, b"x")] == ["not_json"]


def test_no_expert_can_be_followed_from_one_record_to_another(site: Site, panels: Panels) -> None:
    """Neither by the id in the pool nor by a name that two draws share; a redraw keeps the first one's."""
    world = panels.world
    other = drawn(world.database, name="E")
    world.take("programme_officer", "draw.void", other.draw_id, reason="示例")
    again = draw_again(other.world, other.rounds, other.draw_id, reason="示例")
    found = {}
    for draw_id in (panels.draw_id, other.draw_id, again):
        record = site.the("supervisor").get(f"/draws/{draw_id}/record.json")
        assert verify(record.content) == []
        assert json.loads(record.content)["format"] == "milepost-draw/2"
        found[draw_id] = set(re.findall("[0-9a-f]{8}-[0-9a-f-]{27}", record.text))
    experts = {str(row[0]) for row in world.rows("SELECT person_id FROM expert")}
    assert not experts & set().union(*found.values())
    named = {draw_id: set(_pool(site, draw_id)) for draw_id in found}
    assert not named[panels.draw_id] & named[other.draw_id]
    assert named[other.draw_id] == named[again]


def _pool(site: Site, draw_id: UUID) -> list[str]:
    record = json.loads(site.the("supervisor").get(f"/draws/{draw_id}/record.json").content)
    assert {code for p in record["committed"]["projects"] for code in p["excluded"].values()} <= {"conflict"}
    assert all(len(code) <= 3 for person in record["committed"]["pool"] for code in person["fields"])
    return [person["id"] for person in record["committed"]["pool"]]


def test_an_officer_with_a_conflict_does_not_see_that_panel(site: Site, panels: Panels) -> None:
    officer = panels.world.who("programme_officer")
    with site.database.session() as session:
        session.conn.execute(
            "INSERT INTO expert (person_id, kinds, region, yearly_load, version, updated_at) "
            "VALUES (%s, '[\"technology\"]', '/', 9, 1, now())",
            (officer.id,),
        )
        records.declare_tie(
            session, officer.id, kind="kin", other_name="负责人0", evidence="示例", by=officer.id
        )
    reader = site.the("programme_officer")
    text = reader.get(f"/draws/{panels.draw_id}").text
    hidden, shown = (
        next(p for p in panels.row()["panels"]["panels"] if p["project"] == str(id)) for id in panels.projects
    )
    assert "conflict of interest with this project" in text
    known = panels.people()
    assert not any(f"/experts/{known[m]}" in text for m in set(hidden["members"]) - set(shown["members"]))
    assert all(f"/experts/{known[m]}" in text for m in shown["members"])
    assert "declined" not in text, "the replacement was on the hidden panel"
    assert reader.get(f"/draws/{panels.draw_id}/record.json").status_code == 404
    end_reviews(panels)
    assert reader.get(f"/draws/{panels.draw_id}/record.json").status_code == 200


# What is published --------------------------------------------------------------------------------------


def test_the_public_page_gives_everybody_the_record_without_a_log_in_and_without_names(
    site: Site, panels: Panels
) -> None:
    commitment = panels.row()["commitment"]
    reader = site.anonymous()
    for lang in ("zh", "en"):
        answer = reader.get(f"/public/draws?lang={lang}")
        assert answer.status_code == 200 and commitment in answer.text
        assert "示例抽取" not in answer.text, "a title is the office's own words"
        assert not any(name in answer.text for name in names(panels))
    path = f"/public/draws/{commitment}.json"
    office = site.the("programme_officer").get(f"/draws/{panels.draw_id}/record.json")
    assert reader.get(path).status_code == 404 and path not in reader.get("/public/draws").text
    end_reviews(panels)
    assert path in reader.get("/public/draws").text
    record = reader.get(path)
    assert record.status_code == 200 and "attachment" in record.headers["content-disposition"]
    assert verify(record.content, held=commitment) == []
    told = json.loads(record.content)
    assert second_draw.panels_of(told["committed"], commitment, told["value"]["text"]) == told["panels"]
    people = [row[0] for row in panels.world.rows("SELECT name FROM person")]
    assert not any(name in record.text for name in people)
    assert "研究所" not in record.text, "where experts work would tell who they are"
    assert office.content == record.content
    assert reader.get(f"/public/draws/{'0' * 64}.json").status_code == 404
    for role in ("applicant", "expert"):
        assert site.the(role).get("/public/draws").status_code == 200


def test_anybody_reads_how_experts_are_drawn_in_either_language(site: Site) -> None:
    reader = site.anonymous()
    assert "/public/draws/method" in reader.get("/public/draws").text
    for lang, word, other in (("zh", "名次", "The idea"), ("en", "The idea", "思路")):
        answer = reader.get(f"/public/draws/method?lang={lang}")
        assert answer.status_code == 200 and word in answer.text and other not in answer.text
        assert "<table>" in answer.text and "milepost-draw/2:seed:" in answer.text
        assert "**" not in answer.text and "| key" not in answer.text and "```" not in answer.text
    assert reader.get("/public/draws/method.md").content == METHOD.read_bytes()


def test_a_commitment_is_public_before_the_value_exists(site: Site, database: Database) -> None:
    ready = announce_ready(database, projects=1, experts=12)
    _announce(site, ready)
    commitment = ready.world.value("SELECT commitment FROM draw")
    assert site.anonymous().get(f"/public/draws/{commitment}.json").status_code == 404
    record = site.the("supervisor").get(f"/draws/{ready.world.value('SELECT id FROM draw')}/record.json")
    assert verify(record.content, held=commitment) == []
    assert json.loads(record.content)["value"] is None
    assert commitment in site.anonymous().get("/public/draws").text


def test_a_redraw_never_hides_the_first(site: Site, panels: Panels) -> None:
    other = drawn(panels.world.database, name="V", experts=0)
    first, before = other.draw_id, other.row()["commitment"]
    other.world.take("programme_officer", "draw.void", first, reason="名单有误")
    second = draw_again(other.world, other.rounds, first, reason="示例：重抽的理由")
    after = other.world.value("SELECT commitment FROM draw WHERE id = %s", second)
    end_reviews(other)
    text = site.anonymous().get("/public/draws").text
    assert before in text and after in text and f"#{before}" in text
    given = [site.anonymous().get(f"/public/draws/{c}.json").content for c in (before, after)]
    assert verify(given[1], held=after, earlier=[given[0]]) == []
    assert verify(given[0]) == [], "a void draw is still what it was"
    officer = site.the("programme_officer")
    assert f"/draws/{second}" in officer.get(f"/draws/{first}").text
    page = officer.get(f"/draws/{second}").text
    assert f"/draws/{first}" in page and "重抽的理由" in page


def test_a_redraw_that_does_not_name_the_first_is_refused(site: Site, panels: Panels) -> None:
    other = drawn(panels.world.database, name="V", experts=0)
    other.world.take("programme_officer", "draw.void", other.draw_id, reason="名单有误")
    officer = site.the("programme_officer")
    typed = _typed(officer, other)
    assert message_codes(officer.send("draw.announce", None, typed).text) == ["redraw_hides_draw"]
    named = {**_typed(officer, other), "replaces": str(other.draw_id)}
    assert message_codes(officer.send("draw.announce", None, named).text) == ["redraw_without_reason"]
    done = officer.send("draw.announce", None, {**_typed(officer, other), **named, "reason": "重抽"})
    assert done.status_code == 303


# Forms --------------------------------------------------------------------------------------------------


def _typed(officer: Reader, ready: Panels) -> dict[str, object]:
    return {
        **officer.form("draw.announce"),
        "programme_id": str(ready.world.published.id),
        "office_path": "/",
        "title": "春季抽取",
        "rounds": [str(id) for id in ready.rounds],
        "source_kind": "figure",
        "source_name": "示例指数",
        "source_on": (ready.world.clock.today() + timedelta(days=2)).isoformat(),
    }


def _announce(site: Site, ready: Panels) -> UUID:
    officer = site.the("programme_officer")
    done = officer.send("draw.announce", None, _typed(officer, ready))
    assert done.status_code == 303, done.text
    return UUID(re.findall(r"/draws/([0-9a-f-]{36})", done.headers["location"])[0])


def test_a_draw_is_announced_witnessed_and_concluded_by_the_forms(site: Site, database: Database) -> None:
    ready = announce_ready(database, projects=3, experts=16)
    officer = site.the("programme_officer")
    page = officer.get("/steps/draw.announce").text
    assert all(str(id) in page for id in ready.rounds)
    nothing = officer.send("draw.announce", None, {**_typed(officer, ready), "rounds": []})
    assert nothing.status_code == 422 and "Choose at least one round" in nothing.text
    assert "春季抽取" in nothing.text, "what was typed is still there"
    late = officer.send(
        "draw.announce", None, {**_typed(officer, ready), "source_on": ready.world.clock.today().isoformat()}
    )
    assert message_codes(late.text) == ["draw_value_known"]
    assert late.text.count(" checked") >= 3
    draw_id = _announce(site, ready)
    page = officer.get(f"/draws/{draw_id}").text
    assert "/steps/draw.conclude" not in page and "There is no round" not in page
    assert site.the("supervisor").take("draw.witness", draw_id).status_code == 303
    ready.world.clock.set(ready.world.clock.today() + timedelta(days=2))
    done = officer.take("draw.conclude", draw_id, value="３０１２.47", evidence="示例网站")
    assert done.status_code == 303
    assert ready.world.value("SELECT value FROM draw WHERE id = %s", draw_id) == "3012.47"
    assert officer.get("/steps/draw.announce").text.count('name="rounds"') == 0


def test_all_rounds_are_chosen_by_one_tick(site: Site, database: Database) -> None:
    ready = announce_ready(database, projects=3, experts=16)
    officer = site.the("programme_officer")
    done = officer.send("draw.announce", None, {**_typed(officer, ready), "rounds": [], "rounds.all": "yes"})
    assert done.status_code == 303
    assert ready.world.value("SELECT count(*) FROM draw_round") == 3


def test_a_seat_is_filled_by_hand_from_lists(site: Site, panels: Panels) -> None:
    expert, task = next(iter(panels.live(1).items()))
    panels.world.take(expert_actor(expert), "task.decline", task, reason="示例")
    officer = site.the("programme_officer")
    typed = {"round_id": str(panels.rounds[1]), "expert_id": str(expert)}
    page = officer.get(f"/steps/draw.succeed/{panels.draw_id}").text
    assert all(value in page for value in typed.values())
    done = officer.take("draw.succeed", panels.draw_id, **typed)
    assert done.status_code == 303 and done.headers["location"].startswith(f"/draws/{panels.draw_id}")
    again = officer.take("draw.succeed", panels.draw_id, **typed)
    assert message_codes(again.text) == ["seat_taken"]


def describe_form(reader: Reader, project_id: UUID) -> dict[str, object]:
    return reader.form("project.describe", project_id)


def test_an_application_names_its_team_and_asks_for_more_rows_without_a_script(
    site: Site, database: Database
) -> None:
    ready = announce_ready(database, projects=0, experts=1)
    project_id = ready.world.apply("T-1")
    applicant = site.the("applicant")
    path = f"/steps/project.describe/{project_id}"
    form = applicant.form("project.describe", project_id)
    assert form["fields"] == "510" and form["summary"] == "示例摘要", "it begins with what was said before"
    people = {
        "team.name": ["王一", "", "李二", "", "", ""],
        "team.unit": ["甲大学", "乙公司", "丙所", "", "", ""],
        "team.part": ["leader", "unit", "member", "member", "member", "member"],
        "unsuitable.name": ["赵三"],
        "unsuitable.unit": ["丁院"],
    }
    more = applicant.client.post(path, data={**form, **people, "fields": "5x", "more": "team"})
    assert more.status_code == 200 and 'role="alert"' not in more.text, "nothing was handed in yet"
    assert more.text.count('name="team.name"') == 6
    for typed in ("王一", "乙公司", "丙所", "赵三", "5x"):
        assert typed in more.text
    wrong = applicant.client.post(path, data={**form, **people, "fields": "999"})
    assert wrong.status_code == 422 and "王一" in wrong.text and "There is no subject code" in wrong.text
    nameless = {**people, "team.name": ["", "", "李二"]}
    refused = applicant.client.post(path, data={**form, **nameless, "fields": "510"})
    assert refused.status_code == 422 and "Row 1 has no name" in refused.text
    done = applicant.client.post(path, data={**form, **people, "fields": "510.10, 520"})
    assert done.status_code == 303, done.text
    fields, team, unsuitable = ready.world.rows(
        "SELECT fields, team, unsuitable FROM dossier WHERE id = %s", project_id
    )[0]
    assert fields == ["51010", "520"]
    assert [(m["name"], m["unit"], m["part"]) for m in team] == [
        ("王一", "甲大学", "leader"),
        ("", "乙公司", "unit"),
        ("李二", "丙所", "member"),
    ]
    assert unsuitable == [{"name": "赵三", "unit": "丁院"}]
    again = applicant.get(path).text
    assert "王一" in again and "赵三" in again and "51010 520" in again


def test_what_no_page_shows_of_a_member_survives_a_second_description(site: Site, database: Database) -> None:
    ready = announce_ready(database, projects=0, experts=1)
    project_id = ready.world.apply("T-1")
    member = {"name": "王一", "unit": "甲大学", "part": "leader", "identity_hash": "ab" * 32}
    ready.world.take(
        "applicant", "project.describe", project_id, summary="s", fields=["510"], team=[member], unsuitable=[]
    )
    applicant = site.the("applicant")
    path = f"/steps/project.describe/{project_id}"
    text = applicant.get(path).text
    assert "ab" * 32 not in text
    form = {**form_of(text, path), "team.name": "王一", "team.unit": "甲大学", "team.part": "leader"}
    done = applicant.client.post(path, data={**form, "summary": "新摘要"})
    assert done.status_code == 303, done.text
    team = ready.world.value("SELECT team FROM dossier WHERE id = %s", project_id)
    assert team[0]["identity_hash"] == "ab" * 32


def test_unknown_addresses_are_missing_and_not_errors(site: Site) -> None:
    reader = site.the("programme_officer")
    for path in (f"/draws/{uuid4()}", "/draws/x", f"/draws/{uuid4()}/record.json"):
        assert reader.get(path).status_code == 404
    assert reader.get("/draws?after=nonsense").status_code == 200
    assert site.anonymous().get("/public/draws?after=~").status_code == 200


# On a telephone -----------------------------------------------------------------------------------------


@pytest.mark.browser
def test_pages_of_draws_fit_a_telephone_and_say_nothing_on_the_console(
    site: Site, panels: Panels, address: str, browser: Browser
) -> None:
    faults: list[str] = []
    ready = announce_ready(panels.world.database, projects=1, experts=0, name="W")
    for login, paths in (
        (
            "programme_officer-1",
            ["/draws", f"/draws/{panels.draw_id}", "/steps/draw.announce", "/public/draws"],
        ),
        ("applicant-1", [f"/steps/project.describe/{ready.world.apply('T-1')}"]),
    ):
        page = log_in(browser, address, login, "zh", viewport={"width": 375, "height": 800})
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        for path in paths:
            answer = page.goto(address + path)
            assert answer is not None and answer.status == 200, path
            assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
    assert faults == []


def test_a_draw_that_waits_stands_in_the_work_of_who_can_act(site: Site) -> None:
    """The officer enters the value, the supervisor is present once; nobody else hears of it there."""
    with_draws = World(
        site.database, published(site.database, "city-key-projects"), site.world.people, name="W"
    )
    project = with_draws.project_at("remote_review")
    round_id = with_draws.take("programme_officer", "round.open", project).subject_id
    tomorrow = with_draws.clock.today() + timedelta(days=1)
    draw_id = announce_draw(with_draws, [round_id], title="W", source_on=tomorrow, witnessed=False)
    link = f'href="/draws/{draw_id}"'
    for role, shown in (("programme_officer", True), ("supervisor", True), ("applicant", False)):
        assert (link in site.the(role).get("/").text) is shown, role
    with_draws.take("supervisor", "draw.witness", draw_id)
    assert link not in site.the("supervisor").get("/").text
    assert link in site.the("programme_officer").get("/").text
