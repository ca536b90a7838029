"""Draws of experts at the terminal: the list, one draw, its record, and any record checked offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from milepost.cli.app import command, drawing
from milepost.cli.terminal import OK, REFUSED, Terminal, Usage

if TYPE_CHECKING:
    from milepost.db import Session
    from milepost.queries.draws import DrawView

Named = Annotated[
    str,
    typer.Argument(
        metavar="DRAW", help="抽取的 id，或其承诺的前 8 位以上 · Its id, or 8 digits of its commitment."
    ),
]


def _by(terminal: Terminal, session: Session) -> UUID:
    from states.case import SYSTEM_ID

    return terminal.person(session).id if terminal.login else SYSTEM_ID


def _find(session: Session, by: UUID, text: str) -> UUID:
    from milepost.queries.draws import draw_named

    found = draw_named(session, by, text)
    if found is None:
        raise Usage(
            "draw_unknown",
            f"没有抽取“{text}”，或写法不唯一；milepost draw list 列出全部。",
            f"There is no draw {text!r}, or more than one. `milepost draw list` shows them.",
        )
    return found


_TO_DRAW = (("可抽取的轮次", "round to draw for"), ("计划", "programme"), ("名称", "title"))


@command(drawing, "list", "列出抽取与可抽取的评审轮次 · The draws, and the rounds to draw for.", acts=True)
def list_(terminal: Terminal) -> None:
    from milepost.queries.draws import draws, rounds_to_draw
    from states.labels import state_label

    found: list[dict[str, Any]] = []
    with terminal.session() as session:
        by, after = _by(terminal, session), ""
        while True:
            page = draws(session, by, after=after, limit=500)
            found += page.rows
            if page.next is None:
                break
            after = page.next
        waiting = rounds_to_draw(session, by)
    if terminal.as_json:
        terminal.answer({"ok": True, "draws": found, "rounds_to_draw": waiting})
        return
    zone = terminal.settings.zone
    heads = (
        ("承诺", "commitment"),
        ("状态", "state"),
        ("公告", "announced"),
        ("公布日", "value on"),
        ("数值", "value"),
        ("轮次", "rounds"),
        ("名称", "title"),
    )
    rows = [
        (
            f"{d['commitment'][:12]}…",
            terminal.text(state_label("draw", d["state"])),
            f"{d['announced_at'].astimezone(zone):%Y-%m-%d %H:%M}",
            d["source_on"],
            d["value"][:16] if d["value"] else "",
            d["rounds"],
            d["title"],
        )
        for d in found
    ]
    if rows:
        terminal.table(heads, rows)
    else:
        terminal.line("还没有抽取。", "There is no draw yet.")
    if waiting:
        terminal.table(_TO_DRAW, [(f"{r['code']}/round", r["programme_code"], r["title"]) for r in waiting])
        codes = ",".join(r["code"] for r in waiting[:2])
        terminal.line(
            f"公告抽取：milepost do draw.announce programme=… office_path=… title=… rounds={codes} …",
            f"To announce one: milepost do draw.announce programme=… office_path=… title=… rounds={codes} …",
        )


@command(drawing, "show", "一次抽取：承诺、数值、评审组、替换 · One draw and its panels.", acts=True)
def show(terminal: Terminal, name: Named) -> None:
    from milepost.queries.draws import draw_view

    with terminal.session() as session:
        by = _by(terminal, session)
        view = draw_view(session, by, _find(session, by, name))
    assert view is not None, "what is found is seen"
    if terminal.as_json:
        terminal.answer({"ok": True, **_as_json(view)})
        return
    _show(terminal, view)


def _as_json(view: DrawView) -> dict[str, Any]:
    from dataclasses import asdict

    told = asdict(view)
    # The pool is in the exported record; here it would bury the rest.
    told["committed"] = {k: v for k, v in view.committed.items() if k not in ("pool", "projects")}
    told["pool"] = len(view.committed["pool"])
    return told


def _show(terminal: Terminal, view: DrawView) -> None:
    from states.labels import state_label

    row = view.row
    facts = [
        (terminal.say("状态", "state"), terminal.text(state_label("draw", row["state"]))),
        (terminal.say("计划", "programme"), f"{row['programme_code']} · {row['office_path']}"),
        (terminal.say("承诺", "commitment"), row["commitment"]),
        (terminal.say("专家库", "pool"), len(view.committed["pool"])),
        (terminal.say("随机来源", "source"), f"{row['source_name']} · {row['source_on']}"),
        (terminal.say("数值", "value"), row["value"] or terminal.say("尚未公布", "not published yet")),
        (terminal.say("出处", "published at"), row["value_evidence"]),
        (terminal.say("监督", "supervisor"), row["witness_id"]),
    ]
    if view.before is not None:
        facts.append((terminal.say("原抽取", "the draw before"), view.before["commitment"]))
        facts.append((terminal.say("重抽理由", "why again"), row["reason"]))
    facts += [(terminal.say("重抽", "drawn again"), after["commitment"]) for after in view.after]
    terminal.table((("", ""), ("", "")), [(k, v) for k, v in facts if v], title=row["title"])
    rows: list[tuple[object, ...]] = []
    for panel in view.panels:
        if panel.closed:
            hidden = terminal.say("您与该项目有利益冲突", "you have a conflict of interest here")
            rows.append((panel.code, "", "", hidden))
        for seat in panel.seats:
            state = terminal.text(state_label("task", seat.state)) if seat.state else ""
            rows.append((panel.code, seat.entry or "", f"{seat.name} {seat.expert}", state))
        if panel.short:
            rows.append((panel.code, "", terminal.say("缺：", "lacking: ") + ", ".join(panel.short), ""))
    if rows:
        terminal.table((("项目", "project"), ("替换", "entry"), ("专家", "expert"), ("任务", "task")), rows)


@command(drawing, "export", "导出公布的抽取记录 · Write the published record.", acts=True)
def export(
    terminal: Terminal,
    name: Named,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="写入的文件 · The file to write.")],
) -> None:
    from milepost.queries.draws import record_for
    from states.refusals import Refused, refuse

    with terminal.session() as session:
        by = _by(terminal, session)
        record = record_for(session, by, _find(session, by, name))
    if record is None:
        raise Refused([refuse("own_conflict")])
    file.write_bytes(record)
    if terminal.as_json:
        terminal.answer({"ok": True, "file": str(file), "bytes": len(record)})
        return
    terminal.line(f"✓ 抽取记录：{file}（{len(record)} 字节）", f"✓ Record: {file} ({len(record)} bytes)")
    terminal.line(f"核验：milepost draw verify {file}", f"To verify: milepost draw verify {file}")


@command(drawing, "verify", "离线核验一份抽取记录 · Compute a record again, offline, without any database.")
def verify(
    terminal: Terminal,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="抽取记录 · The record.")],
    held: Annotated[
        str, typer.Option("--held", metavar="HEX", help="您事先收到的承诺 · The commitment you received.")
    ] = "",
    earlier: Annotated[
        list[Path] | None,
        typer.Option("--earlier", metavar="FILE", help="此前的记录 · A record of an earlier attempt."),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            "--names",
            metavar="FILE",
            help="监督人员所持的代号对照 · Who the names are, as supervisors hold it.",
        ),
    ] = None,
) -> int:
    from milepost.experts.draw_names import check_names
    from milepost.experts.draw_record import read
    from milepost.experts.draw_verify import verify as check
    from states.drawing import DrawError

    data = file.read_bytes()
    findings = check(data, held=held, earlier=[path.read_bytes() for path in earlier or ()])
    try:
        record = read(data)
        findings += check_names(record, names.read_bytes()) if names else []
    except DrawError:
        record = None
    if terminal.as_json:
        told = [{"code": f.code, "zh": f.zh, "en": f.en} for f in findings]
        commitment = record.commitment if record else None
        terminal.answer({"ok": not findings, "commitment": commitment, "findings": told})
        return REFUSED if findings else OK
    if record is not None:
        value = record.value.text if record.value else terminal.say("尚未公布", "not published yet")
        facts = (
            (terminal.say("承诺", "commitment"), record.commitment),
            (terminal.say("第几次", "attempt"), str(record.committed.attempt)),
            (terminal.say("专家库", "pool"), str(len(record.committed.pool))),
            (terminal.say("项目", "projects"), str(len(record.committed.projects))),
            (terminal.say("数值", "value"), value),
            (terminal.say("替换", "replacements"), str(len(record.replacements))),
        )
        terminal.table((("", ""), ("", "")), facts, title=str(file))
    if findings:
        heads = (("代码", "code"), ("问题", "finding"))
        terminal.table(heads, [(f.code, terminal.text(f)) for f in findings])
        terminal.line("结论：未通过。", "NOT VERIFIED.")
        return REFUSED
    drawn = record is not None and record.value is not None
    terminal.line(
        "结论：通过，名单可由承诺与数值重算得出。" if drawn else "结论：承诺完好；尚未抽取。",
        "VERIFIED: the panels follow from commitment and value."
        if drawn
        else "VERIFIED: the commitment is sound; nothing has been drawn yet.",
    )
    if not held:
        terminal.line(
            "请与您事先收到的承诺相比对：--held …",
            "Compare it with the commitment that you received beforehand: --held …",
        )
    return OK
