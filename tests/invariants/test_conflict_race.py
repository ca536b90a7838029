"""I4: a conflicted expert is given no task, and reads nothing of one once the conflict is committed.

First as somebody with the application's password and a SQL prompt, who can write every event by hand; then
against the clock: hundreds of times a conflict is committed while another connection reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from threading import Barrier, Event
from time import perf_counter
from uuid import UUID, uuid4

import psycopg
import pytest

from milepost.actions import Actor
from milepost.clock import SimulatedClock
from milepost.db import Database, Session
from milepost.embedded import EmbeddedPostgres
from milepost.queries.projects import project_view
from milepost.queries.reviews import expert_task
from milepost.queries.sight import find_subject
from milepost.queries.timeline import timeline
from milepost.queries.work import work
from milepost.work.conflicts import take_away_conflicted
from states.refusals import Refused
from tests.builders import build
from tests.experts.pool_scene import PoolScene
from tests.invariants.conftest import drop_database, new_database
from tests.invariants.forge import Conn, copied, forged_event, refused, write_birth, write_event

ROUNDS = 100
START = date(2025, 3, 3)


class Review:
    """An application under review with one accepted task, and an expert of whom nothing is known."""

    def __init__(self, database: Database) -> None:
        self.world = build(database)
        self.pool = PoolScene(self.world)
        self.project = self.pool.project("评审单位", "被评人")
        self.world.bring_to(self.project, "remote_review")
        self.round = self.world.take("programme_officer", "round.open", self.project).subject_id
        self.expert, self.stranger = self.pool.person(), self.pool.person()
        self.task = self.invite(self.expert)
        self.world.take(self.expert, "task.accept", self.task)

    def invite(self, expert: Actor) -> UUID:
        return self.world.take(
            "programme_officer", "task.invite", self.round, expert_id=str(expert.id)
        ).subject_id


@pytest.fixture(scope="module")
def review(server: EmbeddedPostgres, template: str) -> Iterator[Review]:
    name = new_database(server, template)
    database = Database(
        server.url("milepost_app", name), owner_url=server.url("postgres", name), clock=SimulatedClock(START)
    )
    yield Review(database)
    database.close()
    drop_database(server, name)


@pytest.fixture(params=["app", "owner"])
def prompt(request: pytest.FixtureRequest, review: Review) -> Iterator[Conn]:
    """A SQL prompt; what was done there is rolled back."""
    database = review.world.database
    with psycopg.connect(database.url if request.param == "app" else database.owner_url) as conn:
        yield conn
        conn.rollback()


def tie(conn: Conn, person: Actor, other_name: str = "被评人") -> UUID:
    id = uuid4()
    conn.execute(
        "INSERT INTO tie (id, person_id, kind, other_name, evidence, declared_by, declared_at) "
        "VALUES (%s, %s, 'kin', %s, 'x', %s, now())",
        (id, person.id, other_name, person.id),
    )
    return id


# By hand ------------------------------------------------------------------------------------------------


def test_by_hand_a_conflicted_expert_gets_no_task(prompt: Conn, review: Review) -> None:
    born = copied(prompt, "task", review.task, expert_id=review.stranger.id, state="invited", version=1)
    born["scores"] = psycopg.types.json.Jsonb({})
    event = forged_event(prompt, "task", review.task, "task.accept")
    event |= {"subject_id": born["id"], "subject_seq": 1, "step": "task.invite", "from_state": ""}
    event |= {"to_state": "invited", "role": "programme_officer"}
    with prompt.transaction(force_rollback=True):
        write_birth(prompt, event, born)
    tie(prompt, review.stranger)
    with refused("MP006"):
        write_birth(prompt, event, born)


@pytest.mark.parametrize(
    ("state", "step", "to_state"),
    [("invited", "task.accept", "accepted"), ("accepted", "task.submit", "submitted")],
)
def test_by_hand_a_conflicted_expert_neither_accepts_nor_submits(
    prompt: Conn, review: Review, state: str, step: str, to_state: str
) -> None:
    expert = review.pool.person()
    task = review.invite(expert)
    if state == "accepted":
        review.world.take(expert, "task.accept", task)
    event = forged_event(prompt, "task", task, step, to_state)
    with prompt.transaction(force_rollback=True):
        write_event(prompt, event)
    tie(prompt, expert)
    with refused("MP006"):
        write_event(prompt, event)


def test_by_hand_a_task_is_not_handed_to_a_conflicted_expert(prompt: Conn, review: Review) -> None:
    """With a true event of a step that changes no state, only another expert in the row."""
    event = forged_event(prompt, "task", review.task, "task.save_draft", "accepted")
    tie(prompt, review.stranger)
    with refused("MP006"):
        write_event(prompt, event, expert_id=review.stranger.id)


def test_by_hand_the_rows_that_tell_of_conflicts_are_not_taken_away(review: Review) -> None:
    with psycopg.connect(review.world.database.url) as app:
        for statement in (
            "DELETE FROM tie",
            "DELETE FROM affiliation",
            "UPDATE tie SET other_name = 'x'",
            "DELETE FROM project_party",
            "UPDATE project_party SET name_key = 'x'",
            "INSERT INTO project_party (project_id, number, part) SELECT id, 99, 'unit' FROM project",
            "UPDATE conflict_rule SET years = 0",
            "DELETE FROM conflict_rule",
        ):
            with refused("42501", "MP001", "MP002", "MP005"):
                app.execute(statement)
            app.rollback()


def test_asked_politely_the_refusal_names_the_rule(review: Review) -> None:
    expert = review.pool.person()
    review.pool.tie(expert, "kin", name="被评人")
    with pytest.raises(Refused) as refusals:
        review.invite(expert)
    assert [refusal.code for refusal in refusals.value.refusals] == ["conflict_of_interest"]


# Against the clock --------------------------------------------------------------------------------------

Read = Callable[[Session, Review, Actor], bool]


def _task(session: Session, review: Review, reader: Actor) -> bool:
    return expert_task(session, reader.id, review.task) is not None


def _subject(session: Session, review: Review, reader: Actor) -> bool:
    return find_subject(session, reader.id, "task", review.task) is not None


def _work(session: Session, review: Review, reader: Actor) -> bool:
    return any(row["subject_id"] == review.task for row in work(session, reader.id).rows)


def _view(session: Session, review: Review, reader: Actor) -> bool:
    view = project_view(session, reader.id, review.project)
    assert view is not None
    return bool(view.tasks or view.rounds)


def _timeline(session: Session, review: Review, reader: Actor) -> bool:
    view = project_view(session, reader.id, review.project)
    assert view is not None
    happened, _ = timeline(session, view.sight, review.project)
    return any(happening.noun in ("task", "round") for happening in happened)


READS: dict[str, tuple[Read, str]] = {
    "the task's page": (_task, "expert"),
    "the task as a subject": (_subject, "expert"),
    "the list of work": (_work, "expert"),
    "an officer's page": (_view, "officer"),
    "an officer's timeline": (_timeline, "officer"),
}


@pytest.mark.parametrize("name", READS)
def test_nothing_is_read_once_the_commit_of_the_conflict_has_returned(review: Review, name: str) -> None:
    """Reads before the commit find the task, reads that begin after it nothing, others one of the two."""
    read, who = READS[name]
    reader = review.expert if who == "expert" else review.pool.person(role="programme_officer")
    gate, over = Barrier(2), Event()
    committed: list[float] = []
    reads: list[tuple[int, float, bool]] = []

    def keep_reading() -> None:
        with review.world.database.session() as session:
            for number in range(ROUNDS):
                gate.wait()
                while not over.is_set():
                    began = perf_counter()
                    reads.append((number, began, read(session, review, reader)))
                gate.wait()

    with psycopg.connect(review.world.database.url) as conn, ThreadPoolExecutor(1) as other:
        running = other.submit(keep_reading)
        pause = Event()
        try:
            for number in range(ROUNDS):
                over.clear()
                gate.wait()
                pause.wait(timedelta(microseconds=137 * (number % 29)).total_seconds())
                made = tie(conn, reader)
                conn.commit()
                committed.append(perf_counter())
                while not running.done() and not (reads and reads[-1][1] > committed[-1]):
                    pause.wait(0.0005)
                over.set()
                gate.wait()
                conn.execute("UPDATE tie SET ended_at = now() WHERE id = %s", (made,))
                conn.commit()
        finally:
            over.set()
            if running.done() or len(committed) < ROUNDS:
                with suppress(Exception):
                    gate.abort()
        running.result()
    after = [found for number, began, found in reads if began > committed[number]]
    before = [found for number, began, found in reads if began <= committed[number]]
    assert len(after) >= ROUNDS and not any(after)
    assert any(before), "the reader was there before, too"


def test_a_task_given_in_the_moment_of_a_conflict_is_read_by_nobody_and_taken_away(review: Review) -> None:
    """The invitation comes first, or last and is refused in words; no live task stays with the expert."""
    for _ in range(12):
        expert = review.pool.person()
        gate = Barrier(2)

        def declare(expert: Actor = expert, gate: Barrier = gate) -> None:
            with psycopg.connect(review.world.database.url) as conn:
                gate.wait()
                tie(conn, expert)

        with ThreadPoolExecutor(1) as other:
            declared = other.submit(declare)
            gate.wait()
            with suppress(Refused):
                # Nothing else may come out of it: the database's own refusal is put into words.
                review.invite(expert)
            declared.result()
        with review.world.database.session() as session:
            given = session.conn.execute("SELECT id FROM task WHERE expert_id = %s", (expert.id,)).fetchall()
            assert not [id for (id,) in given if expert_task(session, expert.id, id)]
            take_away_conflicted(session, people=[expert.id])
        states = review.world.rows("SELECT state FROM task WHERE expert_id = %s", expert.id)
        assert states in ([], [("taken_away",)])
