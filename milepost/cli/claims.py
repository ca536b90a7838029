"""Cost claims at the terminal: lines from a spreadsheet into a draft, every row that fails named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milepost.cli.app import claims, command
from milepost.cli.terminal import OK, REFUSED, Terminal, Usage

if TYPE_CHECKING:
    from uuid import UUID

    from milepost.db import Session

_DIGEST = re.compile(r"[0-9a-f]{64}")


@command(claims, "import", "从表格导入费用明细 · Take lines in from xlsx or CSV.", acts=True)
def import_(
    terminal: Terminal,
    claim: Annotated[
        str, typer.Argument(metavar="CODE/c1", help="费用申报 · The claim, a draft or returned.")
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="xlsx 或 CSV；“凭证”列写文件名 · xlsx or CSV; evidence by the name of a file beside it.",
        ),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="只检查，不导入 · Only say what would be refused.")
    ] = False,
) -> int:
    from milepost.cli.subjects import find
    from milepost.importing.claims import import_lines
    from milepost.importing.tables import FileRefused

    if not file.is_file():
        raise Usage("file_missing", f"没有文件 {file}。", f"There is no file {file}.")
    with terminal.session() as session:
        actor = terminal.actor(session)
        named = find(session, claim)
        if named.noun != "claim":
            raise Usage(
                "claim_unknown",
                f"“{claim}”不是费用申报；写法如 CODE/c1。",
                f"{claim!r} is no cost claim; name it like CODE/c1.",
            )
        resolve = _files_beside(session, file.parent, actor.id, terminal.settings.upload_bytes_max)
        try:
            report = import_lines(
                session, actor, named.id, file.name, file.read_bytes(), resolve, check=check
            )
        except FileRefused as refused:
            raise Usage(refused.code, refused.zh, refused.en) from None
    ok = not report.refused
    if terminal.as_json:
        terminal.answer(report.as_json())
        return OK if ok else REFUSED
    for finding in report.refused:
        where = f"{finding.file}:{finding.row}"
        terminal.line(f"✗ {where} {finding.zh}", f"✗ {where} {finding.en}")
    terminal.line(
        f"导入 {report.taken} 笔，已有 {report.there} 笔，拒收 {len(report.refused)} 行。",
        f"{report.taken} lines taken, {report.there} there already, {len(report.refused)} rows refused.",
    )
    return OK if ok else REFUSED


def _files_beside(session: Session, folder: Path, person_id: UUID, bytes_max: int) -> Callable[[str], str]:
    """Evidence by the name of a file beside the table, which is handed in, or by a hash of one that was."""
    from milepost.documents import not_brought, store
    from milepost.importing.cells import CellError

    def resolve(text: str) -> str:
        if _DIGEST.fullmatch(text) and not not_brought(session, person_id, [text]):
            return text
        # A name, never a path: nothing outside the table's own folder is handed in.
        path = folder / Path(text.replace("\\", "/")).name
        if path.name != text or not path.is_file():
            raise CellError(
                "evidence_missing",
                f"表格旁边没有凭证文件“{text[:80]}”。",
                f"There is no file {text[:80]!r} beside the table.",
            )
        return store(session, path.name, path.read_bytes(), person_id, bytes_max).sha256

    return resolve


__all__ = ["import_"]
