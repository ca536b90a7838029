"""A grantee of the demo owes something back: three instalments were granted, the first has come in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from milepost.bank.desk import Desk
from milepost.bank.files.batch import BBAN, Account, Party
from milepost.bank.files.rules import BankRules
from milepost.bank.simulated_files import FileBank, write_answers
from milepost.demo.office import Office
from milepost.work.reconciliation import reconcile_folder

OWED_MINOR = 6_000_000
OFFICE_ACCOUNT = "SIM100200300400"


def owe(office: Office, project_id: UUID, unit: str) -> None:
    """An officer establishes it, finance confirms and grants three parts; a statement brings the first."""
    finance = office.who("finance_officer", 0)
    today = office.clock.today()
    made = office.take(
        "programme_officer",
        "receivable.establish",
        project_id,
        amount_minor=OWED_MINOR,
        ground="disallowed_cost",
        legal_basis="任务书第九条（示例）",
        decision_no="示科决〔示例〕3号",
        due_on=(today + timedelta(days=30)).isoformat(),
    ).subject_id
    office.take(finance, "receivable.confirm", made)
    office.take(
        office.who("finance_officer", 1),
        "receivable.grant_instalments",
        made,
        number=3,
        first_on=(today + timedelta(days=20)).isoformat(),
        decision_no="示科财〔示例〕5号",
    )
    reference = office.value("SELECT reference FROM receivable WHERE id = %s", made)
    debtor = Party("示例科学技术局", Account(OFFICE_ACCOUNT, BBAN))
    with TemporaryDirectory() as folder:
        desk = Desk(debtor, BankRules(agent_needed=False), Path(folder))
        bank = FileBank(Path(folder) / "books.sqlite", account=OFFICE_ACCOUNT)
        bank.credit(OWED_MINOR // 3, "CNY", today, f"退款 {reference}", name=unit)
        write_answers(desk.inbox, bank.statements(today))
        reconcile_folder(office.database, desk)


__all__ = ["owe"]
