"""Takes the mail out of the outbox to the mail server."""

from __future__ import annotations

from typing import Any

from prefect import flow, task

from flows.runtime import here, told
from milepost.mail.outbox import deliver_due


async def body() -> dict[str, Any]:
    """Send what is due, slice by slice, over a few kept connections."""
    with here() as office:
        report = told(await deliver_due(office.database, office.mail, limit=5000))
    report.pop("next_at", None)
    return report


do = task(name="deliver mail")(body)


@flow(name="mail")
async def mail() -> dict[str, Any]:
    """Delivery. What fails is tried again by the outbox's own clock, so the run needs no retries."""
    return await do()
