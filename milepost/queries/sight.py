"""Who sees what: the roles somebody has for a project, and what of it these roles show. The default is no.

An expert sees their own tasks and what those need, an evaluator their own milestones. An applicant's role for
an office lets them apply there; it shows the projects they took part in, not those of others.

A conflict of interest closes a review: its expert sees nothing of it, and whoever else has one sees of it
what an applicant sees. Each statement that reads something of a review asks for conflicts itself, so that a
read is before or after the commit that made one, and never in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from milepost.db import Session
from milepost.experts.conflicts import conflicted, conflicts_among
from schema.nouns import NOUNS, REVIEW

Row = dict[str, Any]

_PARTS = frozenset({"project", "milestone", "payment", "payee", "notice", "receivable", "claim"})
OWN_REQUESTS = frozenset({"review_request"})
SEES: dict[str, frozenset[str]] = {
    "applicant": _PARTS | OWN_REQUESTS,
    "principal_investigator": _PARTS | OWN_REQUESTS,
    "programme_officer": _PARTS | {"round", "task", "objection", "review_request"},
    "finance_officer": _PARTS | {"bank_exception", "bank_intake"},
    "supervisor": _PARTS | {"round", "task", "objection", "review_request", "bank_exception", "bank_intake"},
    "counsel": frozenset({"project", "milestone", "notice"}),
    "evaluator": frozenset({"project"}),
    "expert": frozenset(),
    "administrator": frozenset(),
}
GRANTEES = frozenset({"applicant", "principal_investigator"})
STAFF = frozenset({"programme_officer", "finance_officer", "supervisor", "counsel"})
FULL_ACCOUNTS = frozenset({"applicant", "finance_officer"})
OBJECTORS = frozenset({"programme_officer", "supervisor"})
FUNDS = frozenset({"finance_officer", "supervisor", "programme_officer"})
# Who sees batches, bank files and what the bank said.
BANK = frozenset({"finance_officer", "supervisor"})
# Yearly budgets and the changes of them.
BUDGET = frozenset({"appropriation", "budget_change"})
# Who sees the draws of an office and of those below it; the rest is published.
DRAWS = frozenset({"programme_officer", "supervisor"})

# What a project's own row says of its review; the rest of it is for all who see the project.
OF_REVIEW = frozenset({"review_outcomes", "open_objections"})
# What the office has not decided yet is its own.
INTERNAL = frozenset({"ending", "ending_by", "ending_reason", "ending_decision_no", "ended_by"})
_ASKED_OF = REVIEW | {"project"}

_SCOPE = "(g.project_id = p.id OR starts_with(p.office_path, g.office_path))"
_HOLDS = f"""{_SCOPE} AND CASE
    WHEN g.role IN ('applicant', 'principal_investigator') THEN g.project_id IS NOT NULL
      OR EXISTS (SELECT 1 FROM event e WHERE e.chain_id = p.id AND e.actor_id = %(actor)s)
    WHEN g.role = 'evaluator' THEN
      EXISTS (SELECT 1 FROM milestone v WHERE v.project_id = p.id AND v.evaluator_id = %(actor)s)
    WHEN g.role = 'expert' THEN
      EXISTS (SELECT 1 FROM task v WHERE v.project_id = p.id AND v.expert_id = %(actor)s)
    ELSE g.role <> 'administrator' END"""
OWN = """mine AS (SELECT role, office_path, project_id FROM role_grant
  WHERE person_id = %(actor)s AND revoked_at IS NULL)"""
"""In place of ``MINE`` where only what somebody holds themselves counts."""
# Who acts for another sees of the projects in question what that one does: by the delegation's state, which
# ends with its last day. The right to act is asked by the day itself.
MINE = """mine AS (SELECT role, office_path, project_id FROM role_grant
  WHERE person_id = %(actor)s AND revoked_at IS NULL
  UNION ALL SELECT v.role, NULL, q.id FROM delegation v JOIN role_grant h ON h.person_id = v.delegator_id
    AND h.role = v.role AND h.revoked_at IS NULL
  JOIN project q ON starts_with(q.office_path, v.within)
    AND (h.project_id = q.id OR starts_with(q.office_path, h.office_path))
    AND q.programme_id IN (SELECT w.id FROM programme_version w WHERE w.chain_id = v.chain_id)
  WHERE v.delegate_id = %(actor)s AND v.state = 'accepted')"""
ROLES_OF_P = f"ARRAY(SELECT DISTINCT g.role FROM mine g WHERE {_HOLDS})"


def holds_role(roles: Iterable[str]) -> str:
    """A condition on the project ``p``: the actor has one of these roles for it. Needs ``MINE``."""
    names = ", ".join(f"'{role}'" for role in sorted(roles))
    return f"EXISTS (SELECT 1 FROM mine g WHERE g.role IN ({names}) AND {_HOLDS})"


VISIBLE = holds_role(role for role, nouns in SEES.items() if "project" in nouns)


def review_open(project: str = "p.id") -> str:
    """A condition on a project (its id in SQL): the actor has no conflict with it. For reads of reviews."""
    return f"NOT {conflicted(project)}"


def rows(session: Session, sql: str, params: dict[str, Any]) -> list[Row]:
    """Rows as dictionaries."""
    with session.conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, params).fetchall()


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody's roles for one project show of it."""

    actor_id: UUID
    roles: frozenset[str]
    conflicted: bool = False

    @property
    def nouns(self) -> frozenset[str]:
        """The nouns that are shown whole; one's own tasks and milestones come on top."""
        shown = frozenset[str]().union(*(SEES.get(role, frozenset()) for role in self.roles))
        return shown - self.closed

    @property
    def closed(self) -> frozenset[str]:
        """What a conflict closes. A grantee's request for review is their own, and stays with them."""
        if not self.conflicted:
            return frozenset()
        return REVIEW - OWN_REQUESTS if self.roles & GRANTEES else REVIEW

    def sees(self, noun: str, row: Row) -> bool:
        """Whether one subject is shown."""
        if noun == "claim" and row["state"] == "draft" and not self.drafts:
            return False
        if noun in self.nouns:
            return True
        if noun in self.closed:
            return False
        own = {"task": ("expert", "expert_id"), "milestone": ("evaluator", "evaluator_id")}.get(noun)
        return own is not None and own[0] in self.roles and row.get(own[1]) == self.actor_id

    @property
    def drafts(self) -> bool:
        """Whether it shows what a grantee is still writing of a claim."""
        return bool(self.roles & (GRANTEES | {"supervisor"}))

    @property
    def counts(self) -> bool:
        """Whether it shows how much happened in the review: rounds, objections, places in the chain."""
        return "round" in self.nouns

    def strip(self, row: Row, noun: str = "project") -> Row:
        """Take out of a row what it says of a review, of an account or of a draft that is not shown."""
        if noun == "payee":
            # Where people were written to is theirs.
            row.pop("contacts", None)
            if not self.account_numbers:
                row["account_no"] = masked(row["account_no"])
                # The bank's letter has the number in full.
                row["documents"] = []
        if noun == "claim" and not self.drafts and row["submission"]:
            # Of a returned claim the office reads what was handed in, not what is being written.
            row["lines"] = []
        for column in () if self.counts else OF_REVIEW:
            row.pop(column, None)
        for column in () if self.names else INTERNAL:
            row.pop(column, None)
        return row

    @property
    def names(self) -> bool:
        """Whether it shows who of the office did what; to others the office speaks with its roles."""
        return bool(self.roles & STAFF)

    @property
    def grantee_only(self) -> bool:
        """Whether nothing but the grantee's roles is there."""
        return bool(self.roles & GRANTEES) and not self.roles & STAFF

    @property
    def account_numbers(self) -> bool:
        """Whether account numbers are shown in full."""
        return bool(self.roles & FULL_ACCOUNTS)

    @property
    def objectors(self) -> bool:
        """Whether it shows who objected."""
        return bool(self.roles & OBJECTORS) and not self.conflicted


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that a step can be taken on, as the one who asks may see it."""

    noun: str
    id: UUID
    state: str
    version: int
    project_id: UUID | None
    programme_id: UUID
    sight: Sight
    row: Row


def masked(account_no: str) -> str:
    """An account number without what makes it usable: its last four characters."""
    bare = account_no.replace(" ", "")
    return f"•••• {bare[-4:]}" if len(bare) > 4 else "••••"


def roles_anywhere(session: Session, actor_id: UUID) -> frozenset[str]:
    """The roles somebody holds for anything at all; menus and office-wide pages follow them."""
    found = session.conn.execute(
        "SELECT DISTINCT role FROM role_grant WHERE person_id = %s AND revoked_at IS NULL", (actor_id,)
    ).fetchall()
    return frozenset(row[0] for row in found)


def find_subjects(session: Session, actor_id: UUID, noun: str, ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """Some subjects of a noun by id, as far as the actor may see them; the others are missing."""
    if noun not in NOUNS or not ids:
        return {}
    if not NOUNS[noun].of_project:
        return _office_wide(session, actor_id, noun, ids)
    project = "s.id" if noun == "project" else "s.project_id"
    of_these = f'SELECT DISTINCT {project} FROM "{noun}" s WHERE s.id = ANY(%(ids)s)'
    closed, asked = ("", "false")
    if noun in _ASKED_OF:
        closed = f", closed AS MATERIALIZED ({conflicts_among(of_these)})"
        asked = "p.id IN (SELECT project_id FROM closed)"
    found = rows(
        session,
        f"WITH {MINE}{closed} SELECT s.*, p.id AS of_project, p.programme_id AS of_programme, "
        f"{asked} AS my_conflict, {ROLES_OF_P} AS my_roles "
        f'FROM "{noun}" s JOIN project p ON p.id = {project} '
        "WHERE s.id = ANY(%(ids)s)",
        {"actor": actor_id, "ids": list(ids), "today": session.clock.today()},
    )
    subjects: dict[UUID, Subject] = {}
    for row in found:
        sight = Sight(actor_id, frozenset(row.pop("my_roles")), row.pop("my_conflict"))
        project_id, programme_id = row.pop("of_project"), row.pop("of_programme")
        if sight.sees(noun, row):
            row = sight.strip(row, noun)
            subjects[row["id"]] = Subject(
                noun, row["id"], row["state"], row["version"], project_id, programme_id, sight, row
            )
    return subjects


def _office_wide(session: Session, actor_id: UUID, noun: str, ids: Sequence[UUID]) -> dict[UUID, Subject]:
    if noun == "draw":
        return _draws(session, actor_id, ids)
    if noun == "delegation":
        return _delegations(session, actor_id, ids)
    if noun in BUDGET:
        return _budgets(session, actor_id, noun, ids)
    if noun in ("batch", "bank_exception", "bank_intake"):
        return _of_bank(session, actor_id, noun, ids)
    roles = roles_anywhere(session, actor_id)
    if not (roles if noun == "call" else roles & FUNDS):
        return {}
    found = rows(session, f'SELECT * FROM "{noun}" WHERE id = ANY(%(ids)s)', {"ids": list(ids)})
    sight = Sight(actor_id, roles)
    return {
        row["id"]: Subject(
            noun, row["id"], row["state"], row["version"], None, row["programme_id"], sight, row
        )
        for row in found
    }


REACHES = f"""EXISTS (SELECT 1 FROM role_grant g WHERE g.person_id = %(actor)s AND g.revoked_at IS NULL
  AND g.role IN ({", ".join(f"'{role}'" for role in sorted(FUNDS))}) AND (
    CASE WHEN g.project_id IS NULL THEN starts_with(s.office_path, g.office_path)
      OR starts_with(g.office_path, s.office_path)
    ELSE starts_with((SELECT p.office_path FROM project p WHERE p.id = g.project_id), s.office_path) END))"""
"""A condition on a row of a budget: it is of an office that the actor reads, or pays for that office."""


def _budgets(session: Session, actor_id: UUID, noun: str, ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """Budgets and their changes. A role counts where it reaches the row's own office."""
    found = rows(
        session,
        f"""SELECT s.*, ARRAY(SELECT DISTINCT g.role FROM role_grant g WHERE g.person_id = %(actor)s
          AND g.revoked_at IS NULL AND starts_with(s.office_path, g.office_path)) AS my_roles
        FROM "{noun}" s WHERE s.id = ANY(%(ids)s) AND {REACHES}""",
        {"actor": actor_id, "ids": list(ids)},
    )
    return {
        row["id"]: Subject(
            noun,
            row["id"],
            row["state"],
            row["version"],
            None,
            row["programme_id"],
            Sight(actor_id, frozenset(row.pop("my_roles"))),
            row,
        )
        for row in found
    }


def _delegations(session: Session, actor_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """Delegations of one's own, given or received; supervisors see all."""
    roles = roles_anywhere(session, actor_id)
    found = rows(
        session,
        "SELECT * FROM delegation s WHERE s.id = ANY(%(ids)s) AND (%(all)s OR %(actor)s IN "
        "(s.delegator_id, s.delegate_id))",
        {"ids": list(ids), "actor": actor_id, "all": "supervisor" in roles},
    )
    sight = Sight(actor_id, roles)
    return {
        row["id"]: Subject(
            "delegation", row["id"], row["state"], row["version"], None, row["programme_id"], sight, row
        )
        for row in found
    }


def _draws(session: Session, actor_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """Draws of offices in which the actor holds a role of ``DRAWS``; what was committed is read apart."""
    found = rows(
        session,
        f"""SELECT s.*, s.state <> 'announced' AND EXISTS ({
            conflicts_among("SELECT q.project_id FROM draw_round q WHERE q.draw_id = s.id")
        }) AS my_conflict, ARRAY(SELECT DISTINCT g.role FROM role_grant g WHERE g.person_id = %(actor)s
          AND g.revoked_at IS NULL AND g.role = ANY(%(roles)s)
          AND starts_with(s.office_path, g.office_path)) AS my_roles
        FROM draw s WHERE s.id = ANY(%(ids)s)""",
        {"actor": actor_id, "ids": list(ids), "roles": sorted(DRAWS), "today": session.clock.today()},
    )
    subjects: dict[UUID, Subject] = {}
    for row in found:
        sight = Sight(actor_id, frozenset(row.pop("my_roles")))
        for large in ("committed", "panels", "entries", "salt"):
            row.pop(large)
        if sight.roles:
            # Each replacement is a version more: how many there were is closed with the review.
            version = 0 if row.pop("my_conflict") else row["version"]
            row["version"] = version
            place = (row["id"], row["state"], version, None, row["programme_id"])
            subjects[row["id"]] = Subject("draw", *place, sight, row)
    return subjects


def bank_scope(office: str, project: str = "NULL") -> str:
    """A condition on an office's path, and perhaps a project, in SQL: the actor reads the bank there."""
    roles = ", ".join(f"'{role}'" for role in sorted(BANK))
    return (
        f"EXISTS (SELECT 1 FROM role_grant g WHERE g.person_id = %(actor)s AND g.revoked_at IS NULL "
        f"AND g.role IN ({roles}) AND (g.project_id = {project} OR starts_with({office}, g.office_path)))"
    )


def _of_bank(session: Session, actor_id: UUID, noun: str, ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """Batches, files and exceptions of the offices and projects whose bank the actor reads."""
    project = "x.project_id" if noun == "bank_exception" else "NULL"
    found = rows(
        session,
        f"SELECT x.* FROM {noun} x WHERE x.id = ANY(%(ids)s) AND {bank_scope('x.office_path', project)}",
        {"actor": actor_id, "ids": list(ids)},
    )
    sight = Sight(actor_id, roles_anywhere(session, actor_id) & BANK)
    return {
        row["id"]: Subject(
            noun,
            row["id"],
            row["state"],
            row["version"],
            row.get("project_id"),
            row["programme_id"],
            sight,
            row,
        )
        for row in found
    }


def find_subject(session: Session, actor_id: UUID, noun: str, id: UUID) -> Subject | None:
    """One subject, or None where there is none or it is not for this person to see."""
    return find_subjects(session, actor_id, noun, [id]).get(id)
