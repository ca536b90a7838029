"""Disbursement: ask the bank about what it has not answered, then hand over what is released."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.runtime import bound, slice_task
from milepost.work.disbursement import DisbursementReport, disburse


@slice_task("disbursement-slice")
async def disburse_slice() -> DisbursementReport:
    """Everything that is released or unanswered: one process at a time does it."""
    given = bound()
    return await disburse(given.database, given.bank)


async def pay() -> dict[str, Any]:
    """What the flow does; also a part of the day in ``flows.daily``."""
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
