"""A replay as Prefect sees it: a flow run for each simulated year, a task run for each month of it.

A task run costs more than most days do, so it stands for a slice of them. The rules are elsewhere. Import
this only once ``PREFECT_API_URL`` names a server: Prefect reads its settings when it is imported.
"""

from __future__ import annotations

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from milepost.replay.life import Journey


async def live_under_prefect(journey: Journey) -> None:
    """Day after day; a month or a year that was begun before is gone on with in a run of its own."""

    def still(prefix: str) -> bool:
        return not journey.cursor.finished and journey.cursor.day.isoformat().startswith(prefix)

    @task(name="replay-month", task_run_name="{month}", cache_policy=NO_CACHE, persist_result=False)
    async def live_month(month: str) -> None:
        while still(month):
            await journey.live_day()

    @flow(name="replay-year", flow_run_name="replay {year}", persist_result=False)
    async def live_year(year: str) -> None:
        while still(year):
            await live_month(journey.cursor.day.isoformat()[:7])

    while not journey.cursor.finished:
        await live_year(journey.cursor.day.isoformat()[:4])
