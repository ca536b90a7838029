"""Figures over many projects: what waits and on whom, what is expected to leave each month."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milepost.cli.app import app, command
from milepost.cli.terminal import Terminal

if TYPE_CHECKING:
    from uuid import UUID

    from milepost.db import Session
    from milepost.work.figure_sheets import Sheet

OfProgramme = Annotated[
    str, typer.Option("--programme", metavar="CODE", help="只看一个计划 · One programme only.")
]
OfOffice = Annotated[
    str, typer.Option("--office", metavar="PATH", help="只看一个部门及其下级 · One office and those below.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="写成 .xlsx 或 .csv · Write an .xlsx or .csv file."),
]


@command(app, "ageing", "什么在等、等谁、等了多久 · What waits, on whom, for how long.", acts=True)
def ageing(
    terminal: Terminal, programme: OfProgramme = "", office: OfOffice = "", output: Output = None
) -> None:
    from milepost.work.ageing import BUCKET_LABELS, KIND_LABELS, ageing_sheet, what_label
    from milepost.work.ageing import ageing as counted
    from schema.money import Money
    from states.labels import role_label

    with terminal.session() as session:
        reader = _reader(terminal, session) if terminal.login else None
        found = counted(session, reader, programme=programme, office=office)
    if output is not None:
        _write(terminal, ageing_sheet(found), output)
        return
    if terminal.as_json:
        terminal.answer({"ok": True, **found.as_json()})
        return
    heads = (("", ""), *((label.zh, label.en) for label in BUCKET_LABELS), ("合计", "all"))
    rows = [
        (terminal.text(KIND_LABELS[kind]), *total.counts, total.count)
        for kind, total in found.by_kind.items()
    ]
    for money, sums in sorted(found.whole.sums.items()):
        amounts = [Money(minor, money).format(terminal.locale) for minor in (*sums, sum(sums))]
        rows.append((terminal.say("金额", "amount"), *amounts))
    terminal.table(heads, rows, title=terminal.say("账龄", "Ageing"))
    whom = [
        (item.row["code"] or "", terminal.text(what_label(item)), item.days,
         item.name or terminal.say("、", ", ").join(terminal.text(role_label(r)) for r in item.roles))
        for item in found.items[:50]
    ]  # fmt: skip
    if whom:
        terminal.table((("项目", "project"), ("事项", "what"), ("天数", "days"), ("等谁", "on whom")), whom)


def _reader(terminal: Terminal, session: Session) -> UUID:
    """Who asks, if they may see the office's money at all; otherwise it reads as what is not there."""
    from milepost.queries.sight import FUNDS, roles_anywhere
    from states.refusals import Refused, refuse

    person = terminal.person(session)
    if not roles_anywhere(session, person.id) & FUNDS:
        raise Refused([refuse("not_found")])
    return person.id


def _write(terminal: Terminal, sheet: Sheet, output: Path) -> None:
    from milepost.cli.terminal import Usage
    from milepost.work.figure_sheets import ENDINGS, written

    ending = output.suffix.removeprefix(".").lower()
    if ending not in ENDINGS:
        raise Usage("file_kind", "文件名须以 .xlsx 或 .csv 结尾。", "The file's name ends in .xlsx or .csv.")
    output.write_bytes(written(sheet, ending))
    if terminal.as_json:
        terminal.answer({"ok": True, "file": str(output)})
    else:
        terminal.line(f"已写入 {output}。", f"Written to {output}.")


__all__ = ["ageing"]
