"""The expert pool (专家库): who can review what, where they belong, whom they are tied to.

Plain rows, each change with who and when in ``person_change``; no states. Ties, affiliations, absences and
bans are ended, never deleted, so that it can be shown what was known on a day.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, moment, words

KINDS = ("technology", "management", "finance", "investment")
TIES = ("kin", "collaborator", "supervisor", "economic", "declared")


class Expert(SQLModel, table=True):
    """An expert of the pool: kinds, region (an office's path), yearly load, languages, words about the work.

    ``identity_hash`` is a keyed hash of the identity number, which itself is never stored.
    """

    __table_args__ = (
        CheckConstraint("yearly_load >= 0", name="expert_load_not_negative"),
        CheckConstraint("jsonb_array_length(kinds) > 0", name="expert_has_a_kind"),
    )

    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    kinds: Any = document(default="[]")
    region: str = words()
    languages: Any = document(default="[]")
    yearly_load: int
    title: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    profile: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    phone: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    identity_hash: str | None = words(null=True, index=True)
    active: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    version: int
    updated_at: datetime = moment()


class ExpertField(SQLModel, table=True):
    """A subject an expert knows, by its code in the subject classification (GB/T 13745): 3, 5 or 7 digits."""

    __tablename__ = "expert_field"
    __table_args__ = (CheckConstraint("code ~ '^[0-9]{3}([0-9]{2}([0-9]{2})?)?$'", name="expert_field_code"),)

    person_id: UUID = Field(foreign_key="expert.person_id", primary_key=True)
    code: str = Field(primary_key=True)


class Affiliation(SQLModel, table=True):
    """Where somebody works or worked; ``unit_key`` is the name as it is compared, kept by a trigger."""

    __table_args__ = (
        CheckConstraint("to_on IS NULL OR from_on IS NULL OR from_on <= to_on", name="affiliation_in_order"),
        Index("affiliation_unit", "unit_key"),
    )

    id: UUID = key()
    person_id: UUID = link("person.id", index=True)
    unit_name: str = words()
    unit_key: str = words()
    from_on: date | None = None
    to_on: date | None = None


class Tie(SQLModel, table=True):
    """A tie of a person that bars from reviewing: to a person by name or account, to a unit, to a project.

    A unit beside a name says which of several namesakes is meant. A collaboration counts until some years
    after ``until_on``, and without it as going on; every other tie counts until it is ended.
    """

    __table_args__ = (
        CheckConstraint(
            "kind IN ('kin', 'collaborator', 'supervisor', 'economic', 'declared')", name="tie_kind_known"
        ),
        CheckConstraint(
            "num_nonnulls(other_name, other_person_id, other_unit_key, project_id) > 0",
            name="tie_to_somebody",
        ),
        Index("tie_other_person", "other_person_id", postgresql_where=text("other_person_id IS NOT NULL")),
        Index("tie_project", "project_id", postgresql_where=text("project_id IS NOT NULL")),
    )

    id: UUID = key()
    person_id: UUID = link("person.id", index=True)
    kind: str = words()
    other_name: str | None = words(null=True)
    other_person_id: UUID | None = link("person.id", null=True)
    other_unit_key: str | None = words(null=True)
    project_id: UUID | None = link("project.id", null=True)
    since_on: date | None = None
    until_on: date | None = None
    evidence: str = words()
    declared_by: UUID = link("person.id")
    declared_at: datetime = moment()
    ended_at: datetime | None = moment(null=True)


class Absence(SQLModel, table=True):
    """Days on which an expert takes no task, both included."""

    __table_args__ = (CheckConstraint("from_on <= to_on", name="absence_in_order"),)

    id: UUID = key()
    person_id: UUID = link("expert.person_id", index=True)
    from_on: date
    to_on: date
    reason: str = Field(default="", sa_column_kwargs={"server_default": text("''")})


class Ban(SQLModel, table=True):
    """A ban from review work and applications for dishonesty (失信), in years, both days included."""

    __table_args__ = (CheckConstraint("from_on <= until_on", name="ban_in_order"),)

    id: UUID = key()
    person_id: UUID = link("person.id", index=True)
    from_on: date
    until_on: date
    reason: str = words()
    imposed_by: UUID = link("person.id")
    imposed_at: datetime = moment()
    lifted_by: UUID | None = link("person.id", null=True)
    lifted_at: datetime | None = moment(null=True)


class ConflictRule(SQLModel, table=True):
    """How a programme version counts conflicts: a rule's name and its years; written when it is published."""

    __tablename__ = "conflict_rule"

    programme_id: UUID = Field(foreign_key="programme_version.id", primary_key=True)
    rule: str = Field(primary_key=True)
    years: int


class Dossier(SQLModel, table=True):
    """What an application says beside its sums; ``id`` is the project's. Written by steps only.

    ``fields``: subject codes. ``team``: members with name, unit, part, and where known person or identity
    hash. ``unsuitable``: at most three experts the applicant names, each by name and unit.
    """

    id: UUID = Field(foreign_key="project.id", primary_key=True)
    project_id: UUID = link("project.id")
    summary: str = words()
    region: str = words()
    fields: Any = document(default="[]")
    team: Any = document(default="[]")
    unsuitable: Any = document(default="[]")


class ProjectParty(SQLModel, table=True):
    """Who stands behind an application, row by row; kept by a trigger from ``project`` and ``dossier``."""

    __tablename__ = "project_party"
    __table_args__ = (
        Index("project_party_of", "project_id"),
        Index("project_party_unit", "unit_key"),
        Index("project_party_name", "name_key"),
        Index("project_party_person", "person_id"),
        Index("project_party_identity", "identity_hash", postgresql_where=text("identity_hash IS NOT NULL")),
        CheckConstraint("part IN ('unit', 'leader', 'member', 'unsuitable')", name="project_party_part"),
    )

    project_id: UUID = Field(foreign_key="project.id", primary_key=True)
    number: int = Field(primary_key=True)
    part: str = words()
    name_key: str | None = words(null=True)
    unit_key: str | None = words(null=True)
    person_id: UUID | None = Field(default=None, nullable=True)
    identity_hash: str | None = words(null=True)


__all__ = [
    "KINDS",
    "TIES",
    "Absence",
    "Affiliation",
    "Ban",
    "ConflictRule",
    "Dossier",
    "Expert",
    "ExpertField",
    "ProjectParty",
    "Tie",
]
