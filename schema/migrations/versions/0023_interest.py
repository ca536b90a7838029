"""Let interest for late payment be a tranche of its own, with accounts and a line of the budget of its own."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0023"
down_revision = "0022"

SQL = Path(__file__).with_suffix(".sql")

BASES = "'fixed', 'verified', 'retained'"
OWN = "interest_of_chain({}.owner_id, t.chain_id)"
# Function, the passage as it stands, and what takes its place.
PASSAGES = (
    (
        "binding_stays",
        "NEW.previous_id, NEW.basis, NEW.retained_minor, NEW.due_on)",
        "NEW.previous_id, NEW.basis, NEW.retained_minor, NEW.due_on, NEW.interest_of_id, NEW.late_days)",
    ),
    (
        "binding_stays",
        "OLD.previous_id, OLD.basis, OLD.retained_minor, OLD.due_on)",
        "OLD.previous_id, OLD.basis, OLD.retained_minor, OLD.due_on, OLD.interest_of_id, OLD.late_days)",
    ),
    (
        "budget_stays",
        "NEW.source_rank, NEW.origin_year, NEW.office_path)",
        "NEW.source_rank, NEW.origin_year, NEW.office_path, NEW.for_interest)",
    ),
    (
        "budget_stays",
        "OLD.source, OLD.source_rank, OLD.origin_year, OLD.office_path)",
        "OLD.source, OLD.source_rank, OLD.origin_year, OLD.office_path, OLD.for_interest)",
    ),
    (
        "account_needs_event",
        "(SELECT p.award_minor FROM project p WHERE p.id = n.owner_id)))",
        "coalesce((SELECT p.award_minor FROM project p WHERE p.id = n.owner_id),\n"
        "             (SELECT t.amount_minor FROM tranche t WHERE t.id = n.owner_id AND t.basis = 'interest'))))",
    ),
    (
        "account_needs_event",
        "e.subject_id = n.owner_id ORDER BY e.subject_seq DESC LIMIT 1), 0))",
        "e.subject_id = n.owner_id ORDER BY e.subject_seq DESC LIMIT 1), 0),\n"
        "           coalesce((SELECT e.xid FROM tranche t JOIN event e ON e.chain_id = t.project_id\n"
        "                      WHERE t.id = n.owner_id AND t.basis = 'interest' ORDER BY e.seq DESC LIMIT 1), 0))",
    ),
    (
        "transfer_added",
        "WHEN 'appropriation' THEN c.kind = 'commitment' AND c.owner_id = t.chain_id OR",
        "WHEN 'appropriation' THEN c.kind = 'commitment' AND "
        f"(c.owner_id = t.chain_id OR {OWN.format('c')}) OR",
    ),
    (
        "transfer_added",
        "WHEN 'commitment' THEN c.kind = 'payable' AND d.owner_id = t.chain_id AND c.owner_id = t.chain_id",
        "WHEN 'commitment' THEN c.kind = 'payable' AND c.owner_id = d.owner_id AND "
        f"(d.owner_id = t.chain_id OR {OWN.format('d')})",
    ),
    (
        "transfer_added",
        "WHEN 'payable' THEN c.kind = 'paid' AND d.owner_id = t.chain_id AND c.owner_id = t.chain_id",
        "WHEN 'payable' THEN c.kind = 'paid' AND c.owner_id = d.owner_id AND "
        f"(d.owner_id = t.chain_id OR {OWN.format('d')})",
    ),
)


def rewrite(function: str, old: str, new: str) -> None:
    """Change one passage of a guard as it stands."""
    bind = op.get_bind()
    body = bind.execute(text(f"SELECT pg_get_functiondef('{function}'::regproc)")).scalar_one()
    assert body.count(old) == 1, f"{function} is not as this revision knows it"
    bind.exec_driver_sql(body.replace(old, new).replace("%", "%%"))


def bases(listed: str) -> None:
    """Which tranches there may be."""
    op.execute("ALTER TABLE tranche DROP CONSTRAINT tranche_basis_known")
    op.execute(f"ALTER TABLE tranche ADD CONSTRAINT tranche_basis_known CHECK (basis IN ({listed}))")


def upgrade() -> None:
    bases(f"{BASES}, 'interest'")
    for statement in SQL.read_text(encoding="utf-8").split("\n--;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%"))
    for function, old, new in PASSAGES:
        rewrite(function, old, new)


def downgrade() -> None:
    for function, old, new in reversed(PASSAGES):
        rewrite(function, new, old)
    op.execute("DROP FUNCTION interest_follows() CASCADE")
    op.execute("DROP FUNCTION interest_has_its_line() CASCADE")
    op.execute("DROP FUNCTION interest_of_chain(uuid, uuid)")
    # Interest that was owed or paid has no place in the older schema; with it gone, its payments would dangle.
    bind = op.get_bind()
    if bind.execute(text("SELECT EXISTS (SELECT 1 FROM tranche WHERE basis = 'interest')")).scalar_one():
        raise RuntimeError("interest is on the books: this revision cannot be undone")
    op.execute("ALTER TABLE appropriation DROP COLUMN for_interest")
    op.execute("ALTER TABLE tranche DROP CONSTRAINT tranche_interest")
    op.execute("ALTER TABLE tranche DROP COLUMN interest_of_id, DROP COLUMN late_days")
    bases(BASES)
