"""What the bank's files said, counted again from the events that put the files on record.

The event has the digest of the file and those of its rows: of the register, of its statements, of all that it
said first. Whoever changes, adds or takes away one of these rows, or names another digest, is found, and the
event is found by its chain and the night's root.
"""

from __future__ import annotations

from collections.abc import Iterator

from milepost.evidence.recount_shape import INPUT, Recount
from schema.bank_intake import REGISTER_DIGEST, STATEMENTS_DIGEST, WORDS_DIGEST

# What was on record of each file: one event a file, its input.
_RECORDED = f"""(SELECT e.chain_id, e.subject_id, i.input, (i.input->>'file_id')::uuid AS file_id FROM event e
  CROSS JOIN LATERAL (SELECT {INPUT.format(e="e")} AS input) i WHERE e.step = 'bank_intake.record')"""


def intake_recounts() -> Iterator[Recount]:
    """Every claim about the files of the bank, the statements in them, and what was booked of them."""
    yield from _files()
    yield from _statements()
    yield from _bookings()


def _files() -> Iterator[Recount]:
    yield Recount(
        "bank_file_differs",
        "银行来文与其登记事件不符（未登记的来文将在下次对账时登记）",
        "a file of the bank is not the one that its event put on record (one that is not on record yet is "
        "recorded by the next reconciliation)",
        f"""SELECT coalesce(f.id, x.file_id), coalesce(f.sha256, '-'), coalesce(x.input->'documents'->>0, '-')
             FROM (SELECT f.id, f.kind, f.size, f.sha256, {REGISTER_DIGEST} AS digest FROM bank_file f
                    WHERE f.direction = 'in') f
             FULL JOIN {_RECORDED} x ON x.file_id = f.id
             LEFT JOIN bank_intake n ON n.id = x.subject_id
            WHERE f.id IS NULL OR x.file_id IS NULL OR n.id IS NULL OR n.sha256 <> f.sha256
               OR (f.sha256, f.kind, f.size::text, f.digest) IS DISTINCT FROM (x.input->'documents'->>0,
                   x.input->>'kind', x.input->>'size', x.input->>'register_sha256')""",
    )
    yield Recount(
        "bank_file_differs",
        "同一银行来文登记了两次",
        "a file of the bank is on record twice",
        f"SELECT x.file_id, count(*), 1 FROM {_RECORDED} x GROUP BY 1 HAVING count(*) > 1",
    )
    yield Recount(
        "bank_entry_differs",
        "银行来文所述与登记时不符",
        "what a file of the bank said is not what it said when it was put on record",
        f"""SELECT x.file_id, coalesce(w.number, 0), x.input->>'number'
             FROM {_RECORDED} x LEFT JOIN (SELECT e.file_id, count(*) AS number, {WORDS_DIGEST} AS digest
               FROM bank_entry e GROUP BY 1) w ON w.file_id = x.file_id
            WHERE (coalesce(w.number, 0)::text, coalesce(w.digest, encode(sha256(''), 'hex')))
              IS DISTINCT FROM (x.input->>'number', x.input->>'words_sha256')""",
    )


def _statements() -> Iterator[Recount]:
    yield Recount(
        "bank_statement_differs",
        "对账单的起止日期或余额与登记时不符",
        "where the statements of a file begin and end is not what it was when the file was put on record",
        f"""SELECT x.file_id, coalesce(s.digest, '-'), x.input->>'statements_sha256'
             FROM {_RECORDED} x LEFT JOIN (SELECT s.file_id, {STATEMENTS_DIGEST} AS digest
               FROM bank_statement s GROUP BY 1) s ON s.file_id = x.file_id
            WHERE coalesce(s.digest, encode(sha256(''), 'hex')) IS DISTINCT FROM
                  x.input->>'statements_sha256'""",
    )
    yield Recount(
        "bank_statement_differs",
        "对账单期初余额加各笔不等于期末余额",
        "the opening balance of a statement and its entries do not add up to its closing balance",
        """SELECT s.file_id || ':' || s.number, s.closing_minor,
                  s.opening_minor + coalesce(e.total, 0) + s.apart_minor
             FROM bank_statement s LEFT JOIN (SELECT file_id, statement, sum(amount_minor) AS total
               FROM bank_entry GROUP BY 1, 2) e ON e.file_id = s.file_id AND e.statement = s.number
            WHERE s.closing_minor <> s.opening_minor + coalesce(e.total, 0) + s.apart_minor""",
    )
    yield Recount(
        "bank_statement_differs",
        "对账单中未列为本文件所述的部分没有来处",
        "what of a statement its own file has no row of is not known from another file either",
        """SELECT s.file_id || ':' || s.number, s.apart_minor, 0 FROM bank_statement s
            WHERE s.apart_minor <> 0 AND NOT EXISTS (SELECT 1 FROM bank_entry e
              WHERE e.source = 'statement' AND e.account = s.account AND e.currency = s.currency
                AND (e.file_id <> s.file_id OR e.amount_minor = 0))""",
    )
    yield Recount(
        "bank_statement_differs",
        "对账单之前缺少的部分没有列为待查事项",
        "a statement is missing before another, and no exception says so",
        """SELECT s.file_id, s.opening_minor, '-' FROM bank_statement s
            WHERE EXISTS (SELECT 1 FROM bank_statement t WHERE t.account = s.account
                AND t.currency = s.currency AND t.closing_on < s.closing_on)
              AND NOT EXISTS (SELECT 1 FROM bank_statement t WHERE t.account = s.account
                AND t.currency = s.currency AND t.closing_minor = s.opening_minor
                AND t.closing_on <= s.closing_on AND (t.closing_on < s.closing_on OR NOT t.whole_closing))
              AND NOT EXISTS (SELECT 1 FROM bank_exception x
                WHERE x.file_id = s.file_id AND x.kind = 'statement_missing')""",
    )


def _bookings() -> Iterator[Recount]:
    yield Recount(
        "bank_entry_differs",
        "银行所述的办理结果与其入账记录不符",
        "what became of something the bank said is not what was booked",
        """SELECT e.id, e.outcome, coalesce(b.outcome, '-') FROM bank_entry e
             LEFT JOIN bank_booking b ON b.entry_id = e.id
            WHERE b.outcome IS DISTINCT FROM CASE WHEN e.outcome = 'applied'
                    OR (e.outcome = 'noted' AND e.said IN ('rejected', 'settled')) THEN e.outcome END""",
    )
    yield Recount(
        "bank_entry_differs",
        "入账记录所指的银行所述不存在",
        "a booking is of something that the bank did not say",
        """SELECT b.entry_id, b.outcome, '-' FROM bank_booking b LEFT JOIN bank_entry e ON e.id = b.entry_id
            WHERE e.id IS NULL""",
    )


__all__ = ["intake_recounts"]
