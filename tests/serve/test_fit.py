"""Nothing is served that would leave people standing: a state no machine knows stops the start by name."""

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
