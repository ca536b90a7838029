"""A replay continues only what it began, answers again when it is over, and lives under a sound programme."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from config.programme_files import load_programme
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.importing.grants import FolderRefused, read_grants
from milepost.replay.cursor import OtherFolder
from milepost.replay.life import SHIPPED, read_folder
from milepost.replay.run import replay
from milepost.replay.timetable import START_WITHOUT_DELIVERIES, timetable
from states.explore import check_programme
from tests.replay.running import summary_of, write_files

EXAMPLE = Path(__file__).parents[2] / "examples" / "web3-grants"
ONE = "solo,1,2024-09-02,2,1,2024-09-03,2024-09-05,accepted,2,E1\n"


def test_the_programme_that_comes_with_the_replay_is_the_examples_and_is_sound() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == (EXAMPLE / "programme.toml").read_text(encoding="utf-8")
    assert check_programme(load_programme(SHIPPED).programme) == []


def test_a_replay_that_is_over_answers_again_and_other_files_are_not_mixed_in(
    database_urls: Any, tmp_path: Path
) -> None:
    folder, out = write_files(tmp_path / "one", "", ONE), tmp_path / "summary.json"
    first = summary_of(folder, database_urls, out)
    again = summary_of(folder, database_urls, out)
    assert first["payments"] == 1 and first["paid_minor"] == {"USD": 1_000_000}
    assert {**again, "seconds": 0} == {**first, "seconds": 0}
    other = write_files(tmp_path / "other", "", ONE.replace("solo", "duo"))
    with pytest.raises(OtherFolder):
        summary_of(other, database_urls, out)


def test_a_folder_without_its_files_is_refused_before_anything_is_written(
    database: Database, tmp_path: Path
) -> None:
    with pytest.raises(FolderRefused):
        database.clock = SimulatedClock(START_WITHOUT_DELIVERIES)
        replay(read_folder(tmp_path), database)
    with database.session() as session:
        assert session.conn.execute("SELECT count(*) FROM programme_version").fetchall() == [(0,)]


def test_files_without_a_row_are_a_replay_of_nothing(database_urls: Any, tmp_path: Path) -> None:
    summary = summary_of(write_files(tmp_path, "", ""), database_urls, tmp_path / "summary.json")
    assert (summary["grants"], summary["milestones"], summary["payments"]) == (0, 0, 0)
    assert summary["verified"] is True


def test_the_first_delivery_is_in_time_and_undated_grants_begin_with_the_first(tmp_path: Path) -> None:
    budgets = "a,2,BTC,,1,1,BTC,1 month,1\na,2,BTC,,2,1,BTC,1 week,1\nlate,1,BTC,,1,1,BTC,2 weeks,1\n"
    deliveries = "a,1,2024-05-31,1,0,,,not_evaluated,,\nb,1,2024-06-01,1,0,,,not_evaluated,,\n"
    table = timetable(read_grants(write_files(tmp_path, budgets, deliveries)).grants, "weekends")
    assert table.agreed_on["a"] == date(2024, 4, 30)
    assert table.agreed_on["b"] == date(2024, 4, 6)
    started = {
        fact.grant.code: day for day, facts in table.facts.items() for fact in facts if fact.kind == "apply"
    }
    assert started["late"] == table.first_day == min(started.values())
    assert table.last_day == date(2024, 12, 31)
