"""What a grantee owes back, and what came in for it."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, minor, words

GROUNDS = ("disallowed_cost", "surplus", "termination", "revocation", "overpayment")
OPEN = ("owed", "instalments")
"""States in which something is owed."""


class Receivable(SQLModel, table=True):
    """A sum that was paid and is to come back (退款), demanded under a reference of its own.

    What is left is ``amount_minor`` less what was received, set off (``offset_minor``) and written off;
    ``reserved_minor`` of it is to be set off. ``next_due_on`` is the day of
    what is due next: the whole, or the first instalment of ``plan`` that is not covered.
    ``planned_from_minor`` is what was covered before the plan. ``over_minor`` came in beyond what was owed.
    ``ending_*`` is the proposal to write off, until somebody else decides.
    """

    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="receivable_amount_positive"),
        CheckConstraint(
            "received_minor >= 0 AND written_off_minor >= 0 AND over_minor >= 0 AND planned_from_minor >= 0 "
            "AND offset_minor >= 0 AND reserved_minor >= 0",
            name="receivable_sums_not_negative",
        ),
        CheckConstraint(
            "received_minor + offset_minor + reserved_minor + written_off_minor <= amount_minor",
            name="receivable_within",
        ),
        CheckConstraint(
            "state NOT IN ('settled', 'written_off') "
            "OR received_minor + offset_minor + written_off_minor = amount_minor",
            name="receivable_closed_in_full",
        ),
        CheckConstraint(
            "confirmed_by IS NULL OR confirmed_by <> established_by", name="receivable_two_people"
        ),
        CheckConstraint(
            "(written_off_minor > 0) = (ended_by IS NOT NULL) "
            "AND (ended_by IS NULL OR ended_by <> ending_by)",
            name="receivable_write_off_two_people",
        ),
        CheckConstraint(
            "state IN ('proposed', 'cancelled') OR (confirmed_by IS NOT NULL AND confirmed_on IS NOT NULL)",
            name="receivable_confirmed",
        ),
        CheckConstraint(
            "ground IN ('disallowed_cost', 'surplus', 'termination', 'revocation', 'overpayment')",
            name="receivable_ground_known",
        ),
        Index("receivable_open", "next_due_on", postgresql_where=text("state IN ('owed', 'instalments')")),
    )

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    reference: str = words(unique=True)
    ground: str = words()
    legal_basis: str = words()
    decision_no: str = words()
    amount_minor: int = minor()
    currency: str = words()
    due_on: date
    next_due_on: date
    established_by: UUID = link("person.id")
    established_on: date
    confirmed_by: UUID | None = link("person.id", null=True)
    confirmed_on: date | None = None
    claim_transfer_id: UUID = Field(nullable=False)
    plan: Any = document(default="[]")
    planned_from_minor: int = minor(default=0)
    received_minor: int = minor(default=0)
    written_off_minor: int = minor(default=0)
    offset_minor: int = minor(default=0)
    reserved_minor: int = minor(default=0)
    over_minor: int = minor(default=0)
    ending: str | None = words(null=True)
    ending_by: UUID | None = link("person.id", null=True)
    ending_reason: str | None = words(null=True)
    ending_decision_no: str | None = words(null=True)
    ended_by: UUID | None = link("person.id", null=True)
    closed_on: date | None = None
    state: str = words()
    version: int


class Receipt(SQLModel, table=True):
    """Money that came in for a receivable: by an entry of a statement, or by a slip of the treasury.

    ``taken_minor`` was owed, ``over_minor`` was not. ``restored_minor`` of it went back to appropriations of
    the year, the rest to the treasury. Rows never change, but that ``reversal_id`` names the correction by
    which one was taken back; then its entry, or its slip, may be entered where it belongs.
    """

    __table_args__ = (
        CheckConstraint(
            "amount_minor > 0 AND taken_minor >= 0 AND over_minor >= 0 "
            "AND taken_minor + over_minor = amount_minor",
            name="receipt_adds_up",
        ),
        CheckConstraint("restored_minor BETWEEN 0 AND taken_minor", name="receipt_restored_within"),
        Index("receipt_entry_once", "entry_id", unique=True, postgresql_where=text("reversal_id IS NULL")),
        Index(
            "receipt_slip_once",
            "reference",
            unique=True,
            postgresql_where=text("reversal_id IS NULL AND entry_id IS NULL"),
        ),
    )

    id: UUID = key()
    receivable_id: UUID = link("receivable.id", index=True)
    project_id: UUID = link("project.id", index=True)
    entry_id: UUID | None = link("bank_entry.id", null=True)
    amount_minor: int = minor()
    taken_minor: int = minor()
    over_minor: int = minor()
    restored_minor: int = minor(default=0)
    currency: str = words()
    received_on: date
    reference: str = words()
    note: str = words()
    recorded_by: UUID = link("person.id")
    reversal_id: UUID | None = Field(default=None, nullable=True)


class SetOff(SQLModel, table=True):
    """What is owed, set off against a payment of the project (抵扣): the payment pays the lesser sum.

    ``proposed`` by one, ``agreed`` by another, ``applied`` once the payment is settled; ``released`` where it
    came to nothing, ``undone`` where the settled payment came back.
    """

    __tablename__ = "set_off"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="set_off_amount_positive"),
        CheckConstraint(
            "status IN ('proposed', 'agreed', 'applied', 'released', 'undone')", name="set_off_status_known"
        ),
        CheckConstraint("agreed_by IS NULL OR agreed_by <> proposed_by", name="set_off_two_people"),
        CheckConstraint(
            "status NOT IN ('agreed', 'applied', 'undone') "
            "OR (agreed_by IS NOT NULL AND hold_transfer_id IS NOT NULL)",
            name="set_off_agreed_by_somebody",
        ),
        Index(
            "set_off_payment_live",
            "payment_id",
            unique=True,
            postgresql_where=text("status IN ('proposed', 'agreed', 'applied')"),
        ),
        Index(
            "set_off_receivable_live",
            "receivable_id",
            unique=True,
            postgresql_where=text("status IN ('proposed', 'agreed')"),
        ),
    )

    id: UUID = key()
    receivable_id: UUID = link("receivable.id", index=True)
    payment_id: UUID = link("payment.id")
    project_id: UUID = link("project.id", index=True)
    amount_minor: int = minor()
    currency: str = words()
    grounds: str = words()
    proposed_by: UUID = link("person.id")
    agreed_by: UUID | None = link("person.id", null=True)
    hold_transfer_id: UUID | None = Field(default=None, nullable=True)
    post_transfer_id: UUID | None = Field(default=None, nullable=True)
    status: str = words()


__all__ = ["GROUNDS", "OPEN", "Receipt", "Receivable", "SetOff"]
