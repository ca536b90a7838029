"""The city's money over the turn of the year: two sources, a year that closes, a sum carried over."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from milepost.actions import Actor, perform
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.programmes import Published
from states.refusals import Refused

OWN, REGION = 4_500_000_00, 2_500_000_00
CLOSES_FROM = (1, 8)


def begins(first: date, today: date) -> date:
    """The day on which the city's money begins: early enough that the year before can close."""
    return min(first, date(today.year - 1, 12, 1))


class Money:
    """What two finance officers do with the budgets of a programme that has two sources, a day at a time.

    Begun on the day that ``begins`` says, it leaves the clock on ``first``. From the second week of January
    on the year before is closed, on the first day on which nothing of it hangs, and what is left is carried
    over. A fortnight before the end a sum is moved; on the last day a proposal waits for the second person.
    """

    def __init__(
        self, database: Database, version: Published, first: date, today: date, finance: tuple[Actor, Actor]
    ) -> None:
        self.database, self.version, self.today = database, version, today
        self.finance = finance
        clock = database.clock
        assert isinstance(clock, SimulatedClock)
        for year in range(clock.today().year, today.year + 1):
            if date(year, *CLOSES_FROM) <= first and year > clock.today().year:
                clock.set(date(year, *CLOSES_FROM))
            self._vote(year)
            self._close_before(clock.today())
        clock.set(first)

    def _vote(self, year: int) -> None:
        for source, sum in (("own", OWN), ("region", REGION)):
            proposed = self._take(
                0,
                "appropriation.propose",
                None,
                f"vote:{year}:{source}",
                programme_id=str(self.version.id),
                fiscal_year=year,
                currency="CNY",
                amount_minor=sum,
                source=source,
            )
            self._take(1, "appropriation.vote", proposed, f"vote:{year}:{source}:confirm")

    def _close_before(self, day: date) -> None:
        if (day.month, day.day) >= CLOSES_FROM:
            for purse in self._purses(day.year - 1, "voted"):
                self._close(purse)

    def live(self, day: date) -> None:
        """What happens on a day."""
        self._close_before(day)
        if day == self.today - timedelta(days=14):
            given = {"to_id": str(self._purse(day.year, "region")), "amount_minor": 500_000_00}
            own = self._purse(day.year, "own")
            self._change("move", own, "示例：自治区补助到位较晚，先行调剂。", **given)
        if day == self.today:
            reason, paper = "示例：市政府同意追加。", "示例〔2026〕7号"
            purse = self._purse(day.year, "own")
            given = {"amount_minor": 2_000_000_00, "paper": paper}
            self._take(1, "budget_change.increase", purse, f"increase:{day}", reason=reason, **given)

    def _close(self, purse: UUID) -> None:
        """Close a year and carry over its rest; while a payment of it hangs, it is tried again tomorrow."""
        try:
            self._take(0, "appropriation.propose_close", purse, f"end:{purse}", reason="示例：年度终了。")
            self._take(1, "appropriation.close", purse, f"close:{purse}")
            self._change("carry_over", purse, "示例：项目未完，结转下年使用。")
        except Refused:
            return

    def _change(self, kind: str, purse: UUID, reason: str, **given: object) -> None:
        proposed = self._take(0, f"budget_change.{kind}", purse, f"{kind}:{purse}", reason=reason, **given)
        self._take(1, "budget_change.confirm", proposed, f"confirm:{proposed}")

    def _take(self, who: int, step: str, subject: UUID | None, request: str, **given: object) -> UUID:
        with self.database.session() as session:
            code = self.version.compiled.programme.code
            return perform(
                session, self.finance[who], step, subject, given, f"demo-money:{code}:{request}"
            ).subject_id

    def _purses(self, year: int, state: str) -> list[UUID]:
        with self.database.session() as session:
            rows = session.conn.execute(
                "SELECT id FROM appropriation WHERE programme_code = %s AND fiscal_year = %s AND state = %s "
                "ORDER BY source_rank, id",
                (self.version.compiled.programme.code, year, state),
            ).fetchall()
        return [row[0] for row in rows]

    def _purse(self, year: int, source: str) -> UUID:
        with self.database.session() as session:
            row = session.conn.execute(
                "SELECT id FROM appropriation WHERE programme_code = %s AND fiscal_year = %s "
                "AND origin_year = %s AND source = %s",
                (self.version.compiled.programme.code, year, year, source),
            ).fetchone()
        assert row is not None
        return UUID(str(row[0]))


__all__ = ["Money", "begins"]
