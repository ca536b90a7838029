"""What batches, bank files, the bank's entries and exceptions claim, counted again from events and payments.

An entry that moved a payment, or that was queued, is held by the event that it led to: its sum, its id, its
reference, its reason. All that a file said is held by the event that put the file on record
(``intake_recounts``).
"""

from __future__ import annotations

from collections.abc import Iterator

from milepost.evidence.intake_recounts import intake_recounts
from milepost.evidence.recount_shape import INPUT, Recount
from states.case import SYSTEM_ID

_TRIMMED = r"regexp_replace({0}, '^\s+|\s+$', '', 'g')"
_BARE = "coalesce(nullif(b.{0}, ''), '-')"
# What was given when an exception was raised.
_RAISED = f"""SELECT e.subject_id, i.input, nullif(i.input->>'entry_id', '')::uuid AS entry_id FROM event e
  CROSS JOIN LATERAL (SELECT {INPUT.format(e="e")} AS input) i WHERE e.step = 'bank_exception.raise'"""
# What was matched or explained before exceptions had events counts as it was.
_MATCHED = """SELECT DISTINCT ON (entry_id) entry_id, likely_id FROM (
   SELECT entry_id, likely_id, resolved_at FROM bank_exception WHERE state = 'matched'
   UNION ALL SELECT entry_id, likely_id, resolved_at FROM bank_exception_before WHERE how = 'match') m
 ORDER BY entry_id, resolved_at DESC"""


def bank_recounts() -> Iterator[Recount]:
    """Every claim about what went to the bank and what it said."""
    yield from _batches()
    yield from _entries()
    yield from _exceptions()
    yield from intake_recounts()


def _batches() -> Iterator[Recount]:
    yield Recount(
        "bank_file_differs",
        "登记的付款文件与批次生成时所载不符",
        "a payment file in the register is not the one that its batch wrote",
        f"""SELECT coalesce(f.id, e.subject_id), concat_ws(' ', f.name, f.sha256, f.size, f.counts),
                  concat_ws(' ', e.input->>'file_name', e.input->>'sha256', e.input->>'size')
             FROM (SELECT * FROM bank_file WHERE direction = 'out') f
             FULL JOIN (SELECT e.subject_id, {INPUT.format(e="e")} AS input FROM event e
                         WHERE e.step = 'batch.write') e ON e.subject_id = f.batch_id
            WHERE f.id IS NULL OR e.subject_id IS NULL OR (f.name, f.sha256, f.size::text,
                  f.counts->>'payments', f.counts->>'total_minor') IS DISTINCT FROM (e.input->>'file_name',
                  e.input->>'sha256', e.input->>'size', e.input->>'number', e.input->>'total_minor')""",
    )
    yield Recount(
        "batch_differs",
        "批次的编制人或交付人与事件不符",
        "who made a batch, or handed it over, is not who its events name",
        """SELECT b.id, concat_ws('/', b.made_by, b.handed_by), concat_ws('/', m.actor_id, h.actor_id)
             FROM batch b LEFT JOIN event m ON m.subject_id = b.id AND m.step = 'batch.make'
             LEFT JOIN event h ON h.subject_id = b.id AND h.step = 'batch.hand_over'
            WHERE (b.made_by, b.handed_by, b.handed_at) IS DISTINCT FROM (m.actor_id, h.actor_id, h.at)""",
    )
    yield Recount(
        "batch_differs",
        "批次的部门与编制时不符",
        "the office of a batch is not the one it was made for",
        f"""SELECT b.id, b.office_path, i.input->>'office_path' FROM batch b
             JOIN event e ON e.subject_id = b.id AND e.step = 'batch.make'
             CROSS JOIN LATERAL (SELECT {INPUT.format(e="e")} AS input) i
            WHERE b.office_path IS DISTINCT FROM coalesce(i.input->>'office_path', '/')""",
    )
    yield Recount(
        "batch_differs",
        "批次中列入与未列入的拨付与事件不符",
        "which payments a batch left out is not what its events say",
        f"""SELECT p.id, p.live::text || ' ' || coalesce(p.left_out, ''), b.state FROM batch_payment p
             JOIN batch b ON b.id = p.batch_id
             LEFT JOIN (SELECT e.subject_id, {INPUT.format(e="e")} AS input FROM event e
                         WHERE e.step IN ('batch.write', 'batch.discard', 'batch.lapse')) w
               ON w.subject_id = b.id
            WHERE p.live IS DISTINCT FROM (b.state NOT IN ('discarded', 'lapsed')
                  AND NOT coalesce(w.input->'left_out' ? p.payment_id::text, false))
               OR p.left_out IS DISTINCT FROM coalesce(w.input->'left_out'->>p.payment_id::text,
                  CASE WHEN b.state IN ('discarded', 'lapsed') THEN w.input->>'reason' END)""",
    )


def _entries() -> Iterator[Recount]:
    yield Recount(
        "bank_entry_differs",
        "银行所述与由此办理的拨付步骤不符",
        "what the bank said is not what the step that followed from it was given",
        f"""SELECT e.subject_id, concat_ws(' ', b.outcome, b.payment_id, b.reference, b.reason),
                  concat_ws(' ', i.input->>'reference', i.input->>'reason') FROM event e
             CROSS JOIN LATERAL (SELECT {INPUT.format(e="e")} AS input) i
             LEFT JOIN bank_entry b ON b.id::text = substr(e.request_id, 6)
            WHERE e.actor_id = '{SYSTEM_ID}' AND e.noun = 'payment'
              AND e.request_id ~ '^bank:[0-9a-f-]{{36}}$'
              AND (b.id IS NULL OR b.outcome NOT IN ('applied', 'new', 'waiting')
                   OR b.payment_id IS DISTINCT FROM e.subject_id
                   OR ({_TRIMMED.format(_BARE.format("reference"))}, {_TRIMMED.format("b.reason")})
                      IS DISTINCT FROM (i.input->>'reference', i.input->>'reason'))""",
    )
    yield Recount(
        "bank_entry_differs",
        "已入账的金额、币种或方向与拨付不符",
        "what was applied to a payment is not of its sum, its currency or its direction",
        """SELECT b.id, concat_ws(' ', b.said, b.amount_minor, b.currency),
                  concat_ws(' ', y.amount_minor - y.offset_minor, y.currency)
             FROM bank_entry b LEFT JOIN payment y ON y.id = b.payment_id
            WHERE b.source = 'statement'
              AND ((b.amount_minor <> 0 AND (b.amount_minor < 0) <> (b.said = 'debit'))
                   OR (b.outcome = 'applied' AND (abs(b.amount_minor), b.currency)
                       IS DISTINCT FROM (y.amount_minor - y.offset_minor, y.currency)))""",
    )
    yield Recount(
        "bank_entry_differs",
        "拨付的状态与已入账的借贷不符",
        "a payment does not stand where what was applied to it leaves it",
        """SELECT y.id, y.state, concat_ws('/', d.debit, d.credit)
             FROM (SELECT payment_id, bool_or(amount_minor < 0) AS debit, bool_or(amount_minor > 0) AS credit
                     FROM bank_entry WHERE source = 'statement' AND outcome = 'applied' GROUP BY 1) d
             JOIN payment y ON y.id = d.payment_id
            WHERE y.state <> CASE WHEN d.credit THEN 'returned' ELSE 'settled' END""",
    )
    yield Recount(
        "payment_differs",
        "拨付的付款日与银行或办理所载不符",
        "a payment was not paid on the day that it says",
        f"""SELECT y.id, coalesce(y.settled_on::text, '-'), coalesce(d.day::text, '-') FROM payment y
             LEFT JOIN (SELECT DISTINCT ON (e.subject_id) e.subject_id, least((e.at AT TIME ZONE
                    'Asia/Shanghai')::date, ({INPUT.format(e="e")}->>'paid_on')::date) AS day FROM event e
                  WHERE e.noun = 'payment' AND e.to_state = 'settled' AND e.from_state <> 'settled'
                  ORDER BY e.subject_id, e.subject_seq DESC) d ON d.subject_id = y.id
            WHERE y.settled_on IS DISTINCT FROM CASE WHEN y.state = 'settled' THEN d.day END""",
    )
    yield Recount(
        "bank_entry_differs",
        "银行所述被归于其并未指明的拨付",
        "what the bank said is taken for a payment that it did not name",
        f"""SELECT b.id, coalesce(b.payment_id::text, '-'), b.end_to_end FROM bank_entry b
             LEFT JOIN ({_MATCHED}) m ON m.entry_id = b.id
            WHERE b.payment_id IS NOT NULL AND b.payment_id IS DISTINCT FROM m.likely_id
              AND replace(b.payment_id::text, '-', '') <> lower(replace(b.end_to_end, '-', ''))""",
    )


def _exceptions() -> Iterator[Recount]:
    yield Recount(
        "bank_entry_differs",
        "列入待查的银行所述与提出时不符",
        "what the bank said is not what it was when its exception was raised",
        f"""SELECT x.subject_id, concat_ws(' ', b.end_to_end, b.reference, b.amount_minor), x.input->>'params'
             FROM ({_RAISED}) x LEFT JOIN bank_entry b ON b.id = x.entry_id
            WHERE x.entry_id IS NOT NULL AND (b.id IS NULL
               OR coalesce(b.again_file_id, b.file_id)::text <> x.input->>'file_id'
               OR (x.input->'params' ? 'id' AND ({_BARE.format("end_to_end")}, {_BARE.format("reference")})
                   IS DISTINCT FROM (x.input->'params'->>'id', x.input->'params'->>'reference'))
               OR (x.input->'params' ? 'amount' AND abs(b.amount_minor)::text IS DISTINCT FROM
                   ltrim(regexp_replace(x.input->'params'->>'amount', '[^0-9]', '', 'g'), '0')
                   AND b.amount_minor <> 0))""",
    )
    yield Recount(
        "bank_entry_differs",
        "银行所述的办理结果与其待查事项不符",
        "what became of something the bank said is not what its exception says",
        """SELECT b.id, b.outcome, coalesce(x.state, '-') FROM bank_entry b
             LEFT JOIN (SELECT DISTINCT ON (entry_id) entry_id, state FROM bank_exception
                         WHERE entry_id IS NOT NULL ORDER BY entry_id, raised_at DESC, state = 'matched') x
               ON x.entry_id = b.id
            WHERE CASE WHEN x.state IS NULL THEN b.outcome = 'queued' AND NOT EXISTS (SELECT 1
                         FROM bank_exception_before o WHERE o.entry_id = b.id AND o.state = 'resolved')
                       WHEN x.state = 'matched' THEN b.outcome = 'queued'
                       -- What was received and taken back waits for the next pass to ask again.
                       ELSE b.outcome NOT IN ('queued', 'received') AND NOT (b.outcome = 'new'
                         AND EXISTS (SELECT 1 FROM receipt r WHERE r.entry_id = b.id)) END""",
    )
    yield Recount(
        "bank_exception_differs",
        "待查事项所属的项目与拨款不是其拨付的",
        "the project and tranche of an exception are not those of the payment it is about",
        """SELECT x.id, concat_ws('/', x.project_id, x.tranche_id), concat_ws('/', y.project_id, y.tranche_id)
             FROM bank_exception x LEFT JOIN payment y ON y.id = coalesce(x.payment_id, x.likely_id)
            WHERE (x.project_id, x.tranche_id) IS DISTINCT FROM (y.project_id, y.tranche_id)""",
    )
    yield Recount(
        "bank_exception_differs",
        "提出、办结的时间或办结人与事件不符",
        "when an exception was raised, or when and by whom it was cleared up, is not what its events say",
        """SELECT x.id, concat_ws('/', x.raised_at, x.resolved_by, x.resolved_at),
                  concat_ws('/', r.at, l.actor_id, l.at) FROM bank_exception x
             LEFT JOIN event r ON r.subject_id = x.id AND r.subject_seq = 1
             LEFT JOIN event l ON l.subject_id = x.id AND l.subject_seq = x.version AND x.state <> 'open'
            WHERE (x.raised_at, x.resolved_by, x.resolved_at) IS DISTINCT FROM (r.at, l.actor_id, l.at)""",
    )
    yield Recount(
        "bank_file_differs",
        "文件整体不符的内容与所提出的待查事项不同",
        "what did not fit of a file as a whole is not what its exception says",
        """SELECT f.id, coalesce((f.doubts->x.kind)::text, '-'), x.params::text
             FROM bank_exception x JOIN bank_file f ON f.id = x.file_id
            WHERE x.entry_id IS NULL AND x.payment_id IS NULL AND x.kind <> 'statement_missing'
              AND f.doubts->x.kind IS DISTINCT FROM x.params""",
    )
    yield Recount(
        "bank_file_differs",
        "缺少前一份对账单的待查事项与对账单期初不符",
        "what an exception says of the statement after a missing one is not how that one begins",
        """SELECT x.file_id, x.params::text, string_agg(concat_ws(' ', s.opens_on, s.opening_minor), ', ')
             FROM bank_exception x LEFT JOIN bank_statement s ON s.file_id = x.file_id
            WHERE x.kind = 'statement_missing' GROUP BY x.id
           HAVING NOT coalesce(bool_or(s.opens_on::text = x.params->>'day' AND abs(s.opening_minor)::text =
             ltrim(regexp_replace(x.params->>'amount', '[^0-9]', '', 'g'), '0')), false)
              AND NOT coalesce(bool_or(s.opens_on::text = x.params->>'day'
                AND s.opening_minor = 0), false)""",
    )


__all__ = ["bank_recounts"]
