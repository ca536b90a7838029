"""The shape of the code holds: imports point down, one clock, one engine, one mail library, small files.

Each rule is read from the source, so it also covers what no other test imports. Exceptions are
listed by file, with the reason; there is no general one.
"""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "schema", "states", "flows", "milepost")
LINES_MAX = 500
# A table of all cases is read row by row: tests get a little more room.
TEST_LINES_MAX = 560

# Where the wall clock may be read. Everyone else is given a clock.
READS_THE_CLOCK = {"milepost/clock.py"}

CLOCK_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
}


def sources(*folders: str) -> list[str]:
    """Our Python files, as paths from the root."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts)


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=path)


def imported(module: ast.Module) -> Iterator[str]:
    """Every name that a module imports: `from a import b` gives both `a` and `a.b`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of(package: str, *folders: str) -> set[str]:
    """The files that import `package` or something in it."""
    return {
        path
        for path in sources(*folders)
        if any(name == package or name.startswith(f"{package}.") for name in imported(tree(path)))
    }


def clock_readings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines that read the wall clock, also under another name (`from time import time as t`)."""
    names: dict[str, tuple[str, ...]] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name] = (alias.name,)
        elif isinstance(node, ast.ImportFrom) and node.module in ("datetime", "time"):
            for alias in node.names:
                names[alias.asname or alias.name] = (node.module, alias.name)
    for node in ast.walk(module):
        # A reference is enough: `default_factory=datetime.now` calls it later.
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            parts: list[str] = []
            at: ast.expr = node
            while isinstance(at, ast.Attribute):
                parts.insert(0, at.attr)
                at = at.value
            if not isinstance(at, ast.Name) or at.id not in names:
                continue
            full = (*names[at.id], *parts)
            if full[0] in ("datetime", "time") and full[-2:] in CLOCK_CALLS:
                yield node.lineno, ".".join(full)


# -- imports -----------------------------------------------------------------------------------------


def test_imports_point_one_way() -> None:
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_of_milepost_has_its_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    placed = {name for layer in layers for name in re.findall(r"milepost\.\w+", layer)}
    there = {
        f"milepost.{path.stem}"
        for path in (ROOT / "milepost").iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    } - {"milepost.__init__"}
    assert there - placed == set(), "Place these in the layers of [tool.importlinter] in pyproject.toml."


def test_importing_the_top_packages_imports_nothing_else() -> None:
    for package in PACKAGES:
        assert list(imported(tree(f"{package}/__init__.py"))) == [], package


def test_no_installed_distribution_claims_our_import_names() -> None:
    claimed = importlib.metadata.packages_distributions()
    others = {name: set(claimed.get(name, [])) - {"milepost"} for name in PACKAGES}
    assert {name: owners for name, owners in others.items() if owners} == {}


def test_mail_goes_out_by_aiosmtplib_only() -> None:
    assert imports_of("smtplib", *PACKAGES, "tests", "bench") == set()


def test_only_the_step_module_knows_the_machine_library() -> None:
    assert imports_of("transitions", *PACKAGES) <= {"states/step.py"}


# -- the clock ---------------------------------------------------------------------------------------


def test_only_the_clock_reads_the_clock() -> None:
    found = [
        f"{path}:{line} {name}"
        for path in sources(*PACKAGES)
        if path not in READS_THE_CLOCK
        for line, name in clock_readings(tree(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import datetime\ndatetime.datetime.now()",
        "import datetime as dt\ndt.date.today()",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "from datetime import datetime as moment\nField(default_factory=moment.utcnow)",
        "from datetime import date\nx = date.today()",
        "import time\ntime.time()",
        "from time import time as t\nt()",
    ],
)
def test_a_reading_of_the_clock_is_seen_under_any_name(source: str) -> None:
    assert len(list(clock_readings(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.monotonic()\ntime.sleep(1)",
        "from datetime import date\ndate(2026, 5, 4)",
        "clock.now()",
    ],
)
def test_what_does_not_read_the_wall_clock_is_let_be(source: str) -> None:
    assert list(clock_readings(ast.parse(source))) == []


# -- files -------------------------------------------------------------------------------------------


def test_a_file_is_one_room() -> None:
    long = {
        path: lines
        for path in sources(*PACKAGES, "tests", "bench")
        if "/migrations/versions/" not in path
        and (lines := len((ROOT / path).read_text(encoding="utf-8").splitlines()))
        > (TEST_LINES_MAX if path.startswith("tests/") else LINES_MAX)
    }
    assert long == {}


def shipped_files() -> set[str]:
    """What the wheel holds, by the build backend's own account."""
    builder = WheelBuilder(str(ROOT))
    return {
        Path(file.distribution_path).as_posix()
        for file in builder.recurse_included_files()
        if "__pycache__" not in file.distribution_path
    }


def test_the_wheel_holds_every_file_of_the_packages() -> None:
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - shipped_files() == set(), "Left out of the wheel: is it in .gitignore?"
    assert "milepost/py.typed" in shipped_files()


@pytest.mark.parametrize(
    "suffix", ["toml", "sql", "html", "txt", "css", "js", "svg", "po", "mo", "ini", "mako"]
)
def test_the_wheel_would_take_such_a_file(suffix: str) -> None:
    builder = WheelBuilder(str(ROOT))
    relative = f"milepost/sample/sample.{suffix}"
    assert builder.config.include_path(relative)


def test_nothing_outside_the_packages_is_shipped() -> None:
    assert {path.split("/")[0] for path in shipped_files()} <= set(PACKAGES)


def test_every_test_module_says_what_it_defends() -> None:
    silent = [
        path
        for path in sources("tests")
        if Path(path).name.startswith("test_") and not ast.get_docstring(tree(path))
    ]
    assert silent == []
