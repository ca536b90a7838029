"""Where SQL and Python both say a rule, they say the same."""

from __future__ import annotations

import re

import psycopg

from milepost.experts.basis import LEFT
from milepost.experts.conflicts import BAN_RULE, STAFF_RULE, rules
from milepost.experts.fitness import UNUSED
from milepost.queries.sight import GRANTEES
from states.roles import ROLES
from tests.conftest import DatabaseUrls

JUDGES = {"expert", "evaluator", "system"}


def test_who_works_for_the_department_is_kept_out_of_its_panels(
    database_urls: DatabaseUrls,
) -> None:
    with psycopg.connect(database_urls.owner) as conn:
        rows = conn.execute(
            "SELECT string_agg(prosrc, ' ') FROM pg_proc "
            "WHERE proname IN ('review_conflicts', 'interest_conflicts', 'task_without_conflict')"
        ).fetchone()
    assert rows is not None
    source: str = rows[0]
    named = re.search(rf"'{STAFF_RULE}', g.*?g\.role IN \(([^)]*)\)", source, re.S)
    assert named is not None and f"'{BAN_RULE}'" in source
    # The trigger that keeps a task from an expert in conflict spares the same rule as Python does.
    assert f"c.rule <> '{STAFF_RULE}'" in source
    assert set(re.findall(r"'(\w+)'", named[1])) == set(ROLES) - GRANTEES - JUDGES
    assert {STAFF_RULE, BAN_RULE} <= rules().keys()


def test_a_task_that_counts_for_no_load_leaves_its_seat() -> None:
    assert set(LEFT) == set(UNUSED)
