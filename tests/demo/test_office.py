"""An office brings projects of every shipped programme to the archive, and their parts to any state."""

from __future__ import annotations

import pytest

from milepost.db import Database
from tests.builders import build

SHIPPED = [
    "city-milestone-subsidy",
    "city-post-subsidy",
    "city-pre-subsidy",
    "horizon-lump-sum",
    "small-grants",
]


@pytest.mark.parametrize("programme", SHIPPED)
def test_a_project_of_each_shipped_programme_reaches_the_archive(database: Database, programme: str) -> None:
    world = build(database, programme)
    project_id = world.project_at("archived")
    states = world.rows("SELECT state, count(*) FROM payment WHERE project_id = %s GROUP BY 1", project_id)
    assert states == [("settled", len(world.payments(project_id)))]
    award = world.value("SELECT award_minor FROM project WHERE id = %s", project_id)
    paid = world.value("SELECT credits_posted FROM account WHERE kind = 'paid' AND owner_id = %s", project_id)
    assert paid == award


@pytest.mark.parametrize(
    "state",
    ["planned", "due", "requested", "approved", "released", "instructed", "settled", "unknown", "void"],
)
def test_a_payment_can_be_brought_to_each_state(database: Database, state: str) -> None:
    world = build(database)
    _, payment_id = world.payment_at(state)
    assert world.value("SELECT state FROM payment WHERE id = %s", payment_id) == state


def test_a_payment_that_the_bank_returns_is_followed_by_the_next_attempt(database: Database) -> None:
    world = build(database)
    project_id, payment_id = world.payment_at("returned")
    assert world.value("SELECT state FROM payment WHERE id = %s", payment_id) == "returned"
    fresh = world.payments(project_id)[0]
    assert world.rows("SELECT attempt, state FROM payment WHERE id = %s", fresh) == [(2, "planned")]


@pytest.mark.parametrize(
    "state", ["due", "overdue", "reported", "returned", "accepted", "rejected", "waived"]
)
def test_a_milestone_can_be_brought_to_each_state(database: Database, state: str) -> None:
    world = build(database)
    assert world.value("SELECT state FROM milestone WHERE id = %s", world.milestone_at(state)) == state
