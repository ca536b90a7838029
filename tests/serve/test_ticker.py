"""One process of many ticks the flows; when it is killed another one does; a missed day is made up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger

from milepost.db import Database
from milepost.serve.leader import Leadership
from milepost.serve.ticker import last_due
from tests.builders import World, build
from tests.conftest import DatabaseUrls

ROOT = Path(__file__).resolve().parent.parent.parent
ZONE = ZoneInfo("Asia/Shanghai")
TICKING = """
import asyncio, logging, sys
from datetime import datetime
from pathlib import Path
from config.settings import Settings
from flows.runtime import bind
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.serve.ticker import Ticker

logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
url, now, folder = sys.argv[1:]
settings = Settings(data_dir=Path(folder))
database = Database(url, clock=SimulatedClock(datetime.fromisoformat(now)))
bind(database, settings)
ticker = Ticker(database, settings, None)

async def main():
    async def say():
        while not ticker.leads:
            await asyncio.sleep(0.05)
        print("leads", flush=True)
    saying = asyncio.create_task(say())
    print("up", flush=True)
    await ticker.run()

asyncio.run(main())
"""


@contextmanager
def ticking(url: str, world: World, folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", TICKING, url, world.clock.now().isoformat(), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_until(true: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_when_the_process_that_leads_is_killed_another_one_goes_on(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    world = build(database)
    _, second = world.payment_at("approved")
    _, first = world.payment_at("released")
    with ExitStack() as stack:
        leader = stack.enter_context(ticking(database_urls.app, world, tmp_path))
        assert (said(leader), said(leader)) == ("up", "leads")
        paid = "SELECT state FROM payment WHERE id = %s"
        wait_until(lambda: world.value(paid, first) == "settled")
        # The day's own runs are marked when they are done.
        done = "SELECT count(*) FROM job_claim WHERE job LIKE 'flow:%%'"
        wait_until(lambda: world.value(done) == 3)
        follower = stack.enter_context(ticking(database_urls.app, world, tmp_path))
        assert said(follower) == "up"
        world.pay(second, "released")
        leader.send_signal(signal.SIGKILL)
        assert said(follower) == "leads"
        wait_until(lambda: world.value(paid, second) == "settled")
        assert world.value("SELECT count(*) FROM simbank_instruction") == 2
        assert world.value(done) == 3


def test_there_is_one_leader_at_a_time(database: Database) -> None:
    first = Leadership.try_to_gain(database)
    assert first is not None and first.holds()
    assert Leadership.try_to_gain(database) is None
    first.give_up()
    second = Leadership.try_to_gain(database)
    assert second is not None
    assert not first.holds()
    second.give_up()


def test_a_leader_that_is_cut_off_knows_it(database: Database, database_urls: DatabaseUrls) -> None:
    leader = Leadership.try_to_gain(database)
    assert leader is not None
    with database.session() as session:
        session.conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            ("milepost scheduler",),
        )
    assert not leader.holds()


def test_nobody_leads_where_the_database_does_not_answer(free_port: int) -> None:
    assert Leadership.try_to_gain(Database(f"postgresql://x@127.0.0.1:{free_port}/x")) is None


@pytest.mark.parametrize(
    ("cron", "now", "due"),
    [
        ("50 23 * * *", datetime(2025, 3, 3, 12, 0), datetime(2025, 3, 2, 23, 50)),
        ("50 23 * * *", datetime(2025, 3, 3, 23, 50), datetime(2025, 3, 3, 23, 50)),
        ("* * * * *", datetime(2025, 3, 3, 12, 0, 30), datetime(2025, 3, 3, 12, 0)),
        ("0 7 1 * *", datetime(2025, 3, 31, 12, 0), datetime(2025, 3, 1, 7, 0)),
    ],
)
def test_the_last_time_a_job_was_due_is_known(cron: str, now: datetime, due: datetime) -> None:
    trigger = CronTrigger.from_crontab(cron, timezone=ZONE)
    assert last_due(trigger, now.replace(tzinfo=ZONE).astimezone(UTC)) == due.replace(tzinfo=ZONE)
    assert last_due(trigger, due.replace(tzinfo=ZONE) + timedelta(seconds=1)) == due.replace(tzinfo=ZONE)
