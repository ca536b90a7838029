"""Line 6: what a person can do with a project, and why not, against the project's bare row. No goal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from bench.copies import Pattern
from bench.lines import Line, take_turns
from bench.office import START, Office, Walk, actor
from bench.server import database
from bench.sizes import Sizes
from milepost.available import available
from milepost.clock import SimulatedClock
from milepost.embedded import EmbeddedPostgres

COMPARED = (
    "seconds of the bare query that reads a project's row by its id / of available() on that project for its "
    "officer (roles, facts, every guard of every step asked, reasons put together); one client"
)


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """Both on the same projects in turn."""
    clock = SimulatedClock(START)
    with database(server, "reads", clock) as db:
        office = Office(db, clock)
        office.open()
        with db.session() as session:
            walk = Walk(session, clock, 5)
            walk.to_implementation()
            office.dismiss_passing()
            pattern = Pattern(db.owner_url, walk.project)
            made = pattern.copy(sizes.tasks, programmes=office.programmes, salt="read")
            projects = [UUID(names[0]) for names in made]

            def rate(read: Callable[[UUID], Any]) -> float:
                began = time.perf_counter()
                for id in projects:
                    assert read(id)
                return len(projects) / (time.perf_counter() - began)

            bare = "SELECT * FROM project WHERE id = %s"
            turns = take_turns(
                {
                    "available": lambda: rate(lambda id: available(session, actor("officer"), "project", id)),
                    "bare": lambda: rate(lambda id: session.conn.execute(bare, (id,)).fetchone()),
                },
                sizes.rounds,
            )
    raw = {"unit": "a second", "clients": 1, "n": len(projects), **turns.as_json()}
    return [Line("available() on a project", turns.ratio("available", "bare"), COMPARED, raw=raw)]
