"""All tables in one place: importing this fills ``SQLModel.metadata``."""

from sqlmodel import SQLModel

from schema import draws, evidence, experts, payment, people, programme, project, review, simbank

metadata = SQLModel.metadata

__all__ = [
    "draws",
    "evidence",
    "experts",
    "metadata",
    "payment",
    "people",
    "programme",
    "project",
    "review",
    "simbank",
]
