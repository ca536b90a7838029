"""What a statement says is added up again: balances, sums, repetitions, pages, and one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from milepost.bank.files.amounts import NotAnAmount, amount_minor_of, amount_text
from milepost.bank.files.findings import Finding, finding
from milepost.bank.files.statements import Balance, Entry, Statement

if TYPE_CHECKING:
    from milepost.bank.files.camt053 import Summary


class EntryChecks:
    """Watches entries go by. It remembers one number for each reference, so that memory stays small."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, int]] = {}
        self._currencies: dict[str, Entry] = {}

    def see(self, entry: Entry) -> Iterator[Finding]:
        """What is to be said of one entry."""
        if entry.bank_reference:
            here = (entry.statement, entry.number)
            first = self._seen.setdefault(hash((entry.account_no, entry.key, entry.status)), here)
            if first != here:
                shown = str(first[1]) if first[0] == entry.statement else f"{first[0]}/{first[1]}"
                yield finding("entry_repeated", "reference", first=shown).at(entry.number, entry.line)
        self._currencies.setdefault(entry.currency, entry)
        yield from _details(entry)

    def end(self, statement: Statement) -> Iterator[Finding]:
        """What is to be said at the end of a statement, of its entries taken together."""
        own = statement.account.currency
        for currency, entry in self._currencies.items():
            if own and currency != own:
                said = finding("entry_currency", "currency", entry=currency, account=own)
                yield said.at(entry.number, entry.line)
        self._currencies.clear()


def _details(entry: Entry) -> Iterator[Finding]:
    """Payments booked as one: are they all told, and do they add up to the entry?"""
    stated = sum(batch.number or 0 for batch in entry.batches)
    if stated and entry.transactions and stated != len(entry.transactions):
        said = finding("details_missing", "details", stated=stated, found=len(entry.transactions))
        yield said.at(entry.number, entry.line)
    amounts = [amount for _, amount in entry.parts()]
    if len(amounts) > 1 and None not in amounts:
        total = sum(amount for amount in amounts if amount is not None)
        if total != entry.amount_minor:
            texts = {
                "found": amount_text(total, entry.currency),
                "stated": amount_text(entry.amount_minor, entry.currency),
            }
            yield finding("details_differ", "details", **texts).at(entry.number, entry.line)


def check_statement(statement: Statement, summary: Summary) -> Iterator[Finding]:
    """Whether opening and booked entries make closing, and whether the bank's own summary agrees."""
    if statement.page is None or (statement.opening and statement.closing):
        yield from _runs(statement.opening, statement.closing, statement.booked_minor, statement)
    currency = statement.account.currency or _currency_of(statement)
    credits, debits = statement.credits_minor, -statement.debits_minor
    if statement.entries == statement.booked:
        # A summary may or may not count what is pending, so it is compared where nothing is.
        yield from _agrees(statement, summary.entries, statement.entries)
        yield from _adds_up(statement, summary.entries_sum, credits + debits, currency)
        yield from _adds_up(statement, summary.credits_sum, credits, currency)
        yield from _adds_up(statement, summary.debits_sum, debits, currency)


def _runs(
    opening: Balance | None, closing: Balance | None, booked_minor: int, statement: Statement
) -> Iterator[Finding]:
    if opening is None or closing is None:
        yield finding("balance_missing", "balance").at(line=statement.line)
        return
    computed = opening.amount_minor + booked_minor
    if computed != closing.amount_minor or opening.currency != closing.currency:
        texts = {
            "opening": amount_text(opening.amount_minor, opening.currency),
            "entries": amount_text(booked_minor, opening.currency),
            "computed": amount_text(computed, opening.currency),
            "closing": f"{amount_text(closing.amount_minor, closing.currency)} {closing.currency}",
        }
        yield finding("balance_differs", "balance", **texts).at(line=statement.line)


def _agrees(statement: Statement, stated: int | None, found: int) -> Iterator[Finding]:
    if stated is not None and stated != found:
        yield finding("summary_differs", "entry", stated=stated, found=found).at(line=statement.line)


def _adds_up(statement: Statement, stated: str, found_minor: int, currency: str) -> Iterator[Finding]:
    if not stated:
        return
    try:
        agrees = amount_minor_of(stated.lstrip("+-"), currency) == found_minor
    except NotAnAmount:
        agrees = False
    if not agrees:
        found = amount_text(found_minor, currency)
        yield finding("summary_differs", "statement", stated=stated[:40], found=found).at(line=statement.line)


def _currency_of(statement: Statement) -> str:
    balance = statement.opening or statement.closing
    return balance.currency if balance is not None else ""


def check_series(statements: Iterable[Statement]) -> list[Finding]:
    """Whether statements, from one file or several, follow on each other: none missing, none twice.

    Per account, in the order of number and page. Statements without a number keep the order they came in.
    """
    found: list[Finding] = []
    ordered = sorted(statements, key=lambda s: (s.account.number, s.account.currency, s.sequence or 0))
    for _, of_account in groupby(ordered, key=lambda s: (s.account.number, s.account.currency)):
        found += _follow(list(of_account))
    return found


def _follow(statements: list[Statement]) -> Iterator[Finding]:
    groups: dict[tuple[int | None, str], list[Statement]] = {}
    seen: set[tuple[int | None, str, int | None]] = set()
    for statement in statements:
        page = statement.page.number if statement.page else None
        if (statement.sequence, statement.id, page) in seen:
            yield finding("statement_repeated", "statement", id=statement.id).at(line=statement.line)
            continue
        seen.add((statement.sequence, statement.id, page))
        # Pages of one statement share its number; where there is none they share its id.
        whole = (statement.sequence, "" if statement.sequence is not None else statement.id)
        groups.setdefault(whole, []).append(statement)
    for pages in groups.values():
        pages.sort(key=lambda s: s.page.number if s.page else 0)
        yield from _pages(pages)
    for before, after in pairwise(groups.values()):
        yield from _after(before[-1], after[0])


def _pages(pages: list[Statement]) -> Iterator[Finding]:
    numbered = [statement.page for statement in pages if statement.page is not None]
    if not numbered:
        return
    there = {page.number for page in numbered}
    missing = [number for number in range(1, max(there) + 1) if number not in there]
    complete = not missing and any(page.last for page in numbered)
    if not complete:
        text = ", ".join(map(str, missing)) or f">{max(there)}"
        yield finding("pages_missing", "statement", pages=text).at(line=pages[0].line)
    if len(pages) > 1:
        for before, after in pairwise(pages):
            yield from _joins(before, after)
    told = all(page.opening is not None and page.closing is not None for page in pages)
    if complete and not told:
        booked = sum(page.booked_minor for page in pages)
        yield from _runs(pages[0].opening, pages[-1].closing, booked, pages[0])


def _after(before: Statement, after: Statement) -> Iterator[Finding]:
    if before.sequence is not None and after.sequence is not None and after.sequence > before.sequence + 1:
        said = finding("sequence_gap", "sequence", before=before.sequence, after=after.sequence)
        yield said.at(line=after.line)
    else:
        yield from _joins(before, after)


def _joins(before: Statement, after: Statement) -> Iterator[Finding]:
    closing, opening = before.closing, after.opening
    if closing is not None and opening is not None and closing.amount_minor != opening.amount_minor:
        texts = {
            "before": amount_text(closing.amount_minor, closing.currency),
            "after": amount_text(opening.amount_minor, opening.currency),
        }
        yield finding("chain_broken", "balance", **texts).at(line=after.line)


__all__ = ["EntryChecks", "check_series", "check_statement"]
