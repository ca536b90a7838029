"""Who is away gives a duty to a colleague on a page, and the colleague takes it on theirs."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from milepost.actions import Actor, perform
from tests.web.conftest import PASSWORD, Site, message_codes


def test_a_duty_is_given_and_taken_on_a_page(site: Site) -> None:
    world = site.world
    away, colleague = world.people["finance_officer"][0], world.people["programme_officer"][1]
    giver, taker = site.reader(away, "en"), site.reader(colleague, "en")
    today = world.clock.today()
    asked = {
        "programme_id": str(world.published.id),
        "office_path": "/",
        "delegate_id": str(colleague.id),
        "role": "finance_officer",
        "duty": "approve",
        "from_on": today.isoformat(),
        "until_on": (today + timedelta(days=3)).isoformat(),
        "reason": "leave",
    }
    form = giver.get("/steps/delegation.grant").text
    assert str(colleague.id) in form and "Delegate" in form
    answer = giver.take("delegation.grant", None, **asked)
    assert answer.status_code == 303, answer.text
    id = world.value("SELECT id FROM delegation")
    page = taker.get("/delegations").text
    assert f"delegation-{id}" in page and "delegation.accept" in page and "leave" in page
    assert taker.take("delegation.accept", id).status_code == 303
    assert "delegation.revoke" in giver.get("/delegations").text
    stranger = site.reader(world.people["finance_officer"][1], "en")
    assert f"delegation-{id}" not in stranger.get("/delegations").text
    assert site.reader(world.people["applicant"][0], "en").get("/delegations").status_code == 404


def delegated(site: Site) -> tuple[UUID, UUID, UUID]:
    """An approved payment, the delegation of a finance officer to a programme officer, the delegator."""
    world = site.world
    _, payment = world.payment_at("approved")
    away = site.person("away", "finance_officer", office_path="/")
    colleague = world.people["programme_officer"][1]
    asked = {
        "programme_id": str(world.published.id),
        "office_path": "/",
        "delegate_id": str(colleague.id),
        "role": "finance_officer",
        "duty": "every",
        "from_on": world.clock.today().isoformat(),
        "until_on": (world.clock.today() + timedelta(days=3)).isoformat(),
        "reason": "leave",
    }
    with world.database.session() as session:
        id = perform(session, away, "delegation.grant", None, asked, "grant").subject_id
        perform(session, colleague, "delegation.accept", id, {}, "accept")
    return payment, id, away.id


def test_a_delegate_releases_after_a_log_in_of_their_own(site: Site) -> None:
    """Nobody else's password and no log-in of hours ago will do; the list says for whom it would be done."""
    payment, _, away = delegated(site)
    taker = site.reader(site.world.people["programme_officer"][1], "en")
    listed = taker.get("/").text
    assert "Name of away" in listed and f"/payments/{payment}" in listed
    found = taker.api("GET", "/work").json()["items"]
    assert [(i["noun"], i["behalf"]) for i in found if i["subject_id"] == str(payment)] == [
        ("payment", ["Name of away"])
    ]
    site.minutes.advance(timedelta(hours=1))
    form = taker.form("payment.release", payment)
    assert "password" in taker.get(f"/steps/payment.release/{payment}").text
    stale = taker.send("payment.release", payment, form)
    assert message_codes(stale.text) == ["fresh_login_needed"]
    assert taker.send("payment.release", payment, {**form, "password": "not it"}).status_code == 403
    # The delegator logs in afresh meanwhile: that is theirs, and opens nothing to anybody else.
    site.reader(Actor(away))
    assert message_codes(taker.send("payment.release", payment, form).text) == ["fresh_login_needed"]
    assert taker.send("payment.release", payment, {**form, "password": PASSWORD}).status_code == 303
    assert site.world.value("SELECT state FROM payment WHERE id = %s", payment) == "released"
    page = site.reader(site.world.people["supervisor"][0], "en").get(f"/payments/{payment}").text
    assert "for Name of away" in page


def test_a_form_that_lay_open_when_the_delegation_ended_says_so(site: Site) -> None:
    payment, id, away = delegated(site)
    taker = site.reader(site.world.people["programme_officer"][1], "en")
    form = taker.form("payment.release", payment)
    with site.database.session() as session:
        perform(session, Actor(away), "delegation.revoke", id, {"reason": "back"}, "revoke")
    answer = taker.send("payment.release", payment, form)
    assert (answer.status_code, message_codes(answer.text)) == (403, ["delegation_withdrawn"])
    assert "Name of away" in answer.text
    api = taker.api(
        "POST", f"/payment/{payment}/steps/payment.release", json={}, headers={"idempotency-key": "x"}
    )
    assert api.status_code == 403 and api.json()["refusals"][0]["code"] == "delegation_withdrawn"
    assert site.world.value("SELECT state FROM payment WHERE id = %s", payment) == "approved"
