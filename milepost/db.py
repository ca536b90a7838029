"""One PostgreSQL, reached two ways: lean sessions for steps, SQLAlchemy for reading.

A ``Session`` is a psycopg connection in autocommit with the clock of the installation; ``perform`` opens
and ends its own transaction on it. Reads of pages and reports go through ``Database.engine``.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from alembic import command
from alembic.config import Config
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool
from pydantic_core import from_json
from sqlalchemy import Engine, create_engine

from milepost.clock import Clock, SystemClock
from states.machines import Compiled

MIGRATIONS = Path(__file__).resolve().parent.parent / "schema" / "migrations"
LOCK_TIMEOUT = "10s"


@dataclass(slots=True)
class Session:
    """A connection for steps: autocommit, so that ``perform`` decides where its transaction begins.

    ``programmes`` keeps what the database has published, compiled, by id: a published version never changes.
    """

    conn: psycopg.Connection[Any]
    clock: Clock
    programmes: dict[UUID, Compiled] = field(default_factory=dict)


def _configure(conn: psycopg.Connection[Any]) -> None:
    # Facts come as JSON, several a row; pydantic's reader takes a quarter of the time of the standard one.
    set_json_loads(from_json, conn)
    conn.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'; SET timezone = 'UTC'")


def _alive(conn: psycopg.Connection[Any]) -> bool:
    """Whether the server is still at the other end of an idle connection.

    A server that goes away says so, and a restart or a cut line ends the stream: then there is something
    to read. Only then is the server asked, since a question before every session would cost a round trip.
    """
    said = select.poll()
    said.register(conn.fileno(), select.POLLIN)
    if not said.poll(0):
        return True
    try:
        conn.execute("")
    except psycopg.OperationalError:
        return False
    return True


def driver_url(url: str) -> str:
    """Name psycopg 3 as SQLAlchemy's driver."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


class Database:
    """The database of an installation. Close it when done."""

    def __init__(
        self,
        url: str,
        *,
        owner_url: str | None = None,
        clock: Clock | None = None,
        pool_size: int = 8,
    ) -> None:
        self.url = url
        self.owner_url = owner_url or url
        self.clock: Clock = clock or SystemClock()
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=pool_size,
            kwargs={"autocommit": True, "prepare_threshold": 1},
            configure=_configure,
            check=None,
            open=False,
            timeout=30,
        )
        self._engine: Engine | None = None
        self._programmes: dict[UUID, Compiled] = {}

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine, for reading only."""
        if self._engine is None:
            self._engine = create_engine(
                driver_url(self.url), pool_size=4, max_overflow=4, pool_pre_ping=True
            )
        return self._engine

    @contextmanager
    def session(self, *, timeout: float | None = None) -> Iterator[Session]:
        """A session for steps. What a step left unfinished is rolled back before anyone else gets it.

        ``timeout``: how many seconds to wait for a connection, where somebody waits for the answer.
        """
        self._pool.open()
        conn = self._pool.getconn(timeout)
        while not _alive(conn):
            conn.close()
            self._pool.putconn(conn)
            conn = self._pool.getconn(timeout)
        try:
            with conn:
                yield Session(conn, self.clock, self._programmes)
        finally:
            self._pool.putconn(conn)

    def close(self) -> None:
        """Give every connection back to the server."""
        self._pool.close()
        if self._engine is not None:
            self._engine.dispose()


def alembic_config(owner_url: str) -> Config:
    """Alembic without an ini file: the place of the migrations and the URL are all it needs."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = driver_url(owner_url)
    return config


def migrate(owner_url: str, revision: str = "head") -> None:
    """Bring the database to a revision, with data in it or without."""
    command.upgrade(alembic_config(owner_url), revision)


def downgrade(owner_url: str, revision: str) -> None:
    """Take the database back to a revision."""
    command.downgrade(alembic_config(owner_url), revision)
