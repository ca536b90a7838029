"""Conflicts of interest (回避): who may not judge which project, by which rule, from what evidence.

The database's function ``review_conflicts`` knows the rules. An answer is of the moment at which it was asked
and is kept nowhere. Reads put the question into their own statement (``conflicted``,
``conflicts_among``), so that what is shown and whether it may be shown are of one snapshot.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from config.programmes import Text

WORDS = Path(__file__).with_suffix(".toml")
STAFF_RULE = "department_staff"
"""Keeps the department's staff from being invited. It ends no review begun before, nor work of theirs."""
BAN_RULE = "banned"
"""Bars from all reviews alike. What was submitted before it stays as it was."""

_PAIRS = "review_conflicts(%(projects)s::uuid[], %(people)s::uuid[], %(day)s::date)"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of conflict: what it says, and where it is from."""

    text: Text
    source: Text


@dataclass(frozen=True, slots=True, order=True)
class Conflict:
    """One reason why somebody may not judge a project. ``evidence`` is as it stands in the records."""

    rule: str
    evidence: str

    @property
    def text(self) -> Text:
        """What the rule says."""
        return rules()[self.rule].text

    @property
    def source(self) -> Text:
        """Where the rule is from."""
        return rules()[self.rule].source


@lru_cache(maxsize=1)
def rules() -> Mapping[str, Rule]:
    """Every rule by name, in the order in which people read them."""
    told = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    return {
        name: Rule(Text(zh=row["zh"], en=row["en"]), Text(zh=row["source_zh"], en=row["source_en"]))
        for name, row in told.items()
    }


def conflicts_of(
    conn: psycopg.Connection[Any], project_ids: Sequence[UUID], person_ids: Sequence[UUID], day: date
) -> dict[tuple[UUID, UUID], tuple[Conflict, ...]]:
    """Every conflict of some people with some projects on a day, by project and person; none: no entry.

    One query however many they are: 234 projects with 1,080 people take well under a second.
    """
    if not project_ids or not person_ids:
        return {}
    rows = conn.execute(
        f"SELECT project_id, person_id, rule, evidence FROM {_PAIRS}",
        {"projects": list(project_ids), "people": list(person_ids), "day": day},
    ).fetchall()
    found: dict[tuple[UUID, UUID], list[Conflict]] = defaultdict(list)
    for project_id, person_id, rule, evidence in rows:
        found[project_id, person_id].append(Conflict(rule, evidence))
    return {pair: tuple(sorted(conflicts)) for pair, conflicts in found.items()}


def conflicted(project: str, person: str = "%(actor)s", day: str = "%(today)s") -> str:
    """A condition in SQL: a person has a conflict of their own with a project. All three are SQL.

    Being the department's staff is none of one's own. For one project in a statement; for many there is
    ``conflicts_among``.
    """
    return (
        f"EXISTS (SELECT 1 FROM review_conflicts(ARRAY[{project}]::uuid[], ARRAY[{person}::uuid], "
        f"{day}::date) o WHERE o.rule <> '{STAFF_RULE}')"
    )


def conflicts_among(projects: str, person: str = "%(actor)s", day: str = "%(today)s") -> str:
    """A query in SQL: those of some projects with which a person has a conflict of their own.

    ``projects`` is a query for their ids. The answer has one column, ``project_id``.
    """
    return (
        f"SELECT DISTINCT o.project_id FROM review_conflicts(ARRAY({projects}), ARRAY[{person}::uuid], "
        f"{day}::date) o WHERE o.rule <> '{STAFF_RULE}'"
    )


def unfit(people: str, project: str = "%(project)s", day: str = "%(today)s") -> str:
    """A query in SQL: those of some people who may not be invited to a project, by whichever rule.

    ``people`` is a query for their ids. The answer has one column, ``person_id``.
    """
    return (
        f"SELECT o.person_id FROM review_conflicts(ARRAY[{project}]::uuid[], ARRAY({people}), {day}::date) o"
    )


__all__ = [
    "BAN_RULE",
    "STAFF_RULE",
    "Conflict",
    "Rule",
    "conflicted",
    "conflicts_among",
    "conflicts_of",
    "rules",
    "unfit",
]
