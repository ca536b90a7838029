"""A town whose payments go to a simulated bank by files: what the tests of the loop act on."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

from milepost.bank.desk import Desk
from milepost.bank.files.batch import BBAN, Account, Agent, Party
from milepost.bank.files.rules import BankRules
from milepost.bank.simulated_files import Answer, FileBank, Misbehaviour, write_answers
from milepost.work.batches import BatchReport, carry_on
from milepost.work.reconciliation import ReconciliationReport, reconcile_folder
from tests.invariants import town_bank
from tests.invariants.town import Town

DEBTOR = Party("示例科学技术局", Account("2105400309300000011", BBAN), Agent(member_id="102100099996"))


def desk_in(folder: Path) -> Desk:
    """A desk whose folders are in a folder."""
    return Desk(DEBTOR, BankRules(agent_needed=False), folder)


class Loop:
    """A town, its desk and a bank."""

    def __init__(self, town: Town, folder: Path, told: Misbehaviour | None = None) -> None:
        self.town = town
        self.desk = desk_in(folder / "bank")
        self.bank = FileBank(folder / "books.sqlite", told)

    def today(self) -> date:
        return self.town.clock.today()

    def released(self, projects: int = 1, tranches: int = 1) -> list[UUID]:
        """Payments that are released, of new projects."""
        found = []
        for _ in range(projects):
            project = self.town.funded()
            found += [self.town.payment("released", project=project, tranche=n) for n in range(tranches)]
        return found

    def again(self, tranche: UUID) -> UUID:
        """The next attempt of a tranche, requested, approved and released by three."""
        id = self.town.one(
            "SELECT id FROM payment WHERE tranche_id = %s ORDER BY attempt DESC LIMIT 1", tranche
        )
        for who, step in (
            ("system", "fall_due"),
            ("finance1", "request"),
            ("finance2", "approve"),
            ("finance3", "release"),
        ):
            self.town.take(who, f"payment.{step}", id)
        return UUID(str(id))

    def batch(self) -> UUID:
        """A batch of all that is released, handed over by a second person."""
        if self.today() != town_bank.working_day(self.town):
            self.town.clock.set(town_bank.working_day(self.town))
        made = town_bank.make(self.town)
        self.town.take("finance5", "batch.hand_over", made)
        return made

    def send(self) -> BatchReport:
        return carry_on(self.town.database, self.desk)

    def taken(self) -> list[str]:
        """The bank takes what is there."""
        return self.bank.take_folder(self.desk.out, self.today())

    def put(self, *answers: Answer) -> None:
        write_answers(self.desk.inbox, list(answers))

    def read(self) -> ReconciliationReport:
        return reconcile_folder(self.town.database, self.desk)

    def next_day(self) -> None:
        self.town.clock.set(self.today() + timedelta(days=1))

    def state(self, payment: UUID) -> str:
        return self.town.state("payment", payment)

    def open(self) -> list[str]:
        """The kinds of the exceptions that are open."""
        rows = self.town.all("SELECT kind FROM bank_exception WHERE state = 'open' ORDER BY 1")
        return [row[0] for row in rows]


__all__ = ["DEBTOR", "Loop", "desk_in"]
