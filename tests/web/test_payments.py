"""One page answers where the money is: to each reader what is theirs to know, and nothing that is not."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from milepost import people
from milepost.bank.simulated_files import FileBank, Misbehaviour, write_answers
from milepost.calendar import is_working_day
from milepost.mail.facts import load_letters
from milepost.mail.templates import render
from milepost.work.batches import carry_on
from milepost.work.reconciliation import reconcile_folder
from tests.web.conftest import Site
from tests.work.files_scene import desk_in

ACCOUNT = "6222000011112222"


def gates(html: str, how: str) -> set[str]:
    """The gates that a page shows as open or as shut."""
    return set(re.findall(rf'<li class="{how}" data-gate="(\w+)"', html))


def test_a_payment_that_waits_says_what_for_since_when_and_who_can_act(site: Site) -> None:
    world = site.world
    project_id = world.project_at("implementation")
    payment_id = world.payments(project_id)[0]
    world.take(world.people["supervisor"][0], "project.place_hold", project_id, reason="a look at the books")
    officer = site.the("programme_officer").get(f"/payments/{payment_id}").text
    assert gates(officer, "shut") == {
        "milestone_accepted",
        "required_reviews_done",
        "no_hold",
        "payee_verified",
    }
    assert {"agreement_signed", "notice_ended", "appropriation_available"} <= gates(officer, "open")
    asked = len(gates(officer, "open")) + 4
    assert f"4 of {asked} conditions are not met" in officer and "a look at the books" in officer
    due = world.value(
        "SELECT due_on FROM milestone WHERE project_id = %s ORDER BY number LIMIT 1", project_id
    )
    assert f"{due.day} " in officer and "counsel 1" in officer and "supervisor 1" in officer
    signed = world.value(
        "SELECT encode(hash, 'hex') FROM event WHERE chain_id = %s AND step = 'project.sign_agreement'",
        project_id,
    )
    assert signed in officer
    # To the applicant the office speaks by its roles; what is theirs to do comes first.
    applicant = site.the("applicant").get(f"/payments/{payment_id}").text
    turn = applicant.split('class="turn"')[1].split("</div>")[0]
    assert "payee account" in turn and "on hold" not in turn
    assert "supervisor 1" not in applicant and "counsel 1" not in applicant
    assert "in the ledger" not in applicant and "Who did what" not in applicant


def test_a_payment_that_was_paid_shows_duties_ledger_and_seal_to_those_who_may(site: Site) -> None:
    world = site.world
    _, payment_id = world.payment_at("settled")
    readers = {
        role: site.the(role).get(f"/payments/{payment_id}").text
        for role in ("finance_officer", "supervisor", "applicant")
    }
    finance, supervisor, applicant = readers.values()
    reference = world.value("SELECT bank_reference FROM payment WHERE id = %s", payment_id)
    assert all(reference in page and "ending in 2222" in page for page in readers.values())
    assert ACCOUNT in finance and ACCOUNT not in supervisor and ACCOUNT in applicant
    for name in ("finance officer 1", "finance officer 2", "finance officer 3"):
        assert name in finance.split('id="duties"')[1] and name not in applicant
    legs = finance.split('id="ledger"')[1].split("</section>")[0]
    assert legs.count("<tr>") == 5 and "Payable, on its way" in legs
    hashes = [
        row[0]
        for row in world.rows("SELECT encode(hash, 'hex') FROM event WHERE subject_id = %s", payment_id)
    ]
    assert all(one in finance for one in hashes)
    assert not gates(finance, "shut") and "all met when it went to the bank" in finance
    assert "Tonight" in finance
    way = re.findall(r'<li class="(\w+)"[^>]*><strong>', finance.split('class="way"')[1].split("</ol>")[0])
    assert way == ["past"] * 7, "planned, due, requested, approved, released, with the bank, settled"


def test_a_returned_payment_leads_to_the_next_attempt_and_back(site: Site) -> None:
    world = site.world
    _, payment_id = world.payment_at("returned")
    after = world.value(
        "SELECT b.id FROM payment a JOIN payment b USING (tranche_id) WHERE a.id = %s AND b.attempt = 2",
        payment_id,
    )
    reader = site.the("applicant")
    assert f"/payments/{after}" in reader.get(f"/payments/{payment_id}").text
    assert f"/payments/{payment_id}" in reader.get(f"/payments/{after}").text


def test_who_waits_for_whom_is_named_and_late_is_said(site: Site) -> None:
    world = site.world
    _, payment_id = world.payment_at("requested")
    world.clock.set(world.clock.today() + timedelta(days=30))
    page = site.the("finance_officer").get(f"/payments/{payment_id}").text
    answer = page.split('id="answer"')[1].split("</section>")[0]
    assert "finance officer 2" in answer and "overdue" in answer
    assert 'data-step="payment.approve"' in answer and "requester already" in answer, (
        "the reader requested it"
    )
    second = site.the("finance_officer", 1)
    assert f'href="/steps/payment.approve/{payment_id}"' in second.get(f"/payments/{payment_id}").text
    assert f'href="/payments/{payment_id}"' in second.get("/").text, "the work list leads here"


def test_papers_exist_once_they_have_ground_and_for_those_who_may_see_them(site: Site) -> None:
    world = site.world
    _, waiting = world.payment_at("due")
    _, approved = world.payment_at("approved")
    _, paid = world.payment_at("settled")
    expected = {
        "finance_officer": ("order:approved", "order:paid", "voucher:paid", "advice:paid"),
        "supervisor": ("order:approved", "order:paid", "voucher:paid", "advice:paid"),
        "applicant": ("advice:paid",),
        "evaluator": (),
    }
    ids = {"waiting": waiting, "approved": approved, "paid": paid}
    for role, papers in expected.items():
        reader = site.the(role)
        found = [
            f"{kind}:{which}"
            for which, id in ids.items()
            for kind in ("order", "voucher", "advice")
            if reader.get(f"/payments/{id}/papers/{kind}").status_code == 200
        ]
        assert set(found) == set(papers), role
    voucher = site.the("finance_officer", locale="zh").get(f"/payments/{paid}/papers/voucher").text
    head = world.value(
        "SELECT encode(hash, 'hex') FROM event WHERE subject_id = %s ORDER BY seq DESC LIMIT 1", paid
    )
    assert "人民币伍拾万元整" in voucher and ACCOUNT in voucher and head in voucher
    assert voucher.count("1,500,000.00元") == 2, "three posted legs, debits as credits"
    assert ACCOUNT not in site.the("supervisor").get(f"/payments/{paid}/papers/voucher").text
    advice = site.the("applicant").get(f"/payments/{paid}/papers/advice").text
    assert "Next comes payment 2, 500,000.00 CNY, after its milestone 2." in advice
    assert "finance officer" not in advice
    _mailed(site, paid)


def _mailed(site: Site, paid: UUID) -> None:
    """The grantee's mail says sum, capitals, last digits, reference, what for and what comes next."""
    applicant = site.world.people["applicant"][0].id
    with site.database.session() as session:
        people.set_locale(session, applicant, "zh")
        row = session.conn.execute(
            "SELECT m.id FROM message m JOIN event e ON e.chain_id = m.chain_id AND e.seq = m.event_seq "
            "WHERE m.template = 'payment_settled' AND m.recipient_id = %s AND e.subject_id = %s",
            (applicant, paid),
        ).fetchone()
        assert row is not None
        letter = load_letters(
            session.conn, [row[0]], today=site.world.clock.today(), public_url="https://office.example"
        )[0]
    subject, body = render(letter.locale, letter.template, letter.values)
    reference = site.world.value("SELECT bank_reference FROM payment WHERE id = %s", paid)
    today = site.world.clock.today()
    assert f"https://office.example/payments/{paid}\n" in body
    assert "已到账：500,000.00元" in subject and ACCOUNT not in body
    for part in (
        f"已于 {today.year}年{today.month}月{today.day}日 付出",
        "人民币伍拾万元整",
        "尾号 2222",
        f"银行流水号：{reference}",
        "里程碑 1“里程碑 1”通过",
        "下一笔是第 2 笔，500,000.00元，里程碑 2 通过后拨付",
    ):
        assert part in body, (part, body)


def test_what_the_bank_said_of_it_is_for_those_who_read_the_bank(site: Site, tmp_path: Path) -> None:
    world = site.world
    _, payment_id = world.payment_at("released")
    while not is_working_day(world.clock.today())[0]:
        world.clock.advance(timedelta(days=1))
    finance = world.people["finance_officer"]
    asked = {
        "programme_id": str(world.published.id),
        "currency": "CNY",
        "execution_on": world.clock.today().isoformat(),
    }
    batch = world.take(finance[0], "batch.make", None, **asked).subject_id
    world.take(finance[1], "batch.hand_over", batch)
    desk, bank = desk_in(tmp_path / "bank"), FileBank(tmp_path / "books.sqlite", Misbehaviour())
    carry_on(world.database, desk)
    bank.take_folder(desk.out, world.clock.today())
    write_answers(desk.inbox, [*bank.reports(world.clock.today()), *bank.statements(world.clock.today())])
    reconcile_folder(world.database, desk)
    reader = site.the("finance_officer")
    shown = reader.get(f"/payments/{payment_id}").text
    part = shown.split('id="bank"')[1].split("</section>")[0]
    reference = world.value("SELECT bank_reference FROM payment WHERE id = %s", payment_id)
    assert f"/bank/batches/{batch}" in part and reference in part
    assert "Statement: paid out" in part and "entered in our books" in part
    officer = site.the("programme_officer").get(f"/payments/{payment_id}").text
    assert 'id="bank"' not in officer and f"/bank/batches/{batch}" not in officer and reference in officer
    assert f'href="/payments/{payment_id}"' in reader.get(f"/bank/batches/{batch}").text


def test_the_page_says_who_still_may_approve_and_what_undid_an_approval(site: Site) -> None:
    world = site.world
    project_id, payment_id = world.payment_at("approved")
    page = site.the("finance_officer").get(f"/payments/{payment_id}").text
    card = page.split('id="approvals"')[1].split("</section>")[0]
    assert "1 / 1" in card and "finance officer 2" in card and "Missing" not in card
    world.take(world.people["finance_officer"][2], "payment.send_back", payment_id, reason="wrong year")
    newest = world.payments(project_id)[0]
    page = site.the("supervisor").get(f"/payments/{newest}").text
    card = page.split('id="approvals"')[1].split("</section>")[0]
    assert "Undone" in card and "finance officer 2" in card and "wrong year" in card
    assert 'id="approvals"' not in site.the("applicant").get(f"/payments/{newest}").text
