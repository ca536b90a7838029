"""Batches of payments that go to the bank as one file, the register of files, and what the bank said."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, minor, moment, words


class BankFile(SQLModel, table=True):
    """A file to or from the bank, known by its bytes however it is called. Rows never change.

    ``closing_on`` is the day whose closing balance a statement gives; ``counts`` says what was in it, and
    ``doubts`` what does not fit of the file as a whole, by kind: each becomes an exception.
    """

    __tablename__ = "bank_file"
    __table_args__ = (
        UniqueConstraint("direction", "sha256", name="bank_file_once"),
        CheckConstraint("direction IN ('in', 'out')", name="bank_file_direction_known"),
        Index("bank_file_closing", "closing_on", postgresql_where=text("closing_on IS NOT NULL")),
    )

    id: UUID = key()
    direction: str = words()
    kind: str = words()
    name: str = words()
    sha256: str = words()
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    at: datetime = moment()
    by_id: UUID = link("person.id")
    batch_id: UUID | None = link("batch.id", null=True)
    closing_on: date | None = None
    counts: Any = document()
    findings: Any = document(default="[]")
    doubts: Any = document()


class BankStatement(SQLModel, table=True):
    """Where a statement begins and ends, in minor units of its currency. Rows never change.

    Each opens with what the one before it closed with; where none did, one is missing. ``whole_opening`` and
    ``whole_closing`` are false where it begins or ends in the middle of a day. ``apart_minor`` is what of it
    no row of its own file has: said by another file before, or told as one sum of several. So opening, rows
    and ``apart_minor`` add up to closing; it is unknown of statements read before it was kept.
    """

    __tablename__ = "bank_statement"
    __table_args__ = (
        CheckConstraint("opens_on <= closing_on", name="bank_statement_days"),
        Index("bank_statement_by_day", "account", "currency", "closing_on"),
        Index("bank_statement_by_closing", "account", "currency", "closing_minor"),
    )

    file_id: UUID = Field(foreign_key="bank_file.id", primary_key=True)
    number: int = Field(primary_key=True)
    account: str = words()
    currency: str = words()
    opens_on: date
    opening_minor: int = minor()
    whole_opening: bool
    closing_on: date
    closing_minor: int = minor()
    whole_closing: bool
    apart_minor: int | None = minor(null=True)


class Batch(SQLModel, table=True):
    """Payments of one programme, office and currency for one day, handed to the bank as one file.

    ``staged_as`` is the name under which the file waits to be put at its place; it is moved from there once.
    """

    __table_args__ = (
        CheckConstraint("handed_by IS NULL OR handed_by <> made_by", name="batch_two_people"),
        CheckConstraint("number > 0 AND total_minor > 0", name="batch_not_empty"),
        Index("batch_by_state", "state"),
    )

    id: UUID = key()
    chain_id: UUID = link("chain.id")
    programme_id: UUID = link("programme_version.id")
    currency: str = words()
    office_path: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'/'")))
    execution_on: date
    cut_off: datetime = moment()
    number: int
    total_minor: int = minor()
    made_by: UUID = link("person.id")
    handed_by: UUID | None = link("person.id", null=True)
    handed_at: datetime | None = moment(null=True)
    file_name: str | None = words(null=True, unique=True)
    sha256: str | None = words(null=True)
    staged_as: str | None = words(null=True)
    note: str | None = words(null=True)
    state: str = words()
    version: int


class BatchPayment(SQLModel, table=True):
    """A payment in a batch. ``live`` until it is left out: a payment is in one live batch at the most."""

    __tablename__ = "batch_payment"
    __table_args__ = (
        UniqueConstraint("batch_id", "position", name="batch_payment_position_once"),
        Index("batch_payment_live", "payment_id", unique=True, postgresql_where=text("live")),
    )

    id: UUID = key()
    batch_id: UUID = link("batch.id")
    payment_id: UUID = link("payment.id")
    position: int
    live: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    left_out: str | None = words(null=True)


class BankEntry(SQLModel, table=True):
    """What the bank said of one payment: a part of a statement's entry, or a verdict of a status report.

    (source, account, key, part) names it in whatever file it comes again. ``outcome`` is what became of it:
    ``new``, ``held`` (its file does not add up), ``waiting`` (a report, until the statement says the same),
    ``applied``, ``noted``, ``queued`` (it has an exception), ``received`` (a receipt has it). Of each
    payment one debit and one credit at the most are applied. ``remittance`` is what the payer wrote.

    ``statement`` is the statement's place in the file. ``again_file_id``: the first file that adds up and
    says the same, where its own does not.
    """

    __tablename__ = "bank_entry"
    __table_args__ = (
        UniqueConstraint("source", "account", "key", "part", name="bank_entry_once"),
        CheckConstraint("source IN ('statement', 'report')", name="bank_entry_source_known"),
        CheckConstraint(
            "outcome IN ('new', 'held', 'waiting', 'applied', 'noted', 'queued', 'received')",
            name="bank_entry_outcome_known",
        ),
        CheckConstraint("outcome <> 'applied' OR payment_id IS NOT NULL", name="bank_entry_applied_to_one"),
        Index(
            "bank_entry_debit_once",
            "payment_id",
            unique=True,
            postgresql_where=text("source = 'statement' AND outcome = 'applied' AND amount_minor < 0"),
        ),
        Index(
            "bank_entry_credit_once",
            "payment_id",
            unique=True,
            postgresql_where=text("source = 'statement' AND outcome = 'applied' AND amount_minor > 0"),
        ),
        Index("bank_entry_of_payment", "payment_id"),
        Index("bank_entry_said_again", "again_file_id", postgresql_where=text("again_file_id IS NOT NULL")),
        Index(
            "bank_entry_open",
            "source",
            "booked_on",
            "id",
            postgresql_where=text("outcome IN ('new', 'waiting')"),
        ),
    )

    id: UUID = key()
    file_id: UUID = link("bank_file.id", index=True)
    source: str = words()
    account: str = words()
    key: str = words()
    part: int
    said: str = words()
    booked_on: date
    amount_minor: int = minor()
    currency: str = words()
    end_to_end: str = words()
    reference: str = words()
    reason: str = words()
    party_account: str = words()
    remittance: str = Field(sa_column=Column(Text, nullable=False, server_default=text("''")))
    payment_id: UUID | None = link("payment.id", null=True)
    outcome: str = words()
    statement: int | None = None
    again_file_id: UUID | None = link("bank_file.id", null=True)


class BankException(SQLModel, table=True):
    """Something the bank said that does not fit our books, until it is cleared up.

    Of a project where it names a payment or probably means one (``likely_id``): then its chain is the
    project's, and while it is open nothing more is sent for the tranche. Else it is the account's, of no
    programme (``programme_id`` is the house's, ``states.house``) and of the office that keeps the account.
    """

    __tablename__ = "bank_exception"
    __table_args__ = (
        CheckConstraint(
            "(state = 'open') = (resolved_by IS NULL AND resolved_at IS NULL AND note IS NULL)",
            name="bank_exception_cleared_by_somebody",
        ),
        CheckConstraint(
            "(project_id IS NULL) = (tranche_id IS NULL) AND (project_id IS NULL OR chain_id = project_id)",
            name="bank_exception_of_a_project_or_the_account",
        ),
        Index("bank_exception_open", "raised_at", postgresql_where=text("state = 'open'")),
        Index("bank_exception_of_tranche", "tranche_id", postgresql_where=text("state = 'open'")),
        Index("bank_exception_of_payment", "payment_id"),
    )

    id: UUID = key()
    chain_id: UUID = link("chain.id")
    programme_id: UUID
    office_path: str = words()
    project_id: UUID | None = link("project.id", null=True)
    tranche_id: UUID | None = link("tranche.id", null=True)
    kind: str = words()
    file_id: UUID = link("bank_file.id", index=True)
    entry_id: UUID | None = link("bank_entry.id", null=True, index=True)
    payment_id: UUID | None = link("payment.id", null=True)
    likely_id: UUID | None = link("payment.id", null=True)
    params: Any = document()
    raised_at: datetime = moment()
    resolved_by: UUID | None = link("person.id", null=True)
    resolved_at: datetime | None = moment(null=True)
    note: str | None = words(null=True)
    state: str = words()
    version: int


__all__ = ["BankEntry", "BankException", "BankFile", "BankStatement", "Batch", "BatchPayment"]
