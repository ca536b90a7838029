"""What is owed as a spreadsheet: the ageing by office, and one row a receivable beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from config.programmes import Text
from milepost.importing.sheets import write_sheet
from milepost.queries.sight import Row
from milepost.reports.ageing import BANDS, ageing, band_of
from schema.money import Money
from states.labels import choice_label, state_label
from states.step import words

_HEADS = (
    words("部门", "Office"),
    words("币种", "Currency"),
    words("笔数", "Receivables"),
    *BANDS.values(),
    words("合计", "Total"),
)
_EACH = (
    words("退款编号", "Reference"),
    words("项目", "Project"),
    words("承担单位", "Grantee"),
    words("部门", "Office"),
    words("事由", "Ground"),
    words("状态", "State"),
    words("币种", "Currency"),
    words("应退", "To be paid back"),
    words("已退", "Received"),
    words("尚欠", "Left"),
    words("下一期限", "Due next"),
    words("账龄", "Age"),
)


def _both(text: Text) -> str:
    return f"{text.zh} · {text.en}"


def _sum(minor: int, currency: str) -> str:
    return f"{Money(minor, currency).major:f}"


def ageing_sheet(found: Sequence[Row], today: date, ending: str) -> bytes:
    """The bytes of an xlsx or CSV file; ``found`` are receivables in which something is owed."""
    rows = [
        [
            aged.office_path,
            aged.currency,
            str(aged.number),
            *(_sum(aged.bands[band], aged.currency) for band in BANDS),
            _sum(aged.total_minor, aged.currency),
        ]
        for aged in ageing(found, today)
    ]
    each = [[_both(head) for head in _EACH], *(_row(row, today) for row in found)]
    heads = [_both(head) for head in _HEADS]
    return write_sheet(ending, "账龄 Ageing", heads, rows, ("应退款 Receivables", each))


def _row(row: Row, today: date) -> list[str]:
    return [
        row["reference"],
        row["code"],
        row["unit_name"],
        row["office_path"],
        _both(choice_label(row["ground"])),
        _both(state_label("receivable", row["state"])),
        row["currency"],
        _sum(row["amount_minor"], row["currency"]),
        _sum(row["received_minor"], row["currency"]),
        _sum(row["left_minor"], row["currency"]),
        row["next_due_on"].isoformat(),
        _both(BANDS[band_of(row["next_due_on"], today)]),
    ]


__all__ = ["ageing_sheet"]
