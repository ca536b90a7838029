"""``python -m bench``: measure every line, print the table, write ``bench/results.json``."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import psycopg
from rich.console import Console
from rich.table import Table

from bench import (
    bank_files,
    bank_loop,
    beside_viewflow,
    calibration,
    draws,
    many,
    matching,
    memory,
    payment_stage,
    reads,
    single,
)
from bench.lines import Line
from bench.server import SETTINGS, own_server
from bench.sizes import FULL, QUICK, Sizes
from milepost.embedded import EmbeddedPostgres

RESULTS = Path(__file__).with_name("results.json")
COLUMNS: tuple[tuple[str, Literal["left", "right"]], ...] = (
    ("line", "left"),
    ("ratio", "right"),
    ("goal", "right"),
    ("met", "left"),
)
Measure = Callable[[EmbeddedPostgres, Sizes], list[Line]]
LINES: dict[str, Measure] = {
    "single": single.measure,
    "many": many.measure,
    "checks": payment_stage.measure,
    "viewflow": beside_viewflow.measure,
    "reads": reads.measure,
    "memory": memory.measure,
    "matching": matching.measure,
    "calibration": calibration.measure,
    "draws": draws.measure,
    "bank_files": bank_files.measure,
    "bank_loop": bank_loop.measure,
}


def versions(server: EmbeddedPostgres) -> dict[str, str]:
    """What was measured with."""
    with psycopg.connect(server.owner_url) as conn:
        row = conn.execute("SHOW server_version").fetchone()
    assert row is not None
    names = ("milepost", "psycopg", "prefect", "django", "django-viewflow")
    found = {"python": platform.python_version(), "postgresql": row[0].split()[0]}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def show(console: Console, lines: list[Line]) -> None:
    """The table: ratios and goals, never absolute figures, which are some machine's; then in words."""
    table = Table(title="Ratios, measured in turns on one server in one run")
    for title, justify in COLUMNS:
        table.add_column(title, justify=justify)
    for line in lines:
        goal = "" if line.goal is None else f"{line.bound} {line.goal:g}"
        met = {True: "yes", False: "NO", None: ""}[line.met]
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
        table.add_row(line.name, ratio, goal, met)
    console.print(table)
    for line in lines:
        console.print(f"[bold]{line.name}[/]: {line.compared}", highlight=False)


def main() -> None:
    """Measure what was asked for and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it runs, not to quote")
    parser.add_argument("--only", nargs="+", choices=sorted(LINES), help="only these lines")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results are written")
    given = parser.parse_args()
    sizes = QUICK if given.quick else FULL
    console = Console()
    with own_server() as server:
        found = versions(server)
        lines: list[Line] = []
        for name, measure in LINES.items():
            if given.only and name not in given.only:
                continue
            console.print(f"{name} …")
            lines += measure(server, sizes)
    document = {
        "quick": given.quick,
        "versions": found,
        "server": SETTINGS,
        "lines": [line.as_json(found) for line in lines],
    }
    given.output.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    show(console, lines)


if __name__ == "__main__":
    main()
