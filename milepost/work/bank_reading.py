"""A file from the bank becomes rows, all of it or nothing, and the same words become the same rows.

What a file says is kept as ``bank_entry`` under names that do not depend on the file: the same statement
twice, in two halves, in another order or under another name adds nothing. What follows from the rows is
``milepost.work.reconciliation``'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import file_digest, sha256
from itertools import islice
from os import SEEK_END, fsencode
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from milepost.bank.desk import Desk, account_of
from milepost.bank.files.batch import payment_id_of
from milepost.bank.files.camt053 import StatementFile
from milepost.bank.files.findings import FileUnreadable, Finding, blocking
from milepost.bank.files.pain002 import StatusReport, Verdict, read_pain002
from milepost.bank.files.statements import Entry, Statement, Transaction
from milepost.clock import OFFICE_ZONE
from milepost.db import Session
from states.case import NAMESPACE

AT_ONCE = 1000
"""So many words of a file are in memory at a time."""
KEY_MAX = 300
"""A longer name of an entry is known by its hash, so that the index takes it."""

# What the bank says of a payment before it is decided changes nothing.
_SAID = {"rejected": "rejected", "cancelled": "rejected", "settled": "settled"}


@dataclass(slots=True)
class FileReport:
    """What a file was: ``known`` before, what kind, how many of its entries were new, what is to be said."""

    name: str
    sha256: str
    kind: str = "unknown"
    known: bool = False
    entries: int = 0
    fresh: int = 0
    exceptions: list[str] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """One thing the bank said, as it is kept; ``id`` follows from what names it."""

    source: str
    account: str
    key: str
    part: int
    said: str
    booked_on: date
    amount_minor: int
    currency: str
    end_to_end: str = ""
    reference: str = ""
    reason: str = ""
    party_account: str = field(default="", repr=False)
    remittance: str = ""
    outcome: str = "new"
    statement: int | None = None

    @property
    def id(self) -> UUID:
        return uuid5(NAMESPACE, f"bank_entry:{self.source}:{self.account}:{self.key}:{self.part}")


def read_bank_file(session: Session, desk: Desk, path: Path, by: UUID) -> FileReport:
    """Take a file in, in one transaction; one that is known, or cannot be read, changes nothing else.

    What does not fit of the file as a whole is kept with it: reconciliation makes exceptions of it.
    """
    conn = session.conn
    with path.open("rb") as content, conn.transaction():
        # A name of bytes that are no text is still a file's name.
        name = fsencode(path.name).decode("utf-8", "replace")
        report = FileReport(name, file_digest(content, "sha256").hexdigest())
        # Two who read the same file wait for each other here.
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"bank:{report.sha256}",))
        known = conn.execute(
            "SELECT kind FROM bank_file WHERE direction = 'in' AND sha256 = %s", (report.sha256,)
        ).fetchone()
        if known is not None:
            report.known, report.kind = True, known[0]
            return report
        _Reading(session, desk, content, by, report).take_in()
    return report


@dataclass(slots=True)
class _Reading:
    session: Session
    desk: Desk
    content: BinaryIO
    by: UUID
    report: FileReport
    file_id: UUID = field(init=False)
    doubts: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file_id = uuid5(NAMESPACE, f"bank_file:in:{self.report.sha256}")

    def take_in(self) -> None:
        """The file's row, its entries, and what is wrong with it as a whole."""
        self.content.seek(0)
        head = self.content.read(4000)
        try:
            if b"camt.053" in head:
                self._statement()
            elif b"pain.002" in head:
                self._status_report()
            else:
                self._doubt("file_not_known", {"name": self.report.name})
                self._register("unknown", {}, ())
        except FileUnreadable as problem:
            self._doubt("file_unreadable", _both(problem.finding))
            self._register("unreadable", {}, (problem.finding,))

    def _statement(self) -> None:
        with StatementFile(self.content) as file:
            numbers = {s.number: account_of(s.account.number).number for s in file.statements}
            ours = {place for place, number in numbers.items() if number == self.desk.account}
            closing = [
                s.closing.on
                for s in file.statements
                if s.number in ours and s.closing is not None and s.closing.kind == "CLBD" and s.closing.on
            ]
            ours_alone = sum(s.entries for s in file.statements if s.number in ours)
            counts = {"entries": sum(s.entries for s in file.statements), "ours": ours_alone}
            wrong = blocking(file.findings)
            # A statement that does not add up proves nothing, so it closes no day either.
            closing_on = max(closing) if closing and not wrong else None
            if len(ours) < len(file.statements):
                self._doubt("account_not_ours", {"statements": str(len(file.statements) - len(ours))})
            if wrong:
                self._doubt("statement_differs", _both(wrong[0]))
            self._register("camt.053", counts, file.findings, closing_on)
            self._keep(self._words(file.entries(), ours), held=bool(wrong))
            if not wrong:
                self._stretches([s for s in file.statements if s.number in ours])

    def _stretches(self, statements: Iterable[Statement]) -> None:
        """Where each statement begins and ends: one that is missing between two others shows by it."""
        rows = self.session.conn.execute(
            "SELECT statement, sum(amount_minor)::bigint FROM bank_entry WHERE file_id = %s GROUP BY 1",
            (self.file_id,),
        ).fetchall()
        here = dict(rows)
        for one in statements:
            opening, closing = one.opening, one.closing
            if opening is None or closing is None or closing.on is None:
                continue
            opens_on = min(opening.on or one.first_on or closing.on, closing.on)
            self.session.conn.execute(
                "INSERT INTO bank_statement (file_id, number, account, currency, opens_on, opening_minor, "
                "whole_opening, closing_on, closing_minor, whole_closing, apart_minor) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    self.file_id,
                    one.number,
                    self.desk.account,
                    closing.currency,
                    opens_on,
                    opening.amount_minor,
                    opening.kind != "ITBD",
                    closing.on,
                    closing.amount_minor,
                    closing.kind == "CLBD",
                    one.credits_minor + one.debits_minor - here.get(one.number, 0),
                ),
            )

    def _words(self, entries: Iterable[Entry], ours: set[int]) -> Iterator[Word]:
        alike: Counter[tuple[int, str]] = Counter()
        for entry in entries:
            if entry.status != "booked" or entry.statement not in ours:
                continue
            key = _short(entry.key)
            if not entry.bank_reference:
                # Two lines of a statement that say the same and have no number are two all the same.
                alike[entry.statement, key] += 1
                key += f"#{alike[entry.statement, key]}" if alike[entry.statement, key] > 1 else ""
            parts = list(entry.parts()) or [(Transaction(note=entry.note), entry.amount_minor)]
            for number, (part, amount) in enumerate(parts):
                # What is netted off in an entry goes its own way, whatever way the entry as a whole goes.
                out = (entry.amount_minor if amount is None else amount) < 0
                party = part.creditor if out else part.debtor
                why = f"{part.return_code} {part.return_text}".strip() or part.note
                yield Word(
                    source="statement",
                    account=self.desk.account,
                    key=key,
                    part=number,
                    said="debit" if out else "credit",
                    booked_on=entry.booked_on or self.session.clock.today(),
                    # Where the bank tells the sum of several only, no sum of one is known.
                    amount_minor=amount if amount is not None else 0,
                    currency=entry.currency,
                    end_to_end=part.end_to_end_id,
                    reference=part.bank_reference or entry.bank_reference,
                    reason=why,
                    party_account=account_of(party.account.number).number,
                    remittance=" ".join((*part.references, part.remark, entry.note, part.note)).strip(),
                    statement=entry.statement,
                )

    def _status_report(self) -> None:
        self.content.seek(0)
        found = read_pain002(self.content)
        batch = payment_id_of(found.original_message_id)
        mine = [
            row[0].hex
            for row in self.session.conn.execute(
                "SELECT b.payment_id FROM batch_payment b JOIN batch x ON x.id = b.batch_id "
                "WHERE x.id = %s AND x.file_name IS NOT NULL AND b.live ORDER BY b.position",
                (batch,),
            ).fetchall()
        ]
        named = {_bare(id): verdict for id, verdict in found.verdicts().items()}
        rest = found.verdict_of_unnamed(found.original_message_id)
        verdicts = {id: rest for id in mine} if rest is not None else {}
        verdicts |= named
        counts = {"payments": len(named), "status": found.status}
        if not mine:
            self._doubt("report_of_no_batch", {"message": found.original_message_id})
        self._register("pain.002", counts, found.findings, batch_id=batch if mine else None)
        self._keep(self._verdict(found, id, v) for id, v in verdicts.items() if v is not None)

    def _verdict(self, found: StatusReport, id: str, verdict: Verdict) -> Word:
        said = _SAID.get(verdict.outcome)
        reasons = "; ".join(f"{reason.code} {reason.text}".strip() for reason in verdict.reasons)
        return Word(
            source="report",
            account=self.desk.account,
            key=_short(f"{found.original_message_id}/{id}/{said or verdict.outcome}"),
            part=0,
            said=said or verdict.outcome,
            booked_on=_day_here(found.created_at or self.session.clock.now()),
            amount_minor=0,
            currency="",
            end_to_end=id,
            reference=verdict.bank_reference,
            reason=f"{verdict.status} {reasons}".strip(),
            outcome="waiting" if said else "noted",
        )

    # -- rows ---------------------------------------------------------------------------------------------

    def _register(
        self,
        kind: str,
        counts: dict[str, Any],
        findings: Iterable[Finding],
        closing_on: date | None = None,
        batch_id: UUID | None = None,
    ) -> None:
        self.report.kind = kind
        self.report.findings = tuple(findings)
        self.session.conn.execute(
            "INSERT INTO bank_file (id, direction, kind, name, sha256, size, at, by_id, batch_id, "
            "closing_on, counts, findings, doubts) "
            "VALUES (%s, 'in', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                self.file_id,
                kind,
                self.report.name[:300],
                self.report.sha256,
                self._size(),
                self.session.clock.now(),
                self.by,
                batch_id,
                closing_on,
                Jsonb(counts),
                Jsonb([said.as_json() for said in self.report.findings[:100]]),
                Jsonb(self.doubts),
            ),
        )

    def _size(self) -> int:
        return self.content.seek(0, SEEK_END)

    def _doubt(self, kind: str, params: dict[str, str]) -> None:
        self.doubts[kind] = params
        self.report.exceptions.append(kind)

    def _keep(self, words: Iterable[Word], *, held: bool = False) -> None:
        """New words become rows; one that stands in a file that did not add up is taken from this one."""
        coming = iter(words)
        while some := list(islice(coming, AT_ONCE)):
            self._keep_some(some, held=held)

    def _keep_some(self, words: Sequence[Word], *, held: bool) -> None:
        columns = [
            [word.id for word in words],
            [word.source for word in words],
            [word.account for word in words],
            [word.key for word in words],
            [word.part for word in words],
            [word.said for word in words],
            [word.booked_on for word in words],
            [word.amount_minor for word in words],
            [word.currency for word in words],
            [word.end_to_end[:100] for word in words],
            [word.reference[:100] for word in words],
            [word.reason[:2000] for word in words],
            [word.party_account[:100] for word in words],
            [word.remittance[:2000] for word in words],
            [payment_id_of(word.end_to_end) for word in words],
            ["held" if held else word.outcome for word in words],
            [word.statement for word in words],
        ]
        done = self.session.conn.execute(_KEEP, [self.file_id, *columns])
        self.report.entries += len(words)
        self.report.fresh += done.rowcount


_KEEP = """INSERT INTO bank_entry (id, file_id, source, account, key, part, said, booked_on, amount_minor,
    currency, end_to_end, reference, reason, party_account, remittance, payment_id, outcome, statement)
  SELECT DISTINCT ON (u.id) u.id, %s, u.source, u.account, u.key, u.part, u.said, u.booked_on, u.amount_minor,
    u.currency, u.end_to_end, u.reference, u.reason, u.party_account, u.remittance, y.id, u.outcome,
    u.statement
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::date[], %s::bigint[],
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::text[],
    %s::int[])
    AS u(id, source, account, key, part, said, booked_on, amount_minor, currency, end_to_end, reference,
         reason, party_account, remittance, payment_id, outcome, statement)
  LEFT JOIN payment y ON y.id = u.payment_id
  ON CONFLICT (source, account, key, part)
  DO UPDATE SET outcome = EXCLUDED.outcome, again_file_id = EXCLUDED.file_id
   WHERE bank_entry.outcome = 'held' AND EXCLUDED.outcome <> 'held'"""


def _both(said: Finding) -> dict[str, str]:
    return {"zh": said.text("zh"), "en": said.text("en")}


def _short(key: str) -> str:
    return key if len(key) <= KEY_MAX else f"sha256:{sha256(key.encode()).hexdigest()}"


def _day_here(moment: datetime) -> date:
    """The day of a moment at the office; a clock without a zone is the bank's own, which is next door."""
    return moment.astimezone(OFFICE_ZONE).date() if moment.tzinfo is not None else moment.date()


def _bare(end_to_end: str) -> str:
    """An end-to-end id as we write ours; somebody else's stays as it is."""
    ours = payment_id_of(end_to_end)
    return ours.hex if ours is not None else end_to_end


__all__ = ["FileReport", "Word", "read_bank_file"]
