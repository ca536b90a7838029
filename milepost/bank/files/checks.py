"""What a schema cannot see: whether a batch, and then the file made of it, says what a bank will carry out.

A schema lets through a zero amount, half a cent, a control sum that is wrong, an IBAN with two digits swapped
and the same payment twice. `check_batch` looks at the batch before a file is made of it. `check_file` reads a
pain.001 back, ours or anybody's, and adds it up again; given the batch, it compares them payment by payment.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import chain

from milepost.bank.accounts import check_account, check_agent
from milepost.bank.files.amounts import NotAnAmount, amount_text, control_sum_text, decimals_of
from milepost.bank.files.batch import Batch, Party, Payment, Totals, payment_id_of
from milepost.bank.files.characters import fit, named
from milepost.bank.files.findings import Finding, finding
from milepost.bank.files.pain001 import blocks_of
from milepost.bank.files.pain001_reader import BlockEnd, BlockHead, FileHead, Transfer, read_pain001
from milepost.bank.files.rules import BankRules
from milepost.bank.files.xml import Source

Works = Callable[[date], bool]

ID_MAX = 35
SUM_DIGITS = 18
_ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+")


def check_batch(
    batch: Batch, rules: BankRules, *, works: Works, known: Container[str] = frozenset()
) -> list[Finding]:
    """Everything that is to be said of a batch, by row.

    ``works`` says whether a day is a working day; ``known`` holds the end-to-end ids that were ever used.
    """
    totals = batch.totals()
    several = rules.one_currency and len(totals.minor_by_currency) > 1
    # Room for "-9" after it, where the batch becomes several blocks.
    found = [*_id(batch.id, "batch", ID_MAX - 2 if several else ID_MAX)]
    found += _party(batch.debtor, rules, "debtor_name", "debtor_account", "debtor_agent", ours=True)
    found += _day(batch.execution_on, batch.created_at.date(), works)
    if totals.number == 0:
        found.append(finding("batch_empty", "batch"))
    if totals.number > rules.payments_max:
        found.append(finding("batch_too_large", "number", number=totals.number, most=rules.payments_max))
    found += _whole(totals)
    before = _Before(known)
    for row, payment in enumerate(batch.payments, start=1):
        found += [said.at(row) for said in chain(check_payment(payment, rules), before.see(row, payment))]
    return found


def check_payment(payment: Payment, rules: BankRules, *, written: bool = False) -> Iterator[Finding]:
    """What is to be said of one payment by itself.

    ``written``: it comes from a file, where a character that would have been mapped stands unmapped.
    """
    yield from _id(payment.end_to_end_id, "end_to_end_id", ID_MAX)
    yield from _amount(payment, rules)
    yield from _party(payment.creditor, rules, "name", "account", "agent", written=written)
    yield from _text(payment.remark, "remark", rules, rules.remark_max, written=written, needed=False)


def _whole(totals: Totals) -> Iterator[Finding]:
    """A sum of more digits than the schemas allow; each of its amounts may be small enough."""
    text = control_sum_text(totals.minor_by_currency)
    if len(text.replace(".", "")) > SUM_DIGITS:
        yield finding("amount_too_large", "control_sum", amount=text, most="9" * SUM_DIGITS)


class _Before:
    """What earlier rows and earlier batches had."""

    def __init__(self, known: Container[str]) -> None:
        self._known = known
        self._rows: dict[str, int] = {}
        self._alike: dict[int, int] = {}

    def see(self, row: int, payment: Payment) -> Iterator[Finding]:
        # Case and hyphens do not make another id of a payment of ours: banks change both on the way.
        ours = payment_id_of(payment.end_to_end_id)
        first = self._rows.setdefault(ours.hex if ours else payment.end_to_end_id, row)
        if first != row:
            yield finding("end_to_end_repeated", "end_to_end_id", first=first)
        if payment.end_to_end_id in self._known:
            yield finding("end_to_end_known", "end_to_end_id")
        creditor = payment.creditor
        same = hash((creditor.account, payment.amount_minor, payment.currency, payment.remark))
        first = self._alike.setdefault(same, row)
        if first != row:
            yield finding("payment_alike", "account", first=first)


def _id(text: str, field: str, most: int) -> Iterator[Finding]:
    if not text:
        yield finding("id_missing", field)
        return
    if len(text) > most:
        yield finding("id_too_long", field, length=len(text), most=most)
    odd = [named(char) for char in dict.fromkeys(text) if char not in _ID_CHARACTERS]
    if text.startswith("/") or text.endswith("/") or "//" in text:
        odd.append("/")
    if odd:
        yield finding("id_characters", field, characters=", ".join(odd[:5]))


def _day(day: date, created: date, works: Works) -> Iterator[Finding]:
    if day < created:
        yield finding("execution_past", "execution_on", day=day, created=created)
    if not works(day):
        yield finding("execution_not_working", "execution_on", day=day)


def _amount(payment: Payment, rules: BankRules) -> Iterator[Finding]:
    minor, currency = payment.amount_minor, payment.currency
    if currency not in rules.currencies:
        allowed = ", ".join(sorted(rules.currencies))
        yield finding("currency_not_allowed", "currency", currency=currency[:8], allowed=allowed)
        return
    if minor <= 0:
        yield finding("amount_not_positive", "amount", amount=f"{amount_text(minor, currency)} {currency}")
    most = rules.amount_major_max * 10 ** decimals_of(currency)
    if minor > most:
        shown = amount_text(minor, currency), amount_text(most, currency)
        yield finding("amount_too_large", "amount", amount=shown[0], most=shown[1])


def _party(
    party: Party,
    rules: BankRules,
    name: str,
    account: str,
    agent: str,
    *,
    written: bool = False,
    ours: bool = False,
) -> Iterator[Finding]:
    yield from _text(party.name, name, rules, rules.name_max, written=written)
    wrong = check_account(party.account, field=account, schemes=rules.account_schemes)
    if wrong is not None:
        yield wrong
    # The debtor's bank is the one that gets the file, so it need not be named.
    needed = rules.agent_needed and not ours
    yield from check_agent(party.agent, party.account, field=agent, needed=needed)
    yield from _text(party.agent.name, "bank_name", rules, 140, written=written, needed=False)


def _text(
    text: str, field: str, rules: BankRules, most: int, *, written: bool = False, needed: bool = True
) -> Iterator[Finding]:
    fitted = fit(text, rules.characters)
    if needed and not fitted.text:
        yield finding("text_missing", field)
    if len(fitted.text) > most:
        yield finding("text_too_long", field, length=len(fitted.text), most=most)
    refused = list(fitted.refused) + ([char for char, _ in fitted.mapped] if written else [])
    if refused:
        shown = ", ".join(named(char) for char in refused[:5])
        yield finding("characters_refused", field, characters=shown)
    elif fitted.mapped:
        shown = ", ".join(f"{named(char)} → {put!r}" for char, put in fitted.mapped[:5])
        yield finding("characters_mapped", field, characters=shown)


def check_file(
    source: Source,
    rules: BankRules,
    *,
    works: Works,
    known: Container[str] = frozenset(),
    batch: Batch | None = None,
) -> list[Finding]:
    """Everything that is to be said of a pain.001 file; `FileUnreadable` where it cannot be read.

    With the ``batch`` it was made of, the two are compared, and what `check_batch` says of its payments is
    not said again.
    """
    return list(_FileCheck(rules, works, known, batch).findings(source))


class _Sum:
    """A count and a sum beside what is stated."""

    def __init__(self, number: int | None, control_sum: str, field: str, line: int) -> None:
        self._stated = (number, control_sum)
        self._field, self._line = field, line
        self._number, self._sum = 0, Decimal(0)
        self.currencies: set[str] = set()

    def add(self, transfer: Transfer) -> None:
        self._number += 1
        self.currencies.add(transfer.currency)
        try:
            self._sum += Decimal(transfer.amount)
        except InvalidOperation:
            # That it is no amount is said of the payment itself.
            self._sum = Decimal("NaN")

    def end(self) -> Iterator[Finding]:
        number, control_sum = self._stated
        if number is not None and number != self._number:
            said = finding("count_differs", "number", stated=number, found=self._number)
            yield said.at(line=self._line)
        if control_sum and self._sum.is_finite() and not _same(control_sum, self._sum):
            said = finding("sum_differs", "control_sum", stated=control_sum[:40], found=f"{self._sum:f}")
            yield said.at(line=self._line)

    def one_currency(self) -> Iterator[Finding]:
        if len(self.currencies) > 1:
            said = finding("currencies_mixed", self._field, currencies=", ".join(sorted(self.currencies)))
            yield said.at(line=self._line)


def _same(text: str, total: Decimal) -> bool:
    try:
        return Decimal(text) == total
    except InvalidOperation:
        return False


class _FileCheck:
    """One reading of a file."""

    def __init__(self, rules: BankRules, works: Works, known: Container[str], batch: Batch | None) -> None:
        self._rules, self._works, self._batch = rules, works, batch
        self._before = _Before(known)
        blocks = blocks_of(batch, rules) if batch else []
        self._expected = iter(chain.from_iterable(payments for _, payments in blocks))
        self._created: date | None = None

    def findings(self, source: Source) -> Iterator[Finding]:
        whole = block = _Sum(None, "", "file", 0)
        for read in read_pain001(source):
            if isinstance(read, FileHead):
                whole = _Sum(read.number, read.control_sum, "file", read.line)
                yield from self._head(read)
            elif isinstance(read, BlockHead):
                block = _Sum(read.number, read.control_sum, "block", read.line)
                yield from self._block(read)
            elif isinstance(read, Transfer):
                whole.add(read)
                block.add(read)
                yield from self._transfer(read)
            elif isinstance(read, BlockEnd):
                yield from block.end()
                yield from block.one_currency() if self._rules.one_currency else ()
        yield from whole.end()
        if next(self._expected, None) is not None:
            yield finding("file_differs", "number")

    def _head(self, head: FileHead) -> Iterator[Finding]:
        self._created = head.created_at.date() if head.created_at else None
        if self._batch is None:
            yield from (said.at(line=head.line) for said in _id(head.message_id, "batch", ID_MAX))
        elif (head.message_id, head.version) != (self._batch.id, self._rules.version):
            yield finding("file_differs", "batch").at(line=head.line)

    def _block(self, block: BlockHead) -> Iterator[Finding]:
        batch = self._batch
        if batch is None:
            found = [*_id(block.id, "block", ID_MAX)]
            names = ("debtor_name", "debtor_account", "debtor_agent")
            found += _party(block.debtor, self._rules, *names, written=True, ours=True)
            if block.execution_on is not None:
                found += _day(block.execution_on, self._created or date.min, self._works)
            yield from (said.at(line=block.line) for said in found)
            return
        if block.debtor.account != batch.debtor.account:
            yield finding("file_differs", "debtor_account").at(line=block.line)
        if block.execution_on != batch.execution_on:
            yield finding("file_differs", "execution_on").at(line=block.line)

    def _transfer(self, transfer: Transfer) -> Iterator[Finding]:
        place = (transfer.row, transfer.line)
        if self._batch is not None:
            expected = next(self._expected, None)
            fields = _differences(transfer, expected, self._rules) if expected else ["number"]
            yield from (finding("file_differs", field).at(*place) for field in fields)
            return
        try:
            payment = transfer.payment()
        except NotAnAmount as wrong:
            yield wrong.finding.at(*place)
            return
        found = chain(
            check_payment(payment, self._rules, written=True), self._before.see(transfer.row, payment)
        )
        yield from (said.at(*place) for said in found)


def _differences(transfer: Transfer, payment: Payment, rules: BankRules) -> list[str]:
    """The fields in which a file's payment is not the batch's."""
    creditor, agent = payment.creditor, payment.creditor.agent
    read = transfer.creditor
    ours = {
        "end_to_end_id": (transfer.end_to_end_id, payment.end_to_end_id),
        "amount": (transfer.amount, amount_text(payment.amount_minor, payment.currency)),
        "currency": (transfer.currency, payment.currency),
        "account": (read.account, creditor.account),
        "agent": ((read.agent.bic, read.agent.member_id), (agent.bic, agent.member_id)),
        "name": (read.name, fit(creditor.name, rules.characters).text),
        "remark": (transfer.remark, fit(payment.remark, rules.characters).text),
    }
    return [field for field, (theirs, mine) in ours.items() if theirs != mine]


__all__ = ["ID_MAX", "Works", "check_batch", "check_file", "check_payment"]
