"""The demo's claims of costs: one decided, one to examine with a double pointed out, one being written."""

from __future__ import annotations

from datetime import date, datetime

from milepost.clock import OFFICE_ZONE
from milepost.db import Database
from milepost.demo.city import build_demo, person_id
from milepost.demo.costs import CostClaims
from milepost.evidence.verify_database import verify
from milepost.queries.claims import doubles


def test_the_demo_has_a_claim_to_examine_with_a_double(database: Database) -> None:
    day = date(2026, 10, 4)
    build_demo(database, datetime(2026, 10, 4, 15, 30, tzinfo=OFFICE_ZONE), goals={}, scene=CostClaims)
    with database.session() as session:
        claims = session.conn.execute(
            "SELECT p.code, c.number, c.state, c.allowed_minor, c.id FROM claim c "
            "JOIN project p ON p.id = c.project_id ORDER BY 1, 2"
        ).fetchall()
        assert [row[:4] for row in claims] == [
            ("H-01", 1, "accepted", 14_245_050),
            ("H-01", 2, "submitted", 0),
            ("H-02", 1, "submitted", 0),
            ("H-02", 2, "draft", 0),
        ]
        found = doubles(session, person_id("finance1"), claims[1][4])
        assert [(row["number"], row["code"]) for row in found] == [(1, "H-02")]
        assert session.conn.execute("SELECT max(at) FROM event").fetchone()[0].date() <= day  # type: ignore[index]
    assert verify(database).faults == []
