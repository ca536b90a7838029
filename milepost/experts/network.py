"""The round as a flow of people into seats: the best conceivable total, and a proof that none is better.

Seats, loads, conflicts and seats by kind are a network, and a cheapest flow through it is found exactly. The
rules that no network knows (no two of an institution, a share from elsewhere) are given prices instead: a
flow that pays for breaking them bounds every matching that keeps them, whatever the prices are, and good
prices make the bound tight (Lagrange; the step is Polyak's).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from milepost.experts.grid import Bools, Grid, Ints
from milepost.experts.rounds import SCORE_MAX
from states.seating import KINDS

_NEAR_MILLIONTHS = 200
"""A bound this near to what was found, in millionths of it, is not worth another flow."""
_MOMENTUM = 0.7


@dataclass(frozen=True, slots=True)
class Flow:
    """Who would sit where, and what it is worth: affinity, and filled seats at ``fill`` each (see below)."""

    pairs: Bools
    value: int


def fill_weight(grid: Grid) -> int:
    """What a filled seat is worth, so that no exchange of people pays for an empty one.

    An exchange moves each reviewer once at most, and each move gains less than a perfect pair's affinity.
    """
    return 2 * SCORE_MAX * (len(grid.load) + 1)


def filled_value(seats: Ints, empty: Ints, fill: int) -> int:
    """What filled seats are worth together: the last empty seat of a panel is worth least, so that what has
    to stay empty is spread over the panels."""
    return int((seats**2 - empty**2).sum()) * fill


def best_flow(grid: Grid, weights: Ints, fill: int) -> Flow:
    """The most valuable way to seat people when only loads, conflicts and seats by kind count.

    ``weights`` stand for the scores, and can be negative. With ``fill`` 0 nobody is seated who is worth
    nothing, and the value bounds matchings that leave any number of seats empty.
    """
    from ortools.graph.python import min_cost_flow

    arcs = _Arcs()
    source, sink = arcs.nodes(2)
    people = arcs.nodes(len(grid.load))
    entry = _panels(grid, arcs, source, fill)
    rows, columns = np.nonzero(grid.open)
    tails = entry.base[rows] + entry.offset[entry.kind[rows], grid.kinds[rows, columns]]
    first = arcs.add(tails, people[columns], np.ones_like(rows), -weights[rows, columns])
    arcs.add(people, np.full_like(people, sink), np.maximum(grid.load, 0), np.zeros_like(people))
    supply = int(grid.seats.sum())
    arcs.add(np.array([source]), np.array([sink]), np.array([supply]), np.array([0]))
    solver = min_cost_flow.SimpleMinCostFlow()
    tail, head, capacity, cost = arcs.joined()
    numbers = solver.add_arcs_with_capacity_and_unit_cost(tail, head, capacity, cost)
    solver.set_node_supply(int(source), supply)
    solver.set_node_supply(int(sink), -supply)
    status = solver.solve()
    if status != solver.OPTIMAL:
        raise AssertionError(f"a flow that may leave every seat empty was not solved: {status}")
    flows = solver.flows(numbers)
    chosen = flows[first : first + len(rows)] > 0
    pairs = np.zeros(grid.open.shape, dtype=bool)
    pairs[rows[chosen], columns[chosen]] = True
    return Flow(pairs, -int((flows.astype(np.int64) * cost).sum()))


class _Arcs:
    """Arcs and nodes as they are laid."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, Ints, Ints, Ints]] = []
        self._arcs = self._nodes = 0

    def nodes(self, count: int) -> Ints:
        """So many new nodes."""
        self._nodes += count
        return np.arange(self._nodes - count, self._nodes, dtype=np.int64)

    def add(self, tail: Ints, head: Ints, capacity: Ints, cost: Ints) -> int:
        """Lay arcs; the number of the first of them."""
        self._parts.append((tail, head, capacity, cost))
        self._arcs += len(tail)
        return self._arcs - len(tail)

    def joined(self) -> tuple[Ints, Ints, Ints, Ints]:
        """All arcs so far: tails, heads, capacities, costs."""
        tail, head, capacity, cost = (np.concatenate(each) for each in zip(*self._parts, strict=True))
        return tail, head, capacity, cost


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where reviewers enter a panel: at its ``base``, plus an offset by what a reviewer counts for."""

    base: Ints
    kind: Ints
    offset: Ints


def _panels(grid: Grid, arcs: _Arcs, source: int, fill: int) -> _Entry:
    """Lay the arcs from the source to where reviewers enter a panel.

    A panel without reserved seats is one node. One with them has a node for each kind of seat, and behind
    these a node for each way of counting, so that a person of two kinds still enters once only.
    """
    count = len(grid.seats)
    panels = arcs.nodes(count)
    seats = np.repeat(np.arange(count), grid.seats)
    place = np.arange(len(seats)) - np.repeat(np.cumsum(grid.seats) - grid.seats, grid.seats)
    empty = grid.seats[seats] - place
    # The first seat of a panel pays most and the last one least: filled in this order by themselves.
    arcs.add(np.full_like(seats, source), panels[seats], np.ones_like(seats), -(2 * empty - 1) * fill)
    base, kind = panels.copy(), np.zeros(count, dtype=np.int64)
    ways = 1 << len(KINDS)
    offsets = [np.zeros(ways, dtype=np.int64)]
    subsets: list[list[int]] = [[0]]
    known: dict[int, int] = {}
    laid: list[tuple[int, int, int]] = []
    for row, wanted in enumerate(grid.wanted):
        if wanted.by_kind is None or not any(wanted.by_kind):
            continue
        asked = sum(1 << at for at, number in enumerate(wanted.by_kind) if number)
        if asked not in known:
            known[asked] = len(offsets)
            subsets.append(sorted({way & asked for way in range(ways)}))
            offsets.append(np.array([subsets[-1].index(way & asked) for way in range(ways)], dtype=np.int64))
        kind[row] = known[asked]
        counted = arcs.nodes(len(subsets[kind[row]]))
        base[row] = counted[0]
        free = wanted.seats - sum(wanted.by_kind)
        laid += [(int(panels[row]), int(node), free) for node in counted]
        for at, number in enumerate(wanted.by_kind):
            if number:
                reserved = int(arcs.nodes(1)[0])
                laid.append((int(panels[row]), reserved, number))
                fitting = [
                    node for node, way in zip(counted, subsets[kind[row]], strict=True) if way >> at & 1
                ]
                laid += [(reserved, int(node), number) for node in fitting]
    if laid:
        tail, head, capacity = np.array(laid, dtype=np.int64).T
        arcs.add(tail, head, capacity, np.zeros_like(tail))
    return _Entry(base, kind, np.array(offsets))


@dataclass
class Prices:
    """What it costs to break a rule: a second one of an institution, one outsider more than a rule allows."""

    grid: Grid
    colleague: Ints = field(init=False)
    outsider: list[Ints] = field(init=False)

    def __post_init__(self) -> None:
        count = int(self.grid.institution.max(initial=-1)) + 1
        self.colleague = np.zeros((len(self.grid.seats), count), dtype=np.int64)
        self.outsider = [np.zeros(len(wanted.rules), dtype=np.int64) for wanted in self.grid.wanted]

    def weights(self) -> Ints:
        """The scores less what each pair would have to pay."""
        found = self.grid.scores - self.colleague[:, self.grid.institution]
        for row, (wanted, prices) in enumerate(zip(self.grid.wanted, self.outsider, strict=True)):
            for rule, price in zip(wanted.rules, prices, strict=True):
                if price:
                    found[row] -= np.where(self.grid.fulfils(row, rule), 0, price)
        return found

    def refunded(self) -> int:
        """What every matching that keeps the rules pays at most: all colleagues and outsiders allowed."""
        paid = int(self.colleague.sum())
        for wanted, prices in zip(self.grid.wanted, self.outsider, strict=True):
            paid += sum(
                (wanted.seats - rule.least) * int(price)
                for rule, price in zip(wanted.rules, prices, strict=True)
            )
        return paid


@dataclass
class _Excess:
    """By how many each rule is broken (above 0) or has room (below); shaped as the prices are."""

    colleague: Ints | np.ndarray
    outsider: list[np.ndarray]


def proved_bound(
    grid: Grid,
    found: int,
    empty: Ints,
    fill: int,
    first: Flow,
    *,
    flows: int,
    watch: Callable[[int, int], bool],
) -> int:
    """A total that no matching with as many filled seats exceeds; ``found`` is the best known one.

    With ``fill`` 0 the bound holds whatever stays empty. ``watch`` hears how many of the flows are done, and
    says whether to go on.
    """
    prices = Prices(grid)
    flow, best = first, first.value - filled_value(grid.seats, empty, fill)
    momentum: _Excess | None = None
    number = 0
    while number < flows and (best - found) * 1_000_000 > best * _NEAR_MILLIONTHS and watch(number, flows):
        momentum = _excess(grid, flow.pairs, prices, momentum)
        squares = float((momentum.colleague**2).sum()) + sum(
            float((each**2).sum()) for each in momentum.outsider
        )
        if squares == 0:
            break
        value = flow.value + prices.refunded() - filled_value(grid.seats, empty, fill)
        _raise(prices, momentum, max(1.0, float(value - found)) / squares)
        flow = best_flow(grid, prices.weights(), fill)
        number += 1
        best = min(best, flow.value + prices.refunded() - filled_value(grid.seats, empty, fill))
    return best


def _excess(grid: Grid, pairs: Bools, prices: Prices, before: _Excess | None) -> _Excess:
    """How far the flow breaks the rules, with some of the direction before, so that prices do not swing."""
    count = prices.colleague.shape[1]
    rows, columns = np.nonzero(pairs)
    at = rows * count + grid.institution[columns]
    together = np.bincount(at, minlength=len(grid.seats) * count).reshape(-1, count) - 1.0
    together[[not wanted.apart for wanted in grid.wanted]] = 0
    if before is not None:
        together += before.colleague * _MOMENTUM
    together[(prices.colleague == 0) & (together < 0)] = 0
    outsider = []
    for row, wanted in enumerate(grid.wanted):
        members = np.flatnonzero(pairs[row])
        over = np.array(
            [
                len(members) - int(grid.fulfils(row, rule)[members].sum()) - (wanted.seats - rule.least)
                for rule in wanted.rules
            ],
            dtype=float,
        )
        if before is not None:
            over += before.outsider[row] * _MOMENTUM
        over[(prices.outsider[row] == 0) & (over < 0)] = 0
        outsider.append(over)
    return _Excess(together, outsider)


def _raise(prices: Prices, excess: _Excess, step: float) -> None:
    prices.colleague = np.maximum(0, np.rint(prices.colleague + step * excess.colleague)).astype(np.int64)
    prices.outsider = [
        np.maximum(0, np.rint(price + step * over)).astype(np.int64)
        for price, over in zip(prices.outsider, excess.outsider, strict=True)
    ]
