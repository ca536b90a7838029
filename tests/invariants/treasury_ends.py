"""What has to be true of an office's money at the end of whatever history, asked in plain SQL."""

from __future__ import annotations

from datetime import timedelta

from milepost.evidence.recounts import recounts
from milepost.ledger import reconcile
from tests.invariants.checks import faults
from tests.work.files_scene import Loop

LIVE = "('requested', 'approved', 'released', 'instructed', 'unknown', 'settled')"

# Each finds rows that must not be there.
NEVER = {
    "more is paid and held of a project than was awarded": (
        "SELECT p.code FROM project p WHERE coalesce(p.award_minor, 0) < "
        "(SELECT coalesce(sum(y.amount_minor), 0) "
        "FROM payment y JOIN tranche t ON t.id = y.tranche_id AND t.basis <> 'interest' "
        f"WHERE y.project_id = p.id AND y.state IN {LIVE})"
    ),
    "more is paid and held of a programme's year than was voted for it": f"""
        WITH moved AS (SELECT t.debit_id, t.credit_id, t.amount_minor FROM transfer t
            JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
           WHERE t.kind = 'posted' AND d.kind IN ('treasury', 'appropriation')
             AND c.kind IN ('treasury', 'appropriation')),
        purse AS (SELECT x.id, x.programme_code, x.fiscal_year, a.id AS account FROM appropriation x
            JOIN account a ON a.owner_id = x.id AND a.kind = 'appropriation'),
        voted AS (SELECT programme_code, fiscal_year,
            sum((SELECT coalesce(sum(m.amount_minor), 0) FROM moved m WHERE m.credit_id = account)
              - (SELECT coalesce(sum(m.amount_minor), 0) FROM moved m WHERE m.debit_id = account)) AS minor
            FROM purse GROUP BY 1, 2),
        home AS (SELECT u.programme_code, u.fiscal_year, sum(t.amount_minor) AS minor FROM transfer t
            JOIN account d ON d.id = t.debit_id AND d.kind = 'receivable'
            JOIN purse u ON u.account = t.credit_id
           GROUP BY 1, 2),
        spent AS (SELECT programme_code, fiscal_year, g.minor - coalesce(h.minor, 0) AS minor FROM (
            SELECT u.programme_code, u.fiscal_year, sum(y.amount_minor) AS minor FROM payment y
              JOIN purse u ON u.id = y.appropriation_id WHERE y.state IN {LIVE} GROUP BY 1, 2) g
            LEFT JOIN home h USING (programme_code, fiscal_year))
        SELECT programme_code, fiscal_year, s.minor, v.minor FROM spent s LEFT JOIN voted v
         USING (programme_code, fiscal_year) WHERE s.minor > coalesce(v.minor, 0) OR v.minor < 0""",
    "somebody had two hands in one payment, in their own name or for another": """
        WITH act AS (SELECT subject_id AS payment, actor_id AS person, step FROM event
            WHERE step IN ('payment.request', 'payment.approve', 'payment.release', 'payment.send_back')
          UNION ALL SELECT subject_id, (convert_from(body, 'UTF8')::jsonb->>'for')::uuid, step FROM event
            WHERE step IN ('payment.request', 'payment.approve', 'payment.release')
          UNION ALL SELECT y.id, k.entered_by, 'payee.enter' FROM payment y JOIN payee k ON k.id = y.payee_id)
        SELECT payment, person FROM act WHERE person IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1""",
    "a payment went out or was released while it was held": """
        SELECT e.subject_id FROM event e JOIN hold h ON h.payment_id = e.subject_id
         WHERE e.step IN ('payment.request', 'payment.approve', 'payment.release', 'payment.instruct')
           AND h.placed_at < e.at AND (h.lifted_at IS NULL OR h.lifted_at > e.at)""",
    "something is set off that the payment or the claim does not have": """
        SELECT o.id FROM set_off o JOIN payment y ON y.id = o.payment_id JOIN receivable r
            ON r.id = o.receivable_id WHERE o.status IN ('agreed', 'applied')
            AND (o.project_id <> r.project_id OR o.project_id <> y.project_id
            OR o.amount_minor > y.amount_minor
            OR (o.status = 'applied') <> (y.state = 'settled'))""",
    "what was paid is not what is kept, owed and refunded": """
        SELECT p.code, y.paid, a.kept, a.owed, r.back FROM project p
          JOIN LATERAL (SELECT coalesce(sum(w.amount_minor), 0) AS paid FROM payment w
              JOIN tranche t ON t.id = w.tranche_id AND t.basis <> 'interest'
            WHERE w.project_id = p.id AND w.state = 'settled') y ON true
          JOIN LATERAL (SELECT
              coalesce(sum(credits_posted - debits_posted) FILTER (WHERE kind = 'paid'), 0) AS kept,
              coalesce(sum(credits_posted - debits_posted) FILTER (WHERE kind = 'receivable'), 0) AS owed
            FROM account WHERE owner_id = p.id) a ON true
          JOIN LATERAL (SELECT coalesce(sum(received_minor + offset_minor), 0) AS back FROM receivable
            WHERE project_id = p.id) r ON true
         WHERE y.paid <> a.kept + a.owed + r.back""",
    "a transfer is reversed by another sum, by another way, or by one that stands reversed itself": """
        SELECT v.id FROM transfer v JOIN transfer t ON t.id = v.reverses_id
         WHERE (v.amount_minor, v.debit_id, v.credit_id) <> (t.amount_minor, t.credit_id, t.debit_id)""",
    "a payment that the bank may have is nobody's question and has no end": """
        SELECT y.id, y.state FROM payment y WHERE y.state IN ('instructed', 'unknown')
           AND NOT EXISTS (SELECT 1 FROM bank_exception x JOIN role_grant g ON g.role = 'finance_officer'
                 AND g.revoked_at IS NULL AND starts_with(x.office_path, g.office_path)
               JOIN person n ON n.id = g.person_id AND n.active
              WHERE x.state = 'open'
                AND (x.payment_id = y.id OR x.likely_id = y.id OR x.tranche_id = y.tranche_id))""",
}


def check(loop: Loop) -> None:
    """Everything balances, can be counted again, and is in the bank's books as it is in ours."""
    town = loop.town
    assert faults(town.session.conn) == []
    for claim in recounts():
        assert (rows := town.all(claim.sql.replace("%", "%%"))) == [], (claim.en, rows)
    for name, sql in NEVER.items():
        assert (rows := town.all(sql)) == [], (name, rows)
    assert reconcile(town.session.conn).ok
    the_bank_agrees(loop)


def the_bank_agrees(loop: Loop) -> None:
    """Each payment that went is in the bank's books as its state says, or stands or stood in the queue."""
    town = loop.town
    # Neither the day that has just begun nor the one before it has a statement yet.
    paid = loop.bank.paid(loop.today() - timedelta(days=2))
    queued = {
        row[0]
        for row in town.all(
            "SELECT y.id FROM bank_exception x JOIN payment y "
            "ON y.tranche_id = x.tranche_id OR y.id = x.likely_id"
        )
    }
    assert len(loop.bank.files()) == len(set(loop.bank.files()))
    for id, state, amount in town.all(
        "SELECT y.id, y.state, y.amount_minor - y.offset_minor FROM payment y "
        "JOIN batch_payment b ON b.payment_id = y.id AND b.live JOIN batch h ON h.id = b.batch_id "
        "AND h.state IN ('sent', 'answered', 'closed')"
    ):
        expected = amount if state == "settled" else 0
        assert paid.get(id.hex, 0) == expected or id in queued, (id, state, paid.get(id.hex))
        assert state in ("settled", "returned") or id in queued, (id, state)


__all__ = ["check", "the_bank_agrees"]
