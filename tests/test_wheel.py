"""What is installed from a wheel has all that the program reads, and needs nothing of the tree beside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "schema", "states", "flows", "milepost")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tree as it stands."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return folder / done.stdout.split()[-1]


def data_files() -> set[str]:
    """Every file of the packages that is not a module."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix()
        for path in found
        if path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts
    }


def test_every_data_file_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        there = set(packed.namelist())
    assert data_files() - there == set()
    assert {"schema/migrations/env.py", "milepost/evidence/verify_bundle.py"} <= there
    asked = {
        path
        for package in PACKAGES
        for module in (ROOT / package).rglob("*.py")
        for path in re.findall(r'\bshipped\("([^"]+)"\)', module.read_text(encoding="utf-8"))
    }
    assert asked and {f"config/shipped/{path}" for path in asked} <= there
    # Nothing else of ours becomes importable beside the five packages.
    assert {name.split("/")[0] for name in there if ".dist-info/" not in name} == set(PACKAGES)


USE = """
import config, sys
from pathlib import Path
home = Path(sys.argv[1])
assert Path(config.__file__).is_relative_to(home), config.__file__
from alembic.script import ScriptDirectory
from config.programme_files import load_programme, shipped_programmes
from milepost import db
from milepost.bank.exceptions import KINDS
from milepost.demo.costs import PROGRAMME
from milepost.experts.conflicts import WORDS
from milepost.mail.templates import WORDS as MAIL
from milepost.replay.life import SHIPPED
from milepost.web.draws import METHOD, method
from milepost.web.render import HERE, environment
from states.refusals import refuse
for found in (METHOD, PROGRAMME, WORDS, SHIPPED, MAIL, HERE / "static", HERE / "templates"):
    assert found.exists() and found.is_relative_to(home), found
assert "<h2" in method("zh") and "<h2" in method("en") and KINDS and refuse("not_found").code
assert len(ScriptDirectory.from_config(db.alembic_config("postgresql://x/x")).get_heads()) == 1
environment("zh", "Asia/Shanghai").get_template("public_method.html")
assert all(load_programme(path) for path in [PROGRAMME, SHIPPED, *shipped_programmes()])
import milepost.cli
"""


def test_what_is_installed_finds_it_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "site-packages"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(home)
    away = tmp_path / "away"
    away.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", USE, str(home)],
        cwd=away,
        env=os.environ | {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
