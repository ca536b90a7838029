"""A backup brings everything back, or nothing is changed; an old one is found out by whoever holds a root."""

from __future__ import annotations

import secrets
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest

from config.settings import Settings
from milepost.actions import Actor, perform
from milepost.backup import BackupError, backup, restore
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from milepost.evidence.verify_database import verify
from tests.evidence.lived import Copy, Lived, seal


def settings_for(database: Database) -> Settings:
    return Settings(database_url=database.url, owner_url=database.owner_url)


@pytest.fixture
def target(server: EmbeddedPostgres) -> Iterator[Settings]:
    """An empty database of one's own."""
    name = f"restored_{secrets.token_hex(6)}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield Settings(database_url=server.url("milepost_app", name), owner_url=server.url("postgres", name))
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def taken(copy: Copy, folder: Path) -> Path:
    file = folder / "milepost.backup"
    backup(settings_for(copy.database), file)
    return file


def codes(target: Settings, root: str) -> set[str]:
    assert target.database_url is not None
    opened = Database(target.database_url, owner_url=target.owner_url)
    try:
        return {fault.code for fault in verify(opened, root=root).faults}
    finally:
        opened.close()


def test_what_was_backed_up_comes_back_verified_and_guarded(
    copy: Copy, lived: Lived, target: Settings, tmp_path: Path
) -> None:
    file = taken(copy, tmp_path)
    restored = restore(target, file, root=lived.root)
    assert restored.report.ok, restored.report.faults
    assert restored.report.events == verify(copy.database).events == restored.manifest.events
    assert [note.root for note in restored.manifest.seals] == [lived.root]
    assert file.stat().st_mode & 0o077 == 0
    assert target.database_url is not None
    with psycopg.connect(target.database_url, autocommit=True) as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("UPDATE event SET body = ''")
        with pytest.raises(psycopg.Error):
            conn.execute("UPDATE project SET state = 'x'")


def test_a_database_with_data_is_kept_unless_told_otherwise(
    copy: Copy, lived: Lived, target: Settings, tmp_path: Path
) -> None:
    file = taken(copy, tmp_path)
    restore(target, file)
    with pytest.raises(BackupError) as refused:
        restore(target, file)
    assert refused.value.code == "database_not_empty"
    again = restore(target, file, replace=True, root=lived.root)
    assert again.report.ok, again.report.faults


def test_a_restored_old_backup_lacks_the_newer_root(
    copy: Copy, lived: Lived, target: Settings, tmp_path: Path
) -> None:
    old = taken(copy, tmp_path)
    with copy.database.session() as session:
        subject = session.conn.execute("SELECT id FROM project WHERE holds > 0").fetchone()
        supervisor = session.conn.execute(
            "SELECT person_id FROM role_grant WHERE role = 'supervisor'"
        ).fetchone()
        assert subject is not None and supervisor is not None
        perform(session, Actor(supervisor[0]), "project.place_hold", subject[0], {"reason": "later"}, "later")
    newer = seal(copy.database, date(2025, 12, 2))
    assert verify(copy.database, root=newer).ok
    restored = restore(target, old, root=newer)
    assert {fault.code for fault in restored.report.faults} == {"root_unknown"}


def test_a_damaged_backup_is_refused_before_anything_happens(
    copy: Copy, lived: Lived, target: Settings, tmp_path: Path
) -> None:
    file = taken(copy, tmp_path)
    changed = tmp_path / "changed.backup"
    with zipfile.ZipFile(file) as opened, zipfile.ZipFile(changed, "w") as other:
        other.writestr("manifest.json", opened.read("manifest.json"))
        dump = bytearray(opened.read("database.dump"))
        dump[len(dump) // 2] ^= 1
        other.writestr("database.dump", bytes(dump))
    with pytest.raises(BackupError) as refused:
        restore(target, changed)
    assert refused.value.code == "backup_damaged"
    (tmp_path / "text").write_text("no backup")
    with pytest.raises(BackupError) as refused:
        restore(target, tmp_path / "text")
    assert refused.value.code == "not_a_backup"
    restore(target, file)


def test_a_restore_that_fails_leaves_the_data_that_was_there(
    copy: Copy, lived: Lived, target: Settings, tmp_path: Path
) -> None:
    file = taken(copy, tmp_path)
    restore(target, file)
    other = tmp_path / "other.backup"
    # It brings a schema that is there already, which PostgreSQL refuses half way through.
    copy.tamper("CREATE SCHEMA aside", "CREATE TABLE aside.chain (id int)")
    backup(settings_for(copy.database), other)
    assert target.owner_url is not None
    with psycopg.connect(target.owner_url, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA aside")
    with pytest.raises(BackupError) as refused:
        restore(target, other, replace=True)
    assert refused.value.code == "tool_failed"
    assert codes(target, lived.root) == set()


def test_a_backup_is_never_written_over_another(copy: Copy, tmp_path: Path) -> None:
    file = taken(copy, tmp_path)
    with pytest.raises(BackupError) as refused:
        backup(settings_for(copy.database), file)
    assert refused.value.code == "file_exists"


def test_an_empty_database_has_nothing_to_back_up(server: EmbeddedPostgres, tmp_path: Path) -> None:
    settings = Settings(
        database_url=server.url("postgres", "postgres"), owner_url=server.url("postgres", "postgres")
    )
    with pytest.raises(BackupError) as refused:
        backup(settings, tmp_path / "empty.backup")
    assert refused.value.code == "database_empty"
    assert list(tmp_path.iterdir()) == []
