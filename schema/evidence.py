"""What proves: chains of events, seals over their heads, jobs done, mail that went out."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, minor, moment, octets, words


class Chain(SQLModel, table=True):
    """The head of one chain of events; its row lock orders everything that happens to a project."""

    id: UUID = key()
    kind: str = words()
    seq: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    head: bytes = octets()


class Event(SQLModel, table=True):
    """Something that happened. ``body`` is the stored truth; ``hash`` is SHA-256 of ``prev_hash`` and it."""

    __table_args__ = (
        UniqueConstraint("subject_id", "subject_seq", name="event_subject_version"),
        UniqueConstraint("prev_hash", name="event_chain_linear"),
        UniqueConstraint("actor_id", "request_id", name="event_request_once"),
        CheckConstraint("hash = sha256(prev_hash || body)", name="event_hash_true"),
        ForeignKeyConstraint(
            ["machine", "step", "from_state", "to_state", "role"],
            [
                "allowed_step.machine",
                "allowed_step.step",
                "allowed_step.from_state",
                "allowed_step.to_state",
                "allowed_step.role",
            ],
            name="event_step_allowed",
        ),
        Index("event_at", "at"),
        Index("event_began_by", "actor_id", postgresql_where=text("seq = 1")),
    )

    chain_id: UUID = Field(foreign_key="chain.id", primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    noun: str = words()
    subject_id: UUID
    subject_seq: int
    machine: str = words()
    step: str = words()
    from_state: str = words()
    to_state: str = words()
    role: str = words()
    actor_id: UUID = link("person.id")
    request_id: str = words()
    fingerprint: bytes = octets()
    at: datetime = moment()
    body: bytes = octets()
    prev_hash: bytes = octets()
    hash: bytes = octets()
    xid: int = Field(
        sa_column=Column(
            BigInteger, nullable=False, server_default=text("(pg_current_xact_id()::text)::bigint")
        )
    )


class Message(SQLModel, table=True):
    """A mail owed to one person for one fact; kept until a server took it or people see that none will."""

    __table_args__ = (
        UniqueConstraint("source", "recipient_id", name="message_once"),
        CheckConstraint("state IN ('queued', 'sent', 'dead')", name="message_state_known"),
        Index("message_waiting", "next_attempt_at", postgresql_where=text("state = 'queued'")),
        ForeignKeyConstraint(["chain_id", "event_seq"], ["event.chain_id", "event.seq"]),
    )

    id: UUID = key()
    source: str = words()
    chain_id: UUID | None = Field(default=None, nullable=True)
    event_seq: int | None = minor(null=True)
    recipient_id: UUID = link("person.id")
    template: str = words()
    context: Any = document()
    state: str = words()
    message_id: str = words()
    raw: bytes | None = octets(null=True)
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    created_at: datetime = moment()
    next_attempt_at: datetime = moment()
    sent_at: datetime | None = moment(null=True)
    last_error: str | None = words(null=True)


class JobClaim(SQLModel, table=True):
    """A due job taken, in the transaction of its effect: a second taker finds it done."""

    __tablename__ = "job_claim"

    job: str = Field(primary_key=True)
    due: str = Field(primary_key=True)
    claimed_at: datetime = moment()
    message_source: str | None = words(null=True)


class Seal(SQLModel, table=True):
    """One day's Merkle root (RFC 6962) over the heads of all chains."""

    sealed_on: date = Field(primary_key=True)
    size: int
    root: bytes = octets()
    sealed_at: datetime = moment()


class SealLeaf(SQLModel, table=True):
    """A chain's head as it went under a seal."""

    __tablename__ = "seal_leaf"

    sealed_on: date = Field(foreign_key="seal.sealed_on", primary_key=True)
    position: int = Field(primary_key=True)
    chain_id: UUID = link("chain.id", index=True)
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    hash: bytes = octets()
