"""A year's execution drawn: one bar a programme, parted into paid, on its way, reserved, committed and free.

One self-contained SVG with a title and a description in words; the parts differ in lightness and pattern as
well as in colour, and every figure stands in the table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from config.programmes import Text
from milepost.queries.budget import per_cent
from milepost.reports.budget_words import BECAME, COMMITTED, FREE
from milepost.reports.budget_year import Group
from schema.money import Money
from states.labels import said
from states.step import words

WIDTH, BAR, ROW, TOP, LABEL = 760, 22, 62, 40, 20
# What is carried on or lapsed is no longer the year's to spend: it closes the bar, in grey.
GONE = words("已结转或上缴", "Carried out or lapsed")
PARTS: tuple[tuple[str, str, Text], ...] = (
    ("paid", "#1f5c99", BECAME["paid"]),
    ("on_way", "#5b8fc4", BECAME["on_way"]),
    ("held", "#a9c8e6", BECAME["held"]),
    ("committed", "url(#committed)", COMMITTED),
    ("free", "#eef2f5", FREE),
    ("gone", "#c3c9cf", GONE),
)
_HATCH = (
    '<defs><pattern id="committed" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="7" height="7" fill="#fdf3dc"/>'
    '<rect width="3" height="7" fill="#c58a1c"/></pattern></defs>'
)


def parts_of(group: Group) -> dict[str, int]:
    """The parts of a programme's bar; together they are what there was to spend."""
    left = group.sum("left")
    committed = min(group.committed, left)
    return {
        "paid": group.sum("paid"),
        "on_way": group.sum("on_way"),
        "held": group.sum("held"),
        "committed": committed,
        "free": left - committed,
        "gone": group.sum("carried_out") + group.sum("lapsed"),
    }


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = "#1d2329") -> str:
    font = "system-ui,'Noto Sans CJK SC','WenQuanYi Zen Hei',sans-serif"
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="13" font-family="{font}" text-anchor="{anchor}" '
        f'fill="{fill}">{escape(text)}</text>'
    )


def _legend(locale: str) -> list[str]:
    drawn, x = [], 0.0
    for _, fill, label in PARTS:
        name = said(label, locale)
        drawn.append(f'<rect x="{x:g}" y="8" width="14" height="14" fill="{fill}" stroke="#5a6570"/>')
        drawn.append(_text(x + 20, 20, name, fill="#5a6570"))
        x += 34 + sum(13.5 if ord(sign) > 0x2E7F else 7.2 for sign in name)
    return drawn


def _bar(group: Group, y: float, locale: str) -> list[str]:
    whole = group.sum("received")
    budget = Money(whole, group.currency).format(locale)
    drawn = [
        _text(0, y, group.programme_code),
        _text(WIDTH, y, f"{budget} · {per_cent(group.executed_milli)}", anchor="end", fill="#5a6570"),
    ]
    done = 0
    parts = parts_of(group)
    for name, fill, label in PARTS:
        minor = parts[name]
        if minor <= 0 or whole <= 0:
            continue
        # Edges are rounded, not widths, so that the parts end where the bar does.
        begin, end = WIDTH * done // whole, WIDTH * (done + minor) // whole
        done += minor
        told = f"{said(label, locale)}: {Money(minor, group.currency).format(locale)}"
        drawn.append(
            f'<rect x="{begin}" y="{y + 8:g}" width="{max(end - begin, 1)}" height="{BAR}" fill="{fill}">'
            f"<title>{escape(told)}</title></rect>"
        )
    drawn.append(f'<rect x="0" y="{y + 8:g}" width="{WIDTH}" height="{BAR}" fill="none" stroke="#5a6570"/>')
    return drawn


def _described(groups: Sequence[Group], locale: str) -> str:
    told = words("{code}：已付 {paid}，执行率 {share}", "{code}: paid {paid}, executed {share}")
    return "; ".join(
        said(told, locale).format(
            code=group.programme_code,
            paid=Money(group.sum("paid"), group.currency).format(locale),
            share=per_cent(group.executed_milli),
        )
        for group in groups
    )


def execution_svg(groups: Sequence[Group], year: int, locale: str) -> str:
    """The chart of a year's programmes; amounts of two currencies are never in one bar."""
    title = said(words(f"{year} 年度预算执行", f"Execution of the budget {year}"), locale)
    height = TOP + ROW * len(groups)
    drawn = [*_legend(locale)]
    for number, group in enumerate(groups):
        drawn += _bar(group, TOP + ROW * number + LABEL, locale)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 0 {WIDTH + 2} {height}" role="img" '
        'aria-labelledby="chart-title chart-desc" width="100%">'
        f'<title id="chart-title">{escape(title)}</title>'
        f'<desc id="chart-desc">{escape(_described(groups, locale))}</desc>{_HATCH}{"".join(drawn)}</svg>'
    )


__all__ = ["execution_svg", "parts_of"]
