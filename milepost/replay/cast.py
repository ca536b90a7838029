"""Who acts in a replay: one officer, a supervisor, three finance officers, each grantee, each evaluator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from milepost.actions import Actor
from milepost.db import Session
from milepost.importing.grants import Grant
from milepost.importing.people import NewPerson, enter_people, person_id

OFFICE = "/grants/"


@dataclass(slots=True)
class Cast:
    """The people of a replay as actors; grantees by project code, evaluators by their pseudonym."""

    officer: Actor
    requester: Actor
    approver: Actor
    releaser: Actor
    units: dict[str, Actor] = field(default_factory=dict)
    leaders: dict[str, Actor] = field(default_factory=dict)
    evaluators: dict[str, Actor] = field(default_factory=dict)


def _actor(login: str) -> Actor:
    return Actor(person_id(login), fresh=True)


def enter_cast(session: Session, grants: Iterable[Grant]) -> Cast:
    """Enter everybody; to do it again changes nothing."""
    people = [
        NewPerson("officer", "项目主管 · Programme officer", (("programme_officer", OFFICE),)),
        NewPerson("supervisor", "监督人员 · Supervisor", (("supervisor", OFFICE),)),
        NewPerson("finance-1", "财务甲（申请）· Finance, requests", (("finance_officer", "/"),)),
        NewPerson("finance-2", "财务乙（审批）· Finance, approves", (("finance_officer", "/"),)),
        NewPerson("finance-3", "财务丙（放款）· Finance, releases", (("finance_officer", "/"),)),
    ]
    cast = Cast(_actor("officer"), _actor("finance-1"), _actor("finance-2"), _actor("finance-3"))
    for grant in grants:
        unit, leader = f"unit-{grant.slug}", f"lead-{grant.slug}"
        people.append(NewPerson(unit, grant.name, (("applicant", grant.office),), locale="en"))
        people.append(
            NewPerson(leader, f"{grant.name}, lead", (("principal_investigator", grant.office),), locale="en")
        )
        cast.units[grant.code], cast.leaders[grant.code] = _actor(unit), _actor(leader)
        for delivery in grant.deliveries:
            for name in delivery.evaluators[-1:]:
                cast.evaluators[name] = _actor(f"evaluator-{name}")
    people += [
        NewPerson(f"evaluator-{name}", name, (("evaluator", OFFICE),), locale="en")
        for name in sorted(cast.evaluators)
    ]
    enter_people(session, people)
    return cast
