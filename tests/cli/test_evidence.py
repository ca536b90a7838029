"""Proving from the command line: the verdict is the exit code, and what is exported and saved comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from milepost.cli.app import app
from tests.cli.conftest import Shell
from tests.evidence.lived import Lived


def test_a_sound_database_verifies_and_a_broken_one_does_not(shell: Shell, lived: Lived) -> None:
    found = shell.json("verify", "--root", lived.root)
    assert found["ok"] and found["events"] > 100 and found["root"] == lived.root
    assert "通过" in shell.run("verify", "--lang", "zh").stdout
    assert shell.json("verify", "--root", "ab" * 32, code=1)["faults"][0]["code"] == "root_unknown"
    assert shell.json("verify", "--root", "hello", code=2)["error"]["code"] == "root_malformed"
    shell.copy.tamper("UPDATE project SET holds = 0 WHERE holds > 0")
    done = shell.run("verify", "--lang", "en")
    assert done.exit_code == 1 and "NOT VERIFIED" in done.stdout and "counter_differs" in done.stdout


def test_a_bundle_is_written_where_it_was_asked_for(shell: Shell, lived: Lived, tmp_path: Path) -> None:
    code = shell.one("SELECT code FROM project WHERE holds > 0")
    out = tmp_path / "bundle.zip"
    found = shell.json("evidence", code, "--out", str(out))
    assert found["ok"] and found["root"] == lived.root and out.exists()
    assert shell.json("evidence", "none", "--out", str(out), code=1)["error"]["code"] == "project_unknown"


def test_a_backup_comes_back_only_where_it_is_told_to(shell: Shell, lived: Lived, tmp_path: Path) -> None:
    file = tmp_path / "day.backup"
    assert shell.json("backup", str(file))["manifest"]["seals"][0]["root"] == lived.root
    assert shell.json("restore", str(file), code=1)["error"]["code"] == "database_not_empty"
    found = shell.json("restore", str(file), "--replace", "--root", lived.root)
    assert found["ok"] and found["manifest"]["events"] == found["events"]
    assert shell.json("restore", str(tmp_path / "no.backup"), code=1)["error"]["code"] == "not_a_backup"


def test_mail_that_failed_is_listed_and_tried_again(shell: Shell) -> None:
    shell.copy.tamper("UPDATE message SET state = 'dead', last_error = 'no such user', attempts = 24")
    found = shell.json("mail", "list")
    assert found["counts"] == {"dead": len(found["dead"])} and found["dead"][0]["error"] == "no such user"
    assert "no such user" in shell.run("mail", "list").stdout
    one = str(found["dead"][0]["id"])
    assert shell.json("mail", "requeue", one)["requeued"] == 1
    assert shell.json("mail", "requeue", "--all")["requeued"] == len(found["dead"]) - 1
    assert shell.json("mail", "requeue", code=2)["error"]["code"] == "which_mail"


@pytest.mark.parametrize("words", [("verify",), ("person", "list"), ("programme", "list"), ("why", "P-1")])
def test_a_database_without_tables_is_said_in_one_sentence(shell: Shell, words: tuple[str, ...]) -> None:
    shell.copy.tamper(
        "DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "GRANT USAGE ON SCHEMA public TO PUBLIC"
    )
    found = shell.json(*words, code=2)
    assert found["error"]["code"] == "not_set_up"


def test_a_folder_in_which_nothing_was_set_up_is_said_in_one_sentence(server_folder: Path) -> None:
    """The first thing somebody types may be a question."""
    env = {"MILEPOST_DATA_DIR": str(server_folder / "data")}
    done = CliRunner().invoke(app, ["todo", "--as", "officer1", "--json"], env=env)
    assert done.exit_code == 2, done.output
    found = json.loads(done.stdout)["error"]
    assert found["code"] == "not_set_up" and "milepost serve" in found["en"]
