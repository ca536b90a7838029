"""A draw from the shell: announced, shown to its office, exported, checked by somebody without a database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from milepost.cli.app import app
from milepost.clock import SystemClock
from milepost.db import Database
from tests.cli.conftest import Shell
from tests.evidence.lived import Copy
from tests.work.panels import Panels, announce_ready, draw_again, drawn, expert_actor


@pytest.fixture
def panels(database: Database) -> Iterator[Panels]:
    made = drawn(database, projects=2)
    made.fill()
    gone, task = next(iter(made.live(0).items()))
    made.world.take(expert_actor(gone), "task.decline", task, reason="示例")
    made.fill()
    yield made


@pytest.fixture
def shell(database: Database) -> Shell:
    return Shell(Copy(database, lambda *_: None))


def test_the_list_and_a_draw_are_shown_to_the_office_in_both_languages(shell: Shell, panels: Panels) -> None:
    commitment = panels.row()["commitment"]
    listed = shell.json("draw", "list", "--as", "programme_officer-1")
    assert [d["commitment"] for d in listed["draws"]] == [commitment] and listed["rounds_to_draw"] == []
    shown = shell.json("draw", "show", commitment[:10], "--as", "supervisor-1")
    assert len(shown["panels"]) == 2 and shown["entries"][0]["reason"] == "declined"
    assert shown["pool"] == 16 and "pool" not in shown["committed"]
    for lang, word in (("zh", "承诺"), ("en", "commitment")):
        text = shell.run("draw", "show", str(panels.draw_id), "--lang", lang).stdout
        assert commitment in text and word in text
        assert "D-0" in text and shell.run("draw", "list", "--lang", lang).exit_code == 0


@pytest.mark.parametrize("login", ["applicant-1", "expert-1", "finance_officer-1", "administrator-1"])
def test_nobody_else_finds_a_draw(shell: Shell, panels: Panels, login: str) -> None:
    assert shell.json("draw", "list", "--as", login)["draws"] == []
    missing = shell.json("draw", "show", str(panels.draw_id), "--as", login, code=2)
    assert missing["error"]["code"] == "draw_unknown"


def test_the_exported_record_is_verified_without_a_database(
    shell: Shell, panels: Panels, tmp_path: Path
) -> None:
    file, commitment = tmp_path / "record.json", panels.row()["commitment"]
    assert shell.json("draw", "export", str(panels.draw_id), str(file))["ok"]
    offline = CliRunner()

    def check(*words: str) -> tuple[int, dict[str, object]]:
        done = offline.invoke(app, ["draw", "verify", *words, "--json"], env={})
        return done.exit_code, json.loads(done.stdout)

    assert check(str(file), "--held", commitment) == (
        0,
        {"ok": True, "commitment": commitment, "findings": []},
    )
    code, told = check(str(file), "--held", "0" * 64)
    assert code == 1 and [f["code"] for f in told["findings"]] == ["commitment_not_held"]  # type: ignore[attr-defined, index]
    forged = json.loads(file.read_text())
    forged["panels"][0]["members"].reverse()
    file.write_text(json.dumps(forged))
    assert check(str(file))[0] == 1
    for lang, words in (("zh", "未通过"), ("en", "NOT VERIFIED")):
        done = offline.invoke(app, ["draw", "verify", str(file), "--lang", lang])
        assert done.exit_code == 1 and words in done.stdout and "panel_changed" in done.stdout
    file.write_bytes(b"no record")
    assert check(str(file))[0] == 1
    assert offline.invoke(app, ["draw", "verify", str(tmp_path / "none")]).exit_code == 2


def test_a_redraw_is_checked_against_the_record_before_it(
    shell: Shell, panels: Panels, tmp_path: Path
) -> None:
    other = drawn(panels.world.database, experts=0, name="V")
    first = other.draw_id
    other.world.take("programme_officer", "draw.void", first, reason="示例")
    second = draw_again(other.world, other.rounds, first, reason="示例：重抽")
    before, after = tmp_path / "1.json", tmp_path / "2.json"
    shell.json("draw", "export", str(first), str(before))
    shell.json("draw", "export", str(second), str(after))
    assert shell.json("draw", "verify", str(after), "--earlier", str(before))["findings"] == []
    shown = shell.json("draw", "show", str(second))
    assert shown["before"]["id"] == str(first)
    assert [a["id"] for a in shell.json("draw", "show", str(first))["after"]] == [str(second)]


def test_a_draw_is_announced_by_the_codes_of_its_projects(shell: Shell, database: Database) -> None:
    ready = announce_ready(database, projects=2, experts=10)
    waiting = shell.json("draw", "list", "--as", "programme_officer-1")["rounds_to_draw"]
    assert [row["code"] for row in waiting] == ["D-0", "D-1"]
    # The command line lives in real days.
    to_come = (SystemClock().today() + timedelta(days=3)).isoformat()
    given = [
        "programme=city-key-projects",
        "office_path=/",
        "title=春季",
        "rounds=D-0,D-1/round",
        "source_name=示例指数 · a figure",
        f"source_on={to_come}",
    ]
    done = shell.json("do", "draw.announce", "-", *given, "--as", "programme_officer-1")
    draw_id = done["receipt"]["subject_id"]
    rounds = ready.world.rows("SELECT round_id FROM draw_round WHERE draw_id = %s", draw_id)
    assert {row[0] for row in rounds} == set(ready.rounds)
    assert shell.json("do", "draw.witness", draw_id, "--as", "supervisor-1")["ok"]
    early = shell.json(
        "do", "draw.conclude", draw_id, "value=1.00", "evidence=x", "--as", "programme_officer-1", code=1
    )
    assert "draw_value_not_out" in json.dumps(early)
    assert "尚未抽取" in _verified(shell, draw_id)


def _verified(shell: Shell, draw_id: str) -> str:
    file = Path(str(shell.copy.database.url).rpartition("/")[2] + ".json")
    try:
        shell.json("draw", "export", draw_id, str(file))
        return shell.run("draw", "verify", str(file), "--lang", "zh").stdout
    finally:
        file.unlink(missing_ok=True)
