"""Opens the installation's database as the settings say: the embedded server, or the office's own by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from config.settings import Settings, load_settings
from milepost.clock import Clock
from milepost.db import Database, migrate
from milepost.embedded import EmbeddedPostgres


@contextmanager
def open_database(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    pool_size: int = 8,
    migrated: bool = True,
    server_settings: dict[str, str] | None = None,
) -> Iterator[Database]:
    """The database, migrated to the present revision; an embedded server is started, or adopted, and let go.

    ``migrated`` False leaves the revision as it is, for commands that must not change anything.
    """
    chosen = settings or load_settings()
    with ExitStack() as stack:
        if chosen.embedded:
            server = stack.enter_context(EmbeddedPostgres(chosen.data_dir, settings=server_settings))
            url, owner = server.app_url(), server.owner_url
        else:
            assert chosen.database_url is not None
            url, owner = chosen.database_url, chosen.migration_url or chosen.database_url
        if migrated:
            migrate(owner)
        elif chosen.embedded:
            # Of a folder that nothing was set up in, the pool would find out after half a minute.
            psycopg.connect(url, connect_timeout=5).close()
        database = Database(url, owner_url=owner, clock=clock, pool_size=pool_size)
        stack.callback(database.close)
        yield database
