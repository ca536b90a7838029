"""Scores with each rater's severity and spread taken out, beside the raw ones and never instead of them.

``rater_model`` has the model and why it corrects only what raters show on applications they share; few
reviews, or raters who do not differ, leave the mean of the reviews as it was. Here are the figures for
people: by application, by rater, and what a reader of them has to know. docs/scoring.md says it at length.

Scores are whole thousandths of a percent point, in and out. The order of the reviews makes no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.programmes import Text
from milepost.experts.patterns import Review
from milepost.experts.rater_model import LEAST_VARIANCE, SPREAD_REVIEWS, Fit, Layout, fit, layout_of

if TYPE_CHECKING:
    from milepost.experts.rater_model import Floats


@dataclass(frozen=True, slots=True)
class ApplicationFigures:
    """An application's mean of all valid reviews, none dropped, the calibrated score, its standard error.

    The calibrated score may pass the ends of the scale. ``se_milli`` is None where nothing tells it: no
    application of the round has a second review. ``group`` counts from 1, the one with most reviews first.
    """

    application: str
    reviews: int
    mean_milli: int
    calibrated_milli: int
    se_milli: int | None
    group: int


@dataclass(frozen=True, slots=True)
class RaterFigures:
    """How a rater differs from the raters of the round.

    ``severity_milli`` above zero: gives an average application so much less. ``spread_milli``: 1000 is as
    the others, 1500 makes of a point's difference one and a half. Each with its standard error, None where
    nothing tells it: no rater has enough reviews.
    """

    rater: str
    reviews: int
    severity_milli: int
    severity_se_milli: int | None
    spread_milli: int
    spread_se_milli: int | None
    group: int


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader of the figures has to know, with the counts it rests on."""

    code: str
    figures: Mapping[str, int]
    text: Text


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of an application's quality and what stays open, in points, for ``funding_line``."""

    layout: Layout
    fit: Fit
    calibrated: Floats
    quality_variance: float
    """How much applications truly differ; never zero, so that equals are told apart by chance alone."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A round calibrated: figures by application and by rater, each in order of code, and what to know.

    The standard deviations are those the model found: of severities, of spreads (of their logarithm, in
    thousandths), of chance in one review, of true quality among applications.
    """

    applications: tuple[ApplicationFigures, ...]
    raters: tuple[RaterFigures, ...]
    severity_sd_milli: int
    spread_sd_milli: int
    chance_sd_milli: int | None
    quality_sd_milli: int | None
    remarks: tuple[Remark, ...]
    posterior: Posterior | None = field(repr=False, compare=False)
    """None where no application has a second review."""


def calibrate(reviews: Iterable[Review]) -> Calibration:
    """Fit severities and spreads over the whole round. ValueError: a rater reviewed an application twice."""
    layout = layout_of(reviews)
    if layout is None:
        return Calibration((), (), 0, 0, None, None, (), None)
    if len(layout.score) == len(layout.applications):
        return _alone(layout)
    found = fit(layout)
    calibrated = layout.centre + found.quality
    variance = _variance(layout, found)
    # Calibrated scores differ by chance too; what is left over is how much applications truly differ.
    differing = float(calibrated.var(ddof=1)) if len(calibrated) > 1 else 0.0
    truly = max(differing - float(variance.mean()), 0.0)
    return Calibration(
        _of_applications(layout, calibrated, variance),
        _of_raters(layout, found),
        _milli(found.shift_variance**0.5),
        _milli(found.spread_variance**0.5),
        _milli(found.chance**0.5),
        _milli(truly**0.5),
        tuple(_remarks(layout, found)),
        Posterior(layout, found, calibrated, max(truly, LEAST_VARIANCE)),
    )


def _milli(points: float) -> int:
    return round(float(points) * 1000)


def _variance(layout: Layout, found: Fit) -> Floats:
    """Of each calibrated score: chance in its reviews, and what stays open of its raters."""
    import numpy as np

    left, right = layout.pairs
    shared = found.open_shifts[layout.by[left], layout.by[right]]
    shifts = np.bincount(layout.of[left], shared) / layout.per_application**2
    spreads = layout.in_application(found.felt**2 * found.open_spreads[layout.by]) / layout.per_application
    variance: Floats = found.chance / layout.per_application + shifts + spreads
    return variance


def _of_applications(
    layout: Layout, calibrated: Floats, variance: Floats | None
) -> tuple[ApplicationFigures, ...]:
    mean, group = layout.in_application(layout.score), layout.group_of
    return tuple(
        ApplicationFigures(
            code,
            int(layout.per_application[i]),
            _milli(mean[i]),
            _milli(calibrated[i]),
            None if variance is None else _milli(variance[i] ** 0.5),
            int(group[i]) + 1,
        )
        for i, code in enumerate(layout.applications)
    )


def _of_raters(layout: Layout, found: Fit) -> tuple[RaterFigures, ...]:
    import numpy as np

    spread = np.exp(found.log_spread)
    severity = -spread * found.shift
    severity_se = (spread**2 * found.open_shifts.diagonal() + severity**2 * found.open_spreads) ** 0.5
    spread_se = spread * found.open_spreads**0.5
    told = bool((layout.per_rater >= SPREAD_REVIEWS).any())
    return tuple(
        RaterFigures(
            code,
            int(layout.per_rater[j]),
            _milli(severity[j]),
            _milli(severity_se[j]),
            _milli(spread[j]),
            _milli(spread_se[j]) if told else None,
            int(layout.groups[j]) + 1,
        )
        for j, code in enumerate(layout.raters)
    )


def _alone(layout: Layout) -> Calibration:
    """No application was read twice: nobody can be compared with anybody, and nothing is corrected."""
    raters = (
        RaterFigures(code, int(layout.per_rater[j]), 0, None, 1000, None, int(layout.groups[j]) + 1)
        for j, code in enumerate(layout.raters)
    )
    text = Text(
        zh="没有一份申报书有两份以上评审，无法比较专家，未作任何校准，误差也无从估计。",
        en="No application has a second review: raters cannot be compared. Nothing is calibrated, and no "
        "error can be told.",
    )
    remark = Remark("not_comparable", {"applications": len(layout.applications)}, text)
    mean = layout.in_application(layout.score)
    return Calibration(_of_applications(layout, mean, None), tuple(raters), 0, 0, None, None, (remark,), None)


# -- what to know --------------------------------------------------------------------------------------------


def _remarks(layout: Layout, found: Fit) -> Iterator[Remark]:
    groups = int(layout.groups.max()) + 1
    if groups > 1:
        yield _disconnected(layout, groups)
    if found.shift_variance == 0:
        yield Remark(
            "no_severities",
            {"raters": len(layout.raters)},
            Text(
                zh="未发现专家之间宽严有别：宽严未作校准。评审份数少时，这不等于没有差别。",
                en="No difference in severity between raters was found, so none is corrected. With few "
                "reviews that does not mean there is none.",
            ),
        )
    if found.spread_variance == 0:
        yield Remark(
            "no_spreads",
            {"raters": len(layout.raters)},
            Text(
                zh="未发现专家之间打分幅度有别：幅度未作校准。评审份数少时，这不等于没有差别。",
                en="No difference in how far raters spread their scores was found, so none is corrected. "
                "With few reviews that does not mean there is none.",
            ),
        )
    few = int((layout.per_rater < SPREAD_REVIEWS).sum())
    if few:
        yield Remark(
            "few_reviews",
            {"raters": few, "reviews": SPREAD_REVIEWS},
            Text(
                zh=f"{few} 位专家评审不足 {SPREAD_REVIEWS} 份，其打分幅度不作校准。",
                en=f"Raters with fewer than {SPREAD_REVIEWS} reviews: {few}. How far they spread their "
                "scores is not corrected.",
            ),
        )
    single = int((layout.per_application == 1).sum())
    if single:
        yield Remark(
            "single_reviews",
            {"applications": single},
            Text(
                zh=f"{single} 份申报书只有一份评审，其误差按全轮情况推定。",
                en=f"Applications with one review only: {single}. Their error is taken from the round's.",
            ),
        )


def _disconnected(layout: Layout, groups: int) -> Remark:
    raters = Counter(layout.groups.tolist())
    applications = Counter(layout.group_of.tolist())
    figures = {"groups": groups, "largest_raters": raters[0], "largest_applications": applications[0]}
    text = Text(
        zh=f"本轮分成 {groups} 组，组间没有共同评审的申报书（最大一组 {raters[0]} 位专家、"
        f"{applications[0]} 份申报书）。组与组之间无法区分专家偏严与申报书偏弱，故组间不作校准，"
        "其不确定性计入误差和资助线概率。",
        en=f"The round falls into {groups} groups that share no application (the largest: {raters[0]} "
        f"raters, {applications[0]} applications). Between groups severe raters cannot be told from weak "
        "applications: nothing is corrected between them, and what stays open is in the errors and in the "
        "chances at the line.",
    )
    return Remark("disconnected", figures, text)
