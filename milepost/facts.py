"""What guards and effects may ask about a subject, by name: each fact is one SQL expression.

``milepost.cases`` puts those that a step names into the one statement that loads its case, under the lock of
the chain, so that nothing they say can change before the commit.
"""

from __future__ import annotations

from milepost.experts.conflicts import STAFF_RULE

# A fact by name: SQL that reads it for the subject ``s`` of the project ``p``; lists come as JSON.
LIST = "(SELECT coalesce(jsonb_agg(to_jsonb(x)), '[]'::jsonb) FROM ({}) x)"
_ASKED = "(convert_from(e.body, 'UTF8')::jsonb->'input')"
_GRANTED = (
    "SELECT g.person_id, g.role FROM role_grant g JOIN person n ON n.id = g.person_id AND n.active "
    "WHERE g.revoked_at IS NULL AND (%(told)s::text[] IS NULL OR g.role = ANY(%(told)s::text[])) AND "
)
# Who applies at an office is told of the projects they took part in, not of other people's. Compared so that
# no index answers it but that of the chain: by the one on actors all that a person ever did would be read.
TOOK_PART = (
    "(g.role NOT IN ('applicant', 'principal_investigator') OR EXISTS (SELECT 1 FROM event e "
    "WHERE e.chain_id = p.id AND e.actor_id IS NOT DISTINCT FROM g.person_id))"
)
HANGING = "('requested', 'approved', 'released', 'instructed', 'unknown')"
# An appropriation with what is free in it; {} is its id.
PURSE = (
    "(SELECT to_jsonb(x) FROM (SELECT b.*, c.credits_posted - c.debits_posted - c.debits_pending "
    "AS left_minor FROM appropriation b JOIN account c ON c.kind = 'appropriation' AND c.owner_id = b.id "
    "WHERE b.id = {}) x)"
)
FACTS: dict[str, str] = {
    "milestones": LIST.format("SELECT id, number, state FROM milestone WHERE project_id = p.id"),
    "payments": LIST.format(
        "SELECT y.id, t.number, y.state FROM payment y JOIN tranche t ON t.id = y.tranche_id "
        "WHERE y.project_id = p.id"
    ),
    "tranches": LIST.format(
        "SELECT id, number, paid_minor, spent_minor, currency FROM tranche WHERE project_id = p.id "
        "AND basis <> 'interest'"
    ),
    "payees": LIST.format("SELECT id, state FROM payee WHERE project_id = p.id"),
    "grantee_contacts": LIST.format(
        # Whoever could hear of a change: their address now, and the one known when the account was verified.
        "SELECT n.id AS person_id, n.email, n.active, c.email AS known_email FROM person n LEFT JOIN ("
        "SELECT (k->>'person_id')::uuid AS person_id, k->>'email' AS email FROM payee y "
        "CROSS JOIN LATERAL jsonb_array_elements(y.contacts) k WHERE y.id = p.payee_id) c "
        "ON c.person_id = n.id WHERE c.person_id IS NOT NULL OR EXISTS (SELECT 1 FROM role_grant g "
        "WHERE g.person_id = n.id AND g.revoked_at IS NULL "
        "AND g.role IN ('applicant', 'principal_investigator') "
        f"AND (g.project_id = p.id OR starts_with(p.office_path, g.office_path) AND {TOOK_PART}))"
    ),
    "rounds": LIST.format("SELECT id, stage, state FROM round WHERE project_id = p.id"),
    "holds": LIST.format(
        "SELECT id, reason, placed_by FROM hold WHERE project_id = p.id AND kind = 'hold' "
        "AND lifted_at IS NULL"
    ),
    "payment_holds": LIST.format(
        "SELECT id, reason, placed_by FROM hold WHERE project_id = p.id AND payment_id = s.id "
        "AND lifted_at IS NULL"
    ),
    "integrity_holds": LIST.format(
        "SELECT id, reason FROM hold WHERE project_id = p.id AND kind = 'integrity' AND lifted_at IS NULL"
    ),
    # Delegations in force today whose delegator holds the role for this project by grant, and is active.
    "delegations": LIST.format(
        "SELECT g.id, g.delegator_id, g.role, g.steps, n.name FROM delegation g "
        "JOIN person n ON n.id = g.delegator_id AND n.active WHERE g.delegate_id = %(actor)s "
        "AND g.state = 'accepted' AND %(today)s BETWEEN g.from_on AND g.until_on "
        "AND g.chain_id = (SELECT v.chain_id FROM programme_version v WHERE v.id = p.programme_id) "
        "AND starts_with(p.office_path, g.within) "
        "AND (g.limit_minor IS NULL OR g.currency = s.currency AND s.amount_minor <= g.limit_minor) "
        "AND EXISTS (SELECT 1 FROM role_grant h WHERE h.person_id = g.delegator_id AND h.role = g.role "
        "AND h.revoked_at IS NULL AND (h.project_id = p.id OR starts_with(p.office_path, h.office_path))) "
        "AND EXISTS (SELECT 1 FROM person a WHERE a.id = g.delegate_id AND a.active)"
    ),
    "duties": LIST.format("SELECT duty, person_id, role FROM duty WHERE payment_id = s.id"),
    "deadline_due": (
        "(SELECT min(due_on)::text FROM deadline "
        "WHERE subject_id = s.id AND closed_seq IS NULL AND act IS NOT NULL)"
    ),
    "dossier": LIST.format("SELECT id FROM dossier WHERE project_id = p.id"),
    "requests": LIST.format("SELECT id, state FROM review_request WHERE project_id = p.id"),
    "declined_on": (
        "(SELECT max((at AT TIME ZONE 'Asia/Shanghai')::date)::text FROM event "
        "WHERE subject_id = p.id AND to_state = 'declined' AND step = 'project.decline')"
    ),
    "noticed_minor": (
        "(SELECT proposed_minor FROM notice WHERE project_id = p.id AND state <> 'withdrawn' "
        "ORDER BY issued_on DESC, opens_on DESC LIMIT 1)"
    ),
    "votes": LIST.format(
        "SELECT in_favour, present FROM vote WHERE round_id = s.id ORDER BY recorded_at, id"
    ),
    "draw_rounds": LIST.format(
        "SELECT id, round_id, project_id FROM draw_round WHERE draw_id = s.id AND voided_at IS NULL"
    ),
    "draw_used": (
        "EXISTS (SELECT 1 FROM draw_seat d JOIN task t ON t.round_id = d.round_id "
        "AND t.expert_id = d.expert_id WHERE d.draw_id = s.id AND t.state = 'submitted')"
    ),
    "own_conflict": (
        "EXISTS (SELECT 1 FROM review_conflicts(ARRAY[p.id], ARRAY[%(actor)s::uuid], %(today)s) c "
        f"WHERE c.rule <> '{STAFF_RULE}')"
    ),
    # Officers and supervisors to whom a review says nothing.
    "closed_to": (
        "ARRAY(SELECT DISTINCT c.person_id::text FROM review_conflicts(ARRAY[p.id], ARRAY("
        "SELECT g.person_id FROM role_grant g WHERE g.revoked_at IS NULL "
        "AND g.role IN ('programme_officer', 'supervisor') "
        "AND (g.project_id = p.id OR starts_with(p.office_path, g.office_path))), %(today)s) c "
        f"WHERE c.rule <> '{STAFF_RULE}')"
    ),
    "batch_payments": LIST.format(
        "SELECT b.id, b.payment_id, y.state FROM batch_payment b JOIN payment y ON y.id = b.payment_id "
        "WHERE b.batch_id = s.id AND b.live ORDER BY b.position"
    ),
    # Those that are not on their way by this batch.
    "batch_unsent": LIST.format(
        "SELECT b.id, b.payment_id FROM batch_payment b JOIN payment y ON y.id = b.payment_id "
        "WHERE b.batch_id = s.id AND b.live AND NOT (y.state = 'instructed' AND coalesce(("
        "SELECT e.subject_id = y.id FROM event e WHERE e.actor_id = %(actor)s "
        "AND e.request_id = 'batch:' || b.batch_id || ':' || y.id), false)) "
        "ORDER BY b.position"
    ),
    "batch_open": (
        "(SELECT count(*) FROM batch_payment b JOIN payment y ON y.id = b.payment_id WHERE b.batch_id = s.id "
        "AND b.live AND y.state NOT IN ('settled', 'returned', 'void'))"
    ),
    "likely_fits": (
        "EXISTS (SELECT 1 FROM bank_entry e JOIN payment y ON y.id = s.likely_id WHERE e.id = s.entry_id "
        "AND e.outcome = 'queued' "
        "AND abs(e.amount_minor) = y.amount_minor - y.offset_minor AND e.currency = y.currency)"
    ),
    "held_entries": LIST.format(
        "SELECT e.id FROM bank_entry e WHERE e.file_id = s.file_id AND e.outcome = 'held'"
    ),
    "bank_doubts": (
        "(SELECT count(*) FROM bank_exception x WHERE x.tranche_id = s.tranche_id AND x.state = 'open')"
    ),
    "paid_transfer": (
        "(SELECT x.id FROM transfer x JOIN account c ON c.id = x.credit_id "
        "WHERE x.payment_id = s.id AND c.kind = 'paid' AND x.reverses_id IS NULL)"
    ),
    "paid_open": (
        "(SELECT c.credits_posted - c.debits_posted - c.debits_pending FROM account c "
        "WHERE c.owner_id = p.id AND c.kind = 'paid' AND c.currency = p.currency)"
    ),
    "claimed_of_paid": (
        "(SELECT c.credits_posted - c.debits_posted - c.debits_pending FROM account c "
        "WHERE c.owner_id = s.project_id AND c.kind = 'paid' AND c.currency = s.currency)"
    ),
    "proofs": LIST.format(
        "SELECT id, kind, handed_by FROM proof WHERE project_id = p.id AND decided_at IS NULL"
    ),
    "claims": LIST.format("SELECT id, number, state FROM claim WHERE project_id = p.id"),
    "claim_payments": LIST.format(
        "SELECT t.number, y.state FROM payment y JOIN tranche t ON t.id = y.tranche_id "
        "WHERE y.project_id = p.id AND t.basis = 'verified' "
        "AND y.state NOT IN ('planned', 'settled', 'returned', 'void')"
    ),
    # The last tranche that is computed from claims, what all up to it may come to, what was taken of it, what
    # of that is owed back by a decision, and how many such tranches are still to be paid.
    "claims_earned": (
        "(SELECT to_jsonb(x) FROM (SELECT t.code, "
        "(SELECT sum(u.amount_minor + u.retained_minor) FROM tranche u WHERE u.project_id = p.id "
        "AND u.number <= t.number AND u.basis IN ('fixed', 'verified'))::bigint AS ceiling_minor, "
        "(SELECT coalesce(sum(y.amount_minor + coalesce(u.held_minor, u.retained_minor)), 0) FROM payment y "
        "JOIN tranche u ON u.id = y.tranche_id WHERE y.project_id = p.id "
        "AND u.basis IN ('fixed', 'verified') "
        "AND y.state NOT IN ('planned', 'returned', 'void'))::bigint AS taken_minor, "
        "(SELECT coalesce(sum(r.amount_minor), 0) FROM receivable r WHERE r.project_id = p.id "
        "AND r.state NOT IN ('proposed', 'cancelled'))::bigint AS owed_minor, "
        "(SELECT count(*) FROM tranche u WHERE u.project_id = p.id AND u.basis = 'verified' "
        "AND u.paid_minor = 0) AS open "
        "FROM tranche t WHERE t.project_id = p.id AND t.basis = 'verified' ORDER BY t.number DESC LIMIT 1) x)"
    ),
    "other_claims_until": (
        "(SELECT max(c.period_to)::text FROM claim c WHERE c.project_id = p.id AND c.state = 'accepted' "
        "AND c.id <> s.id)"
    ),
    "claim_writers": (
        "ARRAY(SELECT DISTINCT e.actor_id::text FROM event e WHERE e.subject_id = s.id "
        "AND e.step IN ('claim.open', 'claim.save', 'claim.submit'))"
    ),
    "claim_lines": LIST.format(
        "SELECT id, number, category, amount_minor, allowed_minor FROM claim_line "
        "WHERE claim_id = s.id AND live ORDER BY number"
    ),
    # What was handed in on another line as well: the same file, or the same number of the same payee.
    "claim_doubles": (
        "ARRAY(SELECT l.number FROM claim_line l WHERE l.claim_id = s.id AND l.live AND EXISTS ("
        "SELECT 1 FROM claim_line o WHERE o.live AND o.id <> l.id "
        "AND (o.evidence = l.evidence OR o.invoice_key = l.invoice_key)))"
    ),
    # What is allowed so far under each category, in the project's accepted claims.
    "category_sums": (
        "(SELECT coalesce(jsonb_object_agg(x.category, x.allowed), '{}'::jsonb) FROM ("
        "SELECT l.category, sum(l.allowed_minor) AS allowed FROM claim_line l "
        "JOIN claim c ON c.id = l.claim_id AND c.state = 'accepted' AND l.live "
        "WHERE c.project_id = p.id GROUP BY 1) x)"
    ),
    # What keeps a year from closing: payments between their request and their settlement, proposals.
    "hanging": LIST.format(
        "SELECT j.code, t.number FROM payment y JOIN tranche t ON t.id = y.tranche_id "
        "JOIN project j ON j.id = y.project_id WHERE y.appropriation_id = s.id "
        f"AND y.state IN {HANGING} ORDER BY j.code, t.number"
    ),
    "open_changes": (
        "(SELECT count(*) FROM budget_change b WHERE b.state = 'proposed' "
        "AND (b.appropriation_id = s.id OR b.to_id = s.id))"
    ),
    "set_off": (
        "(SELECT to_jsonb(x) FROM set_off x WHERE x.payment_id = s.id AND x.status IN ('agreed', 'applied'))"
    ),
    # Appropriations in force that the project was paid from, the last paid first, with what may come home to
    # each: what was paid from it less what came home of this project before.
    "homes": LIST.format(
        "SELECT a.id, a.fiscal_year, a.origin_year, sum(y.amount_minor) - (SELECT coalesce("
        "sum(w.amount_minor), 0) FROM transfer w JOIN account d ON d.id = w.debit_id "
        "AND d.kind = 'receivable' AND d.owner_id = p.id JOIN account c ON c.id = w.credit_id "
        "AND c.owner_id = a.id) AS open_minor FROM payment y JOIN appropriation a "
        "ON a.id = y.appropriation_id AND a.state = 'voted' AND NOT a.for_interest "
        "WHERE y.project_id = p.id AND y.state = 'settled' AND y.currency = s.currency "
        "GROUP BY a.id ORDER BY max(y.settled_on) DESC, a.origin_year DESC, a.id"
    ),
    "set_offs": LIST.format(
        "SELECT o.*, y.state AS payment_state, y.amount_minor AS payment_minor FROM set_off o "
        "JOIN payment y ON y.id = o.payment_id WHERE o.receivable_id = s.id"
    ),
    "lateness": (
        "jsonb_build_object('fell_due_on', (SELECT (e.at AT TIME ZONE 'Asia/Shanghai')::date FROM event e "
        "WHERE e.subject_id = s.id AND e.step = 'payment.fall_due' ORDER BY e.subject_seq DESC LIMIT 1), "
        "'last_number', (SELECT max(x.number) FROM tranche x WHERE x.project_id = s.project_id))"
    ),
    "interest_payment": (
        "(SELECT to_jsonb(x) FROM (SELECT w.id, w.state FROM tranche i JOIN payment w ON w.tranche_id = i.id "
        "WHERE i.interest_of_id = s.id ORDER BY w.attempt DESC LIMIT 1) x)"
    ),
    "corrections": LIST.format("SELECT * FROM correction WHERE receivable_id = s.id"),
    # Each with the transfer of the event that entered it (of one entry there may be several, one after the
    # other), the year of that event, and whether that is closed.
    "receipts": LIST.format(
        "SELECT r.*, to_jsonb(t) AS transfer, t.id AS transfer_id, y.year, "
        "EXISTS (SELECT 1 FROM appropriation a WHERE a.programme_code = p.programme_code "
        "AND a.fiscal_year = y.year AND a.state = 'closed') "
        "AND NOT EXISTS (SELECT 1 FROM appropriation a WHERE a.programme_code = p.programme_code "
        "AND a.fiscal_year = y.year AND a.state <> 'closed') AS year_closed FROM receipt r "
        "LEFT JOIN correction c ON c.id = r.reversal_id "
        "CROSS JOIN LATERAL (SELECT e.chain_id, e.seq, e.at FROM event e "
        "WHERE e.subject_id = r.receivable_id AND e.step LIKE 'receivable.receive%%' "
        "AND e.subject_seq < coalesce(c.decided_seq, 2147483647) "
        f"AND ({_ASKED}->>'entry_id' = r.entry_id::text OR (r.entry_id IS NULL "
        f"AND e.step = 'receivable.receive_slip' AND {_ASKED}->>'reference' = r.reference)) "
        "ORDER BY e.subject_seq DESC LIMIT 1) e "
        "LEFT JOIN LATERAL (SELECT x.* FROM transfer x JOIN account a ON a.id = x.credit_id "
        "AND a.kind = 'treasury' WHERE x.chain_id = e.chain_id AND x.event_seq = e.seq) t ON true "
        "CROSS JOIN LATERAL (SELECT extract(year FROM e.at AT TIME ZONE 'Asia/Shanghai')::int AS year) y "
        "WHERE r.receivable_id = s.id"
    ),
    "written_off_by": (
        "(SELECT to_jsonb(t) FROM event e JOIN transfer t ON t.chain_id = e.chain_id AND t.event_seq = e.seq "
        "WHERE e.subject_id = s.id AND e.step = 'receivable.write_off' AND NOT EXISTS "
        "(SELECT 1 FROM transfer v WHERE v.reverses_id = t.id) ORDER BY e.subject_seq DESC LIMIT 1)"
    ),
    "exception_moved": (
        "(EXISTS (SELECT 1 FROM bank_entry e WHERE e.id = s.entry_id AND e.outcome <> 'queued') "
        "OR (s.kind = 'no_word' AND EXISTS (SELECT 1 FROM payment y WHERE y.id = s.payment_id "
        "AND y.state NOT IN ('instructed', 'unknown'))))"
    ),
    "call_state": "(SELECT c.state FROM call c WHERE c.id = p.call_id)",
    "audience": LIST.format(
        # Two halves, each by the index on project_id: joined by OR they would read every grant there is.
        f"{_GRANTED} g.project_id = p.id UNION ALL "
        f"{_GRANTED} g.project_id IS NULL AND starts_with(p.office_path, g.office_path) AND {TOOK_PART}"
    ),
}
# Of a draw: a conflict with any of the applications that it draws for.
DRAW_CONFLICT = (
    "EXISTS (SELECT 1 FROM review_conflicts(ARRAY(SELECT q.project_id FROM draw_round q "
    "WHERE q.draw_id = s.id), ARRAY[%(actor)s::uuid], %(today)s) c "
    f"WHERE c.rule <> '{STAFF_RULE}')"
)
# Staff of the department are kept out when they are invited; a role that comes later ends no review.
TASK_CONFLICTS = (
    "ARRAY(SELECT c.rule FROM review_conflicts(ARRAY[p.id], ARRAY[s.expert_id], %(today)s) c "
    f"WHERE c.rule <> '{STAFF_RULE}' ORDER BY 1)"
)

__all__ = ["DRAW_CONFLICT", "FACTS", "HANGING", "LIST", "PURSE", "TASK_CONFLICTS", "TOOK_PART"]
