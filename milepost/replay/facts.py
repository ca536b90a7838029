"""The steps of the recorded days: applying, reporting, evaluating, deciding; and the yearly budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any
from uuid import UUID

from milepost.actions import Actor, Order
from milepost.importing.deliveries import Delivery
from milepost.importing.grants import Grant, Undertaking
from milepost.replay.cast import Cast
from milepost.replay.timetable import Fact, Timetable

ASSUMED_MARK = "（金额为假定 · sum assumed）"
"""Stands in the title of a milestone whose sum no file gives: the database itself says what was assumed."""

Taken = tuple[Actor, Order]


def application(
    fact: Fact, cast: Cast, table: Timetable, programme_id: UUID
) -> Iterator[tuple[Actor, str, dict[str, Any]]]:
    """The steps of one application: made by the grantee, pledged by both, handed in, all on one day."""
    grant = fact.grant
    unit, leader = cast.units[grant.code], cast.leaders[grant.code]
    agreed = table.agreed_on[grant.code]
    yield (
        unit,
        "project.apply",
        {
            "code": grant.code,
            "title": grant.code,
            "programme_id": str(programme_id),
            "office_path": grant.office,
            "unit_name": grant.name,
            "leader_name": f"{grant.name}, lead",
            "requested_minor": grant.total.minor,
            "currency": grant.currency,
            "plan": [_planned(m, agreed) for m in sorted(grant.milestones, key=lambda m: m.number)],
        },
    )
    yield unit, "project.sign_unit_pledge", {}
    yield leader, "project.sign_leader_pledge", {}
    yield unit, "project.submit", {}


def _planned(undertaking: Undertaking, agreed: date) -> dict[str, Any]:
    mark = ASSUMED_MARK if undertaking.assumed else ""
    due = undertaking.due_after.after(agreed).isoformat() if undertaking.due_after else None
    return {
        "number": undertaking.number,
        "title": f"Milestone {undertaking.number}{mark}",
        "amount_minor": undertaking.amount.minor,
        "due_on": due,
    }


def request_id(grant: Grant, delivery: Delivery, what: str) -> str:
    """Named by the fact, so that a day lived twice happens once."""
    return f"replay:{grant.code}:{delivery.milestone}:{what}"


def fact_order(fact: Fact, cast: Cast, milestone_id: UUID) -> Taken:
    """The step a fact about a milestone is, and who takes it."""
    delivery = fact.delivery
    assert delivery is not None
    request = request_id(fact.grant, delivery, fact.kind)
    if fact.kind == "report":
        report = f"Delivered {delivery.delivered_on}: {delivery.deliverables} deliverables."
        given: dict[str, Any] = {"report": report, "deliverables": delivery.deliverables}
        return cast.units[fact.grant.code], Order("milestone.report", milestone_id, given, request)
    evaluator = cast.evaluators[delivery.evaluator]
    if fact.kind == "assign":
        given = {"evaluator_id": str(evaluator.id)}
        return cast.officer, Order("milestone.assign", milestone_id, given, request)
    said = f"{delivery.evaluations} evaluations by {', '.join(delivery.evaluators)}"
    if delivery.outcome == "accepted":
        given = {
            "opinion": f"Accepted after {said}.",
            "deliverables_accepted": delivery.deliverables_accepted,
        }
        return evaluator, Order("milestone.accept", milestone_id, given, request)
    reason = f"In progress after {said}: {delivery.deliverables_accepted or 0} deliverables accepted so far."
    return evaluator, Order("milestone.return", milestone_id, {"reason": reason}, request)


CARRIED_OVER_FROM = (12, 1)
"""What was accepted from this month and day on may be paid from the next year's appropriation."""


def appropriations(grants: Iterable[Grant], year: int) -> dict[str, int]:
    """What a year must provide, by currency: the sums of all milestones that could still be paid in it."""
    cut = date(year - 1, *CARRIED_OVER_FROM)
    sums: dict[str, int] = {}
    for grant in grants:
        for milestone in grant.milestones:
            delivery = milestone.delivery
            done = delivery is not None and delivery.outcome == "accepted" and delivery.decided_on is not None
            if (
                done
                and delivery is not None
                and delivery.decided_on is not None
                and delivery.decided_on < cut
            ):
                continue
            sums[grant.currency] = sums.get(grant.currency, 0) + milestone.amount.minor
    return dict(sorted(sums.items()))
