"""Affinity is what subject codes and texts say, in whole numbers, and what it shows is how it came about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from milepost.experts.affinity import Affinity, Weights, affinity, shared_levels, terms_of
from milepost.experts.rounds import SCORE_MAX, Application, MatchingError, Reviewer
from states.seating import Composition

ALLOYS = "高温合金涂层的耐磨性能研究，面向航空发动机叶片。"
CANE = "甘蔗良种繁育与病虫害绿色防控技术示范。"
SOLAR = "Perovskite solar cells with robust transport layers."


def application(id: str = "a", fields: tuple[str, ...] = (), text: str = "") -> Application:
    return Application(id, fields, text, frozenset(), Composition(3))


def reviewer(id: str = "r", fields: tuple[str, ...] = (), text: str = "") -> Reviewer:
    return Reviewer(id, fields, text, frozenset({"technology"}), "", "", 5)


def one(ours: Application, theirs: Reviewer, **given: Any) -> int:
    """The score of a pair in a round in which other texts are about other things."""
    others = [reviewer("cane", ("210",), CANE), reviewer("solar", ("480",), SOLAR)]
    return int(affinity([ours], [theirs, *others], **given).scores[0, 0])


# -- subjects ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "other", "levels"),
    [
        ("5104010", "5104010", 3),
        ("5104010", "51040", 2),
        ("51040", "5104010", 2),
        ("5104010", "5104020", 2),
        ("5104010", "510", 1),
        ("5104010", "5101010", 1),
        ("510", "510", 1),
        ("5104010", "5204010", 0),
        ("5104010", "", 0),
        ("51", "51", 0),
    ],
)
def test_codes_share_the_levels_of_their_common_beginning(code: str, other: str, levels: int) -> None:
    assert shared_levels(code, other, (3, 5, 7)) == levels


@pytest.mark.parametrize(
    ("ours", "theirs", "score"),
    [
        (("5104010",), ("5104010",), SCORE_MAX),
        (("5104010",), ("510", "51040", "210"), 750_000),
        (("5104010", "21010"), ("51040",), 375_000),
        (("5104010", "21010"), ("51040", "21010"), 750_000),
        (("5104010", "5104010"), ("5104010",), SCORE_MAX),
        (("5104010",), (), 0),
    ],
)
def test_each_subject_of_an_application_counts_by_the_nearest_of_the_reviewer(
    ours: tuple[str, ...], theirs: tuple[str, ...], score: int
) -> None:
    assert one(application(fields=ours), reviewer(fields=theirs)) == score


def test_other_classifications_are_cut_where_the_weights_say() -> None:
    weights = Weights(cuts=(1, 3), levels=(0, 200_000, SCORE_MAX))
    assert one(application(fields=("F0206",)), reviewer(fields=("F02",)), weights=weights) == SCORE_MAX
    assert one(application(fields=("F0206",)), reviewer(fields=("F0101",)), weights=weights) == 200_000


# -- texts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "near", "far"),
    [
        (ALLOYS, "长期从事合金涂层与耐磨材料研究", "从事甘蔗育种研究"),
        (SOLAR, "stability of PEROVSKITE cells", "robust control of tunnels"),
        ("sugar cane breeding", "breeds of canes", "bridge bearings"),
        ("面向 perovskite 电池的封装", "perovskite 器件", "轴承故障诊断"),
    ],
    ids=["Chinese", "English", "inflected", "both"],
)
def test_whoever_writes_on_the_same_subject_is_nearer(ours: str, near: str, far: str) -> None:
    found = affinity([application(text=ours)], [reviewer("near", (), near), reviewer("far", (), far)]).scores
    assert found[0, 0] > found[0, 1]


def test_width_and_case_do_not_matter() -> None:
    assert terms_of("ＰＥＲＯＶＳＫＩＴＥ电池") == terms_of("perovskite电池")


def test_punctuation_separates() -> None:
    assert "金涂" in terms_of("合金涂层")
    assert "金涂" not in terms_of("合金，涂层")


@pytest.mark.parametrize("text", ["", "  ", "，。", "a"])
def test_a_round_without_words_is_scored_by_subjects_alone(text: str) -> None:
    found = affinity([application(fields=("510",), text=text)], [reviewer(fields=("510",), text=text)])
    assert found.scores.tolist() == [[350_000 if not text.strip() else 210_000]]


# -- both together -------------------------------------------------------------------------------------------


def test_an_application_that_left_one_part_out_is_scored_by_the_other() -> None:
    same = reviewer(fields=("5104010",), text=ALLOYS)
    assert one(application(fields=("5104010",)), same) == SCORE_MAX
    assert one(application(text=ALLOYS), same) == SCORE_MAX


def test_a_reviewer_who_left_one_part_out_earns_nothing_by_it() -> None:
    ours = application(fields=("5104010",), text=ALLOYS)
    assert one(ours, reviewer(fields=("5104010",))) == 600_000
    assert one(ours, reviewer(text=ALLOYS)) == 400_000


@pytest.mark.parametrize(("weights", "score"), [((1, 0), 0), ((0, 1), SCORE_MAX), ((1, 1), 500_000)])
def test_the_weights_decide(weights: tuple[int, int], score: int) -> None:
    ours, theirs = application(fields=("5104010",), text=ALLOYS), reviewer(fields=("210",), text=ALLOYS)
    assert one(ours, theirs, weights=Weights(*weights)) == score


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": 0, "text": 0},
        {"fields": -1},
        {"cuts": (5, 3, 7)},
        {"levels": (0, 1)},
        {"levels": (0, 5, 3, 9)},
        {"levels": (0, 1, 2, SCORE_MAX + 1)},
        {"cosine_full": 0},
    ],
)
def test_weights_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MatchingError) as refused:
        Weights(**wrong)
    assert refused.value.code == "affinity_weights"


# -- the whole table -----------------------------------------------------------------------------------------


def round_of() -> Affinity:
    ours = [
        application("alloys", ("43010", "5104010"), ALLOYS),
        application("cane", ("21020",), CANE + "与育种。"),
        application("codes", ("480",), ""),
    ]
    theirs = [
        reviewer("metal", ("4301020",), "航空发动机叶片的高温合金涂层"),
        reviewer("farm", ("210", "2102010"), "甘蔗良种繁育"),
        reviewer("power", ("48010",), SOLAR),
        reviewer("silent", (), ""),
    ]
    return affinity(ours, theirs)


def test_scores_are_whole_numbers_from_0_to_a_million() -> None:
    scores = round_of().scores
    assert scores.dtype == np.int32
    assert scores.shape == (3, 4)
    assert scores.min() >= 0
    assert scores.max() <= SCORE_MAX
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]
    assert not scores[:, 3].any()


def test_the_same_round_gives_the_same_scores_in_any_order() -> None:
    found = round_of()
    turned = affinity(found.applications[::-1], found.reviewers[::-1])
    assert np.array_equal(turned.scores[::-1, ::-1], found.scores)


@pytest.mark.parametrize(("down", "across"), [(0, 2), (2, 0), (0, 0)])
def test_an_empty_side_is_an_empty_table(down: int, across: int) -> None:
    ours = [application(str(at), ("510",), ALLOYS) for at in range(down)]
    theirs = [reviewer(str(at), ("510",), ALLOYS) for at in range(across)]
    assert affinity(ours, theirs).scores.shape == (down, across)


# -- why -----------------------------------------------------------------------------------------------------


def test_every_score_is_the_sum_of_the_parts_that_explain_it() -> None:
    found = round_of()
    for row, ours in enumerate(found.applications):
        for column, theirs in enumerate(found.reviewers):
            why = found.explain(ours.id, theirs.id)
            assert why.score == found.scores[row, column]
            assert why.fields_points + why.text_points == why.score
            points = sum(shared.points for shared in why.fields) // max(1, len(ours.fields))
            share = 60 if ours.text else 100
            assert why.fields_points == points * share // 100
            assert why.text_points == min(why.cosine_millionths * 100 // 40, SCORE_MAX) * (100 - share) // 100


def test_shared_subjects_and_leading_phrases_are_named() -> None:
    why = round_of().explain("alloys", "metal")
    assert [(f.application, f.reviewer, f.shared) for f in why.fields] == [("43010", "4301020", "43010")]
    phrases = [phrase for phrase, _ in why.terms]
    assert {"高温合金涂层", "航空发动机叶片"} <= set(phrases)
    for phrase in phrases:
        assert phrase in ALLOYS
    weights = [weight for _, weight in why.terms]
    assert weights == sorted(weights, reverse=True)
    # Rounded one by one: the pieces may miss their sum by their number at most.
    assert abs(sum(weights) - why.cosine_millionths) <= 50


def test_no_more_phrases_are_named_than_asked_for() -> None:
    assert len(round_of().explain("alloys", "metal", terms=1).terms) == 1
    assert round_of().explain("alloys", "silent").terms == ()


def test_a_stranger_is_not_explained() -> None:
    with pytest.raises(KeyError):
        round_of().explain("alloys", "nobody")
