"""The loop with the bank at the terminal: batches, files read by hand, exceptions, and a bank to try it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import typer

from milepost.cli.app import bank, command
from milepost.cli.terminal import OK, REFUSED, Terminal, Usage

if TYPE_CHECKING:
    from datetime import date

    from milepost.bank.desk import Desk
    from milepost.bank.simulated_files import FileBank
    from milepost.db import Session

_BATCHES = (
    ("批次", "batch"),
    ("状态", "state"),
    ("执行日", "on"),
    ("笔数", "number"),
    ("合计", "total"),
    ("交付", "handed over by"),
)


def _reader(terminal: Terminal, session: Session) -> UUID | None:
    """Nobody named: whoever has the machine. Somebody named: only who sees it in the pages too."""
    if not terminal.login:
        return None
    from milepost.queries.sight import BANK, roles_anywhere

    reader = terminal.person(session).id
    if not roles_anywhere(session, reader) & BANK:
        raise Usage(
            "not_found", "没有这个对象，或您无权查看。", "There is no such thing, or you may not see it."
        )
    return reader


def _desk(terminal: Terminal) -> Desk:
    from milepost.bank.desk import desk_of

    desk = desk_of(terminal.settings)
    if desk is None:
        raise Usage(
            "bank_not_by_files",
            "设置中付款不走文件；请设 MILEPOST_BANK=files 及账号、户名。",
            "Payments do not go by files: set MILEPOST_BANK=files, and account and holder.",
        )
    return desk


@command(bank, "batches", "列出批次 · The batches.", acts=True)
def batches(terminal: Terminal) -> None:
    from milepost.queries.bank import batches as read
    from schema.money import Money
    from states.labels import state_label

    with terminal.session() as session:
        rows = read(session, _reader(terminal, session))
    if terminal.as_json:
        terminal.answer({"ok": True, "batches": rows})
        return
    terminal.table(
        _BATCHES,
        [
            (
                row["id"],
                terminal.text(state_label("batch", row["state"])),
                row["execution_on"],
                row["number"],
                Money(row["total_minor"], row["currency"]).format(terminal.locale),
                row["handed_by"] or "",
            )
            for row in rows
        ],
    )


@command(bank, "batch", "一个批次：拨付、文件 · One batch: its payments and files.", acts=True)
def batch(
    terminal: Terminal, id: Annotated[UUID, typer.Argument(metavar="BATCH", help="批次的 id · Its id.")]
) -> None:
    from milepost.queries.bank import batch as read
    from milepost.reports.payment_words import left_out_said
    from schema.money import Money
    from states.labels import state_label

    with terminal.session() as session:
        row = read(session, id, _reader(terminal, session))
    if row is None:
        raise Usage("batch_unknown", f"没有批次 {id}。", f"There is no batch {id}.")
    if terminal.as_json:
        terminal.answer({"ok": True, **row})
        return
    heads = (("拨付", "payment"), ("状态", "state"), ("金额", "amount"), ("未列入", "left out"))
    lines = [
        (
            f"{p['code']}/t{p['number']}",
            terminal.text(state_label("payment", p["state"])),
            Money(p["amount_minor"], p["currency"]).format(terminal.locale),
            terminal.text(left_out_said(p["left_out"])) if p["left_out"] else "",
        )
        for p in row["payments"]
    ]
    terminal.table(heads, lines, title=f"{row['file_name'] or row['id']} {row['sha256'] or ''}")


@command(bank, "read", "读入银行文件并对账 · Read the bank's files and reconcile.", acts=True)
def read(
    terminal: Terminal,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="回执或对账单 · pain.002, camt.053.")],
) -> int:
    from dataclasses import asdict

    from milepost.work.reconciliation import read_path, reconcile
    from states.case import SYSTEM_ID

    desk = _desk(terminal)
    with terminal.session() as session:
        by = terminal.person(session).id if terminal.login else SYSTEM_ID
        _reader(terminal, session)
        found = [read_path(session, desk, path, by) for path in files]
        report = reconcile(session, desk)
        entries = {one.sha256: _entries(session, one.sha256) for one in found}
    if terminal.as_json:
        told = [
            {
                **{k: v for k, v in asdict(one).items() if k != "findings"},
                "findings": [said.as_json() for said in one.findings],
                "words": entries[one.sha256],
            }
            for one in found
        ]
        totals = {"outcomes": dict(report.outcomes), "exceptions": dict(report.exceptions)}
        terminal.answer({"ok": not report.exceptions, "files": told, **totals})
        return REFUSED if report.exceptions else OK
    heads = (("业务编号", "id"), ("银行所述", "said"), ("金额", "amount"), ("结果", "outcome"))
    for one in found:
        known = terminal.say("，以前读过", ", known before") if one.known else ""
        rows = [
            (w["end_to_end"], w["said"], f"{w['amount_minor']} {w['currency']}", w["outcome"])
            for w in entries[one.sha256][:200]
        ]
        terminal.table(heads, rows, title=f"{one.name} · {one.kind}{known}")
        for said in one.findings:
            terminal.print(said.text(terminal.locale))
    for kind, number in sorted(report.exceptions.items()):
        terminal.line(f"与账面不符：{kind} × {number}", f"does not fit: {kind} × {number}")
    return REFUSED if report.exceptions else OK


def _entries(session: Session, digest: str) -> list[dict[str, Any]]:
    from milepost.queries.sight import rows

    return rows(
        session,
        "SELECT e.end_to_end, e.said, e.amount_minor, e.currency, e.reference, e.outcome FROM bank_entry e "
        "JOIN bank_file f ON f.id = e.file_id WHERE f.sha256 = %(sha)s ORDER BY e.booked_on, e.key, e.part",
        {"sha": digest},
    )


@command(bank, "exceptions", "与账面不符、待查明的 · What does not fit our books.", acts=True)
def exceptions(terminal: Terminal) -> None:
    from milepost.queries.bank import exceptions as read

    with terminal.session() as session:
        found = read(session, _reader(terminal, session))
    if terminal.as_json:
        told = []
        for row in found:
            said = row.pop("said")
            words = {"fact": said.fact.model_dump(), "remedy": said.remedy.model_dump()}
            told.append({**row, **words, "why": said.why.model_dump() if said.why else None})
        terminal.answer({"ok": True, "exceptions": told})
        return
    for row in found:
        terminal.print(f"{row['id']} {row['kind']}")
        terminal.print(f"  {terminal.text(row['said'].fact)} {terminal.text(row['said'].remedy)}")
        if row["likely_code"]:
            why = terminal.text(row["said"].why) if row["said"].why else ""
            terminal.line(
                f"  可能是 {row['likely_code']}/t{row['likely_tranche']}：{why}",
                f"  Perhaps {row['likely_code']}/t{row['likely_tranche']}: {why}",
            )
    if not found:
        terminal.line("银行所述与账面一致。", "What the bank said fits our books.")


@command(bank, "resolve", "查明一项并办结 · Say what an exception was.", acts=True)
def resolve(
    terminal: Terminal,
    id: Annotated[UUID, typer.Argument(metavar="EXCEPTION", help="该项的 id · Its id.")],
    note: Annotated[str, typer.Option("--note", help="查明的情况 · What it was.")],
    how: Annotated[
        Literal["explain", "match", "use"],
        typer.Option("--how", help="说明、认领、采用 · Explain, take the likely match, use the statement."),
    ] = "explain",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="从标准输入读密码 · Read the password from stdin.")
    ] = False,
) -> None:
    from uuid import uuid4

    from milepost.actions import perform
    from milepost.bank.desk import desk_of
    from milepost.work.reconciliation import reconcile

    desk = desk_of(terminal.settings)
    with terminal.session() as session:
        actor = terminal.actor(session, fresh=how != "explain", password_stdin=password_stdin)
        perform(session, actor, f"bank_exception.{how}", id, {"note": note}, uuid4().hex)
        outcomes = dict(reconcile(session, desk).outcomes) if desk else {}
    if terminal.as_json:
        terminal.answer({"ok": True, "outcomes": outcomes})
        return
    terminal.line("✓ 已办结", "✓ Cleared up")


@command(bank, "simulate", "模拟银行：收文件，回报告与对账单 · A bank that takes our files and answers.")
def simulate(
    terminal: Terminal,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="与银行共用的目录 · The folder; else the settings' own.")
    ] = None,
    misbehave: Annotated[
        str, typer.Option("--misbehave", metavar="NAME=N,…", help="例如 reject=5,split=2 · One in so many.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help="随机种子 · What chance begins with.")] = 0,
    http: Annotated[
        int,
        typer.Option("--http", metavar="PORT", help="也经 HTTP 收文件 · Take files over HTTP too."),
    ] = 0,
    credit: Annotated[
        list[str] | None,
        typer.Option("--credit", metavar="AMOUNT=REMITTANCE", help="入账一笔来款 · Money that comes in."),
    ] = None,
    account: Annotated[
        str, typer.Option("--account", help="本方账号，账上还没有时 · Our account, while it has no books.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="一遍即止 · One round only.")] = False,
    every: Annotated[float, typer.Option("--every", help="每隔几秒 · Seconds between two looks.")] = 2.0,
) -> None:
    import time

    from milepost.bank.desk import template_at
    from milepost.bank.simulated_files import FileBank, misbehaviour_from, write_answers
    from milepost.clock import SystemClock

    place = folder or terminal.settings.bank_place
    for name in ("in", "out"):
        (place / name).mkdir(parents=True, exist_ok=True)
    try:
        told = misbehaviour_from(misbehave, seed)
    except ValueError as error:
        raise Usage("misbehaviour_unknown", f"看不懂：{error}", f"Not understood: {error}") from None
    own = account or terminal.settings.bank_account or ""
    template = template_at(terminal.settings.bank_sheet)
    counter = FileBank(place / "simulated-bank.sqlite", told, account=own, template=template)
    clock = SystemClock(terminal.settings.zone)
    came = _credits(counter, credit or [], clock.today())
    if http:
        _serve(counter, clock, http)
        terminal.line(f"http://127.0.0.1:{http}/pain001", f"http://127.0.0.1:{http}/pain001")
    while True:
        today = clock.today()
        taken = counter.take_folder(place / "out", today)
        answers = counter.reports(today)
        if taken or answers or came or counter.owes_statements(today):
            answers += counter.statements(today)
        came = False
        for path in write_answers(place / "in", answers):
            terminal.line(f"→ {path.name}", f"→ {path.name}")
        if once:
            return
        time.sleep(every)


def _credits(counter: FileBank, given: list[str], today: date) -> bool:
    """Book what came in; whether anything did."""
    from schema.money import Money

    for text in given:
        amount, _, remittance = text.partition("=")
        counter.credit(Money.parse(amount, "CNY", allow_negative=False).minor, "CNY", today, remittance)
    return bool(given)


def _serve(counter: FileBank, clock: Any, port: int) -> None:
    """Take files over HTTP on this machine, in a thread of its own: POST the bytes, get the message id."""
    import threading

    from milepost.bank.simulated_http import server_for

    threading.Thread(target=server_for(counter, clock, port).serve_forever, daemon=True).start()
