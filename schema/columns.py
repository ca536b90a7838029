"""Column shapes shared by the tables: a sum, a moment, an id are declared the same way everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, LargeBinary, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field


def key() -> Any:
    """A primary key that the program chooses, so that a repeated request names the same row."""
    return Field(sa_column=Column(Uuid, primary_key=True))


def link(target: str, *, null: bool = False, index: bool = False) -> Any:
    """A reference to another row's id."""
    column = Column(Uuid, ForeignKey(target), nullable=null, index=index)
    return Field(default=None, sa_column=column) if null else Field(sa_column=column)


def minor(*, null: bool = False, default: int | None = None) -> Any:
    """A sum in minor units of the row's currency."""
    server = None if default is None else text(str(default))
    if null:
        return Field(default=None, sa_column=Column(BigInteger, nullable=True))
    return Field(default=default, sa_column=Column(BigInteger, nullable=False, server_default=server))


def moment(*, null: bool = False) -> Any:
    """An instant with its zone, microseconds, as PostgreSQL keeps it."""
    if null:
        return Field(default=None, sa_column=Column(DateTime(timezone=True), nullable=True))
    return Field(sa_column=Column(DateTime(timezone=True), nullable=False))


def document(*, default: str = "{}") -> Any:
    """A JSON value; used for lists and answers that no query sorts by."""
    return Field(
        default=None, sa_column=Column(JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"))
    )


def words(*, null: bool = False, unique: bool = False, index: bool = False) -> Any:
    """Text without a length: PostgreSQL gains nothing from one."""
    column = Column(Text, nullable=null, unique=unique, index=index)
    return Field(default=None, sa_column=column) if null else Field(sa_column=column)


def octets(*, null: bool = False, unique: bool = False) -> Any:
    """Bytes, kept exactly as hashed."""
    column = Column(LargeBinary, nullable=null, unique=unique)
    return Field(default=None, sa_column=column) if null else Field(sa_column=column)


__all__ = ["UUID", "datetime", "document", "key", "link", "minor", "moment", "octets", "words"]
