"""A ranking says of every place what decided it, and says openly where nothing does (docs/scoring.md).

Raw score, then the items that the programme names in the rubric's order, then more valid reviews, then the
lower spread. Where all of these are equal the applications share a rank: the application code only settles
which is printed first. Scores are whole thousandths of a percent point, amounts whole minor units.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from config.programmes import Text
from milepost.experts.patterns import Review

RAW, REVIEWS, SPREAD = "raw_score", "valid_reviews", "spread"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one application is ranked by, and what it would receive.

    ``items`` are means by criterion code; ``spread_milli`` is the highest valid score less the lowest.
    """

    application: str
    raw_milli: int
    valid_reviews: int
    spread_milli: int
    items: Mapping[str, int] = field(default_factory=dict)
    amount_minor: int = 0


@dataclass(frozen=True, slots=True)
class Ranked:
    """An application's place in the list.

    ``rank`` is shared by equals, and the rank after them counts them all: 1, 2, 2, 4. ``decided_by`` names
    what sets the entry behind the rank before: ``raw_score``, an item's code, ``valid_reviews`` or
    ``spread``; empty for the first.
    """

    place: int
    rank: int
    shared: bool
    decided_by: str
    entry: Entry


def entries(
    reviews: Iterable[Review], raw_milli: Mapping[str, int], amounts_minor: Mapping[str, int]
) -> tuple[Entry, ...]:
    """What ``rank`` asks for, from the valid reviews of the applications that ``raw_milli`` names.

    Means are rounded down to a thousandth, as the raw score is. KeyError: an amount is missing;
    ValueError: an application without a review, or an item that not every review of an application has.
    """
    together: dict[str, list[Review]] = defaultdict(list)
    for review in reviews:
        together[review.application].append(review)
    made = []
    for application in sorted(raw_milli):
        mine = together[application]
        if not mine:
            raise ValueError(f"{application} has no valid review")
        if any(review.items.keys() != mine[0].items.keys() for review in mine):
            raise ValueError(f"the reviews of {application} do not have the same items")
        scores = [review.score_milli for review in mine]
        made.append(
            Entry(
                application,
                raw_milli[application],
                len(mine),
                max(scores) - min(scores),
                {code: sum(review.items[code] for review in mine) // len(mine) for code in mine[0].items},
                amounts_minor[application],
            )
        )
    return tuple(made)


def _key(entry: Entry, tie_items: Sequence[str]) -> tuple[int, ...]:
    """Smaller is better in every part, and two keys are equal only where nothing tells two entries apart."""
    items = (-entry.items[code] for code in tie_items)
    return (-entry.raw_milli, *items, -entry.valid_reviews, entry.spread_milli)


def rank(given: Iterable[Entry], tie_items: Sequence[str] = ()) -> tuple[Ranked, ...]:
    """The list from the first to the last, the same whatever order the entries come in.

    ``tie_items``: codes of the criteria that break ties, in the rubric's order. ValueError: an application
    comes twice, or an entry lacks one of these items.
    """
    listed = list(given)
    if len({entry.application for entry in listed}) < len(listed):
        raise ValueError("an application comes twice")
    for entry in listed:
        if missing := [code for code in tie_items if code not in entry.items]:
            raise ValueError(f"{entry.application} has no mean of {', '.join(missing)}")
    listed.sort(key=lambda entry: (_key(entry, tie_items), entry.application))
    keys = [_key(entry, tie_items) for entry in listed]
    names = (RAW, *tie_items, REVIEWS, SPREAD)
    ranked: list[Ranked] = []
    number, decided_by = 1, ""
    for index, entry in enumerate(listed):
        if index and keys[index] != keys[index - 1]:
            number = index + 1
            apart = zip(names, keys[index - 1], keys[index], strict=True)
            decided_by = next(name for name, before, here in apart if before != here)
        shared = keys[index] in keys[max(index - 1, 0) : index] + keys[index + 1 : index + 2]
        ranked.append(Ranked(index + 1, number, shared, decided_by, entry))
    return tuple(ranked)


@dataclass(frozen=True, slots=True)
class Proposal:
    """How far a budget reaches down a ranking.

    ``proposed`` are the applications above the line, in order; ``first_out`` is the first that does not fit.
    ``would_fit`` are those that would fit next if ``first_out`` were skipped: for people to decide, not
    done here. ``split`` are the equals that the line runs through: nothing in the ranking tells them apart.
    """

    proposed: tuple[str, ...]
    budget_minor: int
    spent_minor: int
    first_out: str = ""
    first_out_minor: int = 0
    would_fit: tuple[str, ...] = ()
    would_spend_minor: int = 0
    split: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        """How many applications are above the line."""
        return len(self.proposed)

    @property
    def left_minor(self) -> int:
        """What the proposed list leaves of the budget."""
        return self.budget_minor - self.spent_minor

    def said(self, amount: Callable[[int], str] = str) -> Text:
        """The proposal in words; ``amount`` shows minor units in the reader's way."""
        zh = [f"按排名依次安排，拟立项 {self.line} 项，共 {amount(self.spent_minor)}，"]
        zh.append(f"预算余 {amount(self.left_minor)}。")
        fit = "1 application fits" if self.line == 1 else f"{self.line} applications fit"
        en = [f"In rank order {fit}, {amount(self.spent_minor)} in all; "]
        en.append(f"{amount(self.left_minor)} of the budget is left.")
        if self.first_out:
            zh.append(f"第一个超出预算的是 {self.first_out}（{amount(self.first_out_minor)}），到此为止。")
            en.append(f" The first that does not fit is {self.first_out} ({amount(self.first_out_minor)}). ")
            en.append("There the list ends.")
        if self.would_fit:
            zh.append(
                f"若跳过它，还可安排 {'、'.join(self.would_fit)}，共 {amount(self.would_spend_minor)}；"
            )
            zh.append("是否跳过由人决定，此处未跳过。")
            en.append(f" If it were skipped, {', '.join(self.would_fit)} would fit as well, ")
            en.append(
                f"{amount(self.would_spend_minor)} in all. That is for people to decide; it is not done."
            )
        if self.split:
            zh.append(f"资助线落在并列者之间：{'、'.join(self.split)} 各项相同，须由人决定。")
            en.append(f" The line runs between equals: nothing tells {', '.join(self.split)} apart. ")
            en.append("People must decide.")
        return Text(zh="".join(zh), en="".join(en))


def propose(ranked: Sequence[Ranked], budget_minor: int) -> Proposal:
    """Walk down the ranking as far as the budget reaches, and stop at the first that does not fit.

    Nothing smaller from below is let past it: an earlier place must never wait on a later one. ValueError:
    a negative amount or budget, or a list out of order.
    """
    if budget_minor < 0 or any(one.entry.amount_minor < 0 for one in ranked):
        raise ValueError("an amount is negative")
    if any(above.place >= below.place for above, below in pairwise(ranked)):
        raise ValueError("the list is not in rank order")
    line, spent = _reach(ranked, budget_minor)
    proposed = tuple(one.entry.application for one in ranked[:line])
    if line == len(ranked):
        return Proposal(proposed, budget_minor, spent)
    out = ranked[line]
    more, more_minor = _reach(ranked[line + 1 :], budget_minor - spent)
    equals = [one for one in ranked if one.rank == out.rank]
    return Proposal(
        proposed,
        budget_minor,
        spent,
        out.entry.application,
        out.entry.amount_minor,
        tuple(one.entry.application for one in ranked[line + 1 : line + 1 + more]),
        more_minor,
        tuple(one.entry.application for one in equals) if equals[0] is not out else (),
    )


def _reach(ranked: Sequence[Ranked], budget_minor: int) -> tuple[int, int]:
    """How many from the top fit, and what they take."""
    spent = 0
    for count, one in enumerate(ranked):
        if spent + one.entry.amount_minor > budget_minor:
            return count, spent
        spent += one.entry.amount_minor
    return len(ranked), spent
