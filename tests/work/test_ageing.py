"""What waits is counted once, in the bucket of its age, on whoever the engine waits for, with its money."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from pathlib import Path

import openpyxl

from milepost.db import Database
from milepost.work.ageing import ageing, ageing_sheet
from milepost.work.checks import check_payments
from milepost.work.figure_sheets import written
from tests.builders import World, build


def _scene(database: Database) -> World:
    """Payments in three states, a blocked one, a late report, a report to decide; forty days go by."""
    world = build(database)
    world.payment_at("requested")
    world.payment_at("settled")
    held = world.project_at("implementation", title="=1+1")
    payment = world.payments(held)[0]
    world.make_payable(payment)
    world.take("supervisor", "project.place_hold", held, reason="a look at the books")
    world.clock.advance(timedelta(days=40))
    world.payment_at("due")
    milestone = world.milestones(world.project_at("implementation"))[0]
    evaluator = world.people["evaluator"][0]
    world.take("programme_officer", "milestone.assign", milestone, evaluator_id=str(evaluator.id))
    world.take("applicant", "milestone.report", milestone, report="done", deliverables=1)
    return world


def test_each_thing_waits_once_on_somebody_in_the_bucket_of_its_age(
    database: Database, tmp_path: Path
) -> None:
    world = _scene(database)
    late = world.milestone_at("overdue")
    with database.session() as session:
        check_payments(session)
        found = ageing(session, world.people["finance_officer"][0].id)
        nobody = ageing(session, world.people["applicant"][0].id)
        elsewhere = ageing(session, None, office="/nowhere/")
    assert nobody.items == elsewhere.items == (), "money is for those who see budgets"
    states = sorted((item.kind, item.row["state"], item.whom) for item in found.items)
    assert ("payment", "requested", (("finance_officer",), "")) in states
    assert (
        "milestone",
        "overdue",
        (("applicant", "principal_investigator", "programme_officer"), ""),
    ) in states
    assert ("milestone", "reported", (("evaluator",), "evaluator 1")) in states
    blocked = [item for item in found.items if item.kind == "tranche"]
    assert [item.row["title"] for item in blocked] == ["=1+1"], (
        "what only waits for its milestone is nobody's delay"
    )
    assert blocked[0].roles == ("programme_officer",) and blocked[0].bucket >= 2
    overdue = next(item for item in found.items if item.id == late)
    due: date = world.value("SELECT due_on FROM milestone WHERE id = %s", late)
    assert overdue.days == (world.clock.today() - due).days
    # Every item is in one bucket of one kind and of one person; the sums are the items' sums.
    for totals in (found.by_kind, found.by_whom):
        assert sum(total.count for total in totals.values()) == len(found.items)
    assert sum(found.whole.sums["CNY"]) == sum(item.amount_minor or 0 for item in found.items)
    # The spreadsheet: text is no formula, money is a number, the last row adds up.
    sheet = ageing_sheet(found)
    path = tmp_path / "a.xlsx"
    path.write_bytes(written(sheet, "xlsx"))
    page = openpyxl.load_workbook(path).worksheets[0]
    rows = list(page.iter_rows(min_row=2, values_only=True))
    assert rows[-1][-2] == sum(row[-2] or 0 for row in rows[:-1]) == sum(found.whole.sums["CNY"]) / 100
    assert page.cell(2, 12).number_format == "#,##0.00"
    cells = list(csv.reader(io.StringIO(written(sheet, "csv").decode("utf-8-sig"))))
    assert cells[-1][-2] == f"{sum(found.whole.sums['CNY']) / 100:.2f}"
    assert not [cell for row in cells for cell in row if cell.startswith(("=", "+", "@"))]
