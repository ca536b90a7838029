"""``perform`` does a step whole or not at all, answers a repetition as before, and says every reason.

M4: one request id, one effect, one answer. What comes in is checked before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.pq import TransactionStatus

from milepost.actions import Actor, perform
from states.case import SYSTEM_ID, account_id
from states.refusals import Refused
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import Town, person_id, programme_text


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found()
    made.vote()
    return made


@pytest.fixture(autouse=True)
def nothing_broken(town: Town) -> Iterator[None]:
    yield
    assert town.session.conn.info.transaction_status == TransactionStatus.IDLE
    assert faults(town.session.conn) == []


def refused(town: Town, who: str | Actor, step: str, subject: UUID | None, **input: Any) -> list[str]:
    """The codes of the refusal; nothing was written."""
    actor = town.people[who] if isinstance(who, str) else who
    before = town.one("SELECT count(*) FROM event")
    with pytest.raises(Refused) as caught:
        perform(town.session, actor, step, subject, input, town.next_request())
    assert town.one("SELECT count(*) FROM event") == before
    return [refusal.code for refusal in caught.value.refusals]


# One request, one answer ------------------------------------------------------------------------------


def test_a_repeated_request_answers_with_the_first_receipt(town: Town) -> None:
    project, officer = town.apply(), town.people["officer"]
    first = perform(town.session, officer, "project.place_hold", project, {"reason": "x"}, "again")
    town.take("officer", "project.place_hold", project, reason="y")
    second = perform(town.session, officer, "project.place_hold", project, {"reason": "x"}, "again")
    assert (first.repeated, second.repeated) == (False, True)
    assert replace(second, repeated=False) == first
    assert town.one("SELECT holds FROM project WHERE id = %s", project) == 2


def test_a_repeated_application_makes_one_project(town: Town) -> None:
    given = {
        "code": "ONCE",
        "title": "t",
        "programme_id": str(town.programme.id),
        "office_path": "/",
        "unit_name": "u",
        "leader_name": "l",
        "requested_minor": 5,
        "currency": "CNY",
    }
    receipts = [
        perform(town.session, town.people["unit"], "project.apply", None, given, "once") for _ in range(3)
    ]
    assert len({receipt.hash for receipt in receipts}) == 1
    assert town.one("SELECT count(*) FROM project WHERE code = 'ONCE'") == 1


@pytest.mark.parametrize("change", ["input", "step", "subject"])
def test_a_request_id_used_for_something_else_is_refused(town: Town, change: str) -> None:
    project, officer, id = town.apply(), town.people["officer"], f"reused-{change}"
    perform(town.session, officer, "project.place_hold", project, {"reason": "x"}, id)
    step = "project.withdraw" if change == "step" else "project.place_hold"
    subject = town.apply() if change == "subject" else project
    reason = "y" if change == "input" else "x"
    with pytest.raises(Refused) as caught:
        perform(town.session, officer, step, subject, {"reason": reason}, id)
    assert [refusal.code for refusal in caught.value.refusals] == ["request_reused"]


def test_a_request_id_belongs_to_its_actor(town: Town) -> None:
    project = town.apply()
    for who in ("officer", "officer2", "supervisor"):
        perform(town.session, town.people[who], "project.place_hold", project, {"reason": "x"}, "mine")
    assert town.one("SELECT holds FROM project WHERE id = %s", project) == 3


def test_a_refused_request_may_be_asked_again_under_its_id(town: Town) -> None:
    """A refusal leaves nothing behind, so it is not remembered: what was wrong may be put right meanwhile."""
    project = town.apply()
    with pytest.raises(Refused):
        perform(town.session, town.people["unit"], "project.submit", project, {}, "later")
    town.take("unit", "project.sign_unit_pledge", project)
    town.take("lead", "project.sign_leader_pledge", project)
    receipt = perform(town.session, town.people["unit"], "project.submit", project, {}, "later")
    assert (receipt.state, receipt.repeated) == ("completeness_check", False)


def test_the_answer_to_a_repetition_survives_a_lost_role(town: Town, found: Found) -> None:
    """Who asks again learns what was done, even when it may not be done any more."""
    project = town.apply()
    first = town.take("unit", "project.withdraw", project, reason="x")
    again = perform(
        town.session, town.people["unit"], "project.withdraw", project, {"reason": "x"}, first.request_id
    )
    assert again.hash == first.hash


@pytest.mark.parametrize("request_id", ["", None])
def test_a_step_without_a_request_id_is_a_mistake_of_the_caller(town: Town, request_id: Any) -> None:
    with pytest.raises(ValueError, match="request_id"):
        perform(
            town.session, town.people["officer"], "project.place_hold", uuid4(), {"reason": "x"}, request_id
        )


# What comes in ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", ["", "   ", "x" * 4001, None, 7, ["x"], {"x": 1}, "nul\x00byte", "half \ud800 pair"]
)
def test_a_reason_that_is_none_is_refused(town: Town, reason: Any) -> None:
    assert refused(town, "officer", "project.place_hold", town.apply(), reason=reason) == ["input_invalid"]


@pytest.mark.parametrize(
    "amount", [0, -1, 1.5, "12,0", "many", None, 10**16, 2**63, 10**40, True, float("nan"), float("inf")]
)
def test_an_amount_that_is_none_is_refused(town: Town, amount: Any) -> None:
    given = {"programme_id": str(town.programme.id), "fiscal_year": 2040, "currency": "CNY"}
    assert refused(town, "finance1", "appropriation.propose", None, **given, amount_minor=amount) == [
        "input_invalid"
    ]


@pytest.mark.parametrize("currency", ["", "cny", "RMB!", "¥", "C", None, 1, "CNYCNY"])
def test_a_currency_that_is_none_is_refused(town: Town, currency: Any) -> None:
    given = {"programme_id": str(town.programme.id), "fiscal_year": 2040, "amount_minor": 5}
    assert refused(town, "finance1", "appropriation.propose", None, **given, currency=currency) == [
        "input_invalid"
    ]


@pytest.mark.parametrize("day", ["2025-02-30", "tomorrow", "", None, "03/04/2025", "99999-01-01"])
def test_a_day_that_is_none_is_refused(town: Town, day: Any) -> None:
    milestone = town.milestones(town.funded())[0]
    assert refused(town, "officer", "milestone.extend", milestone, due_on=day, reason="x") == [
        "input_invalid"
    ]


@pytest.mark.parametrize("programme", [None, "", "x", 7, str(UUID(int=7)), "city-milestone-subsidy"])
def test_a_programme_that_is_none_is_refused(town: Town, programme: Any) -> None:
    assert refused(town, "unit", "project.apply", None, programme_id=programme) == ["programme_unknown"]


def test_what_was_not_asked_for_is_refused(town: Town) -> None:
    project = town.apply()
    codes = refused(town, "officer", "project.place_hold", project, reason="x", award_minor=10**9)
    assert codes == ["input_invalid"]


def test_every_field_that_is_wrong_is_named(town: Town) -> None:
    with pytest.raises(Refused) as caught:
        town.take("unit", "payee.enter", town.apply(), account_name="", account_no="?", bank_name=None)
    for name in ("account_name", "account_no", "bank_name"):
        assert name in caught.value.refusals[0].fact("en")


def test_every_reason_is_told_at_once(town: Town) -> None:
    codes = refused(town, "unit", "project.submit", town.apply())
    assert codes == ["pledge_unit_missing", "pledge_leader_missing"]


def test_a_stale_page_a_wrong_state_and_a_wrong_input_are_told_together(town: Town) -> None:
    project = town.apply()
    with pytest.raises(Refused) as caught:
        perform(
            town.session,
            town.people["officer"],
            "project.close",
            project,
            {"x": 1},
            "all",
            expected_version=9,
        )
    assert [r.code for r in caught.value.refusals] == ["stale_page", "wrong_state", "input_invalid"]


def test_a_large_count_is_refused_and_a_large_sum_is_kept(town: Town) -> None:
    project = town.funded()
    milestone = town.milestones(project)[0]
    codes = refused(town, "unit", "milestone.report", milestone, report="x", deliverables=10**12)
    assert codes == ["input_invalid"]
    noticed = town.apply()
    town.advance(noticed, "public_notice")
    notice = town.take("officer", "notice.publish", noticed, proposed_minor=9_000_000_000_000_000).subject_id
    assert town.one("SELECT proposed_minor FROM notice WHERE id = %s", notice) == 9_000_000_000_000_000


def test_a_code_that_is_taken_is_refused(town: Town) -> None:
    town.apply(code="TAKEN")
    with pytest.raises(Refused) as caught:
        town.apply(code="TAKEN")
    assert [r.code for r in caught.value.refusals] == ["exists_already"]


def test_a_years_money_is_voted_once(town: Town) -> None:
    town.vote(year=2061)
    with pytest.raises(Refused) as caught:
        town.vote(year=2061)
    assert [r.code for r in caught.value.refusals] == ["exists_already"]


# What is named must be there and fit ------------------------------------------------------------------


def test_a_call_of_another_programme_or_of_none_is_refused(town: Town, found: Found) -> None:
    other = town.publish(programme_text("small-grants"))
    with pytest.raises(Refused) as caught:
        town.apply(call_id=str(uuid4()))
    assert [r.code for r in caught.value.refusals] == ["call_differs"]
    call = town.stand("call", "open")
    assert town.state("project", town.apply(call_id=str(call))) == "application"
    with pytest.raises(Refused) as caught:
        town.apply(programme=other, call_id=str(call))
    assert [r.code for r in caught.value.refusals] == ["call_differs"]


def test_a_task_is_replaced_only_within_its_round(town: Town) -> None:
    first, second = town.stand("task", "invited"), town.stand("task", "invited")
    round = town.one("SELECT round_id FROM task WHERE id = %s", first)
    expert = str(person_id("expert2"))
    for strange in (second, uuid4()):
        codes = refused(town, "officer", "task.invite", round, expert_id=expert, replaces=str(strange))
        assert codes == ["task_not_in_round"]
    town.take("officer", "task.invite", round, expert_id=expert, replaces=str(first))
    assert town.state("task", first) == "replaced"
    assert town.state("task", second) == "invited"


def test_a_report_names_documents_that_were_handed_in(town: Town) -> None:
    milestone = town.milestones(town.funded())[0]
    codes = refused(town, "unit", "milestone.report", milestone, report="x", documents=["a" * 64])
    assert codes == ["document_missing"]
    town.session.conn.execute(
        "INSERT INTO document (sha256, name, media_type, content, uploaded_by, uploaded_at) "
        "VALUES (%s, 'r.pdf', 'application/pdf', 'x', %s, now()) ON CONFLICT DO NOTHING",
        ("a" * 64, person_id("unit")),
    )
    town.take("unit", "milestone.report", milestone, report="x", documents=["a" * 64])


@pytest.mark.parametrize("subject", [None, UUID(int=7)], ids=["none", "unknown"])
def test_what_does_not_exist_is_not_found(town: Town, subject: UUID | None) -> None:
    for step in ("project.approve", "payment.request", "task.accept", "payee.enter", "objection.file"):
        assert refused(town, "officer", step, subject) == ["not_found"], step


def test_a_subject_of_another_noun_is_not_found(town: Town) -> None:
    assert refused(town, "officer", "milestone.waive", town.apply(), reason="x") == ["not_found"]


# Who acts ---------------------------------------------------------------------------------------------


def test_a_disabled_person_is_told_so_and_does_nothing(town: Town) -> None:
    project = town.apply()
    town.session.conn.execute("UPDATE person SET active = false WHERE login = 'officer2'")
    assert refused(town, "officer2", "project.place_hold", project, reason="x") == ["person_inactive"]
    assert refused(town, "officer2", "project.approve", uuid4()) == ["not_found"]
    town.session.conn.execute("UPDATE person SET active = true WHERE login = 'officer2'")
    town.take("officer2", "project.place_hold", project, reason="x")


def test_a_disabled_expert_is_not_invited(town: Town) -> None:
    round = town.stand("round", "open")
    town.session.conn.execute("UPDATE person SET active = false WHERE login = 'expert7'")
    codes = refused(town, "officer", "task.invite", round, expert_id=str(person_id("expert7")))
    assert codes == ["not_an_evaluator"]


def test_a_role_taken_back_ends_at_the_next_step(town: Town) -> None:
    project = town.apply()
    grant = town.grant("nobody", "programme_officer", "/city/")
    town.take("nobody", "project.place_hold", project, reason="x")
    town.session.conn.execute("UPDATE role_grant SET revoked_at = now() WHERE id = %s", (grant,))
    assert refused(town, "nobody", "project.place_hold", project, reason="x") == ["not_found"]


@pytest.mark.parametrize(("office", "sees"), [("/city/", True), ("/city/north/", False), ("/other/", False)])
def test_a_role_reaches_as_far_as_its_office(town: Town, office: str, sees: bool) -> None:
    who = Actor(uuid4())
    login = f"clerk{office}"
    town.session.conn.execute(
        "INSERT INTO person (id, login, name, email, locale, active) VALUES (%s, %s, 'c', '', 'zh', true)",
        (who.id, login),
    )
    town.session.conn.execute(
        "INSERT INTO role_grant (id, person_id, role, office_path, granted_at) "
        "VALUES (%s, %s, 'programme_officer', %s, now())",
        (uuid4(), who.id, office),
    )
    project = town.apply()
    if sees:
        perform(town.session, who, "project.place_hold", project, {"reason": "x"}, login)
    else:
        assert refused(town, who, "project.place_hold", project, reason="x") == ["not_found"]


def test_nobody_without_a_role_learns_which_steps_there_are(town: Town) -> None:
    for subject in (town.apply(), uuid4()):
        assert refused(town, "nobody", "project.fly", subject) == ["not_found"]


def test_releasing_needs_a_password_typed_a_moment_ago(town: Town) -> None:
    payment = town.payment("approved")
    tired = Actor(person_id("finance3"), fresh=False)
    assert refused(town, tired, "payment.release", payment) == ["fresh_login_needed"]
    town.take("finance3", "payment.release", payment)


# Money ------------------------------------------------------------------------------------------------


def balance(town: Town, kind: str, project: UUID) -> tuple[int, int]:
    """Posted and pending of an account, credits less debits."""
    row = town.all(
        "SELECT credits_posted - debits_posted, credits_pending - debits_pending FROM account WHERE id = %s",
        account_id(kind, project, "CNY"),
    )[0]
    return int(row[0]), int(row[1])


@pytest.mark.parametrize(
    ("state", "commitment", "payable", "paid"),
    [
        ("due", (0, 0), 0, 0),
        ("requested", (0, 400_000), 0, 0),
        ("approved", (0, 400_000), 0, 0),
        ("released", (400_000, 0), 0, 0),
        ("instructed", (0, 0), 400_000, 0),
        ("unknown", (0, 0), 400_000, 0),
        ("settled", (0, 0), 0, 400_000),
        ("returned", (0, 0), 0, 0),
        ("void", (0, 0), 0, 0),
    ],
)
def test_the_money_stands_where_the_payment_does(
    town: Town, state: str, commitment: tuple[int, int], payable: int, paid: int
) -> None:
    project = town.funded()
    town.payment(state, project=project)
    assert balance(town, "commitment", project) == commitment
    assert balance(town, "payable", project) == (payable, 0)
    assert balance(town, "paid", project) == (paid, 0)


@pytest.mark.parametrize("state", ["requested", "approved", "released"])
def test_what_was_held_is_given_back_when_a_payment_is_voided(town: Town, state: str) -> None:
    project = town.funded()
    payment = town.payment(state, project=project)
    town.take("finance5", "payment.void", payment, reason="x")
    assert balance(town, "commitment", project) == (0, 0)
    assert town.state("payment", town.payments(project)[0]) == "planned"


def test_a_return_plans_the_next_attempt_and_the_money_is_there_again(town: Town) -> None:
    project = town.funded()
    town.payment("returned", project=project)
    town.payment("settled", project=project)
    assert town.one("SELECT max(attempt) FROM payment WHERE project_id = %s", project) == 2
    assert balance(town, "paid", project) == (400_000, 0)


def test_an_unknown_payment_is_settled_by_two_people_or_by_the_bank(town: Town) -> None:
    payment = town.payment("unknown")
    assert refused(town, "finance4", "payment.confirm", payment) == ["attestation_missing"]
    town.take("finance4", "payment.attest", payment, finding="returned", evidence="letter")
    assert refused(town, "finance4", "payment.confirm", payment) == ["four_eyes"]
    assert refused(town, "finance1", "payment.confirm", payment) == ["four_eyes"]
    assert town.take("finance5", "payment.confirm", payment).state == "returned"
    late = town.payment("unknown")
    assert town.take("system", "payment.settle", late, reference="B7").state == "settled"


def test_an_outcome_is_attested_once_and_who_disagrees_leaves_it_to_the_statement(town: Town) -> None:
    payment = town.payment("unknown")
    town.take("finance4", "payment.attest", payment, finding="returned", evidence="letter")
    for who in ("finance4", "finance5"):
        given = {"finding": "settled", "evidence": "a call"}
        assert "attestation_given" in refused(town, who, "payment.attest", payment, **given)
    assert town.take("system", "payment.settle", payment, reference="B8").state == "settled"


def test_what_was_attested_before_the_bank_proved_otherwise_counts_no_more(town: Town) -> None:
    payment = town.payment("unknown")
    town.take("finance4", "payment.attest", payment, finding="settled", evidence="letter")
    town.take("system", "payment.not_received", payment, reference="B9")
    town.take("system", "payment.instruct", payment)
    town.take("system", "payment.lose", payment)
    assert refused(town, "finance5", "payment.confirm", payment) == ["attestation_missing"]
    again = {"finding": "settled", "evidence": "letter"}
    assert refused(town, "finance5", "payment.attest", payment, **again) == ["attestation_given"]


def test_an_unknown_payment_is_never_sent_again(town: Town) -> None:
    payment = town.payment("unknown")
    assert refused(town, "system", "payment.instruct", payment) == ["wrong_state"]
    assert refused(town, "finance1", "payment.void", payment, reason="x") == ["wrong_state"]


def test_nobody_does_two_duties_of_a_payment(town: Town) -> None:
    payment = town.payment("due")
    # Who entered the account asks for nothing.
    assert refused(town, "finance7", "payment.request", payment) == ["four_eyes"]
    town.take("finance1", "payment.request", payment)
    for who in ("finance1", "finance7"):
        assert refused(town, who, "payment.approve", payment) == ["four_eyes"]
    town.take("finance2", "payment.approve", payment)
    for who, duty in (("finance1", "requester"), ("finance2", "approver"), ("finance7", "payee editor")):
        # The guard says which duty it was; the constraint behind it could not.
        with pytest.raises(Refused, match=f"this payment's {duty} already"):
            town.take(who, "payment.release", payment)
    town.take("finance3", "payment.release", payment)


def test_four_eyes_hold_whatever_roles_a_person_has(town: Town) -> None:
    payment = town.payment("requested")
    for role in ("administrator", "supervisor", "programme_officer"):
        town.grant("finance1", role)
    assert refused(town, "finance1", "payment.approve", payment) == ["four_eyes"]


def test_a_new_account_voids_what_was_asked_for_the_old_one(town: Town) -> None:
    project = town.funded()
    payment = town.payment("approved", project=project)
    town.payee(project, number="999999")
    assert town.state("payment", payment) == "void"
    again = town.payment("settled", project=project)
    assert again != payment
    number = town.one(
        "SELECT account_no FROM payee y JOIN payment p ON p.payee_id = y.id WHERE p.id = %s", again
    )
    assert number == "999999"


@pytest.mark.parametrize("verb", ["terminate", "revoke"])
def test_no_money_leaves_for_a_project_that_was_stopped(town: Town, verb: str) -> None:
    project = town.funded()
    payment = town.payment("released", project=project)
    town.take("officer", f"project.{verb}", project, reason="fraud")
    assert town.state("payment", payment) == "void"
    moving = town.payment("instructed")
    of = town.one("SELECT project_id FROM payment WHERE id = %s", moving)
    assert refused(town, "officer", f"project.{verb}", of, reason="x") == ["payments_unfinished"]


def test_a_hold_placed_after_the_approval_stops_the_release_and_the_bank(town: Town) -> None:
    project = town.funded()
    approved = town.payment("approved", project=project)
    town.take("supervisor", "project.place_hold", project, reason="a question")
    assert refused(town, "finance3", "payment.release", approved) == ["on_hold"]
    hold = town.one("SELECT id FROM hold WHERE project_id = %s", project)
    town.take("officer", "project.lift_hold", project, hold_id=str(hold), reason="answered")
    town.take("finance3", "payment.release", approved)
    town.take("supervisor", "project.flag_integrity", project, reason="found")
    assert refused(town, "system", "payment.instruct", approved) == ["integrity_flagged"]


# What is left behind ----------------------------------------------------------------------------------


def test_an_event_says_who_what_when_why_and_under_which_programme(town: Town) -> None:
    payment = town.payment("released")
    body = json.loads(
        bytes(town.one("SELECT body FROM event WHERE subject_id = %s AND step = 'payment.release'", payment))
    )
    assert body["actor"] == str(person_id("finance3"))
    assert (body["step"], body["from"], body["to"]) == ("payment.release", "approved", "released")
    assert body["programme"] == "city-milestone-subsidy:1"
    assert body["at"] == town.clock.now().isoformat()
    assert [t["kind"] for t in body["transfers"]] == ["post"]


def test_a_step_that_follows_names_its_cause_and_is_the_systems(town: Town) -> None:
    project = town.funded()
    payment = town.payment("approved", project=project)
    town.payee(project, number="888888")
    row = town.all(
        "SELECT actor_id, role, body FROM event WHERE subject_id = %s AND step = 'payment.void'", payment
    )[0]
    assert (row[0], row[1]) == (SYSTEM_ID, "system")
    cause = json.loads(bytes(row[2]))["cause"]
    assert town.one("SELECT step FROM event WHERE request_id = %s", cause) == "payee.verify"


def test_everybody_concerned_is_written_to_once(town: Town) -> None:
    project = town.apply()
    receipt = town.take("unit", "project.withdraw", project, reason="x")
    rows = town.all("SELECT recipient_id, template, state FROM message WHERE chain_id = %s", project)
    officers = {person_id("officer"), person_id("officer2")}
    assert officers <= {row[0] for row in rows}
    assert {row[1:] for row in rows} == {("project_withdrawn", "queued")}
    assert len({row[0] for row in rows}) == len(rows)
    assert receipt.state == "withdrawn"


def test_order_comes_from_the_sequence_not_from_the_clock(town: Town) -> None:
    """T2: a clock that is set back changes what an event says, never where it stands."""
    project = town.apply()
    before = town.clock.now()
    receipts = []
    for day in (date(2025, 5, 1), date(2024, 1, 1), date(2025, 6, 1)):
        town.clock.set(day)
        receipts.append(town.take("officer", "project.place_hold", project, reason="x"))
    town.clock.set(before)
    assert [r.seq for r in receipts] == sorted(r.seq for r in receipts)
    assert receipts[1].at < receipts[0].at
