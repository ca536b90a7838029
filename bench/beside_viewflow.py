"""Line 4: ``perform`` against django-viewflow on the same server, each in a database of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench import accept
from bench.lines import Line, take_turns
from bench.office import START, Office
from bench.server import database, drop_database, make_database
from bench.sizes import Sizes
from bench.viewflow_site import work
from milepost.clock import SimulatedClock
from milepost.embedded import EmbeddedPostgres

OURS = (
    "milestone.accept by perform (roles read, guards, input, machine, row and version, event with its hash "
    "in its project's chain, deadline closed, one message)"
)
FSM = (
    f"{OURS} / django-viewflow's FSM (user and permission read, row locked, condition, row changed, one log "
    "row); one client, same server and durability, a transaction each"
)
TASK = (
    f"{OURS} / django-viewflow's human task (task found, assigned and executed by a user with the "
    "permission, as its two pages do it in two transactions, on to the end of the process); one client, same "
    "server and durability"
)
PROCESS = (
    "the same / a whole process of django-viewflow: started by a program, then its one human task as above"
)


def _rate(take: Callable[[Any], None], subjects: Sequence[Any]) -> float:
    began = time.perf_counter()
    for subject in subjects:
        take(subject)
    return len(subjects) / (time.perf_counter() - began)


def _parts(ids: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """Rates of ours, the FSM, a human task and a whole process, in turn."""
    calls, each = sizes.rounds + 1, sizes.tasks
    clock = SimulatedClock(START)
    name = make_database(server, "viewflow")
    work.set_up(server, name)
    try:
        milestones = work.make_milestones(calls * each)
        processes = work.start_processes(calls * each)
        with database(server, "beside_viewflow", clock) as db:
            office = Office(db, clock)
            office.open()
            ours = accept.reported_milestones(office, 0, calls * each).singly
            with db.session() as session:
                turns = take_turns(
                    {
                        "perform": _each(ours, each, lambda id: accept.one_by_one(session, [id])),
                        "fsm": _each(milestones, each, work.accept),
                        "human_task": _each(processes, each, work.approve),
                        "process": _each(range(calls * each), each, work.run_process),
                    },
                    sizes.rounds,
                )
        done = (len(milestones), len(milestones), len(processes))
        assert work.outcome(milestones, processes) == done, "every transition was made and logged"
    finally:
        work.close()
        drop_database(server, name)
    raw = {"unit": "a second", "clients": 1, "n": each, **turns.as_json()}
    return [
        Line("django-viewflow FSM", turns.ratio("perform", "fsm"), FSM, 1.0, "above", raw),
        Line("django-viewflow human task", turns.ratio("perform", "human_task"), TASK, 5.0, "at least", raw),
        Line("django-viewflow process", turns.ratio("perform", "process"), PROCESS, None, "at least", raw),
    ]


def _each(subjects: Sequence[Any], size: int, take: Callable[[Any], None]) -> Callable[[], float]:
    parts = _parts(subjects, size)
    return lambda: _rate(take, next(parts))
