"""A grantee's role for an office reaches the projects of their own unit, by every way to take a step."""

from __future__ import annotations

from uuid import UUID

import pytest

from milepost.actions import Actor, perform_many
from milepost.available import available
from states.refusals import Refused
from tests.invariants.conftest import Found
from tests.invariants.town import Town, person_id

pytestmark = pytest.mark.xdist_group("grantees_reach")


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    """Beside the town's own unit and leader others, who apply through the same office."""
    made = found()
    made.vote()
    for name, role in (("unit9", "applicant"), ("lead9", "principal_investigator")):
        made.session.conn.execute(
            "INSERT INTO person (id, login, name, email, locale, active) VALUES (%s, %s, %s, '', 'zh', true)",
            (person_id(name), name, name),
        )
        made.people[name] = Actor(person_id(name), fresh=True)
        made.grant(name, role)
    return made


def codes(town: Town, who: str, step: str, id: UUID, **input: object) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, id, **input)
    return [refusal.code for refusal in caught.value.refusals]


ACCOUNT = {"account_name": "Thief", "account_no": "622200011199", "bank_name": "B"}


def test_the_next_unit_of_the_office_finds_nothing_there(town: Town) -> None:
    project = town.funded()
    milestone = town.milestones(project)[0]
    for who in ("unit9", "lead9"):
        assert codes(town, who, "milestone.report", milestone, report="x") == ["not_found"]
        assert codes(town, who, "payee.enter", project, **ACCOUNT) == ["not_found"]
        order = town.order("milestone.report", milestone, report="x")
        (outcome,) = perform_many(town.session, town.people[who], [order])
        assert [refusal.code for refusal in outcome.refusals] == ["not_found"]
        assert available(town.session, town.people[who], "project", project) == []
    town.take("unit", "milestone.report", milestone, report="x")


def test_a_role_for_the_project_itself_reaches_it(town: Town) -> None:
    project = town.funded()
    town.grant("unit9", "applicant", project=project)
    town.take("unit9", "milestone.report", town.milestones(project)[0], report="x")
    assert codes(town, "lead9", "milestone.report", town.milestones(project)[1], report="x") == ["not_found"]


def test_a_leader_s_seat_is_open_until_somebody_has_it(town: Town) -> None:
    project = town.apply()
    town.take("lead", "project.sign_leader_pledge", project)
    assert codes(town, "lead9", "project.withdraw", project, reason="x") == ["not_found"]
    assert codes(town, "unit9", "project.withdraw", project, reason="x") == ["not_found"]
