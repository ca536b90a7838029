"""The synthetic city: three programmes, sixty projects at every stage, and the year that led there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid5

import config
from config.programme_files import load_programme
from milepost.actions import Actor
from milepost.bank.simulated import Behaviour, Fault, SimulatedBank
from milepost.calendar import add_working_days, is_working_day
from milepost.clock import OFFICE_ZONE, SimulatedClock
from milepost.db import Database, Session
from milepost.demo.beats import ACCOUNTS, COURSES, TWISTS, Beat, Tale
from milepost.demo.budget import Money, begins
from milepost.demo.office import Office
from milepost.demo.people import HOW_MANY
from milepost.importing.people import NewPerson, enter_people, person_id
from milepost.mail.outbox import deliver_due
from milepost.mail.sending import MailSettings
from milepost.programmes import Published, publish
from milepost.work.checks import check_payments
from milepost.work.deadlines import act_on_deadlines, conclude_notices
from milepost.work.disbursement import disburse
from milepost.work.reminders import send_reminders
from milepost.work.sealing import seal
from states.case import NAMESPACE
from states.refusals import Refused
from states.roles import ROLES

PROGRAMMES = Path(config.__file__).parent / "programmes"
UNITS = 20
POSTPONED_AT_MOST = 25
Progress = Callable[[int, int, str], None]

# Programme, the beats at which its projects stand, days since then, and what happened to them there.
GOALS: dict[str, tuple[tuple[str, int, str], ...]] = {
    "city-milestone-subsidy": (
        ("apply", 20, ""), ("submit", 2, "sent back"), ("submit", 3, ""), ("completeness", 2, ""),
        ("review_open", 1, ""), ("review_accept", 17, ""), ("review_some", 2, ""), ("review_rest", 1, ""),
        ("notice", 2, ""), ("notice", 3, "objection"), ("approve", 4, ""), ("sign", 3, ""),
        ("report_1", 3, ""), ("report_1", 2, "milestone returned"), ("verify", 100, ""), ("accept_1", 1, ""),
        ("request_1", 1, ""), ("approve_1", 1, ""), ("release_2", 0, ""), ("archive", 5, ""),
    ),
    "city-pre-subsidy": (
        ("apply", 29, ""), ("submit", 44, ""), ("eligibility", 1, ""), ("review_some", 1, ""),
        ("review_decide", 4, ""), ("site_visit", 2, ""), ("notice", 18, ""), ("approve", 15, ""),
        ("sign", 2, ""), ("verify", 1, ""), ("request_1", 4, ""), ("approve_1", 2, ""), ("release_1", 0, ""),
        ("release_1", 3, "returned"), ("release_1", 1, "unknown"), ("release_1", 2, "instructed"),
        ("spend", 5, "owes"), ("complete", 3, ""), ("request_2", 1, ""), ("verify", 20, "terminated"),
    ),
    "city-post-subsidy": (
        ("apply", 3, ""), ("completeness", 3, "withdrawn"), ("completeness", 41, ""),
        ("review_decide", 9, "declined"), ("review_open", 16, ""), ("notice", 1, ""), ("grantee_sign", 1, ""),
        ("approve", 40, ""), ("payee", 4, ""), ("contribute", 5, ""), ("complete", 9, ""),
        ("acceptance", 1, ""), ("acceptance", 4, "hold"), ("acceptance", 2, "integrity"),
        ("approve_1", 1, ""), ("release_1", 9, ""), ("verify", 30, "suspended"), ("close", 4, ""),
        ("archive", 12, ""), ("release_1", 0, ""),
    ),
}  # fmt: skip
# The programme whose money comes from two sources, with a sum that was carried over.
TWO_SOURCES = "city-pre-subsidy"
BANK = Behaviour(
    seed=1,
    reject=Fault(accounts=(ACCOUNTS["returned"],)),
    lose_reply=Fault(accounts=(ACCOUNTS["unknown"],)),
    settle_later=Fault(accounts=(ACCOUNTS["instructed"],)),
    later_days=5,
)
_MODES = {"city-milestone-subsidy": "M", "city-pre-subsidy": "P", "city-post-subsidy": "Q"}
_TOPICS = ("轻量化材料", "智能检测", "节能电机", "特色农产品", "工业软件")


@dataclass(frozen=True, slots=True)
class LogIn:
    """Somebody who may log in to the demo."""

    login: str
    name: str
    role: str


@dataclass(slots=True)
class Demo:
    """The city as it was built: who may log in, and the day it stands on.

    ``underway``: projects that came less far than meant, since days of rest held them up.
    """

    today: date
    logins: list[LogIn]
    projects: int
    underway: list[str]


class Scene(Protocol):
    """Something that is played beside the projects, a day at a time."""

    @property
    def first(self) -> date:
        """The day on which it begins."""

    def live(self, day: date) -> None:
        """What happens on a day; called every day, with the clock on it."""


@dataclass(order=True, slots=True)
class _Thread:
    """A tale under way: the day of its next beat, and the beats left with their days."""

    due: date
    order: int
    tale: Tale = field(compare=False)
    beats: list[tuple[date, Beat]] = field(compare=False)
    postponed: int = field(default=0, compare=False)


def build_demo(
    database: Database,
    now: datetime,
    *,
    mail: MailSettings | None = None,
    password_hash: str | None = None,
    progress: Progress | None = None,
    goals: Mapping[str, Sequence[tuple[str, int, str]]] = GOALS,
    scene: Callable[[Database, date], Scene] | None = None,
) -> Demo:
    """Live through the year before ``now`` in an empty database; the city then stands at that instant.

    Every state comes about by the steps of people and flows. With ``mail`` what was owed is delivered day by
    day. ``password_hash`` is everybody's. A ``scene`` is lived through beside the projects of ``goals``.
    """
    clock = SimulatedClock(now)
    database.clock = clock
    today = clock.today()
    parts = _plan(today, goals)
    played = scene(database, today) if scene is not None else None
    starts = [part.beats[0][0] for part in parts] + ([played.first] if played is not None else [])
    first = min(starts, default=today) - timedelta(days=3)
    clock.set(_at(begins(first, today), 8))
    with database.session() as session:
        published = {
            code: publish(
                session.conn,
                load_programme(PROGRAMMES / f"{code}.toml"),
                clock,
                owner_url=database.owner_url,
            )
            for code in COURSES
        }
        logins = _enter(session, password_hash)
    finance = (actor_of("finance1"), actor_of("finance2"))
    money = Money(database, published[TWO_SOURCES], first, today, finance)
    calls = _open_year(database, published, first, today)
    threads = [_begun(part, n, database, published, calls) for n, part in enumerate(parts)]
    city = _City(database, clock, SimulatedBank(database, BANK), mail, now, money, played)
    unfinished = asyncio.run(city.live(threads, first, today, progress))
    clock.set(now)
    return Demo(today, logins, len(parts), [thread.tale.code for thread in unfinished])


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), OFFICE_ZONE)


# Who and what -------------------------------------------------------------------------------------------

_LOGINS = {
    "programme_officer": "officer",
    "finance_officer": "finance",
    "evaluator": "evaluator",
    "expert": "expert",
    "supervisor": "supervisor",
    "counsel": "counsel",
    "administrator": "admin",
}


def path_of(unit: int) -> str:
    """The office of the n-th applicant unit."""
    return f"/unit-{unit:02d}/"


def _person(role: str, n: int, path: str, password_hash: str | None) -> NewPerson:
    """The n-th of a role; the second of each reads English."""
    login = (
        f"{_LOGINS[role]}{n}" if role in _LOGINS else f"{'unit' if role == 'applicant' else 'lead'}{n:02d}"
    )
    name = f"示例{ROLES[role].zh.replace('申报/承担', '')} {n:02d}"
    locale = "en" if n == 2 else "zh"
    return NewPerson(login, name, ((role, path),), locale=locale, password_hash=password_hash)


def _enter(session: Session, password_hash: str | None) -> list[LogIn]:
    people = [_person(role, n, "/", password_hash) for role in _LOGINS for n in range(1, HOW_MANY[role] + 1)]
    for n in range(1, UNITS + 1):
        people.append(_person("applicant", n, path_of(n), password_hash))
        people.append(_person("principal_investigator", n, path_of(n), password_hash))
    enter_people(session, people)
    offices = [("/", "示例市科技局", "Example City Science Bureau")]
    # The departments through which units apply.
    offices += [
        (path_of(n), f"示例区科技局 {n:02d}", f"Example district bureau {n:02d}") for n in range(1, UNITS + 1)
    ]
    root = uuid5(NAMESPACE, "office:/")
    for path, zh, en in offices:
        parent = None if path == "/" else root
        session.conn.execute(
            "INSERT INTO office (id, parent_id, name_zh, name_en, path) VALUES (%s, %s, %s, %s, %s)",
            (uuid5(NAMESPACE, f"office:{path}"), parent, zh, en, path),
        )
    return [LogIn(person.login, person.name, person.grants[0][0]) for person in people]


def actor_of(login: str) -> Actor:
    """Somebody of the demo, logged in a moment ago."""
    return Actor(person_id(login), fresh=True)


# When ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """One project to be: its programme, its number there, its beats with their days, its twist."""

    programme: str
    number: int
    beats: list[tuple[date, Beat]]
    twist: str


def _plan(today: date, goals: Mapping[str, Sequence[tuple[str, int, str]]]) -> list[_Part]:
    """The projects; each begins so long ago that it came to its goal on the day it is to be there since."""
    parts: list[_Part] = []
    for programme, some in goals.items():
        course = COURSES[programme]
        names = [beat[0] for beat in course]
        for n, (goal, since, twist) in enumerate(some, start=1):
            beats = list(course[: names.index(goal) + 1])
            if twist in TWISTS:
                beats.append((twist, 1, TWISTS[twist]))
            parts.append(_Part(programme, n, _days(beats, today - timedelta(days=since)), twist))
    return parts


def _days(beats: list[Beat], last: date) -> list[tuple[date, Beat]]:
    """A day for each beat: the last on ``last``, the others on working days as late as leads there."""
    start = last - timedelta(days=sum(wait for _, wait, _ in beats))
    while True:
        days = [start]
        for name, wait, _ in beats[1:]:
            before = _working(days[-1])
            day = before + timedelta(days=wait)
            if name == "approve":
                # The notice opens the day after, runs five working days, and is concluded the day after that.
                day = max(day, add_working_days(before, 7).due)
            days[-1] = before
            days.append(day)
        if days[-1] <= last:
            # The last may fall on a day of rest, so that the city stands there on any day.
            days[-1] = last
            return list(zip(days, beats, strict=True))
        start -= timedelta(days=1)


def _working(day: date) -> date:
    while not is_working_day(day)[0]:
        day += timedelta(days=1)
    return day


def _open_year(
    database: Database, published: Mapping[str, Published], first: date, today: date
) -> dict[str, UUID]:
    """Each programme's funds and calls: one that is open now, one that closed, one to come."""
    finance = (actor_of("finance1"), actor_of("finance2"))
    staff = {"programme_officer": (actor_of("officer1"),), "finance_officer": finance}
    calls: dict[str, UUID] = {}
    for code, version in published.items():
        office = Office(database, version, staff, name=f"demo:{code}")
        for year in range(first.year, today.year + 1) if code != TWO_SOURCES else ():
            office.vote(20_000_000_00 if code != "city-post-subsidy" else 9_000_000_00, year=year)
        for title, opens, closes in (
            ("示例年度申报指南", first, today + timedelta(days=21)),
            ("示例下一批申报指南", today + timedelta(days=30), today + timedelta(days=75)),
        ):
            given = {
                "programme_id": str(version.id),
                "title": f"{title}（{version.compiled.programme.title.zh}）",
                "opens_on": opens.isoformat(),
                "closes_on": closes.isoformat(),
            }
            id = office.take("programme_officer", "call.announce", None, **given).subject_id
            calls.setdefault(code, id)
    return calls


def _begun(
    part: _Part,
    order: int,
    database: Database,
    published: Mapping[str, Published],
    calls: Mapping[str, UUID],
) -> _Thread:
    n, code = part.number, f"{_MODES[part.programme]}-{part.number:02d}"
    people = {
        role: tuple(actor_of(f"{login}{k}") for k in range(1, HOW_MANY[role] + 1))
        for role, login in _LOGINS.items()
    }
    people["applicant"] = (actor_of(f"unit{n:02d}"),)
    people["principal_investigator"] = (actor_of(f"lead{n:02d}"),)
    office = Office(database, published[part.programme], people, name=f"demo:{code}", path=path_of(n))
    title = f"示例项目 {code}：{_TOPICS[n % len(_TOPICS)]}（虚构）"
    unit, leader = f"示例单位 {n:02d}", f"示例负责人 {n:02d}"
    requested = (20 + 7 * n) * 1_000_000
    tale = Tale(office, code, title, unit, leader, requested, calls[part.programme], part.twist)
    return _Thread(part.beats[0][0], order, tale, list(part.beats))


# Day by day ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _City:
    """What the days need."""

    database: Database
    clock: SimulatedClock
    bank: SimulatedBank
    mail: MailSettings | None
    now: datetime
    money: Money
    scene: Scene | None

    async def live(
        self, threads: list[_Thread], first: date, today: date, progress: Progress | None
    ) -> list[_Thread]:
        """Every day from the first to today: flows, people, flows; gives back what is still under way."""
        heapify(threads)
        day = first
        while day <= today:
            self._hour(day, 8)
            with self.database.session() as session:
                act_on_deadlines(session)
                conclude_notices(session)
            self._hour(day, 9)
            await disburse(self.database, self.bank)
            self._hour(day, 11)
            while threads and threads[0].due <= day:
                thread = heappop(threads)
                if self._beat(thread, day):
                    heappush(threads, thread)
            self.money.live(day)
            if self.scene is not None:
                self.scene.live(day)
            self._hour(day, 14)
            with self.database.session() as session:
                check_payments(session)
                send_reminders(session)
            if self.mail is not None:
                self._hour(day, 18)
                while (await deliver_due(self.database, self.mail)).left:
                    pass
            self._hour(day, 22)
            with self.database.session() as session:
                seal(session, day)
            day += timedelta(days=1)
            if progress is not None:
                progress((day - first).days, (today - first).days + 1, f"{day:%Y-%m-%d}")
        return threads

    def _hour(self, day: date, hour: int) -> None:
        """The hour of a day, but never later than now."""
        self.clock.set(min(_at(day, hour), self.now))

    @staticmethod
    def _beat(thread: _Thread, day: date) -> bool:
        """One beat of a tale; true while it goes on. What is refused today is tried again tomorrow."""
        _, (_, _, act) = thread.beats[0]
        try:
            act(thread.tale)
        except Refused:
            thread.postponed += 1
            if thread.postponed > POSTPONED_AT_MOST:
                raise
            thread.due = day + timedelta(days=1)
            return True
        thread.beats.pop(0)
        if not thread.beats:
            return False
        # What was postponed moves the rest along, a day's work a day.
        thread.due = max(thread.beats[0][0], day + timedelta(days=1))
        return True
