"""Whatever the bank does, in whatever order its files come: its books and ours agree, or somebody is asked.

M1 M2 M5 M7. The histories are random and seeded; a failure names its seed.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from milepost.actions import Actor, perform
from milepost.bank.simulated_files import Answer, Misbehaviour
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.work import reconciliation
from milepost.work.batches import carry_on
from states.refusals import Refused
from tests.invariants import town_bank
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import person_id
from tests.work.files_scene import Loop, desk_in

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("bank_histories")
MENU = (
    "reject",
    "come_back",
    "reject_late",
    "lose_reply",
    "slow",
    "wrong_amount",
    "twice",
    "unknown",
    "part",
)
FILES = ("duplicate", "split", "reorder", "wrong_total")


@pytest.mark.parametrize("seed", range(3))
def test_the_books_agree_at_the_end_of_every_history(
    found: Found, tmp_path_factory: pytest.TempPathFactory, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(f"history:{seed}")
    told = {name: chance.choice((0, 3, 5)) for name in MENU} | {name: chance.choice((0, 2)) for name in FILES}
    town = found()
    town.vote(10_000_000_000)
    loop = Loop(town, tmp_path_factory.mktemp("history"), Misbehaviour(seed=seed, **told))
    projects = [town.funded() for _ in range(4)]
    # A slice of three, so that what belongs together is seen apart.
    monkeypatch.setattr(reconciliation, "SLICE", 3)
    waiting: list[Answer] = []
    for day in range(12):
        for project in projects:
            ready = town.all(
                "SELECT id, milestone_id FROM payment WHERE project_id = %s AND state IN ('planned', 'due')",
                project,
            )
            for payment, milestone in ready:
                if day < 8 and chance.random() < 0.5:
                    _release(loop, payment, milestone)
        works = loop.today() == town_bank.working_day(town)
        if day < 9 and works and town.one("SELECT count(*) FROM payment WHERE state = 'released'"):
            loop.batch()
        for _ in range(2):
            loop.send()
        loop.taken()
        waiting += loop.bank.reports(loop.today()) + loop.bank.statements(loop.today())
        if chance.random() < 0.3:
            waiting += loop.bank.late_reports(loop.today())
        chance.shuffle(waiting)
        now = waiting if day == 11 else waiting[: chance.randint(0, len(waiting))]
        for n, answer in enumerate(now):
            loop.put(Answer(f"{chance.random()}-{n}.xml", answer.content))
            if chance.random() < 0.4:
                loop.read()
        waiting = (
            [] if day == 11 else [answer for answer in waiting if answer not in now or chance.random() < 0.3]
        )
        loop.read()
        assert faults(town.session.conn) == []
        loop.next_day()
    _agree(loop)


def _release(loop: Loop, payment: UUID, milestone: UUID | None) -> None:
    town = loop.town
    if milestone is not None and town.state("milestone", milestone) == "planned":
        town.accept(milestone)
    try:
        if town.state("payment", payment) == "planned":
            town.take("system", "payment.fall_due", payment)
        town.take("finance1", "payment.request", payment)
        town.take("finance2", "payment.approve", payment)
        town.take("finance3", "payment.release", payment)
    except Refused as refused:
        # Held back because the bank contradicts itself: that is what it is for.
        assert {r.code for r in refused.refusals} <= {"bank_doubt", "tranche_before_open"}, refused


def _agree(loop: Loop) -> None:
    """Each payment that went has what its state says, or stands in the queue; nothing was sent twice."""
    town = loop.town
    # The day that has just begun has no statement yet.
    paid = loop.bank.paid(loop.today() - timedelta(days=1))
    queued = {
        row[0]
        for row in town.all(
            "SELECT y.id FROM bank_exception x JOIN payment y "
            "ON y.tranche_id = x.tranche_id OR y.id = x.likely_id"
        )
    }
    assert len(loop.bank.files()) == len(set(loop.bank.files()))
    went = town.all(
        "SELECT y.id, y.state, y.amount_minor FROM payment y "
        "JOIN batch_payment b ON b.payment_id = y.id AND b.live"
    )
    outcomes = Counter(state for _, state, _ in went)
    for id, state, amount in went:
        expected = amount if state == "settled" else 0
        assert paid.get(id.hex, 0) == expected or id in queued, (id, state, paid.get(id.hex))
        assert state in ("settled", "returned") or id in queued, (id, state)
    assert outcomes["settled"] > 0
    twice = (
        "SELECT payment_id FROM bank_entry WHERE outcome = 'applied' AND amount_minor < 0 "
        "GROUP BY 1 HAVING count(*) > 1"
    )
    assert town.all(twice) == []


# Sixteen at once ------------------------------------------------------------------------------------------


def _eight(url: str, folder: str, now: Any, batch: UUID, same: bool, start: Any) -> list[str]:
    """Eight threads of a process of its own: each hands the batch over and carries it on."""
    database = Database(url, clock=SimulatedClock(now), pool_size=9)
    gate = Barrier(8)

    def one(n: int) -> str:
        request = "same" if same else f"{os.getpid()}-{n}"
        gate.wait(20)
        start.wait(20)
        try:
            with database.session() as session:
                actor = Actor(person_id("finance5"), fresh=True)
                receipt = perform(session, actor, "batch.hand_over", batch, {}, request)
            said = "repeated" if receipt.repeated else "done"
        except Refused as refused:
            said = refused.refusals[0].code
        carry_on(database, desk_in(Path(folder)))
        return said

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


@pytest.mark.parametrize("same", [True, False], ids=["one request id", "sixteen request ids"])
def test_sixteen_who_hand_over_at_once_hand_over_once(
    found: Found, tmp_path_factory: pytest.TempPathFactory, same: bool
) -> None:
    town = found()
    town.vote(10_000_000_000)
    loop = Loop(town, tmp_path_factory.mktemp("sixteen"))
    (payment,) = loop.released()
    if loop.today() != town_bank.working_day(town):
        town.clock.set(town_bank.working_day(town))
    batch = town_bank.make(town)
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.work.test_bank_histories"])
    with context.Manager() as manager, context.Pool(2) as pool:
        start = manager.Barrier(16)
        given = (town.database.url, str(loop.desk.folder), town.clock.now(), batch, same, start)
        told = [a for some in [pool.apply_async(_eight, given) for _ in range(2)] for a in some.get(60)]
    assert Counter(told) == ({"done": 1, "repeated": 15} if same else {"done": 1, "wrong_state": 15})
    carry_on(town.database, loop.desk)
    assert len(list(loop.desk.out.glob("*.xml"))) == 1
    assert town.state("batch", batch) == "sent"
    assert (
        town.one("SELECT count(*) FROM event WHERE step = 'payment.instruct' AND subject_id = %s", payment)
        == 1
    )
    assert faults(town.session.conn) == []
