"""What figures over many projects can be asked for: the programmes and offices whose money somebody sees."""

from __future__ import annotations

from uuid import UUID

from milepost.db import Session
from milepost.queries.sight import FUNDS, MINE, Row, holds_role, rows


def programmes_with_money(session: Session, actor_id: UUID) -> list[str]:
    """The codes of programmes that have projects with a payment plan."""
    sql = f"""WITH {MINE} SELECT DISTINCT p.programme_code AS code FROM project p
      WHERE p.award_minor IS NOT NULL AND {holds_role(FUNDS)} ORDER BY 1"""
    return [row["code"] for row in rows(session, sql, {"actor": actor_id})]


def offices_with_money(session: Session, actor_id: UUID) -> list[Row]:
    """The offices that have such projects, by path."""
    sql = f"""WITH {MINE} SELECT DISTINCT p.office_path AS path,
        coalesce(o.name_zh, p.office_path) AS name_zh, coalesce(o.name_en, p.office_path) AS name_en
      FROM project p LEFT JOIN office o ON o.path = p.office_path
      WHERE p.award_minor IS NOT NULL AND {holds_role(FUNDS)} ORDER BY 1"""
    return rows(session, sql, {"actor": actor_id})


__all__ = ["offices_with_money", "programmes_with_money"]
