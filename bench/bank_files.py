"""Bank files: a batch checked, written and placed, its statement read and matched, and what each takes up.

Both are held against the time they may take and against bare lxml doing the part of it that is XML.
``python -m bench.bank_files write|read PATH N`` does one of them once and prints its peak memory in KiB.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from lxml import etree  # type: ignore[import-untyped]

from bench.lines import Line, Turns, take_turns
from bench.sizes import Sizes
from milepost.bank.files.amounts import amount_text
from milepost.bank.files.answers import write_camt053
from milepost.bank.files.batch import BBAN, Account, Agent, Batch, Party, Payment, end_to_end_text
from milepost.bank.files.camt053 import Header, StatementFile
from milepost.bank.files.handover import hand_over
from milepost.bank.files.rules import BankRules
from milepost.bank.files.statements import Balance, Entry, Statement, StatementAccount, Transaction
from milepost.embedded import EmbeddedPostgres

PAYMENTS = 10_000
WRITE_S, READ_S = 10.0, 30.0
LINEAR = 1.1
FLAT = 1.1
WRITTEN = (
    "seconds to check {n} payments, write them as pain.001.001.09, read the file back, compare it with the "
    "batch and place it durably / the {allowed:g} seconds this may take"
)
READ = (
    "seconds to read a camt.053.001.08 of {n} entries, add it up, read it again and match each entry with "
    "its payment by id / the {allowed:g} seconds this may take"
)
BESIDE_WRITING = (
    "the same / lxml alone building and writing the same elements, nothing checked, nothing read back"
)
BESIDE_READING = (
    "the same / lxml alone parsing the file into one tree and matching id and amount, nothing added up"
)
GROWTH = "exponent x of cost ~ n^x from {low} to {high}, {what}; 1 is linear"
MEMORY = "peak memory (RSS) of a process that {what} {high} / of one that {what} {low}"

_BANK = Agent(member_id="102100099996", name="中国工商银行")
_OURS = Party("示例科学技术局", Account("2105400309300000011", BBAN), _BANK)
_DAY = date(2026, 5, 7)
_RULES = BankRules()
_NS = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_CAMT = "{urn:iso:std:iso:20022:tech:xsd:camt.053.001.08}"


@dataclass(frozen=True, slots=True)
class Payments:
    """So many payments, made as they are asked for, so that none is held by the one who measures."""

    number: int

    def __iter__(self) -> Iterator[Payment]:
        return (_payment(n) for n in range(self.number))


def _payment(n: int) -> Payment:
    party = Party(f"示例机械有限公司{n}", Account(f"2105400309{n:09d}", BBAN), _BANK)
    return Payment(end_to_end_text(uuid5(NAMESPACE_URL, str(n))), 100 + n, "CNY", party, f"P-{n} 第1笔拨款")


def batch(number: int) -> Batch:
    """A batch of so many payments."""
    return Batch("B-1", datetime(2026, 5, 6, 1, tzinfo=UTC), _OURS, _DAY, Payments(number))


def write(number: int, path: Path) -> float:
    """Seconds to hand over a batch at a place that is free."""
    path.unlink(missing_ok=True)
    began = time.perf_counter()
    hand_over(batch(number), path, rules=_RULES, works=lambda day: True)
    return time.perf_counter() - began


def bare_write(number: int, path: Path) -> float:
    """Seconds that lxml takes to build and write the payments' elements."""
    payments = list(Payments(number))
    began = time.perf_counter()
    root = etree.Element(f"{{{_NS}}}Document", nsmap={None: _NS})
    block = etree.SubElement(root, f"{{{_NS}}}PmtInf")
    for one in payments:
        _bare_payment(block, one)
    path.write_bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))
    return time.perf_counter() - began


def _bare_payment(block: Any, one: Payment) -> None:
    def child(parent: Any, name: str, text: str | None = None) -> Any:
        made = etree.SubElement(parent, f"{{{_NS}}}{name}")
        made.text = text
        return made

    tx = child(block, "CdtTrfTxInf")
    child(child(tx, "PmtId"), "EndToEndId", one.end_to_end_id)
    child(child(tx, "Amt"), "InstdAmt", amount_text(one.amount_minor, one.currency)).set("Ccy", one.currency)
    bank = child(child(tx, "CdtrAgt"), "FinInstnId")
    member = child(bank, "ClrSysMmbId")
    child(child(member, "ClrSysId"), "Cd", "CNAPS")
    child(member, "MmbId", one.creditor.agent.member_id)
    child(bank, "Nm", one.creditor.agent.name)
    child(child(tx, "Cdtr"), "Nm", one.creditor.name)
    other = child(child(child(tx, "CdtrAcct"), "Id"), "Othr")
    child(other, "Id", one.creditor.account.number)
    child(child(other, "SchmeNm"), "Cd", BBAN)
    child(child(tx, "RmtInf"), "Ustrd", one.remark)


def make_statement(number: int, path: Path) -> None:
    """The statement in which each payment of the batch left the account."""
    total = sum(one.amount_minor for one in Payments(number))
    balances = (Balance("OPBD", total, "CNY", _DAY), Balance("CLBD", 0, "CNY", _DAY))
    account = StatementAccount(number=_OURS.account.number, currency="CNY", owner=_OURS.name)
    whole = Statement(id="S-1", account=account, balances=balances, sequence=1)
    with path.open("wb") as target:
        write_camt053(Header("M-1", datetime(2026, 5, 7, tzinfo=UTC)), [(whole, _entries(number))], target)


def _entries(number: int) -> Iterator[Entry]:
    for n, one in enumerate(Payments(number)):
        part = Transaction(end_to_end_id=one.end_to_end_id, creditor=one.creditor, remark=one.remark)
        yield Entry(
            amount_minor=-one.amount_minor,
            currency="CNY",
            bank_reference=f"BANK{n}",
            booked_on=_DAY,
            valued_on=_DAY,
            code="PMNT/ICDT/ESCT",
            transactions=(part,),
        )


def read(ours: dict[str, int], path: Path) -> float:
    """Seconds to read a statement whole and find each payment in it; crashes if one is missing."""
    began = time.perf_counter()
    settled = set()
    with StatementFile(path) as file:
        assert not file.findings
        for entry in file.entries():
            for part, amount in entry.parts():
                if amount is not None and ours.get(part.end_to_end_id) == -amount:
                    settled.add(part.end_to_end_id)
    assert settled == ours.keys()
    return time.perf_counter() - began


def bare_read(ours: dict[str, int], path: Path) -> float:
    """Seconds that lxml takes to parse the file and to find id and amount in each entry."""
    began = time.perf_counter()
    way = "/".join(f"{_CAMT}{name}" for name in ("NtryDtls", "TxDtls", "Refs", "EndToEndId"))
    settled = set()
    for entry in etree.parse(str(path)).getroot().iter(f"{_CAMT}Ntry"):
        id, amount = entry.findtext(way), entry.findtext(f"{_CAMT}Amt")
        if ours.get(id) == int(amount.replace(".", "")):
            settled.add(id)
    assert settled == ours.keys()
    return time.perf_counter() - began


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """Writing and reading at two sizes in turn with bare lxml; no database takes part."""
    high = min(PAYMENTS, sizes.together)
    low = max(1, high // 10)
    with tempfile.TemporaryDirectory(prefix="milepost-bench-bank-") as name:
        folder = Path(name)
        for number in (low, high):
            make_statement(number, folder / f"statement-{number}.xml")
        turns = _turns(low, high, folder, sizes.rounds)
        lines = [
            _allowed("bank file", "write", WRITTEN, WRITE_S, turns, high),
            _allowed("bank statement", "read", READ, READ_S, turns, high),
            Line("bank file, bare lxml", turns.ratio("write", "bare write"), BESIDE_WRITING),
            Line("bank statement, bare lxml", turns.ratio("read", "bare read"), BESIDE_READING),
        ]
        for kind, what in (("write", "bank file"), ("read", "bank statement")):
            exponent = math.log(turns.ratio(kind, f"{kind} few")) / math.log(high / low)
            compared = GROWTH.format(low=low, high=high, what=what)
            medians = {str(high): turns.median(kind), str(low): turns.median(f"{kind} few")}
            raw = {"unit": "seconds", "median": medians}
            lines.append(Line(f"growth of the {what}", exponent, compared, LINEAR, "at most", raw))
        if Path("/proc/self/status").exists():
            for kind, what in (("write", "writes a batch of"), ("read", "reads a statement of")):
                lines.append(_memory(kind, what, folder, low, high))
    return lines


def _turns(low: int, high: int, folder: Path, rounds: int) -> Turns:
    """Many and few in the same rounds, so that what else the machine does meets both."""
    contenders: dict[str, Callable[[], float]] = {}
    for number, few in ((high, ""), (low, " few")):
        ours = {one.end_to_end_id: one.amount_minor for one in Payments(number)}
        statement = folder / f"statement-{number}.xml"
        contenders[f"write{few}"] = partial(write, number, folder / "batch.xml")
        contenders[f"read{few}"] = partial(read, ours, statement)
        if not few:
            contenders["bare write"] = partial(bare_write, number, folder / "bare.xml")
            contenders["bare read"] = partial(bare_read, ours, statement)
    return take_turns(contenders, rounds)


def _allowed(name: str, kind: str, words: str, allowed: float, turns: Turns, number: int) -> Line:
    raw = {"unit": "seconds", "n": number, **turns.as_json()}
    compared = words.format(n=number, allowed=allowed)
    return Line(f"{name} of {number:,}", turns.median(kind) / allowed, compared, 1.0, "at most", raw)


def _memory(kind: str, what: str, folder: Path, low: int, high: int) -> Line:
    peaks = {number: _peak(kind, folder, number) for number in (low, high)}
    compared = MEMORY.format(what=what, low=low, high=high)
    raw = {"unit": "KiB", "peak": {str(number): peak for number, peak in peaks.items()}}
    name = "memory of a bank file" if kind == "write" else "memory of a bank statement"
    return Line(name, peaks[high] / peaks[low], compared, FLAT, "at most", raw)


def _peak(kind: str, folder: Path, number: int) -> int:
    """The peak memory of a process of its own that does it once."""
    path = folder / (f"statement-{number}.xml" if kind == "read" else "child.xml")
    command = [sys.executable, "-m", "bench.bank_files", kind, str(path), str(number)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def peak_kib() -> int:
    """The most memory this process has held. What `getrusage` calls the peak includes the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Do one of the two once and print the peak memory in KiB."""
    kind, path, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if kind == "write":
        write(number, path)
    else:
        with StatementFile(path) as file:
            assert sum(1 for _ in file.entries()) == number
    print(peak_kib())


if __name__ == "__main__":
    main()
