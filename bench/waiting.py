"""Payments that wait: a bulk of rows to be asked about, and true projects in which things happen.

The bulk is made by the database from the rows of one real project, with ids and facts of its own each, and
without the events of its past, which neither side of the comparison reads. Every payment of the bulk waits
for something, so that a check moves none of them: moving many is measured elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg

from bench.copies import Pattern
from bench.office import Office, Walk, actor
from milepost.actions import Order, perform_many
from milepost.db import Session

EACH = 5

# Facts vary by the row's number i; about one payment in seven has its milestone accepted and waits for
# something else: the payee, the end of a hold, a review, a pledge.
_PROJECT = """
INSERT INTO project SELECT r.* FROM generate_series(1, %(projects)s) i
CROSS JOIN LATERAL (SELECT v.id, v.code FROM programme_version v ORDER BY v.code OFFSET i %% 16 LIMIT 1) v
JOIN project t ON t.id = %(pattern)s
CROSS JOIN LATERAL jsonb_populate_record(t, jsonb_build_object(
  'id', md5('project' || i), 'code', 'waiting-' || i, 'programme_id', v.id, 'programme_code', v.code,
  'payee_id', CASE WHEN i %% 7 = 0 THEN NULL ELSE md5('payee' || i) END,
  'holds', CASE WHEN i %% 7 = 1 THEN 1 ELSE 0 END,
  'integrity_flags', CASE WHEN i %% 50 = 3 THEN 1 ELSE 0 END,
  'pledged_leader', i %% 60 <> 5,
  'reviews_done', CASE WHEN i %% 9 = 2 THEN '[]'::jsonb ELSE '["legal"]'::jsonb END)) r
"""
_CHAIN = """
INSERT INTO chain (id, kind, seq, head)
SELECT md5('project' || i)::uuid, 'project', 40, sha256(('head' || i)::bytea)
FROM generate_series(1, %(projects)s) i
"""
_GRANT = """
INSERT INTO role_grant (id, person_id, role, project_id, granted_at)
SELECT md5('grant' || i)::uuid, g.person_id, g.role, md5('project' || i)::uuid, g.granted_at
FROM generate_series(1, %(projects)s) i JOIN role_grant g ON g.project_id = %(pattern)s
"""
_PAYEE = """
INSERT INTO payee SELECT r.* FROM generate_series(1, %(projects)s) i
JOIN payee t ON t.project_id = %(pattern)s
CROSS JOIN LATERAL jsonb_populate_record(t, jsonb_build_object(
  'id', md5('payee' || i), 'project_id', md5('project' || i))) r
"""
_MILESTONE = """
INSERT INTO milestone SELECT r.* FROM generate_series(1, %(projects)s) i
JOIN milestone t ON t.project_id = %(pattern)s
CROSS JOIN LATERAL jsonb_populate_record(t, jsonb_build_object(
  'id', md5('milestone' || i || '/' || t.number), 'project_id', md5('project' || i),
  'state', CASE WHEN i %% 7 < 2 AND t.number %% 2 = 1 THEN 'accepted'
           WHEN i %% 3 = 0 THEN 'reported' ELSE t.state END)) r
"""
_TRANCHE = """
INSERT INTO tranche SELECT r.* FROM generate_series(1, %(projects)s) i
JOIN tranche t ON t.project_id = %(pattern)s
CROSS JOIN LATERAL jsonb_populate_record(t, jsonb_build_object(
  'id', md5('tranche' || i || '/' || t.number), 'project_id', md5('project' || i),
  'milestone_id', md5('milestone' || i || '/' || t.number),
  'previous_id', CASE WHEN t.number > 1 THEN md5('tranche' || i || '/' || t.number - 1) END)) r
"""
_PAYMENT = """
INSERT INTO payment SELECT r.* FROM generate_series(1, %(projects)s) i
JOIN tranche t ON t.project_id = %(pattern)s JOIN payment y ON y.tranche_id = t.id
CROSS JOIN LATERAL jsonb_populate_record(y, jsonb_build_object(
  'id', md5('payment' || i || '/' || t.number), 'project_id', md5('project' || i),
  'tranche_id', md5('tranche' || i || '/' || t.number),
  'milestone_id', md5('milestone' || i || '/' || t.number))) r
"""
_BULK = (_PROJECT, _CHAIN, _GRANT, _PAYEE, _MILESTONE, _TRANCHE, _PAYMENT)

# The same question by hand, for the gates that the programme opts into: which codes block which payment.
QUESTION = """
SELECT y.id, concat_ws(',',
  CASE WHEN p.state NOT IN ('implementation', 'acceptance', 'closure') THEN 'project_stopped' END,
  CASE WHEN p.agreement_signed_on IS NULL THEN 'agreement_not_signed' END,
  CASE WHEN p.notice_closes_on IS NULL THEN 'notice_missing'
       WHEN p.notice_closes_on >= %(today)s THEN 'notice_running'
       WHEN p.open_objections > 0 THEN 'objection_open' END,
  CASE WHEN m.state <> 'accepted' THEN 'milestone_not_accepted' END,
  CASE WHEN NOT p.reviews_done ? 'legal' THEN 'required_review_missing' END,
  CASE WHEN NOT p.pledged_unit THEN 'pledge_unit_missing'
       WHEN NOT p.pledged_leader THEN 'pledge_leader_missing' END,
  CASE WHEN p.integrity_flags > 0 THEN 'integrity_flagged' END,
  CASE WHEN p.holds > 0 THEN 'on_hold' END,
  CASE WHEN p.payee_id IS NULL THEN 'payee_missing' END,
  CASE WHEN y.appropriation_id IS NOT NULL THEN NULL
       WHEN a.id IS NULL THEN 'appropriation_missing'
       WHEN ac.credits_posted - ac.debits_posted - ac.debits_pending < y.amount_minor
       THEN 'appropriation_exhausted' END) AS blocked
FROM payment y
JOIN project p ON p.id = y.project_id
JOIN tranche t ON t.id = y.tranche_id AND t.code = 'milestone'
LEFT JOIN milestone m ON m.id = y.milestone_id
LEFT JOIN appropriation a ON a.programme_code = p.programme_code AND a.fiscal_year = %(year)s
  AND a.currency = y.currency AND a.state = 'voted'
LEFT JOIN account ac ON ac.kind = 'appropriation' AND ac.owner_id = a.id
WHERE y.state IN ('planned', 'due')
"""


@dataclass(slots=True)
class Waiting:
    """The true projects among those that wait, to be used up turn by turn."""

    office: Office
    payments: int
    projects: list[UUID]
    _used: int = 0

    def happen(self, session: Session, projects: int) -> None:
        """Something happens in some projects: a hold is placed. Each project is taken once."""
        taken = self.projects[self._used : self._used + projects]
        assert len(taken) == projects, "more turns were taken than projects were made for"
        self._used += projects
        orders = [Order("project.place_hold", id, {"reason": "An audit."}, f"hold:{id}") for id in taken]
        outcomes = perform_many(session, actor("supervisor"), orders)
        assert all(outcome.receipt is not None for outcome in outcomes)


def waiting_payments(office: Office, payments: int, true_projects: int) -> Waiting:
    """So many waiting payments, five a project; some of the projects with their whole past."""
    with office.database.session() as session:
        walk = Walk(session, office.clock, EACH)
        walk.to_implementation()
    office.dismiss_passing()
    pattern = Pattern(office.database.owner_url, walk.project)
    made = pattern.copy(true_projects, programmes=office.programmes, salt="true")
    bulk = max(0, payments // EACH - true_projects - 1)
    with psycopg.connect(office.database.owner_url, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("SET work_mem = '256MB'")
        for sql in _BULK:
            conn.execute(sql, {"projects": bulk, "pattern": walk.project})
        conn.execute("VACUUM (ANALYZE)")
        conn.execute("CHECKPOINT")
    return Waiting(office, (bulk + true_projects + 1) * EACH, [UUID(names[0]) for names in made])


def ask(conn: psycopg.Connection, office: Office) -> dict[UUID, str]:
    """The answer by hand: each waiting payment with the codes that block it, in the order of the gates."""
    today = office.clock.today()
    conn.execute("SET work_mem = '64MB'; SET jit = off")
    with conn.cursor(binary=True) as cursor:
        rows = cursor.execute(QUESTION, {"today": today, "year": today.year}, prepare=False).fetchall()
    return dict(rows)
