"""``milepost demo``: build the synthetic city once, serve it, and say where it is and who may log in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psycopg.types.json import Jsonb
from rich.console import Console
from rich.table import Table

from config.settings import Settings
from milepost.clock import SystemClock
from milepost.db import Database, Session
from milepost.demo.city import LogIn, Progress, build_demo
from milepost.embedded import EmbeddedPostgres
from milepost.mail.sending import MailSettings
from milepost.mail.sink import MailSink
from milepost.people import hash_password
from milepost.replay.ports import free_port
from milepost.runtime import open_database
from milepost.serve import Serving, serve
from states.roles import ROLES

PLACE = "demo"
PASSWORD = "milepost-demo"
_BUILT = "demo:built"
FEW = 4


@dataclass(frozen=True, slots=True)
class DemoReady:
    """What to tell people once the demo can be used."""

    serving: Serving
    logins: list[LogIn]
    password: str


def demo_settings(settings: Settings) -> Settings:
    """The same settings with a database and a folder of the demo's own, so that nothing real is touched."""
    place = settings.data_dir / PLACE
    return settings.model_copy(update={"data_dir": place, "database_url": None, "owner_url": None})


def tell(ready: DemoReady) -> None:
    """Print where the demo is and who may log in, people of one role in one line."""
    console = Console()
    table = Table(title=f"{ready.serving.url}   ·   密码 password: {ready.password}")
    for head in ("角色", "role", "登录名 · log-ins"):
        table.add_column(head)
    by_role: dict[str, list[str]] = {}
    for each in ready.logins:
        by_role.setdefault(each.role, []).append(each.login)
    for role, logins in by_role.items():
        shown = ", ".join(logins) if len(logins) <= FEW else f"{logins[0]} … {logins[-1]}"
        table.add_row(ROLES[role].zh, ROLES[role].en, shown)
    console.print(table)
    if ready.serving.prefect_api_url:
        console.print(f"Prefect: {ready.serving.prefect_api_url.removesuffix('/api')}")
    console.print("Ctrl-C 按序停止 · stops everything in order.")


def run_demo(
    settings: Settings,
    *,
    ready: Callable[[DemoReady], None] = tell,
    progress: Progress | None = None,
    fresh: bool = False,
    serving: Callable[..., None] = serve,
) -> None:
    """Build the city unless it stands already, then serve it until stopped; ``ready`` hears who may log in.

    A city that was not finished, or that ``fresh`` throws away, is built anew.
    """
    own = demo_settings(settings)
    logins = None if fresh else _standing(own)
    if logins is None:
        _clear(own.data_dir)
        with open_database(own, clock=SystemClock(own.zone)) as database:
            logins = _build(database, progress)
    known = logins
    serving(own, ready=lambda up: ready(DemoReady(up, known, PASSWORD)))


def _clear(place: Path) -> None:
    if place.exists():
        EmbeddedPostgres(place).stop(force=True)
        shutil.rmtree(place)


def _standing(settings: Settings) -> list[LogIn] | None:
    """The log-ins of a city that was built to its end, or None."""
    if not (settings.data_dir / "postgres").exists():
        return None
    with open_database(settings) as database, database.session() as session:
        row = session.conn.execute("SELECT value FROM setting WHERE name = %s", (_BUILT,)).fetchone()
    return [LogIn(**entry) for entry in row[0]] if row else None


def _build(database: Database, progress: Progress | None) -> list[LogIn]:
    now = database.clock.now()
    with MailSink(free_port()) as sink:
        mail = MailSettings(host="127.0.0.1", port=sink.port, starttls=False)
        demo = build_demo(database, now, mail=mail, password_hash=hash_password(PASSWORD), progress=progress)
    with database.session() as session:
        _remember(session, demo.logins)
    return demo.logins


def _remember(session: Session, logins: list[LogIn]) -> None:
    rows = [{"login": each.login, "name": each.name, "role": each.role} for each in logins]
    session.conn.execute("INSERT INTO setting (name, value) VALUES (%s, %s)", (_BUILT, Jsonb(rows)))
