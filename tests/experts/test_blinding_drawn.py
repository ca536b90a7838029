# ruff: noqa: F811  (a fixture's name is the name of the argument that asks for it)
"""Who was drawn, who left, who followed, who scored what: nothing of it shows to whom it does not concern.

Two offices with the same pool and the same application draw its panel. In one nobody has answered yet, in the
other everything happens. What each reader gets who may not know is the same, byte by byte: draws and their
public records, rankings, matchings, the pool with its loads, exports, mails and the order in which they came.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from config.settings import Settings
from milepost.actions import Actor
from milepost.clock import SimulatedClock
from milepost.demo.panels import draw_panels, enrol_experts
from milepost.embedded import EmbeddedPostgres
from milepost.web.app import create_app
from milepost.work.conflicts import take_away_conflicted
from milepost.work.reminders import send_reminders
from milepost.work.reviews import fill_panels
from tests.builders import build
from tests.experts.twins import apart
from tests.web.blinding_scene import MOST, fresh_database, programme_file
from tests.web.conftest import Site, password_hash  # noqa: F401

pytestmark = pytest.mark.xdist_group("blinding_drawn")
STAGE = "remote_review"
NOTHING = UUID(int=0)


@dataclass
class Twin(Site):
    """An office whose panel was drawn, and works in one of two ways."""

    busy: bool = False
    project: UUID = NOTHING
    round: UUID = NOTHING
    draw: UUID = NOTHING
    who: dict[str, Actor | None] = field(default_factory=dict)

    def seats(self) -> list[tuple[Actor, UUID]]:
        """Who is at work, technology first, and their tasks."""
        rows = self.world.rows(
            "SELECT t.expert_id, t.id FROM task t JOIN expert x ON x.person_id = t.expert_id "
            "WHERE t.state IN ('invited', 'accepted') ORDER BY x.kinds <> '[\"technology\"]', t.expert_id"
        )
        return [(Actor(expert), task) for expert, task in rows]

    def accept(self, seat: tuple[Actor, UUID]) -> None:
        self.world.take(seat[0], "task.accept", seat[1])

    def submit(self, seat: tuple[Actor, UUID], percent: int) -> None:
        scores = {code: MOST * percent // 100 for code in ("novelty", "team")}
        self.world.take(seat[0], "task.submit", seat[1], scores=scores, comment="long " * percent)

    def keep_whole(self) -> None:
        """What the flow does."""
        with self.database.session() as session:
            take_away_conflicted(session)
            fill_panels(session)


def apply(twin: Twin) -> None:
    """The same in both: a pool, an application and a draw; some of the office are of the applying unit."""
    world = twin.world
    enrol_experts(world)
    twin.project = world.apply("DRAWN-1", leader_name="Drawn Leader", unit_name="Drawn Unit")
    world.bring_to(twin.project, STAGE)
    people = world.people
    twin.who = {
        "applicant": people["applicant"][0],
        "principal_investigator": people["principal_investigator"][0],
        "officer_conflicted": people["programme_officer"][1],
        "supervisor_conflicted": twin.person("monitor", "supervisor", office_path="/"),
        "other": twin.person("other", "applicant", office_path="/"),
        "finance_officer": people["finance_officer"][0],
        "counsel": people["counsel"][0],
        "evaluator": people["evaluator"][0],
        "administrator": people["administrator"][0],
        "officer_elsewhere": twin.person("afar", "programme_officer", office_path="/nowhere/"),
        "anonymous": None,
    }
    with twin.database.session() as session:
        for role in ("officer_conflicted", "supervisor_conflicted"):
            reader = twin.who[role]
            assert reader is not None
            session.conn.execute(
                "INSERT INTO affiliation (id, person_id, unit_name, unit_key) "
                "VALUES (gen_random_uuid(), %s, 'Drawn Unit', '')",
                [reader.id],
            )
    twin.round = world.take("programme_officer", "round.open", twin.project).subject_id
    twin.draw = draw_panels(world, [twin.round])
    twin.keep_whole()


def happen(twin: Twin) -> None:
    """In one nothing; in the other somebody declines, recuses, has a conflict, is late, and some review."""
    if not twin.busy:
        return
    first, second, third, *others = twin.seats()
    for seat in (second, third, *others):
        twin.accept(seat)
    twin.submit(others[0], 95)
    twin.world.take(first[0], "task.decline", first[1], reason="no time")
    twin.keep_whole()
    twin.world.take(second[0], "task.recuse", second[1], reason="a friend")
    with twin.database.session() as session:
        session.conn.execute(
            "INSERT INTO tie (id, person_id, kind, project_id, evidence, declared_by, declared_at) "
            "VALUES (gen_random_uuid(), %(own)s, 'declared', %(project)s, 'said so', %(own)s, now())",
            {"own": third[0].id, "project": twin.project},
        )
    twin.keep_whole()


def remind(twin: Twin) -> None:
    """Days pass; whoever is late is reminded."""
    twin.world.clock.advance(timedelta(days=31))
    with twin.database.session() as session:
        send_reminders(session)


def decide(twin: Twin) -> None:
    """Both pass, by other people with other scores."""
    for number, seat in enumerate(twin.seats()):
        if twin.world.value("SELECT state FROM task WHERE id = %s", seat[1]) == "invited":
            twin.accept(seat)
        twin.submit(seat, 90 + number if twin.busy else 80)
    twin.world.take("programme_officer", "round.score", twin.round)
    twin.world.take("programme_officer", "round.decide", twin.round)


STAGES = (apply, happen, remind, decide)


@pytest.fixture(scope="module")
def twins(
    server: EmbeddedPostgres, template: str, password_hash: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Twin, Twin]]:
    folder: Path = tmp_path_factory.mktemp("drawn")
    file = programme_file(folder, "city-key-projects", "drawn", blinding="double", quorum=3)
    with ExitStack() as open_ones:
        made = []
        for busy in (False, True):
            database = open_ones.enter_context(fresh_database(server, template))
            world = build(database, file)
            minutes = SimulatedClock(date(2030, 1, 1))
            app = create_app(database, Settings(data_dir=folder), clock=minutes)
            made.append(Twin(world, app, password_hash, minutes, busy=busy))
        yield made[0], made[1]


def pages(twin: Twin) -> list[str]:
    """Everything that may tell of a draw, of loads and of ranks."""
    project, draw, version = twin.project, twin.draw, twin.world.published.id
    (commitment,) = twin.world.rows("SELECT commitment FROM draw")[0]
    listed = f"{version}/{STAGE}"
    found = ["/", "/projects", f"/projects/{project}", "/draws", f"/draws/{draw}", "/experts"]
    found += [f"/draws/{draw}/record.json", "/public/draws", f"/public/draws/{commitment}.json"]
    found += ["/rankings", f"/rankings/{listed}", f"/rankings/{listed}/sheet.csv", "/public/notices"]
    found += ["/matching", f"/matching/{listed}", "/api/v1/work", f"/api/v1/projects/{project}", "/people"]
    found += [f"/api/v1/{noun}/{id}/available" for noun, id in (("project", project), ("draw", draw))]
    found += [f"/experts/{expert.id}" for expert in twin.world.people["expert"]]
    found += [f"/steps/{step}/{draw}" for step in ("draw.succeed", "draw.void", "draw.conclude")]
    found += [
        "/steps/draw.announce",
        f"/steps/round.open/{project}",
        f"/go/draw/{draw}",
        "/experts?kind=finance",
    ]
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_drawn_panels_look_alike_to_who_may_not_know(twins: tuple[Twin, Twin]) -> None:
    """One test for all stages: each begins where the one before ended."""
    for stage in STAGES:
        for twin in twins:
            stage(twin)
        different = []
        for role in twins[0].who:
            actors = [twin.who[role] for twin in twins]
            different += apart(twins, actors, [pages(twin) for twin in twins], role)
        assert different == [], (stage.__name__, "\n".join(different))


def test_the_two_are_not_the_same(twins: tuple[Twin, Twin]) -> None:
    """The officer sees them differ, so that there is something to hide."""
    officers = [twin.world.people["programme_officer"][0] for twin in twins]
    different = apart(twins, officers, [pages(twin) for twin in twins], "officer")
    assert len(different) > 5
