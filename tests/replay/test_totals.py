"""The replay's totals are those of the CSV files: counted here straight from them, with nothing of ours but
the summary itself. Whoever doubts the product can read this file alone."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.replay.running import summary_of, write_files

EXAMPLE = Path(__file__).parents[2] / "examples" / "web3-grants"
MINOR = {"BTC": 8, "DAI": 2, "USD": 2}
ASSUMED = 1_000_000  # 10,000.00 USD

# Other grants, years and sums: one without a plan, one that needs two currencies, a leap day, days of rest.
BUDGETS = """\
north,1.20000001,BTC,2 months,1,0.7,BTC,1 month,2
north,1.20000001,BTC,2 months,2,0.50000001,BTC,1 month,3
south,500.50,DAI,6 weeks,1,500.5,DAI,6 weeks,1
east,10,USD,soon,1,10,USD,soon,1
never,5000,USD,1 week,1,5000,USD,1 week,1
broken,3,USD,1 week,1,1,USD,1 week,1
broken,3,USD,1 week,2,1,USD,1 week,1
"""
DELIVERIES = """\
north,1,2023-11-04,2,1,2023-11-20,2023-12-31,accepted,2,E1
north,2,2024-02-29,3,2,2024-03-01,2024-03-30,accepted,3,E1 E2
south,1,2023-11-04,1,1,2023-11-04,2023-11-04,accepted,1,E2
south,2,2024-01-15,1,1,2024-01-16,2024-01-17,accepted,0,E2
west,1,2024-02-02,4,1,2024-04-30,2024-05-01,accepted,5,E3
west,2,2024-06-01,4,1,2024-06-03,2024-06-03,in_progress,1,E3
west,7,2024-06-02,4,0,,,not_evaluated,,
broken,1,2024-06-02,4,0,,,not_evaluated,,
east,1,2024-06-02,4,1,2024-06-05,2024-06-06,accepted,4,E9
"""


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def expected(folder: Path) -> dict[str, Any]:
    """What a bookkeeper makes of the two files."""
    budgets, deliveries = rows_of(folder / "grant_budgets.csv"), rows_of(folder / "milestone_deliveries.csv")
    applications: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
    for number, row in enumerate(budgets, start=2):
        applications[row["project"]].append((number, row))
    sums: dict[tuple[str, str], tuple[str, int]] = {}
    refused: list[tuple[str, int, str]] = []
    for project, rows in applications.items():
        total, currency = rows[0][1]["total"], rows[0][1]["currency"]
        adds_up = sum(Decimal(row["amount"]) for _, row in rows) == Decimal(total)
        if adds_up and all(row["amount_currency"] == currency for _, row in rows):
            for _, row in rows:
                minor = Decimal(row["amount"]) * 10 ** MINOR[currency]
                assert minor == int(minor)
                sums[project, row["milestone"]] = currency, int(minor)
        else:
            refused += [("grant_budgets.csv", number, project) for number, _ in rows]
    paid: Counter[str] = Counter()
    assumed: Counter[str] = Counter()
    for row in deliveries:
        if row["outcome"] == "accepted":
            currency, minor = sums.get((row["project"], row["milestone"]), ("USD", ASSUMED))
            paid[currency] += minor
            if (row["project"], row["milestone"]) not in sums:
                assumed[currency] += minor
    delivered = {(row["project"], row["milestone"]) for row in deliveries}
    return {
        "grants": len({project for project, _ in sums} | {row["project"] for row in deliveries}),
        "milestones": len(delivered),
        "by_outcome": dict(Counter(row["outcome"] for row in deliveries)),
        "milestones_without_delivery": len(set(sums) - delivered),
        "paid_minor": dict(paid),
        "payments": sum(1 for row in deliveries if row["outcome"] == "accepted"),
        "assumed": {"milestones": len(delivered - set(sums)), "paid_minor": dict(assumed)},
        "refused": sorted(refused),
    }


def compare(summary: dict[str, Any], wanted: dict[str, Any]) -> None:
    refused = sorted((r["file"], r["row"], r["project"]) for r in summary["refused_rows"])
    assert refused == wanted.pop("refused")
    assert {name: summary[name] for name in wanted} == wanted
    assert summary["verified"] is True and summary["faults"] == []
    assert summary["mails_unsent"] == 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_real_grants_end_with_the_totals_of_their_files(server_folder: Path) -> None:
    """The command itself, with a database of its own and Prefect watching."""
    command = [sys.executable, "-m", "milepost", "replay", str(EXAMPLE), "--json"]
    environment = {**os.environ, "MILEPOST_DATA_DIR": str(server_folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=390)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    compare(summary, expected(EXAMPLE))
    assert summary["by_outcome"] == {"accepted": 399, "in_progress": 5, "not_evaluated": 47}
    assert summary["reminders_sent"] > 0
    # The bank was slow, lost answers, and turned one account down; it is settled all the same.
    assert summary["bank"]["payment.bank_return"] == 1
    assert summary["bank"]["payment.lose"] > 1
    assert summary["refusals"] == {}
    assert {r["code"] for r in summary["refused_rows"]} == {"plan_does_not_add_up", "currency_differs"}
    odd = [r for r in summary["remarks"] if r["code"] == "decided_before_evaluated"]
    assert [(r["project"], r["row"]) for r in odd] == [("dinfra", 296)]


def test_another_folder_of_the_same_two_files_replays_just_as_well(
    database_urls: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    write_files(folder, BUDGETS, DELIVERIES)
    summary = summary_of(folder, database_urls, tmp_path / "summary.json")
    wanted = expected(folder)
    compare(summary, wanted)
    assert summary["paid_minor"] == {"BTC": 120_000_001, "DAI": 50_050, "USD": 2_001_000}
    assert summary["by_outcome"] == {"accepted": 6, "in_progress": 1, "not_evaluated": 2}
