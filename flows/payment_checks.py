"""Evaluates the gates of every waiting tranche: due, back again, or what blocks it."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow, task

from flows.runtime import here, told
from milepost.work.checks import check_payments


def _checked() -> dict[str, Any]:
    with here() as office, office.database.session() as session:
        return told(check_payments(session))


async def body() -> dict[str, Any]:
    """Judge what has changed since the last check, slice by slice."""
    return await asyncio.to_thread(_checked)


do = task(name="judge waiting payments")(body)


@flow(name="payment-checks", retries=2, retry_delay_seconds=20)
async def payment_checks() -> dict[str, Any]:
    """The payment-stage check. Twice, late or in two places, it moves a payment once."""
    return await do()
