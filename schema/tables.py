"""All tables in one place: importing this fills ``SQLModel.metadata``."""

from sqlmodel import SQLModel

from schema import evidence, payment, people, programme, project, review, simbank

metadata = SQLModel.metadata

__all__ = ["evidence", "metadata", "payment", "people", "programme", "project", "review", "simbank"]
