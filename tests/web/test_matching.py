"""Open rounds are matched in the background, explained, and invited pair by pair with an answer for each."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from milepost.experts.matching import Stage, Terms
from milepost.experts.pool import NewExpert, enrol
from milepost.experts.records import Unit
from milepost.queries.matching import matched_here
from milepost.queries.rankings import Scope
from milepost.work.matching import RUNS, Runs
from tests.experts.pool_scene import PoolScene
from tests.web.conftest import ROLES, Reader, Site, form_of

# Five for each application; the fifth knows both.
EXPERTS = (
    (("48060",), "钙钛矿电池封装"),
    (("48060",), "光伏组件老化"),
    (("48010",), "锅炉"),
    (("48010",), "汽轮机"),
    (("52030", "48010"), "语音识别"),
    (("52030",), "方言语料"),
    (("52010",), "操作系统"),
    (("52010",), "编译器"),
    (("52010",), "数据库"),
)
APPLICATIONS = (("M-1", "48060", "低成本钙钛矿电池封装"), ("M-2", "52030", "柳州方言语音识别"))


@pytest.fixture
def rounds(site: Site) -> dict[str, UUID]:
    """Two applications of different fields with an open round each, and nine experts in the pool."""
    world = site.world
    with site.database.session() as session:
        for number, (expert, (fields, text)) in enumerate(zip(world.people["expert"], EXPERTS, strict=True)):
            session.conn.execute("UPDATE person SET name = %s WHERE id = %s", (f"专家{number}", expert.id))
            enrol(
                session,
                NewExpert(
                    login=world.value("SELECT login FROM person WHERE id = %s", expert.id),
                    name=f"专家{number}",
                    kinds=("technology",),
                    region="/",
                    yearly_load=2,
                    fields=fields,
                    units=(Unit(f"研究所{number}"),),
                    profile=text,
                ),
                by=world.who("programme_officer").id,
            )
    found = {}
    for code, field, title in (
        ("M-1", "48060", "低成本钙钛矿电池封装"),
        ("M-2", "52030", "柳州方言语音识别"),
    ):
        project_id = world.apply(code, title=title, leader_name="某负责人")
        world.take("applicant", "project.describe", project_id, summary=title, fields=[field], team=[])
        world.bring_to(project_id, "remote_review")
        found[code] = world.take("programme_officer", "round.open", project_id).subject_id
    return found


def address(site: Site) -> str:
    return f"/matching/{site.world.published.id}/remote_review"


def done(site: Site, reader: Reader) -> str:
    """The page once what was begun is over."""
    assert reader.actor is not None
    run = RUNS.latest(site.database, reader.actor.id, Scope(site.world.published.id, "remote_review"))
    assert run is not None
    run.join(60)
    return reader.get(address(site)).text


def matched(site: Site, reader: Reader, **terms: str) -> str:
    """The page with a proposal."""
    fields = {"csrf": reader.csrf(), "fair": "yes", **terms}
    assert reader.client.post(f"{address(site)}/start", data=fields).status_code == 303
    return done(site, reader)


def seats(html: str) -> dict[str, list[str]]:
    """The experts' names by application."""
    parts = re.split(r'<li data-code="([^"]+)">', html)[1:]
    return {
        code: re.findall(r"<strong>(专家\d)</strong>", text)
        for code, text in zip(parts[::2], parts[1::2], strict=True)
    }


def test_a_proposal_fits_and_says_why_and_nobody_is_asked_before_the_officer_says_so(
    site: Site, rounds: dict[str, UUID]
) -> None:
    reader = site.the("programme_officer")
    before = reader.get(address(site)).text
    assert "2 rounds, panels of 5; empty seats: 10" in before
    page = matched(site, reader)
    found = seats(page)
    assert set(found["M-1"][:2]) == {"专家0", "专家1"} and set(found["M-2"][:2]) == {"专家4", "专家5"}
    assert "Subjects" in page and "48060" in page and "钙钛矿电池封装" in page
    assert site.world.value("SELECT count(*) FROM task") == 0


def test_the_chosen_are_invited_and_each_row_has_its_answer(site: Site, rounds: dict[str, UUID]) -> None:
    world, reader = site.world, site.the("programme_officer")
    page = matched(site, reader)
    form = form_of(page, f"{address(site)}/invite")
    pairs = re.findall(r'name="pair" value="([^"]+)"', page)
    first = next(pair for pair in pairs if pair.startswith(str(rounds["M-1"])))
    expert = UUID(first.split(":")[1])
    with site.database.session() as session:
        session.conn.execute("UPDATE expert SET active = false WHERE person_id = %s", (expert,))
    chosen = [pair for pair in pairs if pair.startswith(str(rounds["M-1"]))][:2]
    for _ in range(2):
        answer = reader.client.post(f"{address(site)}/invite", data={**form, "pair": chosen})
        assert answer.status_code == 303
        page = done(site, reader)
    assert world.value("SELECT count(*) FROM task") == 1, "pressed twice, asked once; the retired one is not"
    assert page.count('<span class="pill good">invited</span>') == 1
    assert 'data-refused="M-1"' in page and "left the pool" in page


def test_the_whole_proposal_is_invited_at_once_and_kept_by_the_next_matching(
    site: Site, rounds: dict[str, UUID]
) -> None:
    world, reader = site.world, site.the("programme_officer")
    form = form_of(matched(site, reader), f"{address(site)}/invite")
    reader.client.post(f"{address(site)}/invite", data={**form, "whom": "all"})
    done(site, reader)
    asked = world.value("SELECT count(*) FROM task WHERE state = 'invited'")
    assert asked == 10
    task, expert = world.rows("SELECT id, expert_id FROM task ORDER BY id LIMIT 1")[0]
    world.take(next(e for e in world.people["expert"] if e.id == expert), "task.decline", task, reason="不便")
    page = matched(site, reader)
    assert page.count("asked before") == 9
    assert len(re.findall(r'name="pair"', page)) <= 1, "the one who declined is not asked again"


def test_a_matching_can_be_stopped_and_the_best_so_far_stands(
    site: Site, rounds: dict[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    panel = matched_here(site.world.published.compiled)
    assert panel is not None
    scope = Scope(site.world.published.id, "remote_review")
    run = runs.begin(site.database, site.world.who("programme_officer").id, scope, panel, Terms())
    run.stop()
    run.join(60)
    assert run.matching is not None and run.matching.stopped
    assert isinstance(run.stage, Stage)
    reader = site.the("programme_officer")
    assert reader.client.post(f"{address(site)}/stop", data={"csrf": reader.csrf()}).status_code == 303


def test_a_share_of_chance_needs_a_public_seed(site: Site, rounds: dict[str, UUID]) -> None:
    reader = site.the("programme_officer")
    fields = {"csrf": reader.csrf(), "open_percent": "50"}
    for more, word in (({}, "public seed"), ({"open_percent": "many"}, "whole number")):
        answer = reader.client.post(f"{address(site)}/start", data={**fields, **more})
        assert answer.status_code == 422 and word in answer.text
    assert matched(site, reader, open_percent="50", seed="SSE 3012.47").count("data-code=") == 2


def test_nobody_else_finds_the_rounds_nor_the_proposal(site: Site, rounds: dict[str, UUID]) -> None:
    matched(site, site.the("programme_officer"))
    for role in ROLES:
        for reader in (site.the(role), site.reader(site.stranger(role))):
            own = role == "programme_officer" and reader.actor in site.world.people[role]
            assert (reader.get(address(site)).status_code == 200) == own, role
            for action in ("start", "stop", "invite"):
                sent = reader.client.post(f"{address(site)}/{action}", data={"csrf": reader.csrf()})
                assert (sent.status_code == 303) == own, (role, action)
    colleague = site.the("programme_officer", 1).get(address(site)).text
    assert "data-expert" not in colleague, "a proposal is whose who began it"
    done(site, site.the("programme_officer"))


def test_a_conflict_with_one_application_closes_the_list_and_its_proposal(
    site: Site, rounds: dict[str, UUID]
) -> None:
    officer = site.world.people["programme_officer"][0]
    reader = site.reader(officer)
    form = form_of(matched(site, reader), f"{address(site)}/invite")
    PoolScene(site.world).tie(officer, "kin", name="某负责人")
    assert reader.get(address(site)).status_code == 404
    assert reader.client.post(f"{address(site)}/invite", data={**form, "whom": "all"}).status_code == 404
    assert site.world.value("SELECT count(*) FROM task") == 0
    assert str(site.world.published.id) not in reader.get("/matching").text


def test_an_expert_with_a_conflict_is_not_proposed(site: Site, rounds: dict[str, UUID]) -> None:
    expert = site.world.people["expert"][0]
    project_id = site.world.value("SELECT project_id FROM round WHERE id = %s", rounds["M-1"])
    PoolScene(site.world).tie(expert, "economic", project=project_id)
    assert "专家0" not in seats(matched(site, site.the("programme_officer")))["M-1"]
