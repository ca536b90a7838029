"""What belongs to the office rather than to one project: programmes, calls, people, mail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from milepost.db import Session
from milepost.experts.conflicts import unfit
from milepost.queries.projects import Page
from milepost.queries.sight import Row, rows
from states.case import SYSTEM_ID

PAGE = 50


def programmes(session: Session) -> list[Row]:
    """Every published version, the newest of each programme first."""
    return rows(
        session,
        "SELECT id, code, version, title, digest, published_at FROM programme_version "
        "ORDER BY code, version DESC",
        {},
    )


def programme(session: Session, id: UUID) -> Row | None:
    """One version with the text of its file."""
    found = rows(session, "SELECT * FROM programme_version WHERE id = %(id)s", {"id": id})
    return found[0] if found else None


def calls(session: Session) -> list[Row]:
    """The latest calls, those that close last first."""
    return rows(
        session,
        "SELECT c.*, v.code AS programme_code, v.title AS programme_title FROM call c "
        "JOIN programme_version v ON v.id = c.programme_id ORDER BY c.closes_on DESC, c.id LIMIT 200",
        {},
    )


def people(session: Session, *, search: str = "", after: str = "", limit: int = PAGE) -> Page:
    """People by log-in with the roles they hold now."""
    pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    found = rows(
        session,
        """SELECT n.id, n.login, n.name, n.email, n.locale, n.active,
          n.password_hash IS NOT NULL AS can_log_in,
          ARRAY(SELECT DISTINCT g.role FROM role_grant g WHERE g.person_id = n.id AND g.revoked_at IS NULL
                ORDER BY 1) AS roles
        FROM person n WHERE n.id <> %(system)s AND n.login > %(after)s
          AND (%(search)s = '' OR n.login ILIKE %(pattern)s OR n.name ILIKE %(pattern)s)
        ORDER BY n.login LIMIT %(limit)s""",
        {
            "system": SYSTEM_ID,
            "search": search,
            "pattern": pattern,
            "after": after,
            "limit": limit + 1,
        },
    )
    return Page(found[:limit], found[limit - 1]["login"] if len(found) > limit else None)


def person(session: Session, id: UUID) -> dict[str, Any] | None:
    """One person, every role ever held, and what was done to the account."""
    found = rows(
        session,
        "SELECT id, login, name, email, locale, active, password_hash IS NOT NULL AS can_log_in "
        "FROM person WHERE id = %(id)s AND id <> %(system)s",
        {"id": id, "system": SYSTEM_ID},
    )
    if not found:
        return None
    grants = rows(
        session,
        "SELECT g.id, g.role, g.office_path, g.granted_at, g.revoked_at, p.code AS project_code "
        "FROM role_grant g LEFT JOIN project p ON p.id = g.project_id WHERE g.person_id = %(id)s "
        "ORDER BY g.revoked_at IS NOT NULL, g.granted_at, g.role LIMIT 500",
        {"id": id},
    )
    changes = rows(
        session,
        "SELECT c.at, c.what, c.detail, n.name AS by FROM person_change c JOIN person n ON n.id = c.by_id "
        # What is known of them as an expert is not the account's, nor the administrator's to read.
        "WHERE c.person_id = %(id)s AND NOT starts_with(c.what, 'expert_') ORDER BY c.at DESC LIMIT 100",
        {"id": id},
    )
    return {**found[0], "grants": grants, "changes": changes}


def project_by_code(session: Session, code: str) -> UUID | None:
    """The id of a project, for those who give roles: nothing else of it is told."""
    row = session.conn.execute("SELECT id FROM project WHERE code = %s", (code,)).fetchone()
    return UUID(str(row[0])) if row else None


def mail_counts(session: Session) -> dict[str, int]:
    """How many messages stand in each state."""
    found = session.conn.execute("SELECT state, count(*) FROM message GROUP BY state").fetchall()
    return {state: count for state, count in found}


# What forms offer to choose from ------------------------------------------------------------------------


def offices(session: Session) -> list[Row]:
    """The offices there are, from the top."""
    return rows(session, "SELECT path, name_zh, name_en FROM office ORDER BY path LIMIT 1000", {})


def open_calls(session: Session) -> list[Row]:
    """Calls that take applications now."""
    return rows(
        session,
        "SELECT id, title, programme_id, closes_on FROM call WHERE state = 'open' ORDER BY closes_on, title",
        {},
    )


# Asked only where experts are: for another role nobody is looked at.
_EXPERTS = (
    "SELECT DISTINCT e.person_id FROM role_grant e "
    "WHERE %(role)s = 'expert' AND e.role = 'expert' AND e.revoked_at IS NULL"
)


def colleagues(session: Session, actor_id: UUID) -> list[Row]:
    """Others who may act for somebody: active finance officers and programme officers of any office."""
    return rows(
        session,
        """SELECT DISTINCT n.id, n.name, n.login FROM person n JOIN role_grant g ON g.person_id = n.id
        WHERE n.active AND g.revoked_at IS NULL AND g.office_path IS NOT NULL AND n.id <> %(actor)s
          AND g.role IN ('finance_officer', 'programme_officer') ORDER BY n.name, n.login LIMIT 500""",
        {"actor": actor_id},
    )


def people_with(session: Session, role: str, project_id: UUID) -> list[Row]:
    """Active people with a role for a project and no part in it as grantee; of experts, who may review it."""
    return rows(
        session,
        f"""SELECT DISTINCT n.id, n.name, n.login FROM person n JOIN role_grant g ON g.person_id = n.id
          JOIN project p ON p.id = %(project)s
        WHERE n.active AND g.revoked_at IS NULL AND g.role = %(role)s
          AND (g.project_id = p.id OR starts_with(p.office_path, g.office_path))
          AND NOT EXISTS (SELECT 1 FROM role_grant x WHERE x.person_id = n.id AND x.revoked_at IS NULL
            AND x.role IN ('applicant', 'principal_investigator')
            AND (x.project_id = p.id OR starts_with(p.office_path, x.office_path)))
          AND (%(role)s <> 'expert' OR n.id NOT IN ({unfit(_EXPERTS)}))
        ORDER BY n.name, n.login LIMIT 500""",
        {"role": role, "project": project_id, "today": session.clock.today()},
    )


def standing_holds(
    session: Session, project_id: UUID, kind: str, *, payment_id: UUID | None = None
) -> list[Row]:
    """Holds of one kind that still stand; those on a payment are that payment's."""
    return rows(
        session,
        "SELECT id, reason FROM hold WHERE project_id = %(id)s AND kind = %(kind)s AND lifted_at IS NULL "
        "AND payment_id IS NOT DISTINCT FROM %(payment)s ORDER BY placed_at",
        {"id": project_id, "kind": kind, "payment": payment_id},
    )


def tasks_to_replace(session: Session, round_id: UUID) -> list[Row]:
    """Tasks of a round that somebody else could take over."""
    return rows(
        session,
        "SELECT s.id, n.name FROM task s JOIN person n ON n.id = s.expert_id WHERE s.round_id = %(id)s "
        "AND s.state IN ('invited', 'accepted', 'declined', 'recused', 'late') ORDER BY n.name",
        {"id": round_id},
    )
