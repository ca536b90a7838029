"""What does not fit about an account as typed, by the same checks as the bank's file meets later."""

from __future__ import annotations

from typing import Any

from milepost.bank.accounts import check_account, check_agent
from milepost.bank.desk import account_of
from milepost.bank.files.batch import BBAN, IBAN, Account, Agent
from milepost.bank.files.findings import FIELDS, Finding

Said = dict[str, str]


def account_in_file(kind: str | None, number: str) -> Account:
    """The account as a file names it; of one from before there were kinds, by its looks."""
    if kind is None:
        return account_of(number)
    return Account(number, IBAN if kind == "iban" else BBAN)


def bank_in_file(kind: str | None, code: str | None, name: str) -> Agent:
    """The payee's bank as a file names it: by BIC beside an IBAN, else by its number in CNAPS."""
    if not code:
        return Agent(name=name)
    return Agent(bic=code, name=name) if kind == "iban" else Agent(member_id=code, name=name)


def account_findings(given: Any) -> list[Said]:
    """What keeps the account from being paid to: per finding its field, fact and remedy in both languages."""
    if given is None or given.account_kind is None:
        return []
    account = account_in_file(given.account_kind, given.account_no)
    agent = bank_in_file(given.account_kind, given.bank_code, given.bank_name)
    code = "bic" if given.account_kind == "iban" else "cnaps"
    found = [check_account(account), *check_agent(agent, account, field=code)]
    return [_said(finding) for finding in found if finding is not None and finding.blocks]


def _said(finding: Finding) -> Said:
    field = FIELDS[finding.field]
    return {
        "field_zh": field.zh,
        "field_en": field.en[:1].upper() + field.en[1:],
        "fact_zh": finding.fact("zh"),
        "fact_en": finding.fact("en"),
        "remedy_zh": finding.remedy("zh"),
        "remedy_en": finding.remedy("en"),
    }


__all__ = ["account_findings", "account_in_file", "bank_in_file"]
