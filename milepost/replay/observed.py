"""A replay as Prefect sees it: one flow run a simulated year, one task run a day. The rules are elsewhere.

Import this only once ``PREFECT_API_URL`` names a server: Prefect reads its settings when it is imported.
"""

from __future__ import annotations

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from milepost.replay.life import Journey


async def live_under_prefect(journey: Journey) -> None:
    """Day after day, each a task run; a year that was begun before is gone on with in a run of its own."""

    @task(name="replay-day", task_run_name="{day}", cache_policy=NO_CACHE, persist_result=False)
    async def live_day(day: str) -> None:
        await journey.live_day()

    @flow(name="replay-year", flow_run_name="replay {year}", persist_result=False)
    async def live_year(year: int) -> None:
        while not journey.cursor.finished and journey.cursor.day.year == year:
            await live_day(journey.cursor.day.isoformat())

    while not journey.cursor.finished:
        await live_year(journey.cursor.day.year)
