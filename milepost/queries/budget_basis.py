"""What steps on yearly budgets look up when they are taken: where money would go, and what stands there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from milepost.cases import person_roles
from states.budget import carry_year
from states.case import Case

# Locked against a close, which another programme's chain may hold; the transfer then finds it as it was read.
_TO = "SELECT * FROM appropriation WHERE {} FOR SHARE"


def _one(conn: psycopg.Connection[Any], where: str, params: dict[str, Any]) -> dict[str, Any] | None:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_TO.format(where), params).fetchone()


def receiving(conn: psycopg.Connection[Any], case: Case) -> dict[str, Any] | None:
    """The appropriation that a move names, with whether the actor may change it (``may``)."""
    id: UUID | None = getattr(case.input, "to_id", None) or (case.subject or {}).get("to_id")
    found = _one(conn, "id = %(id)s", {"id": id}) if id else None
    if found is not None:
        roles = person_roles(conn, case.actor_id, None, found["office_path"])
        found["may"] = "finance_officer" in roles
    return found


def carried_to(conn: psycopg.Connection[Any], case: Case) -> dict[str, Any] | None:
    """The appropriation that what is left would be carried into; None where there is none yet."""
    purse = case.facts["purse"]
    year = carry_year(case.today.year, purse["fiscal_year"])
    return _one(
        conn,
        "programme_code = %(programme_code)s AND fiscal_year = %(year)s AND source = %(source)s "
        "AND currency = %(currency)s AND origin_year = %(origin_year)s AND office_path = %(office_path)s",
        {**purse, "year": year},
    )


__all__ = ["carried_to", "receiving"]
