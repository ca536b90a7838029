"""Programme versions, the machines composed from them, and calls."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, moment, words


class ProgrammeVersion(SQLModel, table=True):
    """One version of a programme, with the very text of its file. Never changed once published.

    ``approvals``: the tiers of the file, by which the database counts who has approved a payment.
    """

    __tablename__ = "programme_version"
    __table_args__ = (UniqueConstraint("code", "version", name="programme_version_once"),)

    id: UUID = key()
    code: str = words()
    version: int
    chain_id: UUID = link("chain.id")
    source: str = words()
    digest: str = words()
    title: Any = document()
    published_at: datetime = moment()
    approvals: Any = document(default="[]")


class MachineRow(SQLModel, table=True):
    """A state machine by the digest of its table of steps. Sealed: nothing is added to it later."""

    __tablename__ = "machine"

    id: str = Field(primary_key=True)
    noun: str = words()
    sealed: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class AllowedStep(SQLModel, table=True):
    """A change that may happen: this step, from this state to that, by this role. Events refer to it."""

    __tablename__ = "allowed_step"
    __table_args__ = (ForeignKeyConstraint(["machine"], ["machine.id"]),)

    machine: str = Field(primary_key=True)
    step: str = Field(primary_key=True)
    from_state: str = Field(primary_key=True)
    to_state: str = Field(primary_key=True)
    role: str = Field(primary_key=True)


class Call(SQLModel, table=True):
    """A call for applications (申报指南) with its window, both days included."""

    __table_args__ = (CheckConstraint("opens_on <= closes_on", name="call_window_in_order"),)

    id: UUID = key()
    chain_id: UUID = link("chain.id")
    programme_id: UUID = link("programme_version.id")
    title: str = words()
    opens_on: date
    closes_on: date
    state: str = words()
    version: int
