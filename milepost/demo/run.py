"""``milepost demo``: build the synthetic city once, serve it, and say where it is and who may log in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psycopg.types.json import Jsonb
from rich.console import Console
from rich.table import Table

from config.programmes import Text
from config.settings import Settings
from milepost.clock import SystemClock
from milepost.db import Database, Session
from milepost.demo.city import LogIn, Progress, build_demo
from milepost.demo.costs import CostClaims, Together
from milepost.demo.round import ReviewRound
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

# What there is to see at once, by role; a role with many log-ins names the ones to begin with.
TO_SEE: dict[str, Text] = {
    "programme_officer": Text(
        zh="今天可完成一次抽取（填任意五位数字），两组评分待汇总；排序、公示、异议、复审请求待办",
        en="a draw to conclude today (any five digits), two rounds to score; ranking, notice, objection",
    ),
    "finance_officer": Text(
        zh="拨付申请、审批、放款；H-01、H-02 费用申报待审核；一项预算追加待确认；一笔应退款分期退还中",
        en="payments to take on; cost claims to examine; a budget change to confirm; a refund in instalments",
    ),
    "evaluator": Text(zh="已提交的里程碑待评价", en="reported milestones to decide"),
    "expert": Text(
        zh="expert1：一份邀请待答复，一份评审已有草稿；各人可改自己的专家信息",
        en="expert1: an invitation to answer, a review with a draft; everybody's own entry in the pool",
    ),
    "supervisor": Text(
        zh="全部项目和专家库；核验已完成的抽取，为明天的抽取登记到场",
        en="all projects and the pool; verify a draw, be present at tomorrow's",
    ),
    "counsel": Text(zh="待出具意见的项目", en="projects that wait for an opinion"),
    "administrator": Text(zh="人员、角色、计划、邮件", en="people, roles, programmes, mail"),
    "applicant": Text(
        zh="unit01：各阶段的项目，其中 K-01 未获立项，仍可申请复审；H-01 的费用申报",
        en="unit01: projects at many stages; K-01 was declined; H-01 claims its costs",
    ),
    "principal_investigator": Text(
        zh="lead01 同上；lead04 已申请复审", en="lead01 the same; lead04 has requested a review"
    ),
}


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
    """Print where the demo is, who may log in, and what each role finds there, a role in one row."""
    console = Console()
    table = Table(title=f"{ready.serving.url}   ·   密码 password: {ready.password}", show_lines=True)
    table.add_column("角色 · role")
    table.add_column("登录名 · log-ins", no_wrap=True)
    table.add_column("现在可看 · to see now", ratio=1)
    by_role: dict[str, list[str]] = {}
    for each in ready.logins:
        by_role.setdefault(each.role, []).append(each.login)
    for role, logins in by_role.items():
        shown = "\n".join(logins) if len(logins) <= FEW else f"{logins[0]} … {logins[-1]}"
        see = TO_SEE[role]
        table.add_row(f"{ROLES[role].zh}\n{ROLES[role].en}", shown, f"{see.zh}\n{see.en}")
    console.print(table)
    console.print("无需登录 · without a log-in: /public/notices  /public/draws")
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
        demo = build_demo(
            database,
            now,
            mail=mail,
            password_hash=hash_password(PASSWORD),
            progress=progress,
            scene=lambda db, day: Together(ReviewRound(db, day), CostClaims(db, day)),
        )
    with database.session() as session:
        _remember(session, demo.logins)
    return demo.logins


def _remember(session: Session, logins: list[LogIn]) -> None:
    rows = [{"login": each.login, "name": each.name, "role": each.role} for each in logins]
    session.conn.execute("INSERT INTO setting (name, value) VALUES (%s, %s)", (_BUILT, Jsonb(rows)))
