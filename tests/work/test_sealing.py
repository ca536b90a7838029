"""A day has one seal, and whoever asks for it gets that one, also while another makes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from time import monotonic, sleep

import psycopg

from milepost.db import Database
from milepost.work.sealing import Sealed, seal
from tests.builders import World, build
from tests.conftest import DatabaseUrls


def sealed_by(world: World, day: date) -> Sealed | None:
    with world.database.session() as session:
        return seal(session, day)


def test_a_seal_made_while_one_looks_is_the_seal_one_gets(
    database: Database, database_urls: DatabaseUrls
) -> None:
    """The other's seal is committed when this one had looked for a seal, but not yet at the chains."""
    world = build(database)
    world.project_at("application")
    day = world.clock.today()
    with psycopg.connect(database_urls.owner) as other, ThreadPoolExecutor(1) as pool:
        other.execute("LOCK TABLE seal_leaf IN ACCESS EXCLUSIVE MODE")
        asked = pool.submit(sealed_by, world, day)
        wait_for_a_lock(world)
        other.execute(
            "INSERT INTO seal SELECT %s, count(*), sha256('another'), now() FROM chain WHERE seq > 0", (day,)
        )
        other.execute(
            "INSERT INTO seal_leaf SELECT %s, row_number() OVER (ORDER BY id) - 1, id, seq, head "
            "FROM chain WHERE seq > 0",
            (day,),
        )
        other.commit()
        found = asked.result()
    assert found is not None and not found.fresh
    assert found.root == world.value("SELECT root FROM seal WHERE sealed_on = %s", day)


def wait_for_a_lock(world: World) -> None:
    limit = monotonic() + 20
    while not world.value(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'seal_leaf'::regclass"
    ):
        assert monotonic() < limit, "nobody waited for the lock"
        sleep(0.02)


def test_a_day_on_which_nothing_moved_has_no_seal(database: Database) -> None:
    world = build(database)
    world.project_at("application")
    today = world.clock.today()
    with database.session() as session:
        assert seal(session, today) is not None
        assert seal(session, today + timedelta(days=1)) is None
