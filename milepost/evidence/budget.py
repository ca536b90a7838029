"""What yearly budgets claim, as queries that find where it fails: code, both languages, SQL.

``milepost.evidence.recounts`` runs them among the others.
"""

from __future__ import annotations

from milepost.facts import HANGING
from states.budget import STEPS

PROPOSALS = tuple(step.name for step in STEPS if not step.source)
_INPUT = "convert_from({e}.body, 'UTF8')::jsonb->'input'"

BUDGET: tuple[tuple[str, str, str, str], ...] = (
    (
        "appropriation_differs",
        "年度预算的来源、资金年度、单位或金额与登记时不符",
        "a budget's source, origin, office or sum is not what was voted",
        f"""SELECT a.id, concat_ws('/', a.source, a.origin_year, a.office_path, a.amount_minor),
              concat_ws('/', i.input->>'source', coalesce(i.input->>'origin_year', i.input->>'fiscal_year'),
                        i.input->>'office_path', i.input->>'amount_minor')
             FROM appropriation a JOIN event e ON e.subject_id = a.id AND e.subject_seq = 1
             CROSS JOIN LATERAL (SELECT {_INPUT.format(e="e")} AS input) i
             LEFT JOIN (SELECT x.subject_id, sum(({_INPUT.format(e="x")}->>'amount_minor')::bigint) AS added
                          FROM event x WHERE x.step = 'appropriation.increase' GROUP BY 1) g
               ON g.subject_id = a.id
            WHERE a.office_path <> coalesce(i.input->>'office_path', '/')
               OR (a.programme_id::text, a.fiscal_year::text, a.currency) IS DISTINCT FROM
                  (i.input->>'programme_id', i.input->>'fiscal_year', i.input->>'currency')
               OR a.origin_year <> coalesce(i.input->>'origin_year', i.input->>'fiscal_year')::int
               OR (coalesce(i.input->>'source', '') <> '' AND a.source <> i.input->>'source')
               OR a.amount_minor <> coalesce((i.input->>'amount_minor')::bigint, 0) + coalesce(g.added, 0)""",
    ),
    (
        "appropriation_people_differ",
        "年度预算的提出人、确认人或关闭人与事件所载不符",
        "who proposed, confirmed or closed a budget is not who did it by the events",
        """SELECT a.id,
                  concat_ws('/', a.proposed_by, a.voted_by, a.closing_by, a.closed_by, a.closing_reason),
                  concat_ws('/', x.proposed, x.voted, x.closing, x.closed, x.reason)
             FROM appropriation a LEFT JOIN LATERAL (
               SELECT
                 max(e.actor_id::text) FILTER (WHERE e.step = 'appropriation.propose') AS proposed,
                 max(e.actor_id::text) FILTER (WHERE e.step = 'appropriation.vote' AND e.from_state <> '')
                   AS voted,
                 (array_agg(CASE WHEN e.step = 'appropriation.propose_close' THEN e.actor_id::text END
                    ORDER BY e.subject_seq DESC) FILTER (WHERE e.step IN
                    ('appropriation.propose_close', 'appropriation.keep_open')))[1] AS closing,
                 (array_agg(CASE WHEN e.step = 'appropriation.propose_close'
                      THEN convert_from(e.body, 'UTF8')::jsonb->'input'->>'reason' END
                    ORDER BY e.subject_seq DESC) FILTER (WHERE e.step IN
                    ('appropriation.propose_close', 'appropriation.keep_open')))[1] AS reason
                 FROM event e WHERE e.subject_id = a.id) y ON true
             CROSS JOIN LATERAL (SELECT y.*, CASE WHEN y.closing IS NOT NULL AND a.state = 'closed' THEN (
               SELECT e.actor_id::text FROM event e WHERE e.subject_id = a.id
                  AND e.step = 'appropriation.close') END AS closed) x
            WHERE (a.proposed_by::text, a.voted_by::text, a.closing_by::text, a.closed_by::text,
                   a.closing_reason) IS DISTINCT FROM (x.proposed, x.voted, x.closing, x.closed, x.reason)""",
    ),
    (
        "budget_change_differs",
        "预算调整的类别、金额、去向或经办人与事件所载不符",
        "a change of budget is not what was proposed, or by whom",
        f"""SELECT b.id, concat_ws('/', b.kind, b.amount_minor, b.to_id, b.proposed_by, b.confirmed_by),
              concat_ws('/', e.step, i.input->>'amount_minor', i.input->>'to_id', e.actor_id, c.actor_id)
             FROM budget_change b JOIN event e ON e.subject_id = b.id AND e.subject_seq = 1
             CROSS JOIN LATERAL (SELECT {_INPUT.format(e="e")} AS input) i
             LEFT JOIN event c ON c.subject_id = b.id AND c.step = 'budget_change.confirm'
            WHERE e.step <> 'budget_change.' || b.kind OR b.proposed_by <> e.actor_id
               OR b.confirmed_by IS DISTINCT FROM c.actor_id
               OR b.amount_minor <> coalesce((i.input->>'amount_minor')::bigint, b.amount_minor)
               OR (b.kind = 'move' AND b.to_id::text IS DISTINCT FROM i.input->>'to_id')
               OR (b.kind IN ('increase', 'decrease', 'lapse') AND b.to_id IS NOT NULL)""",
    ),
    (
        "budget_change_unmoved",
        "已确认的预算调整与其划拨不符",
        "a confirmed change of budget did not move its sum its way, once",
        """SELECT b.id, b.kind || ' ' || b.amount_minor, coalesce(string_agg(concat_ws(' ', d.kind, c.kind,
                  t.amount_minor), ', '), '-')
             FROM budget_change b
             LEFT JOIN event e ON e.subject_id = b.id AND e.step = 'budget_change.confirm'
             LEFT JOIN transfer t ON t.chain_id = e.chain_id AND t.event_seq = e.seq
             LEFT JOIN account d ON d.id = t.debit_id LEFT JOIN account c ON c.id = t.credit_id
            GROUP BY b.id HAVING count(t.id) <> CASE b.state WHEN 'confirmed' THEN 1 ELSE 0 END
               OR bool_or(t.amount_minor <> b.amount_minor OR t.kind <> 'posted' OR NOT CASE b.kind
                    WHEN 'increase' THEN d.kind = 'treasury' AND c.owner_id = b.appropriation_id
                    WHEN 'decrease' THEN c.kind = 'treasury' AND d.owner_id = b.appropriation_id
                    WHEN 'lapse' THEN c.kind = 'treasury' AND d.owner_id = b.appropriation_id
                    ELSE d.owner_id = b.appropriation_id AND c.owner_id = b.to_id END)""",
    ),
    (
        "budget_moved_unasked",
        "国库与预算之间的划拨没有登记或调整为据",
        "money went between the treasury and a budget by no vote and no confirmed change",
        """SELECT t.id, concat_ws(' ', d.kind, c.kind, t.amount_minor), coalesce(e.step, '-')
             FROM transfer t JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
             LEFT JOIN event e ON e.chain_id = t.chain_id AND e.seq = t.event_seq
            WHERE ((d.kind = 'treasury' AND c.kind <> 'receivable')
                   OR (d.kind = 'appropriation' AND c.kind IN ('treasury', 'appropriation')))
              AND coalesce(e.step, '') NOT IN
                ('appropriation.vote', 'appropriation.increase', 'budget_change.confirm')""",
    ),
    (
        "budget_origin_lost",
        "调剂或结转改变了资金年度、币种或来源",
        "a move or a carry-over changed the origin, currency or source of money",
        """SELECT b.id, concat_ws('/', f.fiscal_year, f.origin_year, f.currency, f.source),
                  concat_ws('/', t.fiscal_year, t.origin_year, t.currency, t.source)
             FROM budget_change b JOIN appropriation f ON f.id = b.appropriation_id
             JOIN appropriation t ON t.id = b.to_id
            WHERE (f.origin_year, f.currency) <> (t.origin_year, t.currency)
               OR (b.kind = 'move' AND f.fiscal_year <> t.fiscal_year)
               OR (b.kind = 'carry_over' AND (f.fiscal_year >= t.fiscal_year OR f.programme_code <>
                   t.programme_code OR f.source <> t.source OR f.office_path <> t.office_path
                   OR f.for_interest <> t.for_interest))""",
    ),
    (
        "year_closed_open",
        "已关闭的年度预算仍有未结清的拨付",
        "a year is closed over payments that are not through",
        f"""SELECT a.id, a.fiscal_year, string_agg(y.id::text, ', ') FROM appropriation a
             JOIN payment y ON y.appropriation_id = a.id WHERE a.state = 'closed' AND y.state IN {HANGING}
            GROUP BY a.id, a.fiscal_year""",
    ),
)

__all__ = ["BUDGET", "PROPOSALS"]
