"""Figures over many projects are right, for those who see budgets, the same as page and as spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

from milepost.queries.forecast import planned_tranches
from tests.web.conftest import Site


def test_ageing_and_forecast_show_what_the_records_say(site: Site) -> None:
    world = site.world
    paid_project, paid = world.payment_at("settled")
    waiting_project, _ = world.payment_at("requested")
    late = world.milestone_at("overdue")
    world.clock.advance(timedelta(days=12))
    with site.database.session() as session:
        plans = {plan.id: plan for plan in planned_tranches(session, None)}
        mine = planned_tranches(session, world.people["applicant"][0].id)
    assert len(plans) == 6 and mine == []
    settled = plans[world.value("SELECT tranche_id FROM payment WHERE id = %s", paid)]
    accepted, paid_on = world.rows(
        "SELECT m.decided_on, y.settled_on FROM payment y JOIN milestone m ON m.id = y.milestone_id "
        "WHERE y.id = %s",
        paid,
    )[0]
    assert (settled.earned_on, settled.paid_on) == (accepted, paid_on)
    assert settled.ready_on is not None and settled.due_on is not None
    finance, applicant = site.the("finance_officer"), site.the("applicant")
    for path in ("/ageing", "/forecast", "/ageing/sheet.csv", "/forecast/sheet.xlsx"):
        assert applicant.get(path).status_code == 404
        assert finance.get(path).status_code == 200
    ageing = finance.get("/ageing").text
    codes = dict(world.rows("SELECT id, code FROM project"))
    assert codes[waiting_project] in ageing and codes[paid_project] not in ageing
    assert f"#milestone-{late}" in ageing and "days overdue" in ageing and "<svg xmlns" in ageing
    forecast = finance.get("/forecast").text
    assert "2,500,000.00 CNY" in forecast, "six tranches of 500,000, one of them paid"
    assert "There are few cases so far" in forecast and 'role="img"' in forecast and "<desc" in forecast
    rows = list(csv.reader(io.StringIO(finance.get("/forecast/sheet.csv").content.decode("utf-8-sig"))))
    assert len(rows) == 1 + 3 * 12 + 1 and rows[-1][2] == "CNY"
    on_time = [row[7] for row in rows[1:13]]
    assert sum(float(cell) for cell in on_time) == 2_500_000
    elsewhere = finance.get("/forecast", params={"office": "/nowhere/"}).text
    assert "Nothing is planned and unpaid" in elsewhere
