"""A PostgreSQL of the measurements' own in a temporary folder: durable as in production, gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from milepost.clock import SimulatedClock
from milepost.db import Database, migrate
from milepost.embedded import EmbeddedPostgres

# Nothing is bought by giving up durability: what is not named here stands as PostgreSQL ships it.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "max_connections": "100",
}


@contextmanager
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server nobody else uses; stopped and removed at the end, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="milepost-bench-"))
    server = EmbeddedPostgres(folder, settings=SETTINGS)
    try:
        server.start()
        yield server
    finally:
        server.stop(force=True)
        shutil.rmtree(folder, ignore_errors=True)


def make_database(server: EmbeddedPostgres, name: str) -> None:
    """An empty database in place of whatever had that name."""
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        conn.execute(f"CREATE DATABASE {name}")


@contextmanager
def database(server: EmbeddedPostgres, name: str, clock: SimulatedClock) -> Iterator[Database]:
    """A migrated database, opened as the application; dropped at the end to give its disk back."""
    make_database(server, name)
    owner = server.url("postgres", name)
    migrate(owner)
    opened = Database(server.url("milepost_app", name), owner_url=owner, clock=clock, pool_size=20)
    try:
        yield opened
    finally:
        opened.close()
        with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as conn:
            conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
