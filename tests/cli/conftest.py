"""The command line over a copy of a lived-in database of its own, called as a shell would call it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from milepost.cli.app import app
from milepost.people import set_password
from states.case import SYSTEM_ID
from tests.evidence.conftest import copy, lived
from tests.evidence.lived import Copy

__all__ = ["copy", "lived"]

PASSWORD = "correct horse"


class Shell:
    """Runs commands against one database."""

    def __init__(self, copy: Copy) -> None:
        self.copy = copy
        database = copy.database
        self.env = {"MILEPOST_DATABASE_URL": database.url, "MILEPOST_OWNER_URL": database.owner_url}

    def run(self, *words: str, typed: str | None = None, **env: str) -> Result:
        """One command; a fault of the program itself is raised, not shown as an exit code."""
        done = CliRunner().invoke(app, list(words), input=typed, env={**self.env, **env})
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def json(self, *words: str, code: int = 0, typed: str | None = None) -> Any:
        """What a command answers to programs."""
        done = self.run(*words, "--json", typed=typed)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    def one(self, sql: str, *params: Any) -> Any:
        """The first column of the first row."""
        with self.copy.database.session() as session:
            row = session.conn.execute(sql, params).fetchone()
        assert row is not None, sql
        return row[0]

    def payment(self, state: str) -> str:
        """The name of a payment in a state."""
        return str(
            self.one(
                "SELECT p.code || '/t' || t.number FROM payment y JOIN tranche t ON t.id = y.tranche_id "
                "JOIN project p ON p.id = y.project_id WHERE y.state = %s ORDER BY t.number, p.code LIMIT 1",
                state,
            )
        )

    def give_password(self, login: str) -> None:
        """Let somebody have the password that the tests type."""
        with self.copy.database.session() as session:
            row = session.conn.execute("SELECT id FROM person WHERE login = %s", (login,)).fetchone()
            assert row is not None
            set_password(session, row[0], PASSWORD, by=SYSTEM_ID)


@pytest.fixture
def shell(copy: Copy) -> Shell:
    return Shell(copy)
