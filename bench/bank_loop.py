"""The loop with the bank through the database: a batch becomes a file, its statement settles all of it."""

from __future__ import annotations

import math
import tempfile
import time
from datetime import timedelta
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
_DEBTOR = Party("Office", Account("2105400309300000011", BBAN), Agent())


def once(server: EmbeddedPostgres, number: int, folder: Path) -> tuple[float, float]:
    """Seconds to send a batch of so many, and to reconcile its statement; crashes if one is not settled."""
    clock = SimulatedClock(START)
    with database(server, "bank_loop", clock) as db:
        office = Office(db, clock, programmes=1)
        office.open()
        payments = [one.payment for row in approved_payments(office, number, programmes=1) for one in row]
        payments = payments[:number]
        _release(db, clock, payments)
        desk = Desk(_DEBTOR, BankRules(agent_needed=False), folder)
        began = time.perf_counter()
        sent = carry_on(db, desk)
        sending = time.perf_counter() - began
        assert sent.instructed == number, sent
        bank = FileBank(folder / "books.sqlite")
        bank.take_folder(desk.out, clock.today())
        write_answers(desk.inbox, bank.statements(clock.today()))
        began = time.perf_counter()
        report = reconcile_folder(db, desk)
        reconciling = time.perf_counter() - began
        assert report.outcomes == {"settled": number} and report.closed == 1, report
    return sending, reconciling


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
    found: dict[int, tuple[float, float]] = {}
    for number in (low, high):
        with tempfile.TemporaryDirectory(prefix="milepost-bench-loop-") as name:
            found[number] = once(server, number, Path(name))
    lines = []
    for place, (name, words, allowed) in enumerate(
        (("batch to the bank", SENT, SEND_S), ("statement reconciled", RECONCILED, RECONCILE_S))
    ):
        seconds = {str(number): found[number][place] for number in (low, high)}
        raw = {"unit": "seconds", "once": seconds}
        compared = words.format(n=high, allowed=allowed)
        lines.append(Line(f"{name}, {high:,}", found[high][place] / allowed, compared, 1.0, "at most", raw))
        exponent = math.log(found[high][place] / found[low][place]) / math.log(high / low)
        growth = GROWTH.format(low=low, high=high, what=name)
        lines.append(Line(f"growth of a {name}", exponent, growth, LINEAR, "at most", raw))
    return lines
