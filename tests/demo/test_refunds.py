"""The demo shows something owed in instalments, of which the bank's statement brought the first."""

from __future__ import annotations

from milepost.db import Database
from milepost.demo.refunds import OWED_MINOR, owe
from milepost.evidence.verify_database import verify
from tests.builders import build


def test_what_the_demo_owes_has_its_first_instalment_from_a_statement(database: Database) -> None:
    world = build(database)
    project, _ = world.payment_at("settled")
    owe(world, project, "示例单位")
    state, received, parts = world.rows(
        "SELECT state, received_minor, jsonb_array_length(plan) FROM receivable WHERE project_id = %s",
        project,
    )[0]
    assert (state, received, parts) == ("instalments", OWED_MINOR // 3, 3)
    assert world.value("SELECT count(*) FROM bank_entry WHERE outcome = 'received'") == 1
    assert verify(database).faults == []
