"""The shape of a recount: a claim with the query that finds where it fails."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recount:
    """A claim with the query that finds where it fails: rows of (where, stored, counted)."""

    code: str
    zh: str
    en: str
    sql: str


# What an event was given, in SQL; ``e`` is the event's alias.
INPUT = "convert_from({e}.body, 'UTF8')::jsonb->'input'"

__all__ = ["INPUT", "Recount"]
