"""From the first day to the last: the loop that a replay is, wherever it was interrupted before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

from config.programme_files import LoadedProgramme, load_programme
from milepost.bank.simulated import Behaviour, Fault, SimulatedBank
from milepost.clock import OFFICE_ZONE, SimulatedClock
from milepost.db import Database, Session
from milepost.importing.budgets import FILE as BUDGETS
from milepost.importing.deliveries import FILE as DELIVERIES
from milepost.importing.grants import Imported, read_grants
from milepost.mail.sending import MailSettings
from milepost.programmes import publish
from milepost.replay.cast import enter_cast
from milepost.replay.cursor import Cursor, load_cursor, save_cursor
from milepost.replay.day import PARTS, Life, deliver_all, is_needed, live_part
from milepost.replay.due import next_day
from milepost.replay.timetable import timetable
from milepost.replay.worklists import WRONG_ACCOUNT_ENDS

PROGRAMME = "programme.toml"
SHIPPED = Path(__file__).with_name(PROGRAMME)
Progress = Callable[[int, int, str], None]
"""How many days of how many are over, and what is being done."""

BEHAVIOUR = Behaviour(
    seed=2020,
    slow=Fault(one_in=37),
    slow_seconds=0.05,
    lose_reply=Fault(one_in=41),
    lose_request=Fault(one_in=97),
    unreachable=Fault(one_in=89),
    settle_later=Fault(one_in=53),
    reject=Fault(accounts=(f".*{WRONG_ACCOUNT_ENDS}",)),
)
"""The bank of every replay: what it does to a payment follows from the payment's id alone."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What a replay is made of: the grants, the programme, and a digest of all of it."""

    imported: Imported
    programme: LoadedProgramme
    digest: str


def read_folder(folder: Path) -> Folder:
    """The folder's two files, and its own programme or the one that comes with Milepost."""
    imported = read_grants(folder)
    own = folder / PROGRAMME
    programme = load_programme(own if own.exists() else SHIPPED)
    digest = sha256(programme.source_text.encode())
    for name in (BUDGETS, DELIVERIES):
        digest.update(sha256((folder / name).read_bytes()).digest())
    return Folder(imported, programme, digest.hexdigest())


@dataclass(slots=True)
class Journey:
    """A replay under way: its life, where it stands, and who is told of its progress."""

    life: Life
    cursor: Cursor
    progress: Progress | None = None
    days: list[date] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.days = sorted(self.life.table.facts)

    async def live_day(self) -> None:
        """Live the cursor's day to its end and move on to the next that has something to do."""
        today = self.cursor.day
        with self.life.database.session() as session:
            for part in range(self.cursor.part, len(PARTS)):
                if not is_needed(self.life, session, today, part):
                    continue
                # On record before it begins: what it makes needed must not be done by a part before it.
                self._move(session, replace(self.cursor, part=part))
                await live_part(self.life, session, today, part)
            following = next_day(session, self.life.published.compiled, today, self.days, OFFICE_ZONE.key)
            over = following > self.life.table.last_day
            self._move(session, Cursor(self.cursor.digest, following, 0, over))
        self._tell(f"{self.cursor.day:%Y-%m-%d}")

    def _move(self, session: Session, cursor: Cursor) -> None:
        if cursor != self.cursor:
            save_cursor(session, cursor)
            self.cursor = cursor

    async def arrive(self) -> None:
        """After the last day: mails that a killed run had in its hands go out."""
        for _ in range(5):
            self.life.clock.advance(timedelta(hours=1))
            await deliver_all(self.life)
            with self.life.database.session() as session:
                row = session.conn.execute("SELECT count(*) FROM message WHERE state = 'queued'").fetchone()
            if row is None or row[0] == 0:
                return

    def _tell(self, what: str) -> None:
        if self.progress is not None:
            first, last = self.life.table.first_day, self.life.table.last_day
            self.progress((self.cursor.day - first).days, (last - first).days + 1, what)


@contextmanager
def begin(
    folder: Folder, database: Database, mail: MailSettings, progress: Progress | None = None
) -> Iterator[Journey]:
    """Enter the programme and the people, unless they are there, and find where to go on."""
    clock = database.clock
    assert isinstance(clock, SimulatedClock), "a replay lives on a simulated clock"
    table = timetable(folder.imported.grants, folder.programme.programme.calendar)
    clock.set(table.first_day)
    with database.session() as session:
        cursor = load_cursor(session, folder.digest, table.first_day)
        published = publish(session.conn, folder.programme, clock, owner_url=database.owner_url)
        cast = enter_cast(session, folder.imported.grants)
        save_cursor(session, cursor)
    bank = SimulatedBank(database, BEHAVIOUR)
    life = Life(database, clock, published, folder.imported.grants, table, cast, bank, mail)
    clock.set(cursor.day)
    yield Journey(life, cursor, progress)


Way = Callable[[Journey], Awaitable[None]]


async def live_plainly(journey: Journey) -> None:
    """Day after day in this process."""
    while not journey.cursor.finished:
        await journey.live_day()
