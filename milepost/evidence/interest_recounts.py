"""What interest for late payment claims of itself, counted again: code, both languages, SQL."""

from __future__ import annotations

INTEREST: tuple[tuple[str, str, str, str], ...] = (
    (
        "interest_differs",
        "逾期利息与结清事件所载的天数、金额不符",
        "interest is not what the settlement it follows from found, or follows from none",
        """SELECT coalesce(t.id, e.subject_id), concat_ws('/', t.late_days, t.amount_minor),
                  concat_ws('/', e.b->>'late_days', e.b->>'interest_minor')
             FROM (SELECT * FROM tranche WHERE basis = 'interest') t
             FULL JOIN (SELECT x.subject_id, convert_from(x.body, 'UTF8')::jsonb->'computed' AS b FROM event x
                         WHERE x.step IN ('payment.settle', 'payment.confirm')
                           AND convert_from(x.body, 'UTF8')::jsonb->'computed' ? 'interest_minor') e
               ON e.subject_id = t.interest_of_id
            WHERE concat_ws('/', t.late_days, t.amount_minor)
                  <> concat_ws('/', e.b->>'late_days', e.b->>'interest_minor')""",
    ),
    (
        "interest_differs",
        "逾期利息之上又计利息，或与所属拨付的项目、币种不符",
        "interest is owed on interest, or in another project or currency than its payment",
        """SELECT t.id, concat_ws('/', b.basis, t.project_id, t.currency),
                  concat_ws('/', y.project_id, y.currency)
             FROM tranche t JOIN payment y ON y.id = t.interest_of_id JOIN tranche b ON b.id = y.tranche_id
            WHERE b.basis = 'interest' OR (t.project_id, t.currency) <> (y.project_id, y.currency)""",
    ),
    (
        "interest_exceeded",
        "占用与已付的利息超过应付利息",
        "held and paid interest together exceed what is owed",
        """SELECT t.id, coalesce(a.drawn_minor, 0) || ' / ' || coalesce(a.ceiling_minor::text, '-'),
                  t.amount_minor FROM tranche t
             LEFT JOIN account a ON a.owner_id = t.id AND a.kind = 'commitment'
            WHERE t.basis = 'interest'
              AND (a.ceiling_minor IS DISTINCT FROM t.amount_minor OR a.drawn_minor > t.amount_minor)""",
    ),
    (
        "interest_purse",
        "利息动用了项目经费的预算，或项目经费动用了利息的预算",
        "interest was paid from money for awards, or an award from money for interest",
        """SELECT y.id, a.source, t.basis FROM payment y JOIN tranche t ON t.id = y.tranche_id
             JOIN appropriation a ON a.id = y.appropriation_id
            WHERE a.for_interest <> (t.basis = 'interest')""",
    ),
)

__all__ = ["INTEREST"]
