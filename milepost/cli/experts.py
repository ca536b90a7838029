"""The expert pool at the terminal: spreadsheets in and out, the list, one entry, duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from milepost.cli.app import command, pool
from milepost.cli.terminal import OK, REFUSED, Terminal, Usage

if TYPE_CHECKING:
    from milepost.db import Session
    from milepost.importing.experts import Report, RowReport

Sheet = Annotated[Path, typer.Argument(metavar="FILE", help=".xlsx 或 .csv 文件 · An .xlsx or .csv file.")]


def _by(terminal: Terminal, session: Session) -> UUID:
    from states.case import SYSTEM_ID

    return terminal.person(session).id if terminal.login else SYSTEM_ID


def _ending(file: Path) -> str:
    ending = file.suffix.lower().removeprefix(".")
    if ending not in ("xlsx", "csv"):
        raise Usage(
            "file_kind",
            f"“{file.name}”应以 .xlsx 或 .csv 结尾。",
            f"{file.name!r} should end in .xlsx or .csv.",
        )
    return ending


@command(
    pool, "import", "从表格导入专家，逐行报告 · Take experts in from a spreadsheet, row by row.", acts=True
)
def import_(
    terminal: Terminal,
    file: Sheet,
    check: Annotated[
        bool, typer.Option("--check", help="只检查，不写入 · Only say what would become of each row.")
    ] = False,
) -> int:
    from milepost.importing.experts import import_experts
    from milepost.work.conflicts import take_away_conflicted

    _ending(file)
    content = file.read_bytes()
    with terminal.session() as session, terminal.progress("导入", "Importing") as progress:
        by = _by(terminal, session)
        report = import_experts(session, file.name, content, by=by, check=check, progress=progress)
        if not check:
            take_away_conflicted(session)
    ok = not report.count("refused")
    if terminal.as_json:
        terminal.answer({"ok": ok, "checked_only": check, **report.as_json()})
    else:
        _tell(terminal, report)
    return OK if ok else REFUSED


def _tell(terminal: Terminal, report: Report) -> None:
    for row in report.rows:
        for finding in (*row.reasons, *row.remarks):
            mark = "✗" if finding in row.reasons else "·"
            where = " ".join(
                part for part in (f"{report.file}:{row.number}", row.login, finding.column) if part
            )
            terminal.line(f"{mark} {where} {finding.zh}", f"{mark} {where} {finding.en}")
        if row.outcome == "changed":
            _tell_changed(terminal, row)
    for name in report.ignored:
        terminal.line(f"· 未使用的列：{name}", f"· Column not used: {name}")
    made, changed, same, refused = map(report.count, ("created", "changed", "unchanged", "refused"))
    terminal.line(
        f"新建 {made}，修改 {changed}，未变 {same}，拒绝 {refused}。",
        f"{made} created, {changed} changed, {same} unchanged, {refused} refused.",
    )


def _tell_changed(terminal: Terminal, row: RowReport) -> None:
    from milepost.importing.expert_cells import BY_KEY

    names = [terminal.text(BY_KEY[key].name) for key in row.changed]
    terminal.line(f"~ {row.login}：{'、'.join(names)}", f"~ {row.login}: {', '.join(names)}")


def _write(terminal: Terminal, file: Path, content: bytes, zh: str, en: str, **more: Any) -> None:
    file.write_bytes(content)
    if terminal.as_json:
        terminal.answer({"ok": True, "file": str(file), "bytes": len(content), **more})
        return
    terminal.line(f"✓ {zh}：{file}", f"✓ {en}: {file}")


@command(pool, "export", "导出专家库 · Write the pool to a spreadsheet.", acts=True)
def export(terminal: Terminal, file: Sheet) -> None:
    from milepost.importing.experts import export_experts

    ending = _ending(file)
    with terminal.session() as session:
        content = export_experts(session, _by(terminal, session), ending)
    _write(terminal, file, content, "已导出专家库", "The pool is written")


@command(pool, "template", "导出空白模板 · Write an empty sheet to fill in.")
def template_(terminal: Terminal, file: Sheet) -> None:
    from milepost.importing.experts import template

    _write(terminal, file, template(_ending(file)), "模板", "Template")


@command(pool, "list", "列出专家 · The experts of the pool.", acts=True)
def list_(
    terminal: Terminal,
    search: Annotated[str, typer.Argument(help="登录名或姓名的一部分 · Part of a login or name.")] = "",
    unit: Annotated[str, typer.Option("--unit", help="单位名称的一部分 · Part of a unit's name.")] = "",
    field: Annotated[
        str, typer.Option("--field", help="学科代码或其开头 · A subject code or its beginning.")
    ] = "",
    kind: Annotated[str, typer.Option("--kind", help="类别，如 finance · A kind, such as finance.")] = "",
    standing: Annotated[
        str,
        typer.Option(
            "--standing",
            help="available、absent、banned、retired 之一 · One of available, absent, banned, retired.",
        ),
    ] = "",
) -> None:
    from milepost.experts.profile import KIND_LABELS, kinds_in
    from milepost.queries.experts import STANDINGS, expert_list

    if standing and standing not in STANDINGS:
        known = ", ".join(STANDINGS)
        raise Usage("standing_unknown", f"--standing 为 {known} 之一。", f"--standing is one of {known}.")
    chosen = kinds_in([kind])[0] if kind else ""
    found: list[dict[str, Any]] = []
    with terminal.session() as session:
        by, after = _by(terminal, session), ""
        while True:
            page = expert_list(
                session,
                by,
                search=search,
                unit=unit,
                field=field,
                kind=chosen,
                standing=standing,
                after=after,
                limit=500,
            )
            found += page.rows
            if page.next is None:
                break
            after = page.next
    if terminal.as_json:
        terminal.answer({"ok": True, "experts": found})
        return
    heads = (
        ("登录名", "login"),
        ("姓名", "name"),
        ("类别", "kinds"),
        ("单位", "unit"),
        ("学科", "subjects"),
        ("地区", "region"),
        ("今年任务", "this year"),
        ("状态", "standing"),
    )
    rows = [
        (
            x["login"],
            x["name"],
            terminal.say("、", ", ").join(terminal.text(KIND_LABELS[k]) for k in x["kinds"]),
            "; ".join(x["units"]),
            " ".join(x["fields"]),
            x["region"],
            f"{x['used']}/{x['yearly_load']}",
            _standing(terminal, x),
        )
        for x in found
    ]
    terminal.table(heads, rows)


def _standing(terminal: Terminal, row: dict[str, Any]) -> str:
    words = []
    if not row["active"]:
        words.append(terminal.say("已退出", "retired"))
    if row["banned"]:
        words.append(terminal.say("禁评", "banned"))
    if row["absent"]:
        words.append(terminal.say("暂不便", "absent"))
    return " ".join(words)


@command(pool, "show", "一位专家 · One expert.", acts=True)
def show(
    terminal: Terminal,
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="登录名 · The expert's login.")],
) -> None:
    from milepost.cli.subjects import person_named
    from milepost.experts.permits import unknown_expert
    from milepost.queries.experts import expert

    with terminal.session() as session:
        row = expert(session, _by(terminal, session), person_named(session, login))
    if row is None:
        raise unknown_expert()
    if terminal.as_json:
        terminal.answer({"ok": True, "expert": {**row, "sees": sorted(row["sees"])}})
        return
    _show(terminal, row)


def _show(terminal: Terminal, row: dict[str, Any]) -> None:
    from milepost.experts.profile import CHANGE_LABELS, KIND_LABELS, LANGUAGE_LABELS, TIE_LABELS
    from milepost.experts.subjects import subject_label

    join = terminal.say("、", ", ").join
    terminal.print(f"{row['name']} ({row['login']}) {_standing(terminal, row)}".rstrip())
    facts = (
        ("职称", "Title", row["title"]),
        ("类别", "Kinds", join(terminal.text(KIND_LABELS[k]) for k in row["kinds"])),
        ("地区", "Region", row["region"]),
        ("学科", "Subjects", join(terminal.text(subject_label(code)) for code in row["fields"])),
        ("语言", "Languages", join(terminal.text(LANGUAGE_LABELS[name]) for name in row["languages"])),
        ("今年任务", "Tasks this year", f"{row['used']}/{row['yearly_load']}"),
        ("电话", "Telephone", row["phone"]),
    )
    terminal.table((("", ""), ("", "")), [(terminal.say(zh, en), value) for zh, en, value in facts if value])
    for unit in row["affiliations"]:
        terminal.print(f"  {unit['unit_name']}  {_days(unit['from_on'], unit['to_on'])}")
    for tie in row["ties"]:
        ended = terminal.say("（已结束）", " (ended)") if tie["ended_at"] else ""
        other = tie["other_name"] or tie["other_unit_key"] or tie["code"]
        other = other or terminal.say("一项申报", "an application")
        terminal.print(f"  {terminal.text(TIE_LABELS[tie['kind']])}: {other}{ended}")
    for absence in row["absences"]:
        words = _days(absence["from_on"], absence["to_on"])
        terminal.line(f"  不便：{words}", f"  Absent: {words}")
    for ban in row["bans"]:
        words = f"{_days(ban['from_on'], ban['until_on'])}  {ban['reason']}"
        lifted = terminal.say("（已解除）", " (lifted)") if ban["lifted_at"] else ""
        terminal.line(f"  禁评{lifted}：{words}", f"  Banned{lifted}: {words}")
    for change in row["changes"][:10]:
        label = terminal.text(CHANGE_LABELS[change["what"]])
        terminal.print(
            f"  {change['at'].astimezone(terminal.settings.zone):%Y-%m-%d %H:%M} {label} · {change['by']}"
        )


def _days(first: Any, last: Any) -> str:
    return f"{first or '…'} – {last or '…'}"


@command(pool, "duplicates", "可能重复的条目及原因 · Entries that may be one person, and why.", acts=True)
def duplicates(terminal: Terminal) -> None:
    from milepost.experts.duplicates import DEGREES, REASONS
    from milepost.queries.experts import duplicates_for

    with terminal.session() as session:
        pairs = duplicates_for(session, _by(terminal, session))
    if terminal.as_json:
        listed = [
            {
                "degree": pair.degree,
                "reasons": list(pair.reasons),
                "experts": [{"login": one.login, "name": one.name} for one in (pair.first, pair.second)],
            }
            for pair in pairs
        ]
        terminal.answer({"ok": True, "pairs": listed})
        return
    heads = (("程度", "how sure"), ("条目", "one"), ("条目", "other"), ("原因", "why"))
    rows = [
        (
            terminal.text(DEGREES[pair.degree]),
            f"{pair.first.name} ({pair.first.login})",
            f"{pair.second.name} ({pair.second.login})",
            terminal.say("、", ", ").join(terminal.text(REASONS[reason][1]) for reason in pair.reasons),
        )
        for pair in pairs
    ]
    if rows:
        terminal.table(heads, rows)
    else:
        terminal.line("没有发现重复。", "No duplicates found.")
