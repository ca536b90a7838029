"""Keep what grantees owe, what came in for it, and the ways that such money goes."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"

HERE = Path(__file__)
TABLES = HERE.with_name("0010_receivables_tables.sql")
GUARDS = HERE.with_suffix(".sql")
FUNCTIONS = ("receivable_stays()", "receipt_needs_event()", "received_entry_stays()")

END = "ELSE NULL;"
BRANCH = """WHEN 'receivable' THEN
      SELECT count(*) INTO wrong FROM added a LEFT JOIN receivable s ON s.id = a.subject_id
       WHERE a.noun = 'receivable'
         AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
         AND (s.id IS NULL OR s.state <> a.to_state OR s.version <> a.subject_seq OR s.project_id <> a.chain_id);
    """
WAY = "WHEN 'payable' THEN c.kind = 'paid' AND d.owner_id = t.chain_id AND c.owner_id = t.chain_id"
# What was paid is claimed; what was claimed goes to the programme's own treasury, or stays paid after all.
WAYS = (
    WAY
    + """
           WHEN 'paid' THEN c.kind = 'receivable' AND d.owner_id = t.chain_id AND c.owner_id = t.chain_id
             AND EXISTS (SELECT 1 FROM event e WHERE e.chain_id = t.chain_id AND e.seq = t.event_seq
                           AND e.noun = 'receivable')
           WHEN 'receivable' THEN d.owner_id = t.chain_id
             AND (c.kind = 'paid' AND c.owner_id = t.chain_id OR c.kind = 'treasury' AND EXISTS (
               SELECT 1 FROM project p JOIN appropriation x ON x.programme_code = p.programme_code
                WHERE p.id = t.chain_id AND x.chain_id = c.owner_id))
             AND EXISTS (SELECT 1 FROM event e WHERE e.chain_id = t.chain_id AND e.seq = t.event_seq
                           AND e.noun = 'receivable')"""
)
OUTCOMES = ("new", "held", "waiting", "applied", "noted", "queued")


def rewrite(function: str, old: str, new: str) -> None:
    """Change a check as it stands, whatever earlier revisions made of the rest of it."""
    bind = op.get_bind()
    body = bind.execute(text(f"SELECT pg_get_functiondef('{function}'::regproc)")).scalar_one()
    assert body.count(old) == 1, f"{function} is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def outcomes(*names: str) -> None:
    """What may become of something that the bank said."""
    listed = ", ".join(f"'{name}'" for name in names)
    op.execute("ALTER TABLE bank_entry DROP CONSTRAINT bank_entry_outcome_known")
    op.execute(
        f"ALTER TABLE bank_entry ADD CONSTRAINT bank_entry_outcome_known CHECK (outcome IN ({listed}))"
    )


def upgrade() -> None:
    op.execute("ALTER TABLE bank_entry ADD COLUMN remittance TEXT DEFAULT '' NOT NULL")
    outcomes(*OUTCOMES, "received")
    for path in (TABLES, GUARDS):
        for statement in path.read_text(encoding="utf-8").split("\n--;\n"):
            op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
    rewrite("event_appended", END, BRANCH + END)
    rewrite("transfer_added", WAY, WAYS)
    op.execute(
        "CREATE TRIGGER receivable_state_needs_event AFTER UPDATE ON receivable "
        "FOR EACH ROW EXECUTE FUNCTION state_needs_event('project_id')"
    )
    op.execute(
        "CREATE TRIGGER receivable_birth_needs_event AFTER INSERT ON receivable "
        "REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION birth_needs_event()"
    )
    op.execute(
        "CREATE TRIGGER receivable_stays BEFORE DELETE OR TRUNCATE ON receivable "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER receipt_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON receipt "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("GRANT SELECT, INSERT ON receivable, receipt TO milepost_app")
    op.execute("GRANT UPDATE ON receivable TO milepost_app")


def downgrade() -> None:
    rewrite("transfer_added", WAYS, WAY)
    rewrite("event_appended", BRANCH + END, END)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function} CASCADE")
    op.execute("DROP TABLE receipt, receivable CASCADE")
    op.execute("UPDATE bank_entry SET outcome = 'queued' WHERE outcome = 'received'")
    outcomes(*OUTCOMES)
    op.execute("ALTER TABLE bank_entry DROP COLUMN remittance")
