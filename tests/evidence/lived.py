"""What a lived-in office leaves in its database, and the seal somebody outside keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from milepost.db import Database
from milepost.documents import store
from milepost.evidence.chain import head_leaf
from milepost.evidence.merkle import root
from tests.builders import World

DAY = date(2025, 12, 1)


def seal(database: Database, day: date) -> str:
    """Seal all heads as they stand, as of a day; the root in hex."""
    with database.session() as session:
        conn = session.conn
        rows = conn.execute("SELECT id, seq, head FROM chain WHERE seq > 0 ORDER BY id").fetchall()
        made = root([head_leaf(*row) for row in rows])
        with conn.transaction():
            conn.execute(
                "INSERT INTO seal (sealed_on, size, root, sealed_at) VALUES (%s, %s, %s, %s)",
                (day, len(rows), made, database.clock.now()),
            )
            for position, row in enumerate(rows):
                conn.execute("INSERT INTO seal_leaf VALUES (%s, %s, %s, %s, %s)", (day, position, *row))
    return made.hex()


def live(world: World) -> None:
    """Enough of life that every table has rows: holds, objections, contributions, settled payments."""
    world.payment_at("settled")
    project_id, _ = world.payment_at("released")
    world.payment_at("returned")
    world.payment_at("void")
    world.payment_at("approved")
    report_with_document(world, world.milestone_at("planned"))
    supervisor, finance = world.people["supervisor"][0], world.people["finance_officer"][0]
    world.take(supervisor, "project.place_hold", project_id, reason="audit")
    world.take(supervisor, "project.flag_integrity", project_id, reason="under inquiry")
    world.take(finance, "project.evidence_contribution", project_id, amount_minor=5_000, evidence="voucher 9")
    officer = world.people["programme_officer"][0]
    reviewed = world.project_at("remote_review")
    round_id = world.take(officer, "round.open", reviewed).subject_id
    world.take(officer, "task.invite", round_id, expert_id=str(world.people["expert"][0].id))
    noticed = world.project_at("public_notice")
    notice = world.take(officer, "notice.publish", noticed).subject_id
    world.take(officer, "objection.file", notice, objector="Wang", contact="555", grounds="copied")
    change_budgets(world)


def change_budgets(world: World) -> None:
    """An increase that somebody confirmed, and a year that was closed over nothing."""
    finance, second = world.people["finance_officer"][:2]
    purse = world.value("SELECT id FROM appropriation ORDER BY fiscal_year LIMIT 1")
    given = {"amount_minor": 1_000, "reason": "more"}
    change = world.take(finance, "budget_change.increase", purse, **given).subject_id
    world.take(second, "budget_change.confirm", change)
    world.vote(year=2031)
    closed = world.value("SELECT id FROM appropriation WHERE fiscal_year = 2031")
    world.take(finance, "appropriation.propose_close", closed, reason="not wanted")
    world.take(second, "appropriation.close", closed)
    rest = world.take(finance, "budget_change.carry_over", closed, reason="for the year after").subject_id
    world.take(second, "budget_change.confirm", rest)


def report_with_document(world: World, milestone_id: UUID) -> None:
    """Hand in a report with a file."""
    applicant = world.who("applicant")
    with world.database.session() as session:
        kept = store(session, "报告 report.pdf", b"%PDF-1.7 a report", applicant.id, 1_000)
    world.take(applicant, "milestone.report", milestone_id, report="see file", documents=[kept.sha256])


@dataclass(frozen=True)
class Lived:
    """The name of the lived-in database and the root that somebody outside holds."""

    name: str
    root: str


@dataclass(frozen=True)
class Copy:
    """A copy to tamper with: opened as the application, and raw SQL as the owner with no trigger left."""

    database: Database
    tamper: Callable[..., None]
