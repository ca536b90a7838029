"""Takes the whole database away in one file and brings it back, or leaves everything as it was.

The file is a zip of ``database.dump`` (pg_dump's custom format) and ``manifest.json``, which says when it was
made, from which revision, the dump's hash, and every seal. Documents are rows, so they are in it; the session
key and the books of Prefect are not. A restore is one transaction, and ends with the verification: a backup
that was changed does not verify, and one that is merely old lacks the root that somebody holds.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.settings import Settings
from milepost.clock import Clock, SystemClock
from milepost.db import Database, migrate
from milepost.embedded import EmbeddedError, postgres_binaries
from milepost.evidence.verify_database import Progress, VerifyReport, verify
from milepost.runtime import open_database
from schema.money import Explained

FORMAT = "milepost-backup/1"
_DUMP, _MANIFEST = "database.dump", "manifest.json"
_ROLE = """DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'milepost_app') THEN
    CREATE ROLE milepost_app LOGIN;
  END IF;
END $$"""
_AFRESH = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC"


class BackupError(Explained):
    """A backup that cannot be made or brought back; nothing was changed."""


@dataclass(frozen=True, slots=True)
class SealNote:
    """A day's root as the backup carries it."""

    sealed_on: str
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself."""

    format: str
    made_at: str
    revision: str
    postgres_major: int
    dump_sha256: str
    events: int
    seals: tuple[SealNote, ...]

    def as_json(self) -> dict[str, Any]:
        """For programs; the shape is stable."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back, and what the verification says of it."""

    manifest: Manifest
    report: VerifyReport


def backup(settings: Settings, out: Path, *, clock: Clock | None = None) -> Manifest:
    """Write a backup to ``out``; a database that is in use may be backed up as it is."""
    if out.exists():
        raise BackupError(
            "file_exists",
            f"“{out}”已存在，请换一个文件名。",
            f"{out} is there already. Name another file; a backup is never written over another.",
        )
    with open_database(settings, migrated=False) as database, tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / _DUMP
        manifest = _dump(database, dump, clock or SystemClock())
        fresh = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
        try:
            with zipfile.ZipFile(fresh, "w", zipfile.ZIP_STORED) as file:
                file.writestr(_MANIFEST, json.dumps(manifest.as_json(), indent=1))
                file.write(dump, _DUMP)
            fresh.chmod(0o600)
            os.replace(fresh, out)
        finally:
            fresh.unlink(missing_ok=True)
    return manifest


def _dump(database: Database, dump: Path, clock: Clock) -> Manifest:
    """Dump and describe one and the same snapshot."""
    with psycopg.connect(database.owner_url) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        revision = _revision(conn)
        if revision is None:
            raise BackupError(
                "database_empty",
                "数据库中没有数据，无可备份。",
                "The database is empty; there is nothing to back up.",
            )
        major, snapshot = _major(conn), _one(conn, "SELECT pg_export_snapshot()")
        _run(
            _tool("pg_dump", major),
            ["--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={dump}"],
            database.owner_url,
        )
        seals = conn.execute("SELECT sealed_on, size, root FROM seal ORDER BY sealed_on").fetchall()
        return Manifest(
            FORMAT,
            clock.now().isoformat(),
            revision,
            major,
            _digest(dump),
            int(_one(conn, "SELECT count(*) FROM event")),
            tuple(SealNote(day.isoformat(), size, root.hex()) for day, size, root in seals),
        )


def restore(
    settings: Settings,
    file: Path,
    *,
    replace: bool = False,
    root: str | None = None,
    progress: Progress | None = None,
) -> Restored:
    """Bring a backup back into an empty database, or with ``replace`` in place of what is there.

    ``root`` is a sealed root that somebody holds: a backup from before that seal is then found out.
    """
    with _unpacked(file) as (manifest, dump), open_database(settings, migrated=False) as database:
        with psycopg.connect(database.owner_url, autocommit=True) as conn:
            occupied = _tables(conn) > 0
            if occupied and not replace:
                raise BackupError(
                    "database_not_empty",
                    "数据库中已有数据，未做任何更改。确要以备份取代现有数据，请加 --replace。",
                    "The database holds data, and nothing was changed. To put the backup in its place, add "
                    "--replace.",
                )
            major = _major(conn)
            conn.execute(_ROLE)
        _load(database.owner_url, dump, major, afresh=occupied)
        migrate(database.owner_url)
        report = verify(database, root=root, progress=progress)
    return Restored(manifest, report)


def _load(owner_url: str, dump: Path, major: int, *, afresh: bool) -> None:
    """The dump as SQL, in one transaction together with what it replaces."""
    script = dump.with_suffix(".sql")
    _run(_tool("pg_restore", major), ["--no-owner", f"--file={script}", str(dump)], None)
    before = ["--command", _AFRESH] if afresh else []
    _run(
        _tool("psql", major),
        [
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            *before,
            f"--file={script}",
        ],
        owner_url,
    )


@contextmanager
def _unpacked(file: Path) -> Iterator[tuple[Manifest, Path]]:
    """The manifest and the dump of a backup, checked against each other."""
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / _DUMP
        try:
            with zipfile.ZipFile(file) as opened:
                told = json.loads(opened.read(_MANIFEST))
                told["seals"] = tuple(SealNote(**seal) for seal in told["seals"])
                manifest = Manifest(**told)
                with opened.open(_DUMP) as source, dump.open("wb") as target:
                    shutil.copyfileobj(source, target)
        except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
            raise BackupError(
                "not_a_backup",
                f"“{file}”不是完整的备份文件（{error}）。",
                f"{file} is not a whole backup ({error}).",
            ) from None
        if manifest.format != FORMAT or manifest.dump_sha256 != _digest(dump):
            raise BackupError(
                "backup_damaged",
                f"备份文件“{file}”已损坏或被改动，未做任何更改。",
                f"The backup {file} is damaged or was changed. Nothing was restored.",
            )
        yield manifest, dump


# PostgreSQL's own programs ----------------------------------------------------------------------------------


def _tool(name: str, major: int) -> Path:
    """A program of the server's own version: of the package where it fits, else of this machine."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"{major}/bin"))
    with suppress(EmbeddedError):
        places.insert(0, postgres_binaries())
    if (found := shutil.which(name)) is not None:
        places.append(Path(found).parent)
    for place in places:
        if (place / name).exists() and _tool_major(place / name) == major:
            return place / name
    raise BackupError(
        "tool_missing",
        f"服务器为 PostgreSQL {major}，本机没有同版本的 {name}。请安装 postgresql-client-{major}。",
        f"The server is PostgreSQL {major}, and this machine has no {name} of that version. "
        f"Install it (Debian: postgresql-client-{major}).",
    )


def _tool_major(tool: Path) -> int:
    said = subprocess.run([str(tool), "--version"], capture_output=True, text=True, check=False).stdout
    number = said.rpartition(") ")[2].split(".")[0].split()
    return int(number[0]) if number and number[0].isdigit() else 0


def _run(tool: Path, arguments: list[str], url: str | None) -> None:
    """Run one of PostgreSQL's programs. A password travels by the environment, never on the command line."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}
    environment |= {"LC_ALL": "C", "PGOPTIONS": "-c lock_timeout=10s -c statement_timeout=0"}
    if url is not None:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
        if (password := parts.pop("password", None)) is not None:
            environment["PGPASSWORD"] = password
        arguments = [f"--dbname={make_conninfo('', **parts)}", *arguments]
    done = subprocess.run(
        [str(tool), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise BackupError(
            "tool_failed",
            f"{tool.name} 未能完成，数据库未被更改：{said[0] if said else ''}",
            f"{tool.name} failed, and the database is as it was: {said[0] if said else ''}",
        )


def _one(conn: psycopg.Connection[Any], sql: str) -> Any:
    row = conn.execute(sql).fetchone()
    return row[0] if row else None


def _major(conn: psycopg.Connection[Any]) -> int:
    return int(_one(conn, "SELECT current_setting('server_version_num')::int")) // 10000


def _tables(conn: psycopg.Connection[Any]) -> int:
    return int(_one(conn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))


def _revision(conn: psycopg.Connection[Any]) -> str | None:
    if _one(conn, "SELECT to_regclass('public.alembic_version')") is None:
        return None
    found = _one(conn, "SELECT version_num FROM alembic_version")
    return str(found) if found is not None else None


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        state = sha256()
        for block in iter(lambda: stream.read(1 << 20), b""):
            state.update(block)
    return state.hexdigest()


__all__ = ["BackupError", "Manifest", "Restored", "SealNote", "backup", "restore"]
