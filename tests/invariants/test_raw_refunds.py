"""With a SQL prompt and the application's password: nothing owed vanishes, and no credit counts twice.

What the owner of the database changes with every trigger off is named by a recount.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from milepost.evidence.receivable_recounts import receivable_recounts
from milepost.evidence.recounts import recounts
from states.case import account_id
from tests.invariants.conftest import Found
from tests.invariants.forge import Conn, copied, forged_event, insert, refused, write_event
from tests.invariants.town import Town
from tests.invariants.town_receivable import entry, establish, owed, paid

pytestmark = pytest.mark.xdist_group("raw_refunds")


@dataclass(frozen=True)
class Debts:
    """Something proposed, something owed of which a part came in, and a credit to lay hands on."""

    town: Town
    url: dict[str, str]
    project: UUID
    proposed: UUID
    owed: UUID
    receipt: UUID
    taken: UUID
    free: UUID


@pytest.fixture(scope="module")
def debts(found: Found) -> Debts:
    town = found()
    town.vote()
    project = paid(town)
    proposed, made = establish(town, project, 500), owed(town, project, 1000)
    taken, free = entry(town, 300), entry(town, 700)
    town.take("finance2", "receivable.receive", made, entry_id=str(taken))
    following = {"payment_id": str(town.payments(project)[1]), "amount_minor": 5, "grounds": "art. 12"}
    town.take("officer", "receivable.propose_set_off", made, **following)
    receipt = UUID(str(town.one("SELECT id FROM receipt WHERE entry_id = %s", taken)))
    url = {"app": town.database.url, "owner": str(town.database.owner_url)}
    return Debts(town, url, project, proposed, made, receipt, taken, free)


@pytest.fixture(params=["app", "owner"])
def attacker(request: pytest.FixtureRequest, debts: Debts) -> Iterator[Conn]:
    with psycopg.connect(debts.url[request.param]) as conn:
        yield conn
        conn.rollback()


def beside(conn: Conn, debts: Debts, **columns: Any) -> dict[str, Any]:
    """A true event of what is owed, with other columns changed in its shadow."""
    event = forged_event(conn, "receivable", debts.owed, "receivable.keep")
    write_event(conn, event, **columns)
    return event


@pytest.mark.parametrize(
    "change",
    [
        "amount_minor = amount_minor - 1",
        "due_on = due_on + 300",
        "established_by = confirmed_by",
        "reference = 'RF00'",
        "project_id = gen_random_uuid()",
        "confirmed_by = NULL",
        "received_minor = received_minor - 1",
        """plan = '[{"number": 1, "due_on": "2030-01-01", "amount_minor": 1}]'""",
    ],
)
def test_what_was_established_never_changes(attacker: Conn, debts: Debts, change: str) -> None:
    with refused("MP005"):
        attacker.execute(f"UPDATE receivable SET {change} WHERE id = %s", (debts.owed,))


def test_nothing_of_it_changes_without_an_event(attacker: Conn, debts: Debts) -> None:
    for change in ("received_minor = received_minor + 1", "state = 'settled'", "ending = 'quashed'"):
        with refused("MP003", "receivable_closed_in_full"), attacker.transaction():
            attacker.execute(f"UPDATE receivable SET {change} WHERE id = %s", (debts.owed,))


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"received_minor": 1001}, "receivable_within"),
        ({"written_off_minor": 700}, "receivable_write_off_two_people"),
        ({"over_minor": -1}, "receivable_sums_not_negative"),
    ],
)
def test_no_more_comes_in_than_is_owed(
    attacker: Conn, debts: Debts, columns: dict[str, Any], constraint: str
) -> None:
    with refused(constraint):
        beside(attacker, debts, **columns)


def test_who_proposed_cannot_be_who_writes_off(attacker: Conn, debts: Debts) -> None:
    me = debts.town.people["finance2"].id
    with refused("receivable_write_off_two_people"):
        beside(attacker, debts, written_off_minor=700, ending="quashed", ending_by=me, ended_by=me)


@pytest.mark.parametrize(
    ("debit", "credit", "amount"),
    [
        ("receivable", "commitment", 1),
        ("receivable", "payable", 1),
        ("commitment", "receivable", 1),
        ("receivable", "treasury", 701),
        ("paid", "receivable", 10**12),
    ],
)
def test_what_is_owed_goes_no_other_way_and_no_further(
    attacker: Conn, debts: Debts, debit: str, credit: str, amount: int
) -> None:
    event = beside(attacker, debts)
    with refused("MP004", "account_not_overdrawn"):
        insert(attacker, "transfer", row_of(debts, event, debit, credit, amount))


def test_what_is_owed_moves_with_an_event_of_its_own_only(attacker: Conn, debts: Debts) -> None:
    event = forged_event(attacker, "project", debts.project, "project.place_hold")
    write_event(attacker, event)
    with refused("MP004"):
        insert(attacker, "transfer", row_of(debts, event, "receivable", "treasury", 1))


def row_of(debts: Debts, event: dict[str, Any], debit: str, credit: str, amount: int) -> dict[str, Any]:
    treasury = debts.town.one("SELECT id FROM account WHERE kind = 'treasury'")
    accounts = {
        kind: account_id(kind, debts.project, "CNY")
        for kind in ("receivable", "commitment", "payable", "paid")
    }
    accounts["treasury"] = treasury
    return {
        "id": uuid4(),
        "chain_id": event["chain_id"],
        "event_seq": event["seq"],
        "debit_id": accounts[debit],
        "credit_id": accounts[credit],
        "amount_minor": amount,
        "currency": "CNY",
        "kind": "posted",
    }


def test_one_credit_is_received_once(attacker: Conn, debts: Debts) -> None:
    beside(attacker, debts)
    with refused("receipt_entry_once"):
        insert(attacker, "receipt", copied(attacker, "receipt", debts.receipt))


@pytest.mark.parametrize(
    "false",
    [{"amount_minor": 701, "taken_minor": 701}, {"currency": "EUR"}, {"taken_minor": 1, "over_minor": 1}],
)
def test_a_receipt_is_a_whole_credit_of_its_own_receivable(
    attacker: Conn, debts: Debts, false: dict[str, Any]
) -> None:
    beside(attacker, debts)
    row = {"entry_id": debts.free, "amount_minor": 700, "taken_minor": 700, **false}
    with refused("MP005", "MP003", "receipt_adds_up"):
        insert(attacker, "receipt", copied(attacker, "receipt", debts.receipt, **row))


def test_a_receipt_needs_its_event_and_stays(attacker: Conn, debts: Debts) -> None:
    row = {"entry_id": None, "reference": "slip"}
    with refused("MP003"), attacker.transaction():
        insert(attacker, "receipt", copied(attacker, "receipt", debts.receipt, **row))
    for sql in ("UPDATE receipt SET over_minor = 0", "DELETE FROM receipt", "DELETE FROM receivable"):
        with refused("MP001", "42501"), attacker.transaction():
            attacker.execute(sql)


@pytest.mark.parametrize(
    ("sql", "of"),
    [
        ("UPDATE bank_entry SET outcome = 'new' WHERE id = %s", "taken"),
        ("UPDATE bank_entry SET payment_id = (SELECT id FROM payment LIMIT 1) WHERE id = %s", "taken"),
        ("UPDATE bank_entry SET outcome = 'received' WHERE id = %s", "free"),
    ],
)
def test_an_entry_is_received_with_its_receipt_and_stays_so(
    attacker: Conn, debts: Debts, sql: str, of: str
) -> None:
    with refused("MP005"):
        attacker.execute(sql, (getattr(debts, of),))


@pytest.mark.parametrize(
    "change", ["amount_minor = 1", "status = 'applied'", "proposed_by = NULL", "grounds = 'other'"]
)
def test_what_was_proposed_to_be_set_off_stays_what_it_was(attacker: Conn, debts: Debts, change: str) -> None:
    with refused("MP005", "42501"):
        attacker.execute(f"UPDATE set_off SET {change} WHERE receivable_id = %s", (debts.owed,))


def test_nothing_is_set_off_without_an_event_or_twice(attacker: Conn, debts: Debts) -> None:
    row = attacker.execute("SELECT id FROM set_off WHERE receivable_id = %s", (debts.owed,)).fetchone()
    assert row is not None
    with refused("set_off_payment_live"), attacker.transaction():
        insert(attacker, "set_off", copied(attacker, "set_off", row[0]))
    with refused("MP003"), attacker.transaction():
        attacker.execute("UPDATE set_off SET status = 'released' WHERE id = %s", (row[0],))
    with refused("MP005"), attacker.transaction():
        beside(attacker, debts)
        attacker.execute(
            "UPDATE set_off SET status = 'agreed', agreed_by = %s, hold_transfer_id = %s WHERE id = %s",
            (debts.town.people["finance1"].id, uuid4(), row[0]),
        )


def test_what_is_set_off_is_bound_once_the_payment_was_requested(attacker: Conn, debts: Debts) -> None:
    with refused("MP005", "payment_offset_within"):
        attacker.execute(
            "UPDATE payment SET offset_minor = 1 WHERE project_id = %s AND state = 'settled'",
            (debts.project,),
        )


# What only the owner can do, with every trigger off -------------------------------------------------------


CODES = {"receivable_differs", "receipt_differs", "value_differs", "set_off_differs"}
TAMPERED = (
    "UPDATE receivable SET received_minor = received_minor + 1 WHERE state = 'owed'",
    "UPDATE receivable SET over_minor = 5 WHERE state = 'owed'",
    "UPDATE receivable SET confirmed_by = (SELECT id FROM person WHERE login = 'lead') WHERE state = 'owed'",
    "UPDATE receivable SET due_on = due_on + 1",
    "UPDATE receivable SET amount_minor = amount_minor - 1 WHERE state = 'owed'",
    """UPDATE receivable SET plan = '[{"number": 1, "due_on": "2030-01-01", "amount_minor": 700}]'""",
    "UPDATE receipt SET received_on = received_on - 1",
    "UPDATE receipt SET taken_minor = 299, over_minor = 1",
    "DELETE FROM receipt",
    "UPDATE set_off SET amount_minor = amount_minor + 1",
    "UPDATE set_off SET status = 'agreed', agreed_by = (SELECT id FROM person WHERE login = 'lead'), "
    "hold_transfer_id = gen_random_uuid()",
    "UPDATE receivable SET reserved_minor = 1 WHERE state = 'owed'",
    "UPDATE receivable SET offset_minor = 1 WHERE state = 'owed'",
    "UPDATE payment SET offset_minor = 1 WHERE state = 'settled'",
    "UPDATE bank_entry SET outcome = 'new' WHERE outcome = 'received'",
)


@pytest.mark.parametrize("sql", TAMPERED)
def test_what_was_tampered_with_is_named(debts: Debts, sql: str) -> None:
    with psycopg.connect(debts.url["owner"]) as conn:
        claims = [
            r
            for r in recounts()
            if r.code in ("receivable_differs", "receipt_differs", "value_differs", "set_off_differs")
        ]
        assert len(list(receivable_recounts())) >= 7
        conn.execute("SET session_replication_role = replica")
        assert not any(conn.execute(claim.sql).fetchall() for claim in claims)
        assert conn.execute(sql).rowcount
        assert any(conn.execute(claim.sql).fetchall() for claim in claims)
        conn.rollback()
