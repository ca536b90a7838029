"""A ranking is one order whatever comes first, says what decided each place, and nobody jumps the queue."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.experts.patterns import Review
from milepost.experts.ranking import Entry, Proposal, Ranked, entries, propose, rank

TIE_ITEMS = ("novelty", "benefit")


def entry(code: str, raw: int = 80_000, amount_minor: int = 0, **given_: int) -> Entry:
    items = {"novelty": given_.get("novelty", 70_000), "benefit": given_.get("benefit", 70_000)}
    return Entry(code, raw, given_.get("reviews", 5), given_.get("spread", 9_000), items, amount_minor)


def listed(*given_: Entry) -> list[tuple[int, str, bool, str]]:
    return [(one.rank, one.entry.application, one.shared, one.decided_by) for one in rank(given_, TIE_ITEMS)]


# -- the order -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("better", "worse", "decided_by"),
    [
        (entry("Z", 80_001, novelty=0), entry("A", 80_000), "raw_score"),
        (entry("Z", novelty=70_001, benefit=0), entry("A"), "novelty"),
        (entry("Z", benefit=70_001, reviews=1), entry("A"), "benefit"),
        (entry("Z", reviews=6, spread=50_000), entry("A"), "valid_reviews"),
        (entry("Z", spread=8_999), entry("A"), "spread"),
    ],
)
def test_ties_are_broken_in_the_documented_order(better: Entry, worse: Entry, decided_by: str) -> None:
    expected = [(1, "Z", False, ""), (2, "A", False, decided_by)]
    assert listed(better, worse) == listed(worse, better) == expected


def test_items_that_are_not_named_break_no_tie() -> None:
    ranked = rank([entry("A", novelty=1), entry("B", novelty=2)])
    assert [(one.rank, one.shared) for one in ranked] == [(1, True), (1, True)]


def test_equals_share_a_rank_and_the_code_only_orders_the_print() -> None:
    assert listed(entry("D", 70_000), entry("C"), entry("B"), entry("A", 90_000)) == [
        (1, "A", False, ""),
        (2, "B", True, "raw_score"),
        (2, "C", True, "raw_score"),
        (4, "D", False, "raw_score"),
    ]


small = st.integers(0, 2)
entries_drawn = st.lists(
    st.builds(
        Entry,
        st.text("AB1", max_size=4),
        small,
        small,
        small,
        st.fixed_dictionaries({"novelty": small, "benefit": small}),
        st.integers(0, 5),
    ),
    max_size=12,
    unique_by=lambda one: one.application,
)


@given(entries_drawn, st.randoms(use_true_random=False))
def test_the_order_is_total_and_does_not_depend_on_what_comes_first(
    given_: list[Entry], mixed: object
) -> None:
    ranked = rank(given_, TIE_ITEMS)
    shuffled = list(given_)
    mixed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(shuffled, TIE_ITEMS) == ranked
    assert sorted(one.entry.application for one in ranked) == sorted(one.application for one in given_)
    assert [one.place for one in ranked] == list(range(1, len(given_) + 1))
    # Any two alone stand as they stand among all: so the order is transitive and nobody is moved by a third.
    for above, below in itertools.combinations(ranked, 2):
        first, second = rank([below.entry, above.entry], TIE_ITEMS)
        assert (first.entry, second.entry) == (above.entry, below.entry)
        assert (first.rank == second.rank) == (above.rank == below.rank)


@given(entries_drawn)
def test_a_rank_is_shared_exactly_where_nothing_tells_two_apart(given_: list[Entry]) -> None:
    ranked = rank(given_, TIE_ITEMS)

    def told(one: Entry) -> tuple[object, ...]:
        return one.raw_milli, one.items, one.valid_reviews, one.spread_milli

    for one in ranked:
        equals = [other for other in ranked if told(other.entry) == told(one.entry)]
        assert one.shared == (len(equals) > 1)
        assert one.rank == min(other.place for other in equals)
        assert (one.decided_by == "") == (one.rank == 1)


def test_a_list_that_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        rank([entry("A"), entry("A", 1)])
    with pytest.raises(ValueError, match="benefit"):
        rank([replace(entry("A"), items={"novelty": 1})], TIE_ITEMS)


# -- entries -------------------------------------------------------------------------------------------------


def test_entries_are_made_of_the_valid_reviews() -> None:
    reviews = [
        Review("A", "x", 80_000, {"novelty": 60_000}),
        Review("A", "y", 71_000, {"novelty": 75_000}),
        Review("A", "z", 76_000, {"novelty": 75_001}),
        Review("B", "x", 10_000),
    ]
    assert entries(reviews, {"A": 76_000}, {"A": 500}) == (
        Entry("A", 76_000, 3, 9_000, {"novelty": 70_000}, 500),
    )


def test_entries_are_refused_where_something_is_missing() -> None:
    reviews = [Review("A", "x", 1, {"novelty": 1}), Review("A", "y", 1)]
    with pytest.raises(ValueError, match="same items"):
        entries(reviews, {"A": 1}, {"A": 1})
    with pytest.raises(ValueError, match="no valid review"):
        entries(reviews[:1], {"A": 1, "B": 1}, {"A": 1, "B": 1})
    with pytest.raises(KeyError):
        entries(reviews[:1], {"A": 1}, {})


# -- the budget ----------------------------------------------------------------------------------------------


def by_amount(*amounts: int, equal: tuple[int, ...] = ()) -> Sequence[Ranked]:
    """A, B, C … in rank order with these amounts; the places in ``equal`` share the score before them."""
    scores = list(
        itertools.accumulate(range(len(amounts)), lambda a, i: a - (i not in equal), initial=90_000)
    )
    return rank(
        [entry("ABCDEFGH"[i], scores[i + 1], amount) for i, amount in enumerate(amounts)],
    )


@pytest.mark.parametrize(
    ("amounts", "budget", "proposed", "first_out", "would_fit"),
    [
        ((50, 30, 20), 100, "ABC", "", ""),
        ((50, 30, 20), 99, "AB", "C", ""),
        ((50, 60, 20, 30, 1), 100, "A", "B", "CD"),
        ((50, 60, 20, 40, 1), 100, "A", "B", "C"),
        ((101, 60, 50), 100, "", "A", "B"),
        ((50,), 0, "", "A", ""),
        ((0, 0, 1), 0, "AB", "C", ""),
        ((), 100, "", "", ""),
    ],
)
def test_the_walk_stops_at_the_first_that_does_not_fit(
    amounts: tuple[int, ...], budget: int, proposed: str, first_out: str, would_fit: str
) -> None:
    found = propose(by_amount(*amounts), budget)
    assert "".join(found.proposed) == proposed
    assert found.first_out == first_out
    assert "".join(found.would_fit) == would_fit
    assert found.spent_minor + found.left_minor == budget


@given(entries_drawn, st.integers(0, 20))
def test_the_line_never_lets_a_later_place_go_ahead_and_never_overspends(
    given_: list[Entry], budget: int
) -> None:
    ranked = rank(given_, TIE_ITEMS)
    found = propose(ranked, budget)
    amounts = {one.entry.application: one.entry.amount_minor for one in ranked}
    order = list(amounts)
    assert list(found.proposed) == order[: found.line]
    assert found.spent_minor == sum(amounts[code] for code in found.proposed) <= budget
    if found.line < len(order):
        assert found.first_out == order[found.line]
        assert found.spent_minor + amounts[found.first_out] > budget
        after = order[found.line + 1 :]
        assert list(found.would_fit) == after[: len(found.would_fit)]
        assert found.would_spend_minor <= found.left_minor
        if len(found.would_fit) < len(after):
            assert found.would_spend_minor + amounts[after[len(found.would_fit)]] > found.left_minor


def test_a_line_through_equals_is_said() -> None:
    found = propose(by_amount(40, 40, 40, 40, equal=(2,)), 80)
    assert (found.proposed, found.first_out, found.split) == (("A", "B"), "C", ("B", "C"))
    assert "B、C" in found.said().zh and "B, C" in found.said().en
    assert propose(by_amount(40, 40, 40, 40, equal=(1, 3)), 80).split == ()


def test_a_proposal_says_what_it_did_and_what_it_left_to_people() -> None:
    found = propose(by_amount(50_000_000, 60_000_000, 20_000_000), 100_000_000)
    said = found.said(lambda minor: f"{minor // 1_000_000} 万元")
    assert said.zh == (
        "按排名依次安排，拟立项 1 项，共 50 万元，预算余 50 万元。第一个超出预算的是 B（60 万元），到此为止。"
        "若跳过它，还可安排 C，共 20 万元；是否跳过由人决定，此处未跳过。"
    )
    assert said.en == (
        "In rank order 1 application fits, 50 万元 in all; 50 万元 of the budget is left. The first that "
        "does not fit is B (60 万元). There the list ends. If it were skipped, C would fit as well, 20 万元 "
        "in all. That is for people to decide; it is not done."
    )
    assert found == Proposal(("A",), 100_000_000, 50_000_000, "B", 60_000_000, ("C",), 20_000_000, ())


def test_a_budget_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        propose(by_amount(1), -1)
    with pytest.raises(ValueError, match="negative"):
        propose(by_amount(-1), 1)
    with pytest.raises(ValueError, match="rank order"):
        propose(list(reversed(by_amount(1, 2))), 10)
