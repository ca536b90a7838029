"""The project, what it undertook, and the facts its gates are held against."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, minor, moment, words


class Project(SQLModel, table=True):
    """An application and everything it becomes.

    ``id`` is also the id of its chain of events. The columns from ``pledged_unit`` on are facts that steps
    on the project and its parts leave behind; the database refuses to change them without an event.
    """

    __table_args__ = (
        CheckConstraint("award_minor IS NULL OR award_minor > 0", name="project_award_positive"),
        CheckConstraint(
            "open_objections >= 0 AND holds >= 0 AND integrity_flags >= 0", name="project_counts"
        ),
        CheckConstraint("verified_minor >= 0", name="project_verified_not_negative"),
        Index("project_by_office", "office_path", "state"),
        Index("project_by_programme", "programme_id", "state"),
    )

    id: UUID = key()
    code: str = words(unique=True)
    title: str = words()
    programme_id: UUID = link("programme_version.id")
    programme_code: str = words()
    call_id: UUID | None = link("call.id", null=True)
    office_path: str = words()
    unit_name: str = words()
    leader_name: str = words()
    currency: str = words()
    requested_minor: int = minor()
    award_minor: int | None = minor(null=True)
    plan: Any = document(default="[]")
    budget: Any = document()
    state: str = words()
    version: int
    machine: str = words()
    suspended_from: str | None = words(null=True)
    pledged_unit: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    pledged_leader: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    checklist: Any = document()
    review_outcomes: Any = document()
    reviews_done: Any = document(default="[]")
    notice_closes_on: date | None = None
    notice_state: str | None = words(null=True)
    open_objections: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    holds: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    integrity_flags: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    grantee_signed_on: date | None = None
    agreement_signed_on: date | None = None
    own_contribution_minor: int = minor(default=0)
    verified_minor: int = minor(default=0)
    accounts_until: date | None = None
    proofs: Any = document(default="[]")
    payee_id: UUID | None = Field(default=None, nullable=True)
    acceptance_outcome: str | None = words(null=True)
    rectified: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class Milestone(SQLModel, table=True):
    """A piece of the work with its due day; its acceptance is what a tranche may wait for."""

    __table_args__ = (
        UniqueConstraint("project_id", "number", name="milestone_number_once"),
        CheckConstraint("amount_minor IS NULL OR amount_minor > 0", name="milestone_amount_positive"),
        Index("milestone_of_evaluator", "evaluator_id", postgresql_where=text("evaluator_id IS NOT NULL")),
    )

    id: UUID = key()
    project_id: UUID = link("project.id")
    number: int
    title: str = words()
    amount_minor: int | None = minor(null=True)
    due_on: date | None = None
    state: str = words()
    version: int
    evaluator_id: UUID | None = link("person.id", null=True)
    reported_on: date | None = None
    report: str | None = words(null=True)
    documents: Any = document(default="[]")
    deliverables: int | None = None
    deliverables_accepted: int | None = None
    decided_on: date | None = None
    opinion: str | None = words(null=True)


class Pledge(SQLModel, table=True):
    """A research-integrity pledge (科研诚信承诺书) signed for one application."""

    project_id: UUID = Field(foreign_key="project.id", primary_key=True)
    signer: str = Field(primary_key=True)
    person_id: UUID = link("person.id")
    signed_at: datetime = moment()


class Hold(SQLModel, table=True):
    """A reason why no money moves for now: of a project (hold, integrity) or of one payment.

    Who placed a hold does not lift it; an integrity flag is the supervisor's alone.
    """

    __table_args__ = (
        CheckConstraint("kind IN ('hold', 'integrity', 'payment')", name="hold_kind_known"),
        CheckConstraint("(kind = 'payment') = (payment_id IS NOT NULL)", name="hold_of_payment"),
        CheckConstraint(
            "kind = 'integrity' OR lifted_by IS NULL OR lifted_by <> placed_by", name="hold_two_people"
        ),
        Index("hold_of_payment_standing", "payment_id", postgresql_where=text("lifted_at IS NULL")),
    )

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    kind: str = words()
    payment_id: UUID | None = link("payment.id", null=True)
    reason: str = words()
    placed_by: UUID = link("person.id")
    placed_at: datetime = moment()
    lifted_by: UUID | None = link("person.id", null=True)
    lifted_at: datetime | None = moment(null=True)


class Contribution(SQLModel, table=True):
    """Own contribution (自筹) that finance has seen the evidence of."""

    __table_args__ = (CheckConstraint("amount_minor > 0", name="contribution_amount_positive"),)

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    amount_minor: int = minor()
    currency: str = words()
    evidence: str = words()
    verified_by: UUID = link("person.id")
    verified_at: datetime = moment()


class Deadline(SQLModel, table=True):
    """A day by which somebody has to act on a subject; closed by the event that ended the waiting."""

    __table_args__ = (
        UniqueConstraint("subject_id", "name", "opened_seq", name="deadline_once"),
        Index("deadline_open", "due_on", postgresql_where="closed_seq IS NULL"),
        Index("deadline_open_subject", "subject_id", postgresql_where="closed_seq IS NULL"),
    )

    id: UUID = key()
    chain_id: UUID = link("chain.id")
    noun: str = words()
    subject_id: UUID
    name: str = words()
    due_on: date
    provisional: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    who: Any = document(default="[]")
    act: str | None = words(null=True)
    opened_seq: int
    closed_seq: int | None = None
