"""Corrections of what a person caused by mistake: each names what it takes back."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from schema.columns import key, link, words


class Correction(SQLModel, table=True):
    """A receipt entered for the wrong receivable, or a write-off on a wrong figure, to be taken back.

    ``proposed`` by one; ``done`` by another, or ``dropped``. ``transfer_id`` is what is reversed, none
    where no money moved (all of the receipt was too much). ``decided_seq`` is the receivable's version
    that the decision made. ``decision_no`` names the decision, which a closed year asks for.
    """

    __table_args__ = (
        CheckConstraint("kind IN ('receipt', 'write_off')", name="correction_kind_known"),
        CheckConstraint("(kind = 'receipt') = (receipt_id IS NOT NULL)", name="correction_of_something"),
        CheckConstraint("kind = 'receipt' OR transfer_id IS NOT NULL", name="correction_of_a_transfer"),
        CheckConstraint("status IN ('proposed', 'done', 'dropped')", name="correction_status_known"),
        CheckConstraint(
            "(status = 'proposed') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_seq IS NULL)",
            name="correction_decided_by_somebody",
        ),
        CheckConstraint("status <> 'done' OR decided_by <> proposed_by", name="correction_two_people"),
        Index(
            "correction_waits_once",
            "receivable_id",
            unique=True,
            postgresql_where=text("status = 'proposed'"),
        ),
        Index(
            "correction_of_receipt_once", "receipt_id", unique=True, postgresql_where=text("status = 'done'")
        ),
        Index(
            "correction_of_transfer_once",
            "transfer_id",
            unique=True,
            postgresql_where=text("status = 'done'"),
        ),
    )

    id: UUID = key()
    receivable_id: UUID = link("receivable.id", index=True)
    project_id: UUID = link("project.id", index=True)
    kind: str = words()
    receipt_id: UUID | None = link("receipt.id", null=True)
    transfer_id: UUID | None = Field(default=None, nullable=True)
    reason: str = words()
    decision_no: str = words()
    proposed_by: UUID = link("person.id")
    decided_by: UUID | None = link("person.id", null=True)
    decided_seq: int | None = Field(default=None, nullable=True)
    status: str = words()


__all__ = ["Correction"]
