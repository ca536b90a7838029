"""Disbursement: ask the bank about what it has not answered, then hand over what is released."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow

from flows.runtime import bound, slice_task
from milepost.bank.desk import Desk
from milepost.work.batches import BatchReport, carry_on
from milepost.work.disbursement import DisbursementReport, disburse


@slice_task("disbursement-slice")
async def disburse_slice() -> DisbursementReport:
    """Everything that is released or unanswered: one process at a time does it."""
    given = bound()
    return await disburse(given.database, given.bank)


@slice_task("batches-slice")
async def carry_on_slice(desk: Desk) -> BatchReport:
    """Every batch that was handed over: one process at a time brings it to the bank's folder."""
    return await asyncio.to_thread(carry_on, bound().database, desk)


async def pay() -> dict[str, Any]:
    """What the flow does; also a part of the day in ``flows.daily``."""
    desk = bound().desk
    if desk is not None:
        # People make batches of what is released; here they become files.
        done = await carry_on_slice(desk)
        return {
            "submitted": done.instructed,
            "files": done.sent,
            "held_back": dict(done.left_out),
            "refused": {str(id): why for id, why in done.refused.items()},
            "busy": done.busy,
        }
    report = await disburse_slice()
    return {
        "submitted": report.submitted,
        "asked": report.asked,
        "outcomes": dict(report.outcomes),
        "held_back": dict(report.held_back),
        "busy": report.busy,
    }


@flow(name="disbursement", persist_result=False)
async def disbursement() -> dict[str, Any]:
    """At most one submission a payment, unless the bank itself says it never had it."""
    return await pay()


__all__ = ["disbursement", "pay"]
