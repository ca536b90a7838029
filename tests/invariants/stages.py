"""A database that many histories begin in alike: put back between them, which is cheaper than a new one.

A new database has cold caches and its first connection plans everything anew; that made most of what a short
history costs. Here the connections stay, and the rows are put back as they were, by the server's owner with
every trigger off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from tests.invariants.conftest import drop_database, new_database
from tests.invariants.town import START, Town

_COLUMNS = """SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
    FILTER (WHERE a.attgenerated = '') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
   GROUP BY 1 ORDER BY 1"""
# What was put away leaves dead rows behind: after so many histories a new copy is cheaper.
HISTORIES = 25


class Stage:
    """A town in a copy of ``begun``, put back to how it was at every ``begin``."""

    def __init__(self, server: EmbeddedPostgres, begun: str, programme: str) -> None:
        self._server, self._begun, self._programme = server, begun, programme
        self._left = 0
        self._open: Iterator[Town] | None = None

    def begin(self) -> Town:
        """The town as it was in ``begun``, for one history more."""
        if not self._left:
            self.close()
            self._open, self._left = self._town(), HISTORIES
            self.town = next(self._open)
        else:
            self._owner.execute(self._put_back)
        self._left -= 1
        self.town.clock.set(START)
        self.town.begin_again()
        return self.town

    def close(self) -> None:
        """Away with it."""
        if self._open is not None:
            for _ in self._open:
                pass
        self._open = None

    def _town(self) -> Iterator[Town]:
        name = new_database(self._server, self._begun)
        try:
            with self._kept(name) as owner:
                self._owner = owner
                clock = SimulatedClock(START)
                urls = self._server.url("milepost_app", name), self._server.url("postgres", name)
                database = Database(urls[0], owner_url=urls[1], clock=clock)
                try:
                    with Town(database, clock, programme=self._programme) as town:
                        # Hundreds of statements are asked again and again: planned once.
                        town.session.conn.prepared_max = 2000
                        yield town
                finally:
                    database.close()
        finally:
            drop_database(self._server, name)

    @contextmanager
    def _kept(self, name: str) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._server.url("postgres", name), autocommit=True) as owner:
            owner.execute("CREATE SCHEMA kept")
            owner.execute("SET session_replication_role = replica")
            put_back = ["BEGIN"]
            for table, columns in owner.execute(_COLUMNS).fetchall():
                owner.execute(f'CREATE TABLE kept."{table}" AS TABLE public."{table}"')
                put_back.append(f'DELETE FROM public."{table}"')
                if owner.execute(f'SELECT 1 FROM kept."{table}" LIMIT 1').fetchone():
                    put_back.append(
                        f'INSERT INTO public."{table}" ({columns}) SELECT {columns} FROM kept."{table}"'
                    )
            self._put_back = "; ".join([*put_back, "COMMIT"])
            yield owner


__all__ = ["Stage"]
