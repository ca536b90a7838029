"""One office, three projects, two years' budgets and a bank of its own: what random histories act on.

``Treasury`` is the machine; its rules are here and in ``treasury_rules``, what has to be true of it at the
end in ``treasury_ends``. Every step goes through ``attempt``, which counts what was refused; what was
accepted is counted from the events, also what the system did.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from milepost.actions import Receipt
from milepost.bank.simulated_files import Answer, Misbehaviour
from states.reference import reference_of
from states.refusals import Refused
from tests.invariants import town_receivable
from tests.invariants.stages import Stage
from tests.invariants.town import START, programme_text
from tests.work.files_scene import Loop

FINANCE = tuple(f"finance{n}" for n in range(1, 6))
# Officers do finance's duties only where somebody delegated them.
HANDS = (*FINANCE, "officer", "officer2")
QUIET_DAYS = 10
OPEN_FIRST = "ORDER BY state NOT IN ('owed', 'instalments'), id"
# The bank keeps its books in files: in memory where there is some, for nothing here outlives a history.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
FAULTS = (
    "reject",
    "come_back",
    "reject_late",
    "lose_reply",
    "slow",
    "wrong_amount",
    "twice",
    "unknown",
    "part",
)
FILES = ("duplicate", "split", "reorder", "wrong_total")
# An award has to fit into what is free of the years, so that no more is ever promised than was voted.
# Every day after the first counts as late, and what comes back within the year goes back to its purse.
LATE = 'late_interest = { rate = "50%", promised_days = 0, paid_from = "interest" }\nrule_set ='
PROGRAMME = (
    programme_text().replace("rule_set =", LATE, 1)
    + """
[budget]
fits_before_approval = true
same_year_refunds_to = "appropriation"
[[budget.sources]]
code = "city"
title = { zh = "市本级", en = "City" }
[[budget.sources]]
code = "region"
title = { zh = "自治区补助", en = "Regional transfer" }
[[budget.sources]]
code = "interest"
title = { zh = "逾期利息", en = "Interest" }
"""
)


# What there is to act on, so that chance does not ask again and again for what cannot be.
THERE = {
    "to_earn": "milestone WHERE state = 'planned'",
    "to_pay": "payment WHERE state IN ('planned', 'due', 'requested', 'approved')",
    "under_way": "payment WHERE state IN ('requested', 'approved', 'released')",
    "at_bank": "payment WHERE state IN ('instructed', 'unknown')",
    "paid": "tranche WHERE paid_minor > 0",
    "open": "bank_exception WHERE state = 'open'",
    "explained": "bank_exception WHERE state = 'explained'",
    "claimed": "receivable",
    "confirmed": "receivable WHERE state <> 'proposed'",
    "given_up": "receivable WHERE written_off_minor > 0",
    "receipts": "receipt",
    "corrections": "correction WHERE status = 'proposed'",
    "set_offs": "set_off WHERE status IN ('proposed', 'agreed')",
    "to_set_off": "receivable r JOIN payment y ON y.project_id = r.project_id "
    "WHERE r.state IN ('owed', 'instalments') AND y.state IN ('planned', 'due')",
    "accepted": "delegation WHERE state = 'accepted'",
    "held": "hold WHERE lifted_at IS NULL",
    "to_approve": "project WHERE state = 'approval'",
}
_LOOK = "SELECT " + ", ".join(f"EXISTS (SELECT 1 FROM {what})" for what in THERE.values())


def there(what: str) -> Callable[[Any], Any]:
    """A rule for histories in which there is something of a kind."""
    assert what in THERE
    return precondition(lambda machine: machine.found[what])


class Treasury(RuleBasedStateMachine):
    """Payments, the bank, refunds and the budget."""

    stage: Stage
    """A database with the office in it, the same for each history."""
    histories: int = 0
    accepted: ClassVar[Counter[str]] = Counter()
    """How often each step was taken in all histories, whoever took it."""
    refused: ClassVar[Counter[str]] = Counter()
    states: ClassVar[Counter[str]] = Counter()
    """In which states payments were at the end of all histories."""

    def __init__(self) -> None:
        super().__init__()
        self.held = ExitStack()

    @initialize(seed=st.integers(0, 2**20))
    def begin(self, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        told = {name: chance.choice((0, 0, 3, 5)) for name in FAULTS} | {
            name: chance.choice((0, 0, 2)) for name in FILES
        }
        self.town = town = self.stage.begin()
        folder = Path(tempfile.mkdtemp(prefix="milepost-history-", dir=MEMORY))
        self.held.callback(shutil.rmtree, folder)
        self.loop = Loop(town, folder, Misbehaviour(seed=seed, **told))
        self.projects: list[UUID] = [row[0] for row in town.all("SELECT id FROM project ORDER BY code")]
        # The latest day there has been: the bank's files are of days that are over.
        town.clock.set(town.one("SELECT max(at)::date FROM event"))
        self.waiting: list[Answer] = []
        self.before = Counter(dict(town.all("SELECT step, count(*) FROM event GROUP BY 1")))
        # Something is at the bank from the start, and mostly paid: short histories reach the money too.
        self.earn(0)
        self.pay_by_the_next_batch(0, seed)
        for _ in range(chance.choice((0, 2, 3, 3))):
            self.a_usual_day()

    @invariant()
    def look(self) -> None:
        """See what there is to act on."""
        self.found = dict(zip(THERE, self.town.all(_LOOK)[0], strict=True))

    def attempt(self, who: str, step: str, subject: UUID | None, **input: Any) -> Receipt | None:
        """Take a step; a refusal has written nothing."""
        before = self.town.one("SELECT count(*) FROM event")
        try:
            return self.town.take(who, step, subject, **input)
        except Refused as refused:
            assert refused.refusals
            assert self.town.one("SELECT count(*) FROM event") == before
            Treasury.refused[step] += 1
            return None

    def one_of(self, sql: str, pick: int) -> UUID | None:
        """One of the rows that a query finds, in their order."""
        rows = self.town.all(sql)
        return UUID(str(rows[pick % len(rows)][0])) if rows else None

    # Paying ------------------------------------------------------------------------------------------------

    @there("to_earn")
    @rule(pick=st.integers(0, 3))
    def earn(self, pick: int) -> None:
        milestone = self.one_of("SELECT id FROM milestone WHERE state = 'planned' ORDER BY number, id", pick)
        if milestone is not None:
            self.attempt("unit", "milestone.report", milestone, report="built", deliverables=1)
            self.attempt("judge", "milestone.accept", milestone, opinion="works")

    @there("to_pay")
    @rule(pick=st.integers(0, 3), people=st.permutations(HANDS), stop=st.integers(1, 4), own=st.booleans())
    def pay(self, pick: int, people: list[str], stop: int, own: bool = True) -> None:
        """Request, approve and release, or stop on the way; another time somebody takes it up again."""
        payment = self.one_of(
            "SELECT y.id FROM payment y LEFT JOIN milestone m ON m.id = y.milestone_id "
            "WHERE y.state IN ('planned', 'due', 'requested', 'approved') "
            "ORDER BY coalesce(m.state, '') <> 'accepted', y.id",
            pick,
        )
        if payment is not None:
            self.take_on(payment, [who for who in people if who in FINANCE] if own else people, stop)

    def take_on(self, payment: UUID, people: list[str], stop: int = 3) -> None:
        """Bring a payment on, by one after the other."""
        ways = ("request", "approve", "release")
        at = {"requested": 1, "approved": 2}.get(self.town.state("payment", payment), 0)
        if at == 0:
            self.attempt("system", "payment.fall_due", payment)
        for who, step in list(zip(people, ways[at:], strict=False))[:stop]:
            self.attempt(who, f"payment.{step}", payment)

    @rule(pick=st.integers(0, 3), seed=st.integers(0, 2**16))
    def pay_by_the_next_batch(self, pick: int, seed: int) -> None:
        """The usual way: earned, asked for, released, in a batch, and taken by the bank."""
        self.earn(pick)
        self.pay(pick, random.Random(seed).sample(FINANCE, 3), 3)
        self.hand_a_batch_over()
        self.loop.taken()

    @there("under_way")
    @rule(pick=st.integers(0, 3), who=st.sampled_from(FINANCE), again=st.booleans())
    def think_better_of_it(self, pick: int, who: str, again: bool) -> None:
        payment = self.one_of(
            "SELECT id FROM payment WHERE state IN ('requested', 'approved', 'released') ORDER BY id", pick
        )
        if payment is not None and not self.attempt(who, "payment.send_back", payment, reason="r"):
            self.attempt(who, "payment.void", payment, reason="r", again=again)

    # The bank ----------------------------------------------------------------------------------------------

    @rule()
    def hand_a_batch_over(self) -> None:
        if self.town.one("SELECT count(*) FROM payment WHERE state = 'released'"):
            try:
                self.loop.batch()
            except Refused as refused:
                assert refused.refusals
                Treasury.refused["batch.make"] += 1
        self.loop.send()

    @rule(late=st.booleans())
    def let_the_bank_work(self, late: bool) -> None:
        self.loop.taken()
        self.ask(late)

    def ask(self, late: bool) -> None:
        """What the bank has to say: reports at once, the statements of the days that are over."""
        today = self.loop.today()
        said = self.loop.bank.statements(today - timedelta(days=1))
        # Of the quiet weeks before a new year the bank has a statement for each day; they say nothing.
        quiet = [answer for answer in said[:-QUIET_DAYS] if b"<Ntry" not in answer.content]
        self.waiting += self.loop.bank.reports(today) + [answer for answer in said if answer not in quiet]
        if late:
            self.waiting += self.loop.bank.late_reports(today)

    @rule(share=st.integers(1, 10), twice=st.booleans())
    def read_some_of_its_files(self, share: int, twice: bool) -> None:
        """Some of what waits, in any order; some of it is read again another day."""
        self.chance.shuffle(self.waiting)
        cut = -(-len(self.waiting) * share // 10)
        now, self.waiting = self.waiting[:cut], self.waiting[cut:]
        self.read(now)
        if twice:
            self.waiting += now

    def read(self, answers: list[Answer]) -> None:
        for answer in answers:
            self.loop.put(Answer(f"{self.chance.getrandbits(64):x}.xml", answer.content))
        self.loop.read()

    @rule()
    def a_usual_day(self) -> None:
        """The bank works, and whatever it says is read."""
        self.loop.send()
        self.loop.taken()
        self.loop.next_day()
        self.ask(late=False)
        now, self.waiting = self.waiting, []
        self.read(now)

    @rule(days=st.integers(1, 4))
    def days_pass(self, days: int) -> None:
        for _ in range(days):
            self.loop.next_day()
        self.loop.send()

    @there("open")
    @rule(
        pick=st.integers(0, 5), who=st.sampled_from(FINANCE), way=st.sampled_from(("match", "explain", "use"))
    )
    def clear_something_up(self, pick: int, who: str, way: str) -> None:
        # Few have a likely match: only where there is none another one is asked about, and refused.
        some = "SELECT id FROM bank_exception WHERE state = 'open' {} ORDER BY id"
        likely = self.one_of(some.format("AND likely_id IS NOT NULL"), pick) if way == "match" else None
        found = likely or self.one_of(some.format(""), pick)
        if found is not None:
            self.attempt(who, f"bank_exception.{way}", found, note="asked the bank")
            self.loop.read()

    # Refunds -----------------------------------------------------------------------------------------------

    @there("paid")
    @rule(pick=st.integers(0, 2), tenths=st.integers(1, 11), confirmed=st.booleans())
    def ask_money_back(self, pick: int, tenths: int, confirmed: bool) -> None:
        rows = self.town.all(
            "SELECT project_id, sum(paid_minor) FROM tranche WHERE paid_minor > 0 GROUP BY 1 ORDER BY 1"
        )
        project, paid = rows[pick % len(rows)] if rows else (self.projects[pick], 0)
        made = self.attempt(
            "officer",
            "receivable.establish",
            project,
            amount_minor=max(1, int(paid) * tenths // 10),
            due_on=(self.loop.today() + timedelta(days=20)).isoformat(),
            **town_receivable.BASIS,
        )
        if made and confirmed:
            self.attempt("finance1", "receivable.confirm", made.subject_id)

    @there("confirmed")
    @rule(pick=st.integers(0, 3), tenths=st.integers(1, 12), named=st.booleans())
    def pay_money_in(self, pick: int, tenths: int, named: bool) -> None:
        """The grantee pays in, a part or too much, with the reference or without; a statement will say so."""
        claim = self.one_of(f"SELECT id FROM receivable WHERE state <> 'proposed' {OPEN_FIRST}", pick)
        if claim is None:
            return
        owed = int(self.town.one("SELECT amount_minor FROM receivable WHERE id = %s", claim))
        words = reference_of(claim) if named else "refund"
        self.loop.bank.credit(max(1, owed * tenths // 10), "CNY", self.loop.today(), words)

    @there("claimed")
    @rule(pick=st.integers(0, 3), step=st.sampled_from(("write_off", "keep", "grant", "cancel", "confirm")))
    def decide_what_is_owed(self, pick: int, step: str) -> None:
        claim = self.one_of(f"SELECT id FROM receivable {OPEN_FIRST}", pick)
        if claim is None:
            return
        if step == "grant":
            day = self.loop.today().isoformat()
            self.attempt(
                "finance2", "receivable.grant_instalments", claim, number=3, first_on=day, decision_no="D"
            )
        elif step in ("write_off", "keep"):
            given = {"reason": "gone", "decision_no": "D-3", "documents": [town_receivable.paper(self.town)]}
            ending = self.chance.choice(("uncollectable", "quashed"))
            self.attempt("finance2", "receivable.propose_write_off", claim, ending=ending, **given)
            said = {"reason": "r"} if step == "keep" else {}
            self.attempt("finance3", f"receivable.{step}", claim, **said)
        else:
            given = {"reason": "r"} if step == "cancel" else {}
            self.attempt("officer" if step == "cancel" else "finance1", f"receivable.{step}", claim, **given)

    # The budget --------------------------------------------------------------------------------------------

    @rule(
        pick=st.integers(0, 3),
        kind=st.sampled_from(("increase", "decrease", "move")),
        rest=st.sampled_from(("carry_over", "carry_over", "lapse", "increase")),
        amount=st.integers(1, 900_000),
    )
    def change_the_budget(self, pick: int, kind: str, rest: str, amount: int) -> None:
        """What is in force grows, shrinks or moves; what is left of a closed year goes on, or is given up."""
        rows = self.town.all("SELECT id, state FROM appropriation ORDER BY state, fiscal_year, id")
        purses = [row[0] for row in rows]
        purse, state = rows[pick % len(rows)]
        kind = rest if state == "closed" else kind
        given: dict[str, Any] = {} if kind in ("carry_over", "lapse") else {"amount_minor": amount}
        if kind == "move":
            given["to_id"] = str(purses[(pick + 1) % len(purses)])
        made = self.attempt("finance1", f"budget_change.{kind}", purse, reason="as decided", **given)
        if made:
            self.attempt("finance2", "budget_change.confirm", made.subject_id)

    @there("paid")
    @rule(voted=st.integers(0, 2_000_000))
    def end_the_year(self, voted: int) -> None:
        """The year's budget closes, unless something hangs on it; life goes on in the next one."""
        year = self.loop.today().year
        if year > START.year + 2:
            return
        for (purse,) in self.town.all(
            "SELECT id FROM appropriation WHERE fiscal_year = %s AND state = 'voted'", year
        ):
            if not self.attempt("finance1", "appropriation.propose_close", purse, reason="year's end"):
                return
            if not self.attempt("finance2", "appropriation.close", purse):
                return
        self.town.clock.set(date(year + 1, 1, 5))
        given = {"fiscal_year": year + 1, "currency": "CNY", "source": "region", "amount_minor": voted + 1}
        programme = str(self.town.programme.id)
        made = self.attempt("finance8", "appropriation.propose", None, programme_id=programme, **given)
        if made:
            self.attempt("finance7", "appropriation.vote", made.subject_id)


__all__ = ["FINANCE", "HANDS", "PROGRAMME", "Treasury", "there"]
