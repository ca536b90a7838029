"""What does not fit is raised by the thousand, waits for finance, and moves by steps alone."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from milepost.queries.work import work
from milepost.work.bank_exceptions import Doubt, Queue
from milepost.work.reconciliation import SLICE, reconcile
from states.case import chain_of_account
from states.house import HOUSE_ID
from states.refusals import Refused
from tests.invariants import town_bank
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.forge import refused
from tests.work.files_scene import Loop

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("bank_exceptions")
MANY = 2300


@pytest.fixture(scope="module")
def loop(found: Found, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """A town with money and a bank, for all of the module."""
    town = found()
    town.vote(10_000_000_000)
    loop = Loop(town, tmp_path_factory.mktemp("exceptions"))
    loop.released()
    return loop


def test_thousands_are_raised_in_a_few_sets_and_finance_hears_of_it_once(loop: Loop) -> None:
    town = loop.town
    _, file = town_bank.strange_entry(town, "noted", recorded=False)
    town.session.conn.execute(
        "INSERT INTO bank_entry (id, file_id, source, account, key, part, said, booked_on, amount_minor, "
        "currency, end_to_end, reference, reason, party_account, outcome) SELECT gen_random_uuid(), %s, "
        "'statement', %s, 'many', n, 'debit', %s, -n, 'CNY', '', '', '', '', 'new' "
        "FROM generate_series(1, %s) n",
        (file, loop.desk.account, loop.today(), MANY),
    )
    report = reconcile(town.session, loop.desk)
    assert report.exceptions == {"unmatched_entry": MANY}
    raised = "SELECT count(*), count(DISTINCT xid), count(DISTINCT chain_id) FROM event WHERE step = %s"
    number, sets, chains = town.all(raised, "bank_exception.raise")[0]
    assert (number, chains) == (MANY, 1) and sets <= -(-MANY // SLICE)
    assert town.one("SELECT count(*) FROM bank_exception WHERE programme_id = %s", HOUSE_ID) == MANY
    assert town.one("SELECT kind FROM chain WHERE id = %s", chain_of_account(loop.desk.account)) == "account"
    assert town.one("SELECT count(*) FROM bank_entry WHERE outcome = 'queued'") == MANY
    told = town.all(
        "SELECT n.login, m.context->>'number' FROM message m JOIN person n ON n.id = m.recipient_id "
        "WHERE m.template = 'bank_exceptions' ORDER BY 1"
    )
    assert told == [(f"finance{n}", str(MANY)) for n in range(1, 9)]
    assert reconcile(town.session, loop.desk).exceptions == {}
    assert town.one("SELECT count(*) FROM message WHERE template = 'bank_exceptions'") == len(told)
    assert faults(town.session.conn) == []


def test_it_waits_on_the_list_of_finance_from_its_day_on_and_on_nobody_elses(loop: Loop) -> None:
    town = loop.town
    made = town_bank.bank_exception(town, "open")
    loop.next_day()
    for who, waits in (("finance2", True), ("officer", False), ("supervisor", False), ("unit", False)):
        page = work(town.session, town.people[who].id, limit=3 * MANY)
        found = [row for row in page.rows if row["subject_id"] == made]
        assert bool(found) == waits, who
        if found:
            assert (loop.today() - found[0]["due_on"]).days == 1


def test_what_may_be_paid_already_under_a_strange_id_is_not_paid_again(loop: Loop) -> None:
    town = loop.town
    (payment,) = loop.released()
    town.take("system", "payment.instruct", payment)
    tranche = town.one("SELECT tranche_id FROM payment WHERE id = %s", payment)
    entry, file = town_bank.strange_entry(town, amount=400_000)
    queue = Queue(town.session, loop.desk)
    queue.put([Doubt("unmatched_entry", file, {}, entry, likely_id=payment)])
    # It stands in the project's chain, under whose lock money is released.
    made = town.all("SELECT id, chain_id = project_id FROM bank_exception WHERE entry_id = %s", entry)[0]
    assert made[1]
    town.take("system", "payment.bank_return", payment, reference="B", reason="no such account")
    with pytest.raises(Refused) as caught:
        loop.again(tranche)
    assert [r.code for r in caught.value.refusals] == ["bank_doubt"]
    town.take("finance1", "bank_exception.explain", made[0], note="another office's")
    last = "SELECT id FROM payment WHERE tranche_id = %s ORDER BY attempt DESC LIMIT 1"
    town.take("finance3", "payment.release", town.one(last, tranche))


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE bank_exception SET state = 'explained', note = 'x' WHERE id = %(id)s", "MP003"),
        ("UPDATE bank_exception SET likely_id = NULL, kind = 'no_word' WHERE id = %(id)s", "MP005"),
        ("UPDATE bank_entry SET outcome = 'new' WHERE id = %(entry)s", "MP005"),
        ("UPDATE bank_entry SET payment_id = (SELECT id FROM payment LIMIT 1) WHERE id = %(entry)s", "MP005"),
        ("UPDATE bank_entry SET outcome = 'queued' WHERE id = %(other)s", "MP003"),
        ("DELETE FROM bank_exception WHERE id = %(id)s", "MP001"),
    ],
)
def test_even_the_owner_of_the_database_changes_none_without_a_step(loop: Loop, sql: str, code: str) -> None:
    made = town_bank.bank_exception(loop.town, "open")
    entry: UUID = loop.town.one("SELECT entry_id FROM bank_exception WHERE id = %s", made)
    other, _ = town_bank.strange_entry(loop.town)
    assert loop.town.database.owner_url
    with psycopg.connect(loop.town.database.owner_url) as owner, refused(code):
        owner.execute(sql, {"id": made, "entry": entry, "other": other})
