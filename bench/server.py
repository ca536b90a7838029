"""A PostgreSQL of the measurements' own in a temporary folder: durable as in production, gone afterwards."""

from __future__ import annotations

import secrets
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


def make_database(server: EmbeddedPostgres, purpose: str) -> str:
    """An empty database under a name that nobody else has."""
    name = f"bench_{purpose}_{secrets.token_hex(4)}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    return name


def drop_database(server: EmbeddedPostgres, name: str) -> None:
    """Give its disk back."""
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def database(server: EmbeddedPostgres, purpose: str, clock: SimulatedClock) -> Iterator[Database]:
    """A migrated database, opened as the application; dropped at the end."""
    name = make_database(server, purpose)
    owner = server.url("postgres", name)
    migrate(owner)
    opened = Database(server.url("milepost_app", name), owner_url=owner, clock=clock, pool_size=20)
    try:
        yield opened
    finally:
        opened.close()
        drop_database(server, name)
