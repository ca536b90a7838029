"""What accounts, tranches and payments claim, counted again from the transfers and the events."""

from __future__ import annotations

from milepost.evidence.recount_shape import INPUT, Recount
from schema.payment import LIVE

# A leg of a transfer as it counts in its account; the same sums that the database's own trigger keeps.
_LEGS = """SELECT debit_id AS id,
      CASE kind WHEN 'pending' THEN amount_minor WHEN 'posted' THEN 0 ELSE -amount_minor END AS dp,
      CASE WHEN kind IN ('posted', 'post') THEN amount_minor ELSE 0 END AS dx,
      0::bigint AS cp, 0::bigint AS cx,
      CASE WHEN reverses_id IS NOT NULL THEN -amount_minor ELSE 0 END AS drawn, payment_id FROM transfer
    UNION ALL SELECT credit_id, 0, 0,
      CASE kind WHEN 'pending' THEN amount_minor WHEN 'posted' THEN 0 ELSE -amount_minor END,
      CASE WHEN kind IN ('posted', 'post') THEN amount_minor ELSE 0 END,
      CASE WHEN kind = 'pending' OR (kind = 'posted' AND reverses_id IS NULL) THEN amount_minor
           WHEN kind = 'void' THEN -amount_minor ELSE 0 END, payment_id FROM transfer"""

MONEY: tuple[Recount, ...] = (
    Recount(
        "account_differs",
        "账户余额与划拨合计不符",
        "an account's sums are not those of its transfers",
        f"""SELECT coalesce(a.id, s.id), concat_ws('/', a.debits_pending, a.debits_posted, a.credits_pending,
                  a.credits_posted, a.drawn_minor), concat_ws('/', s.dp, s.dx, s.cp, s.cx, s.drawn)
             FROM account a FULL JOIN (
                SELECT id, sum(dp) AS dp, sum(dx) AS dx, sum(cp) AS cp, sum(cx) AS cx, sum(drawn) AS drawn
                  FROM ({_LEGS}) l GROUP BY id) s ON s.id = a.id
            WHERE a.id IS NULL OR (a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted,
                  a.drawn_minor) IS DISTINCT FROM (coalesce(s.dp, 0), coalesce(s.dx, 0), coalesce(s.cp, 0),
                  coalesce(s.cx, 0), coalesce(s.drawn, 0))""",
    ),
    Recount(
        "books_unbalanced",
        "该币种借贷合计不等",
        "debits and credits of a currency differ",
        """SELECT currency, sum(debits_posted)::text || '/' || sum(debits_pending),
                  sum(credits_posted)::text || '/' || sum(credits_pending) FROM account GROUP BY currency
           HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending)""",
    ),
    Recount(
        "account_overdrawn",
        "账户支出超过收入",
        "an account has given more than it received",
        """SELECT id, debits_posted + debits_pending, credits_posted FROM account
            WHERE kind <> 'treasury' AND debits_posted + debits_pending > credits_posted""",
    ),
    Recount(
        "award_exceeded",
        "占用与已付超过立项金额",
        "held and paid together exceed the award",
        """SELECT p.id, coalesce(a.drawn_minor, 0)::text || ' / ' || coalesce(a.ceiling_minor::text, '-'),
                  p.award_minor FROM project p JOIN account a ON a.owner_id = p.id AND a.kind = 'commitment'
            WHERE a.ceiling_minor IS DISTINCT FROM p.award_minor OR a.drawn_minor > p.award_minor""",
    ),
    Recount(
        "award_exceeded",
        "各笔拨款之和与立项金额不符",
        "the tranches do not add up to the award",
        """SELECT p.id, sum(t.amount_minor)::text, p.award_minor::text
             FROM project p JOIN tranche t ON t.project_id = p.id AND t.basis <> 'interest'
            GROUP BY p.id, p.award_minor
           HAVING sum(t.amount_minor) IS DISTINCT FROM p.award_minor""",
    ),
    Recount(
        "transfer_differs",
        "划拨的币种、对象或前后两步不一致",
        "a transfer's currency, payment or two phases do not fit together",
        """SELECT t.id, t.kind, coalesce(o.kind, r.kind, '-') FROM transfer t
             LEFT JOIN account d ON d.id = t.debit_id LEFT JOIN account c ON c.id = t.credit_id
             LEFT JOIN event e ON e.chain_id = t.chain_id AND e.seq = t.event_seq
             LEFT JOIN transfer o ON o.id = t.pending_id LEFT JOIN transfer r ON r.id = t.reverses_id
            WHERE d.currency IS DISTINCT FROM t.currency OR c.currency IS DISTINCT FROM t.currency
               OR t.payment_id IS DISTINCT FROM CASE WHEN e.noun = 'payment' THEN e.subject_id END
               OR (t.kind IN ('post', 'void')) <> (t.pending_id IS NOT NULL)
               OR (t.pending_id IS NOT NULL AND (o.kind, o.debit_id, o.credit_id, o.amount_minor)
                   IS DISTINCT FROM ('pending', t.debit_id, t.credit_id, t.amount_minor))
               OR (t.reverses_id IS NOT NULL AND (r.debit_id, r.credit_id, r.amount_minor)
                   IS DISTINCT FROM (t.credit_id, t.debit_id, t.amount_minor))""",
    ),
    Recount(
        "transfer_differs",
        "同一笔划拨被结清或冲销两次",
        "a transfer is resolved or reversed twice",
        """SELECT coalesce(pending_id, reverses_id), count(*), 1 FROM transfer
            WHERE pending_id IS NOT NULL OR reverses_id IS NOT NULL
            GROUP BY pending_id, reverses_id HAVING count(*) > 1""",
    ),
    Recount(
        "tranche_differs",
        "该笔拨款的已付金额与已结清的拨付不符",
        "what a tranche says is paid is not what was settled",
        """SELECT t.id, t.paid_minor, coalesce(y.paid, 0) FROM tranche t
             LEFT JOIN (SELECT tranche_id, sum(amount_minor) AS paid FROM payment WHERE state = 'settled'
                         GROUP BY 1) y ON y.tranche_id = t.id
            WHERE t.paid_minor <> coalesce(y.paid, 0)""",
    ),
    Recount(
        "tranche_differs",
        "支出与最后一次填报不符",
        "what a tranche says is spent is not what was last reported",
        f"""SELECT t.id, t.spent_minor, coalesce(r.spent, 0) FROM tranche t
             LEFT JOIN (SELECT DISTINCT ON (chain_id, n) chain_id, n, spent FROM (
                          SELECT e.chain_id, e.seq, (i.input->>'tranche')::int AS n,
                                 (i.input->>'spent_minor')::bigint AS spent
                            FROM event e CROSS JOIN LATERAL (SELECT {INPUT.format(e="e")} AS input) i
                           WHERE e.step = 'project.report_spending') x ORDER BY chain_id, n, seq DESC) r
               ON r.chain_id = t.project_id AND r.n = t.number
            WHERE t.spent_minor <> coalesce(r.spent, 0)""",
    ),
    Recount(
        "paid_twice",
        "一笔拨款有多次有效拨付",
        "a tranche has more than one live payment",
        f"SELECT tranche_id, count(*), 1 FROM payment WHERE {LIVE} GROUP BY tranche_id HAVING count(*) > 1",
    ),
    Recount(
        "payment_differs",
        "拨付与其拨款的金额、币种或里程碑不符",
        "a payment differs from its tranche in sum, currency, project or milestone",
        """SELECT y.id, y.amount_minor || ' ' || y.currency,
                  coalesce(t.amount_minor || ' ' || t.currency, '-')
             FROM payment y LEFT JOIN tranche t ON t.id = y.tranche_id
            WHERE (y.project_id, y.currency, y.milestone_id)
                  IS DISTINCT FROM (t.project_id, t.currency, t.milestone_id)
               OR (t.basis IN ('fixed', 'interest') OR y.state NOT IN ('returned', 'void'))
                  AND y.amount_minor IS DISTINCT FROM coalesce(t.payable_minor, t.amount_minor)""",
    ),
    Recount(
        "payment_differs",
        "拨付的状态与其划拨不符",
        "the transfers of a payment are not those of its state",
        f"""SELECT y.id, y.state, coalesce(s.held, 0) || '/' || coalesce(s.paid, 0) FROM payment y
             LEFT JOIN (SELECT l.payment_id, sum(l.drawn) FILTER (WHERE a.kind = 'commitment') AS held,
                               sum(l.drawn) FILTER (WHERE a.kind = 'paid') AS paid
                          FROM ({_LEGS}) l JOIN account a ON a.id = l.id GROUP BY 1) s ON s.payment_id = y.id
            WHERE coalesce(s.held, 0) <> CASE WHEN y.state IN ('requested', 'approved', 'released',
                    'instructed', 'unknown', 'settled') THEN y.amount_minor ELSE 0 END
               OR coalesce(s.paid, 0) <> CASE y.state WHEN 'settled' THEN y.amount_minor ELSE 0 END""",
    ),
)

__all__ = ["MONEY"]
