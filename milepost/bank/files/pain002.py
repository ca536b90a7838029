"""Reads pain.002 status reports of any version: what the bank says of a file, of its blocks, of each payment.

A report says as little as it likes: of a file that was refused it often names no payment, and of one that was
accepted in part it often names the refused ones only. `StatusReport.verdict` says what follows for a payment,
and says nothing where nothing follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from milepost.bank.files.findings import FileUnreadable, Finding, finding
from milepost.bank.files.xml import (
    Node,
    Opening,
    Source,
    digest_of,
    forget,
    opened,
    placed,
    read_opening,
    walk,
)

FAMILY = "pain.002.001"
Outcome = Literal["received", "accepted", "pending", "settled", "rejected", "cancelled", "partial", "unknown"]

# What the standard's status codes come to. A code that is not here is kept and means "unknown".
OUTCOMES: dict[str, Outcome] = {
    "RCVD": "received",
    "ACTC": "accepted",
    "ACCP": "accepted",
    "ACSP": "accepted",
    "ACWC": "accepted",
    "ACWP": "accepted",
    "ACFC": "accepted",
    "PDNG": "pending",
    "PATC": "pending",
    "ACSC": "settled",
    "ACCC": "settled",
    "RJCT": "rejected",
    "CANC": "cancelled",
    "PART": "partial",
}
_WANTED = {
    "CstmrPmtStsRpt": "Document",
    "GrpHdr": "CstmrPmtStsRpt",
    "OrgnlGrpInfAndSts": "CstmrPmtStsRpt",
    "OrgnlPmtInfAndSts": "CstmrPmtStsRpt",
    "TxInfAndSts": "OrgnlPmtInfAndSts",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: the standard's code or the bank's own, and its words."""

    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Stated:
    """A number of payments that the report says have a status."""

    status: str
    number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentStatus:
    """What the report says of one payment; empty texts were not given. ``row`` is its place, from 1."""

    end_to_end_id: str
    status: str = ""
    reasons: tuple[Reason, ...] = ()
    row: int = 0
    line: int = 0
    status_id: str = ""
    instruction_id: str = ""
    bank_reference: str = ""
    clearing_reference: str = ""
    accepted_at: datetime | None = None
    amount_minor: int | None = None
    currency: str = ""

    @property
    def outcome(self) -> Outcome:
        """What the status comes to."""
        return OUTCOMES.get(self.status, "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStatus:
    """What the report says of a payment block and of the payments in it."""

    id: str
    status: str = ""
    number: int | None = None
    reasons: tuple[Reason, ...] = ()
    stated: tuple[Stated, ...] = ()
    payments: tuple[PaymentStatus, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """What the status comes to."""
        return OUTCOMES.get(self.status, "unknown")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows for one payment, and from where: the payment's own status, its block's or the file's."""

    outcome: Outcome
    status: str
    reasons: tuple[Reason, ...]
    said_of: Literal["payment", "block", "file"]
    bank_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """A whole report. ``findings`` holds where it contradicts itself."""

    message_id: str
    created_at: datetime | None
    original_message_id: str
    original_message: str = "pain.001.001.09"
    original_number: int | None = None
    status: str = ""
    reasons: tuple[Reason, ...] = ()
    stated: tuple[Stated, ...] = ()
    blocks: tuple[BlockStatus, ...] = ()
    message: str = "pain.002.001.12"
    sha256: str = field(default="", compare=False)
    findings: tuple[Finding, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """What the status of the file as a whole comes to."""
        return OUTCOMES.get(self.status, "unknown")

    def payments(self) -> Iterator[PaymentStatus]:
        """Every payment that the report names."""
        for block in self.blocks:
            yield from block.payments

    def verdicts(self) -> dict[str, Verdict]:
        """What the report says of the payments that it names, by end-to-end id; the last word counts."""
        found: dict[str, Verdict] = {}
        for block in self.blocks:
            for payment in block.payments:
                verdict = _own(payment) or _whole(block.status, block.reasons, "block")
                verdict = verdict or _whole(self.status, self.reasons, "file")
                if payment.end_to_end_id and verdict is not None:
                    found[payment.end_to_end_id] = verdict
        return found

    def verdict(self, end_to_end_id: str, block_id: str = "") -> Verdict | None:
        """What follows for a payment of the file, named or not; None where nothing follows.

        A payment that is not named shares the fate of its block, else of the file, unless that was a part.
        For a whole file, ask ``verdicts`` once and this for those that are not in it.
        """
        named = self.verdicts().get(end_to_end_id)
        return named or self.verdict_of_unnamed(block_id)

    def verdict_of_unnamed(self, block_id: str = "") -> Verdict | None:
        """What follows for payments of a block that the report does not name."""
        for block in self.blocks:
            if block_id and block.id == block_id and block.status:
                return _whole(block.status, block.reasons, "block")
        return _whole(self.status, self.reasons, "file")


def _own(payment: PaymentStatus) -> Verdict | None:
    if not payment.status:
        return None
    return Verdict(payment.outcome, payment.status, payment.reasons, "payment", payment.bank_reference)


def _whole(status: str, reasons: tuple[Reason, ...], said_of: Literal["block", "file"]) -> Verdict | None:
    outcome = OUTCOMES.get(status, "unknown")
    # "In part" says of nobody in particular what became of them, nor does a code nobody knows.
    return None if outcome in ("partial", "unknown") else Verdict(outcome, status, reasons, said_of)


def read_pain002(source: Source) -> StatusReport:
    """The report, whole; `FileUnreadable` with the line where it cannot be read."""
    handle = opened(source)
    try:
        return _read(handle, read_opening(handle, FAMILY), digest_of(handle))
    finally:
        if handle is not source:
            handle.close()


def _read(handle: Any, opening: Opening, digest: str) -> StatusReport:
    namespace = opening.namespace
    header = group = None
    blocks: list[BlockStatus] = []
    payments: list[PaymentStatus] = []
    row = 0
    for event, name, element in walk(handle, opening, _WANTED):
        if event == "start":
            placed(element, _WANTED[name], namespace)
        elif name == "TxInfAndSts":
            row += 1
            payments.append(_payment(Node(element, namespace, row)))
            forget(element)
        elif name == "OrgnlPmtInfAndSts":
            blocks.append(_block(Node(element, namespace), tuple(payments)))
            payments.clear()
            forget(element)
        elif name == "GrpHdr":
            header = Node(element, namespace)
        elif name == "OrgnlGrpInfAndSts":
            group = Node(element, namespace)
    for node, missing in ((header, "GrpHdr"), (group, "OrgnlGrpInfAndSts")):
        if node is None:
            raise FileUnreadable(finding("element_missing", "file", element=missing, where="CstmrPmtStsRpt"))
    assert header is not None and group is not None
    stated = _stated(group)
    return StatusReport(
        message=opening.message,
        sha256=digest,
        message_id=header.text("MsgId"),
        created_at=header.moment("CreDtTm"),
        original_message_id=group.needed("OrgnlMsgId"),
        original_message=group.text("OrgnlMsgNmId"),
        original_number=group.whole("OrgnlNbOfTxs"),
        status=group.text("GrpSts"),
        reasons=_reasons(group),
        stated=stated,
        blocks=tuple(blocks),
        findings=tuple(_contradictions(group.text("GrpSts"), stated, blocks)),
    )


def _block(node: Node, payments: tuple[PaymentStatus, ...]) -> BlockStatus:
    return BlockStatus(
        id=node.text("OrgnlPmtInfId"),
        status=node.text("PmtInfSts"),
        number=node.whole("OrgnlNbOfTxs"),
        reasons=_reasons(node),
        stated=_stated(node),
        payments=payments,
    )


def _payment(node: Node) -> PaymentStatus:
    amount = node.amount("OrgnlTxRef", "Amt", "InstdAmt")
    return PaymentStatus(
        row=node.row,
        line=node.line,
        status_id=node.text("StsId"),
        instruction_id=node.text("OrgnlInstrId"),
        end_to_end_id=node.text("OrgnlEndToEndId"),
        status=node.text("TxSts"),
        reasons=_reasons(node),
        bank_reference=node.text("AcctSvcrRef"),
        clearing_reference=node.text("ClrSysRef"),
        accepted_at=node.moment("AccptncDtTm"),
        amount_minor=None if amount is None else amount[0],
        currency="" if amount is None else amount[1],
    )


def _reasons(node: Node) -> tuple[Reason, ...]:
    return tuple(
        Reason(each.text("Rsn", "Cd") or each.text("Rsn", "Prtry"), " ".join(each.texts("AddtlInf")))
        for each in node.all("StsRsnInf")
    )


def _stated(node: Node) -> tuple[Stated, ...]:
    return tuple(
        Stated(each.text("DtldSts"), each.whole("DtldNbOfTxs")) for each in node.all("NbOfTxsPerSts")
    )


_BAD: frozenset[Outcome] = frozenset({"rejected", "cancelled"})
_GOOD: frozenset[Outcome] = frozenset({"received", "accepted", "pending", "settled"})


def _contradictions(status: str, stated: tuple[Stated, ...], blocks: list[BlockStatus]) -> Iterator[Finding]:
    seen: dict[str, PaymentStatus] = {}
    counted: Counter[str] = Counter()
    for block in blocks:
        for payment in block.payments:
            counted[payment.status] += 1
            above = block.status or status
            if _denies(OUTCOMES.get(above, "unknown"), payment.outcome):
                yield _contradiction(above, payment)
            first = seen.setdefault(payment.end_to_end_id, payment) if payment.end_to_end_id else payment
            if {first.outcome, payment.outcome} & _BAD and {first.outcome, payment.outcome} & _GOOD:
                yield _contradiction(first.status, payment)
        if _denies(OUTCOMES.get(status, "unknown"), block.outcome):
            yield finding("status_contradicts", "block", first=status, second=block.status)
    for each in stated:
        found = counted[each.status]
        # A report that lists none of a kind has only counted them.
        if each.number is not None and found and found != each.number:
            yield finding("status_counts", "status", status=each.status, stated=each.number, found=found)


def _denies(whole: Outcome, part: Outcome) -> bool:
    """Whether a part cannot be so if the whole is: none of a refused file is paid, all of a settled one is.

    A file that was only accepted may still hold payments that were not.
    """
    return (whole in _BAD and part in _GOOD) or (whole == "settled" and part in _BAD)


def _contradiction(first: str, payment: PaymentStatus) -> Finding:
    said = finding("status_contradicts", "status", first=first, second=payment.status)
    return said.at(payment.row, payment.line)


__all__ = [
    "FAMILY",
    "OUTCOMES",
    "BlockStatus",
    "Outcome",
    "PaymentStatus",
    "Reason",
    "Stated",
    "StatusReport",
    "Verdict",
    "read_pain002",
]
