"""A mail sink on a free port, an office whose people can be written to, and mails owed to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.demo.people import NewPerson, enter_people
from milepost.mail.outbox import DeliveryReport, Mailing, MailSettings, deliver_due, queue_many
from milepost.mail.sink import MailSink
from milepost.programmes import ensure_system


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(date(2025, 3, 3))


@pytest.fixture
def sink(free_port: int) -> Iterator[MailSink]:
    """A running sink with no faults."""
    with MailSink(free_port) as running:
        yield running


@pytest.fixture
def settings(free_port: int) -> MailSettings:
    """How to reach the sink."""
    return MailSettings(
        host="127.0.0.1",
        port=free_port,
        starttls=False,
        sender="资助办公室 <office@grants.example>",
        public_url="https://grants.example",
        timeout_seconds=5,
    )


class Outbox:
    """What the tests say about an outbox, in few words."""

    def __init__(self, database: Database, settings: MailSettings) -> None:
        self.database, self.settings = database, settings

    def people(self, count: int) -> list[NewPerson]:
        """So many people with addresses, and no role anywhere."""
        people = [NewPerson(f"p{n}", f"Person {n}", (), locale="en") for n in range(count)]
        with self.database.session() as session:
            ensure_system(session.conn)
            enter_people(session, people)
        return people

    def owe(self, count: int, **context: Any) -> list[NewPerson]:
        """One mail to each of so many people; about nothing, which no template minds."""
        people = self.people(count)
        given = {"codes": ["payee_missing"], **context}
        mailings = [Mailing(f"test:{p.login}", (p.id,), "payment_blocked", given) for p in people]
        with self.database.session() as session:
            assert queue_many(session.conn, mailings, now=self.database.clock.now()) == count
        return people

    def deliver(self, **options: Any) -> DeliveryReport:
        """One round of delivery."""
        return asyncio.run(deliver_due(self.database, self.settings, **options))

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.database.session() as session:
            return session.conn.execute(sql, params).fetchall()

    def change(self, sql: str, *params: Any) -> None:
        """A change that some other part of the product would make."""
        with self.database.session() as session:
            session.conn.execute(sql, params)

    def states(self) -> dict[str, int]:
        """How many mails stand in each state."""
        return dict(self.rows("SELECT state, count(*)::int FROM message GROUP BY state"))

    def of(self, login: str) -> tuple[UUID, str, int, str | None]:
        """Id, state, attempts and last error of the mail to one person."""
        row = self.rows(
            "SELECT m.id, m.state, m.attempts, m.last_error FROM message m "
            "JOIN person r ON r.id = m.recipient_id WHERE r.login = %s",
            login,
        )[0]
        return row[0], row[1], row[2], row[3]


@pytest.fixture
def outbox(database: Database, settings: MailSettings) -> Outbox:
    return Outbox(database, settings)
