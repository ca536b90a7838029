"""Line 2: ``perform_many`` against ``perform`` on the same step with one client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from uuid import UUID

from bench import accept
from bench.lines import Line, take_turns
from bench.office import START, Office
from bench.server import database
from bench.sizes import Sizes
from milepost.clock import SimulatedClock
from milepost.embedded import EmbeddedPostgres

COMPARED = (
    "milestone.accept on {together} reported milestones in {calls} calls of perform_many / by perform one "
    "after the other with one client, {singly} between two calls; each with event, row, deadline and message"
)


def _parts(ids: Sequence[UUID], size: int) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """Rates of both in turn; every milestone is accepted once."""
    calls = sizes.rounds + 1
    clock = SimulatedClock(START)
    with database(server, "many", clock) as db:
        office = Office(db, clock)
        office.open()
        reported = accept.reported_milestones(office, sizes.together, sizes.singly * calls)
        singly = _parts(reported.singly, sizes.singly)
        together = _parts(reported.together, -(-len(reported.together) // calls))
        with db.session() as session:

            def one_by_one() -> float:
                ids = next(singly)
                began = time.perf_counter()
                accept.one_by_one(session, ids)
                return len(ids) / (time.perf_counter() - began)

            def set_by_set() -> float:
                ids = next(together)
                began = time.perf_counter()
                accept.set_by_set(session, ids)
                return len(ids) / (time.perf_counter() - began)

            turns = take_turns({"perform": one_by_one, "perform_many": set_by_set}, sizes.rounds)
    compared = COMPARED.format(together=sizes.together, calls=calls, singly=sizes.singly)
    return [
        Line(
            name="perform_many",
            ratio=turns.ratio("perform_many", "perform"),
            goal=10.0,
            compared=compared,
            raw={"unit": "steps a second", "clients": 1, "n": sizes.together, **turns.as_json()},
        )
    ]
