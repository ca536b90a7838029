"""Reconciliation: read what the bank has put into the incoming folder, and let the statement decide."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow

from flows.runtime import bound, slice_task
from milepost.bank.desk import Desk
from milepost.work.reconciliation import ReconciliationReport, reconcile_folder


@slice_task("reconciliation-slice")
async def reconcile_slice(desk: Desk) -> ReconciliationReport:
    """Every file that lies there, then everything it said."""
    return await asyncio.to_thread(reconcile_folder, bound().database, desk)


async def reconcile_inbox() -> dict[str, Any]:
    """What the flow does; where payments do not go by files there is nothing to read."""
    desk = bound().desk
    if desk is None:
        return {"files": 0}
    report = await reconcile_slice(desk)
    return {
        "files": len(report.files),
        "outcomes": dict(report.outcomes),
        "exceptions": dict(report.exceptions),
        "closed": report.closed,
        "busy": report.busy,
    }


@flow(name="reconciliation", persist_result=False)
async def reconciliation() -> dict[str, Any]:
    """The same file twice, under any name, does nothing the second time."""
    return await reconcile_inbox()


__all__ = ["reconcile_inbox", "reconciliation"]
