"""The command line starts at once, speaks both languages, and never answers with a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from milepost.cli.app import app

ROOT = Path(__file__).resolve().parents[2]


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name."""
    root: Any = typer.main.get_command(app)
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {sub}", child) for sub, child in command.commands.items())
        else:
            yield name, command


COMMANDS = dict(commands())


def call(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The real process, as a shell starts it."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MILEPOST_")}
    return subprocess.run(
        [sys.executable, "-m", "milepost", *words],
        cwd=ROOT,
        env={**clean, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_in_json_in_both_languages_and_says_what_it_does(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {"--json", "--lang"} <= options
    zh, dot, en = COMMANDS[name].help.partition(" · ")
    assert zh and dot and en.endswith("."), COMMANDS[name].help
    for parameter in COMMANDS[name].params:
        if parameter.name != "help":
            assert " · " in (parameter.help or ""), f"{name} {parameter.name}"


def test_the_help_comes_without_loading_what_it_does_not_need() -> None:
    program = (
        "import sys; from milepost.cli.app import app; "
        "heavy = {'prefect', 'sqlalchemy', 'sqlmodel', 'psycopg', 'fastapi', 'pydantic', 'networkx'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_version_is_that_of_the_package() -> None:
    done = call("--version")
    assert done.returncode == 0 and done.stdout.startswith("milepost ")


def test_a_wrong_setting_is_one_sentence_and_no_traceback() -> None:
    done = call("verify", "--lang", "en", MILEPOST_PORT="eighty")
    assert done.returncode == 2
    assert done.stderr.startswith("MILEPOST_PORT") and "Traceback" not in done.stderr
    misspelt = CliRunner().invoke(app, ["verify", "--json"], env={"MILEPOST_DATABASE": "x"})
    assert misspelt.exit_code == 2
    assert json.loads(misspelt.stdout)["error"]["code"] == "settings"


def test_a_database_that_is_not_there_is_said_at_once(free_port: int) -> None:
    url = f"postgresql://milepost_app:hidden@127.0.0.1:{free_port}/milepost"
    done = CliRunner().invoke(app, ["verify", "--json"], env={"MILEPOST_DATABASE_URL": url})
    assert done.exit_code == 2, done.output
    assert json.loads(done.stdout)["error"]["code"] == "database_unreachable"
    assert "hidden" not in done.output and len(done.stderr.splitlines()) == 1


def test_options_mean_the_same_before_and_after_the_command() -> None:
    before = CliRunner().invoke(app, ["--json", "programme", "check", "small-grants"])
    after = CliRunner().invoke(app, ["programme", "check", "small-grants", "--json"])
    assert json.loads(before.stdout) == json.loads(after.stdout)


def test_an_unknown_command_or_option_is_a_matter_of_usage() -> None:
    assert CliRunner().invoke(app, ["dance"]).exit_code == 2
    assert CliRunner().invoke(app, ["verify", "--loudly"]).exit_code == 2


def test_a_missing_file_is_said_by_name(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["replay", str(tmp_path / "none"), "--json"])
    assert done.exit_code in (1, 2) and "Traceback" not in done.output
    assert json.loads(done.stdout)["ok"] is False
