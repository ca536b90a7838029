"""What is promised and not yet requested, by the year in which it is expected to be due; what is free.

Derived on every reading: expected days move with every extension, and no money moves with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from milepost.programmes import load_published
from states.case import Case
from states.outlook import years_of

# An award that is over binds nothing any more.
_RUNS = """p.state NOT IN ('declined', 'withdrawn', 'lapsed', 'terminated', 'revoked', 'archived')
  AND p.state NOT LIKE 'closed%%'"""
_ASKED = f"""p.programme_code = %(code)s AND p.currency = %(currency)s AND p.id <> ALL(%(but)s)
  AND starts_with(p.office_path, %(office)s) AND {_RUNS}"""
# Every agreed tranche that is still to be paid has an attempt that was not requested yet.
_AGREED = f"""SELECT greatest(extract(year FROM x.due)::int, %(year)s), sum(x.amount_minor)::bigint FROM (
  SELECT y.amount_minor, coalesce(CASE t.waits_for WHEN 'agreement' THEN %(today)s
      WHEN 'milestone' THEN m.due_on WHEN 'day' THEN t.due_on END,
    (SELECT max(n.due_on) FROM milestone n WHERE n.project_id = p.id),
    (SELECT max(d.due_on) FROM deadline d WHERE d.subject_id = p.id AND d.closed_seq IS NULL),
    %(today)s) AS due
    FROM project p JOIN payment y ON y.project_id = p.id AND y.state IN ('planned', 'due')
    JOIN tranche t ON t.id = y.tranche_id LEFT JOIN milestone m ON m.id = y.milestone_id
   WHERE {_ASKED} AND (m.id IS NULL OR m.state NOT IN ('rejected', 'waived'))
     AND t.basis <> 'interest') x GROUP BY 1"""
_APPROVED = f"""SELECT p.programme_id, p.award_minor, p.currency, p.plan FROM project p
  WHERE {_ASKED} AND p.award_minor > 0 AND NOT EXISTS (SELECT 1 FROM tranche t WHERE t.project_id = p.id)"""
_LEFT = """SELECT a.fiscal_year, sum(c.credits_posted - c.debits_posted - c.debits_pending)::bigint
  FROM appropriation a JOIN account c ON c.kind = 'appropriation' AND c.owner_id = a.id
 WHERE a.programme_code = %(code)s AND a.currency = %(currency)s AND a.state = 'voted' AND NOT a.for_interest
   AND a.fiscal_year >= %(year)s AND starts_with(%(reached)s, a.office_path) GROUP BY 1"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose commitments: a programme in one currency, its projects of an office and below, but for some."""

    code: str
    currency: str
    today: date
    but: tuple[UUID, ...] = ()
    office: str = "/"

    @property
    def params(self) -> dict[str, Any]:
        """For the statements."""
        return {
            "code": self.code,
            "currency": self.currency,
            "today": self.today,
            "year": self.today.year,
            "but": list(self.but),
            "office": self.office,
        }


def committed(conn: psycopg.Connection[Any], asked: Asked) -> dict[int, int]:
    """Minor units by year: tranches not yet requested, and awards not yet agreed."""
    found: dict[int, int] = dict(conn.execute(_AGREED, asked.params).fetchall())
    for programme_id, award, currency, plan in conn.execute(_APPROVED, asked.params).fetchall():
        compiled = load_published(conn, programme_id)
        assert compiled is not None, "a project belongs to a published programme"
        for year, sum in years_of(compiled.programme, award, currency, plan, asked.today).items():
            found[year] = found.get(year, 0) + sum
    return dict(sorted(found.items()))


def left_by_year(conn: psycopg.Connection[Any], asked: Asked, reached: str) -> dict[int, int]:
    """What is left, from this year on, in appropriations in force that reach an office, by year."""
    return dict(conn.execute(_LEFT, {**asked.params, "reached": reached}).fetchall())


def common_office(paths: Sequence[str]) -> str:
    """The office that all of these belong to."""
    parts = [path.strip("/").split("/") if path.strip("/") else [] for path in paths]
    shared: list[str] = []
    for names in zip(*parts, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return "/" + "".join(f"{name}/" for name in shared)


def outlook(conn: psycopg.Connection[Any], case: Case) -> dict[int, int]:
    """What is free by year for the award of a project: this year always, later ones where money was voted.

    One approval after the other asks, so that two that fit each by itself are not both granted.
    """
    row = case.of
    if conn.pgconn.pipeline_status != psycopg.pq.PipelineStatus.OFF:
        # Of a set each is asked before the others are written; whoever took the set takes it one by one now.
        raise psycopg.errors.LockNotAvailable("awards of one budget are granted one after the other")
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 13))", (row["programme_code"],))
    asked = Asked(row["programme_code"], row["currency"], case.today, (row["id"],))
    left = {case.today.year: 0, **left_by_year(conn, asked, row["office_path"])}
    promised = committed(conn, asked)
    return {year: sum - promised.get(year, 0) for year, sum in left.items()}


__all__ = ["Asked", "committed", "common_office", "left_by_year", "outlook"]
