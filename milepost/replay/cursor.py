"""How far a replay has come: one row that names the day and the part of the day which come next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from psycopg.types.json import Jsonb

from milepost.db import Session

NAME = "replay"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The next part of the next day; ``finished`` once the last day is over. ``digest`` names the input."""

    digest: str
    day: date
    part: int
    finished: bool = False


class OtherFolder(RuntimeError):
    """The database holds a replay of other files."""

    def __init__(self) -> None:
        super().__init__(
            "此数据目录中是另一份数据的回放。请换用新的数据目录，或用 --fresh 重新开始。 "
            "This data folder holds the replay of other files. Use another one, or begin anew with --fresh."
        )


def load_cursor(session: Session, digest: str, first_day: date) -> Cursor:
    """Where to go on, or the beginning; ``OtherFolder`` where the files are not those it began with."""
    row = session.conn.execute("SELECT value FROM setting WHERE name = %s", (NAME,)).fetchone()
    if row is None:
        return Cursor(digest, first_day, 0)
    value = row[0]
    if value["digest"] != digest:
        raise OtherFolder
    return Cursor(digest, date.fromisoformat(value["day"]), value["part"], value["finished"])


def save_cursor(session: Session, cursor: Cursor) -> None:
    """Everything before the cursor is done."""
    value = {
        "digest": cursor.digest,
        "day": cursor.day.isoformat(),
        "part": cursor.part,
        "finished": cursor.finished,
    }
    session.conn.execute(
        "INSERT INTO setting (name, value) VALUES (%s, %s) ON CONFLICT (name) "
        "DO UPDATE SET value = excluded.value",
        (NAME, Jsonb(value)),
    )


REFUSED = "replay:refused"


def note_refusal(session: Session, request_id: str, codes: list[str]) -> None:
    """Remember that a step was refused, under its request id, so that a day lived twice counts once."""
    session.conn.execute(
        "INSERT INTO setting (name, value) VALUES (%s, %s) ON CONFLICT (name) "
        "DO UPDATE SET value = setting.value || excluded.value",
        (REFUSED, Jsonb({request_id: codes})),
    )
