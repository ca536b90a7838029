"""One day of a replay, in parts that each stand at their own hour; a part that is begun again adds nothing.

The clock stands still within a part, so that what a part does is the same whenever it is done: a replay that
was killed and went on ends with the same events, hash by hash, as one that was not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from milepost.actions import Actor, Order, Outcome, perform, perform_many
from milepost.bank.port import BankPort
from milepost.calendar import is_working_day
from milepost.clock import OFFICE_ZONE, SimulatedClock
from milepost.db import Database, Session
from milepost.importing.grants import Grant
from milepost.mail.outbox import deliver_due
from milepost.mail.sending import MailSettings
from milepost.programmes import Published
from milepost.replay.cast import Cast
from milepost.replay.cursor import note_refusal
from milepost.replay.facts import application, appropriations, fact_order
from milepost.replay.timetable import Kind, Timetable
from milepost.replay.worklists import Worklist, states_held, worklists
from milepost.work.agenda import JOBS, has_work
from milepost.work.checks import check_payments
from milepost.work.deadlines import act_on_deadlines, conclude_notices
from milepost.work.disbursement import disburse
from milepost.work.reminders import send_reminders
from milepost.work.sealing import seal
from states.refusals import Refused


@dataclass(slots=True)
class Life:
    """Everything a replay lives with."""

    database: Database
    clock: SimulatedClock
    published: Published
    grants: list[Grant]
    table: Timetable
    cast: Cast
    bank: BankPort
    mail: MailSettings
    lists: tuple[Worklist, ...] = ()

    def __post_init__(self) -> None:
        self.lists = worklists(self._who_mistypes())

    def _who_mistypes(self) -> str:
        """The first grantee to be paid gives a wrong account first, so that a rejection is lived through."""
        paid = [
            (d.decided_on, grant.code)
            for grant in self.grants
            for d in grant.deliveries
            if d.outcome == "accepted" and d.decided_on is not None
        ]
        return min(paid)[1] if paid else ""

    @property
    def calendar(self) -> Any:
        """The calendar people work by."""
        return self.published.compiled.programme.calendar


Part = Callable[[Life, Session, date], Awaitable[None]]


# What people do -------------------------------------------------------------------------------------------


def _take(session: Session, taken: Iterable[tuple[Actor, Order]]) -> None:
    """Take steps set by set, each actor's own together; a refusal is noted and keeps nobody else back."""
    by_actor: dict[UUID, tuple[Actor, list[Order]]] = {}
    for actor, order in taken:
        by_actor.setdefault(actor.id, (actor, []))[1].append(order)
    for actor, orders in by_actor.values():
        for outcome in perform_many(session, actor, orders):
            _note(session, outcome)


def _note(session: Session, outcome: Outcome) -> None:
    if outcome.refusals:
        note_refusal(session, outcome.order.request_id, [refusal.code for refusal in outcome.refusals])


def _bear(
    session: Session, actor: Actor, step: str, parent: UUID | None, given: Mapping[str, Any], request: str
) -> UUID | None:
    """Take a step that makes something new, or any single step."""
    try:
        return perform(session, actor, step, parent, given, request).subject_id
    except Refused as refused:
        note_refusal(session, request, [refusal.code for refusal in refused.refusals])
        return None


async def _office(life: Life, session: Session, today: date) -> None:
    """Everybody works off their lists."""
    _vote(life, session, today)
    midnight = datetime.combine(today, time(), OFFICE_ZONE)
    held = states_held(session)
    for desk in life.lists:
        if held.isdisjoint(desk.held):
            continue
        waiting = desk.find(session, life.published.compiled.programme.code, midnight)
        orders = [(desk.actor(life.cast, row), desk.order(row)) for row in waiting]
        if not desk.birth:
            _take(session, orders)
            continue
        for actor, order in orders:
            _bear(session, actor, order.step, order.subject_id, order.input, order.request_id)


def _vote(life: Life, session: Session, today: date) -> None:
    """The year's budget, on its first working day, sized from what could be paid in it."""
    row = session.conn.execute(
        "SELECT count(*) FROM appropriation WHERE programme_code = %s AND fiscal_year = %s "
        "AND state = 'voted'",
        (life.published.compiled.programme.code, today.year),
    ).fetchone()
    sums = appropriations(life.grants, today.year)
    if row is not None and row[0] == len(sums):
        return
    for currency, amount in sums.items():
        given = {
            "programme_id": str(life.published.id),
            "fiscal_year": today.year,
            "currency": currency,
            "amount_minor": amount,
        }
        request = f"replay:vote:{today.year}:{currency}"
        proposed = _bear(session, life.cast.requester, "appropriation.propose", None, given, request)
        if proposed is not None:
            _bear(session, life.cast.approver, "appropriation.vote", proposed, {}, f"{request}:confirm")


async def _facts(life: Life, session: Session, today: date) -> None:
    """What is on record for the day: applications, reports, evaluations taken up, decisions."""
    for fact in life.table.on(today, "apply"):
        project_id: UUID | None = None
        for actor, step, given in application(fact, life.cast, life.table, life.published.id):
            request = f"replay:{fact.grant.code}:{step.partition('.')[2]}"
            project_id = _bear(session, actor, step, project_id, given, request)
            if project_id is None:
                break
    kinds: tuple[Kind, ...] = ("report", "assign", "decide")
    for kind in kinds:
        facts = life.table.on(today, kind)
        if not facts:
            continue
        ids = _milestones(session, {fact.grant.code for fact in facts})
        found = [
            fact_order(fact, life.cast, ids[key])
            for fact in facts
            if fact.delivery is not None and (key := (fact.grant.code, fact.delivery.milestone)) in ids
        ]
        _take(session, found)


def _milestones(session: Session, codes: set[str]) -> dict[tuple[str, int], UUID]:
    rows = session.conn.execute(
        "SELECT p.code, m.number, m.id FROM milestone m JOIN project p ON p.id = m.project_id "
        "WHERE p.code = ANY(%s)",
        (sorted(codes),),
    )
    return {(code, number): id for code, number, id in rows}


# What happens by itself -----------------------------------------------------------------------------------


async def _deadlines(life: Life, session: Session, today: date) -> None:
    act_on_deadlines(session)
    conclude_notices(session)


async def _checks(life: Life, session: Session, today: date) -> None:
    check_payments(session)


async def _reminders(life: Life, session: Session, today: date) -> None:
    send_reminders(session)


async def _bank(life: Life, session: Session, today: date) -> None:
    # One after the other: of two payments of one project, the same is always settled first.
    await disburse(life.database, life.bank, at_once=1)


async def _mail(life: Life, session: Session, today: date) -> None:
    await deliver_all(life)


async def deliver_all(life: Life) -> int:
    """Send what is due, round after round; how many mails still wait, due or not."""
    while True:
        report = await deliver_due(life.database, life.mail)
        if not report.left or not report.sent:
            return report.left + report.retried


async def _sealing(life: Life, session: Session, today: date) -> None:
    seal(session, today)


PARTS: tuple[tuple[str, time, Part], ...] = (
    ("deadlines", time(8, 0), _deadlines),
    ("office", time(10, 0), _office),
    ("facts", time(11, 0), _facts),
    ("payment_checks", time(14, 0), _checks),
    ("reminders", time(15, 0), _reminders),
    ("disbursement", time(16, 0), _bank),
    ("sealing", time(22, 0), _sealing),
    # Last, so that the day's seal still leaves the house on its day.
    ("mail", time(23, 0), _mail),
)


# Jobs of the office that no replay has: nobody sat on its panels, and its bank is asked, not sent files.
NOT_LIVED = frozenset({"reviews", "reconciliation"})
# What people do, beside the office's own jobs.
PEOPLES = frozenset({"office", "facts"})
assert {name for name, _, _ in PARTS} - PEOPLES == set(JOBS) - NOT_LIVED, (
    "a day lives every job of the office"
)


def is_needed(life: Life, session: Session, day: date, part: int) -> bool:
    """Whether a part has anything to do, asked at its hour."""
    name, hour, _ = PARTS[part]
    life.clock.set(datetime.combine(day, hour, OFFICE_ZONE))
    if name == "office":
        return is_working_day(day, source=life.calendar)[0]
    return day in life.table.facts if name == "facts" else has_work(session, name)


async def live_part(life: Life, session: Session, day: date, part: int) -> None:
    """Live one part of a day, at its hour."""
    _, hour, act = PARTS[part]
    life.clock.set(datetime.combine(day, hour, OFFICE_ZONE))
    await act(life, session, day)
