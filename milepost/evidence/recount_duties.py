"""What is claimed of who did what for a payment, counted again from the events."""

from __future__ import annotations

from collections.abc import Iterator

from milepost.evidence.recount_shape import INPUT, Recount
from states.payment import STEPS as PAYMENT_STEPS

_BODY = INPUT.removesuffix("->'input'")


def duties() -> Iterator[Recount]:
    """One duty a person and a payment, as many approvals as its sum asks for, holds lifted by another."""
    yield Recount(
        "duty_shared",
        "同一人在一次拨付中承担两项职责",
        "one person has two duties for one payment",
        """SELECT payment_id, string_agg(duty, ', '), 1 FROM duty GROUP BY payment_id, person_id
           HAVING count(*) > 1""",
    )
    yield Recount(
        "duty_differs",
        "代行记录与事件所载不符",
        "for whom somebody acted is not what the event says",
        f"""SELECT d.payment_id, coalesce(d.for_id::text, '-'),
                  coalesce({_BODY.format(e="e")}->>'for', '-') FROM duty d
             JOIN event e ON e.subject_id = d.payment_id AND e.actor_id = d.person_id
              AND e.step IN ('payment.request', 'payment.approve', 'payment.release')
            WHERE d.duty IN ('requester', 'approver', 'releaser')
              AND (d.for_id::text, d.delegation_id::text) IS DISTINCT FROM
                  ({_BODY.format(e="e")}->>'for', {_BODY.format(e="e")}->>'delegation')""",
    )
    yield Recount(
        "approvals_short",
        "已审批的拨付缺少应有的审批",
        "a payment went on with fewer approvals than its sum asks for",
        """SELECT y.id, y.state, n.key || ' ' || count(e.subject_id) || '/' || n.value
             FROM payment y JOIN project p ON p.id = y.project_id
             LEFT JOIN LATERAL (SELECT t->'approvers' AS approvers FROM programme_version v
                          CROSS JOIN LATERAL jsonb_array_elements(v.approvals) t
                         WHERE v.id = p.programme_id AND (t->>'above_minor')::bigint < y.amount_minor
                         ORDER BY (t->>'above_minor')::bigint DESC LIMIT 1) a ON true
            CROSS JOIN LATERAL jsonb_each_text(coalesce(a.approvers, '{"finance_officer": 1}')) n
             LEFT JOIN event e ON e.subject_id = y.id AND e.step = 'payment.approve' AND e.role = n.key
            WHERE y.state IN ('approved', 'released', 'instructed', 'unknown', 'settled')
            GROUP BY y.id, y.state, n.key, n.value HAVING count(e.subject_id) < n.value::int""",
    )
    acted = ", ".join(f"('{step.name}', '{step.duty}')" for step in PAYMENT_STEPS if step.duty)
    yield Recount(
        "duty_differs",
        "职责记录与实际经办人不符",
        "a duty is not on record for the person who acted, or the other way round",
        f"""SELECT coalesce(d.payment_id, a.payment_id), coalesce(d.duty || ' ' || d.person_id, '-'),
                  coalesce(a.duty || ' ' || a.person_id, '-') FROM duty d
             FULL JOIN (SELECT e.subject_id AS payment_id, v.duty, e.actor_id AS person_id, e.role
                          FROM event e JOIN (VALUES {acted}) v(step, duty) ON v.step = e.step
                        UNION ALL SELECT e.subject_id, 'represented',
                          ({_BODY.format(e="e")}->>'for')::uuid, NULL FROM event e
                          WHERE e.noun = 'payment' AND {_BODY.format(e="e")} ? 'for'
                        UNION ALL SELECT y.id, 'payee_editor', p.entered_by, NULL FROM payment y
                          JOIN payee p ON p.id = y.payee_id) a
               ON a.payment_id = d.payment_id AND a.duty = d.duty AND a.person_id = d.person_id
              AND coalesce(d.role, a.role, '') = coalesce(a.role, '')
            WHERE d.payment_id IS NULL OR a.payment_id IS NULL""",
    )
    yield Recount(
        "counter_differs",
        "拨付的冻结数与其冻结记录不符",
        "a payment's number of holds differs from its holds",
        """SELECT y.id, y.holds::text, count(h.id)::text FROM payment y LEFT JOIN hold h
             ON h.payment_id = y.id AND h.lifted_at IS NULL GROUP BY y.id HAVING y.holds <> count(h.id)""",
    )
    yield Recount(
        "duty_shared",
        "冻结由设立人自己解除",
        "a hold was lifted by who placed it",
        """SELECT id, lifted_by::text, placed_by::text FROM hold
            WHERE kind = 'payment' AND lifted_by = placed_by""",
    )


__all__ = ["duties"]
