"""One page answers where the money is: to each reader what is theirs to know, and nothing that is not."""

from __future__ import annotations

import re
from datetime import timedelta

from tests.web.conftest import Site

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
    assert "4 of 10 conditions are not met" in officer and "a look at the books" in officer
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
