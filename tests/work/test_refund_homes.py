"""What comes back within the fiscal year is available again where the programme says so, and else is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from uuid import UUID

import psycopg
import pytest

from milepost.evidence.recounts import recounts
from milepost.evidence.verify_database import verify
from milepost.ledger import balances
from milepost.ledger import reconcile as hold_against
from milepost.queries.budget import Line, lines
from milepost.reports.budget_year import close_report
from tests.invariants.conftest import Found
from tests.invariants.town import Town, programme_text
from tests.invariants.town_budget import close
from tests.invariants.town_receivable import entry, home_text, owed, paid, paper

pytestmark = pytest.mark.xdist_group("refund_homes")
FIRST, SECOND = 400_000, 600_000


@pytest.fixture(scope="module")
def office(found: Found) -> Town:
    town = found(programme=home_text())
    for year in (2025, 2026):
        town.vote(1_000_000_000, year=year)
    return town


@pytest.fixture
def town(office: Town) -> Iterator[Town]:
    yield office
    assert verify(office.database).faults == []
    assert hold_against(office.session.conn).ok
    assert [line for line in lines(office.session, None) if line.difference] == []


def purse(town: Town, year: int) -> Line:
    (found,) = lines(town.session, None, year=year)
    return found


def receive(town: Town, made: UUID, amount: int, *, on: date | None = None) -> int:
    """What of a credit of the bank went back to appropriations."""
    credit = entry(town, amount, on=on)
    town.take("finance2", "receivable.receive", made, entry_id=str(credit))
    return int(town.one("SELECT restored_minor FROM receipt WHERE entry_id = %s", credit))


def test_money_of_the_same_year_is_available_again_and_the_award_is_not(town: Town) -> None:
    project = paid(town)
    made = owed(town, project, 300_000)
    year = town.clock.today().year
    before, sums = purse(town, year), balances(town.session.conn)[0]
    assert receive(town, made, 100_000) == 100_000 and receive(town, made, 250_000) == 200_000
    after, then = purse(town, year), balances(town.session.conn)[0]
    assert (after.left, after.paid) == (before.left + 300_000, before.paid - 300_000)
    assert (after.refunded, after.returned) == (before.refunded + 300_000, before.returned + 300_000)
    assert then.left_minor == sums.left_minor + 300_000 and then.paid_minor == sums.paid_minor - 300_000
    assert then.restored_minor == sums.restored_minor + 300_000
    assert (then.refunded_minor, then.appropriated_minor) == (sums.refunded_minor, sums.appropriated_minor)
    drawn = "SELECT drawn_minor FROM account WHERE owner_id = %s AND kind = 'commitment'"
    assert town.one(drawn, project) == FIRST, "what was paid back makes no room under the award"
    assert close_report(town.session, None, year).totals


def test_a_slip_of_the_treasury_is_the_treasury_s_in_any_year(town: Town) -> None:
    made = owed(town, paid(town), 10)
    before = purse(town, town.clock.today().year).left
    given = {"amount_minor": 10, "reference": f"S{made}", "received_on": town.clock.today().isoformat()}
    town.take("finance2", "receivable.receive_slip", made, documents=[paper(town)], **given)
    assert purse(town, town.clock.today().year).left == before


def test_money_of_an_earlier_year_and_of_a_closed_one_goes_to_the_treasury(found: Found) -> None:
    town = found(programme=home_text())
    for year in (2025, 2026):
        town.vote(10_000_000, year=year)
    project = paid(town)
    made = owed(town, project, FIRST, days=900)
    town.clock.set(date(2025, 12, 30))
    assert receive(town, made, 1_000) == 1_000
    town.clock.set(date(2026, 1, 5))
    assert receive(town, made, 1_000, on=date(2025, 12, 31)) == 1_000, "it came in within the year"
    assert receive(town, made, 1_000) == 0, "of 2026 nothing was paid yet"
    town.accept(town.milestones(project)[1])
    town.payment("settled", project=project, tranche=1)
    assert receive(town, made, 7_000) == 7_000 and purse(town, 2026).refunded == 7_000
    close(town, town.one("SELECT id FROM appropriation WHERE fiscal_year = 2025"))
    assert receive(town, made, 1_000, on=date(2025, 12, 31)) == 0
    assert purse(town, 2025).refunded == 2_000
    assert verify(town.database).faults == [] and hold_against(town.session.conn).ok


def test_a_refund_over_two_appropriations_goes_to_each_no_more_than_it_paid(found: Found) -> None:
    town = found(programme=home_text())
    first = town.vote(FIRST)
    project = paid(town)
    two = 'budget = { same_year_refunds_to = "appropriation", sources = [' + ", ".join(
        f'{{ code = "{code}", title = {{ zh = "{code}", en = "{code}" }} }}' for code in ("own", "more")
    )  # fmt: skip
    second = town.publish(
        home_text()
        .replace('budget = { same_year_refunds_to = "appropriation"', two + "]")
        .replace("version = 1", "version = 2", 1)
    )
    given = {"fiscal_year": 2025, "currency": "CNY", "amount_minor": SECOND, "source": "more"}
    more = town.take(
        "finance8", "appropriation.propose", None, programme_id=str(second.id), **given
    ).subject_id
    town.take("finance7", "appropriation.vote", more)
    town.accept(town.milestones(project)[1])
    town.payment("settled", project=project, tranche=1)
    assert receive(town, owed(town, project, SECOND + 500), SECOND + 500) == SECOND + 500
    home = {line.id: line.refunded for line in lines(town.session, None)}
    assert sorted(home.values()) == [500, SECOND] and set(home) == {first, more}
    assert verify(town.database).faults == [] and hold_against(town.session.conn).ok


def test_by_default_every_refund_is_the_treasury_s(found: Found) -> None:
    town = found(programme=programme_text())
    town.vote(10_000_000)
    before = balances(town.session.conn)[0]
    assert receive(town, owed(town, paid(town), 500), 500) == 0
    after = balances(town.session.conn)[0]
    assert (after.refunded_minor, after.restored_minor) == (before.refunded_minor + 500, 0)
    assert purse(town, 2025).refunded == 0


def test_a_refund_that_went_elsewhere_is_named_by_a_recount(town: Town) -> None:
    receive(town, owed(town, paid(town), 100), 100)
    owner = town.database.owner_url
    for change in (
        "UPDATE receipt SET restored_minor = restored_minor - 1 WHERE restored_minor > 0",
        "UPDATE receipt SET received_on = received_on - 400 WHERE restored_minor > 0",
    ):
        with psycopg.connect(owner) as conn, conn.transaction(force_rollback=True):
            conn.execute("SET LOCAL session_replication_role = replica")
            conn.execute(change)
            assert "receipt_differs" in {one.code for one in recounts() if conn.execute(one.sql).fetchone()}
