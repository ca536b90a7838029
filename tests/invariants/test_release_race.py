"""Sixteen release one payment at once, over two processes: one effect, one answer a request, refusals.

M3 M4 I1. Some of them are the same request, as a page that was sent twice is; some are other people.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from multiprocessing import get_context
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from milepost.actions import Actor, perform
from milepost.clock import SimulatedClock
from milepost.db import Database
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import Town, person_id

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("release_race")
THREADS = 8


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    """One town; each test has a project of its own."""
    made = found()
    made.vote(10_000_000_000)
    return made


def _eight(
    url: str, now: datetime, payment: UUID, ids: int, people: int, start: Any
) -> list[tuple[str, str]]:
    """Eight threads of a process of its own; each says under which request id it was told what."""
    database = Database(url, clock=SimulatedClock(now), pool_size=THREADS)
    gate = Barrier(THREADS)

    def one(n: int) -> tuple[str, str]:
        request = f"{payment}:{n % ids}" if ids < 2 * THREADS else f"{payment}:{os.getpid()}:{n}"
        # Whoever asks again under an id is who asked first.
        who = f"finance{3 + n % people}"
        gate.wait(20)
        start.wait(20)
        with database.session() as session:
            try:
                receipt = perform(
                    session, Actor(person_id(who), fresh=True), "payment.release", payment, {}, request
                )
            except Refused as refused:
                return request, "refused: " + ", ".join(sorted(r.code for r in refused.refusals))
            return request, f"{receipt.hash} {'repeated' if receipt.repeated else 'done'}"

    with ThreadPoolExecutor(THREADS) as pool:
        told = list(pool.map(one, range(THREADS)))
    database.close()
    return told


@pytest.mark.parametrize(("ids", "people"), [(1, 1), (4, 4), (16, 1), (16, 3)])
def test_sixteen_who_release_at_once_release_once(town: Town, ids: int, people: int) -> None:
    payment = town.payment("approved", project=town.funded())
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.invariants.test_release_race"])
    with context.Manager() as manager, context.Pool(2) as pool:
        start = manager.Barrier(2 * THREADS)
        given = (town.database.url, town.clock.now(), payment, ids, people, start)
        told = [a for some in [pool.apply_async(_eight, given) for _ in range(2)] for a in some.get(60)]
    receipts = [said for _, said in told if not said.startswith("refused")]
    won = {request for request, said in told if said in receipts}
    # Exactly one did it, whoever asked under its id has its answer, and nobody else has one.
    assert len(won) == 1 and len({said.split()[0] for said in receipts}) == 1
    assert Counter(said.split()[1] for said in receipts)["done"] == 1
    assert len(receipts) == sum(request in won for request, _ in told) == 16 // ids
    refused = {said for _, said in told if said not in receipts}
    assert refused <= {"refused: wrong_state"}
    assert town.state("payment", payment) == "released"
    for count in (
        "SELECT count(*) FROM event WHERE step = 'payment.release' AND subject_id = %s",
        "SELECT count(*) FROM duty WHERE duty = 'releaser' AND payment_id = %s",
        "SELECT count(*) FROM transfer WHERE kind = 'post' AND payment_id = %s",
    ):
        assert town.one(count, payment) == 1, count
    assert faults(town.session.conn) == []
