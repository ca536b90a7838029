"""All tables in one place: importing this fills ``SQLModel.metadata``."""

from sqlmodel import SQLModel

from schema import (
    bank,
    bank_intake,
    budget,
    claims,
    correction,
    delegation,
    draws,
    evidence,
    experts,
    payment,
    people,
    programme,
    project,
    proofs,
    receivable,
    review,
    simbank,
)

metadata = SQLModel.metadata

__all__ = [
    "bank",
    "bank_intake",
    "budget",
    "claims",
    "correction",
    "delegation",
    "draws",
    "evidence",
    "experts",
    "metadata",
    "payment",
    "people",
    "programme",
    "project",
    "proofs",
    "receivable",
    "review",
    "simbank",
]
