"""Rounds of review to match, and a judge of matchings who shares no code with what is judged.

Whether a panel may sit together is decided by trying every way to share out its seats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np

from milepost.experts.matching import Matching, Terms, match
from milepost.experts.placing import REASONS
from milepost.experts.rounds import SCORE_MAX, Application, Reviewer
from states.seating import Composition

ANYBODY = Composition(2, odd=False, one_per_institution=False)
PLAIN = Terms(fair=False)


@dataclass(frozen=True)
class Round:
    """A round, and its matching by some terms."""

    applications: Sequence[Application]
    reviewers: Sequence[Reviewer]
    scores: Any
    forbidden: frozenset[tuple[str, str]] = frozenset()
    fixed: frozenset[tuple[str, str]] = frozenset()
    people: dict[str, Reviewer] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "people", {reviewer.id: reviewer for reviewer in self.reviewers})

    def match(self, terms: Terms | None = None, **given: Any) -> Matching:
        return match(
            self.applications,
            self.reviewers,
            np.array(self.scores, dtype=np.int64).reshape(len(self.applications), len(self.reviewers)),
            forbidden=self.forbidden,
            fixed=self.fixed,
            terms=terms,
            **given,
        )

    def may(self, application: Application, reviewer: Reviewer) -> bool:
        """True for a pair without a conflict."""
        own = reviewer.institution != "" and reviewer.institution in application.institution_keys
        return not own and (application.id, reviewer.id) not in self.forbidden


def application(id: str, panel: Composition = ANYBODY, **given: Any) -> Application:
    return Application(id, given.pop("fields", ("510",)), "", given.pop("keys", frozenset()), panel, **given)


def reviewer(id: str, load: int = 1, **given: Any) -> Reviewer:
    kinds = frozenset(given.pop("kinds", ("technology",)))
    institution, region = given.pop("institution", ""), given.pop("region", "")
    return Reviewer(id, given.pop("fields", ("510",)), "", kinds, region, institution, load)


def may_sit_together(application: Application, members: Collection[Reviewer]) -> bool:
    """True when these people, and whoever may still join them on the seats left, can make a whole panel."""
    panel, left = application.panel, application.panel.size - len(members)
    named = [member.institution for member in members if member.institution]
    if left < 0 or (panel.one_per_institution and len(set(named)) < len(named)):
        return False
    elsewhere = sum(member.region not in ("", application.region) for member in members)
    if panel.off_site_least() - elsewhere > left:
        return False
    seats = [kind for kind, number in panel.minimums.items() for _ in range(number)]
    seats += [""] * (panel.size - len(seats))
    return any(
        all(seat in ("", *member.kinds) for seat, member in zip(order, members, strict=False))
        for order in permutations(seats, len(members))
    )


def judge(case: Round, found: Matching) -> None:
    """Hold a matching against everything that it promises of every round."""
    assert len({(pair.application, pair.reviewer) for pair in found.pairs}) == len(found.pairs)
    assert {(p.application, p.reviewer) for p in found.pairs if p.fixed} == case.fixed
    new = Counter(pair.reviewer for pair in found.pairs if not pair.fixed)
    assert all(number <= case.people[id].load for id, number in new.items())
    short = {each.application: each for each in found.short}
    total, service = 0, {}
    for row, ours in enumerate(case.applications):
        pairs = [pair for pair in found.pairs if pair.application == ours.id]
        sat = [case.people[pair.reviewer] for pair in pairs if pair.fixed]
        came = [case.people[pair.reviewer] for pair in pairs if not pair.fixed]
        assert all(case.may(ours, each) for each in came)
        if not sat:
            assert may_sit_together(ours, came)
        if ours.panel.one_per_institution:
            others = Counter(each.institution for each in (*sat, *came) if each.institution)
            assert all(others[each.institution] == 1 for each in came if each.institution)
        missing = max(0, ours.panel.size - len(pairs))
        assert len(came) <= max(0, ours.panel.size - len(sat))
        assert (ours.id in short) == bool(missing or (ours.id in short and short[ours.id].lacking))
        if ours.id in short:
            assert short[ours.id].seats == missing
            assert short[ours.id].reasons
            assert set(short[ours.id].reasons) <= set(REASONS)
            assert short[ours.id].zh != short[ours.id].en
        columns = {each.id: column for column, each in enumerate(case.reviewers)}
        affinity = sum(int(case.scores[row][columns[pair.reviewer]]) for pair in pairs)
        assert affinity == sum(pair.score for pair in pairs)
        total, service[ours.id] = total + affinity, affinity // ours.panel.size
    assert found.total == total
    assert dict(found.service) == service
    assert found.worst == min(service.values(), default=0) >= found.plain_worst
    assert found.worst <= found.worst_limit
    assert found.total <= found.bound <= found.optimum or found.stopped
    assert found.empty_least <= sum(each.seats for each in found.short)


def middling(seed: int, panel: Composition, load: int = 6, panels: int = 40, people: int = 30) -> Round:
    """More open pairs than are solved exactly, with subjects, so that some are badly served."""
    chance = np.random.default_rng(seed)
    ours = [application(f"a{at:02}", panel, region="n") for at in range(panels)]
    theirs = [
        reviewer(
            f"r{at:02}",
            load,
            kinds=chance.choice(["technology", "management", "finance"], 1 + at % 2, False).tolist(),
            region=str(chance.choice(["n", "s"])),
            institution=f"i{chance.integers(12)}",
        )
        for at in range(people)
    ]
    near = chance.dirichlet(np.ones(8) * 0.2, panels) @ chance.dirichlet(np.ones(8) * 0.3, people).T
    scores = np.minimum(near * 900_000 + chance.random(near.shape) * 100_000, SCORE_MAX).astype(np.int64)
    barred = frozenset((a.id, r.id) for a in ours for r in theirs if chance.random() < 0.03)
    return Round(ours, theirs, scores, barred)
