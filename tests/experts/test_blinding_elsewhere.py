# ruff: noqa: F811  (a fixture's name is the name of the argument that asks for it)
"""How many reviewed, in which order, when and how they scored changes nothing for those who may not know.

Two offices live through the same days and differ in nothing but their reviews. Whatever an applicant or an
officer with a conflict of interest gets of them is the same, byte by byte, but for ids, hashes and tokens.
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
from milepost.db import Database
from milepost.decisions import PARENT
from milepost.embedded import EmbeddedPostgres
from milepost.web.app import create_app
from milepost.work.conflicts import take_away_conflicted
from milepost.work.reminders import send_reminders
from states.labels import every_step
from tests.builders import build
from tests.experts.twins import apart, even, where
from tests.web.blinding_scene import MOST, fresh_database, programme_file
from tests.web.conftest import Site, password_hash  # noqa: F401

pytestmark = pytest.mark.xdist_group("blinding_elsewhere")

READERS = (
    "applicant",
    "principal_investigator",
    "conflicted",
    "other",
    "finance_officer",
    "counsel",
    "anonymous",
)
NOTHING = UUID(int=0)


@dataclass
class Twin(Site):
    """An office whose project is reviewed in one of two ways."""

    busy: bool = False
    project: UUID = NOTHING
    round: UUID = NOTHING
    who: dict[str, Actor | None] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)

    def count(self) -> None:
        """Count the scores and decide the round."""
        self.world.take("programme_officer", "round.score", self.round)
        self.world.take("programme_officer", "round.decide", self.round)

    def take_as_applicant(self) -> str:
        """What the API answers to a step of the applicant's own, and to one that is refused."""
        answers = []
        for step, given in (
            ("payee.enter", {"account_name": "A", "account_no": "622200011122233", "bank_name": "B"}),
            ("project.submit", {}),
            ("review_request.file", {"ground": "procedure", "statement": "why"}),
        ):
            reader = self.reader(self.world.people["applicant"][0])
            path = f"/project/{self.project}/steps/{step}"
            answers.append(reader.api("POST", path, json=given, headers={"idempotency-key": step}).text)
        return even("\n".join(answers))

    def task(self, n: int) -> UUID:
        """The task of the n-th expert."""
        expert = self.world.people["expert"][n].id
        return UUID(str(self.world.value("SELECT id FROM task WHERE expert_id = %s", expert)))

    def invite(self, n: int) -> None:
        expert = self.world.people["expert"][n]
        self.world.take("programme_officer", "task.invite", self.round, expert_id=str(expert.id))

    def submit(self, n: int, percent: int, comment: str) -> None:
        scores = {code: MOST * percent // 100 for code in ("novelty", "team")}
        expert = self.world.people["expert"][n]
        self.world.take(expert, "task.submit", self.task(n), scores=scores, comment=comment)

    def accept(self, n: int) -> None:
        self.world.take(self.world.people["expert"][n], "task.accept", self.task(n))


def apply(twin: Twin) -> None:
    """The same in both: an application, which the second officer's kin leads."""
    world = twin.world
    twin.project = world.apply("TWIN-1", leader_name="Twin Leader", unit_name="Twin Unit")
    world.bring_to(twin.project, "remote_review")
    conflicted = world.people["programme_officer"][1]
    with twin.database.session() as session:
        session.conn.execute(
            "INSERT INTO tie (id, person_id, kind, other_name, evidence, declared_by, declared_at) "
            "VALUES (gen_random_uuid(), %s, 'kin', 'Twin Leader', 'kin', %s, now())",
            [conflicted.id] * 2,
        )
    other = twin.person("other", "applicant", office_path="/")
    twin.who = {
        "applicant": world.people["applicant"][0],
        "principal_investigator": world.people["principal_investigator"][0],
        "conflicted": conflicted,
        "other": other,
        "finance_officer": world.people["finance_officer"][0],
        "counsel": world.people["counsel"][0],
        "anonymous": None,
    }
    twin.round = world.take("programme_officer", "round.open", twin.project).subject_id


def begin(twin: Twin) -> None:
    """One waits for two experts; the other has asked six, and everything has happened."""
    world = twin.world
    for n in range(6 if twin.busy else 2):
        twin.invite(n)
    if not twin.busy:
        return
    for n in (5, 3, 1, 0):
        twin.accept(n)
    twin.submit(3, 95, "long " * 200)
    twin.submit(5, 20, "")
    twin.submit(0, 71, "short")
    world.take(world.people["expert"][2], "task.decline", twin.task(2), reason="no time")
    world.take(world.people["expert"][1], "task.recuse", twin.task(1), reason="a friend")
    world.take("programme_officer", "task.reopen", twin.task(5), reason="please explain")
    world.take("programme_officer", "task.replace", twin.task(4), reason="silent")
    with twin.database.session() as session:
        session.conn.execute(
            "INSERT INTO affiliation (id, person_id, unit_name, unit_key) "
            "VALUES (gen_random_uuid(), %s, 'Twin Unit', '')",
            [world.people["expert"][3].id],
        )
        assert take_away_conflicted(session).taken


def remind(twin: Twin) -> None:
    """Days pass; whoever is late is reminded."""
    twin.world.clock.advance(timedelta(days=31))
    with twin.database.session() as session:
        send_reminders(session)


def fail(twin: Twin) -> None:
    """One still waits for its experts; the other has not passed."""
    if twin.busy:
        twin.submit(5, 25, "no better")
        twin.count()


def decide(twin: Twin) -> None:
    """Both pass, with other scores, one of them in its second round."""
    if twin.busy:
        twin.round = twin.world.take("programme_officer", "round.open", twin.project).subject_id
        for n in (6, 7, 8):
            twin.invite(n)
            twin.accept(n)
            twin.submit(n, 91 + n, "excellent")
    else:
        for n in (0, 1):
            twin.accept(n)
            twin.submit(n, 80, "fine")
    twin.count()


def conclude(twin: Twin) -> None:
    """The same in both: the review is over and the notice is out."""
    twin.world.take("programme_officer", "project.conclude_remote_review", twin.project)
    notice = twin.world.publish_notice(twin.project)
    if twin.busy:
        words = {"objector": "somebody", "contact": "1234567", "grounds": "no"}
        twin.world.take("programme_officer", "objection.file", notice, **words)


def answer(twin: Twin) -> None:
    """Days pass and the objection, if there is one, is answered; the notice ends in both."""
    notice = twin.world.value("SELECT id FROM notice")
    if twin.busy:
        objection = twin.world.value("SELECT id FROM objection")
        twin.world.take("programme_officer", "objection.dismiss", objection, answer="unfounded")
    twin.world.let_notice_end(notice)
    with twin.database.session() as session:
        send_reminders(session)
    twin.receipts.append(twin.take_as_applicant())


STAGES = (apply, begin, remind, fail, decide, conclude, answer)


@pytest.fixture(scope="module")
def twins(
    server: EmbeddedPostgres, template: str, password_hash: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Twin, Twin]]:
    folder: Path = tmp_path_factory.mktemp("twins")
    file = programme_file(folder, "city-milestone-subsidy", "twins", blinding="single", quorum=2)
    with ExitStack() as open_ones:
        made = []
        for busy in (False, True):
            database: Database = open_ones.enter_context(fresh_database(server, template))
            world = build(database, file)
            minutes = SimulatedClock(date(2030, 1, 1))
            app = create_app(database, Settings(data_dir=folder), clock=minutes)
            made.append(Twin(world, app, password_hash, minutes, busy=busy))
        yield made[0], made[1]
        for twin in made:
            for client in twin.open:
                client.close()


def pages(twin: Twin) -> list[str]:
    """The addresses of everything that may be told of the project, its steps included."""
    id = twin.project
    found = ["/", "/projects", f"/projects/{id}", "/calls", "/rankings"]
    found += ["/public/notices", "/api/v1/work", "/api/v1/projects", f"/api/v1/projects/{id}"]
    found += [f"/api/v1/project/{id}/available", f"/go/project/{id}", "/experts", "/appropriations"]
    # Where a page of the timeline may begin: at an event that the reader saw, or nowhere.
    found += [f"/projects/{id}?before={mark}" for mark in ("12", "40", "ab" * 32)]
    for name, step in every_step().items():
        if (step.noun if step.source else PARENT[step.noun]) == "project":
            found.append(f"/steps/{name}/{id}")
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_reviews_look_alike_to_who_may_not_know(twins: tuple[Twin, Twin]) -> None:
    """One test for all stages: each begins where the one before ended."""
    for stage in STAGES:
        for twin in twins:
            stage(twin)
        assert differences(twins) == [], stage.__name__


def differences(twins: tuple[Twin, Twin]) -> list[str]:
    """What tells the two apart at this moment, for each reader."""
    different = []
    for role in READERS:
        actors, paths = [twin.who[role] for twin in twins], [pages(twin) for twin in twins]
        different += apart(twins, actors, paths, role)
    if twins[0].receipts != twins[1].receipts:
        different.append(where(twins[0].receipts[-1], twins[1].receipts[-1]))
    return different
