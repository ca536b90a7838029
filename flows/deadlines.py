"""Lets deadlines act by themselves: calls close, notices end, agreements lapse."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow, task

from flows.runtime import here, told
from milepost.work.deadlines import act_on_deadlines, conclude_notices


def _acted() -> dict[str, Any]:
    with here() as office, office.database.session() as session:
        return {"acted": told(act_on_deadlines(session)), "concluded": told(conclude_notices(session))}


async def body() -> dict[str, Any]:
    """Take the step of each deadline that is past, then move on what the end of a notice sets free."""
    return await asyncio.to_thread(_acted)


do = task(name="act on deadlines")(body)


@flow(name="deadlines", retries=2, retry_delay_seconds=20)
async def deadlines() -> dict[str, Any]:
    """What happens when nobody did anything in time."""
    return await do()
