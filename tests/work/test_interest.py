"""What is owed for paying late is paid once, of its own money: the award loses nothing and gains nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from milepost.evidence.interest_recounts import INTEREST
from milepost.evidence.verify_database import verify
from milepost.ledger import balances
from milepost.ledger import reconcile as hold_against
from milepost.queries.budget import lines
from milepost.work.checks import check_payments
from states.refusals import Refused
from tests.invariants.conftest import Found
from tests.invariants.forge import refused
from tests.invariants.town import Town, programme_text
from tests.invariants.town_interest import interest_of, late_text, pay, settled_late, vote_interest
from tests.work.files_scene import Loop

pytestmark = pytest.mark.xdist_group("interest")
FIRST = 400_000
"""What the first tranche of the town's projects is."""


@pytest.fixture(scope="module")
def loop(found: Found, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    town = found(programme=late_text(programme_text()))
    for year in (2025, 2026, 2027):
        town.vote(10_000_000_000, year=year)
        vote_interest(town, year=year)
    return Loop(town, tmp_path_factory.mktemp("interest"))


@pytest.fixture
def town(loop: Loop) -> Iterator[Town]:
    yield loop.town
    assert verify(loop.town.database).faults == []
    assert hold_against(loop.town.session.conn).ok


def of(town: Town, payment: UUID) -> tuple[object, ...]:
    row = town.session.conn.execute(
        "SELECT t.amount_minor, t.late_days, t.paid_minor, t.number FROM tranche t WHERE interest_of_id = %s",
        (payment,),
    ).fetchone()
    assert row is not None
    return tuple(row)


def codes(town: Town, who: str, step: str, id: UUID, **input: object) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, id, **input)
    return [refusal.code for refusal in caught.value.refusals]


def test_what_was_paid_late_owes_interest_which_is_paid_of_its_own_line(town: Town) -> None:
    before = {line.source: line.paid for line in lines(town.session, None, year=2025)}
    late = settled_late(town, 15)
    # 4,000.00 at 8 % for the ten days beyond the five that were promised: 8.767… yuan.
    assert of(town, late) == (877, 10, 0, 3)
    interest = interest_of(town, late)
    assert interest is not None and town.state("payment", interest) == "planned"
    pay(town, interest)
    assert of(town, late) == (877, 10, 877, 3)
    after = {line.source: line.paid for line in lines(town.session, None, year=2025)}
    assert after == {"own": before["own"] + FIRST, "interest": before["interest"] + 877}
    project = town.one("SELECT project_id FROM payment WHERE id = %s", late)
    drawn = town.one("SELECT drawn_minor FROM account WHERE owner_id = %s AND kind = 'commitment'", project)
    assert drawn == FIRST, "the award has paid its tranche and nothing else"
    assert all(line.difference == 0 for line in lines(town.session, None))


def test_interest_that_is_late_itself_owes_none(town: Town) -> None:
    interest = interest_of(town, settled_late(town, 15))
    assert interest is not None
    pay(town, interest, until="instruct")
    town.clock.set(town.clock.today() + timedelta(days=90))
    town.take("system", "payment.settle", interest, reference="L")
    assert interest_of(town, interest) is None


def test_in_time_is_to_the_day_and_what_the_bank_says_counts_not_when_it_is_read(town: Town) -> None:
    assert interest_of(town, settled_late(town, 5)) is None
    one = settled_late(town, 6)
    assert of(town, one)[:2] == (88, 1), "4,000.00 × 8 % / 365 = 0.8767"
    read_late = town.payment("instructed")
    paid_on = town.clock.today() + timedelta(days=3)
    town.clock.set(paid_on + timedelta(days=30))
    town.take("system", "payment.settle", read_late, reference="B", paid_on=paid_on.isoformat())
    assert interest_of(town, read_late) is None


def test_a_statement_says_the_day_and_interest_goes_to_the_bank_in_a_batch(town: Town, loop: Loop) -> None:
    (payment,) = loop.released()
    loop.batch()
    loop.send()
    assert loop.taken()
    statements = loop.bank.statements(loop.today())
    fell_due = town.one(
        "SELECT at::date FROM event WHERE subject_id = %s AND step = 'payment.fall_due'", payment
    )
    assert (loop.today() - fell_due).days <= 5
    # The bank paid in time; its statement comes when it comes.
    town.clock.set(town.clock.today() + timedelta(days=40))
    loop.put(*statements)
    loop.read()
    assert loop.state(payment) == "settled" and interest_of(town, payment) is None
    interest = interest_of(town, settled_late(town, 15))
    assert interest is not None
    pay(town, interest, until="release")
    loop.batch()
    loop.send()
    assert loop.taken() and loop.bank.paid(loop.today())[interest.hex] == 877
    loop.put(*loop.bank.statements(loop.today()))
    loop.read()
    assert loop.state(interest) == "settled"


def test_an_award_never_draws_on_the_line_for_interest_nor_interest_on_the_award_s(found: Found) -> None:
    town = found(programme=late_text(programme_text()))
    vote_interest(town, 10_000_000)
    project = town.funded()
    town.accept(town.milestones(project)[0])
    payment = town.payments(project)[0]
    assert codes(town, "system", "payment.fall_due", payment) == ["appropriation_missing"]
    town.vote(10_000_000)
    late = settled_late(town, 15, project=project)
    interest = interest_of(town, late)
    assert interest is not None
    pay(town, interest, until="request")
    sources = town.all(
        "SELECT a.source FROM payment y JOIN appropriation a ON a.id = y.appropriation_id "
        "WHERE y.id = ANY(%s) ORDER BY 1",
        [late, interest],
    )
    assert [row[0] for row in sources] == ["interest", "own"]
    assert verify(town.database).faults == [] and hold_against(town.session.conn).ok


def test_without_money_on_its_line_interest_waits_and_says_so(found: Found) -> None:
    town = found(programme=late_text(programme_text()))
    town.vote(10_000_000)
    interest = interest_of(town, settled_late(town, 15))
    assert interest is not None
    assert codes(town, "system", "payment.fall_due", interest) == ["appropriation_missing"]
    vote_interest(town, 876)
    assert codes(town, "system", "payment.fall_due", interest) == ["appropriation_exhausted"]
    check_payments(town.session)
    assert town.one("SELECT blocked->0->>'code' FROM payment_check WHERE payment_id = %s", interest) == (
        "appropriation_exhausted"
    )


def test_a_late_return_calls_off_interest_that_is_not_at_the_bank_yet(town: Town) -> None:
    late = settled_late(town, 15)
    interest = interest_of(town, late)
    assert interest is not None
    pay(town, interest, until="approve")
    town.take("system", "payment.return_late", late, reference="R", reason="account closed")
    assert town.state("payment", interest) == "void"
    again = settled_late(town, 15)
    interest = interest_of(town, again)
    assert interest is not None
    pay(town, interest)
    town.take("system", "payment.return_late", again, reference="R", reason="account closed")
    assert town.state("payment", interest) == "settled", "what was paid is for people to decide about"


def test_what_a_bank_returns_is_tried_again_and_a_new_account_voids_it_like_any_payment(town: Town) -> None:
    late = settled_late(town, 15)
    interest = interest_of(town, late)
    assert interest is not None
    pay(town, interest, until="instruct")
    town.take("system", "payment.bank_return", interest, reference="R", reason="no such account")
    again = interest_of(town, late)
    assert again is not None and again != interest
    pay(town, again)
    assert of(town, late)[2] == 877


def test_a_project_does_not_close_over_interest_that_is_owed(town: Town) -> None:
    project = town.funded()
    settled_late(town, 15, project=project)
    late = settled_late(town, 15, project=project, tranche=1)
    town.advance(project, "closure")
    interest = [y for y in town.payments(project) if town.state("payment", y) == "planned"]
    assert len(interest) == 2
    assert codes(town, "officer", "project.close", project) == ["payments_unfinished"]
    for each in interest:
        pay(town, each)
    town.take("officer", "project.close", project)
    assert of(town, late)[3] == 4


def test_interest_follows_from_a_settlement_and_from_nothing_else_by_sql(town: Town) -> None:
    late = settled_late(town, 15)
    other = settled_late(town, 2)
    row = (
        "INSERT INTO tranche (id, project_id, number, code, amount_minor, currency, waits_for, basis, "
        "interest_of_id, late_days, retained_minor, spent_minor, paid_minor) SELECT gen_random_uuid(), "
        "project_id, 9, 'late_interest', 5, 'CNY', 'lateness', 'interest', id, 3, 0, 0, 0 FROM payment "
        "WHERE id = %s"
    )
    for of_id in (late, other):
        with town.database.session() as session, pytest.raises(psycopg.DatabaseError):
            session.conn.execute(row, (of_id,))
    conn = town.session.conn
    with refused(conn, "42501"):
        conn.execute("UPDATE tranche SET late_days = 99 WHERE interest_of_id = %s", (late,))


SHARES = [
    ("8%", "", 15, 877),
    ("8%", ', rounding = "down"', 15, 876),
    ("8%", ", days_in_year = 360", 15, 889),
    ("8%", ", minimum_minor = 878", 15, None),
    ("8%", ", minimum_minor = 877", 15, 877),
    ("1/1000000", "", 15, None),
]


@pytest.mark.parametrize(("rate", "more", "days", "owed"), SHARES)
def test_rate_day_count_rounding_and_minimum_are_the_programme_s(
    found: Found, town: Town, rate: str, more: str, days: int, owed: int | None
) -> None:
    code = f"late-{SHARES.index((rate, more, days, owed))}"
    text = late_text(programme_text(), rate=rate, more=more)
    town_programme = town.programme
    try:
        town.programme = town.publish(text.replace('code = "city-milestone-subsidy"', f'code = "{code}"'))
        town.vote(10_000_000, year=town.clock.today().year)
        late = settled_late(town, days)
    finally:
        town.programme = town_programme
    found_minor = town.one("SELECT amount_minor FROM tranche WHERE interest_of_id = %s", late)
    assert found_minor == owed


def test_the_balances_count_interest_as_paid_and_as_appropriated(town: Town) -> None:
    before = balances(town.session.conn)[0]
    interest = interest_of(town, settled_late(town, 15))
    assert interest is not None
    pay(town, interest)
    after = balances(town.session.conn)[0]
    assert after.paid_minor == before.paid_minor + FIRST + 877
    assert after.left_minor == before.left_minor - FIRST - 877


FORGED = {
    "more than the settlement found": (
        "UPDATE tranche SET amount_minor = amount_minor + 1 WHERE basis = 'interest'",
        "interest_differs",
    ),
    "interest that nothing owes": (
        "UPDATE tranche SET interest_of_id = gen_random_uuid() WHERE basis = 'interest'",
        "interest_differs",
    ),
    "interest that is gone": ("DELETE FROM tranche WHERE basis = 'interest'", "interest_differs"),
    "interest on interest": (
        "UPDATE tranche t SET interest_of_id = y.id FROM payment y JOIN tranche x ON x.id = y.tranche_id "
        "WHERE t.basis = 'interest' AND x.basis = 'interest' AND x.id <> t.id",
        "interest_differs",
    ),
    "a ceiling that was raised": (
        "UPDATE account SET ceiling_minor = ceiling_minor + 1 WHERE ceiling_minor IS NOT NULL",
        "interest_exceeded",
    ),
    "money for awards": (
        "UPDATE appropriation SET for_interest = false WHERE for_interest",
        "interest_purse",
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_interest_is_named_by_a_recount(town: Town, what: str) -> None:
    statement, code = FORGED[what]
    first, second = settled_late(town, 15), settled_late(town, 15)
    for late in (first, second):
        interest = interest_of(town, late)
        assert interest is not None
        pay(town, interest, until="request")
    owner = town.database.owner_url
    with psycopg.connect(owner) as conn, conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("DROP INDEX tranche_interest_once")
        assert conn.execute(statement).rowcount
        found = {row[0] for row in INTEREST if conn.execute(row[3]).fetchone()}
    assert code in found
