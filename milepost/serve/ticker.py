"""Ticks the flows in one process of many: whoever leads runs what is due, one flow at a time.

What has to run once on a day is marked in ``job_claim`` when it is done, so that a process that died in the
middle is made up for by the next one that leads. Doing it twice would change nothing: the flows see to that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from config.schedule import SCHEDULE, Job
from config.settings import Settings
from flows.environment import prefect_answers
from flows.run import run_flow
from milepost.clock import SystemClock
from milepost.db import Database
from milepost.serve.leader import Leadership
from milepost.work.agenda import has_work

log = logging.getLogger("milepost.serve")

TAG = "milepost-serve"
LOOK_SECONDS = 2.0
PREFECT_SECONDS = 60.0
"""So long the first flows wait for Prefect to come up; then they run without it."""

LATE_SECONDS = 3600


class Ticker:
    """Runs the schedule while this process leads; calls ``beside`` again and again to keep others up."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        api_url: str | None,
        *,
        beside: Callable[[], None] = lambda: None,
        jobs: tuple[Job, ...] = SCHEDULE,
    ) -> None:
        self.database, self.api_url, self.jobs = database, api_url, jobs
        self.zone = settings.zone
        self._beside = beside
        self._wall = SystemClock(settings.zone)
        self._triggers = {job.name: CronTrigger.from_crontab(job.cron, timezone=self.zone) for job in jobs}
        self._stopping = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self.leads = False

    def stop(self) -> None:
        """Begin nothing more. To be called in the loop that ``run`` runs in."""
        self._stopping.set()

    async def run(self) -> None:
        """Lead whenever nobody else does, until stopped; the flow that runs is let end."""
        while not self._stopping.is_set():
            leadership = await asyncio.to_thread(Leadership.try_to_gain, self.database)
            if leadership is None:
                await self._rest(LOOK_SECONDS)
                continue
            self.leads = True
            try:
                await self._lead(leadership)
            finally:
                self.leads = False
                leadership.give_up()

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _lead(self, leadership: Leadership) -> None:
        await asyncio.to_thread(self._keep_beside)
        await self._await_prefect()
        await self._reap()
        scheduler = AsyncIOScheduler(timezone=self.zone)
        for job in self.jobs:
            scheduler.add_job(
                self._tick,
                self._triggers[job.name],
                args=[job],
                id=job.name,
                coalesce=True,
                misfire_grace_time=LATE_SECONDS,
                max_instances=1,
            )
        scheduler.start()
        catching_up = asyncio.create_task(self._catch_up())
        try:
            while not self._stopping.is_set() and await asyncio.to_thread(leadership.holds):
                await asyncio.to_thread(self._keep_beside)
                await self._rest(LOOK_SECONDS)
        finally:
            scheduler.shutdown(wait=False)
            catching_up.cancel()
            # What runs is let end; what waits for its turn finds the stop, or another leader's lock.
            async with self._one_at_a_time:
                self.leads = False
            with suppress(asyncio.CancelledError):
                await catching_up

    def _keep_beside(self) -> None:
        try:
            self._beside()
        except Exception:
            # Prefect or the mail sink are no reason to leave money and deadlines alone.
            log.exception("what runs beside the flows could not be started; it is tried again")

    async def _await_prefect(self) -> None:
        if self.api_url is None:
            return
        for _ in range(int(PREFECT_SECONDS / 0.5)):
            if self._stopping.is_set() or await asyncio.to_thread(prefect_answers, self.api_url):
                return
            await self._rest(0.5)
        log.warning("Prefect does not answer at %s; flows run without it until it does", self.api_url)

    # -- what is due -------------------------------------------------------------------------------------

    async def _catch_up(self) -> None:
        """Whatever was due while nobody led. Ticks look once; a day's run is made up for."""
        for job in self.jobs:
            await self._tick(job)

    async def _tick(self, job: Job) -> None:
        """Run a flow unless its slot is done or nothing waits; after a failure the next tick comes."""
        # The shield lets what has begun end, also when the wait for it is cancelled.
        await asyncio.shield(self._ticked(job))

    async def _ticked(self, job: Job) -> None:
        async with self._one_at_a_time:
            if self._stopping.is_set() or not self.leads:
                return
            try:
                slot = self._slot(job)
                if not await asyncio.to_thread(self._is_due, job, slot):
                    return
                report = await run_flow(job.name, api_url=self.api_url, tags=(TAG,))
                log.info("%s: %s", job.name, report)
                if job.slot == "day":
                    await asyncio.to_thread(self._done, job, slot)
            except Exception:
                log.exception("%s failed; it is tried again when it is next due", job.name)

    def _slot(self, job: Job) -> str:
        """The day of the last time the job was due."""
        return last_due(self._triggers[job.name], self._wall.now()).astimezone(self.zone).date().isoformat()

    def _is_due(self, job: Job, slot: str) -> bool:
        with self.database.session() as session:
            if job.slot == "tick":
                return has_work(session, job.part)
            row = session.conn.execute(
                "SELECT 1 FROM job_claim WHERE job = %s AND due = %s", (f"flow:{job.name}", slot)
            ).fetchone()
            return row is None

    def _done(self, job: Job, slot: str) -> None:
        with self.database.session() as session:
            session.conn.execute(
                "INSERT INTO job_claim (job, due, claimed_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (f"flow:{job.name}", slot, session.clock.now()),
            )

    # -- what a killed process left ------------------------------------------------------------------------

    async def _reap(self) -> None:
        """Runs that Prefect believes to be running died with the process that led before."""
        if self.api_url is None or not await asyncio.to_thread(prefect_answers, self.api_url):
            return
        from prefect.client.orchestration import PrefectClient
        from prefect.client.schemas.filters import (
            FlowRunFilter,
            FlowRunFilterState,
            FlowRunFilterStateType,
            FlowRunFilterTags,
        )
        from prefect.client.schemas.objects import State, StateType
        from prefect.states import Crashed

        wanted = FlowRunFilter(
            tags=FlowRunFilterTags(all_=[TAG]),
            state=FlowRunFilterState(
                type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])
            ),
        )
        try:
            async with PrefectClient(api=self.api_url) as client:
                for run in await client.read_flow_runs(flow_run_filter=wanted):
                    ended: State[Any] = Crashed(message="The process that ran it ended.")
                    await client.set_flow_run_state(run.id, ended, force=True)
        except Exception:
            log.exception("runs that were left could not be marked; they stay as they are")


def last_due(trigger: CronTrigger, now: datetime) -> datetime:
    """The last time at or before ``now`` that a cron expression names; within a year, or ``now`` itself."""
    for back in (timedelta(hours=2), timedelta(days=2), timedelta(days=40), timedelta(days=366)):
        last: datetime | None = None
        at = trigger.get_next_fire_time(None, now - back)
        while at is not None and at <= now:
            last = at
            at = trigger.get_next_fire_time(at, at + timedelta(microseconds=1))
        if last is not None:
            return last
    return now


__all__ = ["TAG", "Ticker", "last_due"]
