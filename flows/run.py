"""Runs one flow here and now: under Prefect's eyes where its server answers, and just so where it does not.

Everything a flow does may be done twice. So when the server goes away in the middle, the work is done again
without it, and money and deadlines never wait for whoever observes them.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from config.schedule import SCHEDULE, job_named
from config.settings import Settings
from flows.environment import prefect_answers, prefect_environment

log = logging.getLogger("milepost.flows")
DAILY = "daily"


def flow_names() -> list[str]:
    """The flows that can be run by name."""
    return [*(job.name for job in SCHEDULE), DAILY]


def load_flow(entrypoint: str) -> Any:
    """The flow of an entrypoint, such as flows.mail.mail."""
    module, _, name = entrypoint.rpartition(".")
    return getattr(import_module(module), name)


def flow_of(name: str) -> tuple[Any, Mapping[str, Any]]:
    """The flow of a name and the parameters it is scheduled with; KeyError lists the names there are."""
    if name == DAILY:
        return load_flow("flows.daily.daily"), {}
    job = job_named(name)
    return load_flow(job.entrypoint), job.parameters


async def run_flow(
    name: str, *, api_url: str | None = None, tags: tuple[str, ...] = (), **parameters: Any
) -> dict[str, Any]:
    """Run a flow in this process and return its report. ``api_url``: the Prefect server that may watch."""
    chosen, scheduled_with = flow_of(name)
    given = {**scheduled_with, **parameters}
    if api_url is not None and await asyncio.to_thread(prefect_answers, api_url):
        watched = await _watched(chosen, given, api_url, tags)
        if watched is not None:
            return watched
    from flows.runtime import without_prefect

    with without_prefect():
        report: dict[str, Any] = await chosen.fn(**given)
    return report


async def _watched(
    chosen: Any, given: Mapping[str, Any], api_url: str, tags: tuple[str, ...]
) -> dict[str, Any] | None:
    """Run it as a flow run; None where Prefect failed and not the work."""
    import httpx
    from prefect import tags as tagged
    from prefect.exceptions import PrefectException
    from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings

    # Said here as well, because Prefect may have been imported before its environment was set.
    there = {PREFECT_API_URL: api_url, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}
    try:
        with temporary_settings(there), tagged(*tags):
            report: dict[str, Any] = await chosen(**given)
        return report
    except (httpx.HTTPError, PrefectException) as error:
        log.warning("%s: Prefect failed (%s); the work is done without it", chosen.name, error)
        return None


def run_flow_now(name: str, settings: Settings, **parameters: Any) -> dict[str, Any]:
    """The same for the command line: opens what the settings name unless something is bound."""
    api_url = settings.prefect_api_url or f"http://127.0.0.1:{settings.prefect_port}/api"
    watched = prefect_answers(api_url)
    os.environ.update(prefect_environment(api_url if watched else None))
    return asyncio.run(run_flow(name, api_url=api_url if watched else None, **parameters))


__all__ = ["flow_names", "flow_of", "load_flow", "run_flow", "run_flow_now"]
