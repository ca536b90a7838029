"""The bank executes, its reply is lost, it rejects late, and states: killed anywhere, one payment each.

M4 M5 F1. The process is real and dies by SIGKILL. It dies once at each point at which it writes: every call
of the product that ends in a statement that is no mere reading, in a beginning or a commit, or in a file put
at a place. What it left is taken up by the next process, until one comes through.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import psycopg
import pytest

from milepost.actions import Actor, perform
from milepost.bank.simulated_files import Misbehaviour
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.evidence.verify_database import verify
from milepost.work.batches import carry_on
from milepost.work.reconciliation import reconcile_folder
from states.refusals import Refused
from tests.invariants import town_bank
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import person_id
from tests.work.files_scene import Loop, desk_in

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("bank_kill")
# Whose calls tell one point from another; a transaction is begun and ended on one line of ours.
TOLD = (f"{os.sep}milepost{os.sep}", f"psycopg{os.sep}transaction.py")
FILES = ("rename", "replace", "link", "unlink", "fsync")


def _die_at_each_point_once(record: Path) -> None:
    """Kill this process at the first point at which none was killed before; points are told in a file."""
    known = set(record.read_text().splitlines()) if record.exists() else set[str]()

    def point() -> None:
        name, frame = "", sys._getframe(1)
        found: FrameType | None = frame
        while found is not None:
            if any(part in found.f_code.co_filename for part in TOLD):
                name += f"{Path(found.f_code.co_filename).name}:{found.f_lineno} "
            found = found.f_back
        if not name or name in known:
            return
        with record.open("a") as told:
            told.write(f"{name}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            point()
            return function(*args, **kwargs)

        return call

    execute, wait = psycopg.Cursor.execute, dying(psycopg.Connection.wait)
    reading = False

    def asked(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal reading
        text = query if isinstance(query, str) else bytes(query).decode()
        reading = text.lstrip().startswith("SELECT")
        try:
            return execute(cursor, query, *args, **kwargs)
        finally:
            reading = False

    plain = psycopg.Connection.wait
    psycopg.Cursor.execute = asked  # type: ignore[assignment, method-assign]
    psycopg.Connection.wait = (  # type: ignore[method-assign]
        lambda conn, *args, **kwargs: (plain if reading else wait)(conn, *args, **kwargs)
    )
    for name in FILES:
        setattr(os, name, dying(getattr(os, name)))


def _office(url: str, folder: str, now: datetime, batch: UUID, record: str) -> None:
    """What the office does, over and over: hand over, carry on, read what came."""
    database = Database(url, clock=SimulatedClock(now), pool_size=2)
    if record:
        _die_at_each_point_once(Path(record))
    desk = desk_in(Path(folder))
    with database.session() as session:
        try:
            perform(
                session, Actor(person_id("finance5"), fresh=True), "batch.hand_over", batch, {}, "hand over"
            )
        except Refused as refused:
            raise AssertionError(refused.refusals) from None
    assert not carry_on(database, desk).busy
    assert not reconcile_folder(database, desk).busy


def test_killed_once_at_every_point_the_office_pays_once_and_knows_it(found: Found, tmp_path: Path) -> None:
    town = found()
    town.vote()
    loop = Loop(town, tmp_path)
    payments = loop.released(2)
    # No reply at all, and a late one that rejects both: one of them was executed, the other was not.
    tells = (Misbehaviour(seed=n, lose_reply=1, reject_late=1, reject=2) for n in count())
    loop.bank.told = next(t for t in tells if sum(t.strikes("reject", p.hex) for p in payments) == 1)
    rejected, executed = sorted(payments, key=lambda p: not loop.bank.told.strikes("reject", p.hex))
    town.clock.set(town_bank.working_day(town))
    batch = town_bank.make(town)
    record = tmp_path / "points"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.work.test_bank_kill"])
    kills = 0

    def through(record: str) -> bool:
        """Let the office work; whether it came through alive."""
        given = (town.database.url, str(loop.desk.folder), town.clock.now(), batch, record)
        child = context.Process(target=_office, args=given)
        child.start()
        child.join(60)
        # What the dead held in the database is let go of before the next one comes.
        town.all(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        # The bank takes whatever it finds, also while the office lies dead.
        loop.taken()
        assert child.exitcode in (0, -signal.SIGKILL)
        return child.exitcode == 0

    said = (
        lambda: [],
        lambda: loop.bank.late_reports(loop.today()),
        lambda: loop.bank.statements(loop.today()),
    )
    for answer in said:
        loop.put(*answer())
        while not through(str(record)):
            kills += 1
            assert kills < 300, record.read_text()
    # Two threads of one process may come to the same point together; they die together too.
    assert kills > 50 and kills == len(set(record.read_text().splitlines()))
    assert len(loop.bank.files()) == 1
    assert loop.bank.paid(loop.today()) == {executed.hex: 400_000}
    assert (loop.state(executed), loop.state(rejected)) == ("settled", "returned")
    assert loop.open() == ["rejected_but_booked"]
    for step, number in (
        ("payment.instruct", 2),
        ("batch.send", 1),
        ("payment.settle", 1),
        ("payment.bank_return", 1),
        ("bank_exception.raise", 1),
    ):
        assert town.one("SELECT count(*) FROM event WHERE step = %s", step) == number, step
    # What was paid has one attempt, what was not is planned again.
    attempts = (
        "SELECT max(attempt) FROM payment WHERE tranche_id = (SELECT tranche_id FROM payment WHERE id = %s)"
    )
    assert [town.one(attempts, payment) for payment in (executed, rejected)] == [1, 2]
    assert town.state("batch", batch) == "closed"
    assert town.one("SELECT count(*) FROM message WHERE template = 'bank_exceptions'") == 8
    assert faults(town.session.conn) == [] and verify(town.database).faults == []
