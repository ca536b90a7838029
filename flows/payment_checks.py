"""The payment-stage check: what waits falls due, falls back, or says what blocks it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import flow

from flows.runtime import bound, slice_task
from milepost.work.checks import CheckReport, check_payments
from milepost.work.waiting import EVERY, Span, count_waiting, spans

SLICE = 100_000
"""So many waiting payments to a task: below, one pass over all is the quickest."""


@slice_task("payment-checks-slice")
async def check_slice(span: Span, full: bool) -> CheckReport:
    """The payments of a range of ids."""
    with bound().database.session() as session:
        return check_payments(session, full=full, span=span)


async def check(*, full: bool = False) -> dict[str, Any]:
    """What the flow does; also a part of the day in ``flows.daily``."""
    parts = [EVERY]
    if full:
        with bound().database.session() as session:
            parts = spans(1 + count_waiting(session.conn) // SLICE)
    total = CheckReport()
    for span in parts:
        report = await check_slice(span, full)
        for name, count in asdict(report).items():
            setattr(total, name, getattr(total, name) + count)
    return asdict(total)


@flow(name="payment-checks", persist_result=False)
async def payment_checks(full: bool = False) -> dict[str, Any]:
    """What changed since the last check, or with ``full`` everything that waits."""
    return await check(full=full)


__all__ = ["check", "payment_checks"]
