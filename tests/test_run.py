"""A test run leaves no server behind however it ends, and leaves nothing out without saying so.

Each test here runs the suite's own conftest on two small tests in a process of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

INNER = """
import os
import time
from pathlib import Path

import pytest

@pytest.mark.browser
def test_in_a_browser(chromium_path):
    assert chromium_path

def test_with_a_server(server):
    Path("server.pid.part").write_text(str(server.pid))
    os.rename("server.pid.part", "server.pid")
    time.sleep(float(os.environ.get("SLEEP", "0")))
"""


def begin(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    (folder / "tests").mkdir(exist_ok=True)
    for name in ("conftest.py", "chance.py"):
        (folder / "tests" / name).write_bytes((ROOT / "tests" / name).read_bytes())
    (folder / "tests" / "test_inner.py").write_text(INNER)
    (folder / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # What the outer run tells its own workers is not for this one.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**inherited, "PYTHONPATH": path, "MILEPOST_TEST_HOME": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def server_of(run: subprocess.Popen[str], folder: Path) -> int:
    """The process of the inner run's server, once its test has begun."""
    deadline = time.monotonic() + 60
    while not (folder / "server.pid").exists():
        if time.monotonic() > deadline or run.poll() is not None:
            run.kill()
            pytest.fail(f"The inner run did not begin: {run.communicate()[0]}")
        time.sleep(0.05)
    return int((folder / "server.pid").read_text())


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    # A dead process that nobody collects, as in a container without an init, is dead.
    return not status.exists() or "State:\tZ" not in status.read_text()


@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_browser_tests_without_a_browser_are_left_out_aloud(
    server_folder: Path, arguments: tuple[str, ...]
) -> None:
    run = begin(server_folder, *arguments, MILEPOST_TEST_CHROMIUM="none")
    said, _ = run.communicate()
    assert run.returncode == 0, said
    assert "1 browser test left out: no Chromium found" in said
    assert "1 passed" in said.splitlines()[-1]
    assert not is_running(int((server_folder / "server.pid").read_text()))
    assert list(server_folder.glob("milepost-tests-*/*")) == []


def test_browser_tests_run_where_there_is_a_browser(server_folder: Path) -> None:
    said, _ = begin(server_folder, MILEPOST_TEST_CHROMIUM=sys.executable).communicate()
    assert "2 passed" in said.splitlines()[-1], said
    assert "left out" not in said


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_an_interrupted_run_stops_its_server(
    server_folder: Path, number: signal.Signals, arguments: tuple[str, ...]
) -> None:
    run = begin(server_folder, *arguments, SLEEP="100")
    server_pid = server_of(run, server_folder)
    assert is_running(server_pid)
    run.send_signal(number)
    said, _ = run.communicate(timeout=60)
    assert not is_running(server_pid), said
    assert list(server_folder.glob("milepost-tests-*/*")) == []


@pytest.mark.slow
def test_a_killed_runs_server_is_stopped_by_the_next_run(server_folder: Path) -> None:
    run = begin(server_folder, SLEEP="100")
    server_pid = server_of(run, server_folder)
    run.kill()
    run.communicate()
    assert is_running(server_pid)
    said, _ = begin(server_folder).communicate()
    assert not is_running(server_pid), said
    assert list(server_folder.glob("milepost-tests-*/*")) == []
