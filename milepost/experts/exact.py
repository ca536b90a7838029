"""A few applications at a time, seated as well as can be: by constraint programming, exactly.

Chains change one person on each panel. Where two have to change at once on the same panel, chains are at
their end; a small model of those panels and their people is not. Small rounds fit into one such model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost.experts.exchange import Seating
from milepost.experts.network import filled_value
from milepost.experts.rounds import SCORE_MAX

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntVar, LinearExpr

WHOLE_PAIRS = 600
"""Rounds with at most so many open pairs are one model; larger ones are taken in parts."""
PARTS_MOST = 64
"""How many parts of a larger round are tried at the most; each takes a fraction of a second."""
_PANELS = 10
_PEOPLE = 30
# Counted work, not seconds: the same round must give the same matching on a slower machine.
_EFFORT = 2.0


@dataclass
class Parts:
    """How many parts may still be tried, and which there are."""

    seating: Seating
    left: int = PARTS_MOST

    def __post_init__(self) -> None:
        self.whole = int(self.seating.grid.open.sum()) <= WHOLE_PAIRS

    def lift(self, row: int, floor: int, total_least: int) -> bool:
        """Raise the sum of one application towards its floor; False when that is not possible."""
        if not self._may():
            return False
        return _Model(self.seating, self._around(row), total_least).solve(row, floor)

    def fill(self, row: int) -> bool:
        """Fill seats around an application, and raise the total; False when nothing is gained."""
        if not self._may():
            return False
        return _Model(self.seating, self._around(row), None).solve(None, 0)

    def _may(self) -> bool:
        if not self.whole:
            self.left -= 1
        return self.left >= 0

    def _around(self, row: int) -> list[int]:
        """The application, and those whose people would suit it best."""
        seating = self.seating
        if self.whole:
            return np.flatnonzero(seating.grid.seats).tolist()
        found = {row: None}
        wished = np.where(seating.grid.open[row], seating.grid.scores[row], -1)
        for reviewer in np.argsort(-wished, kind="stable")[:_PEOPLE]:
            if wished[reviewer] < 0:
                break
            holders = seating.seat_of[seating.held == reviewer]
            # Of those who have this person the one that is served best has most to give.
            for other in sorted(holders.tolist(), key=lambda at: (-seating.sums[at], at))[:1]:
                found[other] = None
            if len(found) >= _PANELS:
                break
        return list(found)


class _Model:
    """The panels of some applications, with the people who may sit on them."""

    def __init__(self, seating: Seating, rows: Sequence[int], total_least: int | None) -> None:
        from ortools.sat.python import cp_model

        self.seating, self.rows = seating, rows
        self.model: CpModel = cp_model.CpModel()
        grid = seating.grid
        self.people = {row: self._people(row) for row in rows}
        self.sits = {
            (row, reviewer): self.model.new_bool_var(f"{row}:{reviewer}")
            for row in rows
            for reviewer in self.people[row]
        }
        self.sums = {
            row: sum(
                (int(grid.scores[row, r]) * self.sits[row, r] for r in people), int(seating.standing[row])
            )
            for row, people in self.people.items()
        }
        self.filled: LinearExpr | int = 0
        for row in rows:
            self._panel(row)
        self._loads()
        present = sum(int(seating.sums[row]) for row in rows)
        self.total = sum(self.sums.values())
        if total_least is not None:
            self.model.add(self.total >= present - max(0, seating.total - total_least))

    def _people(self, row: int) -> list[int]:
        """Those who sit, and those who suit it best among people of this part and people with time."""
        seating = self.seating
        mine = {reviewer for other in self.rows for reviewer in seating.members(other)}
        free = seating.grid.open[row] & (seating.spare > 0)
        free[list(mine)] = seating.grid.open[row, list(mine)]
        suiting = np.flatnonzero(free)
        best = suiting[np.argsort(-seating.grid.scores[row, suiting], kind="stable")]
        whole = len(self.rows) == np.count_nonzero(seating.grid.seats)
        return sorted({*(best.tolist() if whole else best[:_PEOPLE].tolist()), *seating.members(row)})

    def _panel(self, row: int) -> None:
        grid, wanted, people = self.seating.grid, self.seating.grid.wanted[row], self.people[row]
        sits = [self.sits[row, reviewer] for reviewer in people]
        seats = [self.model.new_bool_var(f"{row}/{at}") for at in range(wanted.seats)]
        self.model.add(sum(sits) == sum(seats))
        self.filled += sum((2 * (wanted.seats - at) - 1) * seat for at, seat in enumerate(seats))
        self.model.add(self.sums[row] >= int(self.seating.floors[row]))
        if wanted.apart:
            for institution in set(grid.institution[people].tolist()):
                here = [self.sits[row, r] for r in people if grid.institution[r] == institution]
                if len(here) > 1:
                    self.model.add_at_most_one(here)
        for rule in wanted.rules:
            fulfils = grid.fulfils(row, rule)
            outside = [self.sits[row, reviewer] for reviewer in people if not fulfils[reviewer]]
            self.model.add(sum(outside) <= wanted.seats - rule.least)

    def _loads(self) -> None:
        tasks: dict[int, list[IntVar]] = {}
        for (_, reviewer), sits in self.sits.items():
            tasks.setdefault(reviewer, []).append(sits)
        held = [reviewer for row in self.rows for reviewer in self.seating.members(row)]
        for reviewer, each in tasks.items():
            self.model.add(sum(each) <= int(self.seating.spare[reviewer]) + held.count(reviewer))

    def solve(self, row: int | None, floor: int) -> bool:
        """Seat the best solution, if it is better than what there is.

        With a row: its sum up to ``floor`` first, then the total, with no seat emptier than now. Without one:
        filled seats first, then the total.
        """
        from ortools.sat.python import cp_model

        seating = self.seating
        seats, empty = seating.grid.seats[self.rows], seating.empty[self.rows]
        present = filled_value(seats, empty, 1)
        weight = SCORE_MAX * (int(seats.sum()) + 1)
        if row is None:
            self.model.maximize(self.filled * weight + self.total)
        else:
            raised = self.model.new_int_var(0, floor, "raised")
            self.model.add(raised <= self.sums[row])
            self.model.add(raised > int(seating.sums[row]))
            self.model.add(self.filled >= present)
            self.model.maximize(raised * weight + self.total)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 1
        solver.parameters.max_deterministic_time = _EFFORT
        if solver.solve(self.model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return False
        members = {
            each: [reviewer for reviewer in self.people[each] if solver.value(self.sits[each, reviewer])]
            for each in self.rows
        }
        before = (present, sum(int(seating.sums[each]) for each in self.rows))
        after = (
            filled_value(seats, seats - np.array([len(members[each]) for each in self.rows]), 1),
            solver.value(self.total),
        )
        if row is None and after <= before:
            return False
        seating.reseat(members)
        return True
