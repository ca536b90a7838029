"""Writes what a bank sends back, pain.002 and camt.053.001.08, for the simulated bank and for tests.

What is written is what `pain002` and `camt053` read: the same data in, the same data out. Nothing is added up
here, so that a bank which misbehaves can state any balance it likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import BinaryIO

from milepost.bank.files.amounts import amount_text
from milepost.bank.files.batch import IBAN, Agent, Party
from milepost.bank.files.camt053 import Header
from milepost.bank.files.markup import element, safe
from milepost.bank.files.pain002 import BlockStatus, PaymentStatus, Reason, Stated, StatusReport
from milepost.bank.files.statements import Balance, BatchBooking, Entry, Page, Statement, Transaction
from milepost.bank.files.xml import NAMESPACE

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write_pain002(report: StatusReport, target: BinaryIO) -> None:
    """Write the report in the version that ``report.message`` names."""
    for line in _report(report):
        target.write(line.encode())


def _report(report: StatusReport) -> Iterator[str]:
    yield f'{_HEAD}<Document xmlns="{NAMESPACE}{report.message}"><CstmrPmtStsRpt>\n'
    created = _some("CreDtTm", _moment(report.created_at))
    yield f"<GrpHdr>{element('MsgId', report.message_id)}{created}</GrpHdr>\n"
    yield "".join(
        (
            f"<OrgnlGrpInfAndSts>{element('OrgnlMsgId', report.original_message_id)}",
            element("OrgnlMsgNmId", report.original_message),
            _some("OrgnlNbOfTxs", _number(report.original_number)),
            _some("GrpSts", report.status),
            _reasons(report.reasons),
            _stated(report.stated),
            "</OrgnlGrpInfAndSts>\n",
        )
    )
    for block in report.blocks:
        yield _block(block)
        yield from (_payment(payment) for payment in block.payments)
        yield "</OrgnlPmtInfAndSts>\n"
    yield "</CstmrPmtStsRpt></Document>\n"


def _block(block: BlockStatus) -> str:
    return "".join(
        (
            f"<OrgnlPmtInfAndSts>{element('OrgnlPmtInfId', block.id)}",
            _some("OrgnlNbOfTxs", _number(block.number)),
            _some("PmtInfSts", block.status),
            _reasons(block.reasons),
            _stated(block.stated),
            "\n",
        )
    )


def _payment(payment: PaymentStatus) -> str:
    amount = ""
    if payment.amount_minor is not None:
        money = _amount("InstdAmt", payment.amount_minor, payment.currency)
        amount = f"<OrgnlTxRef><Amt>{money}</Amt></OrgnlTxRef>"
    return "".join(
        (
            f"<TxInfAndSts>{_some('StsId', payment.status_id)}",
            _some("OrgnlInstrId", payment.instruction_id),
            _some("OrgnlEndToEndId", payment.end_to_end_id),
            _some("TxSts", payment.status),
            _reasons(payment.reasons),
            _some("AccptncDtTm", _moment(payment.accepted_at)),
            _some("AcctSvcrRef", payment.bank_reference),
            _some("ClrSysRef", payment.clearing_reference),
            f"{amount}</TxInfAndSts>\n",
        )
    )


def _reasons(reasons: Iterable[Reason]) -> str:
    return "".join(
        f"<StsRsnInf>{_choice('Rsn', reason.code)}{_some('AddtlInf', reason.text)}</StsRsnInf>"
        for reason in reasons
    )


def _stated(stated: Iterable[Stated]) -> str:
    return "".join(
        f"<NbOfTxsPerSts>{element('DtldNbOfTxs', _number(each.number) or '0')}"
        f"{element('DtldSts', each.status)}</NbOfTxsPerSts>"
        for each in stated
    )


def write_camt053(
    header: Header, statements: Iterable[tuple[Statement, Iterable[Entry]]], target: BinaryIO
) -> None:
    """Write statements with their entries, one entry at a time, as camt.053.001.08."""
    for line in _statements(header, statements):
        target.write(line.encode())


def _statements(header: Header, statements: Iterable[tuple[Statement, Iterable[Entry]]]) -> Iterator[str]:
    yield f'{_HEAD}<Document xmlns="{NAMESPACE}camt.053.001.08"><BkToCstmrStmt>\n'
    yield (
        f"<GrpHdr>{element('MsgId', header.message_id)}{_some('CreDtTm', _moment(header.created_at))}"
        f"{_page('MsgPgntn', header.page)}</GrpHdr>\n"
    )
    for statement, entries in statements:
        yield _statement(statement)
        yield from (_entry(entry) for entry in entries)
        yield "</Stmt>\n"
    yield "</BkToCstmrStmt></Document>\n"


def _statement(statement: Statement) -> str:
    account = statement.account
    id = element("IBAN", account.number) if account.iban else f"<Othr>{element('Id', account.number)}</Othr>"
    period = ""
    if statement.first_on is not None and statement.last_on is not None:
        first, last = f"{statement.first_on}T00:00:00", f"{statement.last_on}T23:59:59"
        period = f"<FrToDt>{element('FrDtTm', first)}{element('ToDtTm', last)}</FrToDt>"
    owner = account.owner and f"<Ownr>{element('Nm', account.owner)}</Ownr>"
    bank = ""
    # What is no BIC is the bank's number in a clearing system, which a statement need not repeat.
    if account.bank[:4].isalpha():
        bank = f"<Svcr><FinInstnId>{element('BICFI', account.bank)}</FinInstnId></Svcr>"
    return "".join(
        (
            f"<Stmt>{element('Id', statement.id)}{_page('StmtPgntn', statement.page)}",
            _some("ElctrncSeqNb", _number(statement.sequence)),
            _some("CreDtTm", _moment(statement.created_at)),
            f"{period}{_some('CpyDplctInd', statement.copy)}",
            f"<Acct><Id>{id}</Id>{_some('Ccy', account.currency)}{owner}{bank}</Acct>",
            *(_balance(balance) for balance in statement.balances),
            "\n",
        )
    )


def _page(name: str, page: Page | None) -> str:
    if page is None:
        return ""
    last = str(page.last).lower()
    return f"<{name}>{element('PgNb', str(page.number))}{element('LastPgInd', last)}</{name}>"


def _balance(balance: Balance) -> str:
    day = f"<Dt>{element('Dt', balance.on.isoformat())}</Dt>" if balance.on else ""
    return (
        f"<Bal><Tp><CdOrPrtry>{element('Cd', balance.kind)}</CdOrPrtry></Tp>"
        f"{_signed(balance.amount_minor, balance.currency)}{day}</Bal>"
    )


def _entry(entry: Entry) -> str:
    more = "".join(f"<NtryDtls>{_batch(batch)}</NtryDtls>" for batch in entry.batches[1:])
    first = _batch(entry.batches[0]) if entry.batches else ""
    parts = "".join(_transaction(part) for part in entry.transactions)
    return "".join(
        (
            f"<Ntry>{_some('NtryRef', entry.reference)}",
            _signed(entry.amount_minor, entry.currency),
            "<RvslInd>true</RvslInd>" if entry.reversal else "",
            f"<Sts>{element('Cd', entry.status_code)}</Sts>",
            _day("BookgDt", entry.booked_on),
            _day("ValDt", entry.valued_on),
            _some("AcctSvcrRef", entry.bank_reference),
            f"<BkTxCd>{_code(entry.code)}",
            f"<Prtry>{element('Cd', entry.own_code)}</Prtry>" if entry.own_code else "",
            "</BkTxCd>",
            f"<NtryDtls>{first}{parts}</NtryDtls>" if first or parts else "",
            f"{more}{_some('AddtlNtryInf', entry.note)}</Ntry>\n",
        )
    )


def _batch(batch: BatchBooking) -> str:
    return (
        f"<Btch>{_some('MsgId', batch.message_id)}{_some('PmtInfId', batch.block_id)}"
        f"{_some('NbOfTxs', _number(batch.number))}</Btch>"
    )


def _transaction(part: Transaction) -> str:
    references = "".join(
        (
            _some("MsgId", part.message_id),
            _some("AcctSvcrRef", part.bank_reference),
            _some("PmtInfId", part.block_id),
            _some("InstrId", part.instruction_id),
            _some("EndToEndId", part.end_to_end_id),
            _some("UETR", part.uetr),
            _some("TxId", part.transaction_id),
            _some("ClrSysRef", part.clearing_reference),
        )
    )
    amount = "" if part.amount_minor is None else _signed(part.amount_minor, part.currency)
    agents = _agent("DbtrAgt", part.debtor.agent) + _agent("CdtrAgt", part.creditor.agent)
    parties = _party("Dbtr", part.debtor) + _party("Cdtr", part.creditor)
    structured = "".join(
        f"<Strd><CdtrRefInf>{element('Ref', text)}</CdtrRefInf></Strd>" for text in part.references
    )
    original = part.original_code and f"<OrgnlBkTxCd>{_code(part.original_code)}</OrgnlBkTxCd>"
    returned = original + _choice("Rsn", part.return_code) + _some("AddtlInf", part.return_text)
    return "".join(
        (
            f"<TxDtls>{_wrapped('Refs', references)}{amount}",
            _wrapped("BkTxCd", _code(part.code)),
            f"{_wrapped('RltdPties', parties)}{_wrapped('RltdAgts', agents)}",
            _choice("Purp", part.purpose),
            _wrapped("RmtInf", _some("Ustrd", part.remark) + structured),
            f"{_wrapped('RtrInf', returned)}{_some('AddtlTxInf', part.note)}</TxDtls>",
        )
    )


def _party(role: str, party: Party) -> str:
    number = party.account.number
    name = party.name and f"<{role}><Pty>{element('Nm', party.name)}</Pty></{role}>"
    if not number:
        return name
    iban = party.account.scheme == IBAN
    id = element("IBAN", number) if iban else f"<Othr>{element('Id', number)}</Othr>"
    return f"{name}<{role}Acct><Id>{id}</Id></{role}Acct>"


def _agent(name: str, agent: Agent) -> str:
    member = ""
    if agent.member_id:
        system = agent.clearing_system and f"<ClrSysId>{element('Cd', agent.clearing_system)}</ClrSysId>"
        member = f"<ClrSysMmbId>{system}{element('MmbId', agent.member_id)}</ClrSysMmbId>"
    inside = _some("BICFI", agent.bic) + member + _some("Nm", agent.name)
    return inside and f"<{name}><FinInstnId>{inside}</FinInstnId></{name}>"


def _code(code: str) -> str:
    """``PMNT/ICDT/ESCT`` as the standard's three levels; empty where there is none."""
    if not code:
        return ""
    domain, family, sub = code.split("/")
    inner = f"<Fmly>{element('Cd', family)}{element('SubFmlyCd', sub)}</Fmly>"
    return f"<Domn>{element('Cd', domain)}{inner}</Domn>"


def _signed(amount_minor: int, currency: str) -> str:
    direction = "CRDT" if amount_minor >= 0 else "DBIT"
    return _amount("Amt", abs(amount_minor), currency) + element("CdtDbtInd", direction)


def _amount(name: str, amount_minor: int, currency: str) -> str:
    return f'<{name} Ccy="{safe(currency)}">{amount_text(amount_minor, currency)}</{name}>'


def _choice(name: str, code: str) -> str:
    """A code of the standard has up to four characters; what is longer is the bank's own."""
    return code and f"<{name}>{element('Cd' if len(code) <= 4 else 'Prtry', code)}</{name}>"


def _day(name: str, day: date | None) -> str:
    return "" if day is None else f"<{name}>{element('Dt', day.isoformat())}</{name}>"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds")


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _some(name: str, text: str) -> str:
    return text and element(name, text)


def _wrapped(name: str, inside: str) -> str:
    return inside and f"<{name}>{inside}</{name}>"


__all__ = ["write_camt053", "write_pain002"]
