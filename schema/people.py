"""Who there is: offices in a tree, people, the roles they were granted, their sessions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from schema.columns import document, key, link, moment, words


class Office(SQLModel, table=True):
    """An office of the region, city or county; ``path`` holds its ancestors: a grant covers what is below."""

    id: UUID = key()
    parent_id: UUID | None = link("office.id", null=True)
    name_zh: str = words()
    name_en: str = words()
    path: str = words(unique=True)


class Person(SQLModel, table=True):
    """Somebody who can act. The system itself is one, with no password and the role ``system``."""

    __table_args__ = (CheckConstraint("locale IN ('zh', 'en')", name="person_locale_known"),)

    id: UUID = key()
    login: str = words(unique=True)
    name: str = words()
    email: str = words()
    locale: str = words()
    password_hash: str | None = words(null=True)
    active: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})


class RoleGrant(SQLModel, table=True):
    """A role of a person: for an office and all below it, or for one project. Revoked, never deleted."""

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint("(office_path IS NULL) <> (project_id IS NULL)", name="role_grant_has_one_scope"),
        Index("role_grant_live", "person_id", postgresql_where=text("revoked_at IS NULL")),
        Index("role_grant_project", "project_id", postgresql_where=text("revoked_at IS NULL")),
    )

    id: UUID = key()
    person_id: UUID = link("person.id")
    role: str = words()
    office_path: str | None = words(null=True)
    project_id: UUID | None = link("project.id", null=True)
    granted_at: datetime = moment()
    revoked_at: datetime | None = moment(null=True)


class WebSession(SQLModel, table=True):
    """A log-in. Only the hash of its token is kept; ``fresh_at`` is the last time a password was typed."""

    __tablename__ = "web_session"

    token_hash: str = Field(primary_key=True)
    person_id: UUID = link("person.id", index=True)
    csrf: str = words()
    created_at: datetime = moment()
    fresh_at: datetime = moment()
    expires_at: datetime = moment()


class Document(SQLModel, table=True):
    """A file handed in, stored once under the SHA-256 of its bytes and served as an attachment only."""

    sha256: str = Field(primary_key=True)
    name: str = words()
    media_type: str = words()
    content: bytes
    uploaded_by: UUID = link("person.id")
    uploaded_at: datetime = moment()


class DocumentUpload(SQLModel, table=True):
    """Who handed a document in. The bytes are kept once; everyone who brought them may attach them."""

    __tablename__ = "document_upload"

    sha256: str = Field(foreign_key="document.sha256", primary_key=True)
    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    at: datetime = moment()


class PersonChange(SQLModel, table=True):
    """What was done to a person's account or roles, by whom and when. Added to, never changed."""

    __tablename__ = "person_change"
    __table_args__ = (Index("person_change_of", "person_id", "at"),)

    id: UUID = key()
    person_id: UUID = link("person.id")
    by_id: UUID = link("person.id")
    at: datetime = moment()
    what: str = words()
    detail: Any = document()


class Setting(SQLModel, table=True):
    """A value of the installation that is not a rule: the simulated clock, the replay's cursor."""

    name: str = Field(primary_key=True)
    value: Any = document()
