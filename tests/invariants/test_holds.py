"""Whoever has a reason stops the money, of a project or of one payment; another person lets it go."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from uuid import UUID

import psycopg
import pytest

from milepost.available import available
from milepost.queries.projects import project_view
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.forge import Conn, forged_event, refused, write_event
from tests.invariants.town import Town, person_id

ENTITLED = ("officer", "finance5", "supervisor")


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found()
    made.vote()
    return made


@pytest.fixture(autouse=True)
def nothing_broken(town: Town) -> Iterator[None]:
    yield
    assert faults(town.session.conn) == []


def codes(town: Town, who: str, step: str, subject: UUID, **input: str) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, subject, **input)
    return [refusal.code for refusal in caught.value.refusals]


def newest(town: Town, subject: UUID) -> str:
    return str(
        town.one(
            "SELECT id FROM hold WHERE coalesce(payment_id, project_id) = %s AND lifted_at IS NULL "
            "ORDER BY placed_at DESC LIMIT 1",
            subject,
        )
    )


def test_a_payment_that_is_held_stands_still_and_its_neighbour_goes_on(town: Town) -> None:
    project = town.funded()
    payment = town.payment("requested", project=project)
    other = town.payment("due", project=project, tranche=1)
    for who, step in (("finance2", "approve"), ("finance3", "release"), ("system", "instruct")):
        town.take("supervisor", "payment.place_hold", payment, reason="a question")
        assert codes(town, who, f"payment.{step}", payment) == ["payment_on_hold"]
        hold = newest(town, payment)
        town.take("officer", "payment.lift_hold", payment, hold_id=hold, reason="answered")
        town.take(who, f"payment.{step}", payment)
    town.take("finance1", "payment.request", other)


@pytest.mark.parametrize("noun", ["project", "payment"])
def test_all_who_are_entitled_place_it_and_only_another_of_them_lifts_it(town: Town, noun: str) -> None:
    project = town.funded()
    subject = project if noun == "project" else town.payments(project)[0]
    people = (*ENTITLED, "counsel") if noun == "project" else ENTITLED
    for placing, lifting in product(people, people):
        town.take(placing, f"{noun}.place_hold", subject, reason="a question")
        given = {"hold_id": newest(town, subject), "reason": "answered"}
        if placing == lifting:
            assert codes(town, lifting, f"{noun}.lift_hold", subject, **given) == ["hold_same_person"]
            offered = available(town.session, town.people[lifting], noun, subject)
            [greyed] = [o for o in offered if o.step.name == f"{noun}.lift_hold"]
            assert [r.code for r in greyed.refusals] == ["hold_same_person"]
            lifting = next(who for who in people if who != placing)
        town.take(lifting, f"{noun}.lift_hold", subject, **given)
        assert codes(town, lifting, f"{noun}.lift_hold", subject, **given)[0] == "no_holds"


def test_a_hold_is_told_with_who_when_and_why(town: Town) -> None:
    project = town.funded()
    payment = town.payments(project)[0]
    town.take("finance5", "payment.place_hold", payment, reason="the invoice is missing")
    view = project_view(town.session, town.people["officer"].id, project)
    assert view is not None
    [hold] = view.holds
    assert (hold["payment_id"], hold["placed_by"], hold["reason"]) == (
        payment, "finance5", "the invoice is missing",
    )  # fmt: skip
    assert "payment_on_hold" in [r.code for r in view.blocked[payment]]


@pytest.mark.parametrize("user", ["app", "owner"])
def test_the_database_lets_nobody_lift_their_own_hold(town: Town, user: str) -> None:
    project = town.funded()
    town.take("officer", "project.place_hold", project, reason="a question")
    url = town.database.url if user == "app" else town.database.owner_url
    assert url is not None
    attacker: Conn
    with psycopg.connect(url) as attacker:
        write_event(attacker, forged_event(attacker, "project", project, "project.lift_hold"), holds=0)
        with refused("hold_two_people"):
            attacker.execute(
                "UPDATE hold SET lifted_by = %s, lifted_at = now() WHERE project_id = %s",
                (person_id("officer"), project),
            )
        attacker.rollback()
