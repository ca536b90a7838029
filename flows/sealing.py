"""The day's seal: one Merkle root over the heads of all chains, exported and mailed."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.runtime import bound, slice_task
from milepost.work.sealing import Sealed, seal


@slice_task("sealing-slice")
async def seal_day() -> Sealed | None:
    """All chains in one snapshot: a root cannot be made in slices."""
    given = bound()
    with given.database.session() as session:
        return seal(session, data_dir=given.data_dir)


async def close_day() -> dict[str, Any]:
    """What the flow does; also a part of the day in ``flows.daily``."""
    sealed = await seal_day()
    if sealed is None:
        return {"sealed_on": None}
    return {
        "sealed_on": sealed.sealed_on.isoformat(),
        "size": sealed.size,
        "root": sealed.root.hex(),
        "fresh": sealed.fresh,
    }


@flow(name="sealing", persist_result=False)
async def sealing() -> dict[str, Any]:
    """Seal today, unless nothing happened since the last seal."""
    return await close_day()


__all__ = ["close_day", "sealing"]
