"""Delegations: somebody gives a duty of theirs to a colleague, from a day to a day."""

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import SQLModel

from schema.columns import UUID, document, key, link, minor, words


class Delegation(SQLModel, table=True):
    """Who may act for whom, in which role and steps, within which offices, up to which sum, in which days.

    ``until_on`` is the last day. Nothing of it changes once it is granted but its state.
    """

    __table_args__ = (
        CheckConstraint("delegate_id <> delegator_id", name="delegation_two_people"),
        CheckConstraint("until_on >= from_on", name="delegation_days_in_order"),
        CheckConstraint(
            "limit_minor IS NULL OR (limit_minor > 0 AND currency IS NOT NULL)", name="delegation_limit_whole"
        ),
        Index("delegation_in_force", "delegate_id", postgresql_where=text("state = 'accepted'")),
    )

    id: UUID = key()
    chain_id: UUID = link("chain.id")
    programme_id: UUID = link("programme_version.id")
    delegator_id: UUID = link("person.id", index=True)
    delegate_id: UUID = link("person.id")
    role: str = words()
    steps: Any = document(default="[]")
    within: str = words()
    from_on: date
    until_on: date
    limit_minor: int | None = minor(null=True)
    currency: str | None = words(null=True)
    reason: str = words()
    state: str = words()
    version: int


__all__ = ["Delegation"]
