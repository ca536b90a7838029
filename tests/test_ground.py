"""The settings say what is wrong; the lock, the Makefile and the fixtures do what they promise."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from config.settings import Settings, SettingsError, load_settings
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from tests.conftest import DatabaseUrls

ROOT = Path(__file__).resolve().parent.parent


# -- settings ----------------------------------------------------------------------------------------


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_an_empty_environment_runs_on_one_machine() -> None:
    settings = load_settings()
    assert settings.embedded
    assert settings.migration_url is None
    assert (settings.base_url, settings.https) == ("http://127.0.0.1:8800", False)
    assert (settings.timezone, settings.locale) == ("Asia/Shanghai", "zh")
    assert settings.smtp_host is None


def test_a_server_of_the_offices_own_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILEPOST_DATABASE_URL", "postgres://milepost_app:s3cret@db/milepost")
    settings = load_settings()
    assert not settings.embedded
    # One spelling, which libpq and SQLAlchemy both read.
    assert settings.database_url == settings.migration_url == "postgresql://milepost_app:s3cret@db/milepost"
    monkeypatch.setenv("MILEPOST_OWNER_URL", "postgresql+psycopg://owner@db/milepost")
    assert load_settings().migration_url == "postgresql://owner@db/milepost"


def test_an_empty_variable_is_as_if_it_were_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILEPOST_DATABASE_URL", "")
    monkeypatch.setenv("MILEPOST_PORT", "")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"MILEPOST_DATABASE_URL": "mysql://root:s3cret@db/x"},
            "MILEPOST_DATABASE_URL: must name a PostgreSQL",
        ),
        ({"MILEPOST_OWNER_URL": "postgresql://o@db/x"}, "MILEPOST_DATABASE_URL is not"),
        ({"MILEPOST_TIMEZONE": "Mars/Olympus"}, "MILEPOST_TIMEZONE: 'Mars/Olympus' is not a time zone"),
        ({"MILEPOST_TIMEZONE": "../../etc/passwd"}, "is not a time zone"),
        ({"MILEPOST_PORT": "88000"}, "MILEPOST_PORT: "),
        ({"MILEPOST_LOCALE": "de"}, "MILEPOST_LOCALE: "),
        ({"MILEPOST_PUBLIC_URL": "grants.example.org"}, "is not a web address"),
        ({"MILEPOST_PUBLIC_URL": "javascript://x"}, "is not a web address"),
        ({"MILEPOST_SESSION_SECRET": "short"}, "at least 32 characters"),
        ({"MILEPOST_SMTP_USERNAME": "office"}, "set both or neither"),
        ({"MILEPOST_SENDER": "a@example.org\nBcc: b@example.org"}, "must be a mail address"),
        (
            {"MILEPOST_SMPT_HOST": "mail"},
            "MILEPOST_SMPT_HOST is not a setting. Did you mean MILEPOST_SMTP_HOST?",
        ),
    ],
)
def test_a_wrong_setting_names_its_variable_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    assert said in refusal(monkeypatch, **variables)


def test_every_wrong_setting_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, MILEPOST_PORT="x", MILEPOST_LOCALE="xx", MILEPOST_NOWHERE="1")
    assert [line.split(":")[0].split(" ")[0] for line in said.splitlines()] == [
        "MILEPOST_NOWHERE",
        "MILEPOST_PORT",
        "MILEPOST_LOCALE",
    ]


def test_no_secret_shows_in_an_error_or_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "MILEPOST_DATABASE_URL": "postgresql://app:hunter2hunter2@db/x",
        "MILEPOST_OWNER_URL": "postgresql://own:hunter2hunter2@db/x",
        "MILEPOST_SESSION_SECRET": "hunter2" * 6,
        "MILEPOST_SMTP_USERNAME": "office",
        "MILEPOST_SMTP_PASSWORD": "hunter2hunter2",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert "hunter2" not in repr(load_settings()) + str(load_settings())
    assert "hunter2" not in refusal(
        monkeypatch, MILEPOST_PORT="x", MILEPOST_DATABASE_URL="mysql://hunter2@db"
    )


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_public_address_carries_no_slash_at_the_end_and_tells_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILEPOST_PUBLIC_URL", "https://grants.example.org/")
    settings = load_settings()
    assert (settings.base_url, settings.https) == ("https://grants.example.org", True)


def test_session_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: settings.session_key(), range(16)))
    assert len(keys) == 1
    assert len(keys.pop()) == 64
    assert stat.S_IMODE((tmp_path / "new" / "session.key").stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "new") == ["session.key"]


# -- the lock and the commands -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-bench.lock"])
def test_lock_has_a_hash_for_everything_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"://|file:|^\s*-(?!-hash=sha256:)|index|find-links|^#", text, re.MULTILINE)
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert len(requirements) > 3
    for requirement in requirements:
        assert re.match(r"[A-Za-z0-9][\w.-]*==[\w.!+]+( ; .+)? \\\n", requirement), requirement
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", requirement), requirement


def test_lock_covers_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += [*project["dependency-groups"]["dev"], *project["dependency-groups"]["build"]]
    names = {re.split(r"[\[<>=~! ]", requirement)[0].lower() for requirement in wanted}
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert names - locked == set()


def test_make_refuses_an_old_python_in_a_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\ncase "$*" in *version_info*) exit 1;; *) echo "Python 3.9.2";; esac\n')
    old.chmod(0o755)
    made = subprocess.run(
        ["make", "setup", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode != 0
    assert "Milepost needs Python 3.11 or newer" in made.stdout + made.stderr
    assert not (tmp_path / "venv").exists()


# -- the fixtures ------------------------------------------------------------------------------------


def test_the_whole_run_shares_one_server(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.owner_url) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    assert row[0] == str(server.cluster)


def test_free_port_can_be_listened_on(free_port: int) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", free_port))
        assert listening.getsockname()[1] == free_port


def test_each_test_has_a_migrated_database_of_its_own(
    database_urls: DatabaseUrls, server: EmbeddedPostgres
) -> None:
    with psycopg.connect(database_urls.owner) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert tables is not None
        assert tables[0] > 5
        connection.execute("CREATE TABLE only_here (n int)")
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url("postgres", "milepost_template"))
        left = connection.execute(
            "SELECT count(*) FROM pg_database WHERE datname = %s", [database_urls.name]
        ).fetchone()
    assert left == (1,)


def test_the_application_is_not_the_owner_of_its_database(database: Database) -> None:
    with database.session() as session:
        row = session.conn.execute(
            "SELECT current_user, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == ("milepost_app", False, False, False, False)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.conn.execute("CREATE TABLE mine (n int)")
