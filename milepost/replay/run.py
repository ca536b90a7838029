"""``run_replay``: one call from a folder of recorded grants to the summary of what became of them."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from config.settings import Settings, load_settings
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from milepost.evidence.verify_database import Progress as Counting
from milepost.mail.sending import MailSettings
from milepost.mail.sink import MailSink
from milepost.replay.life import Folder, Journey, Progress, Way, begin, live_plainly, read_folder
from milepost.replay.ports import free_port
from milepost.replay.summary import Summary, summarise
from milepost.replay.timetable import START_WITHOUT_DELIVERIES
from milepost.replay.watched import prefect_watching
from milepost.runtime import open_database

PLACE = "replay"
# A commit need not wait for the disk: a machine that stops loses the last moments whole, and those the replay
# lives again.
SERVER_SETTINGS = {"synchronous_commit": "off"}


def run_replay(
    folder: Path,
    settings: Settings | None = None,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
    way: Way | None = None,
) -> Summary:
    """Replay a folder in a database of its own under the data folder; what was begun is gone on with.

    ``fresh`` throws away what is there and begins anew. Prefect watches unless ``way`` says otherwise. Raises
    ``FolderRefused`` where a file is missing or has not its columns, ``ProgrammeError`` for a programme that
    is wrong, ``OtherFolder`` where the data folder holds the replay of other files.
    """
    read = read_folder(folder)
    chosen = settings or load_settings()
    place = chosen.data_dir / PLACE
    if fresh and place.exists():
        EmbeddedPostgres(place).stop(force=True)
        shutil.rmtree(place)
    own = chosen.model_copy(update={"data_dir": place, "database_url": None, "owner_url": None})
    clock = SimulatedClock(START_WITHOUT_DELIVERIES)
    with ExitStack() as stack:
        # Prefect takes seconds to come up, so it is called first.
        chosen_way = way or stack.enter_context(prefect_watching(own))
        database = stack.enter_context(open_database(own, clock=clock, server_settings=SERVER_SETTINGS))
        return replay(read, database, progress=progress, way=chosen_way)


def replay(
    folder: Folder, database: Database, *, progress: Progress | None = None, way: Way = live_plainly
) -> Summary:
    """Live through a folder's grants in a database that stands on a simulated clock, from where it stopped.

    Mails go by SMTP to a sink of its own, on this machine only.
    """
    started = time.monotonic()
    with MailSink(free_port()) as sink:
        mail = MailSettings(host="127.0.0.1", port=sink.port, starttls=False)
        with begin(folder, database, mail, progress) as journey:
            asyncio.run(_live(journey, way))
            table, code = journey.life.table, folder.programme.programme.code
            imported = folder.imported
            summary = summarise(
                database,
                code,
                imported.refused,
                imported.remarks,
                progress=_counting(progress),
            )
    summary.first_day, summary.last_day = table.first_day.isoformat(), table.last_day.isoformat()
    summary.seconds = round(time.monotonic() - started, 1)
    return summary


async def _live(journey: Journey, way: Way) -> None:
    await way(journey)
    await journey.arrive()


def _counting(progress: Progress | None) -> Counting | None:
    if progress is None:
        return None
    tell = progress
    return lambda done, of: tell(done, of, "verify")
