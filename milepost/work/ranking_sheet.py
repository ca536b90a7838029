"""A ranking as a spreadsheet: one row an application, heads in both languages, no expert's name."""

from __future__ import annotations

from config.programmes import Text
from milepost.importing.sheets import write_sheet
from milepost.reports.ranking import Listed, RankedList
from milepost.reports.ranking_words import FIGURES, percent, points
from schema.money import Money
from states.labels import state_label
from states.step import words


def _both(text: Text | None) -> str:
    return f"{text.zh} · {text.en}" if text else ""


_YES, _NO = _both(words("是", "yes")), _both(words("否", "no"))
_HEADS: tuple[Text, ...] = (
    FIGURES["rank"].head,
    words("并列", "Shared"),
    words("申报编号", "Application"),
    words("名称", "Title"),
    words("申报单位", "Applicant"),
    words("负责人", "Leader"),
    words("状态", "State"),
    FIGURES["raw"].head,
    words("已汇总", "Counted"),
    FIGURES["reviews"].head,
    words("去掉份数", "Dropped"),
    FIGURES["spread"].head,
    words("校准分", "Calibrated"),
    words("标准误", "Standard error"),
    FIGURES["chance"].head,
    FIGURES["decided_by"].head,
    FIGURES["amount"].head,
    words("线上", "Above the line"),
    words("无名次的原因", "Why not ranked"),
)


def ranking_sheet(found: RankedList, ending: str) -> bytes:
    """The list as the bytes of an xlsx or CSV file; what a cell would take for a formula is neutralised."""
    notes = [["列 Column", "说明", "What it means"]]
    notes += [[_both(f.head), f.meaning.zh, f.meaning.en] for f in FIGURES.values()]
    rows = [_row(found, one) for one in found.rows]
    return write_sheet(ending, "排名 Ranking", [_both(head) for head in _HEADS], rows, ("说明 Notes", notes))


def _row(found: RankedList, one: Listed) -> list[str]:
    row, place = one.row, one.place
    return [
        str(place.rank) if place else "",
        (_YES if place.shared else _NO) if place else "",
        one.code,
        row["title"],
        row["unit_name"],
        row["leader_name"],
        _both(state_label("project", row["state"])),
        points(one.raw_milli, 3),
        _YES if one.counted else _NO,
        str(one.reviews),
        str(one.dropped),
        points(one.spread_milli, 3),
        points(one.calibrated_milli, 3),
        points(one.se_milli, 3),
        percent(one.above_milli),
        _both(found.decided_by(one)),
        f"{Money(one.asked_minor, row['currency']).major:f} {row['currency']}",
        (_YES if one.above_line else _NO) if place else "",
        "；".join(_both(text) for text in one.why_unranked),
    ]


__all__ = ["ranking_sheet"]
