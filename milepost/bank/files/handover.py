"""A batch becomes a file only if nothing is to be said against it, before it is written and after."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from milepost.bank.files.batch import Batch, Totals
from milepost.bank.files.checks import Works, check_batch, check_file
from milepost.bank.files.findings import BatchRefused, Finding, blocking
from milepost.bank.files.pain001 import write_pain001
from milepost.bank.files.placing import Placed, place
from milepost.bank.files.rules import BankRules
from milepost.bank.files.sheet import SheetTemplate, check_for_sheet, check_sheet, write_sheet
from milepost.bank.files.xml import Source


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A file at its place, what it pays, and what a person should see although it stopped nothing."""

    placed: Placed
    totals: Totals
    remarks: tuple[Finding, ...]


def file_name(batch: Batch, template: SheetTemplate | None = None) -> str:
    """The one name of a batch's file, so that the same batch is never there under two.

    A character of the id that a file name cannot hold is written as its number.
    """
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else f"%{ord(c):02X}" for c in batch.id)
    return f"{safe}.{'xml' if template is None else 'xlsx'}"


def check_all(
    batch: Batch,
    *,
    rules: BankRules,
    works: Works,
    known: Container[str] = frozenset(),
    template: SheetTemplate | None = None,
) -> list[Finding]:
    """Everything that is to be said before a file is made; what blocks is among it."""
    found = check_batch(batch, rules, works=works, known=known)
    return found if template is None else found + check_for_sheet(batch, template)


def hand_over(
    batch: Batch,
    path: Path,
    *,
    rules: BankRules,
    works: Works,
    known: Container[str] = frozenset(),
    template: SheetTemplate | None = None,
) -> HandedOver:
    """Check the batch, write it beside ``path``, read it back, compare, and put it at its place.

    Without a template the file is a pain.001 by the rules. `BatchRefused` with every finding if one of them
    blocks; `TargetExists` if ``path`` holds something else. Nothing is left behind then.
    """
    found = check_all(batch, rules=rules, works=works, known=known, template=template)
    if blocking(found):
        raise BatchRefused(found)

    def again(written: Path) -> None:
        _refuse_what_differs(written, batch, rules, works, template)

    placed = place(path, partial(_write, batch, rules, template), again)
    return HandedOver(placed, batch.totals(), tuple(found))


def file_bytes(
    batch: Batch,
    *,
    rules: BankRules,
    works: Works,
    known: Container[str] = frozenset(),
    template: SheetTemplate | None = None,
) -> bytes:
    """The same file in memory, after the same checks."""
    found = check_all(batch, rules=rules, works=works, known=known, template=template)
    if blocking(found):
        raise BatchRefused(found)
    target = BytesIO()
    _write(batch, rules, template, target)
    content = target.getvalue()
    _refuse_what_differs(content, batch, rules, works, template)
    return content


def _write(batch: Batch, rules: BankRules, template: SheetTemplate | None, target: BinaryIO) -> None:
    if template is None:
        write_pain001(batch, rules, target)
    else:
        write_sheet(batch, template, rules, target)


def _refuse_what_differs(
    written: Source, batch: Batch, rules: BankRules, works: Works, template: SheetTemplate | None
) -> None:
    if template is None:
        found = check_file(written, rules, works=works, batch=batch)
    else:
        found = check_sheet(written, batch, template, rules)
    if blocking(found):
        raise BatchRefused(found)


__all__ = ["HandedOver", "check_all", "file_bytes", "file_name", "hand_over"]
