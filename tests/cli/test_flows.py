"""A flow run by hand does what the scheduled one does, twice does no harm, and its seal makes evidence."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from config.schedule import SCHEDULE
from flows.runtime import unbind
from tests.cli.conftest import Shell


@pytest.fixture(autouse=True)
def nothing_is_bound() -> None:
    unbind()


def test_the_flows_there_are_come_with_their_times(shell: Shell) -> None:
    found = shell.json("flow", "list")
    assert [flow["name"] for flow in found["flows"]] == [job.name for job in SCHEDULE]
    assert "sealing" in shell.run("flow", "list").stdout


def test_a_seal_made_by_hand_is_the_root_that_verify_knows(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILEPOST_DATA_DIR", str(tmp_path))
    shell.json(
        "do",
        "project.place_hold",
        shell.one("SELECT min(code) FROM project WHERE state = 'implementation'"),
        "reason=x",
        "--as",
        "programme_officer-1",
    )
    made = shell.json("flow", "run", "sealing")["report"]
    again = shell.json("flow", "run", "sealing")["report"]
    assert made["root"] == again["root"] and date.fromisoformat(made["sealed_on"])
    assert shell.json("verify", "--root", made["root"])["seals"] == 2


def test_an_unknown_flow_and_a_missing_server_are_said(shell: Shell, free_port: int) -> None:
    assert shell.json("flow", "run", "dance", code=2)["error"]["code"] == "flow_unknown"
    url = f"http://127.0.0.1:{free_port}/api"
    assert shell.json("flow", "deploy", "--api-url", url, code=2)["error"]["code"] == "prefect_unreachable"
