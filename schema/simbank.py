"""The books of the simulated bank. Nothing here is unique on purpose: a double payment must be visible."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity
from sqlmodel import Field, SQLModel

from schema.columns import minor, moment, words


class SimbankInstruction(SQLModel, table=True):
    """One instruction as the simulated bank received it, and what it made of it."""

    __tablename__ = "simbank_instruction"

    id: int = Field(sa_column=Column(BigInteger, Identity(), primary_key=True))
    end_to_end_id: UUID = Field(index=True)
    account_name: str = words()
    account_no: str = words()
    amount_minor: int = minor()
    currency: str = words()
    received_at: datetime = moment()
    outcome: str = words()
    reason: str | None = words(null=True)
    reference: str = words()
