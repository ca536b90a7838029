"""A bank that takes payment files and answers with reports and statements, in books of its own.

It books every file it is given, also one that it was given before: whoever hands a file over twice pays
twice, and the books show it. How it misbehaves is data, and follows from the seed and the end-to-end id
alone. Its books are one SQLite file; days are given to it, so that it has no clock of its own.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from milepost.bank.desk import account_of
from milepost.bank.files.amounts import amount_minor_of
from milepost.bank.files.answers import write_camt053, write_pain002
from milepost.bank.files.batch import IBAN, Account, Agent, Party
from milepost.bank.files.camt053 import Header
from milepost.bank.files.pain001_reader import BlockHead, FileHead, Transfer, read_pain001
from milepost.bank.files.pain002 import BlockStatus, PaymentStatus, Reason, StatusReport
from milepost.bank.files.sheet import SheetTemplate
from milepost.bank.files.statements import Balance, Entry, Statement, StatementAccount, Transaction
from milepost.bank.files.xlsx import read_workbook

OPENING_MINOR = 10**12
"""What is on the account when the books begin."""

_TABLES = """
CREATE TABLE IF NOT EXISTS file (sha256 TEXT, message TEXT, at TEXT, answered INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS booking (id INTEGER PRIMARY KEY, message TEXT, end_to_end TEXT, amount INTEGER,
  currency TEXT, account TEXT, scheme TEXT, name TEXT, day TEXT, kind TEXT, reference TEXT, reason TEXT);
CREATE TABLE IF NOT EXISTS verdict (message TEXT, end_to_end TEXT, status TEXT, reason TEXT, day TEXT,
  told INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS customer (account TEXT, iban INTEGER);
CREATE TABLE IF NOT EXISTS statement (number INTEGER PRIMARY KEY, day TEXT, opening INTEGER, closing INTEGER);
"""


class Misbehaviour(BaseModel):
    """Which payments a fault strikes, one in so many (0 none, 1 all); which files, likewise.

    - ``reject``: refused at once. ``come_back``: paid, and back ``back_days`` later.
    - ``reject_late``: paid, and yet reported as rejected. ``lose_reply``: no report of the file at all.
    - ``slow``: executed ``slow_days`` later. ``wrong_amount``: a cent too much is booked.
    - ``twice``: paid twice, and the second one taken back on ``back_days``.
    - ``unknown``: an entry that is nobody's stands beside it. ``part``: only rejections are reported.
    - ``duplicate``, ``split``, ``reorder``, ``wrong_total``: of statements; the right one follows the wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    reject: int = Field(default=0, ge=0)
    come_back: int = Field(default=0, ge=0)
    reject_late: int = Field(default=0, ge=0)
    lose_reply: int = Field(default=0, ge=0)
    slow: int = Field(default=0, ge=0)
    wrong_amount: int = Field(default=0, ge=0)
    twice: int = Field(default=0, ge=0)
    unknown: int = Field(default=0, ge=0)
    part: int = Field(default=0, ge=0)
    duplicate: int = Field(default=0, ge=0)
    split: int = Field(default=0, ge=0)
    reorder: int = Field(default=0, ge=0)
    wrong_total: int = Field(default=0, ge=0)
    back_days: int = Field(default=2, ge=0)
    slow_days: int = Field(default=1, ge=1)

    def strikes(self, name: str, what: str) -> bool:
        """True when a fault strikes a payment or a file; the same answer always."""
        one_in = getattr(self, name)
        if one_in == 0:
            return False
        drawn = sha256(f"{self.seed}:{name}:{what}".encode()).digest()
        return int.from_bytes(drawn[:8]) % int(one_in) == 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A file of the bank's: its name and its bytes."""

    name: str
    content: bytes


class FileBank:
    """The bank's counter over its books: ``take`` a file, then a ``day`` gives the answers of that day."""

    def __init__(
        self,
        books: Path,
        told: Misbehaviour | None = None,
        *,
        account: str = "",
        iban: bool = False,
        template: SheetTemplate | None = None,
    ):
        self.books = books
        self.template = template
        self.told = told or Misbehaviour()
        self.account = account
        self.iban = iban
        with self._open() as conn:
            conn.executescript(_TABLES)
            known = conn.execute("SELECT account, iban FROM customer ORDER BY rowid DESC").fetchone()
        if known:
            self.account, self.iban = known[0], bool(known[1])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.books, timeout=30)) as conn, conn:
            yield conn

    # -- taking ------------------------------------------------------------------------------------------

    def take(self, content: bytes, today: date) -> str:
        """Book a payment file, whatever was booked before; its message id. Crashes on what is no pain.001."""
        message = ""
        rows: list[Transfer] = []
        day = today
        for read in read_pain001(BytesIO(content)):
            if isinstance(read, FileHead):
                message = read.message_id
            elif isinstance(read, Transfer):
                rows.append(read)
            elif isinstance(read, BlockHead):
                day = max(day, read.execution_on or today)
                self.account, self.iban = read.debtor.account.number, read.debtor.account.scheme == IBAN
        self._take(content, message, rows, day, today)
        return message

    def take_sheet(self, content: bytes, message: str, today: date) -> str:
        """Book a spreadsheet in the columns of ``template``, under its name; crashes on what is none."""
        assert self.template is not None, "a bank takes spreadsheets by the columns it was told"
        columns = self.template.columns
        lines = read_workbook(content, columns_max=len(columns))
        assert [cell.text for cell in next(lines)[1]] == [self.template.header(column) for column in columns]
        rows = []
        for number, (line, cells) in enumerate(lines, start=1):
            said = {c.field: cell.text for c, cell in zip(columns, cells, strict=False)}
            self.account = said.get("debtor_account") or self.account
            party = Party(said["creditor_name"], account_of(said["creditor_account"]), Agent())
            currency = said.get("currency") or "CNY"
            id = said.get("end_to_end_id", "")
            rows.append(Transfer(1, number, line, id, said["amount"], currency, party))
        self._take(content, message, rows, today, today)
        return message

    def _take(self, content: bytes, message: str, rows: list[Transfer], day: date, today: date) -> None:
        with self._open() as conn:
            conn.execute(
                "INSERT INTO file VALUES (?, ?, ?, 0)",
                (sha256(content).hexdigest(), message, today.isoformat()),
            )
            conn.execute("INSERT INTO customer VALUES (?, ?)", (self.account, self.iban))
            for row in rows:
                self._book(conn, message, row, day, today)

    def take_folder(self, folder: Path, today: date) -> list[str]:
        """Take what lies in the office's outgoing folder, and put it away."""
        taken = []
        done = folder / ".taken"
        done.mkdir(exist_ok=True)
        for path in sorted([*folder.glob("*.xml"), *folder.glob("*.xlsx")]):
            content = path.read_bytes()
            sheet = path.suffix == ".xlsx"
            taken.append(self.take_sheet(content, path.stem, today) if sheet else self.take(content, today))
            path.rename(done / path.name)
        return taken

    def _book(self, conn: sqlite3.Connection, message: str, row: Transfer, day: date, today: date) -> None:
        id, told = row.end_to_end_id, self.told
        amount = amount_minor_of(row.amount, row.currency)
        if told.strikes("reject", id):
            self._verdict(conn, message, id, "RJCT", "AC04 account closed", today)
            return
        if told.strikes("slow", id):
            day += timedelta(days=told.slow_days)
        booked = amount + 1 if told.strikes("wrong_amount", id) else amount
        count = conn.execute("SELECT count(*) FROM booking WHERE end_to_end = ?", (id,)).fetchone()[0]
        self._enter(conn, message, row, -booked, day, "debit", f"{id[:16]}D{count}")
        back = day + timedelta(days=told.back_days)
        if told.strikes("twice", id):
            self._enter(conn, message, row, -booked, day, "debit", f"{id[:16]}D{count + 1}")
            self._enter(conn, message, row, booked, back, "credit", f"{id[:16]}T{count}")
        elif told.strikes("come_back", id):
            self._enter(conn, message, row, booked, back, "credit", f"{id[:16]}C{count}")
        if told.strikes("unknown", id):
            other = row.__class__(**{**_fields(row), "end_to_end_id": sha256(id.encode()).hexdigest()[:32]})
            self._enter(conn, message, other, -amount, day, "debit", f"{id[:16]}X{count}")
        if told.strikes("reject_late", id):
            self._verdict(conn, message, id, "RJCT", "MS03 not specified", today)
        elif not told.strikes("part", message):
            self._verdict(conn, message, id, "ACSC", "", today)

    def _enter(
        self,
        conn: sqlite3.Connection,
        message: str,
        row: Transfer,
        minor: int,
        day: date,
        kind: str,
        ref: str,
    ) -> None:
        account = row.creditor.account
        conn.execute(
            "INSERT INTO booking (message, end_to_end, amount, currency, account, scheme, name, day, kind, "
            "reference, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message,
                row.end_to_end_id,
                minor,
                row.currency,
                account.number,
                account.scheme,
                row.creditor.name,
                day.isoformat(),
                kind,
                ref,
                "AC04" if kind == "credit" else "",
            ),
        )

    def _verdict(
        self, conn: sqlite3.Connection, message: str, id: str, status: str, reason: str, day: date
    ) -> None:
        conn.execute(
            "INSERT INTO verdict VALUES (?, ?, ?, ?, ?, 0)", (message, id, status, reason, day.isoformat())
        )

    def credit(
        self, minor: int, currency: str, day: date, remittance: str, *, name: str = "", account: str = ""
    ) -> None:
        """Book money that somebody pays in, with what they wrote: the day's statement has it."""
        with self._open() as conn:
            count = conn.execute("SELECT count(*) FROM booking").fetchone()[0]
            conn.execute(
                "INSERT INTO booking (message, end_to_end, amount, currency, account, scheme, name, day, "
                "kind, reference, reason) VALUES ('', '', ?, ?, ?, 'BBAN', ?, ?, 'incoming', ?, ?)",
                (minor, currency, account, name, day.isoformat(), f"I{count:015d}", remittance),
            )

    # -- answering ---------------------------------------------------------------------------------------

    def reports(self, today: date) -> list[Answer]:
        """The status reports of files that were not answered yet; of those whose reply is lost, none."""
        answers = []
        with self._open() as conn:
            for (message,) in conn.execute(
                "SELECT DISTINCT message FROM file WHERE answered = 0 ORDER BY message"
            ).fetchall():
                conn.execute("UPDATE file SET answered = 1 WHERE message = ?", (message,))
                if not self.told.strikes("lose_reply", message):
                    answers.append(self._report(conn, message, today))
        return answers

    def late_reports(self, today: date) -> list[Answer]:
        """The reports whose reply was lost, found again."""
        with self._open() as conn:
            rows = conn.execute("SELECT DISTINCT message FROM file ORDER BY message").fetchall()
            return [self._report(conn, m, today) for (m,) in rows if self.told.strikes("lose_reply", m)]

    def _report(self, conn: sqlite3.Connection, message: str, today: date) -> Answer:
        rows = conn.execute(
            "SELECT end_to_end, status, reason FROM verdict WHERE message = ? ORDER BY rowid", (message,)
        ).fetchall()
        payments = tuple(
            PaymentStatus(
                end_to_end_id=id,
                status=status,
                reasons=(Reason(reason[:4], reason[5:]),) if reason else (),
            )
            for id, status, reason in rows
        )
        statuses = {status for _, status, _ in rows}
        status = "PART" if len(statuses) != 1 else next(iter(statuses))
        report = StatusReport(
            message_id=f"R-{message[:30]}",
            created_at=_moment(today),
            original_message_id=message,
            status=status,
            blocks=(BlockStatus(id=message, payments=payments),),
        )
        target = BytesIO()
        write_pain002(report, target)
        return Answer(f"pain002-{message}-{today}.xml", target.getvalue())

    def statements(self, today: date) -> list[Answer]:
        """The statement of each day that had none yet since the books began, and today's as it stands now.

        Of a day that was stated before it was over, and in which more was booked then, once more.
        """
        answers = []
        for day in self._days_without(today):
            answers += self._day(day)
        return answers + self._day(today)

    def owes_statements(self, today: date) -> bool:
        """Whether something was booked by today that no statement has shown."""
        with self._open() as conn:
            shown = "SELECT coalesce(sum(closing - opening), 0) FROM statement"
            booked = "SELECT coalesce(sum(amount), 0), count(*) FROM booking WHERE day <= ?"
            (moved,), (whole, number) = (
                conn.execute(shown).fetchone(),
                conn.execute(booked, (today.isoformat(),)).fetchone(),
            )
        return bool(number) and (moved != whole or bool(self._days_without(today)))

    def _days_without(self, today: date) -> list[date]:
        """Days before today without a statement: from the last one on, or from the first file or booking."""
        with self._open() as conn:
            (last,) = conn.execute("SELECT max(day) FROM statement").fetchone()
            stale = conn.execute(
                "SELECT 1 FROM statement s WHERE s.day = ? AND s.closing - s.opening <> "
                "(SELECT coalesce(sum(b.amount), 0) FROM booking b WHERE b.day = s.day)",
                (last,),
            ).fetchone()
            (first,) = conn.execute(
                "SELECT min(day) FROM (SELECT day FROM booking UNION ALL SELECT substr(at, 1, 10) FROM file)"
            ).fetchone()
        if last is None and first is None:
            return []
        begin = date.fromisoformat(last) + timedelta(days=not stale) if last else date.fromisoformat(first)
        return [begin + timedelta(days=n) for n in range((today - begin).days)]

    def _day(self, today: date) -> list[Answer]:
        """The statement of a day, as one file or two, perhaps with a wrong total and again the day after."""
        key = today.isoformat()
        with self._open() as conn:
            row = conn.execute(
                "SELECT closing FROM statement WHERE day < ? ORDER BY day DESC", (key,)
            ).fetchone()
            opening = row[0] if row else OPENING_MINOR
            rows = conn.execute("SELECT * FROM booking WHERE day = ? ORDER BY id", (key,)).fetchall()
            closing = opening + sum(row[3] for row in rows)
            conn.execute("DELETE FROM statement WHERE day = ?", (key,))
            conn.execute(
                "INSERT INTO statement (day, opening, closing) VALUES (?, ?, ?)", (key, opening, closing)
            )
            number = conn.execute("SELECT count(*) FROM statement").fetchone()[0]
        entries = [self._entry(row) for row in rows]
        if self.told.strikes("reorder", key):
            random.Random(f"{self.told.seed}:{key}").shuffle(entries)
        answers = []
        if self.told.strikes("wrong_total", key) and entries:
            answers.append(self._statement(f"{number}-wrong", today, opening, closing + 100, entries, "CLBD"))
        if self.told.strikes("split", key) and len(entries) > 1:
            half = len(entries) // 2
            between = opening + sum(entry.amount_minor for entry in entries[:half])
            answers.append(self._statement(f"{number}-1", today, opening, between, entries[:half], "ITBD"))
            answers.append(
                self._statement(f"{number}-2", today, between, closing, entries[half:], "CLBD", "ITBD")
            )
        else:
            answers.append(self._statement(str(number), today, opening, closing, entries, "CLBD"))
        if self.told.strikes("duplicate", key):
            answers += [Answer(f"again-{answer.name}", answer.content) for answer in answers]
            answers.append(self._statement(f"{number}-copy", today, opening, closing, entries, "CLBD"))
        return answers

    def _entry(self, row: Any) -> Entry:
        _, _, id, amount, currency, account, scheme, name, day, kind, reference, reason = row
        party = Party(name, Account(account, scheme), Agent(clearing_system=""))
        if kind == "incoming":
            return _incoming(row, party)
        part = Transaction(
            end_to_end_id=id,
            amount_minor=amount,
            currency=currency,
            creditor=party if kind == "debit" else Party("", Account("", "BBAN"), Agent(clearing_system="")),
            return_code=reason,
        )
        return Entry(
            amount_minor=amount,
            currency=currency,
            bank_reference=reference,
            booked_on=date.fromisoformat(day),
            valued_on=date.fromisoformat(day),
            code="PMNT/ICDT/ESCT" if kind == "debit" else "PMNT/RCDT/RRTN",
            transactions=(part,),
        )

    def _statement(
        self,
        id: str,
        today: date,
        opening: int,
        closing: int,
        entries: list[Entry],
        last: str,
        first: str = "OPBD",
    ) -> Answer:
        currency = entries[0].currency if entries else "CNY"
        balances = (Balance(first, opening, currency, today), Balance(last, closing, currency, today))
        account = StatementAccount(number=self.account, iban=self.iban, currency=currency)
        whole = Statement(id=f"S-{id}", account=account, balances=balances, created_at=_moment(today))
        target = BytesIO()
        write_camt053(Header(f"M-{id}", _moment(today)), [(whole, entries)], target)
        return Answer(f"camt053-{today}-{id}.xml", target.getvalue())

    # -- the books ---------------------------------------------------------------------------------------

    def paid(self, until: date) -> dict[str, int]:
        """What each end-to-end id has got by the end of a day, net of what came back."""
        with self._open() as conn:
            rows = conn.execute(
                "SELECT end_to_end, -sum(amount) FROM booking WHERE day <= ? AND kind <> 'incoming' "
                "GROUP BY 1",
                (until.isoformat(),),
            ).fetchall()
        return {id: net for id, net in rows}

    def files(self) -> list[tuple[str, str]]:
        """Every file that was handed over: digest and message id, as often as it was."""
        with self._open() as conn:
            return conn.execute("SELECT sha256, message FROM file ORDER BY rowid").fetchall()


def _incoming(row: Any, payer: Party) -> Entry:
    """Money that somebody paid in, as the statement tells it."""
    _, _, id, amount, currency, _, _, _, day, _, reference, remittance = row
    part = Transaction(
        end_to_end_id=id, amount_minor=amount, currency=currency, debtor=payer, remark=remittance
    )
    return Entry(
        amount_minor=amount,
        currency=currency,
        bank_reference=reference,
        booked_on=date.fromisoformat(day),
        valued_on=date.fromisoformat(day),
        code="PMNT/RCDT/ESCT",
        transactions=(part,),
    )


def write_answers(folder: Path, answers: list[Answer]) -> list[Path]:
    """Put answers into the office's incoming folder, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for answer in answers:
        beside = folder / f".{answer.name}.part"
        beside.write_bytes(answer.content)
        beside.rename(folder / answer.name)
        written.append(folder / answer.name)
    return written


def misbehaviour_from(text: str, seed: int = 0) -> Misbehaviour:
    """``reject=5,split=2`` or JSON; ValueError (pydantic's) for what there is not."""
    given = (
        json.loads(text)
        if text.lstrip().startswith("{")
        else dict(part.split("=", 1) for part in text.split(",") if part)
    )
    return Misbehaviour.model_validate({"seed": seed, **given})


def _fields(row: Transfer) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def _moment(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


__all__ = ["Answer", "FileBank", "Misbehaviour", "misbehaviour_from", "write_answers"]
