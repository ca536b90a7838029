"""A round as arrays: who may sit where, what a pair is worth, and what every panel still asks for.

Applications go down, reviewers across. Every rule of a panel is written as "at least so many members of this
set": by Hall's theorem seats by kind are, one set for every group of kinds, and so is the off-site share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from milepost.experts.rounds import SCORE_MAX, Application, MatchingError, Reviewer
from states.seating import KINDS

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rule:
    """At least ``least`` more members of a set; ``name`` is ``off_site``, or the kinds that count."""

    name: tuple[str, ...]
    kinds: int
    least: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one panel still asks for: people, rules about them, and whether institutions must differ.

    ``by_kind`` are the seats still reserved, in the order of ``KINDS``; None where somebody who sits could
    fill more than one of them, so that it is open which are left. ``given_up`` cannot be had beside those
    who sit.
    """

    seats: int
    rules: tuple[Rule, ...]
    apart: bool
    by_kind: tuple[int, ...] | None
    given_up: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """The round, once and for all; only who is seated changes.

    ``open`` are the pairs that may be made, ``seats`` how many people are still wanted, ``load`` how many
    tasks may still be given, ``sitting`` who sits already. ``kinds`` are bits: what a reviewer counts for on
    that panel, 0 for nothing at all; ``bare_kinds`` are the same before fields were looked at.
    """

    scores: Ints
    open: Bools
    load: Ints
    seats: Ints
    institution: Ints
    kinds: NDArray[np.int8]
    bare_kinds: NDArray[np.int8]
    off_site: Bools
    wanted: tuple[Wanted, ...]
    sitting: tuple[tuple[int, ...], ...]

    def fulfils(self, application: int, rule: Rule) -> Bools:
        """Which reviewers count for a rule of this application's panel."""
        if rule.kinds == 0:
            return self.off_site[application]
        return np.asarray(self.kinds[application] & rule.kinds != 0)


def pair_is_open(seed: str, application: str, reviewer: str, percent: int) -> bool:
    """Whether a pair may be made at all, under a public seed: as likely as the percentage, never likelier.

    The first eight bytes of SHA-256 over the UTF-8 text "milepost matching", seed, application and reviewer,
    joined by single line feeds, are read as a number, most significant first; the pair is open when it is
    less than 2^64 × percent / 100, rounded down.
    """
    text = "\n".join(("milepost matching", seed, application, reviewer))
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") < (percent << 64) // 100


def opened_by_chance(seed: str, applications: Sequence[str], reviewers: Sequence[str], percent: int) -> Bools:
    """``pair_is_open`` for every pair of the round."""
    most = ((percent << 64) // 100).to_bytes(9, "big")
    found = np.empty((len(applications), len(reviewers)), dtype=bool)
    ends = [reviewer.encode() for reviewer in reviewers]
    for row, application in enumerate(applications):
        begun = sha256("\n".join(("milepost matching", seed, application, "")).encode())
        for column, end in enumerate(ends):
            hashed = begun.copy()
            hashed.update(end)
            found[row, column] = b"\0" + hashed.digest()[:8] < most
    return found


def grid_of(
    applications: Sequence[Application],
    reviewers: Sequence[Reviewer],
    scores: NDArray[np.int32] | Ints,
    forbidden: Collection[tuple[str, str]],
    fixed: Collection[tuple[str, str]],
) -> tuple[Grid, Bools]:
    """The round as arrays, before chance closes any pair, and the pairs in conflict.

    MatchingError when the round contradicts itself.
    """
    rows, columns = _places(applications), _places(reviewers)
    table = _checked(scores, applications, reviewers)
    sitting: list[list[int]] = [[] for _ in applications]
    for application, reviewer in sorted(set(fixed)):
        sitting[_place(rows, application)].append(_place(columns, reviewer))
    conflicts = _own_institutions(applications, reviewers)
    for application, reviewer in forbidden:
        conflicts[_place(rows, application), _place(columns, reviewer)] = True
    kinds, off_site = _kinds(applications, reviewers), _off_site(applications, reviewers)
    open_ = (kinds != 0) & ~conflicts
    institution = _institutions(reviewers)
    wanted = [
        _wanted(application, kinds[row, sitting[row]], off_site[row, sitting[row]])
        for row, application in enumerate(applications)
    ]
    for row, (members, each) in enumerate(zip(sitting, wanted, strict=True)):
        open_[row, members] = False
        if each.apart and members:
            open_[row] &= ~np.isin(institution, institution[members])
    grid = Grid(
        scores=table,
        open=open_,
        load=np.array([reviewer.load for reviewer in reviewers], dtype=np.int64),
        seats=np.array([each.seats for each in wanted], dtype=np.int64),
        institution=institution,
        kinds=kinds,
        bare_kinds=_bare_kinds(reviewers),
        off_site=off_site,
        wanted=tuple(wanted),
        sitting=tuple(map(tuple, sitting)),
    )
    return grid, conflicts


def _wanted(application: Application, kinds: NDArray[np.int8], off_site: Bools) -> Wanted:
    """What the panel still asks for beside those who sit: their kinds, and who of them is from elsewhere.

    Whoever sits stays. What they leave no seat for is given up, the last kind first, and said.
    """
    panel = application.panel
    if problems := panel.problems():
        raise MatchingError(
            problems[0].code, "".join(each.zh for each in problems), " ".join(each.en for each in problems)
        )
    seats = max(0, panel.size - len(kinds))
    minimums = [panel.minimums.get(kind, 0) for kind in KINDS]
    given_up: dict[str, None] = {}
    for at in reversed(range(len(KINDS))):
        while minimums[at] and any(least > seats for _, least in _by_group(minimums, kinds)):
            minimums[at] -= 1
            given_up[KINDS[at]] = None
    # Dropped from the end, some were dropped in vain: what fits after all is asked for again.
    for at, kind in enumerate(KINDS):
        while minimums[at] < panel.minimums.get(kind, 0):
            minimums[at] += 1
            if any(least > seats for _, least in _by_group(minimums, kinds)):
                minimums[at] -= 1
                break
        if minimums[at] == panel.minimums.get(kind, 0):
            given_up.pop(kind, None)
    rules = [
        Rule(tuple(kind for at, kind in enumerate(KINDS) if group >> at & 1), group, least)
        for group, least in _by_group(minimums, kinds)
        if least > 0
    ]
    elsewhere = panel.off_site_least() - int(off_site.sum())
    if elsewhere > seats:
        given_up["off_site"] = None
    if min(elsewhere, seats) > 0:
        rules.append(Rule(("off_site",), 0, min(elsewhere, seats)))
    by_kind: tuple[int, ...] | None = tuple(
        max(0, number - int((kinds >> at & 1).sum())) for at, number in enumerate(minimums)
    )
    if any(
        int(kind & _bits(KINDS[at] for at, n in enumerate(minimums) if n)).bit_count() > 1 for kind in kinds
    ):
        by_kind = None
    return Wanted(seats, tuple(rules), panel.one_per_institution, by_kind, tuple(given_up))


def _by_group(minimums: Sequence[int], kinds: NDArray[np.int8]) -> list[tuple[int, int]]:
    """For each group of kinds, how many members counting for one of them are still asked for."""
    asked = _bits(kind for kind, number in zip(KINDS, minimums, strict=True) if number)
    return [
        (group, sum(n for at, n in enumerate(minimums) if group >> at & 1) - int((kinds & group != 0).sum()))
        for group in range(1, 1 << len(KINDS))
        if group & asked == group
    ]


def _places(named: Sequence[Application] | Sequence[Reviewer]) -> dict[str, int]:
    ids = [each.id for each in named]
    places = {id: at for at, id in enumerate(ids)}
    twice = [a for a, b in pairwise(sorted(ids)) if a == b]
    if twice or any("\n" in id for id in places):
        raise MatchingError(
            "round_names",
            f"本轮中编号重复或含有换行：{'、'.join(twice[:5])}。请检查提交的名单。",
            f"An id of the round occurs twice or holds a line feed: {', '.join(twice[:5])}. Check the lists.",
        )
    return places


def _place(places: Mapping[str, int], id: str) -> int:
    if id not in places:
        raise MatchingError(
            "round_stranger",
            f"回避或已有分配中提到的 {id} 不在本轮名单中。请先将其列入，或删去该条。",
            f"{id} has a conflict or an assignment and is not in the round. Add it, or leave that out.",
        )
    return places[id]


def _checked(scores: NDArray[np.int32] | Ints, down: Sequence[object], across: Sequence[object]) -> Ints:
    table = np.asarray(scores, dtype=np.int64).reshape(np.shape(scores))
    if table.shape != (len(down), len(across)) or (
        table.size and not 0 <= table.min() <= table.max() <= SCORE_MAX
    ):
        raise MatchingError(
            "round_scores",
            f"匹配度应为 {len(down)} 行 {len(across)} 列、0 至 {SCORE_MAX} 的整数。请重新计算匹配度。",
            f"Affinity has {len(down)} rows, {len(across)} columns and whole numbers from 0 to {SCORE_MAX}. "
            "Compute it again.",
        )
    return table


def _own_institutions(applications: Sequence[Application], reviewers: Sequence[Reviewer]) -> Bools:
    """Those of the applicants' own institutions."""
    found = np.zeros((len(applications), len(reviewers)), dtype=bool)
    of: dict[str, list[int]] = {}
    for column, reviewer in enumerate(reviewers):
        of.setdefault(reviewer.institution, []).append(column)
    for row, application in enumerate(applications):
        for key in application.institution_keys - {""}:
            found[row, of.get(key, [])] = True
    return found


def _kinds(applications: Sequence[Application], reviewers: Sequence[Reviewer]) -> NDArray[np.int8]:
    """The kinds that each reviewer counts for on each panel, as bits; 0 for one who cannot sit on it.

    Where a panel asks for a common field, somebody without one counts for the exempt kinds only.
    """
    found = np.tile(_bare_kinds(reviewers), (len(applications), 1))
    having: dict[tuple[int, str], Bools] = {}
    for row, application in enumerate(applications):
        digits = application.panel.field_digits
        if digits == 0:
            continue
        fits = np.zeros(len(reviewers), dtype=bool)
        for prefix in {code[:digits] for code in application.fields}:
            if (digits, prefix) not in having:
                having[digits, prefix] = np.array(
                    [any(code[:digits] == prefix for code in reviewer.fields) for reviewer in reviewers],
                    dtype=bool,
                )
            fits |= having[digits, prefix]
        found[row, ~fits] &= _bits(application.panel.field_exempt)
    return found


def _bare_kinds(reviewers: Sequence[Reviewer]) -> NDArray[np.int8]:
    return np.array([_bits(reviewer.kinds) for reviewer in reviewers], dtype=np.int8)


def _off_site(applications: Sequence[Application], reviewers: Sequence[Reviewer]) -> Bools:
    regions = np.array([reviewer.region for reviewer in reviewers], dtype=object)
    own = np.array([application.region for application in applications], dtype=object)
    return np.asarray((regions != "")[None, :] & (regions[None, :] != own[:, None]), dtype=bool)


def _institutions(reviewers: Sequence[Reviewer]) -> Ints:
    """A number for each institution; whoever has none is one of their own."""
    numbers: dict[tuple[str, int], int] = {}
    return np.array(
        [
            numbers.setdefault((r.institution, -1 if r.institution else at), len(numbers))
            for at, r in enumerate(reviewers)
        ],
        dtype=np.int64,
    )


def _bits(kinds: Iterable[str]) -> int:
    held = set(kinds)
    return sum(1 << at for at, kind in enumerate(KINDS) if kind in held)
