"""Every flow may run twice, late, or in two processes at once: one effect for each fact, and none lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.schedule import SCHEDULE
from flows.run import flow_names, load_flow
from milepost.db import Database
from milepost.evidence.chain import head_leaf
from milepost.evidence.merkle import root
from milepost.mail.sink import MailSink
from milepost.work.agenda import JOBS
from tests.conftest import DatabaseUrls
from tests.flows.scene import DAY, set_scene, settled, traces

# The two processes take seconds to start: one pair of them for all of these.
pytestmark = pytest.mark.xdist_group("hands")
ROOT = Path(__file__).resolve().parent.parent.parent


class Hands:
    """Two processes that run flows at once."""

    def __init__(self) -> None:
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.flows.hand"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            for _ in range(2)
        ]
        for process in self.processes:
            assert self._answer(process) == {}

    @staticmethod
    def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the process ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def run(self, order: dict[str, Any], flows: tuple[str, str]) -> list[dict[str, Any]]:
        """Both at once, each its own flow; their reports."""
        for process, flow in zip(self.processes, flows, strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps({**order, "flow": flow}) + "\n")
            process.stdin.flush()
        return [self._answer(process) for process in self.processes]

    def close(self) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


@pytest.fixture(scope="module")
def hands() -> Iterator[Hands]:
    both = Hands()
    yield both
    both.close()


@pytest.fixture
def sink(free_port: int) -> Iterator[MailSink]:
    with MailSink(free_port) as opened:
        yield opened


@pytest.fixture
def order(database_urls: DatabaseUrls, sink: MailSink, tmp_path: Path) -> dict[str, Any]:
    return {
        "url": database_urls.app,
        "today": DAY.isoformat(),
        "smtp_port": sink.port,
        "data_dir": str(tmp_path),
    }


def test_every_scheduled_flow_can_be_run_by_its_name() -> None:
    for job in SCHEDULE:
        flow = load_flow(job.entrypoint)
        assert flow.isasync, "a flow that is not async costs a second"
        assert flow.name.replace("-", "_") == job.part
        assert job.part in JOBS
    assert set(JOBS) == {job.part for job in SCHEDULE}
    assert "daily" in flow_names()


def test_deadlines_act_once(database: Database, hands: Hands, order: dict[str, Any]) -> None:
    world = set_scene(database)
    reports = hands.run(order, ("deadlines", "deadlines"))
    found = traces(world)
    taken = Counter(step for step, _ in found["steps"].elements())
    assert taken["project.lapse_agreement"] == 2
    assert taken["notice.end"] == taken["project.conclude_notice"] == 1
    assert taken["milestone.fall_overdue"] > 0
    assert set(found["steps"].values()) == {1}
    assert taken == sum((Counter(report["acted"]) for report in reports), Counter())
    assert [report["acted"] for report in hands.run(order, ("deadlines", "deadlines"))] == [{}, {}]
    assert traces(world) == found


def test_a_drawn_panel_is_filled_once(database: Database, hands: Hands, order: dict[str, Any]) -> None:
    world = set_scene(database)
    reports = hands.run(order, ("reviews", "reviews"))
    found = traces(world)
    taken = Counter(step for step, _ in found["steps"].elements())
    # Five on the one panel; on the other one declined and one may not stay.
    assert taken == {"task.invite": 7, "task.take_away": 1, "draw.succeed": 2, "task.replace": 1}
    assert set(found["steps"].values()) == {1}
    assert sum(report["invited"] for report in reports) == 7
    assert sum(report["succeeded"] for report in reports) == 2
    assert [report["refused"] for report in reports] == [{}, {}]
    live = world.rows(
        "SELECT round_id, count(*) FROM task JOIN round r ON r.id = round_id WHERE r.state = 'open' "
        "AND task.state = 'invited' GROUP BY 1"
    )
    assert [count for _, count in live] == [5, 5]
    again = hands.run(order, ("reviews", "reviews"))
    assert [(r["invited"], r["succeeded"], r["told"]) for r in again] == [(0, 0, 0)] * 2
    assert traces(world) == found
    # Much later those who never answered are late, then replaced, and others follow.
    for days in (60, 75):
        late = {**order, "today": (DAY + timedelta(days=days)).isoformat()}
        hands.run(late, ("deadlines", "deadlines"))
    hands.run(late, ("reviews", "reviews"))
    steps = traces(world)["steps"]
    assert set(steps.values()) == {1}
    assert sum(step == "task.replace" for step, _ in steps) == 11
    assert sum(step == "draw.succeed" for step, _ in steps) == 12


def test_payments_are_checked_once(database: Database, hands: Hands, order: dict[str, Any]) -> None:
    world = set_scene(database)
    reports = hands.run(order, ("payment-checks", "payment-checks-full"))
    due = [id for (id,) in world.rows("SELECT id FROM payment WHERE state = 'due'")]
    assert len(due) == sum(report["fell_due"] for report in reports) == 2
    found = traces(world)
    assert all(found["steps"]["payment.fall_due", str(id)] == 1 for id in due)
    again = hands.run(order, ("payment-checks", "payment-checks-full"))
    assert [(r["fell_due"], r["fell_back"], r["changed"], r["told"]) for r in again] == [(0, 0, 0, 0)] * 2
    assert traces(world) == found


def test_a_reminder_is_told_once_and_a_long_pause_is_one_mail(
    database: Database, hands: Hands, order: dict[str, Any]
) -> None:
    world = set_scene(database)
    reports = hands.run(order, ("reminders", "reminders"))
    reminded = world.rows(
        "SELECT source, recipient_id, count(*) FROM message WHERE template = 'deadline_reminder' "
        "GROUP BY 1, 2"
    )
    assert reminded and all(count == 1 for _, _, count in reminded)
    assert sum(report["mails"] for report in reports) == len(reminded)
    claims = world.value("SELECT count(*) FROM job_claim WHERE job LIKE 'reminder:%%'")
    assert sum(report["days"] for report in reports) == claims
    # Several days were reached at once: one mail names them all.
    sources = world.value("SELECT count(DISTINCT source) FROM message WHERE template = 'deadline_reminder'")
    assert sources == sum(report["deadlines"] for report in reports) < claims
    # Twice, and with the clock set back, nothing is told again.
    assert [r["mails"] for r in hands.run(order, ("reminders", "reminders"))] == [0, 0]
    back = {**order, "today": (DAY - timedelta(days=30)).isoformat()}
    assert [r["mails"] for r in hands.run(back, ("reminders", "reminders"))] == [0, 0]
    # After a pause the days in between are made good.
    late = {**order, "today": (DAY + timedelta(days=600)).isoformat()}
    assert sum(r["mails"] for r in hands.run(late, ("reminders", "reminders"))) > 0


def test_a_mail_goes_out_once(
    database: Database, hands: Hands, order: dict[str, Any], sink: MailSink
) -> None:
    world = set_scene(database)
    owed = world.value("SELECT count(*) FROM message")
    reports = hands.run(order, ("mail", "mail"))
    assert sum(report["sent"] for report in reports) == owed == len(sink) == sink.copies
    assert [r["sent"] for r in hands.run(order, ("mail", "mail"))] == [0, 0]
    assert sink.copies == owed


def test_money_leaves_once(database: Database, hands: Hands, order: dict[str, Any]) -> None:
    world = set_scene(database)
    for _ in range(2):
        hands.run(order, ("disbursement", "disbursement"))
        found = traces(world)
        assert len(settled(world)) == 2
        assert found["bank"] == {str(id): 1 for id in settled(world)}
        assert {n for (step, _), n in found["steps"].items() if step == "payment.settle"} == {1}


def test_a_day_is_sealed_once_over_every_chain(
    database: Database, hands: Hands, order: dict[str, Any]
) -> None:
    world = set_scene(database)
    first, second = hands.run(order, ("sealing", "sealing"))
    assert first["root"] == second["root"]
    assert sorted([first["fresh"], second["fresh"]]) == [False, True]
    heads = world.rows("SELECT id, seq, head FROM chain WHERE seq > 0 ORDER BY id")
    assert first["root"] == root(head_leaf(id, seq, bytes(head)) for id, seq, head in heads).hex()
    leaves = world.rows("SELECT chain_id, seq, hash FROM seal_leaf ORDER BY position")
    assert [(id, seq, bytes(hash)) for id, seq, hash in leaves] == [(i, s, bytes(h)) for i, s, h in heads]
    exported = json.loads((Path(order["data_dir"]) / "seals" / f"{DAY}.json").read_text())
    assert exported == {"sealed_on": DAY.isoformat(), "size": len(heads), "root": first["root"]}
    told = world.value("SELECT count(*) FROM message WHERE template = 'daily_seal'")
    assert told == len(world.people["supervisor"])
    # A day on which nothing moved needs no seal.
    quiet = {**order, "today": (DAY + timedelta(days=1)).isoformat()}
    assert [r["sealed_on"] for r in hands.run(quiet, ("sealing", "sealing"))] == [None, None]


def test_whole_days_at_once_and_again_leave_the_traces_of_one(
    database: Database, hands: Hands, order: dict[str, Any]
) -> None:
    world = set_scene(database)
    hands.run(order, ("daily", "daily"))
    # What one of them was kept from while the other did it comes with the next run.
    hands.run(order, ("daily", "daily"))
    found = traces(world)
    assert set(found["steps"].values()) == set(found["mails"].values()) == set(found["bank"].values()) == {1}
    assert len(settled(world)) == 2
    hands.run(order, ("daily", "daily"))
    assert traces(world) == found
    late = date.fromisoformat(order["today"]) + timedelta(days=40)
    hands.run({**order, "today": late.isoformat()}, ("daily", "daily"))
    assert set(traces(world)["bank"].values()) == {1}
