"""What the bank said is booked only as its payment stands, and never changed (M7, S3): raw SQL as the
application."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest

from tests.invariants import town_bank
from tests.invariants.conftest import Found
from tests.invariants.forge import refused


@dataclass(frozen=True)
class Said:
    """Open entries, one of them of a payment that is with the bank, and a file that is on record."""

    conn: psycopg.Connection
    ids: dict[str, UUID]


@pytest.fixture(scope="module")
def said(found: Found) -> Said:
    town = found()
    town.vote()
    payment = town.payment("instructed")
    amount = town.one("SELECT amount_minor FROM payment WHERE id = %s", payment)
    entry, file = town_bank.strange_entry(town)
    likely, _ = town_bank.strange_entry(town, amount=amount)
    early, _ = town_bank.strange_entry(town, recorded=False)
    made = town_bank.raised(town, entry_id=str(likely), file_id=str(file), likely_id=str(payment))
    town.take("finance1", "bank_exception.match", made, note="the bank confirmed it")
    ids = {"entry": entry, "file": file, "of_payment": likely, "early": early, "other": UUID(int=1)}
    return Said(town.session.conn, ids)


BOOK = "INSERT INTO bank_booking VALUES (%({})s, '{}', now())"
SAY = (
    "INSERT INTO bank_entry (id, file_id, source, account, key, part, said, booked_on, amount_minor, "
    "currency, end_to_end, reference, reason, party_account, outcome) VALUES (%(other)s, %(file)s, "
    "'statement', 'A', 'x', 0, 'debit', '2026-01-01', -1, 'CNY', '', '', '', '', '{}')"
)
ATTACKS = {
    "a debit of a payment that was not settled": (BOOK.format("of_payment", "applied"), "MP003"),
    "an entry of no payment": (BOOK.format("entry", "applied"), "MP003"),
    "an entry as if it were a report": (BOOK.format("entry", "noted"), "MP003"),
    "an outcome without its booking": (
        "UPDATE bank_entry SET outcome = 'applied' WHERE id = %(of_payment)s",
        "MP003",
    ),
    "noted without its booking": ("UPDATE bank_entry SET outcome = 'noted' WHERE id = %(entry)s", "MP003"),
    "one more entry of a file on record": (SAY.format("new"), "MP005"),
    "an entry that comes applied": (SAY.format("applied"), "MP003"),
    "another file of an entry": ("UPDATE bank_entry SET file_id = file_id WHERE id = %(entry)s", "42501"),
    "another sum": ("UPDATE bank_entry SET amount_minor = 1 WHERE id = %(entry)s", "42501"),
    "a statement of a file on record": (
        "INSERT INTO bank_statement VALUES (%(file)s, 9, 'A', 'CNY', '2026-01-01', 0, true, '2026-01-01', 0, "
        "true, 0)",
        "MP005",
    ),
    "a file put on record without a step": (
        "INSERT INTO bank_intake SELECT %(other)s, chain_id, programme_id, office_path, "
        "(SELECT file_id FROM bank_entry WHERE id = %(early)s), sha256, 0, '', '', '', now(), state, 1 "
        "FROM bank_intake LIMIT 1",
        "MP003",
    ),
    "another digest of a file": ("UPDATE bank_intake SET sha256 = 'x'", "42501"),
    "a file off the record": ("DELETE FROM bank_intake", "42501"),
}


@pytest.mark.parametrize("what", ATTACKS)
def test_what_the_bank_said_is_not_booked_or_changed_by_hand(said: Said, what: str) -> None:
    statement, code = ATTACKS[what]
    with refused(code):
        said.conn.execute(statement, said.ids)
