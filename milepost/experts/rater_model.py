"""The raters of a round as a mixed model: how much each gives away and how far each stretches differences.

A rater j who reads application i reports

    score_ij = m + b_j + s_j (q_i + e_ij),

m the mean of the reviews (of a group of raters, see below), q_i the application's quality as a distance from
m, b_j how much the rater gives an average application more, s_j how far the rater stretches differences, e_ij
chance.

- b_j / s_j (the shift) is drawn from a normal law, log s_j from another. Empirical Bayes: what a rater shows
  is drawn towards the others, the more the fewer reviews there are, down to no correction.
- q_i is not drawn towards anything. So raters are compared only on applications they share: who was given
  weak applications is not thought severe, and between raters whom no chain of shared applications connects
  nothing is corrected, for there the data cannot tell a severe group from a weak one.
- The variance of shifts is fitted by restricted likelihood. Shared applications make a graph of raters; in
  the eigenvectors of its Laplacian the likelihood is a sum over raters, so the fit is a search in one
  variable. Spreads follow by Fisher scoring round it; the Laplacian is the same whatever the spreads are.
- Both variances are weighed as though two more raters without any peculiarity had been seen. Where the data
  say nothing (everyone reviewed once) that settles on none.
- What stays open takes both variances at the upper end of what the likelihood allows within one sigma: "no
  difference found" in a few reviews is no proof that there is none.

Here scores are points as floats. Cost: the third power of the number of raters, and the square of the reviews
of one application. Sources: Patterson & Thompson 1971 (restricted likelihood), Robinson 1991 (what such
estimates are good for).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost.experts.patterns import Review

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SPREAD_REVIEWS = 3  # a spread has no meaning in one review and hardly any in two
LEAST_VARIANCE = 1e-6  # a thousandth of a point, squared: the scale knows nothing finer
_SETTLED = 1e-5
_ROUNDS = 100
_PEERS = 2.0  # raters without any peculiarity who are thought to have been seen as well


@dataclass(frozen=True, slots=True)
class Layout:
    """Who reviewed what, as numbers: reviews in order of application and rater."""

    applications: tuple[str, ...]
    raters: tuple[str, ...]
    of: Ints
    by: Ints
    score: Floats
    """Points."""
    per_application: Floats
    per_rater: Floats
    pairs: tuple[Ints, Ints]
    """Each two reviews of one application, a review with itself and both orders included."""
    groups: Ints
    """The group of each rater, from 0, the largest first."""

    def in_application(self, figures: Floats) -> Floats:
        """The mean of a figure of reviews, by application."""
        import numpy as np

        sums = np.bincount(self.of, figures, len(self.applications)).astype(np.float64)
        return sums / self.per_application

    @property
    def group_of(self) -> Ints:
        """The group of each application, from 0."""
        import numpy as np

        groups = np.zeros(len(self.applications), np.int64)
        groups[self.of] = self.groups[self.by]
        return groups

    @property
    def centre(self) -> Floats:
        """m, by application: the mean of all reviews in its group."""
        import numpy as np

        groups = self.groups[self.by]
        means = np.bincount(groups, self.score) / np.bincount(groups)
        return means[self.group_of].astype(np.float64)

    def by_rater(self, figures: Floats) -> Floats:
        """The sum of a figure of reviews, by rater."""
        import numpy as np

        return np.bincount(self.by, figures, len(self.raters)).astype(np.float64)


def layout_of(reviews: Iterable[Review]) -> Layout | None:
    import numpy as np

    given = sorted((review.application, review.rater, review.score_milli) for review in reviews)
    if not given:
        return None
    keys = {(application, rater) for application, rater, _ in given}
    if len(keys) < len(given):
        raise ValueError("a rater reviewed an application twice")
    applications = tuple(sorted({application for application, _ in keys}))
    raters = tuple(sorted({rater for _, rater in keys}))
    number = {code: n for n, code in enumerate(raters)}
    by = np.array([number[rater] for _, rater, _ in given], np.int64)
    number = {code: n for n, code in enumerate(applications)}
    of = np.array([number[application] for application, _, _ in given], np.int64)
    count = np.bincount(of)
    starts = np.cumsum(count) - count
    left = np.repeat(np.arange(len(of)), count[of])
    first = np.cumsum(count[of]) - count[of]
    right = np.arange(len(left)) - first[left] + starts[of[left]]
    return Layout(
        applications,
        raters,
        of,
        by,
        np.array([score for _, _, score in given], np.float64) / 1000,
        count.astype(np.float64),
        np.bincount(by).astype(np.float64),
        (left, right),
        _groups(of, by, len(applications), len(raters)),
    )


def _groups(of: Ints, by: Ints, applications: int, raters: int) -> Ints:
    """Which raters a chain of shared applications connects: the lowest number spreads until it stops."""
    import numpy as np

    label = np.arange(raters)
    while True:
        lowest = np.full(applications, raters)
        np.minimum.at(lowest, of, label[by])
        spread = label.copy()
        np.minimum.at(spread, by, lowest[of])
        if (spread == label).all():
            break
        label = spread
    names, number, reviews = np.unique(label[by], return_inverse=True, return_counts=True)
    order = np.argsort(-reviews, kind="stable")
    place = np.empty(len(names), np.int64)
    place[order] = np.arange(len(names))
    groups = np.empty(raters, np.int64)
    groups[by] = place[number]
    return groups


# -- the fit -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fit:
    """What was found of a round, and what stays open. Points, and squares of points."""

    shift: Floats
    """b_j / s_j."""
    log_spread: Floats
    quality: Floats
    """q_i."""
    felt: Floats
    """q_i + e_ij: each review with the rater's peculiarities taken out."""
    open_shifts: Floats
    """Covariance of the shifts about the mean rater of the round."""
    root_of_shifts: Floats
    """A square root of it, for drawing: ``root @ root.T`` is the covariance."""
    open_spreads: Floats
    """Variance of each log spread."""
    chance: float
    """Variance of e_ij."""
    shift_variance: float
    spread_variance: float


@dataclass(frozen=True, slots=True)
class _Graph:
    """The Laplacian of raters over shared applications, in its eigenvectors (columns of ``vectors``)."""

    values: Floats
    vectors: Floats

    @staticmethod
    def of(layout: Layout) -> _Graph:
        import numpy as np

        left, right = layout.pairs
        laplacian = np.diag(layout.per_rater)
        shared = 1 / layout.per_application[layout.of[left]]
        np.subtract.at(laplacian, (layout.by[left], layout.by[right]), shared)
        values, vectors = np.linalg.eigh(laplacian)
        # One zero for each group, blurred by rounding.
        values[: int(layout.groups.max()) + 1] = 0.0
        return _Graph(values, vectors)

    def root(self, ratio: float, chance: float) -> Floats:
        """A root of what stays open of the shifts; no eigenvector's sign or order shows in it."""
        deviations = (chance * ratio / (1 + ratio * self.values)) ** 0.5
        root: Floats = (self.vectors * deviations) @ self.vectors.T
        # About the mean rater of the round.
        return root - root.mean(axis=0)


def fit(layout: Layout) -> Fit:
    """Shifts by restricted likelihood given the spreads, a step of the spreads, and so on until both rest."""
    import numpy as np

    apart = layout.score - layout.centre[layout.of]
    graph = _Graph.of(layout)
    counted = layout.per_rater >= SPREAD_REVIEWS
    log_spread = np.zeros(len(layout.raters))
    number = 0
    while True:
        number += 1
        scaled = apart / np.exp(log_spread)[layout.by]
        within = scaled - layout.in_application(scaled)[layout.of]
        seen = graph.vectors.T @ layout.by_rater(within)
        freedom = len(scaled) - len(layout.applications)
        ratio, ratio_most, chance = _severities(graph.values, seen, float(within @ scaled), freedom)
        shift = graph.vectors @ (ratio / (1 + ratio * graph.values) * seen)
        felt = scaled - shift[layout.by]
        quality = layout.in_application(felt)
        known = (graph.vectors**2) @ (ratio * graph.values / (1 + ratio * graph.values))
        step, information = _scoring(layout, felt, quality, known, chance)
        shown = _about_group(layout, log_spread + step, counted)
        variance, variance_most = _spreads(shown[counted], information[counted])
        found = _about_group(layout, variance / (variance + 1 / information) * shown, counted)
        # Steps grow shorter, so that a variance that hovers about zero comes to rest.
        moved = min(0.7, 12 / number) * (found - log_spread)
        if np.abs(moved).max() < _SETTLED or number == _ROUNDS:
            break
        log_spread = log_spread + moved
    root = graph.root(ratio_most, chance)
    return Fit(
        shift,
        log_spread,
        quality,
        felt,
        root @ root.T,
        root,
        np.where(counted, variance_most / (1 + variance_most * information), variance_most),
        chance,
        ratio * chance,
        variance,
    )


def _severities(values: Floats, seen: Floats, total: float, freedom: int) -> tuple[float, float, float]:
    """The variance of shifts over that of chance, its upper end, and the variance of chance."""
    import numpy as np

    least = freedom * LEAST_VARIANCE

    def left(ratio: Floats) -> Floats:
        explained = ratio[:, None] * seen**2 / (1 + ratio[:, None] * values)
        return np.maximum(total - explained.sum(axis=1), least)

    def likelihood(ratio: Floats) -> Floats:
        spent = np.log1p(ratio[:, None] * values).sum(axis=1) + _PEERS * np.log1p(ratio)
        return -0.5 * (freedom * np.log(left(ratio)) + spent)

    ratio, most = _peak(likelihood, 1e4)
    return ratio, most, float(left(np.array([ratio]))[0]) / freedom


def _scoring(
    layout: Layout, felt: Floats, quality: Floats, known: Floats, chance: float
) -> tuple[Floats, Floats]:
    """A step of Fisher scoring for every log spread, and the information it rests on.

    A rater who stretches leaves residuals that lean the way of the rater's own scores. What is expected of
    them where nothing is stretched is less than one by each application's share that its own mean takes up.
    """
    import numpy as np

    free = 1 - 1 / layout.per_application[layout.of]
    leaning = layout.by_rater((felt - quality[layout.of]) * felt) / chance + known
    expected = layout.by_rater(free)
    shared = np.maximum(expected, 1e-9)
    usual = layout.by_rater(free * quality[layout.of]) / shared
    signal = (quality[layout.of] - usual[layout.by]) ** 2 / chance
    noise = (1 - free) * (1 - 1 / layout.per_rater[layout.by])
    information = layout.by_rater(2 * free**2) + np.maximum(layout.by_rater(free * (signal - noise)), 0)
    information = np.maximum(information, 1e-9)
    return (leaning - expected) / information, information


def _spreads(seen: Floats, information: Floats) -> tuple[float, float]:
    """The variance of log spreads and its upper end, from estimates of known precision."""
    import numpy as np

    if not len(seen):
        return 0.0, 0.0
    typical = float(np.median(information))

    def likelihood(variance: Floats) -> Floats:
        total = variance[:, None] + 1 / information
        peers = _PEERS * np.log1p(variance * typical)
        return -0.5 * ((np.log(total) + seen**2 / total).sum(axis=1) + peers)

    return _peak(likelihood, 4.0)


def _about_group(layout: Layout, figures: Floats, counted: NDArray[np.bool_]) -> Floats:
    """Figures less the mean of the rater's group, over those who count; zero for those who do not."""
    import numpy as np

    groups = layout.groups[counted]
    size = int(layout.groups.max()) + 1
    means = np.bincount(groups, figures[counted], size) / np.maximum(np.bincount(groups, minlength=size), 1)
    return np.where(counted, figures - means[layout.groups], 0.0)


def _peak(height: Callable[[Floats], Floats], top: float) -> tuple[float, float]:
    """Where a function of one variable from zero up is highest, and how far up it stays within one sigma."""
    import numpy as np

    grid = np.concatenate([[0.0], np.geomspace(1e-4, top, 161)])
    heights = height(grid)
    at = int(heights.argmax())
    low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    peak = float(grid[at])
    for _ in range(5):
        finer = np.linspace(low, high, 17)
        best = int(height(finer).argmax())
        peak, low, high = float(finer[best]), finer[max(best - 1, 0)], finer[min(best + 1, 16)]
    reached = float(height(np.array([peak]))[0])
    return peak, max(peak, float(grid[heights >= reached - 0.5].max(initial=0.0)))
