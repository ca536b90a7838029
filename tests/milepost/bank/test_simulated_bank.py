"""Guarantee: the simulated bank does exactly what it was told, to the same instructions every time, and its
books show a double submission as the double payment it is."""

from __future__ import annotations

import asyncio
import time
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from pydantic import ValidationError

from milepost.bank.port import BankPort, BankReply, BankUnreachable, Instruction, ReplyLost
from milepost.bank.simulated import Behaviour, Fault, SimulatedBank
from milepost.clock import SimulatedClock
from milepost.db import Database
from states.case import NAMESPACE

ALWAYS = Fault(one_in=1)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(date(2025, 5, 6))


def payment(name: str = "one", *, account_no: str = "6222000011112222") -> Instruction:
    id = uuid5(NAMESPACE, f"test payment {name}")
    return Instruction(id, "示例单位", account_no, "示例银行", 400_000, "CNY", "P-1 第1笔")


def submit(bank: SimulatedBank, instruction: Instruction) -> BankReply:
    return asyncio.run(bank.submit(instruction))


def status(bank: SimulatedBank, id: UUID) -> BankReply:
    return asyncio.run(bank.status(id))


def books(database: Database) -> list[tuple[Any, ...]]:
    with database.session() as session:
        return session.conn.execute(
            "SELECT end_to_end_id, amount_minor, outcome, reference, received_at FROM simbank_instruction "
            "ORDER BY id"
        ).fetchall()


def test_an_instruction_is_settled_and_stands_in_the_books_at_the_clocks_time(database: Database) -> None:
    bank: BankPort = SimulatedBank(database)
    one = payment()
    reply = asyncio.run(bank.submit(one))
    assert (reply.kind, reply.reason) == ("settled", "")
    assert books(database) == [(one.end_to_end_id, 400_000, "settled", reply.reference, database.clock.now())]
    assert asyncio.run(bank.status(one.end_to_end_id)) == reply


def test_a_double_submission_is_a_double_payment(database: Database) -> None:
    bank, one = SimulatedBank(database), payment()
    first, second = submit(bank, one), submit(bank, one)
    assert [row[2] for row in books(database)] == ["settled", "settled"]
    assert first.reference != second.reference


def test_a_lost_reply_leaves_the_money_paid_and_the_status_says_so(database: Database) -> None:
    bank, one = SimulatedBank(database, Behaviour(lose_reply=ALWAYS)), payment()
    with pytest.raises(ReplyLost):
        submit(bank, one)
    assert [row[2] for row in books(database)] == ["settled"]
    assert status(bank, one.end_to_end_id).kind == "settled"


@pytest.mark.parametrize(
    ("fault", "error"), [("lose_request", ReplyLost), ("unreachable", BankUnreachable)], ids=str
)
def test_a_lost_request_books_nothing_and_the_next_one_gets_through(
    database: Database, fault: str, error: type[Exception]
) -> None:
    behaviour, one = Behaviour(**{fault: ALWAYS}), payment()
    with pytest.raises(error):
        submit(SimulatedBank(database, behaviour), one)
    assert books(database) == []
    assert status(SimulatedBank(database, behaviour), one.end_to_end_id).kind == "not_received"
    # Another process with the same bank: what was lost once is remembered in the books, not in memory.
    assert submit(SimulatedBank(database, behaviour), one).kind == "settled"
    assert len(books(database)) == 1


def test_a_rejection_names_its_reason_and_pays_nothing(database: Database) -> None:
    bank = SimulatedBank(database, Behaviour(reject=Fault(accounts=(r"9{4}\d+",))))
    bad, good = payment("bad", account_no="9999 0000 1111"), payment("good")
    reply = submit(bank, bad)
    assert reply.kind == "rejected" and "do not match" in reply.reason
    assert status(bank, bad.end_to_end_id) == reply
    assert submit(bank, good).kind == "settled"


@pytest.mark.parametrize(
    ("fault", "in_the_end", "booked"),
    [("return_later", "rejected", "returned"), ("settle_later", "settled", "settled")],
)
def test_what_is_decided_later_is_accepted_until_its_day(
    database: Database, clock: SimulatedClock, fault: str, in_the_end: str, booked: str
) -> None:
    bank, one = SimulatedBank(database, Behaviour(**{fault: ALWAYS}, later_days=3)), payment()
    assert submit(bank, one).kind == "accepted"
    clock.advance(timedelta(days=2))
    assert status(bank, one.end_to_end_id).kind == "accepted"
    clock.advance(timedelta(days=1))
    assert status(bank, one.end_to_end_id).kind == in_the_end
    assert [row[2] for row in books(database)] == [booked]
    clock.advance(timedelta(days=-3))
    assert status(bank, one.end_to_end_id).kind == in_the_end, "what is decided stays decided"


def test_a_slow_bank_has_booked_before_it_answers(database: Database) -> None:
    bank, one = SimulatedBank(database, Behaviour(slow=ALWAYS, slow_seconds=0.3)), payment()

    async def impatient() -> BankReply:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await bank.submit(one)
        return await bank.status(one.end_to_end_id)

    began = time.monotonic()
    assert asyncio.run(impatient()).kind == "settled"
    assert submit(bank, payment("two")).kind == "settled"
    assert time.monotonic() - began >= 0.4


def test_nothing_is_denied_while_it_is_being_booked(database: Database) -> None:
    """Asked about an id between its arrival and its booking, the bank waits instead of denying it."""
    bank, one = SimulatedBank(database), payment()

    async def race() -> tuple[bool, BankReply]:
        with database.session() as session, session.conn.transaction():
            # Another counter of the bank holds the id, as it does while it books.
            session.conn.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"simbank:{one.end_to_end_id}",)
            )
            asked = asyncio.create_task(bank.status(one.end_to_end_id))
            await asyncio.sleep(0.1)
            answered_early = asked.done()
            session.conn.execute(
                "INSERT INTO simbank_instruction (end_to_end_id, account_name, account_no, amount_minor, "
                "currency, received_at, outcome, reference) "
                "VALUES (%s, 'n', 'a', 1, 'CNY', %s, 'settled', 'r')",
                (one.end_to_end_id, database.clock.now()),
            )
        return answered_early, await asked

    answered_early, reply = asyncio.run(race())
    assert not answered_early
    assert reply.kind == "settled"


def test_the_same_seed_treats_the_same_instructions_alike_and_another_seed_does_not(
    database: Database, database_urls: Any
) -> None:
    many = [payment(str(n)) for n in range(200)]
    fault = Fault(one_in=5)

    def rejected(seed: int) -> list[int]:
        told = Behaviour(seed=seed, reject=fault)
        return [n for n, i in enumerate(many) if told.at_once(i.end_to_end_id, i.account_no) == "rejected"]

    assert rejected(7) == rejected(7)
    assert rejected(7) != rejected(8)
    assert 20 <= len(rejected(7)) <= 60
    bank = SimulatedBank(database_urls.app, Behaviour(seed=7, reject=fault), clock=database.clock)
    try:
        answers = [submit(bank, instruction) for instruction in reversed(many[:20])]
    finally:
        bank.close()
    assert [n for n in range(20) if answers[19 - n].kind == "rejected"] == [n for n in rejected(7) if n < 20]
    # References do not depend on the order of arrival either.
    assert answers[19].reference == f"SB{many[0].end_to_end_id.hex[:16].upper()}-1"


def test_an_instruction_does_not_print_the_account() -> None:
    assert "6222" not in repr(payment())


@pytest.mark.parametrize(
    "wrong", [{"amount_minor": 0}, {"amount_minor": -1}, {"currency": "XYZ"}, {"account_no": "  "}], ids=str
)
def test_an_instruction_that_cannot_be_paid_is_refused_before_the_bank_sees_it(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {
        "end_to_end_id": payment().end_to_end_id,
        "account_name": "n",
        "account_no": "a",
        "bank_name": "b",
        "amount_minor": 1,
        "currency": "CNY",
        "remark": "",
    }
    with pytest.raises(ValueError):
        Instruction(**{**right, **wrong})


@pytest.mark.parametrize("wrong", [{"one_in": -1}, {"accounts": ("(",)}, {"every": 3}], ids=str)
def test_a_fault_that_says_nothing_clear_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Fault(**wrong)
