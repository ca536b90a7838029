"""Reads pain.001 files of any version, ours and others', one payment at a time and without judging them.

The figures are kept as the file writes them, so that `checks` can say what is wrong with a figure instead of
refusing the file for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from milepost.bank.files.amounts import amount_minor_of
from milepost.bank.files.batch import BBAN, IBAN, Account, Agent, Party, Payment
from milepost.bank.files.findings import FileUnreadable, finding
from milepost.bank.files.xml import (
    Node,
    Opening,
    Source,
    forget,
    opened,
    placed,
    read_opening,
    walk,
)

FAMILY = "pain.001.001"
_WANTED = {
    "CstmrCdtTrfInitn": "Document",
    "GrpHdr": "CstmrCdtTrfInitn",
    "PmtInf": "CstmrCdtTrfInitn",
    "CdtTrfTxInf": "PmtInf",
}


@dataclass(frozen=True, slots=True)
class FileHead:
    """What the file says of itself: its id, when it was made, how many payments, their sum, who made it."""

    version: str
    line: int
    message_id: str
    created_at: datetime | None
    number: int | None
    control_sum: str
    initiator: str


@dataclass(frozen=True, slots=True)
class BlockHead:
    """What a payment block says of itself; ``block`` is its place in the file, from 1."""

    block: int
    line: int
    id: str
    method: str
    number: int | None
    control_sum: str
    execution_on: date | None
    debtor: Party


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payment as the file has it; ``row`` counts through the whole file, from 1."""

    block: int
    row: int
    line: int
    end_to_end_id: str
    amount: str
    currency: str
    creditor: Party
    remark: str = field(default="")

    def payment(self) -> Payment:
        """The same with the amount in minor units; `NotAnAmount` where that is not exact."""
        minor = amount_minor_of(self.amount, self.currency)
        return Payment(self.end_to_end_id, minor, self.currency, self.creditor, self.remark)


@dataclass(frozen=True, slots=True)
class BlockEnd:
    """The end of a block."""

    block: int


Read = FileHead | BlockHead | Transfer | BlockEnd


def read_pain001(source: Source) -> Iterator[Read]:
    """Head, then each block's head, its payments and its end, as they stand in the file.

    A file that breaks off is known as such at its end only: act on nothing before the last one has come.
    """
    handle = opened(source)
    try:
        yield from _read(handle, read_opening(handle, FAMILY))
    finally:
        if handle is not source:
            handle.close()


def _read(handle: Any, opening: Opening) -> Iterator[Read]:
    namespace = opening.namespace
    row = block = 0
    headed = begun = False
    for event, name, element in walk(handle, opening, _WANTED):
        if event == "start":
            placed(element, _WANTED[name], namespace)
            if name == "PmtInf":
                block, begun = block + 1, False
            elif name == "CdtTrfTxInf" and not begun:
                begun = True
                yield _block(Node(element.getparent(), namespace), block)
        elif name == "GrpHdr":
            headed = True
            yield _head(Node(element, namespace), opening.message)
        elif name == "CdtTrfTxInf":
            row += 1
            yield _transfer(Node(element, namespace, row), block)
            forget(element)
        elif name == "PmtInf":
            if not begun:
                yield _block(Node(element, namespace), block)
            yield BlockEnd(block)
            forget(element)
    if not headed or not block:
        missing = "PmtInf" if headed else "GrpHdr"
        raise FileUnreadable(finding("element_missing", "file", element=missing, where="CstmrCdtTrfInitn"))


def _head(node: Node, version: str) -> FileHead:
    return FileHead(
        version=version,
        line=node.line,
        message_id=node.needed("MsgId"),
        created_at=node.moment("CreDtTm"),
        number=node.whole("NbOfTxs"),
        control_sum=node.text("CtrlSum"),
        initiator=node.text("InitgPty", "Nm"),
    )


def _block(node: Node, block: int) -> BlockHead:
    return BlockHead(
        block=block,
        line=node.line,
        id=node.needed("PmtInfId"),
        method=node.text("PmtMtd"),
        number=node.whole("NbOfTxs"),
        control_sum=node.text("CtrlSum"),
        execution_on=node.day("ReqdExctnDt"),
        debtor=_party(node, "Dbtr"),
    )


def _transfer(node: Node, block: int) -> Transfer:
    amount = node.at("Amt", "InstdAmt") or node.at("Amt", "EqvtAmt", "Amt")
    if amount is None:
        raise node.refuse("element_missing", element="InstdAmt", where="CdtTrfTxInf")
    remittance = node.one("RmtInf")
    return Transfer(
        block=block,
        row=node.row,
        line=node.line,
        end_to_end_id=node.text("PmtId", "EndToEndId"),
        amount=(amount.element.text or "").strip(),
        currency=str(amount.element.get("Ccy") or ""),
        creditor=_party(node, "Cdtr"),
        remark="" if remittance is None else " ".join(remittance.texts("Ustrd")),
    )


def _party(node: Node, role: str) -> Party:
    iban = node.text(f"{role}Acct", "Id", "IBAN")
    other = node.at(f"{role}Acct", "Id", "Othr")
    if iban or other is None:
        account = Account(iban, IBAN)
    else:
        scheme = other.text("SchmeNm", "Cd") or other.text("SchmeNm", "Prtry")
        account = Account(other.text("Id"), scheme or BBAN)
    institution = node.at(f"{role}Agt", "FinInstnId")
    if institution is None:
        return Party(node.text(role, "Nm"), account)
    member_id = institution.text("ClrSysMmbId", "MmbId")
    agent = Agent(
        bic=institution.text("BICFI") or institution.text("BIC"),
        member_id=member_id,
        clearing_system=_system(institution) if member_id else "CNAPS",
        name=institution.text("Nm"),
    )
    return Party(node.text(role, "Nm"), account, agent)


def _system(institution: Node) -> str:
    way = ("ClrSysMmbId", "ClrSysId")
    return institution.text(*way, "Cd") or institution.text(*way, "Prtry")


__all__ = ["FAMILY", "BlockEnd", "BlockHead", "FileHead", "Read", "Transfer", "read_pain001"]
