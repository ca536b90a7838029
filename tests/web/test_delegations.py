"""Who is away gives a duty to a colleague on a page, and the colleague takes it on theirs."""

from __future__ import annotations

from datetime import timedelta

from tests.web.conftest import Site


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
