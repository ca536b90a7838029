"""The outbox: mails owed, written with the fact they are about, and delivered at least once under one id.

A mail is a row of ``message``. Rows for events are written by ``milepost.record`` in the event's own
transaction; flows add theirs with ``queue``. ``deliver_due`` takes due rows by pushing their next attempt
into the future, which is a lease: whoever dies with it lets go by doing nothing. The bytes are made once and
stored before anything is sent, so that every copy is the same mail. A mail is never claimed to arrive
exactly once: what is lost is the server's answer, and then it goes again under its Message-ID.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from jinja2 import TemplateError
from psycopg.types.json import Jsonb

from milepost.clock import Clock
from milepost.db import Database
from milepost.mail.compose import AddressUnusable, compose, usable_address
from milepost.mail.facts import Letter, load_letters
from milepost.mail.identity import message_id, message_key
from milepost.mail.sending import MailSettings, Outcome, Postman, Ready, mail_settings
from milepost.mail.templates import known_template, render

SLICE = 100
LEASE = timedelta(minutes=10)
# No mail is begun when so little of the lease is left that another process might begin it too.
LEASE_MARGIN = timedelta(minutes=3)
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=4)
# With pauses from one minute to four hours a mail is tried for three days before people have to look at it.
ATTEMPTS_MAX = 24
# A server that is down lengthens the pauses up to here and never uses up a mail's attempts.
ATTEMPTS_BY_OUTAGE = 9

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one round of delivery did. ``left`` is what is due and was not taken; ``next_at`` the next due."""

    sent: int
    retried: int
    dead: int
    left: int
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mailing:
    """One template to some people about one source; the source makes a repetition harmless."""

    source: str
    recipient_ids: tuple[UUID, ...]
    template: str
    context: Mapping[str, Any]
    chain_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A mail that will not go out unless somebody does something, and why."""

    id: UUID
    message_id: str
    template: str
    recipient: str
    email: str
    project_id: UUID | None
    project_code: str
    attempts: int
    error: str
    created_at: datetime


# -- owing -----------------------------------------------------------------------------------------------


def queue(
    conn: psycopg.Connection[Any],
    *,
    source: str,
    recipient_ids: Iterable[UUID],
    template: str,
    context: Mapping[str, Any],
    now: datetime,
    chain_id: UUID | None = None,
) -> int:
    """Owe a mail to each recipient, in the caller's transaction; how many were not owed already."""
    return queue_many(conn, [Mailing(source, tuple(recipient_ids), template, context, chain_id)], now=now)


def queue_many(conn: psycopg.Connection[Any], mailings: Iterable[Mailing], *, now: datetime) -> int:
    """Owe many mails in one statement; how many were not owed already."""
    rows = [(m, r, message_key(m.source, r)) for m in map(_checked, mailings) for r in m.recipient_ids]
    if not rows:
        return 0
    made = conn.execute(
        "INSERT INTO message (id, source, chain_id, recipient_id, template, context, state, message_id, "
        "created_at, next_attempt_at) "
        "SELECT v.id, v.source, v.chain, v.recipient, v.template, v.context, 'queued', v.message_id, "
        "%(now)s, %(now)s FROM unnest(%(id)s::uuid[], %(source)s::text[], %(chain)s::uuid[], "
        "%(recipient)s::uuid[], %(template)s::text[], %(context)s::jsonb[], %(message_id)s::text[]) "
        "AS v (id, source, chain, recipient, template, context, message_id) "
        "ON CONFLICT (source, recipient_id) DO NOTHING",
        {
            "now": now,
            "id": [key for _, _, key in rows],
            "source": [mailing.source for mailing, _, _ in rows],
            "chain": [mailing.chain_id for mailing, _, _ in rows],
            "recipient": [recipient for _, recipient, _ in rows],
            "template": [mailing.template for mailing, _, _ in rows],
            "context": [Jsonb(dict(mailing.context)) for mailing, _, _ in rows],
            "message_id": [message_id(key) for _, _, key in rows],
        },
    )
    return made.rowcount


def _checked(mailing: Mailing) -> Mailing:
    known_template(mailing.template)
    for name in ("deadline_id", "payment_id"):
        if name in mailing.context:
            UUID(str(mailing.context[name]))
    return mailing


# -- delivering ------------------------------------------------------------------------------------------


async def deliver_due(
    database: Database, settings: MailSettings, *, limit: int = 500, progress: Progress | None = None
) -> DeliveryReport:
    """Deliver at most ``limit`` mails that are due, slice by slice; ``progress`` hears how many are done.

    Any number of processes may do this at once. When the server cannot be reached the round ends: what was
    taken waits for its next attempt, what was not stays due (``left``).
    """
    ledger = _Ledger(database, progress)
    taken = 0
    async with Postman(settings) as postman:
        while taken < limit and not postman.down:
            batch = await asyncio.to_thread(_take, database, settings, min(SLICE, limit - taken))
            if not batch.taken:
                break
            taken += batch.taken
            for outcome in batch.undeliverable:
                await ledger.enter(outcome)
            may_go_on = _before(database.clock, batch.lease_ends - LEASE_MARGIN)
            await postman.carry(batch.ready, ledger.enter, may_go_on=may_go_on)
    left, next_at = await asyncio.to_thread(_left, database)
    counts = ledger.counts
    return DeliveryReport(
        counts["sent"], counts["later"] + counts["server_down"], counts["dead"], left, next_at
    )


def _before(clock: Clock, end: datetime) -> Callable[[], bool]:
    return lambda: clock.now() < end


@dataclass(slots=True)
class _Batch:
    """A slice under lease: what can be sent, and what cannot be put into words or has no address."""

    taken: int
    lease_ends: datetime
    ready: list[Ready]
    undeliverable: list[Outcome]


def _take(database: Database, settings: MailSettings, count: int) -> _Batch:
    """Lease a slice, then make and store the bytes of those that have none yet."""
    now = database.clock.now()
    lease_ends = now + LEASE
    with database.session() as session:
        rows = session.conn.execute(
            "WITH due AS (SELECT id FROM message WHERE state = 'queued' AND next_attempt_at <= %s "
            "ORDER BY next_attempt_at, id LIMIT %s FOR UPDATE SKIP LOCKED) "
            "UPDATE message m SET next_attempt_at = %s FROM due, person r "
            "WHERE m.id = due.id AND r.id = m.recipient_id "
            # A warning may go to an address that was theirs before.
            "RETURNING m.id, m.attempts, m.raw, coalesce(m.context ->> 'email', r.email), r.active",
            (now, count, lease_ends),
        ).fetchall()
        batch = _Batch(len(rows), lease_ends, [], [])
        addresses: dict[UUID, tuple[str, int]] = {}
        blank: list[UUID] = []
        for id, attempts, raw, email, active in rows:
            try:
                address = _address(email, active)
            except AddressUnusable as error:
                batch.undeliverable.append(Outcome(id, "dead", attempts + 1, str(error)))
                continue
            addresses[id] = (address, attempts)
            if raw is None:
                blank.append(id)
            else:
                batch.ready.append(Ready(id, address, bytes(raw), attempts))
        if blank:
            made = _compose(session.conn, blank, addresses, batch, settings, database.clock)
            _store(session.conn, made)
            batch.ready += made
    return batch


def _address(email: str, active: bool) -> str:
    if not active:
        raise AddressUnusable("the account is disabled")
    if not email.strip():
        raise AddressUnusable("the account has no mail address")
    return usable_address(email)


def _compose(
    conn: psycopg.Connection[Any],
    ids: Sequence[UUID],
    addresses: Mapping[UUID, tuple[str, int]],
    batch: _Batch,
    settings: MailSettings,
    clock: Clock,
) -> list[Ready]:
    """The bytes of mails that have none yet. One that cannot be put into words keeps no other back."""
    made: list[Ready] = []
    letters, unreadable = _letters(conn, ids, settings, clock.today())
    failed = dict(unreadable)
    for letter in letters:
        address, attempts = addresses[letter.id]
        try:
            subject, body = render(letter.locale, letter.template, letter.values)
            raw = compose(
                message_id=letter.message_id,
                sender=settings.sender,
                name=letter.name,
                address=address,
                subject=subject,
                body=body,
                locale=letter.locale,
                at=clock.now(),
            )
        except (TemplateError, LookupError, ValueError) as error:
            failed[letter.id] = f"cannot be put into words: {error}"
        else:
            made.append(Ready(letter.id, address, raw, attempts))
    for id, why in failed.items():
        batch.undeliverable.append(Outcome(id, "later", addresses[id][1] + 1, why[:500]))
    return made


def _letters(
    conn: psycopg.Connection[Any], ids: Sequence[UUID], settings: MailSettings, today: date
) -> tuple[list[Letter], list[tuple[UUID, str]]]:
    """The letters of a slice; where a row's own content makes the query fail, that row alone is left out."""
    try:
        return load_letters(conn, ids, today=today, public_url=settings.public_url), []
    except (psycopg.DataError, LookupError, ValueError, TypeError) as error:
        if len(ids) == 1:
            return [], [(ids[0], f"cannot be put into words: {error}")]
    middle = len(ids) // 2
    first = _letters(conn, ids[:middle], settings, today)
    second = _letters(conn, ids[middle:], settings, today)
    return first[0] + second[0], first[1] + second[1]


def _store(conn: psycopg.Connection[Any], made: Sequence[Ready]) -> None:
    conn.execute(
        "UPDATE message m SET raw = v.raw FROM unnest(%s::uuid[], %s::bytea[]) AS v (id, raw) "
        "WHERE m.id = v.id AND m.state = 'queued'",
        ([mail.id for mail in made], [mail.raw for mail in made]),
    )


# -- keeping book ----------------------------------------------------------------------------------------


class _Ledger:
    """Writes outcomes down as they come; while one write runs, the next ones gather."""

    def __init__(self, database: Database, progress: Progress | None) -> None:
        self.database, self.progress = database, progress
        self.counts = {"sent": 0, "later": 0, "dead": 0, "server_down": 0}
        self._gathered: list[Outcome] = []
        self._writing = False

    async def enter(self, outcome: Outcome) -> None:
        """Write an outcome down; it may wait for a write that is under way."""
        self._gathered.append(outcome)
        if self._writing:
            return
        self._writing = True
        try:
            while self._gathered:
                some, self._gathered = self._gathered, []
                settled = await asyncio.to_thread(_settle, self.database, some)
                for fate in settled:
                    self.counts[fate] += 1
                if self.progress is not None:
                    self.progress(len(some))
        finally:
            self._writing = False


def pause_after(attempts: int) -> timedelta:
    """How long a mail waits after so many attempts: a minute, doubled each time, four hours at most."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(max(attempts - 1, 0), 16))


def _settle(database: Database, outcomes: Sequence[Outcome]) -> list[str]:
    """Write outcomes down in one statement; what each came to."""
    now = database.clock.now()
    rows: list[tuple[UUID, str, int, datetime, datetime | None, str | None]] = []
    fates: list[str] = []
    for outcome in outcomes:
        fate, attempts = outcome.fate, outcome.attempts
        if fate == "server_down":
            attempts = max(attempts, min(attempts + 1, ATTEMPTS_BY_OUTAGE))
        elif fate == "later" and attempts >= ATTEMPTS_MAX:
            fate = "dead"
        state = {"sent": "sent", "dead": "dead"}.get(fate, "queued")
        sent_at = now if fate == "sent" else None
        rows.append(
            (outcome.id, state, attempts, now + pause_after(attempts), sent_at, outcome.error or None)
        )
        fates.append(fate)
    with database.session() as session:
        session.conn.execute(
            "UPDATE message m SET state = v.state, attempts = v.attempts, next_attempt_at = v.next, "
            "sent_at = v.sent, last_error = v.error "
            "FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[], "
            "%s::text[]) AS v (id, state, attempts, next, sent, error) "
            "WHERE m.id = v.id AND m.state = 'queued'",
            [list(column) for column in zip(*rows, strict=True)],
        )
    return fates


def _left(database: Database) -> tuple[int, datetime | None]:
    with database.session() as session:
        row = session.conn.execute(
            "SELECT count(*) FILTER (WHERE next_attempt_at <= %s), min(next_attempt_at) "
            "FROM message WHERE state = 'queued'",
            (database.clock.now(),),
        ).fetchone()
    assert row is not None
    return row[0], row[1]


# -- dead letters ----------------------------------------------------------------------------------------


def dead_letters(database: Database) -> list[DeadLetter]:
    """The mails that were given up, the oldest first."""
    with database.session() as session:
        rows = session.conn.execute(
            "SELECT m.id, m.message_id, m.template, r.name, r.email, p.id, coalesce(p.code, ''), m.attempts, "
            "coalesce(m.last_error, ''), m.created_at FROM message m JOIN person r ON r.id = m.recipient_id "
            "LEFT JOIN project p ON p.id = m.chain_id WHERE m.state = 'dead' ORDER BY m.created_at, m.id"
        ).fetchall()
    return [DeadLetter(*row) for row in rows]


def requeue(database: Database, ids: Iterable[UUID]) -> int:
    """Try dead letters again from the beginning, to the address the person has now; how many there were.

    The bytes are made anew, since they name the old address; the Message-ID stays.
    """
    with database.session() as session:
        again = session.conn.execute(
            "UPDATE message SET state = 'queued', attempts = 0, raw = NULL, next_attempt_at = %s "
            "WHERE id = ANY(%s) AND state = 'dead'",
            (database.clock.now(), list(ids)),
        )
    return again.rowcount


__all__ = [
    "DeadLetter", "DeliveryReport", "MailSettings", "Mailing", "dead_letters", "deliver_due", "mail_settings",
    "pause_after", "queue", "queue_many", "requeue",
]  # fmt: skip
