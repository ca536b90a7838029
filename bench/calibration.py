"""Line 6: ranks by calibrated scores against ranks by raw means, in review rounds whose truth is known."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from bench.lines import Line
from bench.sizes import FULL, QUICK, Sizes
from milepost.embedded import EmbeddedPostgres
from milepost.experts.calibration import Calibration, calibrate
from milepost.experts.funding_line import Places, chances
from milepost.experts.patterns import Review

SEEDS = {FULL: 100, QUICK: 20}
CENTRE = 70.0
RANKS = (
    "rank correlation with the truth of calibrated scores / of raw means, over {seeds} seeds of "
    "{applications} applications x {each} reviews by {raters} raters; severities of {severity:g} points and "
    "spreads of {spread:g} (of their logarithm) planted, quality {quality:g}, chance {chance:g}; whole "
    "points, 0 to 100"
)
NOTHING = "the same / of raw means, where no severities and no spreads are planted"
RECOVERED = (
    "correlation with the planted severities of the fitted ones / of raters' raw means, over {seeds} seeds"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A round to simulate; deviations in points, of the spreads in their logarithm."""

    applications: int = 120
    each: int = 5
    raters: int = 60
    severity: float = 6.0
    spread: float = 0.25
    quality: float = 8.0
    chance: float = 6.0


@dataclass(frozen=True, slots=True)
class Round:
    """A simulated round and its truth, in order of code."""

    reviews: tuple[Review, ...]
    quality: tuple[float, ...]
    severity: tuple[float, ...]
    spread: tuple[float, ...]


def simulated(plan: Plan, seed: int) -> Round:
    """Reviews dealt evenly and at random; the raters must be a multiple of an application's reviews."""
    assert plan.raters % plan.each == 0
    generator = np.random.default_rng(seed)
    quality = generator.normal(CENTRE, plan.quality, plan.applications)
    severity = generator.normal(0, plan.severity, plan.raters)
    spread = np.exp(generator.normal(0, plan.spread, plan.raters))
    reviews = []
    deck: list[int] = []
    for application in range(plan.applications):
        deck = deck or generator.permutation(plan.raters).tolist()
        for rater in deck[: plan.each]:
            felt = quality[application] - CENTRE + generator.normal(0, plan.chance)
            score = CENTRE - severity[rater] + spread[rater] * felt
            whole = int(np.clip(np.round(score), 0, 100))
            reviews.append(Review(f"A{application:05d}", f"R{rater:05d}", whole * 1000))
        deck = deck[plan.each :]
    return Round(tuple(reviews), tuple(quality), tuple(severity), tuple(spread))


def rank_correlations(found: Calibration, truth: Sequence[float]) -> tuple[float, float]:
    """Of calibrated scores and of raw means, with the truth."""
    calibrated = [figures.calibrated_milli for figures in found.applications]
    means = [figures.mean_milli for figures in found.applications]
    return float(spearmanr(calibrated, truth).statistic), float(spearmanr(means, truth).statistic)


def recovered(found: Calibration, given: Round) -> tuple[float, float]:
    """How well fitted severities, and how well raters' plain means, go with the planted severities."""
    fitted = [figures.severity_milli for figures in found.raters]
    marks: dict[str, list[int]] = {}
    for review in given.reviews:
        marks.setdefault(review.rater, []).append(review.score_milli)
    means = [-statistics.fmean(marks[figures.rater]) for figures in found.raters]
    return _correlation(fitted, given.severity), _correlation(means, given.severity)


def _correlation(some: Sequence[float], others: Sequence[float]) -> float:
    # Where nothing is corrected nothing is recovered.
    return statistics.correlation(some, others) if len(set(some)) > 1 else 0.0


def reliability(plan: Plan, seeds: range) -> list[dict[str, float]]:
    """By tenths of the stated chance: how many, the mean stated, the share that truly was above the line."""
    stated: list[int] = []
    true: list[bool] = []
    places = plan.applications // 3
    for seed in seeds:
        given = simulated(plan, seed)
        least = sorted(given.quality, reverse=True)[places - 1]
        true += [quality >= least for quality in given.quality]
        drawn = chances(calibrate(given.reviews), Places(places), draws=1_000, seed=seed)
        stated += [chance.above_milli or 0 for chance in drawn]
    tenths = []
    for low in range(0, 1000, 100):
        here = [i for i, milli in enumerate(stated) if min(milli, 999) // 100 == low // 100]
        if here:
            mean = statistics.fmean(stated[i] for i in here) / 1000
            share = statistics.fmean(true[i] for i in here)
            tenths.append({"n": len(here), "stated": round(mean, 3), "true": round(share, 3)})
    return tenths


def seconds(plan: Plan) -> dict[str, float]:
    """What one large round takes: the fit, and the chances at the line."""
    given = simulated(plan, 0)
    began = time.perf_counter()
    found = calibrate(given.reviews)
    fitted = time.perf_counter()
    chances(found, Places(plan.applications // 3))
    return {"fit_s": round(fitted - began, 3), "chances_s": round(time.perf_counter() - fitted, 3)}


def measure(_server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """Both scores in the same rounds, with something to correct and with nothing; needs no database."""
    seeds = range(SEEDS.get(sizes, 3))
    planted, nothing = Plan(), Plan(severity=0.0, spread=0.0)
    large = Plan(applications=2_000, raters=500) if sizes in SEEDS else Plan(applications=20, raters=10)
    ranks, plain, severities = [], [], []
    for seed in seeds:
        given = simulated(planted, seed)
        found = calibrate(given.reviews)
        ranks.append(rank_correlations(found, given.quality))
        severities.append(recovered(found, given))
        given = simulated(nothing, seed)
        plain.append(rank_correlations(calibrate(given.reviews), given.quality))
    shape = {name: getattr(planted, name) for name in Plan.__dataclass_fields__}
    more = {"reliability": reliability(planted, seeds), "large": {"n": large.applications, **seconds(large)}}
    return [
        _line("calibrated ranks", ranks, RANKS.format(seeds=len(seeds), **shape), 1.0, "above", more),
        # Means lie below 1, so a ratio of 0.998 keeps the mean difference above -0.002.
        _line("calibrated ranks, nothing to correct", plain, NOTHING, 0.998, "at least", {}),
        _line("severities recovered", severities, RECOVERED.format(seeds=len(seeds)), 1.0, "above", {}),
    ]


def _line(
    name: str,
    pairs: Sequence[tuple[float, float]],
    compared: str,
    goal: float,
    bound: Any,
    more: dict[str, Any],
) -> Line:
    ours, theirs = [statistics.fmean(pair[side] for pair in pairs) for side in (0, 1)]
    differences = [a - b for a, b in pairs]
    raw = {
        "unit": "correlation",
        "seeds": len(pairs),
        "means": {"calibrated": round(ours, 4), "raw": round(theirs, 4)},
        "difference": {
            "mean": round(statistics.fmean(differences), 5),
            "least": round(min(differences), 5),
            "better": sum(d > 0 for d in differences),
            "equal": sum(d == 0 for d in differences),
        },
        "rounds": [[round(a, 4), round(b, 4)] for a, b in pairs],
        **more,
    }
    return Line(name=name, ratio=ours / theirs, compared=compared, goal=goal, bound=bound, raw=raw)
