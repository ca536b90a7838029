"""What people call a subject: a project's code, a part of it (``P-1/m2``, ``/t1``, ``/c1``), or an id."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from milepost.cli.terminal import Usage
from milepost.db import Session
from milepost.queries.named import Named
from schema.nouns import NOUNS

FORMS = "CODE, CODE/m2, CODE/t1, CODE/c1, CODE/payee, CODE/round, CODE/notice, UUID"
# The newest of each; of a tranche, its newest attempt.
_NUMBERED = {
    "c": ("claim", "SELECT id FROM claim WHERE project_id = %s AND number = %s"),
    "m": ("milestone", "SELECT id FROM milestone WHERE project_id = %s AND number = %s"),
    "t": (
        "payment",
        "SELECT y.id FROM payment y JOIN tranche t ON t.id = y.tranche_id "
        "WHERE y.project_id = %s AND t.number = %s ORDER BY y.attempt DESC LIMIT 1",
    ),
}
_LATEST = ("payee", "round", "notice", "objection")


def find(session: Session, text: str) -> Named:
    """The subject that a text names; an unknown one is refused with the ways to name one."""
    found = _by_id(session, text) or _by_code(session, text)
    if found is None:
        raise Usage(
            "subject_unknown",
            f"找不到“{text}”。可用的写法：{FORMS}。",
            f"There is no {text!r}. Ways to name a subject: {FORMS}.",
        )
    return found


def _by_id(session: Session, text: str) -> Named | None:
    try:
        id = UUID(text)
    except ValueError:
        return None
    for noun in NOUNS:
        if (found := _described(session, noun, id)) is not None:
            return found
    return None


def _by_code(session: Session, text: str) -> Named | None:
    code, slash, part = text.partition("/")
    row = session.conn.execute("SELECT id FROM project WHERE code = %s", (code,)).fetchone()
    if row is None:
        return None
    if not slash:
        return _described(session, "project", row[0])
    numbered = re.fullmatch(r"([cmt])(\d{1,6})", part)
    if numbered is not None:
        noun, sql = _NUMBERED[numbered[1]]
        part_row = session.conn.execute(sql, (row[0], int(numbered[2]))).fetchone()
    elif part in _LATEST:
        noun = part
        part_row = session.conn.execute(
            f'SELECT s.id FROM "{noun}" s JOIN event e ON e.subject_id = s.id AND e.subject_seq = 1 '
            "WHERE s.project_id = %s ORDER BY e.seq DESC LIMIT 1",
            (row[0],),
        ).fetchone()
    else:
        return None
    return _described(session, noun, part_row[0]) if part_row else None


def _described(session: Session, noun: str, id: UUID) -> Named | None:
    if noun == "project":
        sql = "SELECT s.state, s.id, s.programme_id, s.code, s.currency FROM project s WHERE s.id = %s"
    elif NOUNS[noun].of_project:
        sql = (
            "SELECT s.state, p.id, p.programme_id, p.code, p.currency "
            f'FROM "{noun}" s JOIN project p ON p.id = s.project_id WHERE s.id = %s'
        )
    else:
        currency = "s.currency" if noun in ("appropriation", "batch", "budget_change") else "''"
        sql = f"SELECT s.state, NULL, s.programme_id, '', {currency} FROM \"{noun}\" s WHERE s.id = %s"
    row: Any = session.conn.execute(sql, (id,)).fetchone()
    return Named(noun, id, *row) if row else None


def person_named(session: Session, text: str) -> UUID:
    """A person by login or id."""
    row = session.conn.execute(
        "SELECT id FROM person WHERE login = %s OR id::text = lower(%s)", (text, text)
    ).fetchone()
    if row is None:
        raise Usage("person_unknown", f"没有登录名“{text}”。", f"Nobody has the login {text!r}.")
    return UUID(str(row[0]))


def programme_named(session: Session, text: str) -> UUID:
    """A published programme by id, by code (its newest version), or by code:version."""
    code, _, version = text.partition(":")
    row = session.conn.execute(
        "SELECT id FROM programme_version WHERE id::text = lower(%s) "
        "OR (code = %s AND (%s = '' OR version::text = %s)) ORDER BY version DESC LIMIT 1",
        (text, code, version, version),
    ).fetchone()
    if row is None:
        raise Usage(
            "programme_unknown",
            f"没有已发布的计划“{text}”；milepost programme list 列出全部。",
            f"No published programme is called {text!r}. `milepost programme list` shows them.",
        )
    return UUID(str(row[0]))


__all__ = ["Named", "find", "person_named", "programme_named"]
