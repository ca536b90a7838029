"""A panel is f(commitment, value): valid, the first in the ranking, the same for everyone who computes it.

Who leaves is followed by the next in the same ranking. A second implementation, written from the description
alone, agrees throughout.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace as but
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.draws import city
from milepost.evidence.chain import canonical as evidence_canonical
from states.commitment import Candidate, Committed, Redraw, canonical, commitment, committed_from, document
from states.drawing import DrawError, Drawn, Panel, Replacement, draw, members_after, replace
from states.seating import KINDS, Composition
from tests.experts import second_draw
from tests.experts.draw_scene import (
    PROJECT,
    as_json,
    candidate,
    commitments,
    committed,
    expert,
    project,
)

T, M, F, I = KINDS  # noqa: E741  The four kinds, short enough for a table.


def panel_of(fixed: Committed, value: str = "1") -> Panel:
    (panel,) = draw(fixed, value).panels
    return panel


def capacities(fixed: Committed) -> dict[str, int]:
    return {person.id: person.capacity for person in fixed.pool}


# -- the composition -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("composition", "codes"),
    [
        (Composition(5), []),
        (Composition(1, {}, off_site_share=Fraction(1)), []),
        (Composition(5, {T: 3, F: 2}), []),
        (Composition(4, odd=False), []),
        (Composition(0), ["size_out_of_range"]),
        (Composition(-3), ["size_out_of_range"]),
        (Composition(101), ["size_out_of_range"]),
        (Composition(6), ["size_even"]),
        (Composition(3, {T: 3, F: 1}), ["minimums_exceed_size"]),
        (Composition(3, {T: -1}), ["minimum_negative"]),
        (Composition(3, {"law": 1}), ["kind_unknown"]),
        (Composition(3, field_exempt=("law",)), ["kind_unknown"]),
        (Composition(3, off_site_share=Fraction(4, 3)), ["share_out_of_range"]),
        (Composition(3, off_site_share=Fraction(-1, 3)), ["share_out_of_range"]),
        (Composition(3, field_digits=-1), ["field_digits_negative"]),
        (
            Composition(4, {T: 5}, off_site_share=Fraction(2)),
            ["size_even", "minimums_exceed_size", "share_out_of_range"],
        ),
    ],
)
def test_a_contradictory_composition_is_named_and_never_drawn_from(
    composition: Composition, codes: list[str]
) -> None:
    problems = composition.problems()
    assert [problem.code for problem in problems] == codes
    assert all(problem.zh and problem.en for problem in problems)
    fixed = committed([candidate(n, (T, F)[n % 2]) for n in range(10)], composition)
    if codes:
        with pytest.raises(DrawError):
            draw(fixed, "1")
    else:
        assert len(panel_of(fixed).members) == composition.size


@pytest.mark.parametrize(
    ("share", "size", "least"),
    [
        ("0", 5, 0),
        ("1/5", 5, 1),
        ("1/3", 5, 2),
        ("2/5", 5, 2),
        ("41/100", 5, 3),
        ("1", 5, 5),
        ("1/100", 99, 1),
    ],
)
def test_the_off_site_share_is_exact_and_rounded_up(share: str, size: int, least: int) -> None:
    assert Composition(size, off_site_share=Fraction(share)).off_site_least() == least


POOL = [candidate(n) for n in range(6)]


@pytest.mark.parametrize(
    ("fixed", "code"),
    [
        (committed([*POOL, candidate(1, M)], Composition(3)), "candidate_twice"),
        (committed([*POOL, but(candidate(9), kinds=())], Composition(3)), "candidate_without_kind"),
        (committed([*POOL, candidate(9, T, T)], Composition(3)), "candidate_without_kind"),
        (committed([*POOL, candidate(9, "law")], Composition(3)), "candidate_without_kind"),
        (committed([*POOL, candidate(9, capacity=-1)], Composition(3)), "capacity_negative"),
        (committed(POOL, Composition(3), [project(), project()]), "project_twice"),
        (but(committed(POOL, Composition(3)), projects=()), "no_project"),
        (committed(POOL, Composition(3), [project(excluded={expert(77): "kin"})]), "excluded_unknown"),
        (committed(POOL, Composition(3), [project(kept=(expert(77),))]), "kept_unknown"),
        (committed(POOL, Composition(3), [project(kept=(expert(1), expert(1)))]), "kept_twice"),
        (committed(POOL, Composition(1), [project(kept=(expert(1), expert(2)))]), "kept_too_many"),
        (
            committed(POOL, Composition(3), [project(kept=(expert(1),), excluded={expert(1): "kin"})]),
            "kept_excluded",
        ),
        (committed(POOL, Composition(3), supervision="film"), "supervision_unknown"),
        (committed(POOL, Composition(3), attempt=2), "attempt_without_previous"),
        (committed(POOL, Composition(3), previous=Redraw("0" * 64, "-")), "attempt_without_previous"),
    ],
)
def test_a_contradictory_commitment_is_named_and_never_drawn_from(fixed: Committed, code: str) -> None:
    with pytest.raises(DrawError) as refused:
        draw(fixed, "1")
    assert [finding.code for finding in refused.value.findings] == [code]


# -- who sits --------------------------------------------------------------------------------------


def home(number: int, *kinds: str, **other: Any) -> Candidate:
    return candidate(number, *kinds, region="home", **other)


@pytest.mark.parametrize(
    ("pool", "composition", "short"),
    [
        # Each requirement alone stands in the way.
        ([candidate(1), candidate(2)], Composition(3), ("pool",)),
        ([candidate(n) for n in range(5)], Composition(3, {F: 1}), ("kind:finance",)),
        (
            [candidate(n, M) for n in range(5)],
            Composition(3, {T: 1, I: 1}),
            ("kind:technology", "kind:investment"),
        ),
        ([home(n) for n in range(5)], Composition(3, off_site_share=Fraction(1, 3)), ("off_site",)),
        (
            [candidate(n, region="") for n in range(5)],
            Composition(3, off_site_share=Fraction(1, 3)),
            ("off_site",),
        ),
        ([candidate(n, institution="one") for n in range(5)], Composition(3), ("institution",)),
        ([candidate(n, fields=("99010",)) for n in range(5)], Composition(3, field_digits=3), ("fields",)),
        ([candidate(n, fields=()) for n in range(5)], Composition(3, field_digits=3), ("fields",)),
        ([candidate(n, fields=("51",)) for n in range(5)], Composition(3, field_digits=3), ("fields",)),
        ([candidate(n, capacity=0) for n in range(5)], Composition(3), ("capacity",)),
        # Where either of two would do, what people can change more easily is named.
        (
            [candidate(1), candidate(2), candidate(3, capacity=0), candidate(4, fields=("99010",))],
            Composition(3, field_digits=3),
            ("capacity",),
        ),
        # Where two are needed together, both are named.
        (
            [candidate(1), candidate(2, fields=("99010",)), candidate(3, capacity=0)],
            Composition(3, field_digits=3),
            ("fields", "capacity"),
        ),
        # One person of two kinds does not stand for two people.
        (
            [candidate(1, T, F), candidate(2, M), candidate(3, M)],
            Composition(3, {T: 1, F: 1}),
            ("kind:finance",),
        ),
        # The only finance experts are of one institution with the only technology expert.
        (
            [
                candidate(1, F, institution="x"),
                candidate(2, T, institution="x"),
                candidate(3, M),
                candidate(4, M),
            ],
            Composition(3, {T: 1, F: 1}),
            ("institution",),
        ),
        # Enough from elsewhere, but not of the kinds that are wanted.
        (
            [home(1, T), home(2, F), candidate(3, M), candidate(4, M)],
            Composition(3, {T: 1, F: 1, M: 1}, off_site_share=Fraction(2, 3)),
            ("off_site",),
        ),
        # An exempt expert without the field counts for the exempt kind alone.
        (
            [candidate(1, T, F, fields=("99010",)), candidate(2, M), candidate(3, M)],
            Composition(3, {T: 1}, field_digits=3, field_exempt=(F,)),
            ("fields",),
        ),
    ],
)
def test_a_short_panel_says_which_requirement_is_in_the_way(
    pool: list[Candidate], composition: Composition, short: tuple[str, ...]
) -> None:
    assert panel_of(committed(pool, composition)) == Panel(PROJECT, (), short)


@pytest.mark.parametrize(
    ("pool", "composition", "members"),
    [
        # Whoever could sit counts as whatever makes the panel valid.
        (
            [candidate(1, T, F), candidate(2, T), candidate(3, M)],
            Composition(3, {T: 1, F: 1, M: 1}),
            {1, 2, 3},
        ),
        (
            [candidate(1, T, F), candidate(2, F), candidate(3, M)],
            Composition(3, {T: 1, F: 1, M: 1}),
            {1, 2, 3},
        ),
        # Nobody's institution is nobody's colleague, and the rule can be switched off.
        ([candidate(n, institution="") for n in (1, 2, 3)], Composition(3), {1, 2, 3}),
        (
            [candidate(n, institution="x") for n in (1, 2, 3)],
            Composition(3, one_per_institution=False),
            {1, 2, 3},
        ),
        # One common field is enough; finance needs none where it is exempt.
        (
            [candidate(1, fields=("99010", "51099")), candidate(2, F, fields=()), candidate(3)],
            Composition(3, {F: 1}, field_digits=3, field_exempt=(F,)),
            {1, 2, 3},
        ),
        # Whoever would leave a later seat without anybody is passed over, however good the rank.
        (
            [candidate(1, institution="x"), candidate(2, F, institution="x"), candidate(3), candidate(4, M)],
            Composition(3, {T: 1, F: 1}),
            {2, 3, 4},
        ),
        # The conflicted and the exhausted are passed over.
        (
            [candidate(1), candidate(2), candidate(3), candidate(4, capacity=0)],
            Composition(3),
            {1, 2, 3},
        ),
    ],
)
def test_a_panel_is_found_where_there_is_one(
    pool: list[Candidate], composition: Composition, members: set[int]
) -> None:
    for value in range(20):
        assert set(panel_of(committed(pool, composition), str(value)).members) == {expert(n) for n in members}


def test_an_excluded_expert_is_never_drawn_and_is_named_as_the_cause_of_a_short_panel() -> None:
    pool = [candidate(n) for n in range(4)]
    barred = committed(pool, Composition(3), [project(excluded={expert(0): "kin"})])
    assert all(expert(0) not in panel_of(barred, str(value)).members for value in range(50))
    more = committed(pool, Composition(3), [project(excluded={expert(0): "kin", expert(1): "kin"})])
    assert panel_of(more).short == ("conflicts",)


def test_those_kept_stay_and_the_rest_is_drawn_around_them() -> None:
    pool = [
        candidate(1, F, capacity=0, fields=("99010",)),
        *(candidate(n) for n in range(2, 6)),
        candidate(6, F),
    ]
    fixed = committed(
        pool, Composition(3, {T: 2, F: 1}, field_digits=3, field_exempt=(F,)), [project(kept=(expert(1),))]
    )
    for value in range(30):
        members = panel_of(fixed, str(value)).members
        assert members[0] == expert(1) and expert(6) not in members and len(members) == 3
    # Somebody kept who fits nothing takes a seat and fulfils no requirement.
    idle = but(fixed, composition=Composition(3, {T: 2, F: 1}, field_digits=3))
    assert panel_of(idle) == Panel(PROJECT, (expert(1),), ("fields",))


def test_two_kept_of_one_institution_leave_no_valid_panel() -> None:
    pool = [candidate(n, institution="x" if n < 2 else f"u{n}") for n in range(5)]
    fixed = committed(pool, Composition(3), [project(kept=(expert(0), expert(1)))])
    assert panel_of(fixed) == Panel(PROJECT, (expert(0), expert(1)), ("institution",))


def test_capacity_is_used_up_project_by_project_in_the_drawn_order() -> None:
    fixed = committed(
        [candidate(n, capacity=1) for n in range(7)], Composition(3), [project(n) for n in range(3)]
    )
    drawn = draw(fixed, "1")
    assert [bool(panel.short) for panel in drawn.panels] == [False, False, True]
    assert drawn.panels[-1].short == ("capacity",)
    seated = [name for panel in drawn.panels for name in panel.members]
    assert len(seated) == len(set(seated)) == 6


def test_neither_the_order_of_lists_nor_a_minimum_of_none_changes_the_commitment() -> None:
    fixed = city(people=60, projects=5)
    chance = random.Random(3)
    shuffled = but(
        fixed,
        pool=tuple(
            but(person, kinds=tuple(reversed(person.kinds)), fields=tuple(reversed(person.fields)))
            for person in chance.sample(fixed.pool, len(fixed.pool))
        ),
        projects=tuple(chance.sample(fixed.projects, len(fixed.projects))),
        composition=but(fixed.composition, minimums={**fixed.composition.minimums, I: 0}),
    )
    assert draw(shuffled, "7") == draw(fixed, "7")


@given(commitments())
def test_a_commitment_survives_being_written_and_read(fixed: Committed) -> None:
    again = committed_from(as_json(fixed))
    assert commitment(again) == commitment(fixed)
    assert document(again) == document(fixed)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.dictionaries(TEXTS, JSON, max_size=4))
def test_canonical_bytes_are_those_of_the_evidence_and_of_the_description(value: dict[str, object]) -> None:
    assert canonical(value) == evidence_canonical(value) == second_draw.written(value).encode()


@pytest.mark.parametrize("value", [1.5, [1, 2.0], {"a": {"b": 0.1}}, {1: "a"}])
def test_what_has_several_spellings_is_not_committed_to(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)


# -- the second implementation ---------------------------------------------------------------------


def as_rows(drawn: Drawn) -> list[Mapping[str, object]]:
    return [
        {"project": panel.project, "members": list(panel.members), "short": list(panel.short)}
        for panel in drawn.panels
    ]


@settings(max_examples=250, deadline=None)
@given(commitments(), st.integers(0, 10**6), st.data())
def test_the_second_implementation_agrees_on_draws_and_on_chains_of_replacements(
    fixed: Committed, figure: int, data: st.DataObject
) -> None:
    drawn, said = draw(fixed, str(figure)), as_json(fixed)
    assert second_draw.commitment_of(said) == drawn.commitment
    assert second_draw.panels_of(said, drawn.commitment, str(figure)) == as_rows(drawn)
    entries: list[Replacement] = []
    for _ in range(data.draw(st.integers(0, 3))):
        sitting = [(p.id, name) for p in fixed.projects for name in members_after(drawn, entries, p.id)]
        if not sitting:
            break
        where, gone = data.draw(st.sampled_from(sitting))
        remaining = data.draw(st.dictionaries(st.sampled_from(sorted(capacities(fixed))), st.integers(0, 2)))
        excluded = data.draw(st.sets(st.sampled_from(sorted(capacities(fixed))), max_size=1))
        entry = replace(
            fixed,
            drawn,
            entries,
            project=where,
            gone=gone,
            reason="declined",
            at="2026-05-07T10:00:00+08:00",
            remaining=remaining,
            excluded=dict.fromkeys(excluded, "kin"),
        )
        entries.append(entry)
        rows = [
            {
                "project": one.project,
                "gone": one.gone,
                "remaining": dict(one.remaining),
                "excluded": dict(one.excluded),
                "successors": list(one.successors),
            }
            for one in entries
        ]
        assert second_draw.successors_of(
            said, drawn.commitment, str(figure), as_rows(drawn), rows, len(rows) - 1
        ) == (list(entry.successors), list(entry.short))


def test_the_second_implementation_agrees_on_a_city() -> None:
    fixed = city()
    drawn = draw(fixed, "3417.12")
    assert second_draw.panels_of(as_json(fixed), drawn.commitment, "3417.12") == as_rows(drawn)


@pytest.mark.parametrize("field_digits", [0, 3, 5])
def test_a_city_is_drawn_within_ten_seconds(field_digits: int) -> None:
    fixed = city(field_digits=field_digits)
    began = time.perf_counter()
    drawn = draw(fixed, "3417.12")
    assert time.perf_counter() - began < 10
    assert len(drawn.panels) == 234
    load = Counter(name for panel in drawn.panels for name in panel.members)
    assert all(load[name] <= capacity for name, capacity in capacities(fixed).items())


# -- who follows -----------------------------------------------------------------------------------


def gone(fixed: Committed, drawn: Drawn, entries: list[Replacement], name: str, **given_: Any) -> Replacement:
    return replace(
        fixed,
        drawn,
        entries,
        **{
            "project": PROJECT,
            "gone": name,
            "reason": "declined",
            "at": "2026-05-07T10:00:00+08:00",
            "remaining": capacities(fixed),
            **given_,
        },
    )


def test_one_after_another_declines_and_the_ranking_is_followed_to_its_end() -> None:
    fixed = committed([candidate(n) for n in range(6)], Composition(3))
    drawn = draw(fixed, "1")
    ranking = sorted(
        capacities(fixed),
        key=lambda name: second_draw.keyed_hash(bytes.fromhex(drawn.seed), f"expert:{PROJECT}:{name}"),
    )
    assert list(drawn.panels[0].members) == ranking[:3]
    entries: list[Replacement] = []
    for number in range(3):
        entries.append(
            gone(fixed, drawn, entries, ranking[number], reason=("declined", "recused", "absent")[number])
        )
        assert entries[-1].successors == (ranking[3 + number],)
        assert members_after(drawn, entries, PROJECT) == tuple(ranking[number + 1 : number + 4])
    # All six have sat; the three who left do not come back, whatever is asked.
    entries.append(gone(fixed, drawn, entries, ranking[3], reason="conflict"))
    assert (entries[-1].successors, entries[-1].short) == ((), ("pool",))
    assert members_after(drawn, entries, PROJECT) == tuple(ranking[4:])


def test_a_successor_makes_the_panel_valid_with_those_who_stay() -> None:
    pool = [
        candidate(1, F),
        candidate(2, F, region="home"),
        candidate(3, F),
        *(candidate(n, region="home") for n in range(4, 9)),
    ]
    fixed = committed(pool, Composition(3, {T: 2, F: 1}, off_site_share=Fraction(1, 3)))
    for value in range(20):
        drawn = draw(fixed, str(value))
        (finance,) = {expert(1), expert(2), expert(3)} & set(drawn.panels[0].members)
        # Only the finance seat can come from elsewhere, so its successor is finance and from elsewhere.
        assert finance != expert(2)
        entry = gone(fixed, drawn, [], finance)
        assert set(entry.successors) == {expert(1), expert(3)} - {finance}


def test_loads_and_conflicts_of_the_moment_decide_about_the_successor_and_are_on_record() -> None:
    fixed = committed([candidate(n) for n in range(7)], Composition(3))
    drawn = draw(fixed, "1")
    leaving = drawn.panels[0].members[0]
    (first,) = gone(fixed, drawn, [], leaving).successors
    busy = gone(fixed, drawn, [], leaving, remaining={**capacities(fixed), first: 0})
    assert busy.remaining == {first: 0} and busy.successors != (first,)
    (second,) = busy.successors
    tied = gone(fixed, drawn, [], leaving, remaining={first: 0}, excluded={second: "kin"})
    assert tied.excluded == {second: "kin"} and not {first, second} & set(tied.successors)


def test_an_empty_seat_is_filled_together_with_the_next_or_not_at_all() -> None:
    fixed = committed(
        [*(candidate(n) for n in range(5)), candidate(5, F), candidate(6, F)], Composition(3, {F: 1, T: 2})
    )
    drawn = draw(fixed, "1")
    (finance,) = {expert(5), expert(6)} & set(drawn.panels[0].members)
    (other,) = {expert(5), expert(6)} - {finance}
    vacant = gone(fixed, drawn, [], finance, remaining={other: 0})
    assert (vacant.successors, vacant.short) == ((), ("capacity",))
    leaving = next(name for name in drawn.panels[0].members if name != finance)
    assert gone(fixed, drawn, [vacant], leaving, remaining={other: 0}).successors == ()
    both = gone(fixed, drawn, [vacant], leaving, remaining={})
    assert len(both.successors) == 2 and other in both.successors and finance not in both.successors


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        ({"project": expert(1)}, "entry_project_unknown"),
        ({"gone": expert(99)}, "entry_not_member"),
        ({"reason": "disliked"}, "entry_reason_unknown"),
        ({"remaining": {expert(99): 1}}, "entry_names_unknown"),
        ({"excluded": {expert(99): "kin"}}, "entry_names_unknown"),
    ],
)
def test_a_replacement_that_cannot_be_is_refused(given_: dict[str, object], code: str) -> None:
    fixed = committed([candidate(n) for n in range(6)], Composition(3))
    drawn = draw(fixed, "1")
    with pytest.raises(DrawError) as refused:
        gone(fixed, drawn, [], drawn.panels[0].members[0], **given_)
    assert [finding.code for finding in refused.value.findings] == [code]


def test_who_left_cannot_leave_again() -> None:
    fixed = committed([candidate(n) for n in range(6)], Composition(3))
    drawn = draw(fixed, "1")
    first = gone(fixed, drawn, [], drawn.panels[0].members[0])
    with pytest.raises(DrawError):
        gone(fixed, drawn, [first], drawn.panels[0].members[0])
