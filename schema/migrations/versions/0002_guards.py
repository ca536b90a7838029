"""Guard the tables: append-only evidence, states that need their event, a ledger kept by its trigger."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

SQL = Path(__file__).with_suffix(".sql")

NOUNS = {
    "project": "id",
    "milestone": "project_id",
    "payment": "project_id",
    "payee": "project_id",
    "round": "project_id",
    "task": "project_id",
    "notice": "project_id",
    "objection": "project_id",
    "call": "chain_id",
    "appropriation": "chain_id",
}
FACTS = {"tranche": "project_id", "hold": "project_id", "pledge": "project_id", "contribution": "project_id"}
APPEND_ONLY = (
    "event",
    "transfer",
    "seal",
    "seal_leaf",
    "programme_version",
    "allowed_step",
    "duty",
    "pledge",
    "contribution",
    "document",
    "job_claim",
)
APP_UPDATES = (
    "message",
    "payment_check",
    "person",
    "role_grant",
    "web_session",
    "setting",
    "office",
    "simbank_instruction",
)
# Of these the application changes some columns and no others.
APP_UPDATES_OF = {
    "deadline": "closed_seq",
    "machine": "sealed",
    "tranche": "spent_minor, paid_minor",
    "hold": "lifted_by, lifted_at",
    "chain": "kind",
}
# Their rows change with every event or transfer: with room left in a page, no index needs to follow.
OFTEN_UPDATED = ("chain", "account")
APP_DELETES = ("web_session", "payment_check", "setting")


def subject_matches() -> str:
    """The body of a check, a branch a noun, that the row stands where its last new event left it."""
    branches = []
    for noun in NOUNS:
        # A project keeps to the machine of its own programme; other nouns have one for all.
        own_machine = " OR s.machine <> a.machine" if noun == "project" else ""
        branches.append(
            f"""
    WHEN '{noun}' THEN
      SELECT count(*) INTO wrong FROM added a LEFT JOIN "{noun}" s ON s.id = a.subject_id
       WHERE a.noun = '{noun}'
         AND NOT EXISTS (SELECT 1 FROM added b WHERE b.subject_id = a.subject_id AND b.subject_seq > a.subject_seq)
         AND (s.id IS NULL OR s.state <> a.to_state OR s.version <> a.subject_seq
              OR s.{NOUNS[noun]} <> a.chain_id{own_machine});"""
        )
    return "".join(branches)


def upgrade() -> None:
    text = SQL.read_text(encoding="utf-8").replace("--{subject_branches}", subject_matches())
    for statement in text.split("\n--;\n"):
        op.execute(statement)
    for noun, chain in NOUNS.items():
        op.execute(
            f'CREATE TRIGGER {noun}_state_needs_event AFTER UPDATE ON "{noun}" '
            f"FOR EACH ROW EXECUTE FUNCTION state_needs_event('{chain}')"
        )
        op.execute(
            f'CREATE TRIGGER {noun}_birth_needs_event AFTER INSERT ON "{noun}" '
            "REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION birth_needs_event()"
        )
        op.execute(
            f'CREATE TRIGGER {noun}_stays BEFORE DELETE OR TRUNCATE ON "{noun}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table, chain in FACTS.items():
        op.execute(
            f'CREATE TRIGGER {table}_needs_event_in AFTER INSERT ON "{table}" '
            f"REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION fact_needs_event('{chain}')"
        )
        op.execute(
            f'CREATE TRIGGER {table}_needs_event_up AFTER UPDATE ON "{table}" '
            f"REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION fact_needs_event('{chain}')"
        )
    for table in ("tranche", "hold"):
        op.execute(
            f'CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON "{table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in APPEND_ONLY:
        op.execute(
            f'CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table in OFTEN_UPDATED:
        op.execute(f'ALTER TABLE "{table}" SET (fillfactor = 60)')
    op.execute("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO milepost_app")
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO milepost_app")
    op.execute("REVOKE INSERT ON alembic_version FROM milepost_app")
    for table in (*NOUNS, *APP_UPDATES):
        op.execute(f'GRANT UPDATE ON "{table}" TO milepost_app')
    for table in APP_DELETES:
        op.execute(f'GRANT DELETE ON "{table}" TO milepost_app')
    for table, columns in APP_UPDATES_OF.items():
        op.execute(f'GRANT UPDATE ({columns}) ON "{table}" TO milepost_app')


def downgrade() -> None:
    for name in (
        "state_needs_event",
        "birth_needs_event",
        "fact_needs_event",
        "refuse_change",
        "event_appended",
        "transfer_added",
        "account_opened",
        "account_needs_event",
        "duty_needs_event",
        "machine_stays_sealed",
        "allowed_step_before_seal",
        "chain_opened",
        "binding_stays",
    ):
        op.execute(f"DROP FUNCTION {name}() CASCADE")
    op.execute("DROP FUNCTION chain_genesis(uuid) CASCADE")
    for table in OFTEN_UPDATED:
        op.execute(f'ALTER TABLE "{table}" RESET (fillfactor)')
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM milepost_app")
    op.execute("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM milepost_app")
