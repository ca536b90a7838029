"""A cost claim from its draft to verified spending, each refusal on the way, and what raw SQL cannot do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from milepost.available import available
from milepost.evidence.recounts import recounts
from milepost.evidence.verify_database import verify
from states.claims import invoice_key
from states.refusals import Refused
from tests.claims.conftest import Found
from tests.invariants.forge import refused
from tests.invariants.town import Town, programme_text
from tests.invariants.town_claims import PERIOD, brought, claim, claiming_text, line

pytestmark = pytest.mark.xdist_group("claims")


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    return found()


@pytest.fixture(scope="module")
def programme(town: Town) -> Any:
    return town.claiming()


@pytest.fixture
def project(town: Town, programme: Any) -> UUID:
    made = town.apply(programme=programme)
    town.advance(made, "implementation")
    return made


def codes(town: Town, who: str, step: str, id: UUID, **given: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        town.take(who, step, id, **given)
    return sorted(refusal.code for refusal in caught.value.refusals)


def verified(town: Town, project: UUID) -> int:
    return int(town.one("SELECT verified_minor FROM project WHERE id = %s", project))


def test_what_is_allowed_of_an_accepted_claim_is_verified_spending(town: Town, project: UUID) -> None:
    made = claim(town, "submitted", project=project, lines=[line(town), line(town, 50_000)])
    findings = [
        {"number": 1, "allowed_minor": 100_000},
        {"number": 2, "allowed_minor": 20_000, "reason": "只认可本项目部分"},
    ]
    town.take("finance1", "claim.examine", made, findings=findings)
    assert verified(town, project) == 0
    town.take("officer", "claim.accept", made)
    assert verified(town, project) == 120_000
    row = town.all("SELECT claimed_minor, allowed_minor FROM claim WHERE id = %s", made)
    assert row == [(150_000, 120_000)]
    assert verify(town.database).faults == []


def test_a_draft_keeps_whatever_was_typed_and_is_handed_in_only_when_whole(town: Town, project: UUID) -> None:
    typed = [
        {"payee": "half"},
        line(town, category="rockets"),
        line(town, evidence=None),
        line(town, spent_on="2024-12-31"),
    ]
    made = town.take("unit", "claim.open", project, **PERIOD, lines=typed).subject_id
    kept = town.one("SELECT lines FROM claim WHERE id = %s", made)
    assert kept[0]["payee"] == "half" and len(kept) == 4
    assert codes(town, "unit", "claim.submit", made) == [
        "claim_category_unknown",
        "claim_evidence_missing",
        "claim_lines_incomplete",
        "claim_lines_outside",
    ]
    town.take("unit", "claim.save", made, **PERIOD, lines=[])
    assert codes(town, "unit", "claim.submit", made) == ["claim_empty"]


def test_knowing_the_hash_of_a_file_is_not_having_it(town: Town, project: UUID) -> None:
    of_others = brought(town, "secret.pdf", who="officer2")
    given = {**PERIOD, "lines": [line(town, evidence=of_others)]}
    assert codes(town, "unit", "claim.open", project, **given) == ["claim_evidence_unknown"]
    shared = line(town)
    made = town.take("unit", "claim.open", project, **PERIOD, lines=[shared]).subject_id
    # What a colleague brought stays with the claim when the leader goes on writing it.
    town.take("lead", "claim.save", made, **PERIOD, lines=[{**shared, "description": "more tests"}])


def test_a_period_is_claimed_for_once_it_is_over_and_in_order(town: Town, project: UUID) -> None:
    backwards = {"period_from": "2025-02-01", "period_to": "2025-01-01"}
    assert codes(town, "unit", "claim.open", project, **backwards) == ["claim_period_reversed"]
    today = town.clock.today().isoformat()
    running = {"period_from": "2025-02-01", "period_to": today, "lines": [line(town)]}
    made = town.take("unit", "claim.open", project, **running).subject_id
    assert codes(town, "unit", "claim.submit", made) == ["claim_period_running"]


def test_costs_are_claimed_where_the_programme_foresees_it_while_money_runs(
    town: Town, project: UUID
) -> None:
    assert codes(town, "unit", "claim.open", town.funded(), **PERIOD) == ["claims_not_foreseen"]
    town.take("officer", "project.suspend", project, reason="a question")
    assert codes(town, "unit", "claim.open", project, **PERIOD) == ["claim_not_now"]


def test_findings_name_each_line_once_allow_no_more_and_say_why_not_all(town: Town, project: UUID) -> None:
    made = claim(town, "submitted", project=project, lines=[line(town), line(town)])
    wrong = [
        {"number": 1, "allowed_minor": 100_001},
        {"number": 2, "allowed_minor": 1},
        {"number": 3, "allowed_minor": 0, "reason": "no"},
    ]
    assert codes(town, "finance1", "claim.examine", made, findings=wrong) == [
        "allowed_more_than_claimed",
        "disallowed_without_reason",
        "finding_line_unknown",
    ]
    assert codes(town, "finance1", "claim.accept", made) == ["claim_unexamined"]


def test_the_same_invoice_elsewhere_is_allowed_only_with_a_reason(
    town: Town, programme: Any, project: UUID
) -> None:
    other = town.apply(programme=programme)
    town.advance(other, "implementation")
    first = line(town, invoice_no="No. 0815-A", payee="Lab Ltd.")
    claim(town, "submitted", project=other, lines=[first, line(town, evidence=first["evidence"])])
    again = claim(
        town, "submitted", project=project, lines=[line(town, invoice_no="no 0815/a", payee="LAB LTD")]
    )
    whole = [{"number": 1, "allowed_minor": 100_000}]
    assert codes(town, "finance1", "claim.examine", again, findings=whole) == ["double_unexplained"]
    town.take("finance1", "claim.examine", again, findings=[{**whole[0], "reason": "两个项目分摊"}])
    town.take(
        "finance1", "claim.examine", again, findings=[{**whole[0], "allowed_minor": 0, "reason": "重复"}]
    )


def test_a_line_of_a_returned_claim_is_no_double_of_its_own_second_try(town: Town, project: UUID) -> None:
    made = claim(town, "returned", project=project)
    town.take("unit", "claim.submit", made)
    assert town.one("SELECT count(*) FROM claim_line WHERE claim_id = %s", made) == 2
    town.take("finance1", "claim.examine", made, findings=[{"number": 1, "allowed_minor": 100_000}])
    town.take("finance1", "claim.accept", made)
    assert verified(town, project) == 100_000


def test_caps_hold_over_all_claims_and_again_for_what_is_allowed(town: Town, project: UUID) -> None:
    # The award is 1,000,000: equipment may have half of it, indirect costs a fifth of the others.
    claim(town, "accepted", project=project, lines=[line(town, 400_000, category="equipment")])
    more = [line(town, 100_001, category="equipment")]
    made = claim(town, "draft", project=project, lines=more)
    assert codes(town, "unit", "claim.submit", made) == ["claim_cap_exceeded"]
    indirect = {"category": "indirect", "evidence": None}
    exact = [line(town, 100_000), line(town, 100_000, **indirect)]
    made = claim(town, "submitted", project=project, lines=exact)
    findings = [
        {"number": 1, "allowed_minor": 0, "reason": "not of this project"},
        {"number": 2, "allowed_minor": 100_000, "reason": "rate"},
    ]
    town.take("finance1", "claim.examine", made, findings=findings)
    assert codes(town, "finance1", "claim.accept", made) == ["claim_cap_exceeded"]


def test_nobody_examines_their_own_claim(town: Town, project: UUID) -> None:
    town.grant("officer2", "applicant", project=project)
    made = claim(town, "draft", project=project)
    town.take("officer2", "claim.submit", made)
    findings = [{"number": 1, "allowed_minor": 100_000}]
    assert codes(town, "officer2", "claim.examine", made, findings=findings) == ["claim_own"]
    assert codes(town, "officer2", "claim.accept", made) == ["claim_own", "claim_unexamined"]
    town.take("finance1", "claim.return", made, reason="say more")
    # Written by one and handed in by another: neither examines it.
    town.take("unit", "claim.submit", made)
    assert codes(town, "officer2", "claim.examine", made, findings=findings) == ["claim_own"]
    town.take("finance1", "claim.examine", made, findings=findings)


def test_a_project_is_closed_once_its_claims_are_decided(town: Town, project: UUID) -> None:
    town.advance(project, "closure")
    claim(town, "submitted", project=project)
    assert "claims_unfinished" in codes(town, "officer", "project.close", project)


def test_a_budget_names_categories_of_the_programme(town: Town, project: UUID) -> None:
    town.take("unit", "project.set_budget", project, budget={"staff": 300_000})
    wrong = {"rockets": 1}
    assert codes(town, "unit", "project.set_budget", project, budget=wrong) == ["budget_category_unknown"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("Lab Ltd.", "No. 7-A"), ("LAB LTD", "no7a"), True),
        (("实验室（北京）", "１２３"), ("实验室(北京)", "123"), True),
        (("Lab", "7"), ("Lab", "8"), False),
        (("Lab", "7"), ("Lob", "7"), False),
        (("Lab", "-"), ("Lab", "-"), False),
    ],
)
def test_an_invoice_is_known_by_its_letters_and_digits(
    one: tuple[str, str], other: tuple[str, str], same: bool
) -> None:
    assert (invoice_key(*one) is not None and invoice_key(*one) == invoice_key(*other)) is same


ATTACKS = [
    ("UPDATE claim SET state = 'accepted' WHERE id = %(id)s", "MP005"),
    ("UPDATE claim SET state = 'returned', allowed_minor = 0 WHERE id = %(id)s", "MP003"),
    ("UPDATE claim SET allowed_minor = claimed_minor WHERE id = %(id)s", "MP005"),
    ("UPDATE claim SET opinion = 'x' WHERE id = %(id)s", "MP003"),
    ("UPDATE claim_line SET allowed_minor = 0, reason = 'x' WHERE claim_id = %(accepted)s", "MP005"),
    ("UPDATE claim_line SET live = false WHERE claim_id = %(id)s", "MP003"),
    ("UPDATE claim_line SET amount_minor = 1 WHERE claim_id = %(id)s", "42501"),
    ("UPDATE project SET verified_minor = 1 WHERE id = %(project)s", "MP003"),
    ("DELETE FROM claim_line WHERE claim_id = %(id)s", "42501"),
    (
        "INSERT INTO claim_line SELECT gen_random_uuid(), project_id, claim_id, submission, number + 1, "
        "category, spent_on, payee, invoice_no, invoice_key, description, amount_minor, evidence, live "
        "FROM claim_line WHERE claim_id = %(id)s",
        "MP003",
    ),
]


def test_raw_sql_neither_decides_a_claim_nor_changes_its_lines(town: Town, project: UUID) -> None:
    ids = {
        "project": project,
        "accepted": claim(town, "accepted", project=project),
        "id": claim(town, "submitted", project=project),
    }
    for sql, code in ATTACKS:
        with psycopg.connect(town.database.url) as conn, refused(code):
            conn.execute(sql, ids)


TAMPERED = [
    ("UPDATE claim SET lines = '[]' WHERE id = %(accepted)s", "value_differs"),
    ("UPDATE claim_line SET amount_minor = amount_minor + 1 WHERE claim_id = %(accepted)s", "claim_differs"),
    ("UPDATE claim_line SET evidence = repeat('0', 64) WHERE claim_id = %(accepted)s", "claim_differs"),
    (
        "UPDATE claim_line SET allowed_minor = 1, reason = 'x' WHERE claim_id = %(accepted)s",
        "claim_differs",
    ),
    ("UPDATE claim_line SET live = false WHERE claim_id = %(accepted)s", "claim_differs"),
    ("DELETE FROM claim_line WHERE claim_id = %(accepted)s", "claim_differs"),
    ("UPDATE claim SET allowed_minor = 0 WHERE id = %(accepted)s", "claim_differs"),
    ("UPDATE project SET verified_minor = verified_minor - 1 WHERE id = %(project)s", "counter_differs"),
    ("UPDATE project SET accounts_until = '2031-01-01' WHERE id = %(project)s", "counter_differs"),
    ("UPDATE project SET budget = '{\"staff\": 1}' WHERE id = %(project)s", "value_differs"),
]


def test_whatever_an_owner_changes_the_verification_names_it(town: Town, project: UUID) -> None:
    """Each change is made by the owner with every trigger off, looked at from inside, and taken back."""
    made = {"project": project, "accepted": claim(town, "accepted", project=project)}
    owner = town.database.owner_url
    assert owner is not None
    claims = list(recounts())
    with psycopg.connect(owner) as conn:
        conn.execute("SET session_replication_role = replica")
        for sql, code in TAMPERED:
            with conn.transaction(force_rollback=True):
                conn.execute(sql, made)
                found = {claim.code for claim in claims if conn.execute(claim.sql).fetchone()}
                assert code in found, sql


def test_a_withdrawn_claim_is_over(town: Town, project: UUID) -> None:
    made = claim(town, "withdrawn", project=project)
    assert codes(town, "unit", "claim.save", made, **PERIOD) == ["wrong_state"]
    sent = claim(town, "submitted", project=project)
    town.take("unit", "claim.withdraw", sent, reason="another will follow")
    assert town.one("SELECT count(*) FROM claim_line WHERE claim_id = %s AND live", sent) == 0
    allow_nothing = {"findings": [{"number": 1, "allowed_minor": 0, "reason": "x"}]}
    assert codes(town, "finance1", "claim.examine", sent, **allow_nothing) == ["wrong_state"]


PAPERS = """
[gate_settings]
audit_from_minor = 1_000_000
"""


def test_final_papers_open_their_gates_once_a_second_person_accepts_them(town: Town) -> None:
    three = '"segregated_ledger_evidenced", "final_accounts_accepted", "audit_report_present"'
    asked = f'{three}, "agreement_signed"'
    text = claiming_text(programme_text("small-grants")).replace('"agreement_signed"', asked)
    programme = town.publish(text.replace("claiming-", "papers-", 1) + PAPERS)
    town.vote(programme=programme)
    project = town.apply(programme=programme)
    town.advance(project, "implementation")
    town.payee(project)
    payment = town.payments(project)[0]
    assert codes(town, "system", "payment.fall_due", payment) == [
        "audit_report_missing",
        "final_accounts_missing",
        "ledger_not_evidenced",
    ]
    for kind in ("segregated_ledger", "final_accounts", "audit_report"):
        files = [brought(town, f"{kind}.pdf")]
        town.take("unit", "project.hand_in_proof", project, kind=kind, documents=files)
        proof = str(town.one("SELECT id FROM proof WHERE project_id = %s AND kind = %s", project, kind))
        decided = {"proof_id": proof, "outcome": "accepted", "opinion": "complete"}
        town.take("finance1", "project.decide_proof", project, **decided)
        assert codes(town, "finance1", "project.decide_proof", project, **decided) == ["no_proof_waits"]
    town.take("system", "payment.fall_due", payment)
    assert verify(town.database).faults == []
    for stage in ("implementation", "acceptance", "closure"):
        town.advance(project, stage)
        for who in ("finance1", "officer", "unit"):
            offered = {o.step.name for o in available(town.session, town.people[who], "project", project)}
            assert ("project.hand_in_proof" in offered) == (who == "unit")
            assert ("project.decide_proof" in offered) == (who == "finance1")
    owner = town.database.owner_url
    assert owner is not None
    for sql in ("UPDATE proof SET opinion = 'x'", "UPDATE proof SET outcome = NULL, decided_by = NULL"):
        with psycopg.connect(town.database.url) as conn, refused("MP005"):
            conn.execute(sql)
    with psycopg.connect(owner) as conn:
        conn.execute("SET session_replication_role = replica")
        for sql in ("UPDATE proof SET documents = '[]'", "UPDATE project SET proofs = '[]'"):
            with conn.transaction(force_rollback=True):
                conn.execute(sql)
                assert {c.code for c in recounts() if conn.execute(c.sql).fetchone()}, sql
