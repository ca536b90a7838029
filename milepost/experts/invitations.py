"""The way from an invitation's mail to its task: a signed link that opens no log-in, and one-time codes.

A link holds a task, its expert and a last day, sealed and signed with a key of the installation. By itself it
says nothing: who has it learns neither whose it is nor what became of the task. A code is mailed to the
expert's own address. It works once, for ten minutes, and dies after five wrong tries or with the next one. It
follows from its row's id under the key, so that it is written down nowhere but in the mail; of the mail's
bytes nothing is kept once the code is over.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from milepost.db import Session
from milepost.experts.links import CODE_LENGTH, Link, code_hash, code_of, invitation_key, read_link
from milepost.mail.outbox import queue
from milepost.queries.reviews import MINE

CODE_MINUTES = 10
TRIES_MAX = 5
CODES_AN_HOUR = 5


def link_of(session: Session, token: str) -> Link | None:
    """What a link of ours holds until its last day; None for any other text. What became of the task is no
    part of the answer."""
    link = read_link(invitation_key(session.conn), token)
    return None if link is None or link.last_day < session.clock.today() else link


def reviews_still(session: Session, link: Link) -> bool:
    """Whether the task is still that expert's to read: asked only once they have logged in."""
    row = session.conn.execute(
        "SELECT 1 FROM task s JOIN project p ON p.id = s.project_id "
        "JOIN person n ON n.id = s.expert_id AND n.active "
        f"WHERE s.id = %(id)s AND {MINE} AND s.state IN ('invited', 'accepted', 'late', 'submitted')",
        {"id": link.task_id, "actor": link.person_id, "today": session.clock.today()},
    ).fetchone()
    return row is not None


# Codes ------------------------------------------------------------------------------------------------

_KNOWN = """SELECT 1 FROM person n WHERE n.id = %(person)s AND n.active AND EXISTS (
  SELECT 1 FROM role_grant g WHERE g.person_id = n.id AND g.role = 'expert' AND g.revoked_at IS NULL)"""


def send_code(logins: Session, session: Session, person_id: UUID) -> bool:
    """Owe the person a mail with a new code; the one before works no more.

    False: too many within an hour, or nobody who could log in with it as an expert. Whoever asked is not told
    which. ``logins`` tells the time of log-ins, ``session`` that of the office's mail.
    """
    conn, now = session.conn, logins.clock.now()
    key, id = invitation_key(conn), uuid4()
    with conn.transaction():
        # Two requests at once are counted one after the other.
        known = conn.execute(f"{_KNOWN} FOR NO KEY UPDATE", {"person": person_id}).fetchone()
        if known is None:
            return False
        recent = conn.execute(
            "SELECT count(*) FROM login_code WHERE person_id = %s AND created_at > %s",
            (person_id, now - timedelta(hours=1)),
        ).fetchone()
        if recent is None or recent[0] >= CODES_AN_HOUR:
            return False
        conn.execute(
            "UPDATE login_code SET expires_at = %s WHERE person_id = %s AND expires_at > %s",
            (now, person_id, now),
        )
        _forget_mails(conn, person_id)
        conn.execute(
            "INSERT INTO login_code (id, person_id, code_hash, created_at, expires_at) "
            "VALUES (%s, %s, %s, %s, %s)",
            (id, person_id, code_hash(key, id, code_of(key, id)), now, now + timedelta(minutes=CODE_MINUTES)),
        )
        queue(
            conn,
            source=f"login_code:{id}",
            recipient_ids=(person_id,),
            template="login_code",
            context={"login_code": str(id)},
            now=session.clock.now(),
        )
    return True


def redeem_code(logins: Session, person_id: UUID, typed: str) -> bool:
    """Whether that is the person's code; then it works no more. A wrong one is counted, right or late."""
    conn, now = logins.conn, logins.clock.now()
    code = "".join(letter for letter in typed.upper() if letter.isalnum())[: CODE_LENGTH * 2]
    # The try is counted first and for good: tries at the same time cannot share one.
    row = conn.execute(
        "UPDATE login_code SET attempts = attempts + 1 WHERE id = (SELECT id FROM login_code "
        f"WHERE person_id = %(person)s AND used_at IS NULL AND expires_at > %(now)s AND EXISTS ({_KNOWN}) "
        "ORDER BY created_at DESC LIMIT 1) "
        "AND attempts < %(most)s AND used_at IS NULL RETURNING id, code_hash",
        {"person": person_id, "now": now, "most": TRIES_MAX},
    ).fetchone()
    if row is None or not hmac.compare_digest(code_hash(invitation_key(conn), row[0], code), row[1]):
        return False
    used = conn.execute(
        "UPDATE login_code SET used_at = %s WHERE id = %s AND used_at IS NULL", (now, row[0])
    ).rowcount
    _forget_mails(conn, person_id)
    return bool(used)


def _forget_mails(conn: psycopg.Connection[Any], person_id: UUID) -> None:
    """Keep nothing of the bytes of mails that went out with a code."""
    conn.execute(
        "UPDATE message SET raw = NULL "
        "WHERE recipient_id = %s AND template = 'login_code' AND state <> 'queued'",
        (person_id,),
    )


__all__ = [
    "CODES_AN_HOUR",
    "CODE_MINUTES",
    "TRIES_MAX",
    "link_of",
    "redeem_code",
    "reviews_still",
    "send_code",
]
