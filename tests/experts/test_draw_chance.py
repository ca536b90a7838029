"""Nobody is likelier to be drawn than anybody else in the same position: ten thousand values, by chi-square.

The values are fixed, so that the outcome is: what is tested is the procedure, not luck.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import comb

import pytest
from scipy.stats import chi2

from states.commitment import Committed, commitment
from states.drawing import draw_under
from states.seating import Composition
from tests.experts.draw_scene import candidate, committed, expert, project

SEEDS = 10_000


def ten_thousand(fixed: Committed) -> list[frozenset[str]]:
    """The members of the one panel, for ten thousand values."""
    stated = commitment(fixed)
    return [frozenset(draw_under(fixed, stated, str(value)).panels[0].members) for value in range(SEEDS)]


def p_value(counts: Sequence[float], expected: float, variance: float, freedom: int) -> float:
    return float(chi2.sf(sum((count - expected) ** 2 for count in counts) / variance, freedom))


@pytest.mark.slow
def test_every_panel_and_every_order_of_projects_is_equally_likely() -> None:
    fixed = committed([candidate(n) for n in range(8)], Composition(3), [project(n) for n in range(3)])
    panels: Counter[frozenset[str]] = Counter()
    orders: Counter[tuple[str, ...]] = Counter()
    stated = commitment(fixed)
    for value in range(SEEDS):
        drawn = draw_under(fixed, stated, str(value))
        orders[tuple(panel.project for panel in drawn.panels)] += 1
        panels[
            next(frozenset(panel.members) for panel in drawn.panels if panel.project == project(0).id)
        ] += 1
    cells = comb(8, 3)
    assert len(panels) == cells and len(orders) == 6
    for counts in (list(panels.values()), list(orders.values())):
        mean = SEEDS / len(counts)
        assert 0.001 < p_value(counts, mean, mean, len(counts) - 1) < 0.999


@pytest.mark.slow
def test_every_expert_is_equally_likely_without_constraints() -> None:
    people, size = 40, 5
    fixed = committed([candidate(n) for n in range(people)], Composition(size))
    drawn = Counter(name for panel in ten_thousand(fixed) for name in panel)
    share = size / people
    # Seats of one panel are not independent: drawing without replacement spreads less than a multinomial.
    variance = SEEDS * share * (1 - share) * people / (people - 1)
    counts = [drawn[expert(n)] for n in range(people)]
    assert 0.001 < p_value(counts, SEEDS * share, variance, people - 1) < 0.999
    # The yardstick would show one person's being drawn a fifth more often.
    favoured = [counts[0] * 1.2, *counts[1:]]
    assert p_value(favoured, SEEDS * share, variance, people - 1) < 0.001


@pytest.mark.slow
def test_experts_in_the_same_position_are_equally_likely_under_constraints() -> None:
    groups = {
        "technology at home": [candidate(n, "technology", region="home") for n in range(0, 6)],
        "technology away": [candidate(n, "technology") for n in range(6, 10)],
        "finance": [candidate(n, "finance", region="home", fields=()) for n in range(10, 14)],
        "two kinds": [candidate(n, "technology", "finance") for n in range(14, 17)],
    }
    fixed = committed(
        list(itertools.chain.from_iterable(groups.values())),
        Composition(
            3,
            {"technology": 1, "finance": 1},
            off_site_share=Fraction(1, 3),
            field_digits=3,
            field_exempt=("finance",),
        ),
    )
    panels = ten_thousand(fixed)
    drawn = Counter(name for panel in panels for name in panel)
    means = {}
    for name, group in groups.items():
        ids = [person.id for person in group]
        counts = [drawn[one] for one in ids]
        mean = sum(counts) / len(ids)
        # The spread within a group, from how often two of it were drawn together.
        both = sum(1 for panel in panels for _ in itertools.combinations(panel & set(ids), 2))
        together = 2 * both / (len(ids) * (len(ids) - 1))
        assert 0.001 < p_value(counts, mean, mean - together, len(ids) - 1) < 0.999, name
        means[name] = mean
    # Constraints do tell groups apart: whoever fulfils more of them is drawn more often.
    assert means["two kinds"] > means["technology away"] > means["technology at home"]
