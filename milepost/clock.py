"""The only place that reads the machine's clock. A simulated clock stands where it is put."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

OFFICE_ZONE = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """Now, and which day it is at the office, in the zone where it stands."""

    zone: ZoneInfo

    def now(self) -> datetime:
        """This instant in UTC."""
        ...

    def today(self) -> date:
        """The calendar day at the office."""
        ...


class SystemClock:
    """The machine's clock, read in UTC and shown in the office's zone."""

    def __init__(self, zone: ZoneInfo = OFFICE_ZONE) -> None:
        self.zone = zone

    def now(self) -> datetime:
        """This instant in UTC."""
        return datetime.now(UTC)

    def today(self) -> date:
        """The calendar day at the office."""
        return self.now().astimezone(self.zone).date()


class SimulatedClock:
    """A clock for tests and replays: it moves only when told."""

    def __init__(self, start: datetime | date, zone: ZoneInfo = OFFICE_ZONE) -> None:
        self.zone = zone
        self._now = self._instant(start)

    def _instant(self, when: datetime | date) -> datetime:
        if isinstance(when, datetime):
            return when.astimezone(UTC)
        return datetime.combine(when, time(9, 0), self.zone).astimezone(UTC)

    def now(self) -> datetime:
        """The simulated instant in UTC."""
        return self._now

    def today(self) -> date:
        """The simulated calendar day at the office."""
        return self._now.astimezone(self.zone).date()

    def set(self, when: datetime | date) -> None:
        """Stand at an instant, or at nine in the morning of a day. Going back is allowed: clocks do."""
        self._now = self._instant(when)

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self._now += by
