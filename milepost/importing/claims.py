"""Lines of a cost claim from a spreadsheet: what can be read joins the draft, what cannot is named by row.

Nothing in the draft is lost or changed; a row that stands there already is left alone, so that a corrected
file can simply be taken in again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from config.programmes import Programme
from milepost.actions import Actor, perform
from milepost.db import Session
from milepost.importing.cells import CellError, day_in, sum_in
from milepost.importing.sheets import SheetRow, read_sheet
from milepost.importing.tables import FileRefused, Finding
from milepost.programmes import load_published
from milepost.queries.sight import find_subject
from schema.inputs_claims import LINES_MAX, ClaimLine
from schema.money import Explained
from states.claim_guards import categories
from states.refusals import Refused, refuse

# A column by the heads that people write over it.
HEADS: Mapping[str, tuple[str, ...]] = {
    "category": ("category", "科目", "预算科目"),
    "spent_on": ("day", "date", "spent_on", "日期", "支付日期"),
    "payee": ("payee", "收款方", "收款单位"),
    "invoice_no": ("invoice", "invoice_no", "发票号码", "发票号"),
    "description": ("description", "what for", "事由", "摘要"),
    "amount": ("amount", "金额"),
    "evidence": ("evidence", "凭证", "凭证文件"),
}
NEEDED = ("category", "payee", "amount")
LONGEST = {"payee": 300, "invoice_no": 100, "description": 1000}
Resolve = Callable[[str], str]
"""From what stands in the column of evidence to the SHA-256 of a file that was handed in."""


@dataclass(slots=True)
class ClaimReport:
    """What became of a file: lines taken, lines there already, rows refused with their reasons."""

    file: str
    taken: int = 0
    there: int = 0
    refused: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The report as a program reads it."""
        return {
            "ok": not self.refused,
            "file": self.file,
            "taken": self.taken,
            "there_already": self.there,
            "refused_rows": [finding.as_json() for finding in self.refused],
        }


def import_lines(
    session: Session,
    actor: Actor,
    claim_id: UUID,
    file: str,
    content: bytes,
    resolve: Resolve,
    *,
    check: bool = False,
) -> ClaimReport:
    """Add a file's lines to a claim's draft, or only say what would be refused.

    Raises ``FileRefused`` where the file cannot be read at all, ``Refused`` where the claim is not writable.
    """
    subject = find_subject(session, actor.id, "claim", claim_id)
    compiled = load_published(session.conn, subject.programme_id) if subject else None
    if subject is None or compiled is None:
        raise Refused([refuse("not_found")])
    claim, report = subject.row, ClaimReport(file)
    before = [ClaimLine.model_validate(line) for line in claim["lines"]]
    known, lines = set(before), list(before)
    for row in _rows(file, content):
        try:
            line = _line(row, compiled.programme, claim["currency"], resolve)
            if len(lines) >= LINES_MAX:
                raise _too_many()
        except Explained as wrong:
            report.refused.append(Finding(file, row[0], "", wrong.code, wrong.zh, wrong.en))
            continue
        if line in known:
            report.there += 1
        else:
            known.add(line)
            lines.append(line)
            report.taken += 1
    if report.taken and not check:
        given = {
            "period_from": claim["period_from"].isoformat(),
            "period_to": claim["period_to"].isoformat(),
            "lines": [line.model_dump(mode="json") for line in lines],
        }
        mark = sha256(repr(given).encode()).hexdigest()[:32]
        request = f"claim-import:{claim_id}:{claim['version']}:{mark}"
        perform(session, actor, "claim.save", claim_id, given, request, expected_version=claim["version"])
    return report


def _rows(file: str, content: bytes) -> list[tuple[int, dict[str, str], CellError | None]]:
    """The rows by column, each with the problem of its first cell that has one."""
    sheet = read_sheet(file, content)
    if not sheet:
        raise FileRefused(file, "file_empty", "文件是空的。", "it is empty.")
    head = [cell.text.strip().lower() for cell in sheet[0].cells]
    names = {head_: name for name, heads in HEADS.items() for head_ in heads}
    columns = {names[text]: at for at, text in reversed(list(enumerate(head))) if text in names}
    if missing := [HEADS[name][1] for name in NEEDED if name not in columns]:
        raise FileRefused(
            file,
            "column_missing",
            f"缺少列：{'、'.join(missing)}。第一行须是列名。",
            f"columns are missing: {', '.join(n for n in NEEDED if n not in columns)}. "
            "The first row has their names.",
        )
    return [(row.number, *_cells(row, columns)) for row in sheet[1:]]


def _cells(row: SheetRow, columns: Mapping[str, int]) -> tuple[dict[str, str], CellError | None]:
    texts, problem = dict.fromkeys(HEADS, ""), None
    for name, at in columns.items():
        if at < len(row.cells):
            cell = row.cells[at]
            texts[name] = cell.text.strip()
            problem = problem or (CellError(*cell.problem) if cell.problem else None)
    return texts, problem


def _line(
    row: tuple[int, dict[str, str], CellError | None], programme: Programme, currency: str, resolve: Resolve
) -> ClaimLine:
    _, texts, problem = row
    if problem is not None:
        raise problem
    for name, most in LONGEST.items():
        if len(texts[name]) > most:
            head = HEADS[name]
            raise CellError(
                "text_too_long",
                f"“{head[1]}”超过 {most} 个字符。",
                f"{head[0]} is longer than {most} characters.",
            )
    return ClaimLine(
        category=_category(texts["category"], programme),
        spent_on=day_in(texts["spent_on"], "day") if texts["spent_on"] else None,
        payee=texts["payee"],
        invoice_no=texts["invoice_no"],
        description=texts["description"],
        amount_minor=sum_in(texts["amount"], currency, "amount").minor,
        evidence=resolve(texts["evidence"]) if texts["evidence"] else None,
    )


def _category(text: str, programme: Programme) -> str:
    known = categories(programme)
    for code, category in known.items():
        if text.lower() in (code, category.text.zh.lower(), category.text.en.lower()):
            return code
    named = "、".join(f"{code}（{category.text.zh}）" for code, category in known.items())
    english = ", ".join(f"{code} ({category.text.en})" for code, category in known.items())
    raise CellError(
        "category_unknown",
        f"没有科目“{text[:40]}”。可用：{named}。",
        f"There is no category {text[:40]!r}. There are: {english}.",
    )


def _too_many() -> CellError:
    return CellError(
        "lines_too_many",
        f"一份申报最多 {LINES_MAX} 笔。请另建一份申报。",
        f"A claim has {LINES_MAX} lines at most. Open another one.",
    )


__all__ = ["HEADS", "ClaimReport", "import_lines"]
