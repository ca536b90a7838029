"""The migrations make the database the models describe, guard it, and can be taken back with data in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg.rows import dict_row
from sqlalchemy import create_engine

from milepost.actions import Actor, perform
from milepost.clock import SimulatedClock
from milepost.db import Database, downgrade, driver_url, migrate
from schema.nouns import NOUNS
from schema.tables import metadata
from tests.conftest import DatabaseUrls
from tests.invariants.forge import refused
from tests.invariants.town import START, Town, person_id

VERSIONS = Path(__file__).resolve().parents[2] / "schema" / "migrations" / "versions"
# Tables that nobody changes afterwards, and the tables of facts.
APPEND_ONLY = {
    "allowed_step",
    "contribution",
    "document",
    "duty",
    "event",
    "job_claim",
    "pledge",
    "programme_version",
    "seal",
    "seal_leaf",
    "transfer",
}
FACTS = {"contribution", "hold", "pledge", "tranche"}
EXPECTED = (
    {f"{noun}_{guard}" for noun in NOUNS for guard in ("state_needs_event", "birth_needs_event", "stays")}
    | {f"{table}_append_only" for table in APPEND_ONLY}
    | {f"{table}_needs_event_{way}" for table in FACTS for way in ("in", "up")}
    | {f"{table}_stays" for table in ("account", "chain", "hold", "tranche")}
    | {f"{table}_binding" for table in ("payee", "payment", "tranche")}
    | {
        "account_needs_event",
        "account_opened",
        "allowed_step_before_seal",
        "chain_kind_stays",
        "chain_opened",
        "duty_needs_event",
        "duty_by_delegation",
        "event_appended",
        "machine_stays_sealed",
        "payee_stays_itself",
        "payment_needs_approvals",
        "payment_waits_for_rest",
        "transfer_added",
    }
)


@pytest.fixture
def owner(database_urls: DatabaseUrls) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        yield conn


def triggers(conn: psycopg.Connection) -> set[str]:
    rows = conn.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'")
    return {row[0] for row in rows}


def test_every_guard_is_in_its_place(owner: psycopg.Connection) -> None:
    assert triggers(owner) >= EXPECTED


def test_every_guard_says_whose_tables_it_means(owner: psycopg.Connection) -> None:
    """A function that reads tables without a search path of its own can be shown other tables."""
    rows = owner.execute(
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = 'public' AND p.prorettype = 'trigger'::regtype AND p.proname <> 'refuse_change' "
        "AND NOT coalesce(p.proconfig @> ARRAY['search_path=public, pg_temp'], false)"
    ).fetchall()
    assert rows == []


def test_the_database_is_the_one_the_models_describe(database_urls: DatabaseUrls) -> None:
    engine = create_engine(driver_url(database_urls.owner))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": False}
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def test_the_checks_are_the_ones_the_models_name(owner: psycopg.Connection) -> None:
    """Alembic compares no CHECK, so their names are compared here."""
    named = {
        str(c.name)
        for table in metadata.tables.values()
        for c in table.constraints
        if c.name and type(c).__name__ == "CheckConstraint"
    }
    rows = owner.execute(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
    )
    assert {row[0] for row in rows} == named


def test_the_revisions_stand_in_one_line() -> None:
    found = {}
    for path in VERSIONS.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        revision = re.search(r'^revision = "(\w+)"', text, re.M)
        down = re.search(r'^down_revision = (?:"(\w+)"|None)', text, re.M)
        assert revision and down, path
        assert down.group(1) not in found.values(), f"two revisions follow {down.group(1)}"
        found[revision.group(1)] = down.group(1)
    assert list(found.values()).count(None) == 1


def columns(conn: psycopg.Connection) -> dict[str, list[str]]:
    """The columns of every table there is."""
    rows = conn.execute(
        "SELECT c.table_name, array_agg(c.column_name::text ORDER BY c.ordinal_position) "
        "FROM information_schema.columns c JOIN information_schema.tables t "
        "USING (table_schema, table_name) WHERE table_schema = 'public' "
        "AND t.table_type = 'BASE TABLE' AND table_name <> 'alembic_version' GROUP BY 1"
    ).fetchall()
    return dict(rows)


def contents(conn: psycopg.Connection, tables: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Every row of some tables."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return {table: cursor.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}


def of_columns(rows: dict[str, list[dict[str, Any]]], of: dict[str, list[str]]) -> dict[str, list[str]]:
    """Some columns of some tables, in an order of their own."""
    return {
        table: sorted(repr([row[name] for name in names]) for row in rows[table])
        for table, names in of.items()
    }


def test_taking_the_guards_off_and_putting_them_back_keeps_every_row(database_urls: DatabaseUrls) -> None:
    clock = SimulatedClock(START)
    database = Database(database_urls.app, owner_url=database_urls.owner, clock=clock, pool_size=1)
    with Town(database, clock) as town:
        town.vote()
        project = town.funded()
        town.payment("settled", project=project)
    database.close()
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        before = contents(conn, columns(conn))
        downgrade(database_urls.owner, "0001")
        assert not triggers(conn) & EXPECTED
        # What the first revision has room for is kept; later columns begin anew.
        kept = columns(conn)
        assert of_columns(contents(conn, kept), kept) == of_columns(before, kept)
        migrate(database_urls.owner)
        assert triggers(conn) >= EXPECTED
        assert of_columns(contents(conn, kept), kept) == of_columns(before, kept)
    with psycopg.connect(database_urls.app) as app:
        with refused("MP003"):
            app.execute("UPDATE project SET holds = 0")
        app.rollback()
        with refused("42501"):
            app.execute("DELETE FROM event")
    database = Database(database_urls.app, owner_url=database_urls.owner, clock=clock, pool_size=1)
    with database.session() as session:
        supervisor = Actor(person_id("supervisor"))
        receipt = perform(session, supervisor, "project.place_hold", project, {"reason": "x"}, "after")
        assert receipt.seq > 1
    database.close()


def test_the_whole_schema_can_be_taken_away_and_laid_again(database_urls: DatabaseUrls) -> None:
    downgrade(database_urls.owner, "base")
    with psycopg.connect(database_urls.owner) as conn:
        left = conn.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
            "AND c.relkind IN ('r', 'S', 'v') AND c.relname <> 'alembic_version'"
        ).fetchall()
        functions = conn.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
    assert (left, functions) == ([], [])
    migrate(database_urls.owner)
    with psycopg.connect(database_urls.owner) as conn:
        assert triggers(conn) >= EXPECTED


def test_migrating_twice_changes_nothing(database_urls: DatabaseUrls) -> None:
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        before = triggers(conn)
        migrate(database_urls.owner)
        assert triggers(conn) == before
