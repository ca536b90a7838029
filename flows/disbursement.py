"""Hands released payments to the bank and puts its answers on record."""

from __future__ import annotations

from typing import Any

from prefect import flow, task

from flows.runtime import here, told
from milepost.work.disbursement import disburse


async def body() -> dict[str, Any]:
    """Instruct, submit once, record the answer; ask about what was found without one."""
    with here() as office:
        return told(await disburse(office.database, office.bank))


do = task(name="disburse")(body)


@flow(name="disbursement", retries=2, retry_delay_seconds=20)
async def disbursement() -> dict[str, Any]:
    """Disbursement. The payment's own id is money's identity; the run's never is."""
    return await do()
