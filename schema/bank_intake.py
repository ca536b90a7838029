"""Files of the bank on record, and what became of what they said."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, moment, words

# What a file's digests are taken over, in SQL. Each row is one JSON array in PostgreSQL's own form, and the
# digest is that of the rows' digests in the order named: so that no row can be moved, changed or left out.
_ROW = "sha256(convert_to(jsonb_build_array({0})::text, 'UTF8'))"
_ALL = "encode(sha256(coalesce(string_agg({0}, ''::bytea ORDER BY {1}), ''::bytea)), 'hex')"
REGISTER_DIGEST = "encode({}, 'hex')".format(
    _ROW.format(
        "f.id, f.kind, f.name, f.sha256, f.size, extract(epoch FROM f.at), f.by_id, f.batch_id, "
        "f.closing_on, f.counts, f.findings, f.doubts"
    )
)
"""The digest of a row of ``bank_file`` (``f``) in hex."""
STATEMENTS_DIGEST = _ALL.format(
    _ROW.format(
        "s.number, s.account, s.currency, s.opens_on, s.opening_minor, s.whole_opening, s.closing_on, "
        "s.closing_minor, s.whole_closing, s.apart_minor"
    ),
    "s.number",
)
"""The digest of all rows of ``bank_statement`` (``s``) of a file in hex."""
WORDS_DIGEST = _ALL.format(
    _ROW.format(
        "e.id, e.source, e.account, e.key, e.part, e.said, e.booked_on, e.amount_minor, e.currency, "
        "e.end_to_end, e.reference, e.reason, e.party_account, e.remittance, e.statement"
    ),
    "e.id",
)
"""The digest of all that a file said first (``e``, rows of ``bank_entry``) in hex."""


class BankIntake(SQLModel, table=True):
    """A file of the bank on record: its digest and those of what was read from it. Rows never change.

    It stands in the account's chain. Nothing that a file said counts before the file is here.
    """

    __tablename__ = "bank_intake"

    id: UUID = key()
    chain_id: UUID = link("chain.id")
    programme_id: UUID
    office_path: str = words()
    file_id: UUID = Field(foreign_key="bank_file.id", unique=True)
    sha256: str = words()
    number: int
    register_sha256: str = words()
    statements_sha256: str = words()
    words_sha256: str = words()
    recorded_at: datetime = moment()
    state: str = words()
    version: int


class BankBooking(SQLModel, table=True):
    """What became of something the bank said: ``applied`` to its payment, or ``noted``. Rows never change.

    The database takes it only where the payment stands where what was said leaves it.
    """

    __tablename__ = "bank_booking"
    __table_args__ = (CheckConstraint("outcome IN ('applied', 'noted')", name="bank_booking_outcome_known"),)

    # The trigger that takes it finds its entry in any case; a foreign key would look for each once more.
    entry_id: UUID = key()
    outcome: str = words()
    at: datetime = moment()


class BankExceptionBefore(SQLModel, table=True):
    """An exception from before exceptions had events. Nobody writes it; ``how`` is explain, match or use.

    What was open of them was raised anew; it stands here as it stood then.
    """

    __tablename__ = "bank_exception_before"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'resolved')", name="bank_exception_state_known"),
        CheckConstraint(
            "(state = 'resolved') = "
            "(resolved_by IS NOT NULL AND resolved_at IS NOT NULL AND note IS NOT NULL)",
            name="bank_exception_resolved_by_somebody",
        ),
    )

    id: UUID = key()
    kind: str = words()
    file_id: UUID = link("bank_file.id")
    entry_id: UUID | None = link("bank_entry.id", null=True)
    payment_id: UUID | None = link("payment.id", null=True)
    tranche_id: UUID | None = link("tranche.id", null=True)
    likely_id: UUID | None = link("payment.id", null=True)
    params: Any = document()
    raised_at: datetime = moment()
    state: str = words()
    resolved_by: UUID | None = link("person.id", null=True)
    resolved_at: datetime | None = moment(null=True)
    how: str | None = words(null=True)
    note: str | None = words(null=True)


__all__ = [
    "REGISTER_DIGEST",
    "STATEMENTS_DIGEST",
    "WORDS_DIGEST",
    "BankBooking",
    "BankExceptionBefore",
    "BankIntake",
]
