"""What banks really do: net a return off a debit, repeat lines without a number, write in UTC, name oddly.

M5, M7: nothing of it is lost, nothing settles or returns a payment that the statement does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import UUID, uuid4

import pytest

from milepost.bank.files.answers import write_camt053, write_pain002
from milepost.bank.files.camt053 import Header
from milepost.bank.files.pain002 import BlockStatus, PaymentStatus, StatusReport
from milepost.bank.files.statements import Balance, Entry, Statement, StatementAccount, Transaction
from milepost.bank.simulated_files import Answer, Misbehaviour
from milepost.work import reconciliation
from states.case import SYSTEM_ID
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.work.files_scene import DEBTOR, Loop

pytestmark = pytest.mark.xdist_group("bank_hazards")
SUM = 400_000


@pytest.fixture(scope="module")
def loop(found: Found, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    made = Loop(found(), tmp_path_factory.mktemp("hazards"), Misbehaviour(reject_late=1))
    made.town.vote(10_000_000_000)
    return made


def sent(loop: Loop, projects: int) -> list[UUID]:
    """Payments that the bank has."""
    payments = loop.released(projects)
    loop.batch()
    loop.send()
    loop.taken()
    return payments


def part(payment: UUID, amount: int) -> Transaction:
    return Transaction(end_to_end_id=payment.hex, amount_minor=amount, currency="CNY")


def statement(loop: Loop, *entries: Entry, name: str = "") -> Answer:
    """A statement of the day with these entries, which begins where the last one ended."""
    account = StatementAccount(number=DEBTOR.account.number, currency="CNY")
    sql = "SELECT closing_minor FROM bank_statement ORDER BY closing_on DESC LIMIT 1"
    opening = loop.town.one(sql) or 10**12
    closing = opening + sum(entry.amount_minor for entry in entries)
    balances = (
        Balance("OPBD", opening, "CNY", loop.today()),
        Balance("CLBD", closing, "CNY", loop.today()),
    )
    made = Statement(id=uuid4().hex, account=account, balances=balances)
    target = BytesIO()
    write_camt053(Header("M"), [(made, entries)], target)
    return Answer(name or f"{made.id}.xml", target.getvalue())


def test_a_payment_was_paid_on_the_day_of_its_statement_whenever_that_is_read(loop: Loop) -> None:
    (payment,) = sent(loop, 1)
    day = loop.today()
    told = statement(loop, booked(loop, -SUM, part(payment, -SUM), reference="N0"))
    loop.next_day()
    loop.put(told)
    loop.read()
    assert loop.town.one("SELECT settled_on FROM payment WHERE id = %s", payment) == day
    assert faults(loop.town.session.conn) == []


def booked(loop: Loop, amount: int, *parts: Transaction, reference: str = "") -> Entry:
    return Entry(
        amount_minor=amount,
        currency="CNY",
        bank_reference=reference,
        booked_on=loop.today(),
        code="PMNT/ICDT/ESCT",
        transactions=tuple(parts),
    )


def words(loop: Loop, of: Sequence[UUID]) -> list[tuple[object, ...]]:
    sql = (
        "SELECT said, amount_minor, outcome FROM bank_entry WHERE payment_id = ANY(%s) ORDER BY amount_minor"
    )
    return [tuple(row) for row in loop.town.all(sql, list(of))]


def test_a_return_that_is_netted_off_a_debit_is_a_return(loop: Loop) -> None:
    back, out = sent(loop, 2)
    loop.put(statement(loop, booked(loop, -SUM, part(back, -SUM), reference="N1")))
    loop.read()
    assert loop.state(back) == "settled"
    third = sent(loop, 1)[0]
    net = booked(loop, -SUM, part(out, -SUM), part(third, -SUM), part(back, SUM), reference="N2")
    loop.put(statement(loop, net))
    loop.read()
    assert [loop.state(p) for p in (back, out, third)] == ["returned", "settled", "settled"]
    assert words(loop, [back]) == [("debit", -SUM, "applied"), ("credit", SUM, "applied")]
    assert loop.open() == []
    assert faults(loop.town.session.conn) == []


def test_a_credit_netted_in_before_its_payment_was_booked_pays_nobody(loop: Loop) -> None:
    waiting, out = sent(loop, 2)
    net = booked(loop, 0, part(out, -SUM), part(waiting, SUM), reference="N3")
    loop.put(statement(loop, net))
    loop.read()
    assert [loop.state(p) for p in (waiting, out)] == ["returned", "settled"]


def test_two_lines_that_are_alike_and_have_no_number_are_two(loop: Loop) -> None:
    alike = [booked(loop, 1234, Transaction(note="interest")) for _ in range(3)]
    loop.put(statement(loop, *alike))
    loop.read()
    count = "SELECT count(*) FROM bank_entry WHERE amount_minor = 1234"
    assert loop.town.one(count) == 3
    loop.next_day()
    loop.put(statement(loop, *alike))
    loop.read()
    assert loop.town.one(count) == 3, "the same again adds nothing"
    for row in loop.town.all("SELECT id FROM bank_exception WHERE state = 'open'"):
        loop.town.take("finance1", "bank_exception.explain", row[0], note="interest")


def test_names_and_references_of_any_length_are_read(loop: Loop) -> None:
    long = "".join(f"{n:x}" for n in range(6000))
    loop.put(statement(loop, booked(loop, 77, reference=long), name=f"{'对' * 80}.xml"))
    assert [file.fresh for file in loop.read().files] == [1]
    assert loop.town.one("SELECT count(*) FROM bank_entry WHERE amount_minor = 77") == 1
    (loop.desk.inbox / b"\xff\xfe.xml".decode("utf-8", "surrogateescape")).write_bytes(b"?")
    assert [file.kind for file in loop.read().files] == ["unknown"]
    for row in loop.town.all("SELECT id FROM bank_exception WHERE state = 'open'"):
        loop.town.take("finance1", "bank_exception.explain", row[0], note="a test")


def rejected(loop: Loop, payment: UUID, at: datetime) -> Answer:
    batch = loop.town.one("SELECT batch_id FROM batch_payment WHERE payment_id = %s", payment)
    said = PaymentStatus(end_to_end_id=payment.hex, status="RJCT")
    block = BlockStatus(id=batch.hex, payments=(said,))
    target = BytesIO()
    write_pain002(
        StatusReport(message_id="R", created_at=at, original_message_id=batch.hex, blocks=(block,)), target
    )
    return Answer(f"{payment.hex}.xml", target.getvalue())


def test_a_rejection_is_of_the_day_that_it_is_here(loop: Loop) -> None:
    """Past midnight here it is still yesterday in UTC, and yesterday's statements would be proof enough."""
    (payment,) = sent(loop, 1)
    night = datetime(loop.today().year, loop.today().month, loop.today().day, 17, 30, tzinfo=UTC)
    loop.put(rejected(loop, payment, night))
    loop.read()
    day = loop.town.one(
        "SELECT booked_on FROM bank_entry WHERE payment_id = %s AND source = 'report'", payment
    )
    assert day == loop.today() + timedelta(days=1)


def test_a_statement_that_comes_in_meanwhile_makes_no_rejection_count(loop: Loop) -> None:
    """Read by another process once this one had judged the entries, it closes the day and has the debit."""
    (payment,) = sent(loop, 1)
    at = datetime.combine(loop.today(), loop.town.clock.now().timetz())
    loop.put(rejected(loop, payment, at))
    loop.read()
    told = statement(loop, booked(loop, -SUM, part(payment, -SUM), reference="N9"))
    path = loop.desk.inbox / told.name
    path.write_bytes(told.content)
    with loop.town.database.session() as session:
        run = reconciliation._Run(session, loop.desk, reconciliation.ReconciliationReport())
        run.entries()
        with loop.town.database.session() as other:
            reconciliation.read_path(other, loop.desk, path, SYSTEM_ID)
        run.reports()
    assert loop.state(payment) == "instructed"
    loop.read()
    assert loop.state(payment) == "settled"
    assert "rejected_but_booked" in loop.open()
