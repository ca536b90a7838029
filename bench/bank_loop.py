"""The loop with the bank through the database: a batch becomes a file, its statement settles all of it."""

from __future__ import annotations

import math
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

from bench.lines import Line
from bench.office import CURRENCY, START, Office, actor, person_id, programme_code
from bench.release import approved_payments
from bench.server import database
from bench.sizes import Sizes
from milepost.actions import Order, perform, perform_many
from milepost.bank.desk import Desk
from milepost.bank.files.batch import BBAN, Account, Agent, Party
from milepost.bank.files.rules import BankRules
from milepost.bank.simulated_files import FileBank, write_answers
from milepost.calendar import is_working_day
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from milepost.programmes import programme_id
from milepost.work.batches import carry_on
from milepost.work.reconciliation import reconcile_folder

PAYMENTS = 10_000
SEND_S, RECONCILE_S = 10.0, 30.0
LINEAR = 1.1
SENT = (
    "seconds in which {n} released payments of a batch are instructed, with event and transfer, checked, "
    "written, put on record and moved to their place / the {allowed:g} seconds this may take"
)
RECONCILED = (
    "seconds in which a camt.053 of {n} entries is read and kept and every payment settled with event and "
    "transfer / the {allowed:g} seconds this may take"
)
GROWTH = "exponent x of cost ~ n^x from {low} to {high} payments, {what}; 1 is linear"
FLAT = 1.1
MEMORY = (
    "the most memory a process of its own had ({what}), with {high} payments / with {low}; in the raw "
    "figures in MiB, and how much of it beyond what it began with"
)
_DEBTOR = Party("Office", Account("2105400309300000011", BBAN), Agent())


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way took: seconds, the most memory its process ever had, and what it had to begin with."""

    seconds: float
    peak_mib: float
    begun_mib: float

    @property
    def memory(self) -> dict[str, float]:
        """In MiB, for the raw figures."""
        return {"peak": round(self.peak_mib, 1), "grown": round(self.peak_mib - self.begun_mib, 1)}


def once(server: EmbeddedPostgres, number: int, folder: Path) -> tuple[Cost, Cost]:
    """To send a batch of so many, and to reconcile its statement; crashes if one is not settled."""
    clock = SimulatedClock(START)
    with database(server, "bank_loop", clock) as db:
        office = Office(db, clock, programmes=1)
        office.open()
        payments = [one.payment for row in approved_payments(office, number, programmes=1) for one in row]
        payments = payments[:number]
        _release(db, clock, payments)
        desk = _desk(folder)
        now = clock.now()
        sending, instructed = _alone(_send, db.url, folder, now)
        assert instructed == number, instructed
        bank = FileBank(folder / "books.sqlite")
        bank.take_folder(desk.out, clock.today())
        write_answers(desk.inbox, bank.statements(clock.today()))
        reconciling, settled = _alone(_reconcile, db.url, folder, now)
        assert settled == number, settled
    return sending, reconciling


def _desk(folder: Path) -> Desk:
    return Desk(_DEBTOR, BankRules(agent_needed=False), folder)


def _send(db: Database, folder: Path) -> int:
    return carry_on(db, _desk(folder)).instructed


def _reconcile(db: Database, folder: Path) -> int:
    report = reconcile_folder(db, _desk(folder))
    assert report.closed == 1, report
    return report.outcomes["settled"]


def _alone(act: Callable[[Database, Path], int], url: str, folder: Path, now: datetime) -> tuple[Cost, int]:
    """Act in a process of its own, so that what the stage took in memory does not hide what this takes."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (act, url, folder, now))


def _measured(
    act: Callable[[Database, Path], int], url: str, folder: Path, now: datetime
) -> tuple[Cost, int]:
    db = Database(url, clock=SimulatedClock(now), pool_size=2)
    with db.session():
        before, began = _peak_mib(), time.perf_counter()
    found = act(db, folder)
    cost = Cost(time.perf_counter() - began, _peak_mib(), before)
    db.close()
    return cost, found


def _peak_mib() -> float:
    """The most memory this process has had; 0 where the system does not say."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else 0.0


def _release(db: Database, clock: SimulatedClock, payments: list[UUID]) -> None:
    """Release them all, make a batch of them and hand it over, by people whose grants still stand."""
    while not is_working_day(clock.today())[0]:
        clock.set(clock.today() + timedelta(days=1))
    given = {
        "programme_id": str(programme_id(programme_code(0), 1)),
        "currency": CURRENCY,
        "execution_on": clock.today().isoformat(),
    }
    with db.session() as session:
        session.conn.execute(
            "INSERT INTO role_grant (id, person_id, role, office_path, granted_at) "
            "VALUES (gen_random_uuid(), %s, 'finance_officer', '/', now())",
            (person_id("payee_checker"),),
        )
        orders = [Order("payment.release", id, {}, f"release:{id}") for id in payments]
        refused = [one for one in perform_many(session, actor("releaser"), orders) if one.receipt is None]
        assert not refused, refused[0]
        made = perform(session, actor("releaser"), "batch.make", None, given, "make").subject_id
        perform(session, actor("payee_checker"), "batch.hand_over", made, {}, "hand over")


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """Once at two sizes: setting the stage takes longer than what is measured."""
    high = min(PAYMENTS, sizes.together)
    low = max(1, high // 10)
    found: dict[int, tuple[Cost, Cost]] = {}
    for number in (low, high):
        with tempfile.TemporaryDirectory(prefix="milepost-bench-loop-") as name:
            found[number] = once(server, number, Path(name))
    lines = []
    for place, (name, words, allowed) in enumerate(
        (("batch to the bank", SENT, SEND_S), ("statement reconciled", RECONCILED, RECONCILE_S))
    ):
        cost = {number: found[number][place] for number in (low, high)}
        raw = {"unit": "seconds", "once": {str(n): one.seconds for n, one in cost.items()}}
        compared = words.format(n=high, allowed=allowed)
        lines.append(Line(f"{name}, {high:,}", cost[high].seconds / allowed, compared, 1.0, "at most", raw))
        exponent = math.log(cost[high].seconds / cost[low].seconds) / math.log(high / low)
        growth = GROWTH.format(low=low, high=high, what=name)
        lines.append(Line(f"growth of a {name}", exponent, growth, LINEAR, "at most", raw))
        if cost[low].peak_mib:
            ratio = cost[high].peak_mib / cost[low].peak_mib
            memory = MEMORY.format(what=name, low=low, high=high)
            taken = {"unit": "MiB", **{str(n): one.memory for n, one in cost.items()}}
            lines.append(Line(f"memory of a {name}", ratio, memory, FLAT, "at most", taken))
    return lines
