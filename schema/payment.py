"""Tranches, payments, payees, duties; accounts and the transfers between them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, minor, moment, words

LIVE = "state NOT IN ('returned', 'void')"


class Tranche(SQLModel, table=True):
    """A part of the award as agreed: its sum, what it waits for. ``code`` names it in the programme.

    ``amount_minor`` is what it may come to after ``retained_minor`` was held back. Where the sum is computed
    (``basis``), ``payable_minor`` and ``held_minor`` are what it came to when it last fell due.

    Interest is no part of the award: ``interest_of_id`` is the payment that was ``late_days`` late.
    """

    __table_args__ = (
        UniqueConstraint("project_id", "number", name="tranche_number_once"),
        CheckConstraint("amount_minor > 0", name="tranche_amount_positive"),
        CheckConstraint("spent_minor >= 0", name="tranche_spent_not_negative"),
        CheckConstraint(
            "paid_minor BETWEEN 0 AND coalesce(payable_minor, amount_minor)", name="tranche_paid_within"
        ),
        CheckConstraint("basis IN ('fixed', 'verified', 'retained', 'interest')", name="tranche_basis_known"),
        CheckConstraint(
            "basis = 'interest' AND interest_of_id IS NOT NULL AND late_days > 0 "
            "OR basis <> 'interest' AND interest_of_id IS NULL AND late_days IS NULL",
            name="tranche_interest",
        ),
        Index(
            "tranche_interest_once",
            "interest_of_id",
            unique=True,
            postgresql_where=text("interest_of_id IS NOT NULL"),
        ),
        CheckConstraint(
            "payable_minor IS NULL AND held_minor IS NULL OR "
            "basis <> 'fixed' AND payable_minor > 0 AND held_minor >= 0",
            name="tranche_computed",
        ),
        CheckConstraint("retained_minor >= 0", name="tranche_retained_not_negative"),
    )

    id: UUID = key()
    project_id: UUID = link("project.id")
    number: int
    code: str = words()
    amount_minor: int = minor()
    currency: str = words()
    waits_for: str = words()
    milestone_id: UUID | None = link("milestone.id", null=True, index=True)
    previous_id: UUID | None = link("tranche.id", null=True)
    basis: str = Field(default="fixed", sa_column_kwargs={"server_default": text("'fixed'")}, sa_type=Text)
    retained_minor: int = minor(default=0)
    due_on: date | None = None
    payable_minor: int | None = minor(null=True)
    held_minor: int | None = minor(null=True)
    interest_of_id: UUID | None = Field(default=None, nullable=True)
    late_days: int | None = None
    spent_minor: int = minor(default=0)
    paid_minor: int = minor(default=0)


class Payee(SQLModel, table=True):
    """One version of the account a project is paid to. A change is a new row; details never change.

    ``account_kind``: cn or iban; ``bank_code``: twelve digits or BIC. Rows from before they were asked for
    have neither. ``documents``: digests of the evidence. Of a change, ``rests_until`` is the last day on
    which nothing is paid. ``contacts``: who was told of it and at which address, for when it changes again.
    """

    __table_args__ = (
        CheckConstraint("verified_by IS NULL OR verified_by <> entered_by", name="payee_two_people"),
        CheckConstraint(
            "account_kind IN ('cn', 'iban') AND (account_kind <> 'cn' OR bank_code ~ '^[0-9]{12}$') "
            "OR account_kind IS NULL AND bank_code IS NULL",
            name="payee_kind_known",
        ),
    )

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    account_name: str = words()
    account_no: str = words()
    bank_name: str = words()
    account_kind: str | None = words(null=True)
    bank_code: str | None = words(null=True)
    documents: Any = document(default="[]")
    rests_until: date | None = None
    contacts: Any = document(default="[]")
    entered_by: UUID = link("person.id")
    verified_by: UUID | None = link("person.id", null=True)
    state: str = words()
    version: int


class Payment(SQLModel, table=True):
    """One attempt to pay one tranche; its id is the end-to-end id at the bank.

    The bank pays ``amount_minor`` less ``offset_minor``, which is set off against what the grantee owes.
    """

    __table_args__ = (
        UniqueConstraint("tranche_id", "attempt", name="payment_attempt_once"),
        Index("payment_one_live", "tranche_id", unique=True, postgresql_where=text(LIVE)),
        Index("payment_by_state", "state", "id"),
        Index("payment_attested", "id", postgresql_where=text("attested IS NOT NULL")),
        CheckConstraint("amount_minor > 0", name="payment_amount_positive"),
        CheckConstraint("offset_minor BETWEEN 0 AND amount_minor", name="payment_offset_within"),
    )

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    tranche_id: UUID = link("tranche.id")
    attempt: int
    amount_minor: int = minor()
    offset_minor: int = minor(default=0)
    currency: str = words()
    milestone_id: UUID | None = link("milestone.id", null=True)
    payee_id: UUID | None = link("payee.id", null=True)
    appropriation_id: UUID | None = link("appropriation.id", null=True)
    hold_transfer_id: UUID | None = Field(default=None, nullable=True)
    post_transfer_id: UUID | None = Field(default=None, nullable=True)
    instruct_transfer_id: UUID | None = Field(default=None, nullable=True)
    bank_reference: str | None = words(null=True)
    bank_reason: str | None = words(null=True)
    attested: str | None = words(null=True)
    holds: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    settled_on: date | None = None
    state: str = words()
    version: int


class PaymentCheck(SQLModel, table=True):
    """What the last payment-stage check found: the codes that block, and when to look again."""

    __tablename__ = "payment_check"
    __table_args__ = (Index("payment_check_again", "recheck_on"),)

    payment_id: UUID = Field(foreign_key="payment.id", primary_key=True)
    checked_at: datetime = moment()
    chain_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    recheck_on: date | None = None
    funds_mark: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    blocked: Any = document(default="[]")


class Duty(SQLModel, table=True):
    """Who did what for one payment. One duty a person and a payment: four eyes are four eyes.

    Several people may approve, each at a ``place`` of their own; ``role`` is the one they acted in. Who acts
    for another says so in ``for_id``; that other one is then ``represented``, a duty like any other, so that
    no two duties meet in a person and their delegate.
    """

    __table_args__ = (
        UniqueConstraint("payment_id", "person_id", name="duty_different_people"),
        CheckConstraint(
            "place >= 1 AND (place = 1 OR duty IN ('approver', 'represented'))", name="duty_of_one"
        ),
        CheckConstraint("(for_id IS NULL) = (delegation_id IS NULL)", name="duty_for_by_delegation"),
    )

    payment_id: UUID = Field(foreign_key="payment.id", primary_key=True)
    duty: str = Field(primary_key=True)
    place: int = Field(
        sa_column=Column(Integer, primary_key=True, autoincrement=False, server_default=text("1"))
    )
    person_id: UUID = link("person.id")
    role: str | None = words(null=True)
    for_id: UUID | None = link("person.id", null=True)
    delegation_id: UUID | None = link("delegation.id", null=True)


class Account(SQLModel, table=True):
    """An account of the ledger. Its sums are kept by the trigger on transfers and by nothing else.

    ``drawn_minor`` is what came in, pending or posted, less what was given back; ``ceiling_minor`` bounds it
    (a commitment's ceiling is the award).
    """

    __table_args__ = (
        UniqueConstraint("owner_id", "kind", "currency", name="account_once"),
        CheckConstraint(
            "kind = 'treasury' OR debits_posted + debits_pending <= credits_posted",
            name="account_not_overdrawn",
        ),
        CheckConstraint("ceiling_minor IS NULL OR drawn_minor <= ceiling_minor", name="account_ceiling"),
        CheckConstraint(
            "debits_posted >= 0 AND debits_pending >= 0 AND credits_posted >= 0 AND credits_pending >= 0",
            name="account_sums_not_negative",
        ),
        CheckConstraint(
            "kind IN ('treasury', 'appropriation', 'commitment', 'payable', 'paid', 'receivable')",
            name="account_kind_known",
        ),
    )

    id: UUID = key()
    kind: str = words()
    owner_id: UUID
    currency: str = words()
    ceiling_minor: int | None = minor(null=True)
    drawn_minor: int = minor(default=0)
    debits_pending: int = minor(default=0)
    debits_posted: int = minor(default=0)
    credits_pending: int = minor(default=0)
    credits_posted: int = minor(default=0)


class Transfer(SQLModel, table=True):
    """One movement: one debit, one credit, one positive sum, one currency. Corrected only by adding."""

    __table_args__ = (
        ForeignKeyConstraint(["chain_id", "event_seq"], ["event.chain_id", "event.seq"]),
        CheckConstraint("amount_minor > 0", name="transfer_amount_positive"),
        CheckConstraint("debit_id <> credit_id", name="transfer_two_accounts"),
        CheckConstraint("kind IN ('posted', 'pending', 'post', 'void')", name="transfer_kind_known"),
        CheckConstraint(
            "(kind IN ('post', 'void')) = (pending_id IS NOT NULL)", name="transfer_second_phase"
        ),
        UniqueConstraint("pending_id", name="transfer_resolved_once"),
        UniqueConstraint("reverses_id", name="transfer_reversed_once"),
    )

    id: UUID = key()
    chain_id: UUID
    event_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    debit_id: UUID = link("account.id", index=True)
    credit_id: UUID = link("account.id", index=True)
    amount_minor: int = minor()
    currency: str = words()
    kind: str = words()
    pending_id: UUID | None = link("transfer.id", null=True)
    reverses_id: UUID | None = link("transfer.id", null=True)
    payment_id: UUID | None = link("payment.id", null=True, index=True)


__all__ = [
    "LIVE",
    "Account",
    "Duty",
    "Payee",
    "Payment",
    "PaymentCheck",
    "Tranche",
    "Transfer",
]
