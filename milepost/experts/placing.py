"""Why a seat stayed empty, and why it is held by one person and not by another who fits better.

Each answer is worked out from the finished seating: a requirement is to blame when without it, and with all
the others, somebody could have sat there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from milepost.experts.exchange import Seating, is_seatable
from milepost.experts.grid import Bools, Ints
from states.seating import KINDS

REASONS: Mapping[str, tuple[str, str]] = {
    "capacity": ("合适的专家任务量均已满", "all who could sit there have as many tasks as they may have"),
    "chance": ("合适的专家在本轮随机关闭之列", "all who could sit there were closed by chance in this round"),
    "conflicts": ("其余合适的专家均须回避", "all others who could sit there have a conflict"),
    "fields": ("其余专家学科不符", "nobody else works in a field of the application"),
    "institution": ("其余专家与组内成员同单位", "all others are of an institution that sits there already"),
    "off_site": ("缺少异地专家", "nobody from another region is left"),
    **{f"kind:{kind}": (zh, en) for kind, zh, en in (
        ("technology", "缺少技术专家", "no technology expert is left"),
        ("management", "缺少管理专家", "no management expert is left"),
        ("finance", "缺少财务专家", "no finance expert is left"),
        ("investment", "缺少投资专家", "no investment expert is left"),
    )},
    "pool": ("专家人数不足", "there are too few experts"),
    "assigned": ("已分配的人员占用了预留席位", "those assigned before hold seats that were reserved"),
    "stopped": ("匹配提前停止", "the matching was stopped before it was done"),
}  # fmt: skip
"""Why a seat can be empty: the codes, and the words for them in Chinese and in English."""


@dataclass(frozen=True, slots=True)
class Short:
    """An application whose panel is not as it should be: empty seats, and the codes of what is to blame.

    ``lacking`` names what those who sat before leave no seat for; then the panel may be full.
    """

    application: str
    seats: int
    reasons: tuple[str, ...]
    lacking: tuple[str, ...]

    @property
    def zh(self) -> str:
        """The fact in a Chinese sentence."""
        why = "、".join(REASONS[reason][0] for reason in self.reasons)
        return f"申报 {self.application} 空缺 {self.seats} 席：{why}。"

    @property
    def en(self) -> str:
        """The fact in an English sentence."""
        why = "; ".join(REASONS[reason][1] for reason in self.reasons)
        return f"Application {self.application} is short of {self.seats}: {why}."


@dataclass(frozen=True, slots=True)
class Placing:
    """Why this person sits there: affinity, whether it was assigned before, and who would have fitted better.

    ``better`` counts those with more affinity by what kept them away: ``sits`` on the panel as well, ``busy``
    where that serves the round better, or one of ``chance``, ``conflicts``, ``fields``, ``institution``,
    ``composition``.
    """

    score: int
    fixed: bool
    better: Mapping[str, int]


@dataclass(frozen=True)
class Closed:
    """Pairs that may not be made, by what closed them: a conflict, or chance."""

    conflicts: Bools
    chance: Bools


def short_of(seating: Seating, closed: Closed, row: int, name: str, stopped: bool) -> Short | None:
    """What is wrong with an application's panel; None when nothing is."""
    wanted = seating.grid.wanted[row]
    empty = int(seating.empty[row])
    reasons: list[str] = []
    if empty:
        could = _could_sit(seating, closed, row)
        if stopped and (could & (seating.spare > 0)).any():
            reasons = ["stopped"]
        elif could.any():
            reasons = ["capacity"]
        else:
            reasons = [
                each for each in _requirements(seating, row) if _could_sit(seating, closed, row, each).any()
            ]
            reasons = reasons or ["pool"]
    if wanted.given_up:
        reasons.append("assigned")
    return Short(name, empty, tuple(reasons), wanted.given_up) if reasons else None


def placing_of(seating: Seating, closed: Closed, row: int, column: int) -> Placing:
    """Why this reviewer sits on this application."""
    grid = seating.grid
    members = seating.members(row)
    others = [each for each in members if each != column]
    there = {*members, *grid.sitting[row]}
    counted: Counter[str] = Counter()
    for rival in np.flatnonzero(grid.scores[row] > grid.scores[row, column]).tolist():
        if rival in there:
            counted["sits"] += 1
        elif closed.conflicts[row, rival]:
            counted["conflicts"] += 1
        elif grid.kinds[row, rival] == 0:
            counted["fields"] += 1
        elif closed.chance[row, rival]:
            counted["chance"] += 1
        elif not grid.open[row, rival] or _is_colleague(seating, row, rival, others):
            counted["institution"] += 1
        elif not is_seatable(grid, row, [*others, rival]):
            counted["composition"] += 1
        else:
            counted["busy"] += 1
    return Placing(int(grid.scores[row, column]), column in grid.sitting[row], dict(counted))


def _is_colleague(seating: Seating, row: int, rival: int, others: list[int]) -> bool:
    institution = seating.grid.institution
    return seating.grid.wanted[row].apart and bool((institution[others] == institution[rival]).any())


def _requirements(seating: Seating, row: int) -> list[str]:
    wanted = seating.grid.wanted[row]
    asked = {name for rule in wanted.rules for name in rule.name}
    kinds = [f"kind:{kind}" for kind in KINDS if kind in asked]
    return ["chance", "conflicts", *kinds, *({"off_site"} & asked), "institution", "fields"]


def _could_sit(seating: Seating, closed: Closed, row: int, waived: str = "") -> Bools:
    """Who could take an empty seat as the others sit, load aside, if one requirement did not exist."""
    grid, wanted = seating.grid, seating.grid.wanted[row]
    members: Ints = np.array([*seating.members(row), *grid.sitting[row]], dtype=np.int64)
    ours = np.array(seating.members(row), dtype=np.int64)
    kinds = grid.bare_kinds if waived == "fields" else grid.kinds[row]
    found: Bools = np.asarray(kinds != 0)
    found[members] = False
    if waived != "conflicts":
        found &= ~closed.conflicts[row]
    if waived != "chance":
        found &= ~closed.chance[row]
    if waived != "institution" and wanted.apart:
        found &= ~np.isin(grid.institution, grid.institution[members])
    for rule in wanted.rules:
        if waived in (*rule.name, *(f"kind:{kind}" for kind in rule.name)):
            continue
        fulfils = grid.off_site[row] if rule.kinds == 0 else np.asarray(kinds & rule.kinds != 0)
        if rule.least - int(fulfils[ours].sum()) >= int(seating.empty[row]):
            found &= fulfils
    return found
