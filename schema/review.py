"""Review rounds and the tasks experts receive in them; public notices and the objections to them."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import SQLModel

from schema.columns import document, key, link, minor, words


class Round(SQLModel, table=True):
    """One round of expert review of one project in one stage; scores are thousandths of a percent point."""

    __table_args__ = (UniqueConstraint("project_id", "stage", "number", name="round_once"),)

    id: UUID = key()
    project_id: UUID = link("project.id")
    stage: str = words()
    number: int
    score_milli: int | None = None
    passed: bool | None = None
    state: str = words()
    version: int


class Task(SQLModel, table=True):
    """One expert's review of one project in one round."""

    __table_args__ = (UniqueConstraint("round_id", "expert_id", name="task_expert_once"),)

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    round_id: UUID = link("round.id", index=True)
    expert_id: UUID = link("person.id", index=True)
    scores: Any = document()
    comment: str | None = words(null=True)
    score_milli: int | None = None
    reason: str | None = words(null=True)
    state: str = words()
    version: int


class Notice(SQLModel, table=True):
    """A public notice (公示): issued one day, its window of working days stated beside it."""

    __table_args__ = (CheckConstraint("opens_on <= closes_on", name="notice_window_in_order"),)

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    issued_on: date
    opens_on: date
    closes_on: date
    proposed_minor: int | None = minor(null=True)
    state: str = words()
    version: int


class Objection(SQLModel, table=True):
    """An objection (异议) to a notice. Who objected is confidential."""

    id: UUID = key()
    project_id: UUID = link("project.id", index=True)
    notice_id: UUID = link("notice.id", index=True)
    objector: str = words()
    contact: str = words()
    grounds: str = words()
    answer: str | None = words(null=True)
    state: str = words()
    version: int
