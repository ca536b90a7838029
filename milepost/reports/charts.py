"""Charts as SVG made by the server: no script, no inline style, a title and a description for who cannot see.

Lengths are whole numbers of the drawing's own units; a chart always stands beside the table of its figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 960
_LABEL, _ROW, _GAP = 210, 26, 12
_TOP, _BOTTOM, _LEFT = 14, 46, 150


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its length in any unit, and what is written at its end."""

    label: str
    value: int
    said: str


@dataclass(frozen=True, slots=True)
class Range:
    """A month in a chart of ranges: low, middle and high, and what is certain of it from the past."""

    label: str
    low: int
    middle: int
    high: int
    said: str


def bars(title: str, description: str, rows: Sequence[Bar], *, name: str) -> str:
    """Horizontal bars; the longest fills the width."""
    most = max((row.value for row in rows), default=0) or 1
    room = WIDTH - _LABEL - 230
    height = len(rows) * (_ROW + _GAP) + _GAP
    parts = [_open(title, description, height, name)]
    for n, row in enumerate(rows):
        y = _GAP + n * (_ROW + _GAP)
        length = row.value * room // most
        parts.append(
            f'<text x="{_LABEL - 10}" y="{y + 18}" text-anchor="end" class="label">{escape(row.label)}</text>'
            f'<rect x="{_LABEL}" y="{y}" width="{length}" height="{_ROW}" class="bar"/>'
            f'<text x="{_LABEL + length + 8}" y="{y + 18}" class="value">{escape(row.said)}</text>'
        )
    return "".join([*parts, "</svg>"])


def ranges(
    title: str, description: str, months: Sequence[Range], ticks: Sequence[tuple[int, str]], *, name: str
) -> str:
    """A column a month: the range as a light column, the middle as a line across it; a scale at the left."""
    most = max([*(month.high for month in months), *(value for value, _ in ticks)], default=0) or 1
    plot, height = 260, 260 + _TOP + _BOTTOM
    step = (WIDTH - _LEFT - 10) // max(len(months), 1)
    width = max(step * 3 // 5, 4)

    def y(value: int) -> int:
        return _TOP + plot - value * plot // most

    parts = [_open(title, description, height, name)]
    for value, said in ticks:
        parts.append(
            f'<line x1="{_LEFT}" y1="{y(value)}" x2="{WIDTH - 10}" y2="{y(value)}" class="rule"/>'
            f'<text x="{_LEFT - 8}" y="{y(value) + 4}" text-anchor="end" class="label">{escape(said)}</text>'
        )
    for n, month in enumerate(months):
        x = _LEFT + n * step + (step - width) // 2
        top, bottom, middle = y(month.high), y(month.low), y(month.middle)
        parts.append(
            f"<g><title>{escape(month.said)}</title>"
            f'<rect x="{x}" y="{top}" width="{width}" height="{max(bottom - top, 1)}" class="range"/>'
            f'<line x1="{x - 3}" y1="{middle}" x2="{x + width + 3}" y2="{middle}" class="middle"/></g>'
            f'<text x="{x + width // 2}" y="{_TOP + plot + 20}" text-anchor="middle" class="label">'
            f"{escape(month.label)}</text>"
        )
    return "".join([*parts, "</svg>"])


def _open(title: str, description: str, height: int, name: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" class="chart" '
        f'aria-labelledby="{name}-t {name}-d"><title id="{name}-t">{escape(title)}</title>'
        f'<desc id="{name}-d">{escape(description)}</desc>'
    )


__all__ = ["Bar", "Range", "bars", "ranges"]
