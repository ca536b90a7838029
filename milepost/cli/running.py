"""What runs for a while: the office itself, the replay of recorded grants, mail that waits for somebody."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from milepost.cli.app import app, command, mail
from milepost.cli.terminal import OK, REFUSED, Terminal, Usage

if TYPE_CHECKING:
    from milepost.demo.run import DemoReady
    from milepost.replay.summary import Summary
    from milepost.serve import Serving


@command(app, "replay", "重演一个文件夹中的资助记录 · Live through recorded grants, day by day.")
def replay(
    terminal: Terminal,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="两个 CSV 文件所在 · Holds the two CSV files.")
    ],
    fresh: Annotated[bool, typer.Option("--fresh", help="从头开始 · Throw away what was begun.")] = False,
) -> int:
    from milepost.replay.run import run_replay

    with terminal.progress("重演", "Replaying") as progress:
        counting = (lambda done, total, what: progress(done, total)) if progress is not None else None
        summary = run_replay(folder, terminal.settings, fresh=fresh, progress=counting)
    if terminal.as_json:
        terminal.answer(summary.as_json())
    else:
        _tell(terminal, summary)
    return OK if summary.verified else REFUSED


def _tell(terminal: Terminal, summary: Summary) -> None:
    from schema.money import Money

    for refused in summary.refused_rows:
        reason = refused["reason"]
        said = reason.get(terminal.locale, reason) if isinstance(reason, dict) else reason
        terminal.print(f"✗ {refused['file']}:{refused['row']} {said}")
    paid = ", ".join(Money(minor, code).format(terminal.locale) for code, minor in summary.paid_minor.items())
    outcomes = ", ".join(f"{name} {count}" for name, count in summary.by_outcome.items())
    rows = [
        (terminal.say("期间", "period"), f"{summary.first_day} … {summary.last_day}"),
        (terminal.say("项目", "grants"), summary.grants),
        (terminal.say("里程碑", "milestones"), f"{summary.milestones} ({outcomes})"),
        (terminal.say("已付", "paid"), paid),
        (terminal.say("拨付笔数", "payments"), summary.payments),
        (terminal.say("拒收的行", "rows refused"), len(summary.refused_rows)),
        (terminal.say("催办", "reminders sent"), summary.reminders_sent),
        (terminal.say("事件", "events"), summary.events),
        (terminal.say("核验", "verified"), "✓" if summary.verified else "✗"),
        (terminal.say("用时（秒）", "seconds"), summary.seconds),
    ]
    terminal.table((("", ""), ("", "")), rows)


@command(mail, "list", "发不出去的邮件 · Mail that will not go out unless somebody does something.")
def mail_list(terminal: Terminal) -> None:
    from milepost.mail.outbox import dead_letters
    from milepost.queries.office import mail_counts

    with terminal.database() as database:
        found = dead_letters(database)
        with database.session() as session:
            counts = mail_counts(session)
    if terminal.as_json:
        letters = [
            {
                "id": letter.id,
                "template": letter.template,
                "recipient": letter.recipient,
                "email": letter.email,
                "project": letter.project_code,
                "attempts": letter.attempts,
                "error": letter.error,
                "created_at": letter.created_at.isoformat(),
            }
            for letter in found
        ]
        terminal.answer({"ok": True, "counts": counts, "dead": letters})
        return
    queued, sent, dead = (counts.get(state, 0) for state in ("queued", "sent", "dead"))
    terminal.line(f"待发 {queued}，已发 {sent}，失败 {dead}", f"{queued} queued, {sent} sent, {dead} dead")
    if found:
        heads = (
            ("id", "id"),
            ("收件人", "recipient"),
            ("邮箱", "mail"),
            ("项目", "project"),
            ("原因", "why"),
        )
        terminal.table(heads, [(m.id, m.recipient, m.email, m.project_code, m.error) for m in found])


@command(mail, "requeue", "重新发送 · Try again to send mail that failed.")
def mail_requeue(
    terminal: Terminal,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="邮件 id · The mails' ids.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="全部失败的邮件 · All that failed.")] = False,
) -> None:
    from milepost.mail.outbox import dead_letters, requeue

    if bool(ids) == every:
        raise Usage("which_mail", "请写明邮件 id，或 --all。", "Give the ids of mails, or --all.")
    try:
        chosen = [UUID(text) for text in ids or ()]
    except ValueError:
        raise Usage("which_mail", "邮件 id 格式有误。", "That is not the id of a mail.") from None
    with terminal.database() as database:
        count = requeue(database, chosen or [letter.id for letter in dead_letters(database)])
    if terminal.as_json:
        terminal.answer({"ok": True, "requeued": count})
    else:
        terminal.line(f"✓ {count} 封邮件将重新发送", f"✓ {count} mails will be tried again")


@command(app, "serve", "启动数据库、网页、定时与流程 · Database, web, scheduler and flows in one process.")
def serve(terminal: Terminal) -> None:
    from milepost.serve import serve as run

    def ready(serving: Serving) -> None:
        _tell_serving(terminal, serving)

    run(terminal.settings, ready=ready)


def _serving(serving: Serving) -> dict[str, str | None]:
    folder = str(serving.data_dir)
    return {"url": serving.url, "prefect_api_url": serving.prefect_api_url, "data_dir": folder}


def _tell_serving(terminal: Terminal, serving: Serving) -> None:
    if terminal.as_json:
        terminal.answer({"ok": True, **_serving(serving)})
    else:
        terminal.line(f"网页：{serving.url}", f"Web: {serving.url}")
        if serving.prefect_api_url:
            terminal.line(f"Prefect：{serving.prefect_api_url}", f"Prefect: {serving.prefect_api_url}")
        terminal.line("Ctrl-C 按序停止。", "Ctrl-C stops everything in order.")
    sys.stdout.flush()


@command(app, "demo", "演示：合成城市的一年，然后启动 · A synthetic city year, then served.")
def demo(
    terminal: Terminal,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="重新生成 · Throw the old one away and build it anew.")
    ] = False,
) -> None:
    from contextlib import ExitStack

    from milepost.demo.run import run_demo

    with ExitStack() as building:
        progress = building.enter_context(terminal.progress("演示数据", "Living through the year"))
        counting = (lambda done, total, what: progress(done, total)) if progress is not None else None

        def ready(demo: DemoReady) -> None:
            # The bar ends here; the office is served for as long as somebody wants it.
            building.close()
            _tell_demo(terminal, demo)

        terminal.note("正在准备演示……", "Preparing the demo…")
        run_demo(terminal.settings, ready=ready, progress=counting, fresh=fresh)


def _tell_demo(terminal: Terminal, demo: DemoReady) -> None:
    from milepost.demo.run import TO_SEE
    from states.labels import role_label

    if terminal.as_json:
        logins = [{"login": one.login, "name": one.name, "role": one.role} for one in demo.logins]
        terminal.answer({"ok": True, **_serving(demo.serving), "logins": logins, "password": demo.password})
        sys.stdout.flush()
        return
    by_role: dict[str, list[str]] = {}
    for one in demo.logins:
        by_role.setdefault(one.role, []).append(one.login)
    rows = [
        (terminal.text(role_label(role)), _some(logins), terminal.text(TO_SEE[role]))
        for role, logins in by_role.items()
    ]
    terminal.table((("角色", "role"), ("登录名", "log-ins"), ("现在可看", "what there is to see now")), rows)
    terminal.line(f"所有人的密码：{demo.password}", f"Everybody's password: {demo.password}")
    _tell_serving(terminal, demo.serving)


def _some(logins: list[str]) -> str:
    """A few log-ins in as little room as can be."""
    return ", ".join(logins) if len(logins) < 3 else f"{logins[0]} … {logins[-1]}"
