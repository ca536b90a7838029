"""Seals the day: one Merkle root over the heads of all chains."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow, task

from flows.runtime import here
from milepost.work.sealing import seal


def _sealed() -> dict[str, Any]:
    with here() as office, office.database.session() as session:
        made = seal(session, data_dir=office.settings.data_dir)
    return {"root": made.root.hex(), "chains": made.size, "fresh": made.fresh} if made else {}


async def body() -> dict[str, Any]:
    """Seal what has moved since the last seal, and export the root."""
    return await asyncio.to_thread(_sealed)


do = task(name="seal the chains")(body)


@flow(name="sealing", retries=2, retry_delay_seconds=20)
async def sealing() -> dict[str, Any]:
    """The nightly seal; a missed night is covered by the next."""
    return await do()
