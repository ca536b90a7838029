"""What receivables and receipts claim, counted again from events, transfers and the bank's entries."""

from __future__ import annotations

from collections.abc import Iterator

from milepost.evidence.recount_shape import INPUT, Recount

# What left the account of what is owed, by the receivable whose event moved it.
_MOVED = """SELECT e.subject_id AS id,
    sum(t.amount_minor) FILTER (WHERE c.kind IN ('treasury', 'appropriation')) AS refunded,
    sum(t.amount_minor) FILTER (WHERE c.kind = 'paid') AS kept
  FROM transfer t JOIN event e ON e.chain_id = t.chain_id AND e.seq = t.event_seq AND e.noun = 'receivable'
  JOIN account d ON d.id = t.debit_id AND d.kind = 'receivable' JOIN account c ON c.id = t.credit_id
 WHERE t.kind = 'posted' AND NOT EXISTS (SELECT 1 FROM transfer v WHERE v.reverses_id = t.id) GROUP BY 1"""
_RECEIPTS = """SELECT receivable_id AS id, sum(taken_minor) AS taken, sum(over_minor) AS over, count(*) AS n
  FROM receipt WHERE reversal_id IS NULL GROUP BY 1"""


def receivable_recounts() -> Iterator[Recount]:
    """Every claim about what is owed and what came in."""
    yield Recount(
        "receivable_differs",
        "应退款的收、核销金额与划拨不符",
        "what a receivable says came in or was written off is not what its transfers moved",
        f"""SELECT r.id, concat_ws('/', r.received_minor, r.written_off_minor),
                  concat_ws('/', coalesce(m.refunded, 0), coalesce(m.kept, 0)) FROM receivable r
             LEFT JOIN ({_MOVED}) m ON m.id = r.id
            WHERE (r.received_minor, r.written_off_minor)
                  IS DISTINCT FROM (coalesce(m.refunded, 0), coalesce(m.kept, 0))""",
    )
    yield from _set_offs()
    yield Recount(
        "receivable_differs",
        "应退款的收款与入账记录不符",
        "what a receivable says came in is not what its receipts add up to",
        f"""SELECT r.id, concat_ws('/', r.received_minor, r.over_minor),
                  concat_ws('/', coalesce(s.taken, 0), coalesce(s.over, 0)) FROM receivable r
             LEFT JOIN ({_RECEIPTS}) s ON s.id = r.id
            WHERE (r.received_minor, r.over_minor)
                  IS DISTINCT FROM (coalesce(s.taken, 0), coalesce(s.over, 0))""",
    )
    yield Recount(
        "receivable_differs",
        "应退款的状态与其认定划拨不符",
        "the transfer by which a receivable was claimed is not that of its state",
        """SELECT r.id, r.state, concat_ws('/', p.kind, p.amount_minor, s.kind) FROM receivable r
             LEFT JOIN transfer p ON p.id = r.claim_transfer_id LEFT JOIN transfer s ON s.pending_id = p.id
             LEFT JOIN account d ON d.id = p.debit_id LEFT JOIN account c ON c.id = p.credit_id
            WHERE (p.kind, p.amount_minor, p.currency, d.kind, c.kind)
                  IS DISTINCT FROM ('pending', r.amount_minor, r.currency, 'paid', 'receivable')
               OR s.kind IS DISTINCT FROM CASE WHEN r.state = 'proposed' THEN NULL
                    WHEN r.confirmed_by IS NULL THEN 'void' ELSE 'post' END""",
    )
    yield Recount(
        "receivable_differs",
        "应退款的经办人与事件所载不符",
        "who established, confirmed or wrote off a receivable is not who the events say",
        """SELECT r.id, concat_ws('/', r.established_by, r.confirmed_by, r.ended_by),
                  concat_ws('/', e.made, e.confirmed, e.ended) FROM receivable r
             LEFT JOIN (SELECT subject_id,
                    (array_agg(actor_id) FILTER (WHERE step = 'receivable.establish'))[1] AS made,
                    (array_agg(actor_id) FILTER (WHERE step = 'receivable.confirm'))[1] AS confirmed,
                    (array_agg(actor_id ORDER BY subject_seq DESC)
                      FILTER (WHERE step = 'receivable.write_off'))[1] AS ended
                  FROM event WHERE noun = 'receivable' GROUP BY 1) e ON e.subject_id = r.id
            WHERE (r.established_by, r.confirmed_by, r.ended_by) IS DISTINCT FROM
                  (e.made, e.confirmed, CASE WHEN r.written_off_minor > 0 THEN e.ended END)""",
    )
    yield Recount(
        "receivable_differs",
        "分期计划与待退金额或所准分期不符",
        "the instalments of a receivable are not those that were granted, or do not add up",
        f"""SELECT r.id, jsonb_array_length(r.plan) || '/' || x.planned, coalesce(g.number, 0)::text
             FROM receivable r CROSS JOIN LATERAL (SELECT
                coalesce(sum((part->>'amount_minor')::bigint), 0) AS planned,
                min(part->>'due_on') AS first_on FROM jsonb_array_elements(r.plan) part) x
             LEFT JOIN (SELECT DISTINCT ON (e.subject_id) e.subject_id,
                    ({INPUT.format(e="e")}->>'number')::int AS number,
                    {INPUT.format(e="e")}->>'first_on' AS first_on
                  FROM event e WHERE e.step = 'receivable.grant_instalments'
                 ORDER BY e.subject_id, e.subject_seq DESC) g ON g.subject_id = r.id
            WHERE jsonb_array_length(r.plan) <> coalesce(g.number, 0)
               OR x.first_on IS DISTINCT FROM g.first_on
               OR (g.number IS NOT NULL AND x.planned <> r.amount_minor - r.planned_from_minor)""",
    )
    yield Recount(
        "receipt_differs",
        "入账记录与银行流水不符",
        "a receipt is not the credit that it names",
        """SELECT s.id, concat_ws('/', s.amount_minor, s.currency, s.received_on),
                  concat_ws('/', b.amount_minor, b.currency, b.booked_on, b.outcome)
             FROM receipt s LEFT JOIN bank_entry b ON b.id = s.entry_id
            WHERE s.entry_id IS NOT NULL AND ((b.amount_minor, b.currency, b.booked_on)
                  IS DISTINCT FROM (s.amount_minor, s.currency, s.received_on)
               OR (s.reversal_id IS NULL AND b.outcome <> 'received'))""",
    )
    yield Recount(
        "receipt_differs",
        "退回预算的金额与划拨、年度或原拨付不符",
        "what went back to an appropriation is not what was received for it, or not of its year",
        """SELECT r.id, coalesce(s.restored, 0), coalesce(m.restored, 0) FROM receivable r
             LEFT JOIN (SELECT receivable_id, sum(restored_minor) AS restored,
                    array_agg(extract(year FROM received_on)) AS years FROM receipt
                  WHERE restored_minor > 0 GROUP BY 1) s ON s.receivable_id = r.id
             LEFT JOIN (SELECT e.subject_id, sum(t.amount_minor) AS restored,
                    bool_and(a.programme_code = p.programme_code AND NOT a.for_interest) AS own,
                    array_agg(a.fiscal_year::numeric) AS years
                  FROM transfer t JOIN event e ON e.chain_id = t.chain_id AND e.seq = t.event_seq
                  JOIN account d ON d.id = t.debit_id AND d.kind = 'receivable'
                  JOIN account c ON c.id = t.credit_id AND c.kind = 'appropriation'
                  JOIN appropriation a ON a.id = c.owner_id JOIN project p ON p.id = t.chain_id
                 GROUP BY 1) m ON m.subject_id = r.id
            WHERE coalesce(s.restored, 0) <> coalesce(m.restored, 0)
               OR NOT coalesce(m.own AND m.years <@ s.years, true)""",
    )
    yield Recount(
        "receipt_differs",
        "银行流水标为已收退款，但没有入账记录",
        "an entry of a statement is marked as received and has no receipt",
        """SELECT b.id, b.outcome, '-' FROM bank_entry b LEFT JOIN receipt s ON s.entry_id = b.id
              AND s.reversal_id IS NULL WHERE b.outcome = 'received' AND s.id IS NULL""",
    )
    yield from _corrections()


# What was reserved of what is owed, and what of it was posted and not taken back.
_RESERVED = """SELECT e.subject_id AS id,
    sum(t.amount_minor) FILTER (WHERE n.id IS NULL) AS reserved,
    sum(t.amount_minor) FILTER (WHERE n.kind = 'post' AND v.id IS NULL) AS applied
  FROM transfer t JOIN event e ON e.chain_id = t.chain_id AND e.seq = t.event_seq AND e.noun = 'receivable'
  JOIN account d ON d.id = t.debit_id AND d.kind = 'receivable'
  LEFT JOIN transfer n ON n.pending_id = t.id LEFT JOIN transfer v ON v.reverses_id = n.id
 WHERE t.kind = 'pending' GROUP BY 1"""
_PROPOSED = f"""SELECT e.subject_id, i.input->>'payment_id' AS payment,
    (i.input->>'amount_minor')::bigint AS amount
  FROM event e CROSS JOIN LATERAL (SELECT {INPUT.format(e="e")} AS input) i
 WHERE e.step = 'receivable.propose_set_off'"""


def _corrections() -> Iterator[Recount]:
    yield Recount(
        "correction_differs",
        "更正记录与提请、决定的事件不符",
        "a correction is not what was proposed, or not decided by whom its event says",
        f"""SELECT c.id, concat_ws('/', c.kind, c.status, c.proposed_by, c.decided_by),
                  concat_ws('/', p.step, d.step, p.actor_id, d.actor_id) FROM correction c
             LEFT JOIN event d ON d.subject_id = c.receivable_id AND d.subject_seq = c.decided_seq
             LEFT JOIN LATERAL (SELECT e.step, e.actor_id, {INPUT.format(e="e")} AS input FROM event e
                WHERE e.subject_id = c.receivable_id AND e.actor_id = c.proposed_by
                  AND e.step = CASE c.kind WHEN 'receipt' THEN 'receivable.propose_reversal'
                                           ELSE 'receivable.propose_reopening' END
                  AND {INPUT.format(e="e")}->>'reason' = c.reason
                  AND {INPUT.format(e="e")}->>'correction_no' = c.decision_no
                  AND ({INPUT.format(e="e")}->>'receipt_id') IS NOT DISTINCT FROM c.receipt_id::text
                LIMIT 1) p ON true
            WHERE p.step IS NULL OR d.actor_id IS DISTINCT FROM c.decided_by
               OR coalesce(d.step, '-') <> ALL (CASE c.status WHEN 'proposed' THEN ARRAY['-']
                    WHEN 'dropped' THEN ARRAY['receivable.drop_correction']
                    ELSE ARRAY['receivable.correct', 'receivable.correct_over'] END)""",
    )
    yield Recount(
        "correction_differs",
        "更正与其冲销的划拨、入账记录不符",
        "what a correction took back is not reversed, or reversed without it",
        """SELECT c.id, c.status, concat_ws('/', v.id, s.reversal_id) FROM correction c
             LEFT JOIN transfer v ON v.reverses_id = c.transfer_id LEFT JOIN receipt s ON s.id = c.receipt_id
            WHERE CASE c.status WHEN 'done' THEN (v.id IS NULL) <> (c.transfer_id IS NULL)
                     OR (c.kind = 'receipt' AND s.reversal_id IS DISTINCT FROM c.id)
                     OR (c.kind = 'receipt' AND (c.transfer_id IS NULL) <> (s.taken_minor = 0))
                     OR (c.kind = 'receipt' AND v.amount_minor <> s.taken_minor)
                   ELSE s.reversal_id = c.id END""",
    )
    yield Recount(
        "correction_differs",
        "入账记录标为已冲销，但没有更正",
        "a receipt is marked as reversed and has no correction",
        """SELECT s.id, s.reversal_id, c.status FROM receipt s LEFT JOIN correction c ON c.id = s.reversal_id
            WHERE s.reversal_id IS NOT NULL AND (c.receipt_id, c.status) IS DISTINCT FROM (s.id, 'done')""",
    )


def _set_offs() -> Iterator[Recount]:
    yield Recount(
        "set_off_differs",
        "应退款的抵扣金额与划拨不符",
        "what a receivable says was or will be set off is not what its transfers moved",
        f"""SELECT r.id, concat_ws('/', r.reserved_minor, r.offset_minor),
                  concat_ws('/', coalesce(m.reserved, 0), coalesce(m.applied, 0)) FROM receivable r
             LEFT JOIN ({_RESERVED}) m ON m.id = r.id
            WHERE (r.reserved_minor, r.offset_minor)
                  IS DISTINCT FROM (coalesce(m.reserved, 0), coalesce(m.applied, 0))""",
    )
    yield Recount(
        "set_off_differs",
        "拨付的抵扣金额与抵扣记录不符",
        "what is set off against a payment is not what was agreed",
        """SELECT y.id, y.offset_minor, coalesce(o.amount, 0) FROM payment y
             LEFT JOIN (SELECT payment_id, max(amount_minor) AS amount FROM set_off
                         WHERE status IN ('agreed', 'applied') GROUP BY 1) o ON o.payment_id = y.id
            WHERE y.state NOT IN ('returned', 'void') AND y.offset_minor <> coalesce(o.amount, 0)""",
    )
    yield Recount(
        "set_off_differs",
        "抵扣记录与提请时所填或拨付状态不符",
        "a set-off is not what was proposed, or not where its payment stands",
        f"""SELECT o.id, o.status || ' ' || o.amount_minor, y.state FROM set_off o
              JOIN payment y ON y.id = o.payment_id
            WHERE (o.status = 'applied') <> (y.state = 'settled' AND o.status IN ('agreed', 'applied'))
               OR NOT EXISTS (SELECT 1 FROM ({_PROPOSED}) e WHERE e.subject_id = o.receivable_id
                    AND e.payment = o.payment_id::text AND e.amount = o.amount_minor)""",
    )


__all__ = ["receivable_recounts"]
