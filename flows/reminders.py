"""Sends each reminder once, however late, and escalates what is past."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow, task

from flows.runtime import here, told
from milepost.work.reminders import send_reminders


def _reminded() -> dict[str, Any]:
    with here() as office, office.database.session() as session:
        return told(send_reminders(session))


async def body() -> dict[str, Any]:
    """Claim the offsets that were reached and queue their mail, slice by slice."""
    return await asyncio.to_thread(_reminded)


do = task(name="queue reminders")(body)


@flow(name="reminders", retries=2, retry_delay_seconds=20)
async def reminders() -> dict[str, Any]:
    """Reminders before and after deadlines."""
    return await do()
