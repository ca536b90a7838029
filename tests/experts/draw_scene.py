"""Pools and projects to draw from: small ones made by hand or by Hypothesis."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from states.commitment import Candidate, Committed, FigureSource, Project, canonical, document
from states.seating import KINDS, Composition

FIGURE = FigureSource("某指数收盘点位，两位小数", "Closing value of an index, two decimals", "2026-05-06")
PROJECT = "00000000-0000-4000-8000-00000000a001"


def expert(number: int) -> str:
    """The id of a candidate by number."""
    return f"00000000-0000-4000-8000-{number:012x}"


def candidate(number: int, *kinds: str, **but: Any) -> Candidate:
    """A technology expert from elsewhere, of an institution of one's own, with the field and time."""
    person = Candidate(expert(number), kinds or ("technology",), f"unit {number}", "away", ("51010",), 5)
    return replace(person, **but)


def project(number: int = 1, **but: Any) -> Project:
    """A project at home in the field 510."""
    there = Project(f"00000000-0000-4000-8000-00000000a{number:03x}", "home", ("51020",))
    return replace(there, **but)


def committed(
    pool: list[Candidate], composition: Composition, projects: list[Project] | None = None, **but: Any
) -> Committed:
    """A first attempt over one project, with a figure to come."""
    return replace(
        Committed(
            draw="00000000-0000-4000-8000-0000000000d1",
            programme="sample",
            programme_version=1,
            committed_at="2026-05-04T09:00:00+08:00",
            composition=composition,
            pool=tuple(pool),
            projects=tuple(projects or [project()]),
            source=FIGURE,
        ),
        **but,
    )


def as_json(fixed: Committed) -> dict[str, Any]:
    """What a stranger reads: the committed part after a journey through its bytes."""
    read: dict[str, Any] = json.loads(canonical(document(fixed)))
    return read


@st.composite
def compositions(draw: st.DrawFn) -> Composition:
    """Any composition for a small pool that does not contradict itself."""
    size = draw(st.integers(1, 4))
    minimums: dict[str, int] = {}
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=size)):
        minimums[kind] = minimums.get(kind, 0) + 1
    return Composition(
        size=size,
        minimums=minimums,
        odd=False,
        off_site_share=draw(st.sampled_from([Fraction(0), Fraction(1, 3), Fraction(1, 2), Fraction(1)])),
        one_per_institution=draw(st.booleans()),
        field_digits=draw(st.sampled_from([0, 3, 5])),
        field_exempt=tuple(draw(st.sets(st.sampled_from(KINDS), max_size=2))),
    )


@st.composite
def commitments(draw: st.DrawFn) -> Committed:
    """Small draws in which everything collides: institutions, regions, fields, conflicts, capacity."""
    fields = st.sets(st.sampled_from(["51010", "51020", "530", "53010"]), max_size=2)
    regions = st.sampled_from(["", "home", "away"])
    pool = [
        Candidate(
            expert(number),
            tuple(draw(st.sets(st.sampled_from(KINDS), min_size=1, max_size=2))),
            draw(st.sampled_from(["", "a", "b", "c"])),
            draw(regions),
            tuple(draw(fields)),
            draw(st.integers(0, 2)),
        )
        for number in range(draw(st.integers(0, 9)))
    ]
    composition = draw(compositions())
    ids = [person.id for person in pool]
    projects = []
    for number in range(draw(st.integers(1, 3))):
        excluded = draw(st.sets(st.sampled_from(ids), max_size=2)) if ids else set()
        free = sorted(set(ids) - excluded)
        kept = draw(st.sets(st.sampled_from(free), max_size=min(2, composition.size))) if free else set()
        projects.append(
            project(
                number,
                fields=tuple(draw(fields)),
                excluded=dict.fromkeys(sorted(excluded), "same_unit"),
                kept=tuple(draw(st.permutations(sorted(kept)))),
            )
        )
    return committed(pool, composition, projects)
