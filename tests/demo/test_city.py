"""The demo's city stands at every stage on whatever day it is asked for, and its evidence holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from milepost.clock import OFFICE_ZONE
from milepost.db import Database
from milepost.demo.city import build_demo
from milepost.evidence.verify_database import verify
from states.roles import ROLES

STAGES = {
    "application", "completeness_check", "eligibility_check", "remote_review", "site_visit", "public_notice",
    "approval", "task_agreement", "implementation", "acceptance", "closure",
}  # fmt: skip
ENDS = {"archived", "closed_passed", "declined", "lapsed", "suspended", "terminated", "withdrawn"}
PAYMENTS = {
    "planned", "due", "requested", "approved", "released", "instructed", "unknown", "returned", "settled",
    "void",
}  # fmt: skip
BLOCKED = {"milestone_not_accepted", "acceptance_not_passed", "on_hold", "integrity_flagged"}


@pytest.mark.parametrize("day", [date(2026, 10, 4), date(2027, 2, 6)], ids=["in the holidays", "saturday"])
def test_the_city_stands_at_every_stage_on_any_day(database: Database, day: date) -> None:
    now = datetime(day.year, day.month, day.day, 15, 30, tzinfo=OFFICE_ZONE)
    demo = build_demo(database, now)
    assert (demo.today, demo.projects, demo.underway) == (day, 60, [])
    with database.session() as session:

        def column(sql: str, *params: object) -> set[object]:
            return {row[0] for row in session.conn.execute(sql, params)}

        assert column("SELECT state FROM project") == STAGES | ENDS
        assert column("SELECT state FROM payment") == PAYMENTS
        assert column("SELECT DISTINCT jsonb_array_elements(blocked)->>'code' FROM payment_check") >= BLOCKED
        assert column("SELECT state FROM milestone") == {
            "planned", "overdue", "reported", "returned", "accepted",
        }  # fmt: skip
        assert {"invited", "accepted", "submitted", "late"} <= column("SELECT state FROM task")
        assert column("SELECT state FROM objection") == {"filed"}
        assert column("SELECT state || received_minor FROM receivable") == {"instalments2000000"}
        assert column("SELECT state FROM call") == {"open", "planned"}
        assert column("SELECT programme_code FROM project") == {
            "city-milestone-subsidy", "city-pre-subsidy", "city-post-subsidy",
        }  # fmt: skip
        near = column(
            "SELECT id FROM deadline WHERE closed_seq IS NULL AND due_on BETWEEN %s AND %s",
            day - timedelta(days=10),
            day + timedelta(days=10),
        )
        assert len(near) >= 10
        assert max(column("SELECT max(at) FROM event")) <= now.astimezone(UTC)
        # Nobody takes these for real.
        assert all("示例" in str(name) for name in column("SELECT unit_name FROM project"))
    assert verify(database).faults == []
    assert {login.role for login in demo.logins} == set(ROLES) - {"system"}
