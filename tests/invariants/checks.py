"""What must be true of a database at any moment, asked in plain SQL and with SHA-256 from Python."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import Any

import psycopg

from schema.nouns import NOUNS

# Each finds rows that must not be there.
QUERIES: dict[str, str] = {
    "versions of a subject have a gap": (
        "SELECT subject_id FROM event GROUP BY subject_id "
        "HAVING min(subject_seq) <> 1 OR max(subject_seq) <> count(*)"
    ),
    "an event does not start where its subject stood": (
        "SELECT b.subject_id FROM event b JOIN event a "
        "ON a.subject_id = b.subject_id AND a.subject_seq = b.subject_seq - 1 "
        "WHERE a.to_state <> b.from_state"
    ),
    "a chain's head is not its last event": (
        "SELECT c.id FROM chain c LEFT JOIN event e ON e.chain_id = c.id AND e.seq = c.seq "
        "WHERE c.seq <> (SELECT count(*) FROM event x WHERE x.chain_id = c.id) "
        "OR (c.seq > 0 AND e.hash <> c.head)"
    ),
    "an account's sums are not those of its transfers": """
        WITH leg AS (
          SELECT t.debit_id AS id, t.kind, t.amount_minor AS debit, 0 AS credit, r.id AS resolved
            FROM transfer t LEFT JOIN transfer r ON r.pending_id = t.id
          UNION ALL
          SELECT t.credit_id, t.kind, 0, t.amount_minor, r.id
            FROM transfer t LEFT JOIN transfer r ON r.pending_id = t.id),
        sums AS (
          SELECT id, sum(debit) FILTER (WHERE kind IN ('posted', 'post')) AS dx,
                 sum(credit) FILTER (WHERE kind IN ('posted', 'post')) AS cx,
                 sum(debit) FILTER (WHERE kind = 'pending' AND resolved IS NULL) AS dp,
                 sum(credit) FILTER (WHERE kind = 'pending' AND resolved IS NULL) AS cp
            FROM leg GROUP BY id)
        SELECT a.id FROM account a LEFT JOIN sums s USING (id)
         WHERE (a.debits_posted, a.credits_posted, a.debits_pending, a.credits_pending)
            <> (coalesce(s.dx, 0), coalesce(s.cx, 0), coalesce(s.dp, 0), coalesce(s.cp, 0))
    """,
    "the accounts do not sum to zero": (
        "SELECT currency FROM account GROUP BY currency "
        "HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending)"
    ),
    "more is held and paid than was awarded": (
        "SELECT p.id FROM project p JOIN account a ON a.owner_id = p.id AND a.kind = 'commitment' "
        "WHERE a.drawn_minor > p.award_minor OR a.ceiling_minor <> p.award_minor OR a.drawn_minor < 0 "
        "OR a.drawn_minor <> (SELECT coalesce(sum(y.amount_minor), 0) FROM payment y "
        "JOIN tranche t ON t.id = y.tranche_id AND t.basis <> 'interest' WHERE y.project_id = p.id "
        "AND y.state IN ('requested', 'approved', 'released', 'instructed', 'unknown', 'settled'))"
    ),
    "more is held and paid than was appropriated": (
        "SELECT a.id FROM account a JOIN appropriation b ON b.id = a.owner_id "
        "WHERE a.debits_posted + a.debits_pending > a.credits_posted"
    ),
    "a tranche's paid sum is not that of its settled payments": (
        "SELECT t.id FROM tranche t WHERE t.paid_minor <> "
        "(SELECT coalesce(sum(y.amount_minor), 0) FROM payment y "
        "WHERE y.tranche_id = t.id AND y.state = 'settled') OR t.paid_minor > t.amount_minor"
    ),
    "a tranche has two live payments": (
        "SELECT tranche_id FROM payment WHERE state NOT IN ('returned', 'void') "
        "GROUP BY tranche_id HAVING count(*) > 1"
    ),
    "one person did two duties of a payment": (
        "SELECT e.subject_id FROM event e WHERE e.noun = 'payment' AND e.step IN ('payment.request', "
        "'payment.approve', 'payment.release', 'payment.send_back', 'payment.attest', 'payment.confirm') "
        "GROUP BY e.subject_id, e.actor_id HAVING count(*) > 1"
    ),
    "a payment went on with too few approvals": (
        "SELECT y.id FROM payment y WHERE y.state IN "
        "('approved', 'released', 'instructed', 'unknown', 'settled') "
        "AND EXISTS (SELECT 1 FROM approvals_missing(y.id))"
    ),
    "somebody is represented by nobody, or acted for and not represented": (
        "SELECT d.payment_id FROM duty d FULL JOIN (SELECT payment_id, for_id FROM duty "
        "WHERE for_id IS NOT NULL) a ON a.payment_id = d.payment_id AND a.for_id = d.person_id "
        "AND d.duty = 'represented' WHERE coalesce(d.duty, 'represented') = 'represented' "
        "AND (d.payment_id IS NULL OR a.payment_id IS NULL)"
    ),
    "a duty stands without its event": (
        "SELECT d.payment_id FROM duty d WHERE d.duty NOT IN ('payee_editor', 'represented') AND NOT EXISTS "
        "(SELECT 1 FROM event e WHERE e.subject_id = d.payment_id AND e.actor_id = d.person_id)"
    ),
    "a payee was entered and verified by one person": (
        "SELECT id FROM payee WHERE entered_by = verified_by OR (state = 'verified') <> "
        "(verified_by IS NOT NULL AND state NOT IN ('superseded'))"
    ),
    "a payment was instructed for another payee than was requested": (
        "SELECT y.id FROM payment y JOIN payee p ON p.id = y.payee_id WHERE p.project_id <> y.project_id"
    ),
    "a hold is counted wrongly": (
        "SELECT p.id FROM project p WHERE p.holds <> (SELECT count(*) FROM hold h WHERE h.project_id = p.id "
        "AND h.kind = 'hold' AND h.lifted_at IS NULL) OR p.integrity_flags <> (SELECT count(*) FROM hold h "
        "WHERE h.project_id = p.id AND h.kind = 'integrity' AND h.lifted_at IS NULL)"
    ),
    "a payment's hold is counted wrongly, or lifted by who placed it": (
        "SELECT y.id FROM payment y WHERE y.holds <> (SELECT count(*) FROM hold h "
        "WHERE h.payment_id = y.id AND h.lifted_at IS NULL) UNION ALL "
        "SELECT id FROM hold WHERE kind <> 'integrity' AND lifted_by = placed_by"
    ),
    "a deadline is open that nobody waits for": (
        "SELECT d.id FROM deadline d WHERE d.closed_seq IS NULL AND EXISTS (SELECT 1 FROM event e "
        "WHERE e.subject_id = d.subject_id AND e.seq > d.opened_seq AND e.from_state <> e.to_state)"
    ),
    "a message is there without its event": (
        "SELECT m.id FROM message m LEFT JOIN event e ON e.chain_id = m.chain_id AND e.seq = m.event_seq "
        "WHERE m.source LIKE 'event:%' AND e.seq IS NULL"
    ),
}


def faults(conn: psycopg.Connection[Any]) -> list[str]:
    """Everything that is wrong with the database; nothing, one hopes."""
    found = [
        f"{name}: {len(rows)}" for name, sql in QUERIES.items() if (rows := conn.execute(sql).fetchall())
    ]
    return found + _states(conn) + _chains(conn)


def _states(conn: psycopg.Connection[Any]) -> list[str]:
    found = []
    for noun in NOUNS:
        rows = conn.execute(
            f'SELECT s.id FROM "{noun}" s LEFT JOIN event e ON e.subject_id = s.id '
            "AND e.subject_seq = s.version AND e.noun = %s WHERE e.to_state IS DISTINCT FROM s.state "
            "OR EXISTS (SELECT 1 FROM event x WHERE x.subject_id = s.id AND x.subject_seq > s.version)",
            (noun,),
        ).fetchall()
        if rows:
            found.append(f"a {noun} does not stand where its last event left it: {len(rows)}")
    return found


def _chains(conn: psycopg.Connection[Any]) -> list[str]:
    rows = conn.execute(
        "SELECT chain_id, seq, prev_hash, body, hash FROM event ORDER BY chain_id, seq"
    ).fetchall()
    found = [f"event {c} {s} has a false hash" for c, s, p, b, h in rows if sha256(p + b).digest() != h]
    for before, after in pairwise(rows):
        if before[0] == after[0] and (after[1] != before[1] + 1 or after[2] != before[4]):
            found.append(f"chain {after[0]} breaks at {after[1]}")
    return found
