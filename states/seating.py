"""The first panel in a ranking that fulfils a composition: always the right one, and quick.

A panel is valid when (1) it has exactly ``size`` members; (2) no two of one institution sit on it, where
the composition says so; (3) enough members come from elsewhere; (4) members can be shared out among their
kinds so that every kind has its minimum, each member counting for one kind. Of all valid panels the one is
wanted whose members stand first in the ranking: the best ranks are compared first, then the next, and so on.

Whether members *can* be shared out is asked without trying: by Hall's theorem they can exactly when, for
every set of kinds, at least as many members count for one of them as these kinds need together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

KINDS: tuple[str, ...] = ("technology", "management", "finance", "investment")
"""The kinds of experts, in the order in which requirements of a kind are named."""

SIZE_MAX = 99
_FREE = 1 << len(KINDS)
_SETS = range(1, _FREE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact that is not as it must be: a stable code for programs, a sentence in either language."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Composition:
    """Who sits together on a panel.

    ``minimums`` are members per kind; where they add up to ``size`` they are the exact numbers. ``odd``
    demands an odd size. ``off_site_share`` of the seats, rounded up, are for members of another region than
    the project's. ``field_digits`` leading characters of a field code have to be shared with the project; 0
    asks for no field. A member of a kind in ``field_exempt`` may lack the field and then counts for such a
    kind only.
    """

    size: int
    minimums: Mapping[str, int] = field(default_factory=dict)
    odd: bool = True
    off_site_share: Fraction = Fraction(0)
    one_per_institution: bool = True
    field_digits: int = 0
    field_exempt: tuple[str, ...] = ()

    def off_site_least(self) -> int:
        """How many members come from elsewhere at least: the share of the size, rounded up."""
        wanted = self.off_site_share * self.size
        return -(-wanted.numerator // wanted.denominator)

    def problems(self) -> list[Finding]:
        """What contradicts itself, before anybody is drawn; nothing, if a panel is conceivable."""
        found: list[Finding] = []
        size, share, seats = self.size, self.off_site_share, sum(self.minimums.values())
        if not 1 <= size <= SIZE_MAX:
            found.append(_problem("size_out_of_range", size=size, most=SIZE_MAX))
        elif self.odd and size % 2 == 0:
            found.append(_problem("size_even", size=size))
        if unknown := sorted({*self.minimums, *self.field_exempt} - set(KINDS)):
            found.append(_problem("kind_unknown", kinds=", ".join(unknown)))
        if negative := sorted(kind for kind, number in self.minimums.items() if number < 0):
            found.append(_problem("minimum_negative", kinds=", ".join(negative)))
        elif seats > max(size, 0):
            found.append(_problem("minimums_exceed_size", seats=seats, size=size))
        if not 0 <= share <= 1:
            found.append(_problem("share_out_of_range", share=share))
        if self.field_digits < 0:
            found.append(_problem("field_digits_negative", digits=self.field_digits))
        return found


_WORDS = {
    "size_out_of_range": (
        "评审组人数应在 1 至 {most} 之间，现为 {size}。",
        "A panel has 1 to {most} members, not {size}.",
    ),
    "size_even": (
        "评审组人数须为单数，现为 {size}。",
        "The size of the panel must be odd, and {size} is even.",
    ),
    "kind_unknown": ("没有这样的专家类别：{kinds}。", "There is no such kind of expert: {kinds}."),
    "minimum_negative": (
        "类别人数下限不能为负：{kinds}。",
        "A minimum number of members cannot be negative: {kinds}.",
    ),
    "minimums_exceed_size": (
        "各类别下限合计 {seats} 人，超过评审组人数 {size}。",
        "The minimums add up to {seats}, and the panel has {size} members.",
    ),
    "share_out_of_range": (
        "异地专家比例应在 0 至 1 之间，现为 {share}。",
        "The off-site share lies between 0 and 1; it is {share}.",
    ),
    "field_digits_negative": (
        "学科代码位数不能为负，现为 {digits}。",
        "The number of field digits cannot be negative; it is {digits}.",
    ),
}


def _problem(code: str, **facts: object) -> Finding:
    zh, en = _WORDS[code]
    return Finding(code, zh.format(**facts), en.format(**facts))


class Trait(NamedTuple):
    """What of a person matters for a seat: kinds as a bit each, from elsewhere or not, the institution.

    ``kinds`` may be 0 only for somebody who sits already: a member who counts for no kind.
    """

    kinds: int
    off_site: bool
    group: str


class Demand(NamedTuple):
    """A composition in numbers: ``kinds`` are the minimums in the order of ``KINDS``."""

    size: int
    kinds: tuple[int, ...]
    off_site: int


def first_panel(sitting: Sequence[Trait], ranked: Sequence[Trait], demand: Demand) -> tuple[int, ...] | None:
    """The places in ``ranked`` of those who, with all who sit, make the first valid panel, if any.

    Taking whoever is not plainly impossible almost always ends in a full panel, and then it is the first one:
    nobody was passed over who could have sat. Only where that way ends nowhere is each choice proved before
    it is made.
    """
    quick = _take_in_order(sitting, ranked, demand)
    if quick is not None:
        return quick
    if not _is_provable(sitting, ranked, demand):
        return None
    members = list(sitting)
    chosen: list[int] = []
    for place, trait in enumerate(ranked):
        later = ranked[place + 1 :]
        rest = _take_in_order([*members, trait], later, demand)
        if rest is not None:
            return (*chosen, place, *(place + 1 + further for further in rest))
        if _is_provable([*members, trait], later, demand):
            members.append(trait)
            chosen.append(place)
    raise AssertionError("a panel that was proved to exist was not found")


def can_be_filled(sitting: Sequence[Trait], others: Callable[[], Iterable[Trait]], demand: Demand) -> bool:
    """True when some of the others, with all who sit, make a valid panel.

    ``others`` gives them anew each time: where it is easy, the first few are all that is looked at.
    """
    return _take_in_order(sitting, others(), demand) is not None or _is_provable(sitting, others(), demand)


def _is_provable(sitting: Sequence[Trait], others: Iterable[Trait], demand: Demand) -> bool:
    """The same by proof.

    Seats are matched with institutions: the reserved ones of each kind, and the free ones. A seat filled from
    elsewhere is worth one, one filled by somebody who sits is worth more than all others together; a panel
    exists when the most valuable way to fill every seat seats all who sit and enough from elsewhere.
    """
    free = demand.size - sum(demand.kinds)
    held_groups = {trait.group for trait in sitting}
    if free < 0 or len(sitting) > demand.size or len(held_groups) < len(sitting):
        return False
    # One institution fills one seat, by whichever of its people suits: only what they offer together matters.
    offers: dict[str, list[int]] = {}
    for trait in others:
        if trait.group not in held_groups:
            offers.setdefault(trait.group, [0, 0])[trait.off_site] |= trait.kinds | _FREE
    seats = Counter((on, off, 0) for on, off in offers.values())
    bonus = demand.size + 1
    for trait in sitting:
        bits = trait.kinds | _FREE
        seats[(0, bits, bonus) if trait.off_site else (bits, 0, bonus)] += 1
    best = _most_valuable(seats, [*demand.kinds, free])
    return best is not None and best >= bonus * len(sitting) + demand.off_site


def _take_in_order(
    sitting: Sequence[Trait], ranked: Iterable[Trait], demand: Demand
) -> tuple[int, ...] | None:
    """The first panel, if passing over only those who are plainly impossible leads to one."""
    left = demand.size - len(sitting)
    groups = {trait.group for trait in sitting}
    lacking = [
        sum(number for bit, number in enumerate(demand.kinds) if kinds >> bit & 1)
        - sum(1 for trait in sitting if trait.kinds & kinds)
        for kinds in _SETS
    ]
    off_lacking = demand.off_site - sum(trait.off_site for trait in sitting)
    if len(groups) < len(sitting) or max(0, off_lacking, *lacking) > left:
        return None
    chosen: list[int] = []
    # When a set of kinds lacks as many members as seats are left, every further member must be of it.
    urgent = [kinds for kinds, lack in zip(_SETS, lacking, strict=True) if lack == left]
    for place, (kinds, off_site, group) in enumerate(ranked):
        if left == 0:
            break
        if group in groups or (off_lacking == left and not off_site):
            continue
        if any(not kinds & asked for asked in urgent):
            continue
        chosen.append(place)
        groups.add(group)
        left -= 1
        off_lacking -= off_site
        lacking = [lack - bool(kinds & asked) for asked, lack in zip(_SETS, lacking, strict=True)]
        urgent = [asked for asked, lack in zip(_SETS, lacking, strict=True) if lack == left]
    return tuple(chosen) if left == 0 else None


def _most_valuable(offers: Mapping[tuple[int, int, int], int], seats: Sequence[int]) -> int | None:
    """The greatest value with which all seats can be filled; None when they cannot.

    Seats are filled one by one, each time along the most valuable chain of moves: a new seat takes a unit
    from another seat's offer, that one from the next, the last from an offer that is still free (the
    assignment problem, by successive augmenting paths).
    """
    units = list(offers.values())
    classes = range(len(seats))
    worth = [
        [bonus + 1 if off >> seat & 1 else bonus if on >> seat & 1 else None for on, off, bonus in offers]
        for seat in classes
    ]
    held = [[0] * len(units) for _ in classes]
    total = 0
    for first in (seat for seat in classes for _ in range(seats[seat])):
        gain, came = _best_chains(first, worth, held)
        ends = [
            (so_far + value, seat, at)
            for seat, so_far in gain.items()
            for at, value in enumerate(worth[seat])
            if value is not None and units[at]
        ]
        if not ends:
            return None
        added, seat, at = max(ends)
        total += added
        units[at] -= 1
        held[seat][at] += 1
        while seat != first:
            taker, at = came[seat]
            held[seat][at] -= 1
            held[taker][at] += 1
            seat = taker
    return total


def _best_chains(
    first: int, worth: Sequence[Sequence[int | None]], held: Sequence[Sequence[int]]
) -> tuple[dict[int, int], dict[int, tuple[int, int]]]:
    """For each kind of seat that can go short so that ``first`` is filled: the gain, and who took what."""
    gain, came = {first: 0}, dict[int, tuple[int, int]]()
    settled = False
    while not settled:
        settled = True
        for taker in list(gain):
            for giver in range(len(held)):
                if giver == taker:
                    continue
                for at, number in enumerate(held[giver]):
                    taken, given = worth[taker][at], worth[giver][at]
                    if not number or taken is None or given is None:
                        continue
                    better = gain[taker] + taken - given
                    if giver not in gain or better > gain[giver]:
                        gain[giver], came[giver] = better, (taker, at)
                        settled = False
    return gain, came
