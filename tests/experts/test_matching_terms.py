"""A matching keeps to what it is told, pairs assigned before, chance, a stop, and says why, pair by pair."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from math import sqrt
from typing import Any

import numpy as np
import pytest

from milepost.experts.grid import opened_by_chance, pair_is_open
from milepost.experts.matching import Matching, Stage, Terms
from milepost.experts.rounds import SCORE_MAX, MatchingError
from states.seating import Composition
from tests.experts.matching_scene import ANYBODY, PLAIN, Round, application, judge, middling, reviewer

ONE = Composition(1, odd=False)
THREE = Composition(3, one_per_institution=False)


def members(found: Matching, id: str) -> set[str]:
    return {pair.reviewer for pair in found.pairs if pair.application == id}


# -- what is assigned already ------------------------------------------------------------------------------


def test_what_is_assigned_stays_and_uses_up_no_task() -> None:
    ours = [application("a", ANYBODY), application("b", ANYBODY)]
    theirs = [reviewer("far", 0), reviewer("near"), reviewer("near too", 2)]
    case = Round(ours, theirs, [[0, 90, 80], [0, 90, 80]], fixed=frozenset({("a", "far")}))
    found = case.match()
    judge(case, found)
    assert not found.short
    assert "far" in members(found, "a")
    assert sum(pair.fixed for pair in found.pairs) == 1


def test_what_is_assigned_stays_even_against_a_conflict_and_nobody_joins_in_conflict() -> None:
    theirs = [reviewer("kin"), reviewer("rival"), reviewer("fair", institution="x")]
    barred = frozenset({("a", "kin"), ("a", "rival")})
    case = Round([application("a")], theirs, [[90, 80, 0]], barred, frozenset({("a", "kin")}))
    found = case.match()
    judge(case, found)
    assert members(found, "a") == {"kin", "fair"}


def test_people_who_sit_take_seats_of_their_kind_and_keep_their_colleagues_away() -> None:
    panel = Composition(3, {"finance": 1, "technology": 1}, one_per_institution=True)
    theirs = [
        reviewer("sits", kinds=("finance",), institution="x"),
        reviewer("colleague", institution="x"),
        reviewer("second finance", kinds=("finance",)),
        reviewer("engineer"),
        reviewer("other engineer"),
    ]
    case = Round([application("a", panel)], theirs, [[0, 90, 80, 10, 20]], fixed=frozenset({("a", "sits")}))
    found = case.match()
    judge(case, found)
    assert members(found, "a") == {"sits", "second finance", "other engineer"}


def test_a_full_panel_that_lacks_a_reserved_kind_is_named() -> None:
    panel = Composition(2, {"finance": 1}, odd=False)
    theirs = [reviewer("r0"), reviewer("r1"), reviewer("money", kinds=("finance",))]
    fixed = frozenset({("a", "r0"), ("a", "r1")})
    found = Round([application("a", panel)], theirs, [[5, 5, 99]], fixed=fixed).match()
    assert members(found, "a") == {"r0", "r1"}
    assert [(each.seats, each.reasons, each.lacking) for each in found.short] == [
        (0, ("assigned",), ("finance",))
    ]


def test_more_people_than_seats_all_stay() -> None:
    theirs = [reviewer(f"r{at}") for at in range(4)]
    fixed = frozenset({("a", "r0"), ("a", "r1"), ("a", "r2")})
    found = Round([application("a")], theirs, [[1, 2, 3, 4]], fixed=fixed).match()
    assert members(found, "a") == {"r0", "r1", "r2"}
    assert not found.short


# -- chance ------------------------------------------------------------------------------------------------


def test_whether_a_pair_is_open_can_be_recomputed_from_the_description() -> None:
    def by_description(seed: str, application: str, reviewer: str, percent: int) -> bool:
        text = f"milepost matching\n{seed}\n{application}\n{reviewer}"
        number = int(sha256(text.encode("utf-8")).hexdigest()[:16], 16)
        return number * 100 < percent * 2**64 - percent * 2**64 % 100

    names, people = [f"申报{at}" for at in range(30)], [f"r{at}" for at in range(30)]
    for percent in (1, 33, 50, 99):
        table = opened_by_chance("开奖 8", names, people, percent)
        for row, name in enumerate(names):
            for column, person in enumerate(people):
                expected = by_description("开奖 8", name, person, percent)
                assert pair_is_open("开奖 8", name, person, percent) == table[row, column] == expected
    assert opened_by_chance("s", names, people, 100).all()


@pytest.mark.parametrize("percent", [25, 70])
def test_no_pair_is_made_more_often_than_its_cap_whatever_its_affinity(percent: int) -> None:
    # One who has written what it takes to be matched, among others who are nowhere near.
    theirs = [reviewer(f"r{at}") for at in range(6)]
    case = Round([application("a", ONE)], theirs, [[SCORE_MAX, 9, 8, 7, 6, 5]])
    seeds, made = 400, 0
    for seed in range(seeds):
        found = case.match(Terms(open_percent=percent, seed=str(seed)))
        made += members(found, "a") == {"r0"}
    spread = 4 * sqrt(percent * (100 - percent) * seeds) / 100
    assert abs(made - seeds * percent / 100) <= spread


def test_two_who_collude_are_both_closed_as_often_as_independence_says() -> None:
    theirs = [reviewer(f"r{at}") for at in range(4)]
    case = Round([application("a", ONE)], theirs, [[SCORE_MAX, SCORE_MAX, 1, 0]])
    neither = sum(
        not members(case.match(Terms(open_percent=50, seed=f"{seed}")), "a") & {"r0", "r1"}
        for seed in range(400)
    )
    assert abs(neither - 100) <= 4 * sqrt(400 * 0.25 * 0.75)


def test_pairs_closed_by_chance_are_counted_and_named() -> None:
    theirs = [reviewer(f"r{at}") for at in range(40)]
    case = Round([application("a", ONE)], theirs, [list(range(40))])
    closed = [not pair_is_open("s", "a", f"r{at}", 30) for at in range(40)]
    found = case.match(Terms(open_percent=30, seed="s"))
    judge(case, found)
    assert found.closed_by_chance == sum(closed)
    best = max(at for at in range(40) if not closed[at])
    assert members(found, "a") == {f"r{best}"}
    assert found.explain("a", f"r{best}").better == {"chance": 39 - best}


# -- progress and stop -------------------------------------------------------------------------------------


def test_it_can_be_stopped_after_any_step_with_a_matching_that_keeps_the_rules() -> None:
    case = middling(2, Composition(3, {"technology": 1}, True, Fraction(1, 3)), panels=28, people=24)
    stages: list[Stage] = []
    whole = case.match(progress=stages.append)
    assert not whole.stopped
    order = ["flow", "fill", "raise", "exact", "prove", "fair"]
    assert list(dict.fromkeys(stage.phase for stage in stages)) == [
        phase for phase in order if phase in {stage.phase for stage in stages}
    ]
    previous = sum(ours.panel.size for ours in case.applications)
    for step in sorted({0, 1, 2, 5, *range(10, len(stages), max(1, len(stages) // 4)), len(stages) - 1}):
        polls = iter(range(len(stages) + 1))
        found = case.match(stop=lambda polls=polls, step=step: next(polls) >= step)
        judge(case, found)
        assert found.stopped
        empty = sum(each.seats for each in found.short)
        assert empty == stages[step].empty <= previous
        assert found.total == stages[step].affinity
        previous = empty
    assert previous == 0


def test_one_that_was_stopped_says_so_for_the_seats_it_left() -> None:
    found = Round([application("a")], [reviewer("r0"), reviewer("r1")], [[1, 2]]).match(stop=lambda: True)
    assert (found.stopped, found.pairs, found.gap_millionths) == (True, (), None)
    assert found.short[0].reasons == ("stopped",)


def test_what_is_shown_never_gets_worse_while_the_worst_served_are_lifted() -> None:
    stages: list[Stage] = []
    middling(1, THREE).match(progress=stages.append)
    worst = [stage.worst for stage in stages if stage.phase == "fair"]
    assert worst == sorted(worst)
    assert len(worst) > 2
    assert all(0 <= stage.done <= stage.total or stage.total == 0 for stage in stages)


def test_the_same_round_gives_the_same_pairs() -> None:
    case = middling(3, Composition(3), panels=28, people=24)
    terms = Terms(open_percent=70, seed="s")
    assert case.match(terms).pairs == case.match(terms).pairs
    assert case.match(terms).pairs != case.match(replace(terms, seed="t")).pairs


# -- why ---------------------------------------------------------------------------------------------------

FINANCE = Composition(2, {"finance": 1}, odd=False)
AWAY = Composition(2, {}, False, Fraction(1, 2))


@pytest.mark.parametrize(
    ("panel", "people", "given", "seats", "reasons"),
    [
        (ANYBODY, [reviewer("r0")], {}, 1, ("pool",)),
        (ANYBODY, [reviewer("r0"), reviewer("r1", 0)], {}, 1, ("capacity",)),
        (ANYBODY, [reviewer("r0"), reviewer("r1")], {"forbidden": {("a", "r1")}}, 1, ("conflicts",)),
        (ANYBODY, [reviewer("r0"), reviewer("r1", institution="own")], {}, 1, ("conflicts",)),
        (FINANCE, [reviewer("r0"), reviewer("r1")], {}, 1, ("kind:finance",)),
        (AWAY, [reviewer("r0"), reviewer("r1", region="n")], {}, 1, ("off_site",)),
        (
            Composition(2, odd=False),
            [reviewer("r0", institution="x"), reviewer("r1", institution="x")],
            {},
            1,
            ("institution",),
        ),
        (
            Composition(2, odd=False, field_digits=3),
            [reviewer("r0"), reviewer("r1", fields=("790",))],
            {},
            1,
            ("fields",),
        ),
        (ANYBODY, [], {}, 2, ("pool",)),
    ],
    ids=["few", "busy", "conflict", "own unit", "kind", "off-site", "colleagues", "field", "nobody"],
)
def test_an_empty_seat_says_what_is_in_the_way(
    panel: Composition, people: list[Any], given: dict[str, Any], seats: int, reasons: tuple[str, ...]
) -> None:
    ours = [application("a", panel, region="n", keys=frozenset({"own"}))]
    case = Round(ours, people, [[5] * len(people)], **{key: frozenset(value) for key, value in given.items()})
    found = case.match()
    judge(case, found)
    assert [(each.seats, each.reasons) for each in found.short] == [(seats, reasons)]


def test_a_seat_closed_by_chance_alone_says_so() -> None:
    case = Round([application("a", ONE)], [reviewer("r0")], [[5]])
    seed = next(str(at) for at in range(99) if not pair_is_open(str(at), "a", "r0", 50))
    found = case.match(Terms(open_percent=50, seed=seed))
    assert [each.reasons for each in found.short] == [("chance",)]


def test_everybody_who_fits_better_is_accounted_for() -> None:
    panel = Composition(3, {"technology": 1, "finance": 1}, True, field_digits=3, field_exempt=())
    theirs = [
        reviewer("money", kinds=("finance",)),
        reviewer("first", institution="x"),
        reviewer("second"),
        reviewer("kin"),
        reviewer("stranger", fields=("210",)),
        reviewer("colleague", institution="x"),
        reviewer("engaged", 0),
        reviewer("third"),
    ]
    ours = [application("a", panel)]
    scores = [[1, 99, 50, 90, 90, 90, 90, 40]]
    case = Round(ours, theirs, scores, frozenset({("a", "kin")}))
    found = case.match()
    judge(case, found)
    assert members(found, "a") == {"money", "first", "second"}
    assert found.explain("a", "first").better == {}
    others = {"conflicts": 1, "fields": 1, "institution": 1, "busy": 1}
    assert found.explain("a", "second").better == {"sits": 1, **others}
    # For the seat of the finance expert the third engineer would not do.
    assert found.explain("a", "money").better == {
        "sits": 2, "conflicts": 1, "fields": 1, "institution": 1, "composition": 2,
    }  # fmt: skip


def test_a_pair_that_was_not_made_is_not_explained() -> None:
    found = Round([application("a", ONE)], [reviewer("r0"), reviewer("r1")], [[2, 1]]).match()
    with pytest.raises(KeyError):
        found.explain("a", "r1")


def test_one_without_a_field_may_sit_for_an_exempt_kind_only() -> None:
    panel = Composition(2, {"finance": 1}, odd=False, field_digits=3, field_exempt=("finance",))
    theirs = [
        reviewer("money", kinds=("finance", "technology"), fields=("790",)),
        reviewer("engineer", fields=("51010",)),
        reviewer("stranger", fields=("210",)),
    ]
    case = Round([application("a", panel)], theirs, [[1, 2, 99]])
    assert members(case.match(), "a") == {"money", "engineer"}


# -- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"applications": [application("a"), application("a")]}, "round_names"),
        ({"reviewers": [reviewer("r"), reviewer("r")]}, "round_names"),
        ({"reviewers": [reviewer("r\n0"), reviewer("r1")]}, "round_names"),
        ({"forbidden": frozenset({("a", "nobody")})}, "round_stranger"),
        ({"fixed": frozenset({("z", "r0")})}, "round_stranger"),
        ({"scores": [[0, -1], [0, 0]]}, "round_scores"),
        ({"scores": [[0, SCORE_MAX + 1], [0, 0]]}, "round_scores"),
        ({"applications": [application("a", Composition(2)), application("b")]}, "size_even"),
        (
            {"applications": [application("a", Composition(1, {"finance": 2})), application("b")]},
            "minimums_exceed_size",
        ),
    ],
)
def test_a_round_that_contradicts_itself_is_refused(change: dict[str, Any], code: str) -> None:
    case = Round([application("a"), application("b")], [reviewer("r0"), reviewer("r1")], [[1, 2], [3, 4]])
    with pytest.raises(MatchingError) as refused:
        replace(case, **change).match()
    assert refused.value.code == code
    assert refused.value.zh != refused.value.en


def test_scores_of_another_shape_are_refused() -> None:
    from milepost.experts.matching import match

    with pytest.raises(MatchingError) as refused:
        match([application("a")], [reviewer("r0")], np.zeros((2, 1), dtype=np.int64))
    assert refused.value.code == "round_scores"


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"open_percent": 0, "seed": "s"}, "matching_terms"),
        ({"open_percent": 101}, "matching_terms"),
        ({"loss_per_mille": -1}, "matching_terms"),
        ({"flows": -1}, "matching_terms"),
        ({"open_percent": 50}, "matching_seed"),
        ({"open_percent": 50, "seed": "a\nb"}, "matching_seed"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused(terms: dict[str, Any], code: str) -> None:
    with pytest.raises(MatchingError) as refused:
        Terms(**terms)
    assert refused.value.code == code


@pytest.mark.parametrize(("ours", "theirs"), [(0, 0), (0, 2), (2, 0)])
def test_a_round_with_an_empty_side_is_matched_all_the_same(ours: int, theirs: int) -> None:
    case = Round(
        [application(f"a{at}") for at in range(ours)],
        [reviewer(f"r{at}") for at in range(theirs)],
        np.zeros((ours, theirs)),
    )
    found = case.match()
    judge(case, found)
    assert found.pairs == ()
    assert sum(each.seats for each in found.short) == found.empty_least == 2 * ours


def test_without_lifting_nothing_is_lost() -> None:
    found = middling(0, THREE).match(PLAIN)
    assert (found.rounds, found.total, found.worst) == (0, found.plain_total, found.plain_worst)
