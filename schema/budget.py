"""Yearly budgets: appropriations by source and year of origin, and the changes that two people make."""

from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from schema.columns import key, link, minor, words


class Appropriation(SQLModel, table=True):
    """What a programme may spend from one source in one fiscal year and currency.

    The sums stand in its account; ``amount_minor`` is what was voted at first. ``origin_year`` is the year
    the money was first voted for, earlier than ``fiscal_year`` where it was carried over; ``source_rank`` the
    place of the source in the programme's list. ``for_interest``: it pays interest for late payments and
    nothing of an award. ``office_path`` is whose it is: it pays for projects there and below. One person
    proposes it and another confirms it; so it is with the close of its year. What was voted by one person
    before that rule, or opened for carried-over money, has nobody in these columns.
    """

    __table_args__ = (
        Index(
            "appropriation_once",
            "programme_code",
            "fiscal_year",
            "source",
            "currency",
            "origin_year",
            "office_path",
            unique=True,
            postgresql_where=text("state NOT IN ('rejected', 'withdrawn')"),
        ),
        CheckConstraint("voted_by IS NULL OR voted_by <> proposed_by", name="appropriation_two_people"),
        CheckConstraint("closed_by IS NULL OR closed_by <> closing_by", name="year_closed_by_two_people"),
        CheckConstraint("(closing_by IS NULL) = (closing_reason IS NULL)", name="closing_has_reason"),
        CheckConstraint("origin_year <= fiscal_year", name="appropriation_origin_not_later"),
    )

    id: UUID = key()
    chain_id: UUID = link("chain.id")
    programme_id: UUID = link("programme_version.id")
    programme_code: str = words()
    fiscal_year: int
    currency: str = words()
    amount_minor: int = minor()
    state: str = words()
    version: int
    source: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'own'")))
    source_rank: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("0")))
    origin_year: int
    office_path: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'/'")))
    for_interest: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    proposed_by: UUID | None = link("person.id", null=True)
    voted_by: UUID | None = link("person.id", null=True)
    closing_by: UUID | None = link("person.id", null=True)
    closing_reason: str | None = words(null=True)
    closed_by: UUID | None = link("person.id", null=True)


class BudgetChange(SQLModel, table=True):
    """A change of an appropriation that one person proposes and another confirms.

    ``to_id`` is where the money goes: of a move from the beginning, of a carry-over from the confirmation on.
    """

    __tablename__ = "budget_change"
    __table_args__ = (
        CheckConstraint("confirmed_by IS NULL OR confirmed_by <> proposed_by", name="budget_two_people"),
        CheckConstraint("amount_minor > 0", name="budget_change_positive"),
        CheckConstraint(
            "kind IN ('increase', 'decrease', 'move', 'carry_over', 'lapse')", name="budget_change_kind_known"
        ),
        CheckConstraint("to_id IS NULL OR to_id <> appropriation_id", name="budget_change_two_purses"),
        Index("budget_change_open", "appropriation_id", postgresql_where=text("state = 'proposed'")),
    )

    id: UUID = key()
    chain_id: UUID = link("chain.id")
    programme_id: UUID = link("programme_version.id")
    office_path: str = words()
    appropriation_id: UUID = link("appropriation.id", index=True)
    to_id: UUID | None = link("appropriation.id", null=True, index=True)
    kind: str = words()
    amount_minor: int = minor()
    currency: str = words()
    reason: str = words()
    paper: str = words()
    proposed_by: UUID = link("person.id")
    confirmed_by: UUID | None = link("person.id", null=True)
    state: str = words()
    version: int


__all__ = ["Appropriation", "BudgetChange"]
