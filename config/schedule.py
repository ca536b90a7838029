"""What runs by itself, and when: one line a flow. Feeds the scheduler of ``serve`` and Prefect's deployments.

The times are those of the office's zone. A flow does what is due by then, however late it comes, so they say
how soon people hear of something, never whether it happens. To add a flow: one file in ``flows/`` and one
line here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

POOL = "milepost"
"""The Prefect work pool whose process workers run the flows."""

Slot = Literal["day", "tick"]


@dataclass(frozen=True, slots=True)
class Job:
    """A flow, when it is due (cron), and what a due slot is.

    ``day``: it has to run once on each day, and is caught up when its time was missed. ``tick``: it looks
    whether something waits; a missed look is made good by the next one, and where nothing waits it does not
    start. ``part`` is its flow's module in ``flows`` and its name in ``milepost.work.agenda``.
    """

    name: str
    part: str
    cron: str
    slot: Slot
    what: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def entrypoint(self) -> str:
        """Where Prefect finds the flow: a module on the path, so that no folder is named."""
        return f"flows.{self.part}.{self.part}"


SCHEDULE: tuple[Job, ...] = (
    # Soon after midnight, when a day has passed; then hourly, for what is entered with a day that is past.
    Job("deadlines", "deadlines", "5 * * * *", "tick", "deadlines that act by themselves"),
    # After the deadlines, which give late reviews to others.
    Job("reviews", "reviews", "*/10 * * * *", "tick", "conflicts of experts, drawn seats to fill"),
    Job("payment-checks", "payment_checks", "*/5 * * * *", "tick", "payments whose gates may have moved"),
    # Every payment anew once a night, whatever else was noticed.
    Job(
        "payment-checks-full",
        "payment_checks",
        "30 1 * * *",
        "day",
        "every payment that waits",
        {"full": True},
    ),
    Job("disbursement", "disbursement", "*/5 * * * *", "tick", "released payments, the bank's answers"),
    Job("reconciliation", "reconciliation", "*/5 * * * *", "tick", "the bank's reports and statements"),
    # People find reminders when they begin to work.
    Job("reminders", "reminders", "0 7 * * *", "day", "reminders and escalation of deadlines"),
    Job("mail", "mail", "* * * * *", "tick", "the outbox, to the mail server"),
    # The last thing of a day is its seal.
    Job("sealing", "sealing", "50 23 * * *", "day", "the day's Merkle root over all chains"),
)


def job_named(name: str) -> Job:
    """The line of a name; KeyError with the names there are."""
    for job in SCHEDULE:
        if job.name == name:
            return job
    raise KeyError(f"no flow is scheduled as {name!r}; there are: {', '.join(job.name for job in SCHEDULE)}")


__all__ = ["POOL", "SCHEDULE", "Job", "Slot", "job_named"]
