"""Cost claims: what a grantee spent and wants to have verified, line by line, with evidence by hash."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, minor, moment, words

SUBMITTED = "state IN ('submitted', 'accepted')"


class Claim(SQLModel, table=True):
    """A claim for a period. ``lines`` is the draft as typed; handed in, it becomes rows of ``ClaimLine``.

    ``claimed_minor`` and ``allowed_minor`` are of the last submission; nothing is allowed before acceptance.
    ``reopening_by`` proposed to examine an accepted one once more, ``reopened_by`` agreed, the last time.
    """

    __table_args__ = (
        UniqueConstraint("project_id", "number", name="claim_number_once"),
        CheckConstraint("period_to >= period_from", name="claim_period_in_order"),
        CheckConstraint("allowed_minor BETWEEN 0 AND claimed_minor", name="claim_allowed_within"),
        CheckConstraint("decided_by IS NULL OR decided_by <> submitted_by", name="claim_two_people"),
        CheckConstraint("reopened_by IS NULL OR reopened_by <> reopening_by", name="claim_reopened_by_two"),
        CheckConstraint("(reopening_by IS NULL) = (reopening_reason IS NULL)", name="reopening_has_reason"),
        Index("claim_by_state", "state", "id"),
    )

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    number: int
    period_from: date
    period_to: date
    currency: str = words()
    lines: Any = document(default="[]")
    submission: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    claimed_minor: int = minor(default=0)
    allowed_minor: int = minor(default=0)
    submitted_by: UUID | None = link("person.id", null=True)
    submitted_on: date | None = None
    decided_by: UUID | None = link("person.id", null=True)
    decided_on: date | None = None
    opinion: str | None = words(null=True)
    state: str = words()
    version: int
    reopening_by: UUID | None = link("person.id", null=True)
    reopening_reason: str | None = words(null=True)
    reopened_by: UUID | None = link("person.id", null=True)


class ClaimLine(SQLModel, table=True):
    """One cost as it was handed in, and what the examiner found. Only the finding is ever written later.

    ``live`` ends when the submission was returned or withdrawn: such a line is history and no double.
    """

    __tablename__ = "claim_line"
    __table_args__ = (
        UniqueConstraint("claim_id", "submission", "number", name="claim_line_once"),
        CheckConstraint("amount_minor > 0", name="claim_line_amount_positive"),
        CheckConstraint("allowed_minor BETWEEN 0 AND amount_minor", name="claim_line_allowed_within"),
        CheckConstraint(
            "allowed_minor IS NULL OR allowed_minor = amount_minor OR reason <> ''",
            name="claim_line_reason_given",
        ),
        CheckConstraint(
            "(allowed_minor IS NULL) = (examined_by IS NULL) AND (allowed_minor IS NULL) = (reason IS NULL)",
            name="claim_line_examined_whole",
        ),
        Index("claim_line_evidence", "evidence", postgresql_where=text("live")),
        Index("claim_line_invoice", "invoice_key", postgresql_where=text("live")),
    )

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    claim_id: UUID = link("claim.id", index=True)
    submission: int
    number: int
    category: str = words()
    spent_on: date
    payee: str = words()
    invoice_no: str = words()
    invoice_key: str | None = words(null=True)
    description: str = words()
    amount_minor: int = minor()
    evidence: str | None = words(null=True)
    live: bool
    allowed_minor: int | None = minor(null=True)
    reason: str | None = words(null=True)
    examined_by: UUID | None = link("person.id", null=True)
    examined_at: datetime | None = moment(null=True)


__all__ = ["SUBMITTED", "Claim", "ClaimLine"]
