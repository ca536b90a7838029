"""Money leaves once: whatever the bank does, wherever the process dies, whoever else disburses as well.

At most one submission a payment, unless the bank itself said that it never had it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from milepost.bank.port import BankReply, Instruction
from milepost.bank.simulated import Behaviour, Fault, SimulatedBank
from milepost.db import Database
from milepost.work.disbursement import DisbursementReport, disburse
from tests.builders import World, build
from tests.conftest import DatabaseUrls

ROOT = Path(__file__).resolve().parent.parent.parent
ALWAYS = Fault(one_in=1)


def pay(world: World, **told: object) -> DisbursementReport:
    bank = SimulatedBank(world.database, Behaviour.model_validate(told))
    return asyncio.run(disburse(world.database, bank, reply_seconds=5))


def state(world: World, payment_id: UUID) -> str:
    return str(world.value("SELECT state FROM payment WHERE id = %s", payment_id))


def submissions(world: World) -> dict[str, int]:
    rows = world.rows("SELECT end_to_end_id, count(*) FROM simbank_instruction GROUP BY 1")
    return {str(id): count for id, count in rows}


def paid(world: World, project_id: UUID) -> int:
    rows = world.rows("SELECT credits_posted FROM account WHERE kind = 'paid' AND owner_id = %s", project_id)
    return int(rows[0][0])


# -- what the bank may do ----------------------------------------------------------------------------------


def test_what_is_released_is_paid_and_paid_once(database: Database) -> None:
    world = build(database)
    project_id, payment_id = world.payment_at("released")
    amount = world.value("SELECT amount_minor FROM payment WHERE id = %s", payment_id)
    assert pay(world).outcomes == {"settled": 1}
    assert (state(world, payment_id), paid(world, project_id)) == ("settled", amount)
    again = pay(world)
    assert (again.submitted, again.asked, submissions(world)) == (0, 0, {str(payment_id): 1})


def test_a_rejection_is_returned_and_planned_anew(database: Database) -> None:
    world = build(database)
    project_id, payment_id = world.payment_at("released")
    pay(world, reject=ALWAYS)
    assert (state(world, payment_id), paid(world, project_id)) == ("returned", 0)
    assert state(world, world.payments(project_id)[0]) == "planned"


def test_a_lost_reply_is_never_sent_again_and_the_bank_is_asked(database: Database) -> None:
    world = build(database)
    _, payment_id = world.payment_at("released")
    pay(world, lose_reply=ALWAYS)
    assert state(world, payment_id) == "unknown"
    assert pay(world, lose_reply=ALWAYS).asked == 1
    assert (state(world, payment_id), submissions(world)) == ("settled", {str(payment_id): 1})


def test_a_reply_that_takes_too_long_is_a_lost_one(database: Database) -> None:
    world = build(database)
    _, payment_id = world.payment_at("released")
    bank = SimulatedBank(database, Behaviour(slow=ALWAYS, slow_seconds=2))
    asyncio.run(disburse(database, bank, reply_seconds=0.3))
    assert state(world, payment_id) == "unknown"
    pay(world)
    assert (state(world, payment_id), submissions(world)) == ("settled", {str(payment_id): 1})


@pytest.mark.parametrize("fault", ["unreachable", "lose_request"])
def test_what_the_bank_never_had_goes_again_on_its_word(database: Database, fault: str) -> None:
    world = build(database)
    project_id, payment_id = world.payment_at("released")
    pay(world, **{fault: ALWAYS})
    assert state(world, payment_id) in ("instructed", "unknown")
    assert submissions(world) == {}
    pay(world, **{fault: ALWAYS})
    assert (state(world, payment_id), submissions(world)) == ("settled", {str(payment_id): 1})
    amount = world.value("SELECT amount_minor FROM payment WHERE id = %s", payment_id)
    assert paid(world, project_id) == amount
    assert world.value("SELECT count(*) FROM event WHERE step = 'payment.not_received'") == 1


def test_a_word_that_comes_too_early_is_not_believed(database: Database) -> None:
    world = build(database)
    _, payment_id = world.payment_at("released")
    bank = SimulatedBank(database, Behaviour(lose_request=ALWAYS))
    asyncio.run(disburse(database, bank))
    quiet = timedelta(minutes=15)
    report = asyncio.run(disburse(database, bank, quiet=quiet))
    assert (report.outcomes, state(world, payment_id)) == ({"waiting": 1}, "unknown")
    world.clock.advance(quiet)
    asyncio.run(disburse(database, bank, quiet=quiet))
    assert (state(world, payment_id), submissions(world)) == ("settled", {str(payment_id): 1})


def test_accepted_is_no_answer_yet(database: Database) -> None:
    world = build(database)
    _, payment_id = world.payment_at("released")
    told = {"settle_later": ALWAYS, "later_days": 2}
    assert pay(world, **told).outcomes == {"waiting": 1}
    assert pay(world, **told).outcomes == {"waiting": 1}
    world.clock.advance(timedelta(days=2))
    assert pay(world, **told).outcomes == {"settled": 1}
    assert submissions(world) == {str(payment_id): 1}


def test_a_gate_that_shut_since_the_release_keeps_the_money(database: Database) -> None:
    world = build(database)
    project_id, payment_id = world.payment_at("released")
    world.take("programme_officer", "project.place_hold", project_id, reason="x")
    report = pay(world)
    assert (report.submitted, report.held_back) == (0, {"on_hold": 1})
    assert (state(world, payment_id), submissions(world)) == ("released", {})


def test_a_clock_set_back_pays_nothing_twice(database: Database) -> None:
    world = build(database)
    _, payment_id = world.payment_at("released")
    pay(world, lose_reply=ALWAYS)
    world.clock.advance(-timedelta(days=30))
    pay(world)
    pay(world)
    assert (state(world, payment_id), submissions(world)) == ("settled", {str(payment_id): 1})


# -- two at once -------------------------------------------------------------------------------------------


class Meeting:
    """A bank at whose counter somebody else begins to disburse as well."""

    def __init__(self, world: World) -> None:
        self.world, self.inner, self.met = world, SimulatedBank(world.database), DisbursementReport()

    async def submit(self, instruction: Instruction) -> BankReply:
        self.met = await disburse(self.world.database, SimulatedBank(self.world.database))
        return await self.inner.submit(instruction)

    async def status(self, end_to_end_id: UUID) -> BankReply:
        return await self.inner.status(end_to_end_id)


def test_who_comes_while_another_disburses_leaves_it_to_them(database: Database) -> None:
    """Otherwise it would ask about an instruction that is about to be handed over, and hear "never"."""
    world = build(database)
    _, payment_id = world.payment_at("released")
    bank = Meeting(world)
    asyncio.run(disburse(database, bank))
    assert bank.met.busy and bank.met.asked == 0
    assert (state(world, payment_id), submissions(world)) == ("settled", {str(payment_id): 1})


def test_an_instruction_somebody_else_committed_is_not_submitted(database: Database) -> None:
    world = build(database)
    _, payment_id = world.payment_at("released")
    version = world.value("SELECT version FROM payment WHERE id = %s", payment_id)
    request = f"payment.instruct:{payment_id}:{version}"
    world.take("system", "payment.instruct", payment_id, request)
    report = pay(world)
    # It is asked about, and since the bank never had it, it is handed over, once.
    assert report.asked == 1
    assert (state(world, payment_id), submissions(world)) == ("settled", {str(payment_id): 1})


# -- death -------------------------------------------------------------------------------------------------

MORTAL = """
import asyncio, os, signal, sys
from datetime import datetime
from milepost.bank.simulated import SimulatedBank
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.work import disbursement

url, now, first, step = sys.argv[1], datetime.fromisoformat(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

def mortal(lines):
    left = lines
    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename != disbursement.__file__:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)

lines = first
while True:
    child = os.fork()
    if child == 0:
        database = Database(url, clock=SimulatedClock(now))
        mortal(lines)
        asyncio.run(disbursement.disburse(database, SimulatedBank(database), at_once=1))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(lines, "killed" if os.WIFSIGNALED(status) else "ended", flush=True)
    if not os.WIFSIGNALED(status):
        break
    lines += step
"""


def test_death_at_any_line_pays_nothing_twice_and_loses_nothing(
    database: Database, database_urls: DatabaseUrls
) -> None:
    """A process is killed at a line, the next one goes on and is killed a little later, until all is paid."""
    world = build(database)
    payments = []
    for _ in range(4):
        project_id = world.project_at("implementation", milestones=6)
        for payment_id in world.payments(project_id):
            world.pay(payment_id, "released")
            payments.append(payment_id)
    now = world.clock.now().isoformat()
    done = subprocess.run(
        [sys.executable, "-c", MORTAL, database_urls.app, now, "5", "3"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=100,
    )
    assert done.stdout.count("killed") >= 10, done.stdout
    pay(world)
    assert {state(world, payment_id) for payment_id in payments} == {"settled"}
    assert submissions(world) == {str(payment_id): 1 for payment_id in payments}


class Deadly:
    """A bank in front of which the process dies: before it has the instruction, or after it booked it."""

    @staticmethod
    def script(before: bool) -> str:
        kill = "os.kill(os.getpid(), signal.SIGKILL)"
        first, last = (kill, "return reply") if before else ("pass", kill)
        return (
            "import asyncio, os, signal, sys\n"
            "from datetime import datetime\n"
            "from milepost.bank.simulated import SimulatedBank\n"
            "from milepost.clock import SimulatedClock\n"
            "from milepost.db import Database\n"
            "from milepost.work.disbursement import disburse\n"
            "class Bank(SimulatedBank):\n"
            "    async def submit(self, instruction):\n"
            f"        {first}\n"
            "        reply = await super().submit(instruction)\n"
            f"        {last}\n"
            "database = Database(sys.argv[1], clock=SimulatedClock(datetime.fromisoformat(sys.argv[2])))\n"
            "asyncio.run(disburse(database, Bank(database)))\n"
        )


@pytest.mark.parametrize(("before", "evidence"), [(True, "payment.not_received"), (False, "payment.settle")])
def test_death_before_and_after_the_hand_over_is_told_apart_by_the_bank(
    database: Database, database_urls: DatabaseUrls, before: bool, evidence: str
) -> None:
    world = build(database)
    _, payment_id = world.payment_at("released")
    died = subprocess.run(
        [sys.executable, "-c", Deadly.script(before), database_urls.app, world.clock.now().isoformat()],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert (state(world, payment_id), len(submissions(world))) == ("instructed", 0 if before else 1)
    report = pay(world)
    assert (report.asked, report.submitted) == (1, 1 if before else 0)
    assert (state(world, payment_id), submissions(world)) == ("settled", {str(payment_id): 1})
    assert world.value("SELECT count(*) FROM event WHERE step = %s", evidence) == 1
