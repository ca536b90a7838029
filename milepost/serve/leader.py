"""One process of many leads: it holds a session lock of the database, which ends with its connection.

A process that is killed, or cut off, lets go by that; another one finds the lock free and leads on.
"""

from __future__ import annotations

import psycopg

from milepost.db import Database

_KEY = "hashtextextended('milepost:scheduler', 0)"


class Leadership:
    """The lock and the connection it lives on."""

    def __init__(self, conn: psycopg.Connection[tuple[object, ...]]) -> None:
        self._conn = conn

    @classmethod
    def try_to_gain(cls, database: Database) -> Leadership | None:
        """Lead, or None where somebody does or the database does not answer."""
        try:
            conn = psycopg.connect(
                database.url,
                autocommit=True,
                connect_timeout=5,
                application_name="milepost scheduler",
                # A leader whose network is gone is noticed by the database within a minute.
                keepalives=1,
                keepalives_idle=20,
                keepalives_interval=10,
                keepalives_count=3,
            )
        except psycopg.OperationalError:
            return None
        row = conn.execute(f"SELECT pg_try_advisory_lock({_KEY})").fetchone()
        if row and row[0]:
            return cls(conn)
        conn.close()
        return None

    def holds(self) -> bool:
        """Whether the connection, and with it the lock, is still there."""
        try:
            self._conn.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def give_up(self) -> None:
        """Let somebody else lead."""
        self._conn.close()


__all__ = ["Leadership"]
