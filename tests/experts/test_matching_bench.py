"""The line on matching measures what it says: its round is as described, the flow beside it is the optimum.

It runs here at a tiny size. How fast it is, is for ``make bench`` to say.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from bench import matching
from bench.sizes import TINY
from milepost.embedded import EmbeddedPostgres
from milepost.experts.affinity import affinity
from states.seating import Composition


@pytest.fixture(scope="module")
def made() -> matching.Made:
    return matching.made_up(60, 50, matching.FIVE, (20, 25))


def test_the_round_is_as_the_line_describes_it(made: matching.Made) -> None:
    assert (len(made.applications), len(made.reviewers)) == (60, 50)
    assert {reviewer.load for reviewer in made.reviewers} == set(range(20, 26))
    assert all(asks.text and asks.fields and asks.panel.size == 5 for asks in made.applications)
    own = sum(
        each.institution in asks.institution_keys for asks in made.applications for each in made.reviewers
    )
    assert own + len(made.forbidden) == max(own, 60 * 50 * 3 // 100)
    assert made == matching.made_up(60, 50, matching.FIVE, (20, 25))


def test_the_flow_beside_it_is_the_optimum() -> None:
    made = matching.made_up(12, 8, Composition(1), (1, 2))
    scores = affinity(made.applications, made.reviewers).scores
    optimum, sums = matching.by_flow_alone(made, scores)
    # With one seat a panel it is an assignment of applications to tasks, which another algorithm solves.
    worth = scores.astype(np.int64)
    for row, asks in enumerate(made.applications):
        for column, each in enumerate(made.reviewers):
            if (asks.id, each.id) in made.forbidden or each.institution in asks.institution_keys:
                worth[row, column] = -(10**9)
    tasks = np.repeat(np.arange(8), [reviewer.load for reviewer in made.reviewers])
    rows, columns = linear_sum_assignment(worth[:, tasks], maximize=True)
    assert optimum == int(sums.sum()) == worth[:, tasks][rows, columns].sum()


@pytest.mark.slow
def test_a_round_is_held_against_the_flow_and_the_clock(server: EmbeddedPostgres) -> None:
    lines = matching.measure(server, TINY)
    assert [(line.name, line.goal, line.bound) for line in lines] == [
        ("matching, total affinity", 0.99, "at least"),
        ("matching, worst-served", 1.5, "at least"),
        ("matching, time", 1.0, "at most"),
    ]
    for line in lines:
        assert line.ratio is not None
        assert line.ratio > 0
        assert " / " in line.compared
    assert set(lines[0].raw) == set(matching.ROUNDS)
