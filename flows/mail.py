"""Mail goes out of the outbox, slice by slice, until nothing is due or the server takes no more."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.runtime import bound, slice_task
from milepost.mail.outbox import DeliveryReport, deliver_due

SLICE = 500


@slice_task("mail-slice")
async def deliver_slice() -> DeliveryReport:
    """One slice of the mails that are due."""
    given = bound()
    return await deliver_due(given.database, given.mail, limit=SLICE)


async def deliver() -> dict[str, Any]:
    """What the flow does; also a part of the day in ``flows.daily``."""
    found = {"sent": 0, "retried": 0, "dead": 0}
    while True:
        report = await deliver_slice()
        for name in found:
            found[name] += getattr(report, name)
        # A server that is down leaves everything: then this round is over.
        if report.left == 0 or report.sent + report.dead == 0:
            return {**found, "left": report.left}


@flow(name="mail", persist_result=False)
async def mail() -> dict[str, Any]:
    """Deliver what is due."""
    return await deliver()


__all__ = ["deliver", "mail"]
