"""Nothing is served that would leave people standing.

A state that no machine knows stops the start by name; the steps of this version are allowed before anybody
takes one.
"""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from config.settings import Settings
from milepost.db import Database
from milepost.programmes import stranded
from milepost.serve import ServeError, serve
from tests.builders import build


def test_rows_of_a_running_office_stand_where_machines_know_them(database: Database) -> None:
    world = build(database)
    world.project_at("approval")
    with database.session() as session:
        assert stranded(session.conn) == []


def test_a_renamed_state_is_named_and_keeps_the_office_closed(database: Database, database_urls: Any) -> None:
    world = build(database)
    world.project_at("approval")
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        owner.execute("ALTER TABLE project DISABLE TRIGGER USER")
        owner.execute("UPDATE project SET state = 'old_approval' WHERE state = 'approval'")
    with pytest.raises(ServeError, match=r"project\.old_approval \(1\)"):
        serve(Settings(), database=database, stop=threading.Event(), with_prefect=False)


def test_after_an_upgrade_the_steps_of_this_version_are_allowed(
    database: Database, database_urls: Any
) -> None:
    """An earlier version published the programme; its machines are not those of this one."""
    world = build(database)
    project = world.project_at("approval")
    with psycopg.connect(database_urls.owner, autocommit=True) as owner:
        for table in ("machine", "allowed_step", "event"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        owner.execute("UPDATE allowed_step SET machine = 'old-' || machine")
        owner.execute("UPDATE event SET machine = 'old-' || machine")
        owner.execute("UPDATE machine SET id = 'old-' || id")
        for table in ("machine", "allowed_step", "event"):
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
    stop = threading.Event()
    stop.set()
    serve(Settings(), database=database, stop=stop, with_prefect=False)
    assert world.take("programme_officer", "project.approve", project).state == "task_agreement"
