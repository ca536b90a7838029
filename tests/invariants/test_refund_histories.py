"""Whatever is established, received, put into instalments, written off and cancelled, in any order.

Nothing is lost, nothing goes below nothing, and what is refunded and owed never exceeds what was paid.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.evidence.recounts import recounts
from milepost.queries.budget import lines
from states.refusals import Refused
from tests.invariants.conftest import Found
from tests.invariants.town import Town
from tests.invariants.town_receivable import BASIS, entry, home_text, paid, propose

pytestmark = pytest.mark.xdist_group("refund_histories")
PAID_TENTHS = 10
_CLAIMS = [
    r
    for r in recounts()
    if r.code in ("receivable_differs", "receipt_differs", "account_differs", "books_unbalanced")
]


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found(programme=home_text())
    # Each history begins with a notice that runs its days: many of them come into another year.
    for year in range(2025, 2029):
        made.vote(10_000_000_000, year=year)
    return made


class Model:
    """What should be: of each claim its state, what is left, and what came in beyond it."""

    def __init__(self, town: Town) -> None:
        self.town, self.project = town, paid(town)
        sql = "SELECT sum(amount_minor)::bigint FROM payment WHERE project_id = %s AND state = 'settled'"
        self.paid = int(town.one(sql, self.project))
        self.claims: dict[UUID, list[Any]] = {}
        self.refunded = self.over = 0

    @property
    def claimed(self) -> int:
        """What is proposed and owed."""
        return sum(
            left for state, left in self.claims.values() if state in ("proposed", "owed", "instalments")
        )

    def establish(self, tenths: int) -> None:
        amount = self.paid * tenths // PAID_TENTHS
        due = self.town.clock.today().isoformat()
        fits = amount <= self.paid - self.claimed - self.refunded
        try:
            made = self.town.take(
                "officer", "receivable.establish", self.project, amount_minor=amount, due_on=due, **BASIS
            )
        except Refused as refused:
            assert not fits and {r.code for r in refused.refusals} <= {
                "claim_exceeds_paid",
                "nothing_was_paid",
            }
        else:
            assert fits
            self.claims[made.subject_id] = ["proposed", amount]

    def on(self, kind: str, which: int, tenths: int) -> None:
        """One step on one of the claims; what the model says cannot be is refused, and changes nothing."""
        if not self.claims:
            return
        id = sorted(self.claims)[which % len(self.claims)]
        state, left = self.claims[id]
        allowed = {
            "confirm": ("proposed",),
            "cancel": ("proposed",),
            "receive": ("owed", "instalments"),
            "receive_over": ("settled", "written_off", "cancelled"),
            "grant": ("owed", "instalments"),
            "write_off": ("owed", "instalments"),
        }[kind]
        try:
            getattr(self, kind)(id, max(1, left * tenths // 5))
        except Refused:
            assert state not in allowed
        else:
            assert state in allowed, (state, kind)

    def confirm(self, id: UUID, amount: int) -> None:
        self.town.take("finance1", "receivable.confirm", id)
        self.claims[id][0] = "owed"

    def cancel(self, id: UUID, amount: int) -> None:
        self.town.take("officer", "receivable.cancel", id, reason="-")
        self.claims[id][0] = "cancelled"

    def receive(self, id: UUID, amount: int) -> None:
        self.town.take("finance2", "receivable.receive", id, entry_id=str(entry(self.town, amount)))
        taken = min(amount, self.claims[id][1])
        self.refunded, self.over = self.refunded + taken, self.over + amount - taken
        self.claims[id][1] -= taken
        if not self.claims[id][1]:
            self.claims[id][0] = "settled"

    def receive_over(self, id: UUID, amount: int) -> None:
        self.town.take("finance2", "receivable.receive_over", id, entry_id=str(entry(self.town, amount)))
        self.over += amount

    def grant(self, id: UUID, amount: int) -> None:
        first = self.town.clock.today().isoformat()
        self.town.take(
            "finance2", "receivable.grant_instalments", id, number=2, first_on=first, decision_no="D"
        )
        self.claims[id][0] = "instalments"

    def write_off(self, id: UUID, amount: int) -> None:
        propose(self.town, id)
        self.town.take("finance3", "receivable.write_off", id)
        self.claims[id][0] = "written_off"

    def check(self) -> None:
        """The books say what the model says, and every claim can be counted again."""
        town = self.town
        accounts = dict(
            town.all(
                "SELECT kind, credits_posted - debits_posted FROM account WHERE owner_id = %s", self.project
            )
        )
        owed = sum(left for state, left in self.claims.values() if state in ("owed", "instalments"))
        assert accounts.get("receivable", 0) == owed
        assert accounts["paid"] == self.paid - owed - self.refunded
        pending = town.one(
            "SELECT debits_pending FROM account WHERE owner_id = %s AND kind = 'paid'", self.project
        )
        assert self.claimed == owed + pending and self.refunded + self.claimed <= self.paid
        sums = "SELECT coalesce(sum({})::bigint, 0) FROM receivable WHERE project_id = %s"
        assert town.one(sums.format("received_minor"), self.project) == self.refunded
        assert town.one(sums.format("over_minor"), self.project) == self.over
        # Whatever came home makes room in its appropriation, and every year still adds up.
        kept = "SELECT coalesce(sum(restored_minor), 0)::bigint FROM receipt WHERE project_id = %s"
        assert 0 <= town.one(kept, self.project) <= self.refunded
        assert [line for line in lines(town.session, None) if line.difference] == []
        for claim in _CLAIMS:
            assert town.all(claim.sql.replace("%", "%%")) == [], claim.en


STEPS = st.one_of(
    st.tuples(st.just("establish"), st.just(0), st.integers(1, 12)),
    st.tuples(
        st.sampled_from(
            ("confirm", "confirm", "receive", "receive", "receive_over", "cancel", "grant", "write_off")
        ),
        st.integers(0, 3),
        st.integers(1, 7),
    ),
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(STEPS, min_size=4, max_size=14))
def test_nothing_is_lost_in_any_order(town: Town, history: list[tuple[str, int, int]]) -> None:
    model = Model(town)
    model.establish(3)
    model.on("confirm", 0, 1)
    for kind, which, tenths in history:
        if kind == "establish":
            model.establish(tenths)
        else:
            model.on(kind, which, tenths)
    model.check()
