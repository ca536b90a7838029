"""A matching, phase by phase: close pairs by chance, flow, fill, raise, prove, serve the worst."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from milepost.experts import fairness
from milepost.experts.exchange import Seating, keep_the_rules
from milepost.experts.grid import Grid, Ints, grid_of, opened_by_chance
from milepost.experts.matching import Matching, Pair, Stage, Terms
from milepost.experts.network import Flow, best_flow, fill_weight, filled_value, proved_bound
from milepost.experts.placing import Closed, Placing, placing_of, short_of
from milepost.experts.rounds import Application, Reviewer


def run(
    applications: Sequence[Application],
    reviewers: Sequence[Reviewer],
    scores: NDArray[np.int32] | Ints,
    forbidden: Collection[tuple[str, str]],
    fixed: Collection[tuple[str, str]],
    terms: Terms,
    progress: Callable[[Stage], None] | None,
    stop: Callable[[], bool] | None,
) -> Matching:
    """Match a round; see :func:`milepost.experts.matching.match`."""
    names = [application.id for application in applications]
    people = [reviewer.id for reviewer in reviewers]
    grid, conflicts = grid_of(applications, reviewers, scores, forbidden, fixed)
    chance = np.zeros_like(grid.open)
    if terms.open_percent < 100:
        chance = ~opened_by_chance(terms.seed, names, people, terms.open_percent)
        grid = replace(grid, open=grid.open & ~chance)
    sizes = np.array([application.panel.size for application in applications], dtype=np.int64)
    under_way = _Run(grid, sizes, terms, progress, stop)
    under_way.seat()
    return _result(under_way, names, people, Closed(conflicts, chance))


class _Run:
    """One matching under way: the seating so far, and what is proved of it."""

    def __init__(
        self,
        grid: Grid,
        sizes: Ints,
        terms: Terms,
        progress: Callable[[Stage], None] | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self.grid, self.sizes, self.terms = grid, sizes, terms
        self._progress, self._stop = progress, stop
        self._fill = fill_weight(grid)
        self.seating = Seating(grid, np.zeros_like(grid.open), self._fill)
        self.stopped = False
        self.optimum = self.bound = self.levels = self.plain_total = self.plain_worst = self.empty_least = 0

    @property
    def service(self) -> Ints:
        """The mean affinity of each application over the seats of its panel."""
        return self.seating.sums // self.sizes

    @property
    def worst(self) -> int:
        """The least of these; 0 in a round without applications."""
        return int(self.service.min()) if len(self.sizes) else 0

    def worst_limit(self) -> int:
        """What no matching can serve the worst-served above: somebody's best people, if all were theirs."""
        seats = self.grid.seats
        best = np.sort(np.where(self.grid.open, self.grid.scores, 0), axis=1)[:, ::-1].cumsum(axis=1)
        rows = np.flatnonzero((seats > 0) & (best.shape[1] > 0))
        most = self.seating.standing.copy()
        most[rows] += best[rows, np.minimum(seats[rows], best.shape[1]) - 1]
        return int((most // self.sizes).min()) if len(most) else 0

    def seat(self) -> None:
        """Seat everybody, until done or stopped."""
        if self._watch("flow", 0, 1):
            flow = best_flow(self.grid, self.grid.scores, self._fill)
            self.seating = Seating(self.grid, keep_the_rules(self.grid, flow.pairs), self._fill)
            fairness.fill(self.seating, partial(self._watch, "fill"))
            fairness.raise_total(self.seating, partial(self._watch, "raise"))
            aims = self.seating.standing + (self.grid.scores * flow.pairs).sum(axis=1)
            fairness.improve(self.seating, aims, partial(self._watch, "exact"))
            self._prove(flow)
        self.plain_total, self.plain_worst = self.seating.total, self.worst
        if self.terms.fair and self._watch("fair", 0, 1):
            kept = 1000 - self.terms.loss_per_mille
            of_optimum = -(-self.optimum * kept // 1000)
            of_found = -(-self.plain_total * (1000 + kept) // 2000)
            least = min(of_optimum, of_found)
            self.levels = fairness.serve_worst(self.seating, self.sizes, least, partial(self._watch, "fair"))

    def _prove(self, flow: Flow) -> None:
        """Find a total that cannot be exceeded.

        A flow that fills as many seats bounds every matching that does. Where rules leave more seats empty
        than loads and conflicts would, only a flow that need not fill any bounds what was found.
        """
        grid, empty, fill = self.grid, self.seating.empty, self._fill
        of_flow = grid.seats - flow.pairs.sum(axis=1)
        self.empty_least = int(of_flow.sum())
        if filled_value(grid.seats, of_flow, fill) > filled_value(grid.seats, empty, fill):
            fill = 0
            flow = best_flow(grid, grid.scores, fill)
        standing = int(self.seating.standing.sum())
        self.optimum = standing + flow.value - filled_value(grid.seats, empty, fill)
        self.bound = standing + proved_bound(
            grid,
            self.seating.total - standing,
            empty,
            fill,
            flow,
            flows=self.terms.flows,
            watch=partial(self._watch, "prove"),
        )

    def _watch(self, phase: str, done: int, total: int) -> bool:
        """Say how far it has come, and ask whether to stop; once stopped, it stays so."""
        if self._progress is not None:
            seating = self.seating
            empty = int((seating.held == seating.nobody).sum())
            self._progress(Stage(phase, done, total, seating.total, self.worst, empty))
        if self._stop is not None and not self.stopped:
            self.stopped = self._stop()
        return not self.stopped


def _result(run: _Run, names: Sequence[str], people: Sequence[str], closed: Closed) -> Matching:
    seating, grid = run.seating, run.grid
    pairs = [
        Pair(name, people[column], int(grid.scores[row, column]), column in grid.sitting[row])
        for row, name in enumerate(names)
        for column in sorted({*grid.sitting[row], *seating.members(row)})
    ]
    shorts = (short_of(seating, closed, row, name, run.stopped) for row, name in enumerate(names))
    rows, columns = ({id: at for at, id in enumerate(ids)} for ids in (names, people))
    made = {(pair.application, pair.reviewer) for pair in pairs}

    def placing(application: str, reviewer: str) -> Placing:
        if (application, reviewer) not in made:
            raise KeyError((application, reviewer))
        return placing_of(seating, closed, rows[application], columns[reviewer])

    return Matching(
        pairs=tuple(pairs),
        short=tuple(short for short in shorts if short is not None),
        total=seating.total,
        worst=run.worst,
        worst_limit=run.worst_limit(),
        empty_least=run.empty_least,
        plain_total=run.plain_total,
        plain_worst=run.plain_worst,
        optimum=run.optimum,
        bound=run.bound,
        rounds=run.levels,
        stopped=run.stopped,
        closed_by_chance=int((closed.chance & ~closed.conflicts).sum()),
        service=tuple(zip(names, run.service.tolist(), strict=True)),
        _placing=placing,
    )
