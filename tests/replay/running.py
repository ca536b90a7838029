"""Runs a replay on a test's database: here and now, or as a child process that may be killed."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.replay.life import read_folder
from milepost.replay.run import replay
from milepost.replay.timetable import START_WITHOUT_DELIVERIES

BUDGET_HEADER = (
    "project,total,currency,duration,milestone,amount,amount_currency,milestone_duration,deliverables\n"
)
DELIVERY_HEADER = (
    "project,milestone,delivered_on,deliverables,evaluations,evaluated_on,decided_on,outcome,"
    "deliverables_accepted,evaluators\n"
)


def write_files(folder: Path, budgets: str, deliveries: str) -> Path:
    """The two files of a folder, given their rows without the header."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "grant_budgets.csv").write_text(BUDGET_HEADER + budgets, encoding="utf-8")
    (folder / "milestone_deliveries.csv").write_text(DELIVERY_HEADER + deliveries, encoding="utf-8")
    return folder


def run_child(folder: Path, owner_url: str, app_url: str, out: Path) -> None:
    """Replay to the end and write the summary; what a killed child had done is gone on with."""
    database = Database(app_url, owner_url=owner_url, clock=SimulatedClock(START_WITHOUT_DELIVERIES))
    try:
        summary = replay(read_folder(folder), database)
    finally:
        database.close()
    out.write_text(json.dumps(summary.as_json()), encoding="utf-8")


def summary_of(folder: Path, urls: Any, out: Path) -> dict[str, Any]:
    """The summary of a replay as JSON, read back as any program would."""
    run_child(folder, urls.owner, urls.app, out)
    summary: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return summary


@contextmanager
def child(folder: Path, urls: Any, out: Path) -> Iterator[BaseProcess]:
    """A process of its own that replays; forked where all is imported already, so that it starts at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.replay.running"])
    process = context.Process(target=run_child, args=(folder, urls.owner, urls.app, out))
    process.start()
    try:
        yield process
    finally:
        if process.is_alive():
            process.kill()
        process.join()
