"""Writes a batch as pain.001.001.09 or .03: the same batch gives the same bytes, one payment after the other.

A payment stands on a line of its own, so that a line of the file and a row of the batch can be told from each
other. Nothing is checked here but what cannot be written at all; `handover` checks before and after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import BinaryIO

from milepost.bank.files.amounts import amount_text, control_sum_text
from milepost.bank.files.batch import BBAN, IBAN, Account, Agent, Batch, Payment
from milepost.bank.files.characters import fit
from milepost.bank.files.markup import element, safe
from milepost.bank.files.rules import BankRules

_LINES_TOGETHER = 256


class PaymentsChanged(RuntimeError):
    """The payments were others at the second reading than at the first: nothing was handed over."""


def write_pain001(batch: Batch, rules: BankRules, target: BinaryIO) -> None:
    """Write the batch to ``target``, in pieces; `PaymentsChanged` if it changed in the meantime."""
    together: list[str] = []
    for line in _lines(batch, rules):
        together.append(line)
        if len(together) == _LINES_TOGETHER:
            target.write("".join(together).encode())
            together.clear()
    target.write("".join(together).encode())


def blocks_of(batch: Batch, rules: BankRules) -> list[tuple[str, Iterable[Payment]]]:
    """The payment blocks of the batch's file, id and payments: one a currency where the bank asks so."""
    currencies = sorted(batch.totals().minor_by_currency)
    if not rules.one_currency or len(currencies) <= 1:
        return [(batch.id, batch.payments)]
    return [(f"{batch.id}-{n}", _Only(batch, code)) for n, code in enumerate(currencies, start=1)]


class _Only:
    """The batch's payments in one currency, as often as they are asked for."""

    def __init__(self, batch: Batch, currency: str) -> None:
        self._batch, self._currency = batch, currency

    def __iter__(self) -> Iterator[Payment]:
        return (payment for payment in self._batch.payments if payment.currency == self._currency)


def _lines(batch: Batch, rules: BankRules) -> Iterator[str]:
    totals = batch.totals()
    bic = "BICFI" if rules.version == "pain.001.001.09" else "BIC"
    name = element("Nm", _text(batch.debtor.name, rules))
    created = batch.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{rules.version}"><CstmrCdtTrfInitn>\n'
    yield "".join(
        (
            f"<GrpHdr>{element('MsgId', batch.id)}{element('CreDtTm', created)}",
            element("NbOfTxs", str(totals.number)),
            element("CtrlSum", control_sum_text(totals.minor_by_currency)),
            f"<InitgPty>{name}</InitgPty></GrpHdr>\n",
        )
    )
    written = 0
    for block_id, payments in blocks_of(batch, rules):
        number, sums = 0, dict[str, int]()
        for payment in payments:
            number += 1
            sums[payment.currency] = sums.get(payment.currency, 0) + payment.amount_minor
        yield _block_head(batch, rules, block_id, number, sums, bic)
        for payment in payments:
            written += 1
            sums[payment.currency] = sums.get(payment.currency, 0) - payment.amount_minor
            yield _payment(payment, rules, bic)
        if any(sums.values()):
            raise PaymentsChanged(f"the payments of batch {batch.id} changed while they were written")
        yield "</PmtInf>\n"
    if written != totals.number:
        raise PaymentsChanged(f"the payments of batch {batch.id} changed while they were written")
    yield "</CstmrCdtTrfInitn></Document>\n"


def _block_head(
    batch: Batch, rules: BankRules, block_id: str, number: int, sums: dict[str, int], bic: str
) -> str:
    day = batch.execution_on.isoformat()
    booking = "" if rules.batch_booking is None else element("BtchBookg", str(rules.batch_booking).lower())
    level = (
        rules.service_level and f"<PmtTpInf><SvcLvl>{element('Cd', rules.service_level)}</SvcLvl></PmtTpInf>"
    )
    return "".join(
        (
            f"<PmtInf>{element('PmtInfId', block_id)}<PmtMtd>TRF</PmtMtd>{booking}",
            f"{element('NbOfTxs', str(number))}{element('CtrlSum', control_sum_text(sums))}{level}",
            f"<ReqdExctnDt>{element('Dt', day) if bic == 'BICFI' else day}</ReqdExctnDt>",
            f"<Dbtr>{element('Nm', _text(batch.debtor.name, rules))}</Dbtr>",
            _account("DbtrAcct", batch.debtor.account),
            # The schema wants a debtor's bank, and this is how it is said that the account names it.
            _agent("DbtrAgt", batch.debtor.agent, rules, bic)
            or "<DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>",
            rules.charge_bearer and element("ChrgBr", rules.charge_bearer),
            "\n",
        )
    )


def _payment(payment: Payment, rules: BankRules, bic: str) -> str:
    remark = _text(payment.remark, rules)
    return "".join(
        (
            f"<CdtTrfTxInf><PmtId>{element('EndToEndId', payment.end_to_end_id)}</PmtId>",
            f'<Amt><InstdAmt Ccy="{safe(payment.currency)}">',
            f"{amount_text(payment.amount_minor, payment.currency)}</InstdAmt></Amt>",
            _agent("CdtrAgt", payment.creditor.agent, rules, bic),
            f"<Cdtr>{element('Nm', _text(payment.creditor.name, rules))}</Cdtr>",
            _account("CdtrAcct", payment.creditor.account),
            remark and f"<RmtInf>{element('Ustrd', remark)}</RmtInf>",
            "</CdtTrfTxInf>\n",
        )
    )


def _account(name: str, account: Account) -> str:
    if account.scheme == IBAN:
        return f"<{name}><Id>{element('IBAN', account.number)}</Id></{name}>"
    # BBAN is a code of the standard's list; what is not in the list is a bank's own word.
    kind = element("Cd" if account.scheme == BBAN else "Prtry", account.scheme)
    return f"<{name}><Id><Othr>{element('Id', account.number)}<SchmeNm>{kind}</SchmeNm></Othr></Id></{name}>"


def _agent(name: str, agent: Agent, rules: BankRules, bic: str) -> str:
    if not (agent.bic or agent.member_id):
        return ""
    member = ""
    if agent.member_id:
        # A code of the standard's list has up to five characters; what is longer is a bank's own word.
        kind = "Cd" if len(agent.clearing_system) <= 5 else "Prtry"
        system = agent.clearing_system and f"<ClrSysId>{element(kind, agent.clearing_system)}</ClrSysId>"
        member = f"<ClrSysMmbId>{system}{element('MmbId', agent.member_id)}</ClrSysMmbId>"
    code = agent.bic and element(bic, agent.bic)
    called = agent.name and element("Nm", _text(agent.name, rules))
    return f"<{name}><FinInstnId>{code}{member}{called}</FinInstnId></{name}>"


def _text(text: str, rules: BankRules) -> str:
    return fit(text, rules.characters).text


__all__ = ["PaymentsChanged", "blocks_of", "write_pain001"]
