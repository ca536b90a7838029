"""Reads camt.053 statements of any version in one or two passes, with one entry in memory at a time.

``StatementFile`` reads the whole file once when it is opened: whatever is wrong with it is known, and the
balances are compared, before anybody has seen an entry. ``entries()`` then reads it again. Version .08 is
what banks write today; in .02 to .07 a status is a plain code and a party has no wrapper around it, and both
are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from types import TracebackType
from typing import Any

from lxml import etree

from milepost.bank.files.batch import BBAN, IBAN, Account, Agent, Party
from milepost.bank.files.findings import FileUnreadable, Finding, finding
from milepost.bank.files.statement_checks import EntryChecks, check_series, check_statement
from milepost.bank.files.statements import (
    Balance,
    BatchBooking,
    Entry,
    EntryStatus,
    Page,
    Statement,
    StatementAccount,
    Transaction,
)
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

FAMILY = "camt.053.001"
_STATUSES: dict[str, EntryStatus] = {"BOOK": "booked", "PDNG": "pending", "INFO": "info", "FUTR": "future"}
# What is read, and what it has to stand in.
_WANTED = {"BkToCstmrStmt": "Document", "GrpHdr": "BkToCstmrStmt", "Stmt": "BkToCstmrStmt", "Ntry": "Stmt"}


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself as a whole."""

    message_id: str = ""
    created_at: datetime | None = None
    page: Page | None = None


class StatementFile:
    """An opened file of statements. Nothing of it is given out unless all of it could be read.

    ``findings`` holds what does not add up: running balances, sums, repeated entries, gaps. Use it as a
    context manager, or call ``close``.
    """

    def __init__(self, source: Source) -> None:
        self._handle = opened(source)
        self._ours = self._handle is not source
        try:
            self._opening = read_opening(self._handle, FAMILY)
            self.sha256 = digest_of(self._handle)
            self.header = Header()
            statements: list[Statement] = []
            findings: list[Finding] = []
            checks = EntryChecks()
            for read in _scan(self._handle, self._opening):
                if isinstance(read, Header):
                    self.header = read
                elif isinstance(read, Entry):
                    findings += checks.see(read)
                else:
                    findings += check_statement(read.statement, read.summary)
                    findings += checks.end(read.statement)
                    statements.append(read.statement)
        except BaseException:
            self.close()
            raise
        self.statements = tuple(statements)
        self.findings = (*findings, *check_series(self.statements))

    @property
    def message(self) -> str:
        """The message and its version: ``camt.053.001.08``."""
        return self._opening.message

    def entries(self) -> Iterator[Entry]:
        """Every entry of every statement in the file's order; ``entry.statement`` says whose it is."""
        for read in _scan(self._handle, self._opening):
            if isinstance(read, Entry):
                yield read
        if digest_of(self._handle) != self.sha256:
            raise FileUnreadable(finding("file_changed", "file"))

    def close(self) -> None:
        """Let go of the file, unless it was handed in open."""
        if self._ours:
            self._handle.close()

    def __enter__(self) -> StatementFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a statement says about its entries: number and sum of all, of credits, of debits."""

    entries: int | None = None
    entries_sum: str = ""
    credits: int | None = None
    credits_sum: str = ""
    debits: int | None = None
    debits_sum: str = ""


@dataclass(frozen=True, slots=True)
class _Read:
    statement: Statement
    summary: Summary


@dataclass(slots=True)
class _Sums:
    """What has been read of the statement that is being read."""

    number: int
    entries: int = 0
    booked: int = 0
    credits_minor: int = 0
    debits_minor: int = 0
    account_no: str = field(default="", repr=False)

    def add(self, entry: Entry) -> None:
        self.entries += 1
        if entry.status == "booked":
            self.booked += 1
            if entry.amount_minor >= 0:
                self.credits_minor += entry.amount_minor
            else:
                self.debits_minor += entry.amount_minor


def _scan(handle: Any, opening: Opening) -> Iterator[Header | Entry | _Read]:
    """Header, entries and statements as their elements end."""
    namespace = opening.namespace
    sums = _Sums(0)
    contained = False
    for event, name, element in walk(handle, opening, _WANTED):
        if event == "start":
            contained = contained or name == "BkToCstmrStmt"
            placed(element, _WANTED[name], namespace)
            if name == "Stmt":
                sums = _Sums(sums.number + 1)
            elif name == "Ntry" and sums.entries == 0:
                sums.account_no = _account_of(Node(element.getparent(), namespace)).number
            continue
        if name == "GrpHdr":
            yield _header(Node(element, namespace))
        elif name == "Ntry":
            entry = _entry(Node(element, namespace, sums.entries + 1), sums)
            sums.add(entry)
            yield entry
            forget(element)
        elif name == "Stmt":
            yield _statement(Node(element, namespace), sums)
            forget(element)
    if not contained or sums.number == 0:
        where = "Document" if not contained else "BkToCstmrStmt"
        missing = "BkToCstmrStmt" if not contained else "Stmt"
        raise FileUnreadable(finding("element_missing", "file", element=missing, where=where))


def _header(node: Node) -> Header:
    return Header(node.text("MsgId"), node.moment("CreDtTm"), _page(node.one("MsgPgntn")))


def _page(node: Node | None) -> Page | None:
    if node is None:
        return None
    return Page(node.whole("PgNb") or 1, node.flag("LastPgInd"))


def _statement(node: Node, sums: _Sums) -> _Read:
    electronic, legal = node.whole("ElctrncSeqNb"), node.whole("LglSeqNb")
    statement = Statement(
        number=sums.number,
        line=node.line,
        id=node.needed("Id"),
        sequence=electronic if electronic is not None else legal,
        page=_page(node.one("StmtPgntn")),
        created_at=node.moment("CreDtTm"),
        first_on=_day_of(node.moment("FrToDt", "FrDtTm")),
        last_on=_day_of(node.moment("FrToDt", "ToDtTm")),
        copy=node.text("CpyDplctInd"),
        account=_account_of(node),
        balances=tuple(_balance(balance) for balance in node.all("Bal")),
        entries=sums.entries,
        booked=sums.booked,
        credits_minor=sums.credits_minor,
        debits_minor=sums.debits_minor,
    )
    return _Read(statement, _summary(node.one("TxsSummry")))


def _day_of(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _summary(node: Node | None) -> Summary:
    if node is None:
        return Summary()
    return Summary(
        node.whole("TtlNtries", "NbOfNtries"),
        node.text("TtlNtries", "Sum"),
        node.whole("TtlCdtNtries", "NbOfNtries"),
        node.text("TtlCdtNtries", "Sum"),
        node.whole("TtlDbtNtries", "NbOfNtries"),
        node.text("TtlDbtNtries", "Sum"),
    )


def _account_of(node: Node) -> StatementAccount:
    account = node.one("Acct")
    if account is None:
        raise node.refuse("element_missing", element="Acct", where="Stmt")
    iban = account.text("Id", "IBAN")
    agent = _agent(account.one("Svcr"))
    return StatementAccount(
        number=iban or account.text("Id", "Othr", "Id"),
        iban=bool(iban),
        currency=account.text("Ccy"),
        owner=account.text("Ownr", "Nm") or account.text("Nm"),
        bank=agent.bic or agent.member_id,
    )


def _balance(node: Node) -> Balance:
    amount = node.amount("Amt", field="balance")
    if amount is None:
        raise node.refuse("element_missing", element="Amt", where="Bal")
    kind = node.text("Tp", "CdOrPrtry", "Cd") or node.text("Tp", "CdOrPrtry", "Prtry")
    return Balance(kind, amount[0] * _sign(node), amount[1], node.day("Dt"))


def _sign(node: Node) -> int:
    direction = node.needed("CdtDbtInd")
    if direction not in ("CRDT", "DBIT"):
        raise node.refuse("value_unreadable", element="CdtDbtInd", value=direction[:40])
    return 1 if direction == "CRDT" else -1


def _entry(node: Node, sums: _Sums) -> Entry:
    amount = node.amount("Amt")
    if amount is None:
        raise node.refuse("element_missing", element="Amt", where="Ntry")
    sign = _sign(node)
    status = node.text("Sts", "Cd") or node.text("Sts", "Prtry") or node.text("Sts")
    details = node.all("NtryDtls")
    codes = node.one("BkTxCd")
    return Entry(
        statement=sums.number,
        account_no=sums.account_no,
        number=node.row,
        line=node.line,
        reference=node.text("NtryRef"),
        bank_reference=node.text("AcctSvcrRef"),
        amount_minor=amount[0] * sign,
        currency=amount[1],
        reversal=node.flag("RvslInd"),
        status=_STATUSES.get(status, "unknown"),
        status_code=status,
        booked_on=node.day("BookgDt"),
        valued_on=node.day("ValDt"),
        code=_code(codes),
        own_code="" if codes is None else codes.text("Prtry", "Cd"),
        batches=tuple(_batch(found) for each in details if (found := each.one("Btch"))),
        transactions=tuple(_transaction(part, sign) for each in details for part in each.all("TxDtls")),
        note=node.text("AddtlNtryInf"),
        xml=etree.tostring(node.element, encoding="utf-8", xml_declaration=False, with_tail=False),
    )


def _code(node: Node | None) -> str:
    family = None if node is None else node.at("Domn", "Fmly")
    if node is None or family is None:
        return ""
    return "/".join((node.text("Domn", "Cd"), family.text("Cd"), family.text("SubFmlyCd")))


def _batch(node: Node) -> BatchBooking:
    amount = node.amount("TtlAmt")
    number = node.whole("NbOfTxs")
    return BatchBooking(
        message_id=node.text("MsgId"),
        block_id=node.text("PmtInfId"),
        number=number,
        amount_minor=amount[0] if amount else None,
    )


def _transaction(node: Node, entry_sign: int) -> Transaction:
    amount = (
        node.amount("Amt")
        or node.amount("AmtDtls", "TxAmt", "Amt")
        or node.amount("AmtDtls", "InstdAmt", "Amt")
    )
    sign = _sign(node) if "CdtDbtInd" in node else entry_sign
    refs = node.one("Refs") or _NOTHING
    returned = node.one("RtrInf") or _NOTHING
    remittance = node.one("RmtInf") or _NOTHING
    return Transaction(
        end_to_end_id=refs.text("EndToEndId"),
        instruction_id=refs.text("InstrId"),
        transaction_id=refs.text("TxId"),
        message_id=refs.text("MsgId"),
        block_id=refs.text("PmtInfId"),
        bank_reference=refs.text("AcctSvcrRef"),
        clearing_reference=refs.text("ClrSysRef"),
        uetr=refs.text("UETR"),
        amount_minor=None if amount is None else amount[0] * sign,
        currency="" if amount is None else amount[1],
        code=_code(node.one("BkTxCd")),
        debtor=_party(node, "Dbtr"),
        creditor=_party(node, "Cdtr"),
        remark=" ".join(remittance.texts("Ustrd")),
        references=tuple(text for each in remittance.all("Strd") if (text := each.text("CdtrRefInf", "Ref"))),
        return_code=returned.text("Rsn", "Cd") or returned.text("Rsn", "Prtry"),
        return_text=" ".join(returned.texts("AddtlInf")),
        original_code=_code(returned.one("OrgnlBkTxCd")),
        note=node.text("AddtlTxInf"),
        purpose=node.text("Purp", "Cd") or node.text("Purp", "Prtry"),
    )


def _party(node: Node, role: str) -> Party:
    """The debtor or the creditor, with or without the wrapper that newer versions put around a party."""
    parties = node.one("RltdPties") or _NOTHING
    party = parties.one(role) or _NOTHING
    name = party.text("Pty", "Nm") or party.text("Nm") or party.text("Agt", "FinInstnId", "Nm")
    iban = parties.text(f"{role}Acct", "Id", "IBAN")
    account = Account(iban or parties.text(f"{role}Acct", "Id", "Othr", "Id"), IBAN if iban else BBAN)
    return Party(name, account, _agent(node.at("RltdAgts", f"{role}Agt")))


def _agent(node: Node | None) -> Agent:
    institution = None if node is None else node.one("FinInstnId")
    if institution is None:
        return _NO_AGENT
    return Agent(
        bic=institution.text("BICFI") or institution.text("BIC"),
        member_id=institution.text("ClrSysMmbId", "MmbId"),
        clearing_system=institution.text("ClrSysMmbId", "ClrSysId", "Cd"),
        name=institution.text("Nm"),
    )


_NO_AGENT = Agent(clearing_system="")
# Stands for an element that is not there, so that each of its texts reads as empty.
_NOTHING = Node(etree.Element("nothing"), "")


__all__ = ["FAMILY", "Header", "StatementFile", "Summary"]
