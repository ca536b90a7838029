"""A stage's list is for officers and supervisors without a conflict; a step for several is taken once."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from tests.experts.pool_scene import PoolScene
from tests.web.conftest import ROLES, Reader, Site, form_of

PERCENTS = (80, 60, 90, 40, 80)


@pytest.fixture
def applications(site: Site) -> list[UUID]:
    """Five applications: the second lacks a quorum, the fourth fails, the first and the last are equals."""
    found = []
    for number, percent in enumerate(PERCENTS):
        project_id = site.world.project_at(
            "remote_review", f"A-{number}", requested_minor=(number + 1) * 10**8
        )
        _, tasks = site.world.open_round(project_id, experts=5)
        for at, task_id in enumerate(tasks[: 2 if number == 1 else 5]):
            site.world.review_task(task_id, percent=percent + at - 2)
        found.append(project_id)
    return found


def address(site: Site, **more: str) -> str:
    asked = "&".join(f"{name}={value}" for name, value in more.items())
    return f"/rankings/{site.world.published.id}/remote_review" + (f"?{asked}" if asked else "")


def rows(html: str) -> list[tuple[str, str]]:
    """Each row's code with its text, tags taken out."""
    found = re.findall(r'<tr id="row-[^"]+" data-code="([^"]+)">(.*?)</tr>', html, re.S)
    return [(code, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).strip()) for code, text in found]


def test_the_list_says_of_each_application_where_it_stands_and_why(
    site: Site, applications: list[UUID]
) -> None:
    page = site.the("programme_officer").get(address(site, budget="7,000,000")).text
    told = dict(rows(page))
    assert list(told) == ["A-2", "A-0", "A-4", "A-1", "A-3"]
    assert told["A-2"].startswith("1 ") and "89.03" in told["A-2"] and "5 (−2)" in told["A-2"]
    assert told["A-0"].startswith("2 shared") and told["A-4"].startswith("2 shared")
    assert "set apart by raw score" in told["A-0"]
    assert "2 valid reviews, 5 needed" in told["A-1"] and told["A-1"].startswith("— ")
    assert "below the pass mark of 60" in told["A-3"]
    assert page.index('data-code="A-0"') < page.index("The funding line</td>") < page.index('data-code="A-4"')
    assert "In rank order 2 applications fit, 4,000,000.00 CNY in all" in page
    assert "nothing tells A-0, A-4 apart" in page


def test_the_same_list_in_chinese(site: Site, applications: list[UUID]) -> None:
    page = site.the("supervisor", locale="zh").get(address(site, places="1")).text
    told = dict(rows(page))
    assert "与前一名次的区别：原始分" in told["A-0"] and "并列" in told["A-0"] and "试算" in told["A-0"]
    assert "有效评审 2 份，须 5 份" in told["A-1"] and "这些数字是什么意思" in page


def test_nobody_else_finds_the_list(site: Site, applications: list[UUID]) -> None:
    missing = site.the("programme_officer").get(
        "/rankings/00000000-0000-4000-8000-000000000000/remote_review"
    )
    assert missing.status_code == 404
    for role in ROLES:
        for reader in (site.the(role), site.reader(site.stranger(role))):
            own = role in ("programme_officer", "supervisor") and reader.actor in site.world.people[role]
            for path in (address(site), address(site).replace("review", "review/sheet.csv")):
                answer = reader.get(path)
                assert (answer.status_code == 200) == own, (role, path)
                assert own or answer.text == missing.text
            csrf = {"csrf": reader.csrf(), "deed": "decline", "whom": "all", "reason": "r"}
            for action in ("confirm", "steps"):
                sent = reader.client.post(f"{address(site)}/{action}", data=csrf)
                # A supervisor looks on: no step of these is theirs.
                assert (sent.status_code != 404) == (own and role == "programme_officer"), (role, action)
    assert {site.world.state(id) for id in applications} == {"remote_review"}


def test_a_conflict_with_one_application_closes_the_whole_list(site: Site, applications: list[UUID]) -> None:
    officer = site.world.people["programme_officer"][0]
    reader = site.reader(officer)
    form = confirm(reader, site, "conclude", whom="all")
    PoolScene(site.world).tie(officer, "kin", name="亲属负责人")
    assert reader.get(address(site)).status_code == 200
    site.world.project_at("remote_review", "A-5", leader_name="亲属负责人")
    assert reader.get(address(site)).status_code == 404
    assert reader.client.post(f"{address(site)}/steps", data=form).status_code == 404
    assert str(site.world.published.id) not in reader.get("/rankings").text
    assert reader.get(f"{address(site)}/sheet.csv").status_code == 404
    assert site.the("programme_officer", 1).get(address(site)).status_code == 200
    assert site.world.value("SELECT count(*) FROM round WHERE state = 'decided'") == 0


def confirm(reader: Reader, site: Site, deed: str, *chosen: UUID, whom: str = "ticked") -> dict[str, object]:
    """The form of the page that asks for confirmation, every row ticked."""
    fields = {"csrf": reader.csrf(), "deed": deed, "whom": whom, "chosen": [str(id) for id in chosen]}
    answer = reader.client.post(f"{address(site)}/confirm", data=fields)
    assert answer.status_code == 200, answer.text
    form = form_of(answer.text, f"{address(site)}/steps")
    form["row"] = re.findall(r'name="row" value="([^"]+)"', answer.text)
    return form


def test_rounds_are_concluded_and_noticed_together_each_with_its_own_answer(
    site: Site, applications: list[UUID]
) -> None:
    world, reader = site.world, site.the("programme_officer")
    form = confirm(reader, site, "conclude", whom="all")
    assert world.value("SELECT count(*) FROM round WHERE state = 'decided'") == 0, (
        "nothing before it is confirmed"
    )
    done = reader.client.post(f"{address(site)}/steps", data=form)
    assert "Done:  4; refused:  1." in done.text
    states = [world.state(id) for id in applications]
    assert states == ["public_notice", "remote_review", "public_notice", "remote_review", "public_notice"]
    outcomes = dict(re.findall(r'<li data-code="(A-\d)" data-refused="(\w+)">', done.text))
    assert outcomes["A-1"] == "yes" and outcomes["A-3"] == "no"
    assert "quorum" in done.text.split('data-code="A-1"')[1].lower()
    assert world.value("SELECT passed FROM round WHERE project_id = %s", applications[3]) is False

    notice = confirm(reader, site, "notice", applications[0], applications[2])
    notice[f"amount.{applications[0]}"] = "80万"
    notice["opens_on"] = "2025-03-10"
    answers = [reader.client.post(f"{address(site)}/steps", data=notice).text for _ in range(2)]
    assert "Done:  2; refused:  0." in answers[0] and "Done:  2; refused:  0." in answers[1]
    found = world.rows(
        "SELECT project_id, opens_on::text, closes_on::text, issued_on::text, proposed_minor FROM notice"
    )
    assert sorted(found, key=lambda row: row[4]) == [
        (applications[0], "2025-03-10", "2025-03-14", "2025-03-03", 80_000_000),
        (applications[2], "2025-03-10", "2025-03-14", "2025-03-03", 300_000_000),
    ], "sent twice, published once"


def test_a_page_that_is_stale_is_told_so_and_does_nothing(site: Site, applications: list[UUID]) -> None:
    world, reader = site.world, site.the("programme_officer")
    form = confirm(reader, site, "conclude", applications[0])
    round_id = world.value("SELECT id FROM round WHERE project_id = %s", applications[0])
    world.take("programme_officer", "round.score", round_id)
    done = reader.client.post(f"{address(site)}/steps", data=form)
    assert 'data-code="stale_page"' in done.text and "refused:  1." in done.text
    assert world.value("SELECT state FROM round WHERE id = %s", round_id) == "scored"


def test_declining_several_needs_a_reason_and_amounts_have_to_be_readable(
    site: Site, applications: list[UUID]
) -> None:
    world, reader = site.world, site.the("programme_officer")
    form = confirm(reader, site, "decline", applications[3])
    again = reader.client.post(f"{address(site)}/steps", data=form)
    assert again.status_code == 422 and "Say why." in again.text
    assert world.state(applications[3]) == "remote_review"
    done = reader.client.post(f"{address(site)}/steps", data={**form, "reason": "未达标"})
    assert "Done:  1" in done.text and world.state(applications[3]) == "declined"
    reader.client.post(f"{address(site)}/steps", data=confirm(reader, site, "conclude", applications[0]))
    notice = confirm(reader, site, "notice", applications[0])
    wrong = reader.client.post(f"{address(site)}/steps", data={**notice, f"amount.{applications[0]}": "lots"})
    assert wrong.status_code == 422 and "not a readable amount" in wrong.text
    assert world.value("SELECT count(*) FROM notice") == 0


def test_a_row_of_another_list_and_a_step_that_was_not_offered_are_left_alone(
    site: Site, applications: list[UUID]
) -> None:
    other = site.world.project_at("completeness_check")
    reader = site.the("programme_officer")
    form = confirm(reader, site, "conclude", applications[0])
    form["row"] = [f"{other}:1::0:project.pass_completeness", f"{applications[0]}:1::0:project.decline"]
    reader.client.post(f"{address(site)}/steps", data=form)
    assert site.world.state(other) == "completeness_check"
    assert site.world.state(applications[0]) == "remote_review"


def test_the_sheet_has_every_application_nobody_s_name_and_no_formula(
    site: Site, applications: list[UUID]
) -> None:
    with site.database.session() as session:
        session.conn.execute(
            "UPDATE person SET name = 'MARKED-EXPERT' WHERE id = ANY(%s)",
            ([e.id for e in site.world.people["expert"]],),
        )
    evil = site.world.apply("A-9", title="=HYPERLINK(1)")
    site.world.bring_to(evil, "remote_review")
    answer = site.the("supervisor").get(f"{address(site)}/sheet.csv")
    lines = answer.text.splitlines()
    assert len(lines) == 7 and lines[1].startswith("1,否 · no,A-2,")
    assert "MARKED-EXPERT" not in answer.text and ",'=HYPERLINK(1)," in answer.text
    assert site.the("supervisor").get(f"{address(site)}/sheet.xlsx").content[:2] == b"PK"


def test_experts_are_named_where_something_is_worth_a_look(site: Site, applications: list[UUID]) -> None:
    expert = site.world.people["expert"][0]
    with site.database.session() as session:
        session.conn.execute("UPDATE person SET name = 'MARKED-EXPERT' WHERE id = %s", (expert.id,))
    page = site.the("supervisor").get(address(site)).text
    assert "No review was removed or weighed down" in page
