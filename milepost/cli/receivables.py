"""What grantees owe, at the terminal: each receivable, and how old what is owed is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milepost.cli.app import app, command
from milepost.cli.terminal import Terminal, Usage

if TYPE_CHECKING:
    from datetime import date

    from milepost.queries.sight import Row
    from milepost.reports.ageing import Aged


@command(app, "receivables", "应退款与账龄 · What grantees owe, and how old it is.", acts=True)
def receivables(
    terminal: Terminal,
    only_open: Annotated[bool, typer.Option("--open", help="只列尚欠的 · Only what is still owed.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="账龄写入 .xlsx 或 .csv · Write the ageing to a file."),
    ] = None,
) -> None:
    from milepost.queries.receivables import receivables as read
    from milepost.reports.ageing import ageing

    with terminal.session() as session:
        by, today = terminal.person(session).id, session.clock.today()
        owed = read(session, by, only_open=True)
        rows = owed if only_open else read(session, by)
    if out is not None:
        _write(terminal, owed, out, today)
        return
    aged = ageing(owed, today)
    if terminal.as_json:
        terminal.answer({"ok": True, "ageing": [_aged(one) for one in aged], "receivables": rows})
        return
    _tell(terminal, rows, aged)


def _aged(one: Aged) -> dict[str, object]:
    return {
        "office_path": one.office_path,
        "currency": one.currency,
        "number": one.number,
        **one.bands,
        "total_minor": one.total_minor,
    }


def _write(terminal: Terminal, owed: list[Row], out: Path, today: date) -> None:
    from milepost.work.ageing_sheet import ageing_sheet

    ending = out.suffix.lower().removeprefix(".")
    if ending not in ("xlsx", "csv"):
        raise Usage("file_kind", "请写成 .xlsx 或 .csv 文件。", "Write to a .xlsx or .csv file.")
    out.write_bytes(ageing_sheet(owed, today, ending))
    terminal.line(f"✓ {out}", f"✓ {out}")


def _tell(terminal: Terminal, rows: list[Row], aged: list[Aged]) -> None:
    from milepost.reports.ageing import BANDS
    from schema.money import Money
    from states.labels import choice_label, state_label
    from states.reference import spaced

    heads = (("退款编号", "reference"), ("项目", "project"), ("事由", "ground"), ("状态", "state"))
    terminal.table(
        (*heads, ("尚欠", "left"), ("应退", "of"), ("期限", "due")),
        [
            (
                spaced(row["reference"]),
                row["code"],
                terminal.text(choice_label(row["ground"])),
                terminal.text(state_label("receivable", row["state"])),
                Money(row["left_minor"], row["currency"]).format(terminal.locale),
                Money(row["amount_minor"], row["currency"]).format(terminal.locale),
                row["next_due_on"].isoformat(),
            )
            for row in rows
        ],
    )
    bands = tuple((label.zh, label.en) for label in BANDS.values())
    terminal.table(
        (("部门", "office"), *bands, ("合计", "total")),
        [
            (
                one.office_path,
                *(Money(one.bands[band], one.currency).format(terminal.locale) for band in BANDS),
                Money(one.total_minor, one.currency).format(terminal.locale),
            )
            for one in aged
        ],
    )


__all__ = ["receivables"]
