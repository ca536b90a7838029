"""Experts are matched with applications over a whole round, and the result says how good it is.

In this order: what was assigned stays; conflicts, loads and the rules of every panel hold; few seats stay
empty; whoever is served worst is served well; the total affinity is high, and within a stated share of the
best conceivable. In a round of up to `exact.WHOLE_PAIRS` open pairs seats are filled and the worst-served
application is lifted as far as can be, unless the exact model runs out of its counted effort; in a larger
round both are searched for, and ``optimum``, ``bound`` and ``empty_least`` say how much better any matching
could be. The same round, terms and seed give the same pairs.

**Chance.** With ``Terms.open_percent`` below 100 each pair is open or closed by a keyed hash of a public seed
(`grid.pair_is_open`), and only open pairs are made. What is promised: over the choice of the seed, no pair
that was not assigned before is made with a probability above that percentage, whatever anybody wrote to be
matched; that one of k people at least is matched with an application is at most as likely as 1 − (1 − p)^k.
It holds for texts, subjects and ids that were fixed before the seed was known.

**The proof.** ``optimum`` is the exact optimum of a min-cost flow that knows loads, conflicts and seats by
kind only: no matching is better. ``bound`` lowers it by prices on the other rules, and still no matching
exceeds it; ``gap_millionths`` is how far below it the total is, and so below the best at most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milepost.experts.rounds import Application, MatchingError, Reviewer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from milepost.experts.placing import Placing, Short


@dataclass(frozen=True, slots=True)
class Terms:
    """How a round is matched.

    ``fair``: the worst-served are lifted. ``loss_per_mille`` is how far below the flow's optimum the total
    may come by it; where the rules of the panels alone cost more than half of that, lifting may cost half of
    it, of what was found without. ``open_percent`` is the highest probability for any pair, under the
    public ``seed``. ``flows`` is how many flows the proof of the bound may take.
    """

    fair: bool = True
    loss_per_mille: int = 10
    open_percent: int = 100
    seed: str = ""
    flows: int = 12

    def __post_init__(self) -> None:
        if not (0 <= self.loss_per_mille <= 1000 and 1 <= self.open_percent <= 100 and self.flows >= 0):
            raise MatchingError(
                "matching_terms",
                "匹配设置有误：损失为千分之 0 至 1000，概率为百分之 1 至 100，求解次数不为负。请修改。",
                "The terms are wrong: a loss of 0 to 1000 per mille, a probability of 1 to 100 percent, no "
                "negative number of flows. Correct them.",
            )
        if self.open_percent < 100 and (not self.seed or "\n" in self.seed):
            raise MatchingError(
                "matching_seed",
                "设有随机份额时须给出公开的随机种子，且不得含换行。请填写事先公布的随机值。",
                "A share of chance needs a public seed without a line feed. Give the announced value.",
            )


@dataclass(frozen=True, slots=True)
class Stage:
    """How far it has come: the phase, how much is done of how much (0: nobody knows), and the best so far.

    Phases in order: flow, fill, raise, exact, prove, fair. In the last one ``done`` and ``total`` are the
    service of the worst-served application and the mean, above which nobody is lifted.
    """

    phase: str
    done: int
    total: int
    affinity: int
    worst: int
    empty: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A reviewer for an application; ``fixed`` was assigned before."""

    application: str
    reviewer: str
    score: int
    fixed: bool


@dataclass(frozen=True)
class Matching:
    """The pairs of a round, what stayed empty and why, and how good it is.

    ``total`` is the affinity of all pairs. ``service`` has for each application the mean over the seats of
    its panel, an empty one counting 0; ``worst`` is the least of them, and never exceeds ``worst_limit``,
    beyond which somebody is not served who had every choice. ``plain_total`` and ``plain_worst`` are what
    they were before the worst-served were lifted, in ``rounds`` levels. ``empty_least`` is how many seats
    stay empty in every matching. ``optimum`` and ``bound`` are for matchings that leave as few seats
    empty and spread them as evenly; where rules leave more of them empty than loads and conflicts do, for
    all. They are 0 when it was stopped before they were known.
    """

    pairs: tuple[Pair, ...]
    short: tuple[Short, ...]
    total: int
    worst: int
    worst_limit: int
    empty_least: int
    plain_total: int
    plain_worst: int
    optimum: int
    bound: int
    rounds: int
    stopped: bool
    closed_by_chance: int
    service: tuple[tuple[str, int], ...]
    _placing: Callable[[str, str], Placing] = field(repr=False, compare=False)

    @property
    def gap_millionths(self) -> int | None:
        """How far the total is below what is proved to be out of reach, in millionths of that, rounded up."""
        return _below(self.total, self.bound)

    @property
    def below_optimum_millionths(self) -> int | None:
        """How far the total is below the flow that knows no rules but loads, conflicts and kinds."""
        return _below(self.total, self.optimum)

    def explain(self, application: str, reviewer: str) -> Placing:
        """Why this reviewer sits on this application; KeyError for a pair that was not made."""
        return self._placing(application, reviewer)


def match(
    applications: Sequence[Application],
    reviewers: Sequence[Reviewer],
    scores: NDArray[np.int32] | NDArray[np.int64],
    *,
    forbidden: Collection[tuple[str, str]] = (),
    fixed: Collection[tuple[str, str]] = (),
    terms: Terms | None = None,
    progress: Callable[[Stage], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Matching:
    """Match a round: ``scores`` has a row for each application and a column for each reviewer.

    ``forbidden`` and ``fixed`` are pairs of ids, of an application and a reviewer. A fixed pair stays even
    against a conflict or a rule; whether it may is for those who assigned it. ``stop`` is asked between
    steps, and once it says so the best matching so far is returned: it keeps every rule, and may have more
    seats empty. MatchingError for a round that contradicts itself.
    """
    from milepost.experts.phases import run

    return run(applications, reviewers, scores, forbidden, fixed, terms or Terms(), progress, stop)


def _below(total: int, most: int) -> int | None:
    if most == 0:
        return None
    return max(0, -(-(most - total) * 1_000_000 // most))
