"""Deployments of every scheduled flow on a Prefect server, for any number of process workers.

    milepost flow deploy
    prefect worker start --pool milepost        (on each machine, with the MILEPOST_ variables set)

Run again it brings the server's copy up to date with ``config/schedule.py``. Workers need no files of ours
but the installed package, and MILEPOST_DATABASE_URL. A flow that is still running when it is due again is
left to end; the new run is cancelled.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from config.schedule import POOL, SCHEDULE, Job
from config.settings import Settings
from flows.environment import prefect_answers, prefect_environment
from flows.run import load_flow


class NoPrefectServer(RuntimeError):
    """There is no Prefect server where it should be. Says what to do."""


def deploy(settings: Settings, prefect_api_url: str | None = None) -> list[str]:
    """Register the work pool and all deployments; their full names."""
    url = prefect_api_url or settings.prefect_api_url or f"http://127.0.0.1:{settings.prefect_port}/api"
    if not prefect_answers(url, timeout=5):
        raise NoPrefectServer(
            f"no Prefect server answers at {url}: start one, or name yours in MILEPOST_PREFECT_API_URL "
            f"· {url} 没有 Prefect 服务器：请先启动，或在 MILEPOST_PREFECT_API_URL 中指定"
        )
    os.environ.update(prefect_environment(url))
    return asyncio.run(_deploy_all(settings, url))


async def _deploy_all(settings: Settings, url: str) -> list[str]:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    async with PrefectClient(api=url) as client:
        template = ProcessWorker.get_default_base_job_template()
        pool = WorkPoolCreate(name=POOL, type="process", base_job_template=template)
        with suppress(ObjectAlreadyExists):
            await client.create_work_pool(pool)
        return [await _deploy_one(client, job, settings) for job in SCHEDULE]


async def _deploy_one(client: object, job: Job, settings: Settings) -> str:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.utilities.callables import parameter_schema

    assert isinstance(client, PrefectClient)
    flow = load_flow(job.entrypoint)
    await client.create_deployment(
        flow_id=await client.create_flow(flow),
        name=job.name,
        entrypoint=job.entrypoint,
        schedules=[
            DeploymentScheduleCreate(
                schedule=CronSchedule(cron=job.cron, timezone=settings.timezone), active=True
            )
        ],
        concurrency_limit=1,
        concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        parameters=dict(job.parameters),
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        enforce_parameter_schema=True,
        description=flow.description,
        work_pool_name=POOL,
        job_variables=_job_variables(),
        tags=["milepost"],
    )
    return f"{flow.name}/{job.name}"


def _job_variables() -> dict[str, dict[str, str]]:
    """A package that is run from its folder and not installed has to be found there."""
    root = Path(__file__).resolve().parent.parent
    env = dict(prefect_environment(None))
    if root.name not in ("site-packages", "dist-packages"):
        env["PYTHONPATH"] = str(root)
    return {"env": env}


__all__ = ["POOL", "NoPrefectServer", "deploy"]
