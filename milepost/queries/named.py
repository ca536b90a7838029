"""A subject that somebody named: which noun it is, of which project and programme."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Named:
    """A subject that was found: its noun and id, and of which project and programme it is."""

    noun: str
    id: UUID
    state: str
    project_id: UUID | None
    programme_id: UUID
    code: str
    currency: str


__all__ = ["Named"]
