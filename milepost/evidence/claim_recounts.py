"""What cost claims say of themselves, counted again from their lines and from the events."""

from __future__ import annotations

_INPUT = "convert_from({e}.body, 'UTF8')::jsonb->'input'"

# noun, the steps that enter it, the columns: read by ``milepost.evidence.recounts``.
TYPED: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("claim", ("claim.open", "claim.save"), ("period_from", "period_to", "lines")),
    ("project", ("project.set_budget",), ("budget",)),
)

# (code, Chinese, English, query)
CLAIMS: tuple[tuple[str, str, str, str], ...] = (
    (
        "claim_differs",
        "费用申报的金额与其明细不符",
        "the sums of a cost claim are not those of its lines",
        """SELECT c.id, c.claimed_minor || '/' || c.allowed_minor,
                  coalesce(l.claimed, 0) || '/' || coalesce(l.allowed, 0)
             FROM claim c
             LEFT JOIN (SELECT claim_id, submission, sum(amount_minor) AS claimed,
                               sum(coalesce(allowed_minor, -amount_minor)) AS allowed,
                               bool_and(live) AS live FROM claim_line GROUP BY 1, 2) l
               ON l.claim_id = c.id AND l.submission = c.submission
            WHERE c.claimed_minor <> coalesce(l.claimed, 0)
               OR c.allowed_minor <> CASE c.state WHEN 'accepted' THEN coalesce(l.allowed, 0) ELSE 0 END
               OR (c.state IN ('submitted', 'accepted')) <> coalesce(l.live, false)""",
    ),
    (
        "claim_people_differ",
        "重新审核的提出人、理由或同意人与事件所载不符",
        "who proposed or agreed to reopen a claim, or why, is not what the events say",
        f"""SELECT c.id, concat_ws('/', c.reopening_by, c.reopening_reason, c.reopened_by),
                  concat_ws('/', x.by, x.reason, y.by)
             FROM claim c
             LEFT JOIN LATERAL (SELECT e.subject_seq, e.step = 'claim.propose_reopen' AS proposed,
                 CASE WHEN e.step = 'claim.propose_reopen' THEN e.actor_id END AS by,
                 CASE WHEN e.step = 'claim.propose_reopen' THEN {_INPUT.format(e="e")}->>'reason' END
                   AS reason
                 FROM event e WHERE e.subject_id = c.id
                  AND e.step IN ('claim.propose_reopen', 'claim.keep_accepted')
                 ORDER BY e.subject_seq DESC LIMIT 1) x ON true
             LEFT JOIN LATERAL (SELECT e.actor_id AS by FROM event e WHERE e.subject_id = c.id
                  AND e.step = 'claim.reopen' AND x.proposed AND e.subject_seq > x.subject_seq
                 ORDER BY e.subject_seq DESC LIMIT 1) y ON true
            WHERE (c.reopening_by, c.reopening_reason, c.reopened_by)
                  IS DISTINCT FROM (x.by, x.reason, y.by)""",
    ),
    (
        "claim_differs",
        "费用明细与提交时不符",
        "a line of a cost claim is not what was handed in",
        f"""WITH sent AS (
              SELECT e.subject_id AS claim_id, row_number() OVER (PARTITION BY e.subject_id ORDER BY e.seq)
                     AS submission,
                     (SELECT {_INPUT.format(e="w")}->'lines' FROM event w WHERE w.subject_id = e.subject_id
                       AND w.step IN ('claim.open', 'claim.save') AND w.subject_seq < e.subject_seq
                       ORDER BY w.subject_seq DESC LIMIT 1) AS lines
                FROM event e WHERE e.step = 'claim.submit'),
            line AS (SELECT s.claim_id, s.submission, n.number, n.line
                FROM sent s CROSS JOIN LATERAL jsonb_array_elements(s.lines) WITH ORDINALITY n(line, number))
            SELECT coalesce(l.claim_id, x.claim_id),
                   coalesce(x.number || ' ' || x.amount_minor, '-'), coalesce(l.line::text, '-')
              FROM claim_line x FULL JOIN line l
                ON l.claim_id = x.claim_id AND l.submission = x.submission AND l.number = x.number
             WHERE x.id IS NULL OR l.claim_id IS NULL
                OR (x.category, x.spent_on::text, x.payee, x.invoice_no, x.description, x.amount_minor::text,
                    coalesce(x.evidence, '-'))
                   IS DISTINCT FROM (l.line->>'category', l.line->>'spent_on', l.line->>'payee',
                    l.line->>'invoice_no', l.line->>'description', l.line->>'amount_minor',
                    coalesce(l.line->>'evidence', '-'))""",
    ),
    (
        "claim_differs",
        "核定金额或理由与审核时所填不符",
        "what is allowed of a line is not what its examiner found",
        f"""WITH found AS (
              SELECT DISTINCT ON (e.subject_id, s.submission, (f->>'number')::int)
                     e.subject_id AS claim_id, s.submission, (f->>'number')::int AS number,
                     (f->>'allowed_minor')::bigint AS allowed, f->>'reason' AS reason, e.actor_id
                FROM event e
               CROSS JOIN LATERAL (SELECT count(*) AS submission FROM event w
                     WHERE w.subject_id = e.subject_id AND w.step = 'claim.submit'
                       AND w.subject_seq < e.subject_seq) s
               CROSS JOIN LATERAL jsonb_array_elements({_INPUT.format(e="e")}->'findings') f
               WHERE e.step = 'claim.examine'
               ORDER BY 1, 2, 3, e.subject_seq DESC)
            SELECT coalesce(x.claim_id, f.claim_id), coalesce(x.number || ' ' || x.allowed_minor, '-'),
                   coalesce(f.number || ' ' || f.allowed, '-')
              FROM (SELECT * FROM claim_line WHERE allowed_minor IS NOT NULL) x
              FULL JOIN found f ON f.claim_id = x.claim_id AND f.submission = x.submission
                   AND f.number = x.number
             WHERE (x.allowed_minor, x.reason, x.examined_by)
                   IS DISTINCT FROM (f.allowed, f.reason, f.actor_id)""",
    ),
    (
        "payment_differs",
        "拨付金额不是计划时或达到条件时所定的",
        "a payment's sum is not the one it was planned with or computed when it fell due",
        f"""SELECT y.id, y.amount_minor::text, coalesce(f.computed, f.planned, '-') FROM payment y
             LEFT JOIN LATERAL (
                SELECT (SELECT {_INPUT.format(e="e")}->>'amount_minor' FROM event e
                         WHERE e.subject_id = y.id AND e.subject_seq = 1) AS planned,
                       (SELECT convert_from(e.body, 'UTF8')::jsonb->'computed'->>'amount_minor' FROM event e
                         WHERE e.subject_id = y.id AND e.step = 'payment.fall_due'
                         ORDER BY e.subject_seq DESC LIMIT 1) AS computed) f ON true
            WHERE y.amount_minor::text IS DISTINCT FROM coalesce(f.computed, f.planned)""",
    ),
    (
        "tranche_differs",
        "分期的计算金额与事件所载不符",
        "what a tranche was computed to be is not what its payment fell due with",
        """SELECT t.id, concat_ws('/', t.payable_minor, t.held_minor), coalesce(f.sums, '-') FROM tranche t
             LEFT JOIN LATERAL (
                SELECT concat_ws('/', b->>'amount_minor', b->>'held_minor') AS sums FROM payment y
                  JOIN event e ON e.subject_id = y.id AND e.step = 'payment.fall_due'
                 CROSS JOIN LATERAL (SELECT convert_from(e.body, 'UTF8')::jsonb->'computed' AS b) c
                 WHERE y.tranche_id = t.id AND b IS NOT NULL ORDER BY e.seq DESC LIMIT 1) f ON true
            WHERE concat_ws('/', t.payable_minor, t.held_minor) <> coalesce(f.sums, '')""",
    ),
    (
        "counter_differs",
        "项目已认可的材料与审核记录不符",
        "the papers that a project has are not those that were accepted",
        f"""SELECT p.id, p.proofs::text, coalesce(c.kinds, '[]')::text FROM project p
             LEFT JOIN (SELECT e.chain_id, jsonb_agg(DISTINCT q.kind) AS kinds FROM event e
                          JOIN proof q ON q.id = ({_INPUT.format(e="e")}->>'proof_id')::uuid
                         WHERE e.step = 'project.decide_proof'
                           AND {_INPUT.format(e="e")}->>'outcome' = 'accepted' GROUP BY 1) c
               ON c.chain_id = p.id
            WHERE NOT (p.proofs @> coalesce(c.kinds, '[]') AND p.proofs <@ coalesce(c.kinds, '[]'))""",
    ),
    (
        "value_differs",
        "材料的内容与提交时不符，或其结论与审核时不符",
        "a paper is not what was handed in, or its finding not what was decided",
        f"""SELECT coalesce(q.id::text, h.chain_id || ':' || h.seq),
                  concat_ws(' ', q.kind, q.documents::text, q.outcome),
                  concat_ws(' ', h.kind, h.documents::text, d.outcome)
             FROM proof q
             FULL JOIN (SELECT e.chain_id, e.seq, e.at, e.actor_id, i->>'kind' AS kind,
                               i->'documents' AS documents, i->>'note' AS note
                          FROM event e CROSS JOIN LATERAL (SELECT {_INPUT.format(e="e")} AS i) x
                         WHERE e.step = 'project.hand_in_proof') h
               ON h.chain_id = q.project_id AND h.at = q.handed_at AND h.actor_id = q.handed_by
              AND h.kind = q.kind AND h.documents = q.documents AND h.note = q.note
             LEFT JOIN LATERAL (SELECT i->>'outcome' AS outcome, i->>'opinion' AS opinion, e.actor_id
                          FROM event e CROSS JOIN LATERAL (SELECT {_INPUT.format(e="e")} AS i) x
                         WHERE e.chain_id = q.project_id AND e.step = 'project.decide_proof'
                           AND i->>'proof_id' = q.id::text LIMIT 1) d ON true
            WHERE q.id IS NULL OR h.chain_id IS NULL
               OR (q.outcome, q.opinion, q.decided_by) IS DISTINCT FROM (d.outcome, d.opinion, d.actor_id)""",
    ),
    (
        "counter_differs",
        "项目的核定支出与已审定的费用申报不符",
        "a project's verified spending is not what its accepted claims allow",
        """SELECT p.id, p.verified_minor || ' ' || coalesce(p.accounts_until::text, '-'),
                  coalesce(c.allowed, 0) || ' ' || coalesce(c.until::text, '-') FROM project p
             LEFT JOIN (SELECT project_id, sum(allowed_minor) AS allowed, max(period_to) AS until
                          FROM claim WHERE state = 'accepted' GROUP BY 1) c ON c.project_id = p.id
            WHERE p.verified_minor <> coalesce(c.allowed, 0)
               OR p.accounts_until IS DISTINCT FROM c.until""",
    ),
)
