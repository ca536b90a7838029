"""Finance sees what is owed, how old it is and what came in; a grantee prints the demand for their own."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from uuid import UUID

import pytest

from milepost.bank.simulated_files import FileBank, write_answers
from milepost.work.reconciliation import reconcile_folder
from states.case import SYSTEM_ID
from states.reference import spaced
from tests.invariants.town_receivable import BASIS
from tests.web.conftest import Site
from tests.work.files_scene import DEBTOR, desk_in

AMOUNT = 100_050


def owed(site: Site, days: int = 30) -> tuple[UUID, UUID]:
    """A project that owes something, and what."""
    world = site.world
    project, _ = world.payment_at("settled")
    due = (world.clock.today() + timedelta(days=days)).isoformat()
    given = {"amount_minor": AMOUNT, "due_on": due, **BASIS}
    made = world.take("programme_officer", "receivable.establish", project, **given).subject_id
    world.take("finance_officer", "receivable.confirm", made)
    return project, made


def test_what_is_owed_ages_by_band_for_those_who_answer_for_money(site: Site) -> None:
    project, made = owed(site)
    finance = site.the("finance_officer")
    shown = finance.get("/receivables").text
    assert 'data-band="not_due">1,000.50 CNY<' in shown and f"/projects/{project}#receivable-{made}" in shown
    site.world.clock.set(site.world.clock.today() + timedelta(days=30 + 31))
    shown = finance.get("/receivables").text
    assert 'late" data-label="31–60 days late" data-band="late_60">1,000.50 CNY<' in shown
    sheet = finance.get("/receivables/ageing.xlsx")
    assert sheet.status_code == 200 and sheet.content[:2] == b"PK"
    text = finance.get("/receivables/ageing.csv").content.decode("utf-8-sig")
    assert "1000.50" in text and text.count("\n") >= 2
    stranger = site.reader(site.stranger("finance_officer"))
    assert "1,000.50" not in stranger.get("/receivables").text
    assert stranger.get(f"/receivables/{made}/demand").status_code == 404


def test_a_grantee_prints_the_demand_in_both_languages_with_capitals_and_reference(site: Site) -> None:
    _, made = owed(site)
    page = site.the("applicant").get(f"/receivables/{made}/demand").text
    reference = site.world.value("SELECT reference FROM receivable WHERE id = %s", made)
    assert "退款通知书" in page and "Demand for repayment" in page
    assert "人民币壹仟元伍角" in page and "1,000.50 CNY" in page
    assert reference[:4] in page and reference[-4:] in page
    assert site.the("expert").get(f"/receivables/{made}/demand").status_code == 404


def test_a_credit_without_a_reference_is_offered_for_what_it_probably_is(site: Site, tmp_path) -> None:  # type: ignore[no-untyped-def]
    _, made = owed(site)
    world, desk = site.world, desk_in(tmp_path)
    bank = FileBank(tmp_path / "books.sqlite", account=DEBTOR.account.number)
    today = world.clock.today()
    bank.credit(AMOUNT, "CNY", today, "no reference given", name="Glass Works", account="622200011122")
    write_answers(desk.inbox, bank.statements(today))
    reconcile_folder(world.database, desk, by=SYSTEM_ID)
    finance = site.the("finance_officer")
    shown = finance.get("/receivables").text
    entry = shown.split("?entry_id=")[1].split('"')[0]
    assert f"/steps/receivable.receive/{made}?entry_id={entry}" in shown
    form = finance.get(f"/steps/receivable.receive/{made}?entry_id={entry}").text
    assert f'value="{entry}" selected' in form
    assert "no reference given" not in site.the("programme_officer").get("/receivables").text
    elsewhere = site.reader(site.stranger("finance_officer")).get("/receivables")
    assert elsewhere.status_code == 200 and "no reference given" not in elsewhere.text
    taken = finance.take("receivable.receive", made, entry_id=entry, password="correct horse")
    assert taken.status_code == 303
    assert "no reference given" not in finance.get("/receivables").text
    assert world.value("SELECT state FROM receivable WHERE id = %s", made) == "settled"
    demand = finance.get(f"/receivables/{made}/demand").text
    assert '<strong class="sum">0.00 CNY</strong>' in demand, "nothing is left to pay"


def test_a_statement_of_the_simulated_bank_brings_a_refund_by_its_reference(site: Site, tmp_path) -> None:  # type: ignore[no-untyped-def]
    project, made = owed(site)
    world, desk = site.world, desk_in(tmp_path)
    bank = FileBank(tmp_path / "books.sqlite", account=DEBTOR.account.number)
    reference = world.value("SELECT reference FROM receivable WHERE id = %s", made)
    today = world.clock.today()
    bank.credit(AMOUNT - 50, "CNY", today, f"退款 {reference.lower()}", name="Glass Works")
    answers = bank.statements(today)
    write_answers(desk.inbox, answers)
    assert reconcile_folder(world.database, desk, by=SYSTEM_ID).received == {"receivable.receive": 1}
    write_answers(desk.inbox, [answers[0].__class__("again.xml", answers[0].content + b"<!-- -->\n")])
    assert reconcile_folder(world.database, desk, by=SYSTEM_ID).received == {}
    page = site.the("applicant").get(f"/projects/{project}").text
    assert "1,000.00 CNY" in page and "0.50 CNY" in page and f'id="receivable-{made}"' in page


@pytest.mark.parametrize("role", ["applicant", "supervisor", "programme_officer", "administrator"])
def test_only_finance_confirms_or_receives(site: Site, role: str) -> None:
    project, made = owed(site)
    page = site.the(role).get(f"/projects/{project}").text
    for step in ("receive", "write_off", "grant_instalments"):
        assert f"/steps/receivable.{step}/{made}" not in page


def test_the_ageing_is_a_workbook_with_each_receivable(site: Site) -> None:
    from openpyxl import load_workbook

    owed(site)
    book = load_workbook(BytesIO(site.the("finance_officer").get("/receivables/ageing.xlsx").content))
    each = list(book.worksheets[1].iter_rows(values_only=True))
    assert str(each[1][0]).startswith("RF") and "1000.50" in map(str, each[1])


def test_gross_set_off_and_net_stand_on_every_paper_and_before_whoever_agrees(site: Site) -> None:
    world = site.world
    project, made = owed(site)
    payment = world.value(
        "SELECT y.id FROM payment y WHERE y.project_id = %s AND y.state IN ('planned', 'due') LIMIT 1",
        project,
    )
    gross = int(world.value("SELECT amount_minor FROM payment WHERE id = %s", payment))
    finance = site.the("finance_officer")
    form = finance.get(f"/steps/receivable.propose_set_off/{made}").text
    assert 'value="1000.50"' in form and f'value="{payment}"' in form
    given = {"payment_id": str(payment), "amount_minor": AMOUNT, "grounds": "agreement, art. 12"}
    world.take("programme_officer", "receivable.propose_set_off", made, **given)
    net = f"{(gross - AMOUNT) / 100:,.2f} CNY"
    asked = finance.get(f"/steps/receivable.agree_set_off/{made}").text
    assert net in asked and "1,000.50 CNY" in asked and "agreement, art. 12" in asked
    world.take("finance_officer", "receivable.agree_set_off", made)
    reference = spaced(str(world.value("SELECT reference FROM receivable WHERE id = %s", made)))
    for path in (f"/payments/{payment}", f"/projects/{project}"):
        page = finance.get(path).text
        assert reference in page and net in page and "1,000.50 CNY" in page
    assert "art. 12" not in site.the("expert").get(f"/steps/receivable.agree_set_off/{made}").text


def test_what_waits_for_a_second_person_stands_in_finance_s_work(site: Site) -> None:
    world = site.world
    project, _ = world.payment_at("settled")
    due = (world.clock.today() + timedelta(days=30)).isoformat()
    given = {"amount_minor": AMOUNT, "due_on": due, **BASIS}
    made = world.take("programme_officer", "receivable.establish", project, **given).subject_id
    page = site.the("finance_officer").get("/").text
    reference = world.value("SELECT reference FROM receivable WHERE id = %s", made)
    assert spaced(reference) in page and f"/projects/{project}#receivable-{made}" in page
    assert "1,000.50 CNY" in page and "Confirm" in page
    assert reference not in site.the("counsel").get("/").text
