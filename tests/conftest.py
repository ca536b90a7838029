"""What every test may ask for: a database of its own, a browser, a free port, a fixed clock.

- `database_urls` — a fresh, migrated database: `.owner` and `.app`, gone after the test.
- `database` — the same, opened: `milepost.db.Database`. Override the fixture `clock` to fix its time.
- `server` — the PostgreSQL server itself, for tests about databases as such.
- `chromium_path` — Chromium's path. Mark such tests `browser`; without Chromium they are left out and
  the closing summary says how many.
- `server_folder` — a folder for a test that starts a PostgreSQL of its own. Not `tmp_path`: where root
  runs the tests, the server's account cannot keep its way into pytest's folders.
- `free_port` — a TCP port that was free a moment ago.

One PostgreSQL serves the whole run, however many workers it has, and no run leaves one behind: the
process that was started first stops it at the end, also after Ctrl-C and SIGTERM, and the next run
sweeps up after one that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from milepost.embedded import EmbeddedPostgres

# Imported for what it sets: before any test module makes settings of its own.
from tests import chance  # noqa: F401

if TYPE_CHECKING:
    from milepost.db import Database

# The order of rounding, sorting and days must not depend on the machine that runs the tests.
os.environ["TZ"] = "UTC"
for _name in [name for name in os.environ if name.startswith("MILEPOST_")]:
    if not _name.startswith("MILEPOST_TEST_"):
        del os.environ[_name]

_TEMPLATE = "milepost_template"
_SERVER_SETTINGS = {
    # Nothing here outlives the run, so nothing needs to reach the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "min_wal_size": "64MB",
    "max_wal_size": "256MB",
    "checkpoint_timeout": "1h",
}

_run_dir = pytest.StashKey[Path]()
_run_lock = pytest.StashKey[int]()
_left_out = pytest.StashKey[int]()


# -- one server per run --------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_left_out] = 0
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        config.stash[_run_dir] = Path(worker["milepost_run_dir"])
        return
    home = _memory_or_disk() / f"milepost-tests-{os.geteuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    _sweep(home)
    fresh = Path(tempfile.mkdtemp(prefix="new-", dir=home))
    config.stash[_run_lock] = _hold(fresh)
    # Only now can another run see it, and sees at the same time that it is alive.
    config.stash[_run_dir] = fresh.rename(home / fresh.name.replace("new-", "run-"))
    with contextlib.suppress(ValueError):
        # SIGTERM is how a build server stops a run; it ends like Ctrl-C, with the server stopped.
        signal.signal(signal.SIGTERM, _interrupt)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["milepost_run_dir"] = str(node.config.stash[_run_dir])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    # Every worker collects everything, so each of them has left out the same tests.
    count = getattr(node, "workeroutput", {}).get("milepost_left_out", 0)
    node.config.stash[_left_out] = max(node.config.stash[_left_out], count)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["milepost_left_out"] = session.config.stash[_left_out]


def pytest_unconfigure(config: pytest.Config) -> None:
    held = config.stash.get(_run_lock, None)
    if held is None:
        return
    _discard(config.stash[_run_dir])
    os.close(held)


def _memory_or_disk() -> Path:
    """Where the server keeps its data: in memory where there is room, which copies 30 times as fast."""
    if "MILEPOST_TEST_HOME" in os.environ:
        return Path(os.environ["MILEPOST_TEST_HOME"])
    memory = Path("/dev/shm")
    with contextlib.suppress(OSError):
        room = os.statvfs(memory)
        if os.access(memory, os.W_OK) and room.f_bavail * room.f_frsize > 2 * 1024**3:
            return memory
    return Path(tempfile.gettempdir())


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _hold(run_dir: Path) -> int:
    """Say that this run is alive; the kernel takes it back when the process ends, however it ends."""
    held = os.open(run_dir / "alive", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return held


def _sweep(home: Path) -> None:
    """Stop the server of a run that was killed before it could."""
    for run_dir in home.glob("run-*"):
        try:
            held = _hold(run_dir)
        except (BlockingIOError, FileNotFoundError):
            continue  # It is alive, or another run has just swept it up.
        _discard(run_dir)
        os.close(held)


def _discard(run_dir: Path) -> None:
    # A worker that was killed has let go of the server; one that still runs is about to.
    EmbeddedPostgres(run_dir / "data").stop(force=True)
    shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[EmbeddedPostgres]:
    """The PostgreSQL of this run. The first who asks starts it, the others adopt it."""
    with EmbeddedPostgres(pytestconfig.stash[_run_dir] / "data", settings=_SERVER_SETTINGS) as running:
        yield running


@pytest.fixture
def server_folder(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A folder for a server of one's own; whatever still runs there after the test is stopped.

    pytest closes its temporary folders to other accounts each time a run begins, and with that the
    servers of a run that has already begun.
    """
    folder = Path(tempfile.mkdtemp(prefix="own-", dir=pytestconfig.stash[_run_dir]))
    yield folder
    for cluster in folder.rglob("postmaster.pid"):
        EmbeddedPostgres(cluster.parent.parent).stop(force=True)
    shutil.rmtree(folder, ignore_errors=True)


# -- a database per test ---------------------------------------------------------------------------


@dataclass(frozen=True)
class DatabaseUrls:
    """One database, as its owner (migrations, raw SQL that must be refused) and as the application."""

    owner: str
    app: str
    name: str


@pytest.fixture(scope="session")
def template(server: EmbeddedPostgres, pytestconfig: pytest.Config) -> str:
    """The name of a migrated database, made once per run and copied for each test."""
    from milepost.db import migrate

    with open(pytestconfig.stash[_run_dir] / "template.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _admin(server) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s AND NOT datallowconn", [_TEMPLATE]
            ).fetchone()
            if found is None:
                connection.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE} WITH (FORCE)")
                connection.execute(f"CREATE DATABASE {_TEMPLATE}")
                migrate(server.url("postgres", _TEMPLATE))
                # One key for all, so that the same draw falls the same way in every test.
                with psycopg.connect(server.url("postgres", _TEMPLATE), autocommit=True) as template:
                    template.execute(
                        "INSERT INTO setting (name, value) "
                        "VALUES ('invitation_key', to_jsonb(repeat('5a', 32)))"
                    )
                # A database with connections cannot be copied; now nobody can make one.
                connection.execute(f"ALTER DATABASE {_TEMPLATE} ALLOW_CONNECTIONS false")
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [_TEMPLATE]
                )
    return _TEMPLATE


@pytest.fixture
def database_urls(server: EmbeddedPostgres, template: str) -> Iterator[DatabaseUrls]:
    """A fresh, migrated database with nothing in it, dropped after the test whoever is still in it."""
    name = f"test_{secrets.token_hex(6)}"
    with _admin(server) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield DatabaseUrls(owner=server.url("postgres", name), app=server.url("milepost_app", name), name=name)
    with _admin(server) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def clock() -> Any:
    """What `database` takes the time from; None: the machine's. Override it wherever a date matters."""
    return None


@pytest.fixture
def database(database_urls: DatabaseUrls, clock: Any) -> Iterator[Database]:
    """The test's own database, open as the application."""
    from milepost.db import Database

    opened = Database(database_urls.app, owner_url=database_urls.owner, clock=clock)
    try:
        yield opened
    finally:
        opened.close()


def _admin(server: EmbeddedPostgres) -> psycopg.Connection[Any]:
    return psycopg.connect(server.url("postgres", "postgres"), autocommit=True)


# -- ports and browsers ------------------------------------------------------------------------------


@pytest.fixture
def free_port() -> int:
    """A TCP port that nobody on this machine listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_chromium() -> str | None:
    """Chromium's path: MILEPOST_TEST_CHROMIUM ("none" for no browser), the system's, or Playwright's."""
    named = os.environ.get("MILEPOST_TEST_CHROMIUM")
    if named is not None:
        return named if os.access(named, os.X_OK) else None
    for command in ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"):
        if found := shutil.which(command):
            return found
    places = [
        (Path("/Applications"), "*Chrom*.app/Contents/MacOS/*Chrom*"),
        (Path.home() / ".cache/ms-playwright", "chromium-*/chrome-linux*/chrome"),
        (Path.home() / "Library/Caches/ms-playwright", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*Chrom*"),
    ]
    for folder, pattern in places:
        for path in sorted(folder.glob(pattern), reverse=True):
            if os.access(path, os.X_OK):
                return str(path)
    return None


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Chromium's path. Only for tests marked `browser`: the others are not left out where it is missing."""
    found = find_chromium()
    assert found is not None, "No Chromium: mark this test `browser`, so that it is left out aloud."
    return found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # A module stays on one worker: what takes long begins first, so that nobody waits for it at the end.
    marks = ("slow", "browser")
    long = {item.path for item in items if any(item.get_closest_marker(mark) for mark in marks)}
    items.sort(key=lambda item: item.path not in long)
    browser = [item for item in items if item.get_closest_marker("browser") is not None]
    if not browser or find_chromium() is not None:
        return
    config.stash[_left_out] = len(browser)
    config.hook.pytest_deselected(items=browser)
    items[:] = [item for item in items if item.get_closest_marker("browser") is None]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    count = config.stash[_left_out]
    if count:
        terminalreporter.section("left out", yellow=True)
        terminalreporter.line(
            f"{count} browser test{'s' if count > 1 else ''} left out: no Chromium found. Install it "
            "(Debian: apt-get install chromium fonts-wqy-zenhei) or name it in MILEPOST_TEST_CHROMIUM."
        )
