"""The embedded database is there when opened, gone when closed, and outlives nothing it should not.

Real servers in real processes; nothing is simulated.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from milepost.embedded import EmbeddedError, EmbeddedPostgres, postgres_binaries

FAST = {"fsync": "off", "shared_buffers": "16MB"}

OPENER = """
import sys, time
from pathlib import Path
from milepost.embedded import EmbeddedPostgres
opened = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"})
opened.start()
print(opened.pid, flush=True)
sys.stdin.readline()
opened.stop()
"""


@pytest.fixture
def folder(server_folder: Path) -> Path:
    return server_folder / "data"


def open_elsewhere(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Another process that has the folder open until it reads a line; and the server's process."""
    child = subprocess.Popen(
        [sys.executable, "-c", OPENER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    return child, int(child.stdout.readline())


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    return row[0] if row else None


def is_running(pid: int) -> bool:
    """Alive and no zombie: a container may have nobody who collects the dead."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0
    return "State:\tZ" not in status


def test_what_was_committed_is_there_after_a_restart(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=FAST) as opened, psycopg.connect(opened.owner_url) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('里程碑')")
    with EmbeddedPostgres(folder, settings=FAST) as opened:
        assert ask(opened.owner_url, "SELECT word FROM kept") == "里程碑"


def test_stop_leaves_no_process_and_does_not_wait_for_clients(folder: Path) -> None:
    opened = EmbeddedPostgres(folder, settings=FAST)
    opened.start()
    pid = opened.pid
    assert pid is not None
    client = psycopg.connect(opened.owner_url)
    client.execute("CREATE TABLE unfinished (n int)")
    opened.stop()
    assert not is_running(pid)
    with pytest.raises(psycopg.OperationalError):
        client.execute("SELECT 1")
    client.close()


def test_start_and_stop_may_be_called_twice_and_stop_before_start(folder: Path) -> None:
    opened = EmbeddedPostgres(folder, settings=FAST)
    opened.stop()
    opened.start()
    first = opened.pid
    opened.start()
    assert opened.pid == first
    opened.stop()
    opened.stop()
    assert opened.pid is None


def test_an_address_before_start_is_refused(folder: Path) -> None:
    with pytest.raises(EmbeddedError, match="not started"):
        _ = EmbeddedPostgres(folder).owner_url


def test_a_server_that_outlived_its_opener_is_adopted_and_stopped(folder: Path) -> None:
    child, server_pid = open_elsewhere(folder)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert is_running(server_pid)
    opened = EmbeddedPostgres(folder)
    opened.start()
    assert opened.pid == server_pid
    opened.stop()
    assert not is_running(server_pid)


def test_stop_alone_stops_a_server_that_outlived_its_opener(folder: Path) -> None:
    child, server_pid = open_elsewhere(folder)
    child.kill()
    child.communicate()
    EmbeddedPostgres(folder).stop()
    assert not is_running(server_pid)


def test_the_last_to_leave_stops_the_server(folder: Path) -> None:
    child, server_pid = open_elsewhere(folder)
    with EmbeddedPostgres(folder) as opened:
        assert opened.pid == server_pid
        child.communicate("\n")
        assert child.returncode == 0
        assert ask(opened.owner_url, "SELECT 1") == 1
    assert not is_running(server_pid)


def test_force_stops_a_server_that_others_have_open(folder: Path) -> None:
    child, server_pid = open_elsewhere(folder)
    EmbeddedPostgres(folder).stop(force=True)
    assert not is_running(server_pid)
    child.communicate("\n")
    assert child.returncode == 0


def test_four_processes_that_open_a_new_folder_at_once_share_one_server(folder: Path) -> None:
    opened: list[tuple[subprocess.Popen[str], int]] = []
    threads = [threading.Thread(target=lambda: opened.append(open_elsewhere(folder))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({pid for _, pid in opened}) == 1
    for child, _ in opened:
        child.communicate("\n")
        assert child.returncode == 0
    assert not is_running(opened[0][1])


def test_a_killed_server_is_started_again_with_what_was_committed(folder: Path) -> None:
    opened = EmbeddedPostgres(folder, settings={"shared_buffers": "16MB"})
    opened.start()
    assert opened.pid is not None
    with psycopg.connect(opened.owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    os.kill(opened.pid, signal.SIGKILL)
    again = EmbeddedPostgres(folder, settings=FAST)
    again.start()
    assert again.pid != opened.pid
    assert ask(again.owner_url, "SELECT n FROM kept") == 7
    again.stop()
    opened.stop()


def test_a_process_number_that_belongs_to_another_program_does_not_block_the_start(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=FAST) as opened:
        lines = (folder / "postgres" / "postmaster.pid").read_text().splitlines()
        server_pid = opened.pid
    # As after a crash and a restart of the container: the file is there, the number is another's.
    (folder / "postgres" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with EmbeddedPostgres(folder, settings=FAST) as opened:
        assert opened.pid not in (server_pid, os.getpid())
        assert ask(opened.owner_url, "SELECT 1") == 1


def test_a_cluster_half_made_is_made_anew(folder: Path) -> None:
    (folder / "postgres.part" / "base").mkdir(parents=True)
    (folder / "postgres.part" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder, settings=FAST) as opened:
        assert ask(opened.owner_url, "SELECT 1") == 1
    assert not (folder / "postgres.part").exists()


@pytest.mark.parametrize("name", ["a" * 120, "资金 办公室", "with 'quotes' and, commas"])
def test_a_long_or_unusual_folder_works(server_folder: Path, name: str) -> None:
    folder = server_folder / name
    with EmbeddedPostgres(folder, settings=FAST) as opened:
        assert ask(opened.owner_url, "SHOW data_directory") == str(folder / "postgres")


def test_settings_reach_the_server_and_nothing_listens_on_the_network(folder: Path) -> None:
    settings = {**FAST, "max_connections": "37", "application_name": 'it\'s a "name" $HOME'}
    with EmbeddedPostgres(folder, settings=settings) as opened:
        assert ask(opened.owner_url, "SHOW max_connections") == "37"
        assert ask(opened.owner_url, "SHOW fsync") == "off"
        boot = "SELECT reset_val FROM pg_settings WHERE name = 'application_name'"
        assert ask(opened.owner_url, boot) == 'it\'s a "name" $HOME'
        assert ask(opened.owner_url, "SHOW listen_addresses") == ""
        assert ask(opened.owner_url, "SHOW timezone") == "UTC"
        assert (folder / "postgres").stat().st_mode & 0o077 == 0


def test_another_role_reaches_the_database_by_its_own_address(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=FAST) as opened:
        with psycopg.connect(opened.owner_url) as connection:
            connection.execute("CREATE ROLE milepost_app LOGIN")
        assert (
            ask(opened.app_url(), "SELECT current_user || '@' || current_database()")
            == "milepost_app@milepost"
        )


def test_the_order_of_words_does_not_depend_on_the_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.GBK")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with EmbeddedPostgres(folder, settings=FAST) as opened:
        assert ask(opened.owner_url, "SHOW server_encoding") == "UTF8"
        assert ask(opened.owner_url, "SELECT upper('é') || ('B' < 'a')::text") == "Étrue"


def test_the_log_holds_no_row_data(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=FAST) as opened, psycopg.connect(opened.owner_url) as connection:
        connection.execute("CREATE TABLE payee (account text UNIQUE)")
        connection.execute("INSERT INTO payee VALUES ('6222020200112233')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO payee VALUES ('6222020200112233')")
    log = (folder / "postgres" / "server.log").read_text()
    assert "duplicate key" in log
    assert "6222020200112233" not in log


def test_another_version_is_refused_with_the_remedy(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=FAST):
        pass
    (folder / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match=r"PostgreSQL 16.*MILEPOST_DATA_DIR"):
        EmbeddedPostgres(folder).start()


def test_a_folder_that_cannot_be_made_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="MILEPOST_DATA_DIR"):
        EmbeddedPostgres(tmp_path / "file" / "data").start()


def test_a_wrong_parameter_is_refused_in_the_servers_own_words(folder: Path) -> None:
    with pytest.raises(EmbeddedError, match="no_such_parameter"):
        EmbeddedPostgres(folder, settings={**FAST, "no_such_parameter": "1"}).start()


def test_starting_a_folder_again_is_quick(folder: Path) -> None:
    with EmbeddedPostgres(folder, settings=FAST):
        pass
    begun = time.monotonic()
    with EmbeddedPostgres(folder, settings=FAST):
        taken_seconds = time.monotonic() - begun
    # Usually a tenth of a second; the margin is for a machine that does many things at once.
    assert taken_seconds < 10


def test_the_tools_for_backups_come_with_it() -> None:
    for tool in ("pg_dump", "pg_restore", "psql", "pgbench"):
        assert os.access(postgres_binaries() / tool, os.X_OK)
