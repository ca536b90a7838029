"""README and the map are true: every path is there, every command is explained, the first project works."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from milepost.cli.app import app
from milepost.embedded import EmbeddedPostgres
from tests.cli.test_terminal import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "docs/map.md").read_text(encoding="utf-8")
TABLE = set(
    re.findall(
        r"`milepost ([a-z]+(?: [a-z][a-z-]*)?)", README.split("## The command line")[1].split("## ")[0]
    )
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_s_table(name: str) -> None:
    assert name in TABLE


def test_every_command_of_the_readme_s_table_exists() -> None:
    assert {name for name in TABLE if name not in COMMANDS} == set()


@pytest.mark.parametrize("text", [README, MAP], ids=["README.md", "docs/map.md"])
def test_every_path_that_is_named_is_there(text: str) -> None:
    named = set(
        re.findall(r"`((?:config|schema|states|flows|milepost|examples|tests|docs|bench)/[\w./-]*)`", text)
    )
    assert named and {path for path in named if not (ROOT / path).exists()} == set()


def tour() -> list[list[str]]:
    """The commands of the block that says it is tested."""
    block = README.split("<!-- tested")[1].split("```sh\n")[1].split("```")[0]
    return [shlex.split(line) for line in block.splitlines()]


@pytest.fixture
def empty(server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder and a database with nothing in them."""
    name = f"tour_{secrets.token_hex(6)}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("MILEPOST_DATA_DIR", str(tmp_path))
        monkeypatch.setenv("MILEPOST_DATABASE_URL", server.url("milepost_app", name))
        monkeypatch.setenv("MILEPOST_OWNER_URL", server.url("postgres", name))
        yield
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.usefixtures("empty")
def test_the_first_project_by_hand_works_as_it_is_written() -> None:
    commands = tour()
    assert len(commands) > 15
    for words in commands:
        assert words[0] == "milepost"
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code == 0, f"{words}: {done.output}"
    assert Path("G-1.evidence.zip").exists() and Path("first.backup").exists()
