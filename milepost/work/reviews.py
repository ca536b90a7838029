"""Keeps drawn panels whole: invites who was drawn, lets the next follow, tells when nobody is left.

All of it are steps of the system under request ids made of draw, round and expert, so that two processes, or
one that died halfway and began again, have one effect. Who follows is not decided here: the step that fills a
seat computes it from what was committed (``states.draws``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from milepost.actions import SYSTEM, Receipt, perform
from milepost.db import Session
from milepost.experts.basis import LEFT
from milepost.experts.conflicts import STAFF_RULE, conflicts_of
from milepost.mail.outbox import queue
from milepost.work.people import people_of_projects
from states.refusals import Refused

SLICE = 200
_FIRST = UUID(int=0)
TOLD = "programme_officer"
# Why an invitation cannot reach somebody who was drawn: the seat passes on.
_UNFIT = frozenset(
    {
        "expert_retired",
        "expert_banned",
        "expert_absent",
        "expert_load_reached",
        "conflict_of_interest",
        "not_an_evaluator",
    }
)
# Another process was quicker, or is at it.
_DONE_ELSEWHERE = frozenset(
    {"seat_taken", "expert_in_round_already", "request_reused", "wrong_state", "subject_busy"}
)
# A task that ended so can be marked as replaced, which closes the officer's deadline to find somebody.
_REPLACEABLE = frozenset({"declined", "recused"})


@dataclass(slots=True)
class PanelReport:
    """Invitations, entries that brought a successor, entries that brought none, mails, refusals by reason."""

    invited: int = 0
    succeeded: int = 0
    short: int = 0
    told: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    next_after: UUID | None = None

    def add(self, other: PanelReport) -> None:
        """Count another slice in."""
        for name in ("invited", "succeeded", "short", "told"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refused += other.refused


# Rounds whose panel was drawn and whose review is under way; a suspended project rests.
_OF = """FROM draw_round q JOIN draw d ON d.id = q.draw_id AND d.state = 'drawn'
JOIN round r ON r.id = q.round_id AND r.state IN ('open', 'quorum_reached')
JOIN project p ON p.id = q.project_id AND p.state = r.stage"""
# Seats on which nobody works and for which nobody has followed; with the task they were to take over.
_EMPTY = """FROM draw_seat s LEFT JOIN task t ON t.round_id = s.round_id AND t.expert_id = s.expert_id
LEFT JOIN task b ON b.round_id = s.round_id
  AND draw_alias(d.salt, b.expert_id) = d.entries -> (s.entry - 1) ->> 'gone' AND s.entry > 0 AND s.rank = 1
WHERE s.draw_id = q.draw_id AND s.round_id = q.round_id AND (t.id IS NULL OR t.state = ANY(%(left)s))
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(d.entries) e
    WHERE e ->> 'project' = q.project_id::text AND e ->> 'gone' = draw_alias(d.salt, s.expert_id))"""
_VACANT = f"q.voided_at IS NULL AND EXISTS (SELECT 1 {_EMPTY})"
_ROUNDS = f"""SELECT q.round_id, q.draw_id {_OF} WHERE {_VACANT} AND q.round_id > %(after)s
ORDER BY q.round_id LIMIT %(limit)s"""
_SEATS = f"""SELECT x.* {_OF} CROSS JOIN LATERAL (
  SELECT s.expert_id, s.entry, s.rank, t.state, b.id AS before_id, b.state AS before_state {_EMPTY}) x
WHERE q.voided_at IS NULL AND q.round_id = %(round)s AND q.draw_id = %(draw)s ORDER BY x.entry, x.rank"""
# Panels with a seat that nobody is left for: by the draw itself (entry 0), or by their last entry.
_SHORT = f"""{_OF} CROSS JOIN LATERAL (SELECT coalesce(max(e.number), 0) AS entry
  FROM jsonb_array_elements(d.entries) WITH ORDINALITY AS e(entry, number)
  WHERE e.entry ->> 'project' = q.project_id::text) l
WHERE q.voided_at IS NULL AND CASE l.entry WHEN 0 THEN EXISTS (
    SELECT 1 FROM jsonb_array_elements(d.panels -> 'panels') b
    WHERE b ->> 'project' = q.project_id::text AND b -> 'short' <> '[]')
  ELSE d.entries -> (l.entry::int - 1) -> 'short' <> '[]' END
AND NOT EXISTS (SELECT 1 FROM message m
  WHERE m.source = 'panel:' || q.draw_id || ':' || q.round_id || ':' || l.entry)"""
_REVIEWED = """SELECT 1 FROM task t JOIN round r ON r.id = t.round_id
WHERE r.state IN ('open', 'quorum_reached') AND t.state IN ('invited', 'accepted', 'late', 'submitted')"""


def anything_to_staff(session: Session) -> bool:
    """Whether a seat is empty, somebody is to be told, or an expert is at work who might have a conflict."""
    row = session.conn.execute(
        f"SELECT EXISTS (SELECT 1 {_OF} WHERE {_VACANT}) OR EXISTS (SELECT 1 {_SHORT}) "
        f"OR EXISTS ({_REVIEWED})",
        {"left": list(LEFT)},
    ).fetchone()
    return bool(row and row[0])


def fill_panels(session: Session, *, after: UUID | None = None, limit: int | None = None) -> PanelReport:
    """Bring every drawn panel up to date; with ``limit`` one slice of the rounds, by id."""
    report, last = PanelReport(), after or _FIRST
    size = SLICE if limit is None else limit
    while True:
        rounds = session.conn.execute(_ROUNDS, {"after": last, "limit": size, "left": list(LEFT)}).fetchall()
        for round_id, draw_id in rounds:
            _fill(session, draw_id, round_id, report)
        full = len(rounds) == size
        if full:
            last = rounds[-1][0]
        if not full or limit is not None:
            report.next_after = last if full else None
            break
    if report.next_after is None:
        report.told += _tell(session)
    return report


def _fill(session: Session, draw_id: UUID, round_id: UUID, report: PanelReport) -> None:
    """Invite and replace on one panel until nothing moves: a successor may be unfit as well."""
    params = {"draw": draw_id, "round": round_id, "left": list(LEFT)}
    moved = True
    while moved:
        moved = False
        with session.conn.cursor(row_factory=dict_row) as cursor:
            seats = cursor.execute(_SEATS, params).fetchall()
        for seat in seats:
            if seat["state"] is None:
                codes = _invite(session, draw_id, round_id, seat, report)
                moved = moved or not codes
                if not codes & _UNFIT:
                    continue
            moved = _succeed(session, draw_id, round_id, seat["expert_id"], report) or moved


def _invite(
    session: Session, draw_id: UUID, round_id: UUID, seat: dict[str, Any], report: PanelReport
) -> frozenset[str]:
    """Invite who was drawn; the codes of what objects."""
    expert = seat["expert_id"]
    given = {"expert_id": str(expert)}
    if seat["before_state"] in _REPLACEABLE:
        given["replaces"] = str(seat["before_id"])
    receipt, codes = _taken(session, "task.invite", round_id, given, f"invite:{draw_id}:{round_id}:{expert}")
    if receipt is not None:
        report.invited += not receipt.repeated
        return frozenset()
    report.refused.update(codes - _UNFIT - _DONE_ELSEWHERE)
    return codes


def _succeed(session: Session, draw_id: UUID, round_id: UUID, expert: UUID, report: PanelReport) -> bool:
    """Let the next in the ranking follow; whether there is something new to do on this panel."""
    given = {"round_id": str(round_id), "expert_id": str(expert)}
    receipt, codes = _taken(session, "draw.succeed", draw_id, given, f"succeed:{draw_id}:{round_id}:{expert}")
    if receipt is None:
        report.refused.update(codes - _DONE_ELSEWHERE)
        return False
    if receipt.repeated:
        return True
    came = session.conn.execute(
        "SELECT EXISTS (SELECT 1 FROM draw d JOIN draw_seat s ON s.draw_id = d.id "
        "AND s.round_id = %(round)s AND s.entry > 0 "
        "AND d.entries -> (s.entry - 1) ->> 'gone' = draw_alias(d.salt, %(gone)s::uuid) "
        "WHERE d.id = %(draw)s)",
        {"draw": draw_id, "round": round_id, "gone": str(expert)},
    ).fetchone()
    found = bool(came and came[0])
    report.succeeded += found
    report.short += not found
    return True


def _taken(
    session: Session, step: str, subject_id: UUID, given: dict[str, str], request_id: str
) -> tuple[Receipt | None, frozenset[str]]:
    try:
        return perform(session, SYSTEM, step, subject_id, given, request_id), frozenset()
    except Refused as refused:
        return None, frozenset(refusal.code for refusal in refused.refusals)


def _tell(session: Session) -> int:
    """Tell the officers of each panel that stays short, once; not those who may not know of its review."""
    conn = session.conn
    short = conn.execute(f"SELECT q.draw_id, q.round_id, q.project_id, l.entry {_SHORT}").fetchall()
    officers = people_of_projects(conn, {row[2] for row in short}, {TOLD})
    told = 0
    for draw_id, round_id, project_id, entry in short:
        people = officers[project_id].get(TOLD, [])
        barred = conflicts_of(conn, [project_id], people, session.clock.today())
        own = {person for (_, person), found in barred.items() if any(c.rule != STAFF_RULE for c in found)}
        told += queue(
            conn,
            source=f"panel:{draw_id}:{round_id}:{entry}",
            recipient_ids=[person for person in people if person not in own],
            template="panel_short",
            context={},
            now=session.clock.now(),
            chain_id=project_id,
        )
    return told


__all__ = ["SLICE", "PanelReport", "anything_to_staff", "fill_panels"]
