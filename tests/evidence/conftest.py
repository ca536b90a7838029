"""A lived-in, sealed database, built once; every test gets a copy of its own to tamper with."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from tests.builders import build
from tests.evidence.lived import DAY, Copy, Lived, live, seal


@pytest.fixture(scope="package")
def lived(server: EmbeddedPostgres, template: str) -> Iterator[Lived]:
    name = f"lived_{secrets.token_hex(6)}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        database = Database(server.url("milepost_app", name), owner_url=server.url("postgres", name))
        live(build(database))
        held = seal(database, DAY)
        database.close()
        yield Lived(name, held)
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def copy(server: EmbeddedPostgres, lived: Lived) -> Iterator[Copy]:
    with copied(server, lived.name) as made:
        yield made


@contextmanager
def copied(server: EmbeddedPostgres, of: str) -> Iterator[Copy]:
    """A copy of a database, gone afterwards."""
    name = f"copy_{secrets.token_hex(6)}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {of} STRATEGY FILE_COPY")
        owner = server.url("postgres", name)
        database = Database(server.url("milepost_app", name), owner_url=owner)

        def tamper(*statements: str, drop: tuple[tuple[str, str], ...] = ()) -> None:
            with psycopg.connect(owner, autocommit=True) as conn:
                tables = conn.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                ).fetchall()
                for (table,) in tables:
                    conn.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER ALL')
                for table, constraint in drop:
                    conn.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT {constraint}')
                for statement in statements:
                    done = conn.execute(statement)
                    assert done.rowcount != 0, f"nothing was tampered with by {statement}"

        yield Copy(database, tamper)
        database.close()
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
