"""When each flow is due. Feeds APScheduler on one machine and Prefect deployments on many.

The cron times are those of the office's zone. A flow does what is due by then, however late it comes, so the
times say how soon people hear of something, never whether it happens.
"""

from __future__ import annotations

from dataclasses import dataclass

POOL = "milepost"
"""The Prefect work pool whose process workers run the flows."""


@dataclass(frozen=True, slots=True)
class Job:
    """A flow by the name of its module and function in ``flows``, and its cron expression."""

    name: str
    cron: str
    what: str

    @property
    def function(self) -> str:
        """The flow's function, which has the name of its module."""
        return self.name.replace("-", "_")

    @property
    def entrypoint(self) -> str:
        """Where Prefect finds the flow: a module on the path, so that no folder is named."""
        return f"flows.{self.function}.{self.function}"


SCHEDULE: tuple[Job, ...] = (
    Job("deadlines", "5 * * * *", "deadlines that act by themselves: calls, notices, agreements, late tasks"),
    Job("payment-checks", "*/10 * * * *", "gates of waiting payments: fall due, fall back, say what blocks"),
    Job("disbursement", "*/5 8-18 * * *", "released payments to the bank, its answers on record"),
    Job("reminders", "15 7-19 * * *", "reminders and escalation before and after deadlines"),
    Job("mail", "* * * * *", "the outbox to the mail server"),
    Job("sealing", "55 23 * * *", "the day's Merkle root over all chains"),
)
