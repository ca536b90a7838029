"""Brings up a Prefect server for the length of a replay; without one the replay goes on all the same."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from config.settings import Settings
from flows.environment import prefect_answers, prefect_environment
from milepost.replay.life import Journey, Way, live_plainly
from milepost.replay.ports import free_port
from milepost.serve.prefect_child import PrefectChild

log = logging.getLogger("milepost.replay")
COMES_UP_WITHIN_SECONDS = 60.0


@contextmanager
def prefect_watching(settings: Settings) -> Iterator[Way]:
    """How to live through the days: under the Prefect server the settings name, or one of our own."""
    if settings.prefect_api_url is not None:
        yield _under(settings.prefect_api_url)
        return
    child = PrefectChild(settings.data_dir / "prefect", free_port(), settings.prefect_database_url)
    os.environ.update(prefect_environment(child.api_url, child.home))
    child.keep_up()
    try:
        yield _under(child.api_url)
    finally:
        child.stop()


def _under(api_url: str) -> Way:
    async def live(journey: Journey) -> None:
        if journey.cursor.finished:
            return
        if not _answers(api_url):
            log.warning("no Prefect server answers at %s; the replay goes on without it", api_url)
            await live_plainly(journey)
            return
        import httpx
        from prefect.exceptions import PrefectException

        from milepost.replay.observed import live_under_prefect

        try:
            await live_under_prefect(journey)
        except (httpx.HTTPError, PrefectException) as error:
            # Prefect only watches: the day that was begun is gone on with where it stopped.
            log.warning("Prefect failed (%s); the replay goes on without it", error)
            await live_plainly(journey)

    return live


def _answers(api_url: str) -> bool:
    end = time.monotonic() + COMES_UP_WITHIN_SECONDS
    while time.monotonic() < end:
        if prefect_answers(api_url):
            return True
        time.sleep(0.1)
    return False
