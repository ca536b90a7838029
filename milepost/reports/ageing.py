"""How old what is owed is: by office and currency, from the day that each part was due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from config.programmes import Text
from states.receivable_plan import covered_minor, left_minor, open_instalments
from states.step import words

BANDS: Mapping[str, Text] = {
    "not_due": words("未到期", "Not due"),
    "late_30": words("逾期 1–30 天", "1–30 days late"),
    "late_60": words("逾期 31–60 天", "31–60 days late"),
    "late_90": words("逾期 61–90 天", "61–90 days late"),
    "late_more": words("逾期 90 天以上", "More than 90 days late"),
}


@dataclass(slots=True)
class Aged:
    """What one office is owed in one currency, by band; how many receivables it is."""

    office_path: str
    currency: str
    number: int = 0
    bands: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BANDS, 0))

    @property
    def total_minor(self) -> int:
        """All of it."""
        return sum(self.bands.values())


def band_of(due_on: date, today: date) -> str:
    """The band of what was due on a day; on the day itself nothing is late."""
    late = (today - due_on).days
    for most, name in ((0, "not_due"), (30, "late_30"), (60, "late_60"), (90, "late_90")):
        if late <= most:
            return name
    return "late_more"


def parts_left(row: Mapping[str, Any]) -> list[tuple[date, int]]:
    """What of a receivable is left, with the day that each part of it is due."""
    if not row["plan"]:
        return [(row["next_due_on"], left_minor(row))]
    paid = covered_minor(row) - int(row["planned_from_minor"])
    return [
        (date.fromisoformat(part["due_on"]), part["left_minor"])
        for part in open_instalments(row["plan"], paid)
        if part["left_minor"]
    ]


def ageing(rows: Iterable[Mapping[str, Any]], today: date) -> list[Aged]:
    """What is owed, by office and currency; rows are receivables in which something is owed."""
    found: dict[tuple[str, str], Aged] = {}
    for row in rows:
        key = (row["office_path"], row["currency"])
        aged = found.setdefault(key, Aged(*key))
        aged.number += 1
        for due_on, left in parts_left(row):
            aged.bands[band_of(due_on, today)] += left
    return [found[key] for key in sorted(found)]


__all__ = ["BANDS", "Aged", "ageing", "band_of", "parts_left"]
