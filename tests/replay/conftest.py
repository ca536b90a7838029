"""Several databases for one test: an undisturbed replay beside disturbed ones."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import psycopg
import pytest

from milepost.embedded import EmbeddedPostgres
from tests.conftest import DatabaseUrls


@pytest.fixture
def make_urls(server: EmbeddedPostgres, template: str) -> Iterator[Callable[[], DatabaseUrls]]:
    """Makes a fresh, migrated database each time it is called; all are dropped after the test."""
    made: list[str] = []
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:

        def make() -> DatabaseUrls:
            name = f"test_{secrets.token_hex(6)}"
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
            made.append(name)
            return DatabaseUrls(server.url("postgres", name), server.url("milepost_app", name), name)

        yield make
        for name in made:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
