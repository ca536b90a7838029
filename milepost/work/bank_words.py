"""What the bank said, beside what our books have, and what that comes to: read and judged, nothing moved.

What was said comes in the order of its days, by the index that holds what is open, and a slice begins where
the last one ended: each is read once however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from milepost.bank.desk import account_of
from milepost.bank.files.amounts import amount_text

OUT = ("instructed", "unknown")
BOOKABLE = (*OUT, "settled")
FIRST = (date.min, UUID(int=0))
ENTRIES = """SELECT e.id, coalesce(e.again_file_id, e.file_id), e.said, e.booked_on,
    e.amount_minor, e.currency, e.end_to_end, e.reference, e.reason, e.party_account, e.payment_id, y.state,
    y.amount_minor - y.offset_minor, y.currency, k.account_no,
    EXISTS (SELECT 1 FROM bank_exception x WHERE x.entry_id = e.id AND x.state = 'matched'
      AND x.likely_id = e.payment_id),
    EXISTS (SELECT 1 FROM bank_entry d WHERE d.payment_id = y.id AND d.source = 'statement'
      AND d.outcome = 'applied' AND d.amount_minor < 0),
    EXISTS (SELECT 1 FROM bank_entry d WHERE d.payment_id = y.id AND d.source = 'statement'
      AND d.outcome = 'applied' AND d.amount_minor > 0),
    (SELECT count(*)::int FROM receipt r WHERE r.entry_id = e.id)
  FROM (SELECT * FROM bank_entry WHERE source = 'statement' AND outcome = 'new'
           AND (booked_on, id) > (%(day)s, %(id)s) ORDER BY booked_on, id LIMIT %(slice)s) e
  LEFT JOIN payment y ON y.id = e.payment_id LEFT JOIN payee k ON k.id = y.payee_id
 ORDER BY e.booked_on, e.id"""

REPORTS = """SELECT e.id, coalesce(e.again_file_id, e.file_id), e.booked_on, e.said, e.reference,
    e.reason, e.payment_id, e.end_to_end, y.state,
    coalesce(d.debit, false), coalesce(d.credit, false),
    coalesce(d.queued, false) OR EXISTS (SELECT 1 FROM bank_exception l
      WHERE l.tranche_id = y.tranche_id AND l.likely_id = y.id AND l.state = 'open'),
    e.account, y.currency, coalesce(x.execution_on, e.booked_on), greatest(e.booked_on, x.execution_on)
  FROM bank_entry e LEFT JOIN payment y ON y.id = e.payment_id
  LEFT JOIN batch_payment b ON b.payment_id = y.id AND b.live LEFT JOIN batch x ON x.id = b.batch_id
  LEFT JOIN LATERAL (SELECT bool_or(s.outcome = 'applied' AND s.amount_minor < 0) AS debit,
      bool_or(s.outcome = 'applied' AND s.amount_minor > 0) AS credit, bool_or(s.outcome = 'queued') AS queued
    FROM bank_entry s WHERE s.payment_id = y.id AND s.source = 'statement') d ON true
 WHERE e.source = 'report' AND e.outcome = 'waiting' AND (e.booked_on, e.id) > (%(day)s, %(id)s)
 ORDER BY e.booked_on, e.id LIMIT %(slice)s"""

# Whether statements have said all that was booked from the morning of a day to the evening of another: one
# begins by then, and from there on each opens with what the one before it closed with, up to one that closes
# a day. A statement that was not read yet is a gap, whatever later ones say. ``read``: the files whose
# entries were judged before this is asked.
COVER = """WITH known AS (SELECT * FROM bank_statement WHERE account = %(account)s AND currency = %(currency)s
      AND file_id = ANY(%(read)s)),
  ours AS (SELECT DISTINCT opens_on, opening_minor, whole_opening, closing_on, closing_minor,
      whole_closing FROM known WHERE closing_on >= %(since)s),
  ends AS (SELECT min(closing_on) AS day FROM ours WHERE whole_closing AND closing_on >= %(until)s)
SELECT (SELECT day FROM ends) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ours s
  WHERE s.closing_on <= (SELECT day FROM ends)
    AND NOT (s.whole_opening AND (s.opens_on < %(since)s OR s.closing_on <= %(since)s))
    AND NOT EXISTS (SELECT 1 FROM known t
      WHERE t.closing_minor = s.opening_minor AND t.closing_on <= s.closing_on
      AND (t.closing_on < s.closing_on OR NOT t.whole_closing)))"""

# Statements before which one is missing, and the doubts of it that are over.
GAPS = """SELECT s.file_id, s.opens_on, s.opening_minor, s.currency FROM bank_statement s
 WHERE s.account = %(account)s AND EXISTS (SELECT 1 FROM bank_statement t WHERE t.account = s.account
    AND t.currency = s.currency AND t.closing_on < s.closing_on)
   AND NOT EXISTS (SELECT 1 FROM bank_statement t WHERE t.account = s.account AND t.currency = s.currency
    AND t.closing_minor = s.opening_minor AND t.closing_on <= s.closing_on
    AND (t.closing_on < s.closing_on OR NOT t.whole_closing))
 ORDER BY s.closing_on, s.file_id"""

# By account and sum, else by the sum alone; only where one payment and no other has it.
LIKELY = """WITH said AS (SELECT * FROM unnest(%(ids)s::uuid[], %(debits)s::bool[], %(amounts)s::bigint[],
      %(currencies)s::text[], %(accounts)s::text[]) AS s(id, debit, minor, currency, account)),
  ours AS MATERIALIZED (SELECT y.id, y.state = ANY(%(out)s) AS at_bank,
      y.amount_minor - y.offset_minor AS amount_minor, y.currency,
      regexp_replace(k.account_no, '\\s', '', 'g') AS account FROM payment y JOIN payee k ON k.id = y.payee_id
     WHERE y.state = ANY(%(states)s) 
      AND (y.amount_minor - y.offset_minor, y.currency) IN (SELECT minor, currency FROM said)),
  same AS (SELECT s.id, array_agg(o.id) AS found FROM said s JOIN ours o ON o.amount_minor = s.minor
      AND o.currency = s.currency AND o.account = s.account AND (o.at_bank OR NOT s.debit) GROUP BY s.id),
  sums AS (SELECT amount_minor, currency, array_agg(id) FILTER (WHERE at_bank) AS at_bank,
      array_agg(id) AS every FROM ours GROUP BY 1, 2)
SELECT s.id, CASE WHEN cardinality(a.found) = 1 THEN a.found[1]
      WHEN a.found IS NULL AND cardinality(b.of_sum) = 1 THEN b.of_sum[1] END,
    CASE WHEN a.found IS NULL THEN 'amount' ELSE 'account_and_amount' END
  FROM said s LEFT JOIN same a ON a.id = s.id
  LEFT JOIN LATERAL (SELECT CASE WHEN s.debit THEN c.at_bank ELSE c.every END AS of_sum FROM sums c
    WHERE c.amount_minor = s.minor AND c.currency = s.currency) b ON true"""

# Of which no word came; what somebody explained is asked again when so many days more have brought none, or
# the payment would be nobody's question for ever.
SILENT = """SELECT y.id, f.id, b.execution_on, (SELECT count(*)::int FROM bank_exception x
      WHERE x.payment_id = y.id AND x.kind = 'no_word') FROM batch b
  JOIN batch_payment p ON p.batch_id = b.id AND p.live JOIN payment y ON y.id = p.payment_id
  JOIN bank_file f ON f.batch_id = b.id AND f.direction = 'out'
 WHERE b.state IN ('sent', 'answered') AND b.execution_on < %(day)s AND y.state IN ('instructed', 'unknown')
   AND NOT EXISTS (SELECT 1 FROM bank_exception x WHERE x.payment_id = y.id
     AND (x.state = 'open' OR (x.kind = 'no_word'
       AND (x.resolved_at AT TIME ZONE 'Asia/Shanghai')::date >= %(day)s))) ORDER BY y.id"""

# What two people took for paid when no word came, and no statement has shown so far; asked about once.
ATTESTED = """SELECT y.id, f.id, b.currency, b.execution_on, greatest(b.execution_on, (SELECT
      (max(e.at) AT TIME ZONE 'Asia/Shanghai')::date FROM event e
      WHERE e.subject_id = y.id AND e.step = 'payment.attest')) FROM payment y
  JOIN batch_payment p ON p.payment_id = y.id AND p.live JOIN batch b ON b.id = p.batch_id
  JOIN bank_file f ON f.batch_id = b.id AND f.direction = 'out'
 WHERE y.attested = 'settled' AND y.state = 'settled'
   AND NOT EXISTS (SELECT 1 FROM bank_entry s WHERE s.payment_id = y.id AND s.source = 'statement'
     AND s.outcome = 'applied' AND s.amount_minor < 0)
   AND NOT EXISTS (SELECT 1 FROM bank_exception x WHERE x.payment_id = y.id
     AND x.kind = 'attested_but_not_booked') ORDER BY y.id"""


@dataclass(frozen=True, slots=True)
class Booked:
    """A part of a statement's entry beside the payment that it names.

    ``taken_back``: so many receipts of it were reversed.
    """

    id: UUID
    file_id: UUID
    said: str
    booked_on: date
    amount_minor: int
    currency: str
    end_to_end: str
    reference: str
    reason: str
    party_account: str = field(repr=False)
    payment_id: UUID | None
    state: str | None
    ours_minor: int | None
    ours_currency: str | None
    ours_account: str | None = field(repr=False)
    vouched: bool
    debit: bool
    credit: bool
    taken_back: int

    @property
    def shown(self) -> dict[str, str]:
        return {
            "amount": f"{amount_text(abs(self.amount_minor), self.currency)} {self.currency}",
            "id": self.end_to_end or "-",
            "reference": self.reference or "-",
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict of a status report beside its payment and what statements say.

    ``since`` and ``until``: the days of which statements must have said everything before silence about the
    payment means that it was not booked; ``covered``: they have.
    """

    id: UUID
    file_id: UUID
    booked_on: date
    said: str
    reference: str
    reason: str
    payment_id: UUID | None
    end_to_end: str
    state: str | None
    debit: bool
    credit: bool
    queued: bool
    account: str
    currency: str
    since: date
    until: date
    covered: bool = False

    @property
    def verdict(self) -> str:
        """``noted``, ``return``, the kind of an exception, or nothing: it waits on."""
        if self.payment_id is None:
            return "unknown_payment"
        if self.said == "rejected":
            if (self.debit and not self.credit) or self.state == "settled":
                return "rejected_but_booked"
            if self.state in ("returned", "void"):
                return "noted"
            return "return" if self.covered and not self.queued and self.state in OUT else ""
        if self.debit or self.state in ("returned", "void"):
            return "noted"
        return "reported_but_not_booked" if self.covered and not self.queued else ""


@dataclass(slots=True)
class Books:
    """What the statement has said of one payment so far, and the entry that said the last of it."""

    state: str
    debit: bool
    credit: bool
    last: Booked | None = None


def doubt_of(entry: Booked) -> str:
    """What is wrong with an entry by itself; empty where nothing is."""
    if entry.payment_id is None:
        return "unknown_payment" if entry.end_to_end else "unmatched_entry"
    if (abs(entry.amount_minor), entry.currency) != (entry.ours_minor, entry.ours_currency):
        return "wrong_amount"
    if entry.said == "debit" and not entry.vouched and entry.party_account:
        assert entry.ours_account is not None
        if account_of(entry.ours_account).number != entry.party_account:
            return "wrong_account"
    if entry.state not in ("instructed", "unknown", "settled", "returned"):
        return "not_instructed"
    return ""


def put_down(books: dict[UUID, Books], entry: Booked, back: set[UUID | None]) -> str:
    """Enter what an entry says of its payment; or what is wrong with it."""
    assert entry.payment_id is not None and entry.state is not None
    found = books.setdefault(entry.payment_id, Books(entry.state, entry.debit, entry.credit))
    if entry.said == "debit":
        if found.debit:
            return "paid_twice"
        if found.state == "returned" and not found.credit and entry.payment_id not in back:
            return "booked_although_returned"
        found.debit = True
    else:
        if found.credit:
            return "returned_twice"
        found.credit = True
    found.last = entry
    return ""


def step_for(found: Books) -> str:
    """The step that brings a payment to where the statement has it, or none."""
    if found.state in ("instructed", "unknown"):
        return "payment.bank_return" if found.credit else "payment.settle"
    if found.state == "settled" and found.credit:
        return "payment.return_late"
    return ""


__all__ = [
    "ATTESTED", "BOOKABLE", "ENTRIES", "FIRST", "LIKELY", "OUT", "REPORTS", "SILENT", "Booked", "Books",
    "Verdict", "doubt_of", "put_down", "step_for",
]  # fmt: skip
