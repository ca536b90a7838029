"""Which day asks for what: the recorded days of the deliveries, and the days before them that are assumed.

On record are deliveries, evaluations, decisions, and how long a milestone was planned to take. Not on record
is when a grant was applied for. It is assumed in favour of the grantee: the agreement lies as long before the
first delivery as that delivery was planned to take (eight weeks where no plan says), so that the first one is
in time; whether later ones are late follows from what is on record. Grants without any delivery apply on the
first day of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from milepost.calendar import CalendarSource, back_from
from milepost.importing.deliveries import Delivery
from milepost.importing.grants import Grant

PROCEDURE_WORKING_DAYS = 13
"""From handing in to the signed agreement: the checks, five days of notice, the approval, two signatures."""

WITHOUT_A_PLAN = timedelta(weeks=8)
START_WITHOUT_DELIVERIES = date(2020, 1, 2)

Kind = Literal["apply", "report", "assign", "decide"]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happens on its day; ``delivery`` is None for an application."""

    kind: Kind
    grant: Grant
    delivery: Delivery | None = None


@dataclass(slots=True)
class Timetable:
    """The facts by day, in the order of their kinds, and the day each grant's agreement is reckoned from."""

    facts: dict[date, list[Fact]] = field(default_factory=dict)
    agreed_on: dict[str, date] = field(default_factory=dict)
    first_day: date = START_WITHOUT_DELIVERIES
    last_day: date = START_WITHOUT_DELIVERIES

    def on(self, day: date, kind: Kind) -> list[Fact]:
        """What of a kind happens on a day."""
        return [fact for fact in self.facts.get(day, ()) if fact.kind == kind]

    def add(self, day: date, fact: Fact) -> None:
        """Enter a fact on its day."""
        self.facts.setdefault(day, []).append(fact)


def agreement_day(grant: Grant) -> date | None:
    """The day the agreement is reckoned from, or None for a grant that delivered nothing."""
    deliveries = grant.deliveries
    if not deliveries:
        return None
    first = deliveries[0]
    planned = next(m.due_after for m in grant.milestones if m.number == first.milestone)
    return planned.before(first.delivered_on) if planned else first.delivered_on - WITHOUT_A_PLAN


def timetable(grants: Iterable[Grant], calendar: CalendarSource) -> Timetable:
    """Every grant's days. It ends with the last year of which anything is on record."""
    table = Timetable()
    given = list(grants)
    agreed = {grant.code: agreement_day(grant) for grant in given}
    starts = {
        code: back_from(day, PROCEDURE_WORKING_DAYS, unit="working_days", source=calendar)
        for code, day in agreed.items()
        if day is not None
    }
    table.first_day = min(starts.values(), default=START_WITHOUT_DELIVERIES)
    for grant in given:
        start = starts.get(grant.code, table.first_day)
        day = agreed[grant.code]
        table.agreed_on[grant.code] = day or start + timedelta(days=PROCEDURE_WORKING_DAYS * 7 // 5)
        table.add(start, Fact("apply", grant))
        for delivery in grant.deliveries:
            table.add(delivery.delivered_on, Fact("report", grant, delivery))
            if delivery.decided_on is not None:
                table.add(delivery.taken_up_on, Fact("assign", grant, delivery))
                table.add(delivery.decided_on, Fact("decide", grant, delivery))
    table.last_day = date(max(table.facts, default=table.first_day).year, 12, 31)
    return table
