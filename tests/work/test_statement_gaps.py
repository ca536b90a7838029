"""A statement that was not read yet proves nothing: what a later one leaves out may stand in it.

M5: a rejected payment is planned anew only when the statements of all its days are there and none has it.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from milepost.bank.simulated_files import Answer, Misbehaviour
from milepost.evidence.verify_database import verify
from milepost.work.bank_words import COVER, GAPS
from states.case import SYSTEM_ID
from tests.invariants.conftest import Found
from tests.invariants.town import Town
from tests.work.files_scene import Loop

pytestmark = pytest.mark.xdist_group("statement_gaps")
D = date(2025, 3, 10)
# Day it opens, with what, wholly; day it closes, with what, wholly.
Stretch = tuple[int, int, bool, int, int, bool]


def whole(day: int, opening: int, closing: int) -> Stretch:
    return (day, opening, True, day, closing, True)


CASES: dict[str, tuple[list[Stretch], bool, int]] = {
    "nothing was read": ([], False, 0),
    "the day itself": ([whole(0, 100, 90)], True, 0),
    "a day after it alone": ([whole(1, 100, 90)], False, 0),
    "the day before it alone": ([whole(-1, 100, 90)], False, 0),
    "a week around it": ([(-3, 100, True, 4, 90, True)], True, 0),
    "each day to the end": ([whole(0, 100, 90), whole(1, 90, 70), whole(2, 70, 70)], True, 0),
    "the day after, and the last before it": ([whole(-3, 100, 90), whole(1, 90, 80)], True, 0),
    "the day after, when the last before it closed otherwise": (
        [whole(-3, 100, 95), whole(1, 90, 80)],
        False,
        1,
    ),
    "days apart with a break between": ([whole(-1, 100, 100), whole(2, 90, 80)], False, 1),
    "the first half of the day": ([(0, 100, True, 0, 95, False)], False, 0),
    "the second half of the day": ([(0, 95, False, 0, 90, True)], False, 0),
    "both halves": ([(0, 100, True, 0, 95, False), (0, 95, False, 0, 90, True)], True, 0),
    "three parts": (
        [(0, 100, True, 0, 95, False), (0, 95, False, 0, 93, False), (0, 93, False, 0, 90, True)],
        True,
        0,
    ),
    "the same one twice": ([whole(0, 100, 90), whole(0, 100, 90)], True, 0),
}


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    return found()


@pytest.mark.parametrize("case", CASES)
def test_silence_counts_only_where_every_statement_is_there(town: Town, case: str) -> None:
    stretches, covered, gaps = CASES[case]
    for number, (opens, opening, first, closes, closing, last) in enumerate(stretches):
        digest = f"{case}{number}".encode().hex().ljust(64, "0")[:64]
        town.session.conn.execute(
            "WITH f AS (INSERT INTO bank_file (id, direction, kind, name, sha256, size, at, by_id) VALUES "
            "(gen_random_uuid(), 'in', 'camt.053', 's', %s, 1, %s, %s) RETURNING id) "
            "INSERT INTO bank_statement SELECT id, 1, %s, 'CNY', %s, %s, %s, %s, %s, %s FROM f",
            (
                f"{digest[:62]}{number:02}",
                town.clock.now(),
                SYSTEM_ID,
                case,
                D + timedelta(days=opens),
                opening,
                first,
                D + timedelta(days=closes),
                closing,
                last,
            ),
        )
    files = [row[0] for row in town.all("SELECT DISTINCT file_id FROM bank_statement")]
    given = {"account": case, "currency": "CNY", "since": D, "until": D, "read": files}
    row = town.session.conn.execute(COVER, given).fetchone()
    assert row is not None and row[0] is covered
    assert len(town.session.conn.execute(GAPS, {"account": case}).fetchall()) == gaps


def test_a_rejection_waits_for_the_statement_that_is_missing(found: Found, tmp_path: Path) -> None:
    """Paid, reported as rejected, and the statement that has it is read last: it was paid, and once only."""
    town = found()
    town.vote()
    loop = Loop(town, tmp_path, Misbehaviour(reject_late=1))
    (payment,) = loop.released()
    loop.batch()
    loop.send()
    loop.taken()
    # The statement of the day before was read: so that one is missing after it can be seen.
    loop.put(*loop.bank.statements(loop.today() - timedelta(days=1)))
    report, debit = loop.bank.reports(loop.today()), loop.bank.statements(loop.today())
    loop.next_day()
    later = loop.bank.statements(loop.today())
    loop.put(*report, *later)
    loop.read()
    assert loop.state(payment) == "instructed"
    assert loop.open() == ["statement_missing"]
    assert verify(town.database).faults == [], "a question is no fault"
    loop.put(*[Answer(f"late-{one.name}", one.content) for one in debit])
    loop.read()
    assert loop.state(payment) == "settled"
    assert loop.open() == ["rejected_but_booked"]
    assert (
        town.one(
            "SELECT count(*) FROM payment WHERE tranche_id = (SELECT tranche_id FROM payment WHERE id = %s)",
            payment,
        )
        == 1
    )


def test_a_rejection_counts_once_all_statements_are_there(found: Found, tmp_path: Path) -> None:
    town = found()
    town.vote()
    loop = Loop(town, tmp_path, Misbehaviour(reject=1))
    (payment,) = loop.released()
    loop.batch()
    loop.send()
    loop.taken()
    report, silent = loop.bank.reports(loop.today()), loop.bank.statements(loop.today())
    loop.next_day()
    loop.put(*report, *loop.bank.statements(loop.today()))
    loop.read()
    assert loop.state(payment) == "instructed"
    loop.put(*silent)
    loop.read()
    assert loop.state(payment) == "returned"


def test_where_a_statement_ends_is_never_changed(town: Town) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        town.session.conn.execute("UPDATE bank_statement SET closing_minor = 1")


def test_the_bank_states_every_day_whenever_it_is_asked(tmp_path: Path, found: Found) -> None:
    town = found()
    town.vote()
    loop = Loop(town, tmp_path)
    loop.released()
    loop.batch()
    loop.send()
    loop.taken()
    assert loop.bank.owes_statements(loop.today())
    first = loop.today()
    for _ in range(3):
        loop.next_day()
    names = [answer.name for answer in loop.bank.statements(loop.today())]
    days = [first + timedelta(days=n) for n in range(4)]
    assert names == [f"camt053-{day}-{number}.xml" for number, day in enumerate(days, start=1)]
    # What came after a day was stated is stated as well, when the next one is.
    loop.bank.credit(33, "CNY", loop.today(), "late")
    stated = loop.today()
    loop.next_day()
    again = loop.bank.statements(loop.today())
    assert [b"late" in answer.content for answer in again] == [True, False]
    assert str(stated) in again[0].name
    assert not loop.bank.owes_statements(loop.today())


def attested(town: Town, payment: UUID, finding: str) -> None:
    """No answer comes, so two people say what they heard."""
    town.take("system", "payment.lose", payment)
    town.take("finance4", "payment.attest", payment, finding=finding, evidence="a call")
    town.take("finance5", "payment.confirm", payment)


def test_what_was_attested_and_no_statement_has_is_asked_about(found: Found, tmp_path: Path) -> None:
    """M5: two people took it for paid. The bank's statements of all those days do not have it."""
    town = found()
    town.vote()
    loop = Loop(town, tmp_path, Misbehaviour(reject=1, lose_reply=1))
    (payment,) = loop.released()
    loop.batch()
    loop.send()
    loop.taken()
    attested(town, payment, "settled")
    silent = loop.bank.statements(loop.today())
    loop.next_day()
    loop.put(*loop.bank.statements(loop.today()))
    loop.read()
    assert loop.open() == [], "the statement of its own day is still missing"
    loop.put(*silent)
    loop.read()
    assert loop.open() == ["attested_but_not_booked"]
    assert town.one("SELECT payment_id FROM bank_exception WHERE state = 'open'") == payment
    asked = town.one("SELECT id FROM bank_exception WHERE state = 'open'")
    loop.read()
    town.take("finance3", "bank_exception.explain", asked, note="the bank looks for it")
    loop.read()
    assert loop.open() == [], "it is asked once"
    assert (loop.state(payment), verify(town.database).faults) == ("settled", [])


def test_a_statement_that_comes_late_clears_up_what_was_attested(found: Found, tmp_path: Path) -> None:
    town = found()
    town.vote()
    loop = Loop(town, tmp_path, Misbehaviour(slow=1, slow_days=3, lose_reply=1))
    (payment,) = loop.released()
    loop.batch()
    loop.send()
    loop.taken()
    attested(town, payment, "settled")
    asked = ["attested_but_not_booked"]
    for kinds in ([], asked, asked, asked, [], []):
        loop.put(*loop.bank.statements(loop.today() - timedelta(days=1)))
        loop.read()
        assert loop.open() == kinds, loop.today()
        loop.next_day()
    assert loop.state(payment) == "settled"
    assert verify(town.database).faults == []
