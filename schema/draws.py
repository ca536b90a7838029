"""Draws of expert panels, the seats they filled, drafts of reviews, requests for a review of a decision."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, moment, octets, words


class Draw(SQLModel, table=True):
    """A draw for several rounds at once. ``committed`` are the very bytes whose hash was on record first.

    ``salt`` is what its names for experts are made with, which stand in ``committed``, ``panels`` and
    ``entries``; draws of before have none. ``value`` is the public random value as it was published;
    ``entries`` are the replacements, in order.
    """

    __table_args__ = (
        CheckConstraint("source_kind IN ('drand', 'figure')", name="draw_source_known"),
        CheckConstraint("(value IS NULL) = (drawn_at IS NULL)", name="draw_value_with_its_moment"),
        Index("draw_by_programme", "programme_id", "state"),
    )

    id: UUID = key()
    chain_id: UUID = link("chain.id")
    programme_id: UUID = link("programme_version.id")
    office_path: str = words()
    title: str = words()
    source_kind: str = words()
    source_name: str = words()
    source_on: date
    committed: bytes = octets()
    commitment: str = words(unique=True)
    salt: bytes | None = octets(null=True)
    announced_at: datetime = moment()
    witness_id: UUID | None = link("person.id", null=True)
    value: str | None = words(null=True)
    value_evidence: str | None = words(null=True)
    drawn_at: datetime | None = moment(null=True)
    panels: Any = document()
    entries: Any = document(default="[]")
    replaces_id: UUID | None = link("draw.id", null=True)
    reason: str | None = words(null=True)
    state: str = words()
    version: int


class DrawRound(SQLModel, table=True):
    """A round that a draw covers. One draw stands for it: a redraw is on record beside the first."""

    __tablename__ = "draw_round"
    __table_args__ = (
        Index("draw_round_live", "round_id", unique=True, postgresql_where=text("voided_at IS NULL")),
    )

    id: UUID = key()
    draw_id: UUID = link("draw.id", index=True)
    round_id: UUID = link("round.id")
    project_id: UUID = link("project.id")
    voided_at: datetime | None = moment(null=True)


class DrawSeat(SQLModel, table=True):
    """An expert who was drawn for a round: at the draw itself (``entry`` 0) or by a replacement entry."""

    __tablename__ = "draw_seat"
    __table_args__ = (Index("draw_seat_round", "round_id"),)

    draw_id: UUID = Field(foreign_key="draw.id", primary_key=True)
    round_id: UUID = Field(foreign_key="round.id", primary_key=True)
    expert_id: UUID = Field(foreign_key="person.id", primary_key=True)
    entry: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    rank: int


class Draft(SQLModel, table=True):
    """What an expert has typed so far, saved as typed. Not evidence: a review is what was submitted."""

    task_id: UUID = Field(foreign_key="task.id", primary_key=True)
    person_id: UUID = link("person.id")
    content: Any = document()
    revision: int
    tab: str = words()
    saved_at: datetime = moment()


class DraftKept(SQLModel, table=True):
    """What another tab had typed when a later one was saved over it: nothing typed is lost."""

    __tablename__ = "draft_kept"
    __table_args__ = (Index("draft_kept_of", "task_id", "saved_at"),)

    id: UUID = key()
    task_id: UUID = link("task.id")
    person_id: UUID = link("person.id")
    content: Any = document()
    tab: str = words()
    saved_at: datetime = moment()


class LoginCode(SQLModel, table=True):
    """A one-time code that was mailed; only its hash is kept, and it works once, for minutes."""

    __tablename__ = "login_code"
    __table_args__ = (Index("login_code_of", "person_id", "expires_at"),)

    id: UUID = key()
    person_id: UUID = link("person.id")
    code_hash: str = words()
    created_at: datetime = moment()
    expires_at: datetime = moment()
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    used_at: datetime | None = moment(null=True)


class ReviewRequest(SQLModel, table=True):
    """A request to review a decision (复审): within 15 days, answered within 60; its ground is named."""

    __tablename__ = "review_request"
    __table_args__ = (
        CheckConstraint(
            "ground IN ('procedure', 'fact', 'recusal', 'academic_judgement')", name="review_request_ground"
        ),
    )

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    ground: str = words()
    statement: str = words()
    answer: str | None = words(null=True)
    state: str = words()
    version: int


class Vote(SQLModel, table=True):
    """A secret ballot of a panel that met, as counted: no proxies, more than half of those present."""

    __table_args__ = (
        CheckConstraint(
            "in_favour >= 0 AND against >= 0 AND abstained >= 0 "
            "AND in_favour + against + abstained = present",
            name="vote_adds_up",
        ),
    )

    id: UUID = key()
    project_id: UUID = link("project.id")
    round_id: UUID = link("round.id", index=True)
    present: int
    in_favour: int
    against: int
    abstained: int
    minutes: str = words()
    recorded_by: UUID = link("person.id")
    recorded_at: datetime = moment()


__all__ = [
    "Draft",
    "DraftKept",
    "Draw",
    "DrawRound",
    "DrawSeat",
    "LoginCode",
    "ReviewRequest",
    "Vote",
]
