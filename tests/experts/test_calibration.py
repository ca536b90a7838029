"""Calibration takes out what raters show on shared applications, nothing else; chances at the line are true.

Truth is planted and found again; the fit is held against the textbook's equations solved by other means.
"""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.calibration import Plan, Round, measure, rank_correlations, recovered, reliability, simulated
from bench.sizes import TINY
from milepost.experts.calibration import Calibration, calibrate
from milepost.experts.funding_line import Budget, Chance, Places, chances
from milepost.experts.patterns import Review
from milepost.experts.rater_model import fit, layout_of
from schema.money import MINOR_MAX

PLANTED = Plan()
NOTHING = Plan(severity=0.0, spread=0.0)
SEVERE_ONLY = Plan(applications=24, raters=10, spread=0.0)


def codes(found: Calibration) -> set[str]:
    return {remark.code for remark in found.remarks}


def calibrated(found: Calibration) -> dict[str, int]:
    return {figures.application: figures.calibrated_milli for figures in found.applications}


def means(found: Calibration) -> dict[str, int]:
    return {figures.application: figures.mean_milli for figures in found.applications}


def everyone_reads_all(scores: list[list[int]]) -> list[Review]:
    """Applications down, raters across, in thousandths."""
    return [Review(f"A{i}", f"R{j}", score) for i, row in enumerate(scores) for j, score in enumerate(row)]


def round_without_spreads() -> Round:
    """Simulated, with severities only, and in which the fit finds no spreads either."""
    rounds = (simulated(SEVERE_ONLY, seed) for seed in itertools.count())
    return next(one for one in rounds if "no_spreads" in codes(calibrate(one.reviews)))


# -- what it is for ------------------------------------------------------------------------------------------


def test_calibrated_scores_rank_nearer_to_the_truth_than_raw_means_in_every_planted_round() -> None:
    for seed in range(8):
        given_round = simulated(PLANTED, seed)
        ours, raw = rank_correlations(calibrate(given_round.reviews), given_round.quality)
        assert ours > raw, seed


def test_calibrated_scores_are_not_worse_where_there_is_nothing_to_correct() -> None:
    differences = []
    for seed in range(16):
        given_round = simulated(NOTHING, seed)
        ours, raw = rank_correlations(calibrate(given_round.reviews), given_round.quality)
        differences.append(ours - raw)
    assert statistics.fmean(differences) >= -0.002
    assert min(differences) > -0.01


def test_planted_severities_and_spreads_are_found_again() -> None:
    severities, spreads = [], []
    for seed in range(8):
        given_round = simulated(PLANTED, seed)
        found = calibrate(given_round.reviews)
        fitted, plain = recovered(found, given_round)
        assert fitted > plain
        severities.append(fitted)
        logs = [math.log(figures.spread_milli) for figures in found.raters]
        spreads.append(statistics.correlation(logs, [math.log(s) for s in given_round.spread]))
    assert statistics.fmean(severities) > 0.9
    assert statistics.fmean(spreads) > 0.6


def test_standard_errors_are_as_wide_as_the_errors() -> None:
    of_scores, of_severities, of_spreads = [], [], []
    for seed in range(8):
        given_round = simulated(PLANTED, seed)
        found = calibrate(given_round.reviews)
        level = statistics.fmean(
            f.calibrated_milli / 1000 - q
            for f, q in zip(found.applications, given_round.quality, strict=True)
        )
        for figures, quality in zip(found.applications, given_round.quality, strict=True):
            assert figures.se_milli is not None
            of_scores.append((figures.calibrated_milli / 1000 - level - quality) * 1000 / figures.se_milli)
        severity = statistics.fmean(given_round.severity)
        spread = statistics.fmean(map(math.log, given_round.spread))
        for j, rater in enumerate(found.raters):
            assert rater.severity_se_milli and rater.spread_se_milli
            apart = rater.severity_milli - 1000 * (given_round.severity[j] - severity)
            of_severities.append(apart / rater.severity_se_milli)
            stretched = math.log(rater.spread_milli / 1000) - math.log(given_round.spread[j]) + spread
            of_spreads.append(stretched * rater.spread_milli / rater.spread_se_milli)
    for errors in (of_scores, of_severities, of_spreads):
        assert 0.85 < statistics.pstdev(errors) < 1.2


def test_the_bench_measures_three_lines() -> None:
    lines = measure(None, TINY)  # type: ignore[arg-type]
    assert [line.bound for line in lines] == ["above", "at least", "above"]
    assert all(
        line.ratio is not None and math.isfinite(line.ratio) and " / " in line.compared for line in lines
    )


# -- no correction where nothing tells one -------------------------------------------------------------------


def test_where_everyone_reviewed_once_the_means_stand() -> None:
    generator = np.random.default_rng(7)
    scores = generator.integers(30_000, 100_000, (30, 5))
    reviews = [
        Review(f"A{i:02}", f"R{i:02}-{j}", int(score))
        for i, row in enumerate(scores)
        for j, score in enumerate(row)
    ]
    found = calibrate(reviews)
    assert calibrated(found) == means(found)
    assert {figures.severity_milli for figures in found.raters} == {0}
    assert {figures.spread_milli for figures in found.raters} == {1000}
    assert {"disconnected", "no_severities", "no_spreads", "few_reviews"} == codes(found)


def test_fewer_reviews_show_less_of_the_same_severity() -> None:
    """Two raters give ten points less than others each time; one of them twice, the other twelve times."""
    generator = np.random.default_rng(3)
    reviews = []
    for i in range(36):
        quality = 70 + generator.normal(0, 6)
        for j in range(4):
            severity = (-6, 0, 6)[(i + j) % 3]
            reviews.append(Review(f"A{i:02}", f"R{(i + j) % 12:02}", _whole(quality - severity, generator)))
        if i in (4, 22):
            reviews.append(Review(f"A{i:02}", "seldom", _whole(quality - 10, generator)))
        if i % 3 == 0:
            reviews.append(Review(f"A{i:02}", "often", _whole(quality - 10, generator)))
    by_code = {figures.rater: figures for figures in calibrate(reviews).raters}
    seldom, often = by_code["seldom"], by_code["often"]
    assert (seldom.reviews, often.reviews) == (2, 12)
    assert 0 < seldom.severity_milli < often.severity_milli < 12_000
    assert (seldom.severity_se_milli or 0) > (often.severity_se_milli or 0)
    assert seldom.spread_milli == 1000
    assert (seldom.spread_se_milli or 0) > (often.spread_se_milli or 0)


def _whole(points: float, generator: np.random.Generator) -> int:
    return round(points + generator.normal(0, 3)) * 1000


def test_who_was_given_weak_applications_is_not_thought_severe() -> None:
    """Experts of one field read its weak applications, others the strong; two of each read on both sides."""
    generator = np.random.default_rng(11)
    reviews = []
    for i in range(40):
        quality = (50 if i < 20 else 80) + generator.normal(0, 4)
        side = 0 if i < 20 else 10
        panel = [side + (i + step) % 8 for step in range(4)]
        for j in [*panel, 8 + i % 2]:
            reviews.append(Review(f"A{i:02}", f"R{j:02}", round(quality + generator.normal(0, 4)) * 1000))
    found = calibrate(reviews)
    assert max(abs(figures.severity_milli) for figures in found.raters) < 4_000
    weak = statistics.fmean(calibrated(found)[f"A{i:02}"] for i in range(20))
    strong = statistics.fmean(calibrated(found)[f"A{i:02}"] for i in range(20, 40))
    assert strong - weak > 26_000


def test_groups_that_share_no_application_are_not_corrected_against_each_other() -> None:
    east, west = simulated(PLANTED, 1), simulated(Plan(applications=30, raters=15), 2)
    lower = [Review(f"W{r.application}", f"W{r.rater}", r.score_milli // 2) for r in west.reviews]
    higher = [replace(review, score_milli=review.score_milli + 20_000) for review in lower]
    before, after = calibrate([*east.reviews, *lower]), calibrate([*east.reviews, *higher])
    moved = {code: after_ - calibrated(before)[code] for code, after_ in calibrated(after).items()}
    assert {move for code, move in moved.items() if code.startswith("A")} == {0}
    assert {move for code, move in moved.items() if code.startswith("W")} == {20_000}
    assert [figures.group for figures in before.applications] == [1] * 120 + [2] * 30
    assert [figures.group for figures in before.raters] == [1] * 60 + [2] * 15
    remark = next(remark for remark in before.remarks if remark.code == "disconnected")
    assert remark.figures == {"groups": 2, "largest_raters": 60, "largest_applications": 120}
    assert "2 组" in remark.text.zh and "2 groups" in remark.text.en
    for group, raters in ((1, 60), (2, 15)):
        severities = [figures.severity_milli for figures in before.raters if figures.group == group]
        assert len(severities) == raters
        assert abs(statistics.fmean(severities)) < 1_000


def test_a_small_group_of_its_own_is_less_certain() -> None:
    given_round = simulated(PLANTED, 5)
    apart = [Review(f"B{i}", f"S{j}", 60_000 + 4_000 * i + 3_000 * j) for i in range(24) for j in range(5)]
    found = calibrate([*given_round.reviews, *apart])
    errors = {
        group: statistics.fmean(f.se_milli or 0 for f in found.applications if f.group == group)
        for group in (1, 2)
    }
    assert errors[2] > errors[1]


@pytest.mark.parametrize(
    ("reviews", "said"),
    [
        ([], set()),
        ([Review("A", "x", 70_000)], {"not_comparable"}),
        ([Review("A", "x", 70_000), Review("B", "x", 80_000)], {"not_comparable"}),
        ([Review("A", "x", 70_000), Review("B", "y", 80_000)], {"not_comparable"}),
        (
            [Review("A", "x", 70_000), Review("A", "y", 80_000)],
            {"no_severities", "no_spreads", "few_reviews"},
        ),
        (everyone_reads_all([[70_000] * 4] * 5), {"no_severities", "no_spreads"}),
        ([*everyone_reads_all([[70_000] * 4] * 5), Review("B", "R0", 90_000)], {"single_reviews"}),
    ],
)
def test_a_round_that_tells_nothing_keeps_its_means_and_says_so(
    reviews: list[Review], said: set[str]
) -> None:
    found = calibrate(reviews)
    assert calibrated(found) == means(found)
    assert said <= codes(found)
    if "not_comparable" in said:
        assert {figures.se_milli for figures in found.applications} == {None}
        assert {chance.above_milli for chance in chances(found, Places(1))} == {None}


def test_a_rater_who_scores_at_random_does_not_upset_the_round() -> None:
    given_round = simulated(NOTHING, 4)
    generator = np.random.default_rng(1)
    spoilt = [
        replace(review, score_milli=int(generator.choice([0, 100_000])))
        if review.rater == "R00005"
        else review
        for review in given_round.reviews
    ]
    found = calibrate(spoilt)
    ours, raw = rank_correlations(found, given_round.quality)
    assert ours > raw + 0.03
    assert max(found.raters, key=lambda figures: figures.spread_milli).rater == "R00005"


def test_a_rater_cannot_count_twice_on_one_application() -> None:
    with pytest.raises(ValueError, match="twice"):
        calibrate([Review("A", "x", 1), Review("A", "x", 2)])


@settings(max_examples=25, deadline=None)
@given(
    scores=st.lists(st.lists(st.integers(0, 90), min_size=4, max_size=4), min_size=3, max_size=8),
    missing=st.sets(st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=8),
    more=st.integers(1, 10),
    shuffled=st.randoms(use_true_random=False),
)
def test_order_makes_no_difference_and_a_kinder_scale_moves_everyone_alike(
    scores: list[list[int]], missing: set[tuple[int, int]], more: int, shuffled: object
) -> None:
    reviews = [
        Review(f"A{i}", f"R{j}", score * 1000)
        for i, row in enumerate(scores)
        for j, score in enumerate(row)
        if (i, j) not in missing
    ]
    found = calibrate(reviews)
    mixed = list(reviews)
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]
    assert calibrate(mixed) == found
    kinder = calibrate([replace(review, score_milli=review.score_milli + more * 1000) for review in reviews])
    for code, score in calibrated(found).items():
        # Rounding moves a figure that lies between two thousandths.
        assert abs(calibrated(kinder)[code] - score - more * 1000) <= 1


# -- against the textbook ------------------------------------------------------------------------------------


def test_severities_solve_hendersons_equations() -> None:
    """Qualities fixed, shifts random: one linear system of both, solved whole."""
    reviews = round_without_spreads().reviews
    layout = layout_of(reviews)
    assert layout is not None
    found = fit(layout)
    assert found.shift_variance > 0
    x, z = _designs(reviews)
    y = np.array([review.score_milli / 1000 for review in sorted(reviews, key=_place)])
    ratio = found.shift_variance / found.chance
    left = np.block([[x.T @ x, x.T @ z], [z.T @ x, z.T @ z + np.eye(z.shape[1]) / ratio]])
    solved = np.linalg.solve(left, np.concatenate([x.T @ y, z.T @ y]))
    assert np.allclose(layout.centre + found.quality, solved[: x.shape[1]], atol=1e-6)
    assert np.allclose(found.shift, solved[x.shape[1] :], atol=1e-6)


def test_the_variance_is_where_the_restricted_likelihood_is_highest() -> None:
    """Written out with the whole covariance matrix of all reviews, by determinants."""
    reviews = round_without_spreads().reviews
    layout = layout_of(reviews)
    assert layout is not None
    found = fit(layout)
    x, z = _designs(reviews)
    y = np.array([review.score_milli / 1000 for review in sorted(reviews, key=_place)])

    def likelihood(ratio: float) -> float:
        covariance = np.eye(len(y)) + ratio * z @ z.T
        inverse = np.linalg.inv(covariance)
        fixed = x.T @ inverse @ x
        residual = y - x @ np.linalg.solve(fixed, x.T @ inverse @ y)
        left = float(residual @ inverse @ residual)
        freedom = len(y) - x.shape[1]
        terms = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(fixed)[1] + freedom * math.log(left)
        # Two more raters without peculiarity, as documented.
        return -0.5 * float(terms + 2 * math.log1p(ratio))

    ratio = found.shift_variance / found.chance
    highest = likelihood(ratio)
    for step in (0.0, 0.8, 0.97, 1.03, 1.25):
        assert likelihood(ratio * step) < highest
    # What stays open is that of Henderson's equations at the ratio where the likelihood is half a unit lower.
    most = next(ratio * step for step in np.linspace(1, 4, 301) if likelihood(ratio * step) < highest - 0.5)
    within = z - x @ np.linalg.solve(x.T @ x, x.T @ z)
    open_ = found.chance * np.linalg.inv(within.T @ within + np.eye(z.shape[1]) / most)
    about = np.eye(z.shape[1]) - 1 / z.shape[1]
    assert np.allclose(found.open_shifts, about @ open_ @ about, rtol=0.05, atol=0.05)


def _place(review: Review) -> tuple[str, str]:
    return review.application, review.rater


def _designs(reviews: tuple[Review, ...]) -> tuple[np.ndarray, np.ndarray]:
    applications = sorted({review.application for review in reviews})
    raters = sorted({review.rater for review in reviews})
    given_reviews = sorted(reviews, key=_place)
    x = np.array([[r.application == code for code in applications] for r in given_reviews], float)
    z = np.array([[r.rater == code for code in raters] for r in given_reviews], float)
    return x, z


def test_where_everyone_reads_all_severities_are_shrunk_means_and_ranks_stay() -> None:
    """The closed form: rater means about the grand mean, times n·ratio / (1 + n·ratio)."""
    generator = np.random.default_rng(8)
    applications, raters = 15, 12
    scores = np.round(
        70
        + generator.normal(0, 8, (applications, 1))
        + generator.normal(0, 6, raters)
        + generator.normal(0, 4, (applications, raters))
    )
    found = calibrate(everyone_reads_all((scores * 1000).astype(int).tolist()))
    assert "no_spreads" in codes(found)
    assert calibrated(found) == means(found)
    ratio = (found.severity_sd_milli / found.chance_sd_milli) ** 2 if found.chance_sd_milli else 0.0
    shrunk = applications * ratio / (1 + applications * ratio)
    by_code = {figures.rater: figures.severity_milli for figures in found.raters}
    for j in range(raters):
        expected = 1000 * shrunk * (scores.mean() - scores[:, j].mean())
        assert abs(by_code[f"R{j}"] - expected) < 5
    # The analysis of variance estimates the same, but for the two raters thought to have been seen as well.
    rows, columns = scores.mean(axis=1, keepdims=True), scores.mean(axis=0)
    rest = scores - rows - columns + scores.mean()
    chance = float((rest**2).sum()) / ((applications - 1) * (raters - 1))
    between = (
        applications * float(((columns - scores.mean()) ** 2).sum()) / (raters - 1) - chance
    ) / applications
    assert found.chance_sd_milli == pytest.approx(1000 * chance**0.5, rel=0.02)
    assert 0.8 < found.severity_sd_milli / (1000 * between**0.5) < 1.0


# -- the line ------------------------------------------------------------------------------------------------


def drawn(found: Calibration, line: Places | Budget, **given_: int) -> dict[str, int]:
    return {chance.application: chance.above_milli or 0 for chance in chances(found, line, **given_)}


@pytest.fixture(scope="module")
def planted() -> Calibration:
    return calibrate(simulated(PLANTED, 0).reviews)


def test_chances_add_up_to_the_places(planted: Calibration) -> None:
    for count in (1, 40, 119):
        above = drawn(planted, Places(count), draws=1_000)
        assert abs(sum(above.values()) - 1000 * count) <= len(above)
    assert set(drawn(planted, Places(0), draws=200).values()) == {0}
    assert set(drawn(planted, Places(120), draws=200).values()) == {1000}
    assert set(drawn(planted, Places(999), draws=200).values()) == {1000}


def test_the_same_round_line_and_seed_give_the_same_chances(planted: Calibration) -> None:
    once, again = chances(planted, Places(40)), chances(planted, Places(40))
    assert once == again
    backwards = calibrate(reversed(simulated(PLANTED, 0).reviews))
    assert chances(backwards, Places(40)) == once
    other = drawn(planted, Places(40), seed=1)
    assert max(abs(other[chance.application] - (chance.above_milli or 0)) for chance in once) < 60


def test_chances_fall_with_the_calibrated_score_where_all_have_as_many_reviews(planted: Calibration) -> None:
    score = calibrated(planted)
    above = drawn(planted, Places(40))
    order = sorted(score, key=lambda code: -score[code])
    assert above[order[0]] > 950 and above[order[-1]] < 50
    assert all(above[a] + 150 > above[b] for a, b in itertools.pairwise(order))
    assert 300 < statistics.fmean(above[code] for code in order[38:42]) < 700


def test_stated_chances_come_true() -> None:
    tenths = reliability(PLANTED, range(8))
    assert sum(tenth["n"] for tenth in tenths) == 8 * 120
    for tenth in tenths:
        error = (tenth["stated"] * (1 - tenth["stated"]) / tenth["n"]) ** 0.5
        assert abs(tenth["stated"] - tenth["true"]) < 4 * error + 0.02, tenth


def test_two_applications_have_the_chance_of_the_normal_law() -> None:
    """Without draws: the difference of two qualities is normal, its mean and variance by linear algebra."""
    reviews = [
        Review(code, f"R{j}", 70_000 + 1_000 * apart)
        for code, first, scores in (("A", 0, (-4, 6, -7, 2, 9, -3)), ("B", 2, (-3, 8, 6, -2, 11, 1)))
        for j, apart in enumerate(scores, first)
    ]
    found = calibrate(reviews)
    posterior = found.posterior
    assert posterior is not None and "no_spreads" in codes(found)
    trust = posterior.quality_variance / (posterior.quality_variance + posterior.fit.chance / 6)
    difference = trust * (posterior.calibrated[1] - posterior.calibrated[0])
    # Two raters read A alone, two B alone; the severities of those who read both cancel.
    apart = np.array([1, 1, 0, 0, 0, 0, -1, -1]) / 6
    shifts = float(apart @ posterior.fit.open_shifts @ apart)
    assert shifts > 0
    expected = NormalDist().cdf(
        difference / (trust**2 * shifts + 2 * trust * posterior.fit.chance / 6) ** 0.5
    )
    assert 0.55 < expected < 0.95
    assert drawn(found, Places(1), draws=20_000)["B"] / 1000 == pytest.approx(expected, abs=0.015)


def test_a_budget_of_equal_amounts_is_a_number_of_places(planted: Calibration) -> None:
    amounts = {figures.application: 30_000_000 for figures in planted.applications}
    budget = Budget(40 * 30_000_000 + 29_999_999, amounts)
    assert chances(planted, budget, draws=500) == chances(planted, Places(40), draws=500)


def test_the_line_of_a_budget_stops_at_the_first_amount_that_does_not_fit(planted: Calibration) -> None:
    score = calibrated(planted)
    best = max(score, key=lambda code: score[code])
    amounts = dict.fromkeys(score, 1)
    above = drawn(planted, Budget(60, amounts | {best: 61}), draws=500)
    assert above[best] == 0
    # Whoever stands above the one that does not fit is funded in that draw; whoever stands below is not.
    assert sum(above.values()) < 5_000
    assert drawn(planted, Budget(0, amounts), draws=100) == dict.fromkeys(score, 0)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (Places(-1), ValueError),
        (Budget(-1, {"A": 1, "B": 1}), ValueError),
        (Budget(1, {"A": -1, "B": 1}), ValueError),
        (Budget(1, {"A": MINOR_MAX, "B": 1}), ValueError),
        (Budget(1, {"A": 1}), KeyError),
    ],
)
def test_a_line_that_means_nothing_is_refused(line: Places | Budget, error: type[Exception]) -> None:
    found = calibrate([Review(code, rater, 70_000) for code in "AB" for rater in "xyz"])
    with pytest.raises(error):
        chances(found, line)


def test_an_empty_round_has_no_chances() -> None:
    none: tuple[Chance, ...] = ()
    assert chances(calibrate([]), Places(3)) == none


def test_a_large_round_takes_seconds() -> None:
    given_round = simulated(Plan(applications=2_000, raters=500), 0)
    found = calibrate(given_round.reviews)
    assert len(chances(found, Places(600), draws=400)) == 2_000
    ours, raw = rank_correlations(found, given_round.quality)
    assert ours > raw + 0.02
