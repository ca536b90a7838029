"""Whatever is killed, cut off or restarted: a request is done whole or not at all, and asking again tells.

M4 A1 F1. The processes are real and die by SIGKILL; the connections are ended by the server in the middle of
a step, at each of its statements in turn; the server itself is stopped and started.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from milepost.actions import SYSTEM, Actor, Order, perform, perform_many
from milepost.clock import SimulatedClock
from milepost.db import Database, Session, migrate
from milepost.embedded import EmbeddedPostgres
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import START, Town, person_id

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("kill")

SEED = 20250303
KILLS = 10
Done = tuple[str, str, UUID, dict[str, Any], str]


@pytest.fixture(scope="module")
def original(found: Found) -> Town:
    """A town with projects whose milestones and payments are still to come."""
    town = found()
    town.vote(10_000_000_000)
    for _ in range(8):
        town.funded()
    return town


def to_do(town: Town) -> list[Done]:
    """Every step that takes every tranche to its settled payment; the requests' ids follow from it."""
    steps: list[Done] = []
    for project in [row[0] for row in town.all("SELECT id FROM project ORDER BY code")]:
        for milestone, payment in zip(town.milestones(project), town.payments(project), strict=True):
            way: list[tuple[str, str, UUID, dict[str, Any]]] = [
                ("unit", "milestone.report", milestone, {"report": "built"}),
                ("judge", "milestone.accept", milestone, {"opinion": "works"}),
                ("supervisor", "project.place_hold", project, {"reason": "a look"}),
                ("system", "payment.fall_due", payment, {}),
                ("finance1", "payment.request", payment, {}),
                ("finance2", "payment.approve", payment, {}),
                ("finance3", "payment.release", payment, {}),
                ("system", "payment.instruct", payment, {}),
                ("system", "payment.settle", payment, {"reference": "B"}),
            ]
            # The hold comes last, so that nothing waits for it.
            way.append(way.pop(2))
            steps += [(*row, f"{project}:{payment}:{row[1]}") for row in way]
    first = [s for s in steps if not s[1].endswith("place_hold")]
    return first + [s for s in steps if s[1].endswith("place_hold")]


def _child(url: str, now: Any, steps: list[Done], acked: Connection) -> None:
    """Take the steps one after the other and say so after each; killed somewhere on the way."""
    database = Database(url, clock=SimulatedClock(now), pool_size=1)
    with database.session() as session:
        for position, (who, step, subject, input, request) in enumerate(steps):
            actor = Actor(person_id(who), fresh=True) if who != "system" else SYSTEM
            receipt = perform(session, actor, step, subject, input, request)
            acked.send((position, receipt.hash, receipt.repeated))
    acked.send(None)


def _child_of_sets(url: str, now: Any, orders: list[Order], acked: Connection) -> None:
    database = Database(url, clock=SimulatedClock(now), pool_size=1)
    with database.session() as session:
        acked.send("begun")
        perform_many(session, Actor(person_id("supervisor")), orders)
    acked.send(None)


@pytest.fixture(scope="module")
def context() -> Any:
    """Children are forked from a server that has read our code already and holds no connection."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["tests.invariants.test_kill"])
    return made


def test_a_process_killed_anywhere_left_each_request_whole_or_undone(
    original: Town, found: Found, context: Any
) -> None:
    town = found(copy_of=copy_name(original))
    town.clock.set(original.clock.now())
    undisturbed = found(copy_of=copy_name(original))
    undisturbed.clock.set(original.clock.now())
    steps = to_do(town)
    chance = random.Random(SEED)
    receipts: dict[int, str] = {}
    kills = at = 0
    while at < len(steps):
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(town.database.url, town.clock.now(), steps[at:], theirs))
        child.start()
        theirs.close()
        # Where the last child died a step may have been done and its answer lost: it is asked for again.
        budget = chance.randint(1, len(steps) // (2 * KILLS)) if kills < KILLS else len(steps)
        for position, hash, repeated in told(ours, budget):
            assert receipts.setdefault(at + position, hash) == hash
            assert position == 0 or not repeated
        if kills < KILLS:
            time.sleep(chance.random() * 0.01)
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
            for position, hash, _ in told(ours, len(steps)):
                receipts[at + position] = hash
        child.join(30)
        assert faults(town.session.conn) == []
        check(town, steps, receipts)
        at = len(receipts)
    assert kills == KILLS
    for who, step, subject, input, request in steps:
        perform(undisturbed.session, undisturbed.people[who], step, subject, input, request)
    assert contents(town) == contents(undisturbed)
    assert town.one("SELECT count(*) FROM payment WHERE state <> 'settled'") == 0


def told(pipe: Connection, most: int) -> Iterator[tuple[int, str, bool]]:
    """What a child said, until it fell silent or enough was said."""
    for _ in range(most):
        try:
            if not pipe.poll(20):
                return
            said = pipe.recv()
        except (EOFError, OSError):
            return
        if said is None:
            return
        yield said


def check(town: Town, steps: list[Done], receipts: dict[int, str]) -> None:
    """What was answered is there; at most one more is, whose answer was lost; nothing beyond."""
    there = {row[0]: bytes(row[1]).hex() for row in town.all("SELECT request_id, hash FROM event")}
    for position, hash in receipts.items():
        assert there[steps[position][4]] == hash
    beyond = [n for n, step in enumerate(steps) if step[4] in there and n not in receipts]
    assert beyond in ([], [len(receipts)])


def copy_name(town: Town) -> str:
    """The database to copy, with nobody in it."""
    town.close()
    town.database.close()
    return str(psycopg.conninfo.conninfo_to_dict(town.database.url)["dbname"])


def contents(town: Town) -> dict[str, list[str]]:
    tables = ("event", "project", "milestone", "payment", "transfer", "account", "tranche", "duty", "message")
    return {
        t: sorted(r[0] for r in town.all(f"SELECT (to_jsonb(t) - 'xid')::text FROM {t} t")) for t in tables
    }


def test_a_set_killed_on_its_way_is_finished_by_asking_again(
    original: Town, found: Found, context: Any
) -> None:
    town = found(copy_of=copy_name(original))
    town.clock.set(original.clock.now())
    projects = [row[0] for row in town.all("SELECT id FROM project ORDER BY code")]
    orders = [
        Order("project.place_hold", p, {"reason": "x"}, f"set:{p}:{n}") for n in range(40) for p in projects
    ]
    chance = random.Random(SEED + 1)
    for _ in range(4):
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(
            target=_child_of_sets, args=(town.database.url, town.clock.now(), orders, theirs)
        )
        child.start()
        theirs.close()
        assert ours.poll(20) and ours.recv() == "begun"
        time.sleep(chance.random() * 0.25)
        os.kill(child.pid, signal.SIGKILL)
        child.join(30)
        assert faults(town.session.conn) == []
    outcomes = perform_many(town.session, town.people["supervisor"], orders)
    assert all(outcome.receipt for outcome in outcomes)
    assert all(town.one("SELECT holds FROM project WHERE id = %s", p) == 40 for p in projects)
    assert town.one("SELECT count(*) FROM event WHERE step = 'project.place_hold'") == len(orders)
    assert faults(town.session.conn) == []


# Connections ------------------------------------------------------------------------------------------------


class Cut(psycopg.Connection[Any]):
    """A connection whose server ends it just before, or just after, its n-th exchange."""

    before = after = 0
    seen = 0

    def wait(self, gen: Any, interval: float = 0.0) -> Any:
        self.seen += 1
        if self.seen == self.before:
            self._end()
        answer = super().wait(gen)
        if self.seen == self.after:
            self._end()
            raise psycopg.OperationalError("the answer was lost")
        return answer

    def _end(self) -> None:
        with psycopg.connect(self.info.dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (self.info.backend_pid,))


@contextmanager
def cut(town: Town, *, before: int = 0, after: int = 0) -> Iterator[Session]:
    conn = Cut.connect(town.database.url, autocommit=True)
    try:
        conn.seen, conn.before, conn.after = 0, before, after
        yield Session(conn, town.clock)
    finally:
        conn.close()


@pytest.fixture(scope="module")
def town(original: Town, found: Found) -> Town:
    made = found(copy_of=copy_name(original))
    made.clock.set(original.clock.now())
    return made


EXCHANGES = range(1, 9)


@pytest.mark.parametrize("n", EXCHANGES)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_connection_cut_at_any_exchange_leaves_the_step_whole_or_undone(
    town: Town, side: str, n: int
) -> None:
    payment = town.payment("approved", project=town.funded())
    finance, request = town.people["finance3"], f"cut-{side}-{n}"
    before = town.one("SELECT count(*) FROM event")
    lost = True
    with cut(town, **{side: n}) as session:
        try:
            perform(session, finance, "payment.release", payment, {}, request)
            lost = False
        except psycopg.OperationalError as error:
            assert str(error)
    wrote = town.one("SELECT count(*) FROM event") - before
    assert faults(town.session.conn) == []
    assert wrote in (0, 1) if lost else wrote == 1
    receipt = perform(town.session, finance, "payment.release", payment, {}, request)
    assert receipt.repeated == bool(wrote)
    assert town.one("SELECT count(*) FROM event") - before == 1
    assert faults(town.session.conn) == []


def test_the_exchanges_that_were_cut_are_all_there_are(town: Town) -> None:
    payment = town.payment("approved", project=town.funded())
    with cut(town) as session:
        perform(session, town.people["finance3"], "payment.release", payment, {}, "counted")
        assert 3 <= session.conn.seen <= max(EXCHANGES)  # type: ignore[attr-defined]


def test_a_reply_lost_after_the_commit_is_given_again(town: Town) -> None:
    payment = town.payment("approved", project=town.funded())
    with cut(town) as session:
        finance = town.people["finance3"]
        conn: Any = session.conn
        conn.execute("SELECT 1")
        commit = _exchanges(town)
        conn.seen, conn.after = 0, commit
        with pytest.raises(psycopg.OperationalError, match="lost"):
            perform(session, finance, "payment.release", payment, {}, "unheard")
    assert town.state("payment", payment) == "released"
    again = perform(town.session, finance, "payment.release", payment, {}, "unheard")
    assert (again.repeated, again.state) == (True, "released")


def _exchanges(town: Town) -> int:
    """How many exchanges a release takes; the last one is its commit."""
    payment = town.payment("approved", project=town.funded())
    with cut(town) as session:
        perform(session, town.people["finance3"], "payment.release", payment, {}, f"count:{payment}")
        return int(session.conn.seen)  # type: ignore[attr-defined]


def test_the_pool_gives_nobody_a_connection_that_was_ended(town: Town) -> None:
    project = town.apply()
    pool = Database(town.database.url, clock=town.clock, pool_size=3)
    with pool.session() as one, pool.session() as two, pool.session() as three:
        pids = [s.conn.info.backend_pid for s in (one, two, three)]
    for n in range(3):
        for pid in pids:
            town.session.conn.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with pool.session() as session:
            perform(session, town.people["officer"], "project.place_hold", project, {"reason": "x"}, f"p{n}")
        with pool.session() as one, pool.session() as two, pool.session() as three:
            pids = [s.conn.info.backend_pid for s in (one, two, three)]
    assert town.one("SELECT holds FROM project WHERE id = %s", project) == 3
    pool.close()


def test_a_session_cut_in_the_middle_leaves_the_pool_fit_for_the_next(town: Town) -> None:
    project = town.apply()
    pool = Database(town.database.url, clock=town.clock, pool_size=1)
    with pytest.raises(psycopg.OperationalError), pool.session() as session:
        town.session.conn.execute("SELECT pg_terminate_backend(%s, 5000)", (session.conn.info.backend_pid,))
        perform(session, town.people["officer"], "project.place_hold", project, {"reason": "x"}, "mid")
    with pool.session() as session:
        perform(session, town.people["officer"], "project.place_hold", project, {"reason": "x"}, "mid")
    pool.close()


def test_the_database_restarted_is_found_again_without_hands(server_folder: Path) -> None:
    data = server_folder / "data"
    running = EmbeddedPostgres(data)
    running.start()
    migrate(running.owner_url)
    clock = SimulatedClock(START)
    database = Database(running.app_url(), owner_url=running.owner_url, clock=clock, pool_size=2)
    with Town(database, clock) as town:
        project = town.apply()
        town.take("officer", "project.place_hold", project, reason="before")
    running.stop(force=True)
    with pytest.raises(psycopg.OperationalError, match=r".+"), database.session(timeout=1) as session:
        perform(session, town.people["officer"], "project.place_hold", project, {"reason": "x"}, "down")
    running.start()
    with database.session() as session:
        receipt = perform(
            session, town.people["officer"], "project.place_hold", project, {"reason": "x"}, "down"
        )
        assert not receipt.repeated
        assert faults(session.conn) == []
    database.close()
    running.stop(force=True)
