"""Reminders of open deadlines: each day that a programme names, reached and not yet claimed, is told once.

A day is claimed in ``job_claim`` and its mail queued in one transaction, so that a crash loses neither and
repeats neither. Nothing asks whether today is exactly the day: after a pause every day that has been reached
since is claimed, and one mail speaks for all of them. A deadline that closed meanwhile says nothing.

Of a delegation its two people are told and nobody else, whatever the programme's rows name; and not once the
day itself is past, for then it has begun or is over, and there is nothing left to prepare for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from config.programmes import Reminder
from milepost.cases import programme_of
from milepost.db import Session
from milepost.mail.outbox import Mailing, queue_many
from milepost.work.people import (
    PARTIES,
    People,
    chosen,
    named_people,
    people_of_offices,
    people_of_projects,
    without_conflicted,
)
from schema.nouns import REVIEW

SLICE = 5_000
_FIRST = UUID(int=0)
Rules = Mapping[tuple[UUID, str], Sequence[Reminder]]


@dataclass(slots=True)
class ReminderReport:
    """How many days were claimed, how many mails queued; ``unaddressed`` deadlines have nobody to remind."""

    deadlines: int = 0
    days: int = 0
    mails: int = 0
    unaddressed: int = 0
    next_after: UUID | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """An open deadline with the days that have been reached and not been told."""

    id: UUID
    chain_id: UUID
    of_project: bool
    noun: str
    subject_id: UUID
    name: str
    due_on: date
    who: Sequence[str]
    programme_id: UUID
    days: Sequence[int]


def send_reminders(
    session: Session, *, after: UUID | None = None, limit: int | None = None
) -> ReminderReport:
    """Queue what is to be reminded of today; with ``limit`` one slice of the deadlines, by id."""
    report = ReminderReport()
    rules = _rules(session)
    last = after or _FIRST
    while True:
        size = SLICE if limit is None else limit
        found = _due(session, rules, last, size) if rules else []
        if found:
            _remind(session, rules, found, report)
        full = len(found) == size
        if full:
            last = found[-1].id
        if not full or limit is not None:
            report.next_after = last if full else None
            return report


def anything_to_remind(session: Session) -> bool:
    """Whether some day has been reached that nobody was told."""
    rules = _rules(session)
    return bool(rules) and bool(_due(session, rules, _FIRST, 1))


def _rules(session: Session) -> Rules:
    """The reminders of every programme version that some deadline could belong to."""
    found: dict[tuple[UUID, str], list[Reminder]] = defaultdict(list)
    for (id,) in session.conn.execute("SELECT id FROM programme_version").fetchall():
        for reminder in programme_of(session.conn, session.programmes, id).reminders:
            found[id, reminder.deadline].append(reminder)
    return found


# The deadlines to come are left out by the index on due_on; claimed days by the primary key of job_claim,
# whose two columns come out of one relation: by one of them alone every claim of that many days is looked at.
_DUE = """
WITH rule AS (SELECT * FROM unnest(%(programmes)s::uuid[], %(names)s::text[], %(days)s::int[])
  AS r(programme_id, name, days)),
reached AS MATERIALIZED (
SELECT d.id, d.chain_id, p.id IS NOT NULL AS of_project, d.noun, d.subject_id, d.name, d.due_on, d.who,
  r.programme_id, r.days, 'reminder:' || d.id AS job, r.days::text AS due
FROM deadline d LEFT JOIN project p ON p.id = d.chain_id LEFT JOIN call c ON c.id = d.subject_id
LEFT JOIN delegation g ON d.noun = 'delegation' AND g.id = d.subject_id
JOIN rule r ON r.name = d.name AND r.programme_id = coalesce(p.programme_id, c.programme_id, g.programme_id)
WHERE d.closed_seq IS NULL AND d.due_on <= %(horizon)s AND d.due_on + r.days <= %(today)s AND d.id > %(after)s
  AND (g.id IS NULL OR d.due_on >= %(today)s))
SELECT id, chain_id, of_project, noun, subject_id, name, due_on, who, programme_id,
  array_agg(days ORDER BY days)
FROM reached w WHERE NOT EXISTS (SELECT 1 FROM job_claim j WHERE j.job = w.job AND j.due = w.due)
GROUP BY id, chain_id, of_project, noun, subject_id, name, due_on, who, programme_id
ORDER BY id LIMIT %(limit)s
"""


def _due(session: Session, rules: Rules, after: UUID, limit: int) -> list[Due]:
    today = session.clock.today()
    rows = sorted({(id, name, day) for (id, name), all_of in rules.items() for r in all_of for day in r.days})
    earliest = min(day for _, _, day in rows)
    params = {
        "programmes": [row[0] for row in rows],
        "names": [row[1] for row in rows],
        "days": [row[2] for row in rows],
        "horizon": date.fromordinal(today.toordinal() - earliest),
        "today": today,
        "after": after,
        "limit": limit,
    }
    return [Due(*row) for row in session.conn.execute(_DUE, params).fetchall()]


@dataclass(slots=True)
class _Letter:
    """One mail about one deadline: who gets it and which days it speaks for."""

    template: str
    people: list[UUID] = field(default_factory=list)


def _remind(session: Session, rules: Rules, found: Sequence[Due], report: ReminderReport) -> None:
    """Claim and queue one slice in one transaction."""
    conn, now, today = session.conn, session.clock.now(), session.clock.today()
    with conn.transaction():
        # Whoever is closing one of them right now comes first; the next run sees what is left.
        rows = conn.execute(
            "SELECT id FROM deadline WHERE id = ANY(%s) AND closed_seq IS NULL ORDER BY id "
            "FOR SHARE SKIP LOCKED",
            ([due.id for due in found],),
        ).fetchall()
        still_open = {row[0] for row in rows}
        addressed: list[tuple[Due, dict[str, _Letter]]] = []
        for due, letters in _addressed(session, rules, [due for due in found if due.id in still_open]):
            if any(letter.people for letter in letters.values()):
                addressed.append((due, letters))
            else:
                report.unaddressed += 1
        claimed = _claim(session, [due for due, _ in addressed])
        mailings: list[Mailing] = []
        for due, letters in addressed:
            days = claimed.get(due.id)
            if days:
                report.deadlines += 1
                report.days += len(days)
                mailings += [_mail(due, days, letter, today) for letter in letters.values()]
        report.mails += queue_many(conn, mailings, now=now)


def _mail(due: Due, days: Sequence[int], letter: _Letter, today: date) -> Mailing:
    return Mailing(
        _source(due, days),
        tuple(letter.people),
        letter.template,
        {
            "deadline_id": str(due.id),
            "days": days[-1],
            "covers": list(days),
            "escalated": today > due.due_on,
        },
        due.chain_id,
    )


def _source(due: Due, days: Sequence[int]) -> str:
    return f"reminder:{due.id}:{days[-1]}"


def _claim(session: Session, found: Sequence[Due]) -> dict[UUID, list[int]]:
    """The days of each deadline that are ours to tell; what another process has claimed is left out."""
    wanted = [(due, day) for due in found for day in due.days]
    if not wanted:
        return {}
    rows = session.conn.execute(
        "INSERT INTO job_claim (job, due, claimed_at, message_source) "
        "SELECT u.job, u.due, %s, u.source FROM unnest(%s::text[], %s::text[], %s::text[]) "
        "AS u(job, due, source) ORDER BY u.job, u.due ON CONFLICT DO NOTHING RETURNING job, due",
        (
            session.clock.now(),
            [f"reminder:{due.id}" for due, _ in wanted],
            [str(day) for _, day in wanted],
            [_source(due, due.days) for due, _ in wanted],
        ),
    ).fetchall()
    claimed: dict[UUID, list[int]] = defaultdict(list)
    for job, day in rows:
        claimed[UUID(job.removeprefix("reminder:"))].append(int(day))
    return {id: sorted(days) for id, days in claimed.items()}


def _addressed(
    session: Session, rules: Rules, found: Sequence[Due]
) -> Iterable[tuple[Due, dict[str, _Letter]]]:
    """Each deadline with its mails, by template; those it escalates to join once its day is past."""
    today = session.clock.today()
    roles: dict[UUID, dict[str, set[str]]] = {}
    for due in found:
        by_template: dict[str, set[str]] = defaultdict(set)
        for reminder in rules[due.programme_id, due.name]:
            if not set(reminder.days) & set(due.days):
                continue
            if due.noun == "delegation":
                by_template[due.name].update(PARTIES)
                continue
            by_template[reminder.template].update(reminder.to or due.who)
            if today > due.due_on:
                by_template[reminder.template].update(reminder.escalate_to)
        roles[due.id] = by_template
    people = _people(
        session, found, {role for each in roles.values() for some in each.values() for role in some}
    )
    for due in found:
        holders, named = people[due.id]
        yield (
            due,
            {
                template: _Letter(template, chosen(wanted, holders, named))
                for template, wanted in roles[due.id].items()
            },
        )


def _people(
    session: Session, found: Sequence[Due], roles: set[str]
) -> dict[UUID, tuple[People, Mapping[str, UUID]]]:
    """Per deadline, the people by role and those its subject names; a few queries for all of them."""
    conn = session.conn
    projects = people_of_projects(conn, {due.chain_id for due in found if due.of_project}, roles)
    reviewed = {due.chain_id for due in found if due.of_project and due.noun in REVIEW}
    reviewers = {id: people for id, people in projects.items() if id in reviewed}
    of_reviews = without_conflicted(conn, reviewers, session.clock.today())
    offices = people_of_offices(conn, roles) if any(not due.of_project for due in found) else {}
    named: dict[UUID, Any] = {}
    for noun in {due.noun for due in found}:
        named.update(named_people(conn, noun, [due.subject_id for due in found if due.noun == noun]))
    return {
        due.id: (
            (of_reviews if due.noun in REVIEW else projects)[due.chain_id] if due.of_project else offices,
            named.get(due.subject_id, {}),
        )
        for due in found
    }


__all__ = ["SLICE", "ReminderReport", "anything_to_remind", "send_reminders"]
