"""Seats are filled, the total is raised, and then the worst-served applications are served better.

An application is served as well as the mean affinity over the seats of its panel; an empty seat counts 0. The
worst-served ones are lifted level by level, each by the exchange that costs the others least, and nobody who
stands above the level is brought under it. What cannot be lifted is left, and the next level is for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from milepost.experts.exact import Parts
from milepost.experts.exchange import NEVER, Move, Seating
from milepost.experts.grid import Ints

# How many changes follow the first one of a chain; longer chains were measured not to be worth their time.
_LIFTING_HOPS = 5
# A long chain that meets a panel twice may not go together where a shorter one does.
_FILLING_HOPS = (6, 3, 2, 1)
_CYCLE_HOPS = 8
# How many chains are tried for one seat or application, the best first.
_TRIED = 12
# Each level is for the worst-served 64th of those who can still be lifted: finer ones serve the very worst no
# better, and coarser ones use up the loss before the last of them had a turn.
_PART_OF_A_LEVEL = 64
_PART_TRIED_AGAIN = 200

Watch = Callable[[int, int], bool]
"""Hears how much is done of how much, and says whether to go on."""


def fill(seating: Seating, watch: Watch) -> None:
    """Fill empty seats by chains, each the best for its seat; what no chain reaches stays empty."""
    empty = np.flatnonzero(seating.held == seating.nobody)
    # Where most seats are empty first, so that what has to stay empty is spread.
    missing = seating.empty[seating.seat_of[empty]]
    for number, seat in enumerate(empty[np.argsort(-missing, kind="stable")]):
        if not watch(number, len(empty)):
            return
        if seating.held[seat] == seating.nobody:
            any(_fill(seating, int(seat), hops) for hops in _FILLING_HOPS)


def _fill(seating: Seating, seat: int, hops: int) -> bool:
    reach = seating.reach(seating.nobody, hops)
    gains = seating.gains[seat]
    ends = reach.gain[:-1]
    # A chain that empties another seat fills none.
    worth = np.where((gains > NEVER) & (ends > -seating.fill), gains + ends, NEVER)
    for begin in np.argsort(-worth, kind="stable")[:_TRIED]:
        if worth[begin] == NEVER:
            return False
        moves = [Move(seat, int(begin)), *seating.moves(reach.path(int(begin)))]
        if seating.allowed(moves):
            seating.make(moves)
            return True
    return False


def improve(seating: Seating, aims: Ints, watch: Watch) -> None:
    """Go beyond chains, a few applications at a time: fill what is still empty, then raise the total.

    ``aims`` are the sums of affinity that a flow would give; who is furthest below comes first.
    """
    parts = Parts(seating)
    empty = seating.empty
    lost = np.argsort(seating.sums - aims, kind="stable")
    lost = lost[(seating.sums[lost] < aims[lost]) | (empty[lost] > 0)]
    order = dict.fromkeys([*lost[empty[lost] > 0][: parts.left // 2].tolist(), *lost.tolist()])
    rows = list(order)[: 1 if parts.whole else parts.left]
    for number, row in enumerate(rows):
        if not watch(number, len(rows)):
            return
        parts.fill(row)
    raise_total(seating, watch)


def raise_total(seating: Seating, watch: Watch | None = None) -> int:
    """Make every exchange that raises the total, until none is found; how many were made."""
    made = 0
    while watch is None or watch(made, 0):
        cycles = _cycles(seating)
        if not cycles:
            break
        for cycle in cycles:
            made += _turn(seating, cycle)
    return made


def _turn(seating: Seating, cycle: list[int]) -> int:
    """Make an exchange, if the ones before it left it open and it still gains."""
    path = [*cycle, cycle[0]]
    if sum(int(seating.change[u, v]) for u, v in pairwise(path)) <= 0:
        return 0
    moves = seating.moves(path)
    if seating.allowed(moves):
        seating.make(moves)
        return 1
    rows = [int(seating.seat_of[move.seat]) for move in moves]
    for u, v in pairwise(path):
        seat = int(seating.by_seat[u, v])
        if seat >= 0 and rows.count(int(seating.seat_of[seat])) > 1:
            # Two changes of one panel do not go together: without this one, another cycle is looked for.
            seating.change[u, v] = NEVER
            return 0
    raise AssertionError("changes of different panels were not allowed together")


def _cycles(seating: Seating) -> list[list[int]]:
    """Closed chains that gain, with no reviewer in two of them; none if there is none of moderate length."""
    nodes = np.arange(seating.nobody + 1)
    gain, came = np.zeros(len(nodes), dtype=np.int64), np.full(len(nodes), -1)
    for _ in range(_CYCLE_HOPS):
        onward = seating.change + gain[:, None]
        best = onward.argmax(axis=0)
        found = onward[best, nodes]
        better = found > gain
        if not better.any():
            return []
        gain, came = np.where(better, found, gain), np.where(better, best, came)
        if cycles := list(_closed(came.tolist())):
            return cycles
    return []


def _closed(came: list[int]) -> Iterator[list[int]]:
    """The cycles among nodes that each know the one they were reached from, in the direction of the chain."""
    seen = [-1] * len(came)
    for begin in range(len(came)):
        at, walked = begin, []
        while at >= 0 and seen[at] < 0:
            seen[at] = begin
            walked.append(at)
            at = came[at]
        if at >= 0 and seen[at] == begin:
            yield walked[walked.index(at) :][::-1]


def serve_worst(seating: Seating, panel_sizes: Ints, total_least: int, watch: Watch) -> int:
    """Lift the worst-served applications while the total stays at ``total_least``; how many levels it took.

    Nobody is lifted above the mean: from there on it is taking from one to give to another.
    """
    stuck = seating.grid.seats == 0
    room = max(0, seating.total - total_least)
    sizes = np.maximum(panel_sizes, 1)
    mean = seating.total // max(1, int(panel_sizes.sum()))
    again = max(1, len(sizes) // _PART_TRIED_AGAIN)
    parts = Parts(seating)
    levels = level = 0
    while level < mean and seating.total - total_least > room // 100 and not stuck.all():
        service = seating.sums // sizes
        waiting = np.sort(service[~stuck])
        level = min(max(level, int(waiting[len(waiting) // _PART_OF_A_LEVEL])) + 1, mean)
        if not watch(int(service.min()), mean):
            break
        levels += 1
        floors = sizes * level
        seating.protect(floors)
        worst_first = np.argsort(service, kind="stable")
        # What stood in the way of the very worst may have moved since.
        very_worst = worst_first[:again].tolist()
        stuck[very_worst] = seating.grid.seats[very_worst] == 0
        for row in worst_first[: int((service < level).sum())]:
            if not watch(int(service.min()), mean):
                return levels
            while not stuck[row] and seating.sums[row] < floors[row]:
                at, floor = int(row), int(floors[row])
                if _lift(seating, at, floor, total_least):
                    continue
                stuck[row] = not ((parts.whole or at in very_worst) and parts.lift(at, floor, total_least))
                seating.lift_floor(at, floor)
        raise_total(seating)
    return levels


def _lift(seating: Seating, row: int, floor: int, total_least: int) -> bool:
    """Improve one application by one exchange: up to its floor as cheaply as can be, or else by most."""
    need, room = floor - int(seating.sums[row]), seating.total - total_least
    gains, nets, seats, begins, reaches = [], [], [], [], {}
    for seat in seating.seats(row):
        holder = int(seating.held[seat])
        if holder == seating.nobody:
            continue
        reach = reaches[seat] = seating.reach(holder, _LIFTING_HOPS)
        gain = seating.gains[seat]
        net = gain + reach.gain[:-1]
        fits = np.flatnonzero((gain > 0) & (net >= -room))
        gains.append(np.minimum(gain[fits], need))
        nets.append(net[fits])
        seats.append(np.full(len(fits), seat))
        begins.append(fits)
    if not gains:
        return False
    gain, net, seat_of, begin_at = map(np.concatenate, (gains, nets, seats, begins))
    order = np.lexsort((-net, -gain))
    for choice in order[:_TRIED] if len(order) else ():
        seat, begin = int(seat_of[choice]), int(begin_at[choice])
        moves = [Move(seat, begin), *seating.moves(reaches[seat].path(begin))]
        if not seating.allowed(moves):
            continue
        changes = seating.gain_of(moves)
        if changes[row] > 0 and sum(changes.values()) >= -room:
            seating.make(moves)
            seating.lift_floor(row, floor)
            return True
    return False
