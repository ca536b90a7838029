"""Papers that money waits for: what was handed in, and what finance found of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import SQLModel

from schema.columns import document, key, link, moment, words


class Proof(SQLModel, table=True):
    """A separate ledger, final accounts or an audit report, by the hashes of its files; decided once."""

    __table_args__ = (
        CheckConstraint(
            "kind IN ('segregated_ledger', 'final_accounts', 'audit_report')", name="proof_kind_known"
        ),
        CheckConstraint("decided_by IS NULL OR decided_by <> handed_by", name="proof_two_people"),
        CheckConstraint(
            "(decided_by IS NULL) = (outcome IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL) "
            "AND coalesce(outcome IN ('accepted', 'returned'), true)",
            name="proof_decided_whole",
        ),
    )

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    kind: str = words()
    documents: Any = document(default="[]")
    note: str = words()
    handed_by: UUID = link("person.id")
    handed_at: datetime = moment()
    decided_by: UUID | None = link("person.id", null=True)
    decided_at: datetime | None = moment(null=True)
    outcome: str | None = words(null=True)
    opinion: str | None = words(null=True)


__all__ = ["Proof"]
