"""What looks odd is pointed out with figures and words, the rest is let be, and nothing is taken away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.experts.patterns import Code, Finding, Limits, Review, patterns

ITEMS = ("novelty", "method", "benefit", "budget")


def usual_round(seed: int = 0, applications: int = 60, raters: int = 30) -> list[Review]:
    """Five reviews each, four items that differ by application and by rater, a comment of one's own."""
    generator = np.random.default_rng(seed)
    severity = generator.normal(0, 4, raters)
    reviews = []
    for i in range(applications):
        quality = generator.normal(70, 7)
        items = quality + generator.normal(0, 6, len(ITEMS))
        for step in range(5):
            j = (i * 7 + step * (raters // 5)) % raters
            marks = np.clip(np.round(items - severity[j] + generator.normal(0, 5, len(ITEMS))), 0, 100)
            reviews.append(
                Review(
                    f"A{i:02}",
                    f"R{j:02}",
                    int(marks.mean() * 1000),
                    {code: int(mark) * 1000 for code, mark in zip(ITEMS, marks, strict=True)},
                    f"第 {i} 份由 {j} 评：方案清楚，风险已说明。",
                    f"U{i % 4}",
                )
            )
    return reviews


def changed(reviews: Sequence[Review], rater: str, change: dict[str, Review]) -> list[Review]:
    """The reviews with those of one rater on these applications put in their place."""
    return [change.get(r.application, r) if r.rater == rater else r for r in reviews]


def of_rater(reviews: Sequence[Review], rater: str) -> list[Review]:
    return [review for review in reviews if review.rater == rater]


def only(found: Sequence[Finding], code: str) -> Finding:
    (finding,) = [finding for finding in found if finding.code == code]
    return finding


# -- what is let be ------------------------------------------------------------------------------------------


def test_usual_rounds_hardly_have_findings() -> None:
    found: Counter[str] = Counter()
    for seed in range(12):
        found.update(finding.code for finding in patterns(usual_round(seed)))
    # 3,600 reviews by 360 raters.
    assert found.total() <= 6, found
    assert set(found) <= {"outlying_score", "unit_favoured", "unit_disfavoured"}


def test_a_coarse_scale_on_which_everyone_repeats_marks_is_no_finding() -> None:
    generator = np.random.default_rng(4)
    reviews = []
    for i in range(40):
        quality = generator.normal(3, 0.6)
        for j in range(5):
            marks = np.clip(np.round(quality + generator.normal(0, 0.7, 3)), 0, 5)
            items = {code: int(mark) * 20_000 for code, mark in zip(ITEMS, marks, strict=False)}
            score = sum(items.values()) // 3
            reviews.append(Review(f"A{i:02}", f"R{(i * 3 + j * 4) % 20:02}", score, items))
    codes = {finding.code for finding in patterns(reviews)}
    assert codes.isdisjoint({"even_marks", "repeated_marks", "halo"})


def test_a_rater_who_is_always_severe_is_no_outlier() -> None:
    severe = [
        replace(r, score_milli=max(r.score_milli - 15_000, 0)) if r.rater == "R03" else r
        for r in usual_round()
    ]
    found = [finding for finding in patterns(severe) if finding.code == "outlying_score"]
    assert len([finding for finding in found if finding.raters == ("R03",)]) <= 1


@pytest.mark.parametrize(
    "reviews",
    [
        [],
        [Review("A", "x", 70_000)],
        [Review("A", "x", 0), Review("A", "y", 100_000)],
        [Review(f"A{i}", "x", 70_000, {"a": 1, "b": 1, "c": 1}) for i in range(9)],
    ],
)
def test_a_round_in_which_nobody_can_be_compared_has_no_findings(reviews: list[Review]) -> None:
    assert patterns(reviews) == ()


# -- what is pointed out -------------------------------------------------------------------------------------


@pytest.mark.parametrize("difference", [-35_000, 25_000])
def test_a_score_far_from_the_others_is_pointed_out(difference: int) -> None:
    reviews = usual_round()
    others = sorted(r.score_milli for r in reviews if r.application == "A10" and r.rater != "R10")
    assert len(others) == 4
    middle = (others[1] + others[2]) // 2
    (mine,) = [r for r in reviews if (r.application, r.rater) == ("A10", "R10")]
    odd = replace(mine, score_milli=middle + difference)
    finding = only(patterns(changed(reviews, "R10", {"A10": odd})), "outlying_score")
    assert (finding.raters, finding.applications) == (("R10",), ("A10",))
    assert finding.figures["score_milli"] == odd.score_milli
    assert finding.figures["others"] == 4
    assert abs(finding.figures["difference_milli"] - difference) <= 1
    assert finding.figures["deviations_hundredths"] >= 350


def test_one_odd_score_does_not_make_the_others_odd() -> None:
    reviews = [
        Review(f"A{i}", f"R{j}", 70_000 + 1_000 * ((i + 2 * j) % 3)) for i in range(8) for j in range(3)
    ]
    reviews[4] = replace(reviews[4], score_milli=5_000)
    assert [finding.raters for finding in patterns(reviews)] == [("R1",)]


def test_a_rater_whose_items_hardly_vary_is_pointed_out() -> None:
    reviews = usual_round()
    flat = {
        r.application: replace(
            r,
            items={code: r.score_milli // 1000 * 1000 + (1000 if code == "method" else 0) for code in ITEMS},
        )
        for r in of_rater(reviews, "R05")
    }
    finding = only(patterns(changed(reviews, "R05", flat)), "halo")
    assert finding.raters == ("R05",)
    assert finding.applications == tuple(sorted(flat))
    assert finding.figures["own_milli"] < 1_000 < 4_000 < finding.figures["others_milli"]
    assert finding.figures["reviews"] == finding.figures["lower"] == len(flat)


def test_a_rater_who_gives_every_item_the_same_is_pointed_out_once() -> None:
    reviews = usual_round()
    flat = {
        r.application: replace(r, items=dict.fromkeys(ITEMS, r.score_milli)) for r in of_rater(reviews, "R05")
    }
    found = [f for f in patterns(changed(reviews, "R05", flat)) if f.raters == ("R05",)]
    assert [finding.code for finding in found] == ["even_marks"]
    assert found[0].figures["alike"] == found[0].figures["reviews"] == len(flat)
    assert found[0].figures["other_alike"] == 0


def test_a_rater_who_gives_many_the_same_marks_is_pointed_out() -> None:
    reviews = usual_round()
    marks = {"novelty": 80_000, "method": 75_000, "benefit": 85_000, "budget": 60_000}
    same = {r.application: replace(r, items=marks) for r in of_rater(reviews, "R05")[:5]}
    finding = only(patterns(changed(reviews, "R05", same)), "repeated_marks")
    assert (finding.raters, finding.applications) == (("R05",), tuple(sorted(same)))
    assert finding.figures["alike"] == 5


def test_without_items_the_same_score_again_and_again_is_pointed_out() -> None:
    reviews = [replace(r, items={}) for r in usual_round()]
    same = {r.application: replace(r, score_milli=77_000) for r in of_rater(reviews, "R05")}
    finding = only(patterns(changed(reviews, "R05", same)), "repeated_marks")
    assert finding.raters == ("R05",)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("技术路线清楚，团队有能力按期完成。", "技术路线清楚,团队有能力按期完成 "),
        ("The plan is sound and well costed.", "THE PLAN IS SOUND — and well costed"),
        ("ＡＢＣ１２３ 方案可行，预算合理", "abc123方案可行、预算合理！"),
    ],
)
def test_texts_that_are_the_same_but_for_signs_are_pointed_out(first: str, second: str) -> None:
    one = [Review("A", "x", 70_000, comment=first), Review("B", "x", 60_000, comment=second)]
    finding = only(patterns(one), "same_text_one_rater")
    assert (finding.raters, finding.applications) == (("x",), ("A", "B"))
    two = [Review("A", "x", 70_000, comment=first), Review("A", "y", 60_000, comment=second)]
    finding = only(patterns(two), "same_text_several_raters")
    assert (finding.raters, finding.applications, finding.figures["reviews"]) == (("x", "y"), ("A",), 2)


def test_a_rater_cannot_count_twice_on_one_application() -> None:
    with pytest.raises(ValueError, match="twice"):
        patterns([Review("A", "x", 1), Review("A", "x", 2)])


def test_short_texts_and_no_texts_are_let_be() -> None:
    for text in ("", "同意", "同意立项。", "OK, fund it"):
        assert (
            patterns([Review("A", "x", 70_000, comment=text), Review("B", "x", 60_000, comment=text)]) == ()
        )


@pytest.mark.parametrize(("more", "code"), [(12_000, "unit_favoured"), (-12_000, "unit_disfavoured")])
def test_a_rater_for_whom_it_matters_who_applies_is_pointed_out(more: int, code: str) -> None:
    reviews = usual_round()
    mine = of_rater(reviews, "R08")
    unit = Counter(review.unit for review in mine).most_common(1)[0][0]
    there = [review for review in mine if review.unit == unit]
    assert 3 <= len(there) <= len(mine) - 3
    moved = {r.application: replace(r, score_milli=r.score_milli + more) for r in there}
    finding = only(patterns(changed(reviews, "R08", moved)), code)
    assert (finding.raters, finding.unit) == (("R08",), unit)
    assert finding.applications == tuple(sorted(moved))
    assert finding.figures["difference_milli"] > 6_000


def test_every_limit_can_be_set() -> None:
    reviews = usual_round()
    strict = Limits(outlier_deviations=1.5, outlier_at_least_milli=3_000)
    assert len(patterns(reviews, strict)) > len(patterns(reviews)) + 5
    assert patterns(reviews, Limits(outlier_deviations=99, unit_deviations=99)) == ()


# -- how it is said ------------------------------------------------------------------------------------------


FIGURES = {
    "outlying_score": (
        "score_milli",
        "reference_milli",
        "difference_milli",
        "others",
        "deviations_hundredths",
    ),
    "halo": ("reviews", "lower", "own_milli", "others_milli"),
    "even_marks": ("reviews", "alike", "other_reviews", "other_alike"),
    "repeated_marks": ("reviews", "alike", "other_reviews", "other_alike"),
    "same_text_one_rater": ("reviews", "characters"),
    "same_text_several_raters": ("reviews", "characters"),
    "unit_favoured": ("reviews", "rest", "difference_milli", "deviations_hundredths"),
    "unit_disfavoured": ("reviews", "rest", "difference_milli", "deviations_hundredths"),
}


@pytest.mark.parametrize("code", get_args(Code))
def test_every_finding_is_said_in_both_languages_with_its_figures(code: Code) -> None:
    figures = {name: 12_340 + 100 * number for number, name in enumerate(FIGURES[code])}
    finding = Finding(code, ("r-1", "r-2"), ("甲", "乙"), figures, "某所")
    said = finding.said({"r-1": "专家一"})
    for text in (said.zh, said.en):
        assert "专家一" in text and "r-2" in text and "r-1" not in text
        assert not re.search(r"[{}]", text)
        for name, figure in figures.items():
            scale = 1000 if name.endswith("_milli") else 100
            shown = f"{figure / scale:.1f}" if "_milli" in name or "_hundredths" in name else str(figure)
            assert shown in text, name
    assert "某所" in said.zh or not code.startswith("unit")


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_the_order_of_reviews_makes_no_difference_and_nothing_is_taken_away(mixed: object, seed: int) -> None:
    reviews = usual_round(seed, applications=15, raters=10)
    limits = Limits(outlier_deviations=1.0, outlier_at_least_milli=1_000, unit_deviations=1.0, halo_ratio=0.9)
    before = [repr(review) for review in reviews]
    found = patterns(reviews, limits)
    assert [repr(review) for review in reviews] == before
    shuffled = list(reviews)
    mixed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert patterns(shuffled, limits) == found
