"""Who is seated now, and which exchanges are open: chains in which each panel changes one person.

A chain begins with one seat taking somebody, goes on with the seat that this person leaves for it, and ends
with a person who has a task to spare, or who is the one the first seat let go. Single changes are weighed for
every seat and every reviewer; a chain is then a path between reviewers. No exchange ever breaks a rule, so
the seating is valid after every one of them, and can be left at any moment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from milepost.experts.grid import Bools, Grid, Ints

NEVER = -(1 << 60)
"""The gain of a change that may not be made; no sum of gains comes near it."""


@dataclass(frozen=True, slots=True)
class Move:
    """One seat lets its person go (or was empty) and takes another (or stays empty)."""

    seat: int
    taken: int


@dataclass(frozen=True, slots=True)
class Reach:
    """The best chains that end by freeing ``target``: what they gain from each reviewer, and the next one.

    ``steps`` has the following reviewer for chains of up to one change, two changes, and so on; -1 where a
    longer chain is no better.
    """

    target: int
    gain: Ints
    steps: tuple[Ints, ...]

    def path(self, begin: int) -> list[int]:
        """The reviewers along the chain, from ``begin`` to the target."""
        found, level = [begin], len(self.steps) - 1
        while True:
            while self.steps[level][found[-1]] < 0:
                level -= 1
            found.append(int(self.steps[level][found[-1]]))
            if level == 0:
                return found
            level -= 1


class Seating:
    """The seats that are to be filled, who holds them, and what every change of one of them would gain.

    ``held`` has a reviewer for each seat; the number of reviewers stands for nobody. Changes are looked up by
    who leaves and who comes: ``change[u, v]`` is the most that some seat gains by taking v for u. Row and
    column of nobody are about empty seats and spare tasks. ``floors`` are sums of affinity under which
    no exchange may bring an application.
    """

    def __init__(self, grid: Grid, pairs: Bools, fill: int) -> None:
        self.grid, self.fill = grid, fill
        self.nobody = len(grid.load)
        self._institutions = int(grid.institution.max(initial=-1)) + 1
        self.first = np.concatenate(([0], np.cumsum(grid.seats)))
        self.seat_of = np.repeat(np.arange(len(grid.seats)), grid.seats)
        count, width = len(self.seat_of), self.nobody + 1
        self.held = np.full(count, self.nobody, dtype=np.int64)
        for row in np.flatnonzero(grid.seats):
            members = np.flatnonzero(pairs[row])
            self.held[self.first[row] : self.first[row] + len(members)] = members
        self.spare = grid.load - np.bincount(self.held, minlength=width)[: self.nobody]
        self.standing = np.array(
            [grid.scores[row, list(members)].sum() for row, members in enumerate(grid.sitting)],
            dtype=np.int64,
        )
        self.sums = self.standing.copy()
        self.floors = np.zeros(len(grid.seats), dtype=np.int64)
        # Of each seat: what it gains by taking each reviewer, and by being left empty.
        self.gains = np.full((count, self.nobody), NEVER, dtype=np.int64)
        self.leaving = np.full(count, NEVER, dtype=np.int64)
        self.change = np.full((width, width), NEVER, dtype=np.int64)
        self.by_seat = np.full((width, width), -1, dtype=np.int64)
        for row in np.flatnonzero(grid.seats):
            self._weigh(int(row))
        self.look_up_all()

    @property
    def total(self) -> int:
        """The affinity of all pairs, those that sat before included."""
        return int(self.sums.sum())

    @property
    def empty(self) -> Ints:
        """How many seats of each application are empty."""
        return np.bincount(self.seat_of[self.held == self.nobody], minlength=len(self.grid.seats))

    def seats(self, row: int) -> range:
        """The seats of an application that are ours to fill."""
        return range(int(self.first[row]), int(self.first[row + 1]))

    def members(self, row: int) -> list[int]:
        """Who was seated on an application by us."""
        held = self.held[self.first[row] : self.first[row + 1]]
        return [int(each) for each in held if each != self.nobody]

    def protect(self, floors: Ints) -> None:
        """No exchange may bring an application under its floor; who is below now may not lose."""
        self.floors = np.minimum(self.sums, floors)
        self.look_up_all()

    def look_up_all(self) -> None:
        """Find the best change anew between every two reviewers."""
        for reviewer in range(self.nobody + 1):
            self._look_up(reviewer)

    def reach(self, target: int, hops: int) -> Reach:
        """The best chains that end with ``target``, of at most so many changes."""
        gain = self.change[:, target].copy()
        steps = [np.full(self.nobody + 1, target)]
        rows = np.arange(self.nobody + 1)
        for _ in range(hops - 1):
            further = gain.copy()
            further[target] = NEVER
            onward = self.change + further
            best = onward.argmax(axis=1)
            found = onward[rows, best]
            better = found > gain
            if not better.any():
                break
            gain = np.where(better, found, gain)
            steps.append(np.where(better, best, -1))
        return Reach(target, gain, tuple(steps))

    def moves(self, path: Sequence[int]) -> list[Move]:
        """The changes of seats along a path; a step that only uses a spare task changes none."""
        seats = [int(self.by_seat[u, v]) for u, v in pairwise(path)]
        return [Move(seat, taken) for seat, taken in zip(seats, path[1:], strict=True) if seat >= 0]

    def allowed(self, moves: Sequence[Move]) -> bool:
        """True when the changes may be made together. Each alone may; two of one panel must agree."""
        if len({move.seat for move in moves}) < len(moves):
            return False
        rows = [int(self.seat_of[move.seat]) for move in moves]
        doubled = {row for row in rows if rows.count(row) > 1}
        return all(
            self._agree(row, [m for m, at in zip(moves, rows, strict=True) if at == row]) for row in doubled
        )

    def gain_of(self, moves: Sequence[Move]) -> dict[int, int]:
        """What each application gains or loses by the changes."""
        found: dict[int, int] = {}
        for move in moves:
            row = int(self.seat_of[move.seat])
            found[row] = (
                found.get(row, 0) + self._score(row, move.taken) - self._score(row, int(self.held[move.seat]))
            )
        return found

    def make(self, moves: Sequence[Move]) -> None:
        """Change the seats."""
        self._hold({move.seat: move.taken for move in moves})

    def reseat(self, members: Mapping[int, Collection[int]]) -> None:
        """Seat these people, and nobody else, on these applications; their rules are the caller's to keep."""
        held: dict[int, int] = {}
        for row, chosen in members.items():
            stay = [reviewer for reviewer in self.members(row) if reviewer in chosen]
            come = [reviewer for reviewer in chosen if reviewer not in stay]
            nobody = [self.nobody] * (len(self.seats(row)) - len(chosen))
            held |= dict(zip(self.seats(row), [*stay, *come, *nobody], strict=True))
        self._hold(held)

    def _hold(self, held: Mapping[int, int]) -> None:
        """Give seats to people, and weigh anew what that touches."""
        rows = {int(self.seat_of[seat]) for seat in held}
        touched = {self.nobody, *(reviewer for row in rows for reviewer in self.members(row))}
        for seat, reviewer in held.items():
            left, self.held[seat] = int(self.held[seat]), reviewer
            if left != self.nobody:
                self.spare[left] += 1
            if reviewer != self.nobody:
                self.spare[reviewer] -= 1
            touched.add(reviewer)
        for row in rows:
            self._weigh(row)
        for reviewer in touched:
            self._look_up(reviewer)

    def lift_floor(self, row: int, floor: int) -> None:
        """Keep an application at what it has reached, as far as the floor goes."""
        kept = min(int(self.sums[row]), floor)
        if kept > self.floors[row]:
            self.floors[row] = kept
            for reviewer in {*self.members(row), self.nobody}:
                self._look_up(reviewer)

    def candidates(self, row: int) -> Bools:
        """Who might take an empty seat of this application if load did not matter."""
        return self._open_for(row, self.members(row), int(self.empty[row]))

    def _score(self, row: int, reviewer: int) -> int:
        return 0 if reviewer == self.nobody else int(self.grid.scores[row, reviewer])

    def _agree(self, row: int, moves: Sequence[Move]) -> bool:
        """True when a panel keeps its rules and its floor with several seats changed at once."""
        after = {seat: int(self.held[seat]) for seat in self.seats(row)} | {m.seat: m.taken for m in moves}
        members = [reviewer for reviewer in after.values() if reviewer != self.nobody]
        if len(set(members)) < len(members):
            return False
        if sum(self._score(row, each) for each in members) + self.standing[row] < self.floors[row]:
            return False
        return is_seatable(self.grid, row, members)

    def _open_for(self, row: int, others: Sequence[int], empty: int) -> Bools:
        """Who may take one of the ``empty`` seats beside the others, load aside."""
        grid, wanted = self.grid, self.grid.wanted[row]
        found: Bools = grid.open[row].copy()
        members = np.array(others, dtype=np.int64)
        found[members] = False
        if wanted.apart:
            there = np.zeros(self._institutions, dtype=bool)
            there[grid.institution[members]] = True
            found &= ~there[grid.institution]
        for rule in wanted.rules:
            fulfilled = grid.fulfils(row, rule)
            # As many seats left as the rule still asks for: only those count who fulfil it.
            if rule.least - int(fulfilled[members].sum()) >= empty:
                found &= fulfilled
        return found

    def _weigh(self, row: int) -> None:
        """Work out what each seat of an application gains by each change."""
        grid, members = self.grid, self.members(row)
        empty = len(self.seats(row)) - len(members)
        scores = grid.scores[row]
        self.sums[row] = self.standing[row] + int(scores[members].sum())
        for seat in self.seats(row):
            holder = int(self.held[seat])
            if holder == self.nobody:
                found = self._open_for(row, members, empty)
                self.gains[seat] = np.where(found, scores + (2 * empty - 1) * self.fill, NEVER)
                self.leaving[seat] = NEVER
            else:
                found = self._open_for(row, [each for each in members if each != holder], empty + 1)
                found[holder] = False
                self.gains[seat] = np.where(found, scores - scores[holder], NEVER)
                self.leaving[seat] = -(2 * empty + 1) * self.fill - int(scores[holder])

    def _look_up(self, reviewer: int) -> None:
        """Find the best seat for each change that this reviewer leaves by."""
        nobody, change, by_seat = self.nobody, self.change[reviewer], self.by_seat[reviewer]
        seats = np.flatnonzero(self.held == reviewer)
        change[:], by_seat[:] = NEVER, -1
        rows = self.seat_of[seats]
        if len(seats):
            gains = self.gains[seats]
            gains[gains < (self.floors - self.sums)[rows][:, None]] = NEVER
            best = gains.argmax(axis=0)
            change[:nobody] = gains[best, np.arange(nobody)]
            by_seat[:nobody] = np.where(change[:nobody] > NEVER, seats[best], -1)
        if reviewer == nobody:
            # Giving up one task needs no seat: the chain begins with whoever takes that person's place.
            spared = change[:nobody] < 0
            change[:nobody][spared], by_seat[:nobody][spared] = 0, -1
        elif self.spare[reviewer] > 0:
            change[nobody], by_seat[nobody] = 0, -1
        elif len(seats):
            scores = self.grid.scores[rows, reviewer]
            leaving = np.where(-scores >= (self.floors - self.sums)[rows], self.leaving[seats], NEVER)
            at = int(leaving.argmax())
            change[nobody], by_seat[nobody] = leaving[at], seats[at]


def is_seatable(grid: Grid, row: int, members: Collection[int]) -> bool:
    """True when these people may sit together on an application, with those who sat before: every pair is
    open, no institution twice, and the seats left are enough for what is still asked."""
    chosen = np.array(sorted(members), dtype=np.int64)
    wanted = grid.wanted[row]
    if len(chosen) > wanted.seats or not grid.open[row, chosen].all():
        return False
    if wanted.apart and len(set(grid.institution[chosen].tolist())) < len(chosen):
        return False
    empty = wanted.seats - len(chosen)
    return all(rule.least - int(grid.fulfils(row, rule)[chosen].sum()) <= empty for rule in wanted.rules)


def keep_the_rules(grid: Grid, pairs: Bools) -> Bools:
    """Of the pairs of a flow those that may stay together: the best first, whoever breaks a rule goes."""
    found: NDArray[np.bool_] = np.zeros_like(pairs)
    for row in range(len(grid.seats)):
        kept: list[int] = []
        for reviewer in sorted(np.flatnonzero(pairs[row]).tolist(), key=lambda r: (-grid.scores[row, r], r)):
            if is_seatable(grid, row, [*kept, reviewer]):
                kept.append(reviewer)
        found[row, kept] = True
    return found
