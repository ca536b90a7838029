"""A replay that is killed at any moment and gone on with ends where an undisturbed one ends.

The replaying process is killed with SIGKILL thirty times, at seeded moments, several times a run; whatever is
left is only what the database holds. At the end every chain is the same, event by event and hash by hash, and
so is the root over all of them. One thing may differ, and must: where the kill fell between an instruction
and the bank's answer, the bank was asked what became of it, and that stands in the payment's project. Even
there everything else is the same, and the bank has every payment once.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import DatabaseUrls
from tests.replay.running import child, run_child, write_files

KILLS = 30
BUDGETS = """\
alpha,2,BTC,2 months,1,1.5,BTC,1 month,2
alpha,2,BTC,2 months,2,0.5,BTC,1 month,3
beta,900,DAI,6 weeks,1,900,DAI,6 weeks,1
idle,5000,USD,1 week,1,5000,USD,1 week,1
"""
DELIVERIES = """\
alpha,1,2024-09-02,2,1,2024-09-03,2024-09-05,accepted,2,E1
alpha,2,2024-11-11,3,1,2024-11-12,2024-11-12,accepted,3,E1
beta,1,2024-09-02,1,1,2024-09-04,2024-09-05,accepted,1,E2
gamma,1,2024-09-05,4,1,2024-09-05,2024-09-05,accepted,4,E1
gamma,2,2024-10-01,4,1,2024-10-03,2024-10-03,in_progress,1,E2
delta,1,2024-09-20,4,0,,,not_evaluated,,
epsilon,1,2024-09-21,4,1,2024-09-22,2024-09-29,accepted,4,E2
epsilon,2,2024-09-21,4,1,2024-09-22,2024-09-29,accepted,4,E1
"""
HAND_OVER = ("payment.instruct", "payment.lose", "payment.not_received")


def read(urls: DatabaseUrls) -> dict[str, Any]:
    """Everything that must be the same in the end, whatever happened on the way."""
    with psycopg.connect(urls.app) as conn:

        def rows(sql: str) -> list[Any]:
            return conn.execute(sql).fetchall()

        return {
            "heads": dict(
                rows(
                    "SELECT coalesce(p.code, c.kind), encode(c.head, 'hex') "
                    "FROM chain c LEFT JOIN project p USING (id)"
                )
            ),
            "steps": rows(
                "SELECT coalesce(p.code, ''), e.step, e.subject_id, e.to_state, count(*) FROM event e "
                "LEFT JOIN project p ON p.id = e.chain_id WHERE e.step NOT IN "
                f"{HAND_OVER} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
            ),
            "milestones": rows("SELECT id, state, decided_on FROM milestone ORDER BY id"),
            "payments": rows("SELECT id, state, attempt, bank_reference FROM payment ORDER BY id"),
            "projects": rows("SELECT id, code, state FROM project ORDER BY id"),
            "accounts": rows(
                "SELECT id, kind, debits_pending, debits_posted - credits_posted, drawn_minor "
                "FROM account ORDER BY id"
            ),
            "bank": rows(
                "SELECT end_to_end_id, amount_minor, outcome, count(*) FROM simbank_instruction "
                "GROUP BY 1, 2, 3 ORDER BY 1"
            ),
            "root": rows("SELECT encode(root, 'hex') FROM seal ORDER BY sealed_on DESC LIMIT 1"),
            "unsent": rows("SELECT source FROM message WHERE state <> 'sent'"),
            "mails": {tuple(row) for row in rows("SELECT source, recipient_id FROM message")},
        }


def compare(found: dict[str, Any], wanted: dict[str, Any], hit: set[str]) -> None:
    """All the same, but for the trace of the bank being asked in the projects that were hit."""
    same = ("steps", "milestones", "payments", "projects", "accounts", "bank", "unsent")
    assert {name: found[name] for name in same} == {name: wanted[name] for name in same}
    differing = {code for code, head in wanted["heads"].items() if found["heads"][code] != head}
    assert differing <= hit
    assert (found["root"] == wanted["root"]) == (not differing)
    if not differing:
        assert found["mails"] == wanted["mails"]


def handed_over_otherwise(found: DatabaseUrls, wanted: DatabaseUrls) -> set[str]:
    """Projects in which an instruction, a lost answer or a settlement stands elsewhere than undisturbed."""
    sql = (
        "SELECT p.code, e.step, e.subject_id, e.at FROM event e JOIN project p ON p.id = e.chain_id "
        "WHERE e.step LIKE 'payment.%'"
    )
    with psycopg.connect(found.app) as one, psycopg.connect(wanted.app) as other:
        return {row[0] for row in set(one.execute(sql).fetchall()) ^ set(other.execute(sql).fetchall())}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_thirty_kills_leave_no_trace(make_urls: Any, tmp_path: Path) -> None:
    folder, out = write_files(tmp_path / "grants", BUDGETS, DELIVERIES), tmp_path / "summary.json"
    calm = make_urls()
    began = time.monotonic()
    run_child(folder, calm.owner, calm.app, out)
    lasted = time.monotonic() - began
    wanted = read(calm)
    assert wanted["unsent"] == [] and wanted["root"]
    seed = int(os.environ.get("MILEPOST_TEST_SEED", "20201"))
    chance, kills = random.Random(seed), 0
    while kills < KILLS:
        urls = make_urls()
        out.unlink(missing_ok=True)
        while not out.exists():
            with child(folder, urls, out) as process:
                # A run that has been killed often enough may end.
                patience = lasted * chance.uniform(0.02, 0.25) if kills < KILLS else 120
                process.join(patience)
                if process.is_alive():
                    assert process.pid is not None
                    os.kill(process.pid, signal.SIGKILL)
                    process.join()
                    kills += 1
                else:
                    assert process.exitcode == 0, f"seed {seed}"
        compare(read(urls), wanted, handed_over_otherwise(urls, calm))
    # How many runs that takes depends on how fast the machine is; that each ended alike does not.
    assert kills >= KILLS
