"""An office to measure in: programmes, people, money, and one project walked there through ``perform``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from config.programme_files import load_programme
from milepost.actions import SYSTEM, Actor, perform
from milepost.clock import SimulatedClock
from milepost.db import Database, Session
from milepost.programmes import programme_id, publish
from states.case import NAMESPACE

START = dt.date(2025, 3, 3)
LATER = dt.date(2025, 4, 7)
CURRENCY = "CNY"
MILESTONE_MINOR = 1_000_00
VOTED_MINOR = 8_000_000_000_000_000
PROGRAMME_FILE = Path(__file__).with_name("programme.toml")
PATTERN = "PATTERN0"
# Whose grants end before anything is measured. One finance officer stays, and one applicant a project, so
# that a step sends exactly one message.
PASSING = ("payee_checker", "requester", "approver", "applicant", "leader")
ROLES = {
    "officer": "programme_officer",
    "counsel": "counsel",
    "supervisor": "supervisor",
    "releaser": "finance_officer",
    "payee_checker": "finance_officer",
    "requester": "finance_officer",
    "approver": "finance_officer",
    "applicant": "applicant",
    "leader": "principal_investigator",
}


def person_id(name: str) -> UUID:
    """The id of somebody in the office."""
    return uuid5(NAMESPACE, f"bench:person:{name}")


def actor(name: str) -> Actor:
    """Somebody of the office who has just typed a password."""
    return Actor(person_id(name), fresh=True)


def programme_code(number: int) -> str:
    """The code of one of the office's programmes."""
    return f"bench-{number:02d}"


@dataclass(slots=True)
class Office:
    """A database with programmes, people, one year's appropriations, and the clock."""

    database: Database
    clock: SimulatedClock
    programmes: int = 16
    appropriations: list[UUID] = field(default_factory=list)

    def open(self) -> None:
        """Publish the programmes, hire the people, vote the money."""
        text = PROGRAMME_FILE.read_text(encoding="utf-8")
        with self.database.session() as session:
            for name, role in ROLES.items():
                self._hire(session, name, role)
            for number in range(self.programmes):
                source = text.replace('"bench-00"', f'"{programme_code(number)}"')
                loaded = load_programme(source, name=programme_code(number))
                publish(session.conn, loaded, self.clock, owner_url=self.database.owner_url)
                self.appropriations.append(self._vote(session, number))

    def _hire(self, session: Session, name: str, role: str) -> None:
        session.conn.execute(
            "INSERT INTO person (id, login, name, email, locale, active) VALUES (%s, %s, %s, %s, 'zh', true)",
            (person_id(name), name, name, f"{name}@example.org"),
        )
        session.conn.execute(
            "INSERT INTO role_grant (id, person_id, role, office_path, granted_at) "
            "VALUES (gen_random_uuid(), %s, %s, '/', now())",
            (person_id(name), role),
        )

    def dismiss_passing(self) -> None:
        """End the grants of those who only helped to set the stage."""
        with self.database.session() as session:
            session.conn.execute(
                "UPDATE role_grant SET revoked_at = now() "
                "WHERE person_id = ANY(%s) AND office_path IS NOT NULL",
                ([person_id(name) for name in PASSING],),
            )

    def _vote(self, session: Session, number: int) -> UUID:
        programme = str(programme_id(programme_code(number), 1))
        given = {
            "programme_id": programme,
            "fiscal_year": START.year,
            "currency": CURRENCY,
            "amount_minor": VOTED_MINOR,
        }
        request = f"vote-{number}"
        proposed = perform(session, actor("releaser"), "appropriation.propose", None, given, request)
        id = proposed.subject_id
        perform(session, actor("approver"), "appropriation.vote", id, {}, f"{request}-confirm")
        return id


class Walk:
    """One project on its way, each step by whoever it is for."""

    def __init__(self, session: Session, clock: SimulatedClock, milestones: int) -> None:
        self.session, self.clock, self.milestones = session, clock, milestones
        self.count = 0
        self.project: UUID = NAMESPACE

    def take(self, who: str, step: str, subject: UUID | None, **given: Any) -> UUID:
        """One step; the id of its subject."""
        self.count += 1
        by = SYSTEM if who == "system" else actor(who)
        return perform(self.session, by, step, subject, given, f"{PATTERN}-{self.count}").subject_id

    def ids(self, table: str) -> list[UUID]:
        """The milestones or payments in the order of their numbers."""
        order = {
            "milestone": "SELECT id FROM milestone WHERE project_id = %s ORDER BY number",
            "payment": "SELECT y.id FROM payment y JOIN tranche t ON t.id = y.tranche_id "
            "WHERE y.project_id = %s ORDER BY t.number",
        }
        return [row[0] for row in self.session.conn.execute(order[table], (self.project,))]

    def to_implementation(self) -> None:
        """Applied, published for objections, approved, agreed, with a verified payee."""
        plan = [
            {"number": n + 1, "title": f"m{n + 1}", "amount_minor": MILESTONE_MINOR, "due_on": "2025-12-01"}
            for n in range(self.milestones)
        ]
        self.project = self.take(
            "applicant",
            "project.apply",
            None,
            code=PATTERN,
            title="Rice that drinks less",
            programme_id=str(programme_id(programme_code(0), 1)),
            office_path="/lz/",
            unit_name="Institute",
            leader_name="Li",
            requested_minor=MILESTONE_MINOR * self.milestones,
            currency=CURRENCY,
            plan=plan,
        )
        p = self.project
        self.session.conn.execute(
            "INSERT INTO role_grant (id, person_id, role, project_id, granted_at) VALUES "
            "(gen_random_uuid(), %s, 'applicant', %s, now())",
            (person_id("applicant"), p),
        )
        self.take("applicant", "project.sign_unit_pledge", p)
        self.take("leader", "project.sign_leader_pledge", p)
        self.take("applicant", "project.submit", p)
        notice = self.take("officer", "notice.publish", p)
        self.clock.set(dt.date(2025, 3, 24))
        self.take("system", "notice.end", notice)
        self.take("system", "project.conclude_notice", p)
        self.take("officer", "project.approve", p)
        self.take("applicant", "project.sign_agreement_as_grantee", p)
        self.take("officer", "project.sign_agreement", p)
        payee = self.take(
            "applicant", "payee.enter", p, account_name="Institute", account_no="622200001112", bank_name="B"
        )
        self.take("payee_checker", "payee.verify", payee)
        self.clock.set(LATER)

    def report(self, milestones: int) -> None:
        """The first milestones are reported."""
        for id in self.ids("milestone")[:milestones]:
            self.take("applicant", "milestone.report", id, report="It grows.")

    def to_approved_payments(self) -> None:
        """Every milestone is accepted and its payment requested and approved by different people."""
        self.report(self.milestones)
        self.take("counsel", "project.record_review", self.project, kind="legal", opinion="in order")
        for id in self.ids("milestone"):
            self.take("officer", "milestone.accept", id, opinion="It does.")
        for id in self.ids("payment"):
            self.take("system", "payment.fall_due", id)
            self.take("requester", "payment.request", id)
            self.take("approver", "payment.approve", id)
