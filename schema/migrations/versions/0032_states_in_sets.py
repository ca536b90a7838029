"""Check by the statement, not by the row, that no state changes without its event.

The rule is that of revision 0002. What a set of steps changes in one statement is looked at in one query. Old
and new rows meet in a full join, which is a hash join whatever plan was kept from a statement with one row.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0032"
down_revision = "0031"

HERE = Path(__file__)
BY_STATEMENT = HERE.with_suffix(".sql")
BY_ROW = HERE.with_name("0002_guards.sql")
CHAINS = ("id", "project_id", "chain_id")
TRIGGERS = text(
    "SELECT c.relname, g.tgname, rtrim(encode(g.tgargs, 'escape'), '\\000') FROM pg_trigger g "
    "JOIN pg_class c ON c.oid = g.tgrelid WHERE g.tgfoid = CAST(:function AS regproc) ORDER BY c.relname"
)


def branch(chain: str) -> str:
    """What is wrong with the rows of a table whose column ``chain`` names the chain."""
    return f"""WHEN '{chain}' THEN
    SELECT CASE WHEN o.id IS NULL OR n.id IS NULL THEN 'an id of %s was changed'
                WHEN n.{chain} IS NOT DISTINCT FROM o.{chain} AND (n.state <> o.state OR n.version <> o.version)
                  THEN 'a state of %s was changed without its event'
                ELSE 'a row of %s was changed without an event' END
      INTO wrong FROM became n FULL JOIN was o ON o.id = n.id
     WHERE o.id IS NULL OR n.id IS NULL OR n.{chain} IS DISTINCT FROM o.{chain}
        OR CASE WHEN n.state <> o.state OR n.version <> o.version THEN
             n.version <= o.version OR NOT EXISTS (
               SELECT 1 FROM event e WHERE e.subject_id = n.id AND e.subject_seq = n.version
                  AND e.chain_id = n.{chain} AND e.to_state = n.state AND e.noun = TG_TABLE_NAME
                  AND e.xid = this_xact)
           ELSE (SELECT e.xid FROM event e WHERE e.chain_id = n.{chain} ORDER BY e.seq DESC LIMIT 1)
                IS DISTINCT FROM this_xact END
     LIMIT 1;"""


def replace(old: str, new: str, how: str) -> None:
    """Every trigger that calls one function calls the other, under its own name and with its own argument."""
    for table, trigger, chain in op.get_bind().execute(TRIGGERS, {"function": old}).fetchall():
        op.execute(f'DROP TRIGGER {trigger} ON "{table}"')
        op.execute(f'CREATE TRIGGER {trigger} AFTER UPDATE ON "{table}" {how} EXECUTE FUNCTION {new}(\'{chain}\')')
    op.execute(f"DROP FUNCTION {old}()")


def upgrade() -> None:
    body = BY_STATEMENT.read_text(encoding="utf-8").replace("--{branches}", "\n  ".join(map(branch, CHAINS)))
    op.get_bind().exec_driver_sql(body.replace("%", "%%"))
    how = "REFERENCING OLD TABLE AS was NEW TABLE AS became FOR EACH STATEMENT"
    replace("state_needs_event", "states_need_events", how)


def downgrade() -> None:
    statements = BY_ROW.read_text(encoding="utf-8").split("\n--;\n")
    before = next(one for one in statements if "CREATE FUNCTION state_needs_event()" in one)
    op.get_bind().exec_driver_sql(before.replace("%", "%%"))
    replace("states_need_events", "state_needs_event", "FOR EACH ROW")
