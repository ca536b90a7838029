"""Whatever somebody with all rights over the database changes, the verification names it.

Each test disables every trigger as the owner, tampers by raw SQL with a copy of a lived-in database, and
expects the fault by its code. What can be rewritten so that the database agrees with itself again is shown
by the root that somebody outside holds.
"""

from __future__ import annotations

from datetime import date

import pytest

from milepost.evidence.verify_database import verify
from tests.evidence.lived import Copy, Lived, seal

LAST = "(SELECT chain_id FROM event ORDER BY seq DESC, chain_id LIMIT 1)"
A_SETTLED = "(SELECT id FROM payment WHERE state = 'settled' LIMIT 1)"
REHASH = "hash = sha256(prev_hash || body)"
GAP = (("event", "event_chain_linear"),)
NO_CHECK = (("event", "event_hash_true"),)


def codes(copy: Copy, root: str | None = None) -> set[str]:
    return {fault.code for fault in verify(copy.database, root=root).faults}


def test_an_untouched_database_is_clean_and_says_how_much_was_read(copy: Copy, lived: Lived) -> None:
    seen: list[tuple[int, int]] = []
    report = verify(copy.database, root=lived.root, progress=lambda done, total: seen.append((done, total)))
    assert report.faults == []
    assert report.ok and report.root == lived.root and report.seals == 1
    assert report.events > 100 and report.transfers > 10 and report.chains > 5
    assert seen[-1] == (report.events, report.events)


def test_the_report_has_a_stable_shape_for_programs(copy: Copy) -> None:
    copy.tamper("UPDATE chain SET seq = seq + 1 WHERE kind = 'programme'")
    shown = verify(copy.database).as_json()
    assert set(shown) == {"ok", "chains", "events", "transfers", "seals", "root", "faults"}
    assert shown["ok"] is False
    assert set(shown["faults"][0]) == {"code", "where", "zh", "en"}


CHAINS = {
    "a body edited": (
        ["UPDATE event SET body = body || ' '::bytea WHERE seq = 3 AND chain_id = " + LAST],
        "wrong_hash",
    ),
    "a body edited and hashed again": (
        [
            f"UPDATE event SET body = body || ' '::bytea WHERE seq = 3 AND chain_id = {LAST}",
            f"UPDATE event SET {REHASH} WHERE seq = 3 AND chain_id = {LAST}",
        ],
        "wrong_previous",
    ),
    "an event deleted": ([f"DELETE FROM event WHERE seq = 4 AND chain_id = {LAST}"], "gap"),
    "the last event deleted": (
        [f"DELETE FROM event e USING chain c WHERE c.id = e.chain_id AND e.seq = c.seq AND c.id = {LAST}"],
        "head_differs",
    ),
    "two events exchanged": (
        [
            f"UPDATE event SET seq = -4 WHERE seq = 4 AND chain_id = {LAST}",
            f"UPDATE event SET seq = 4 WHERE seq = 5 AND chain_id = {LAST}",
            f"UPDATE event SET seq = 5 WHERE seq = -4 AND chain_id = {LAST}",
        ],
        "wrong_previous",
    ),
    "a chain begun from nothing": (
        ["UPDATE event SET prev_hash = sha256('x'), hash = sha256(sha256('x') || body) WHERE seq = 1"],
        "wrong_genesis",
    ),
    "a head turned back": (["UPDATE chain SET seq = seq - 1 WHERE kind = 'project'"], "head_differs"),
    "a head with another hash": (
        ["UPDATE chain SET head = sha256('x') WHERE kind = 'project'"],
        "head_differs",
    ),
    "a chain's row deleted": ([f"DELETE FROM chain WHERE id = {LAST}"], "head_differs"),
    "a step not of its machine": (
        ["UPDATE event SET role = 'administrator' WHERE step = 'payment.release'"],
        "step_not_allowed",
    ),
    "a step added to a sealed machine": (
        [
            "INSERT INTO allowed_step SELECT id, 'payment.release', 'planned', 'released', 'applicant' "
            "FROM machine WHERE noun = 'payment'"
        ],
        "machine_changed",
    ),
    "an event out of its subject's sequence": (
        ["UPDATE event SET subject_seq = subject_seq + 50 WHERE step = 'payment.settle'"],
        "subject_sequence",
    ),
    "a published programme's text": (
        ["UPDATE programme_version SET source = source || '# '"],
        "programme_changed",
    ),
}


@pytest.mark.parametrize("what", CHAINS)
def test_a_broken_chain_is_named(copy: Copy, what: str) -> None:
    statements, code = CHAINS[what]
    copy.tamper(*statements, drop=(*GAP, *NO_CHECK))
    assert code in codes(copy)


@pytest.mark.parametrize(
    "change",
    [
        "noun = 'task'",
        "subject_id = gen_random_uuid()",
        "subject_seq = subject_seq + 90",
        "machine = 'x'",
        "step = 'payment.void'",
        "from_state = 'x'",
        "to_state = 'x'",
        "role = 'x'",
        "actor_id = gen_random_uuid()",
        "request_id = request_id || 'x'",
        "at = at + interval '1 microsecond'",
    ],
)
def test_a_column_that_is_not_what_its_body_says_is_named(copy: Copy, change: str) -> None:
    copy.tamper(f"UPDATE event SET {change} WHERE step = 'payment.settle'")
    assert "column_differs" in codes(copy)


@pytest.mark.parametrize(
    "noun",
    ["project", "milestone", "payment", "payee", "round", "task", "notice", "objection", "appropriation"],
)
def test_a_row_that_is_not_where_its_last_event_left_it_is_named(copy: Copy, noun: str) -> None:
    one = f'id = (SELECT min(id::text)::uuid FROM "{noun}")'
    copy.tamper(f"UPDATE \"{noun}\" SET state = 'x' WHERE {one}")
    assert "row_differs" in codes(copy)
    copy.tamper(f'DELETE FROM "{noun}" WHERE {one}')
    assert "row_missing" in codes(copy)


def test_a_row_without_an_event_is_named(copy: Copy) -> None:
    copy.tamper(
        "INSERT INTO milestone (id, project_id, number, title, state, version) "
        "SELECT gen_random_uuid(), id, 99, 'x', 'accepted', 1 FROM project LIMIT 1"
    )
    assert codes(copy) == {"row_differs", "value_differs"}


FIGURES = {
    "the payee's account number": ("UPDATE payee SET account_no = '62220000'", "value_differs"),
    "the day of a payment": (
        f"UPDATE payment SET settled_on = settled_on - 1 WHERE id = {A_SETTLED}",
        "payment_differs",
    ),
    "a payment's sum": (f"UPDATE payment SET amount_minor = 1 WHERE id = {A_SETTLED}", "payment_differs"),
    "a milestone's report": ("UPDATE milestone SET report = 'x' WHERE report IS NOT NULL", "value_differs"),
    "a report nobody handed in": ("UPDATE milestone SET report = 'x' WHERE report IS NULL", "value_differs"),
    "an acceptance nobody recorded": ("UPDATE project SET acceptance_outcome = 'passed'", "value_differs"),
    "an expert's scores": ("UPDATE task SET scores = '{}' WHERE state = 'submitted'", "value_differs"),
    "an objection's grounds": ("UPDATE objection SET grounds = 'x'", "value_differs"),
    "holds forgotten": ("UPDATE project SET holds = 0 WHERE holds > 0", "counter_differs"),
    "a hold lifted in silence": ("UPDATE hold SET lifted_at = now() WHERE kind = 'hold'", "counter_differs"),
    "flags forgotten": (
        "UPDATE project SET integrity_flags = 0 WHERE integrity_flags > 0",
        "counter_differs",
    ),
    "objections forgotten": (
        "UPDATE project SET open_objections = 0 WHERE open_objections > 0",
        "counter_differs",
    ),
    "own contribution raised": (
        "UPDATE project SET own_contribution_minor = 9 WHERE own_contribution_minor > 0",
        "counter_differs",
    ),
    "a contribution added": (
        "UPDATE contribution SET amount_minor = amount_minor + 1",
        "counter_differs",
    ),
    "a pledge claimed": ("UPDATE project SET pledged_unit = NOT pledged_unit", "counter_differs"),
    "a pledge deleted": ("DELETE FROM pledge WHERE signer = 'leader'", "counter_differs"),
    "an agreement claimed": (
        "UPDATE project SET agreement_signed_on = '2025-01-01' WHERE state = 'public_notice'",
        "counter_differs",
    ),
    "the payee exchanged": (
        "UPDATE project SET payee_id = gen_random_uuid() WHERE payee_id IS NOT NULL",
        "counter_differs",
    ),
    "a review claimed": ("UPDATE project SET reviews_done = '[\"fair_competition\"]'", "counter_differs"),
    "the notice shortened": (
        "UPDATE project SET notice_closes_on = '2025-01-01' WHERE notice_state = 'open'",
        "counter_differs",
    ),
    "the award raised": ("UPDATE project SET award_minor = award_minor + 1", "counter_differs"),
    "a tranche raised": ("UPDATE tranche SET amount_minor = amount_minor + 1", "award_exceeded"),
    "a tranche as if unpaid": ("UPDATE tranche SET paid_minor = 0 WHERE paid_minor > 0", "tranche_differs"),
    "a tranche as if spent": ("UPDATE tranche SET spent_minor = 1", "tranche_differs"),
    "the ceiling raised": (
        "UPDATE account SET ceiling_minor = ceiling_minor + 1 WHERE kind = 'commitment'",
        "award_exceeded",
    ),
    "an account's sum": (
        "UPDATE account SET credits_posted = credits_posted + 1 WHERE kind = 'appropriation'",
        "account_differs",
    ),
    "a budget's origin made younger": (
        "UPDATE appropriation SET origin_year = origin_year - 1",
        "appropriation_differs",
    ),
    "a budget raised in its row": (
        "UPDATE appropriation SET amount_minor = amount_minor + 1",
        "appropriation_differs",
    ),
    "a change of budget raised": (
        "UPDATE budget_change SET amount_minor = amount_minor + 1",
        "budget_change_differs",
    ),
    "a change that somebody else confirmed": (
        "UPDATE budget_change SET confirmed_by = gen_random_uuid() WHERE confirmed_by IS NOT NULL",
        "budget_change_differs",
    ),
    "a change that turned round": (
        "UPDATE budget_change SET kind = 'decrease' WHERE kind = 'increase'",
        "budget_change_unmoved",
    ),
    "a year closed over a payment": (
        "UPDATE payment SET appropriation_id = (SELECT id FROM appropriation WHERE state = 'closed' LIMIT 1) "
        "WHERE state = 'approved'",
        "year_closed_open",
    ),
    "one duty deleted": ("DELETE FROM duty WHERE duty = 'approver'", "duty_differs"),
    "the approver exchanged": (
        "UPDATE duty SET person_id = (SELECT id FROM person WHERE login = 'system') WHERE duty = 'approver'",
        "duty_differs",
    ),
}


@pytest.mark.parametrize("what", FIGURES)
def test_a_figure_that_the_events_do_not_bear_out_is_named(copy: Copy, what: str) -> None:
    statement, code = FIGURES[what]
    copy.tamper(statement)
    assert code in codes(copy)


TRANSFERS = {
    "a sum": ("UPDATE transfer SET amount_minor = amount_minor + 1", "transfer_changed"),
    "an account": (
        "UPDATE transfer SET debit_id = (SELECT id FROM account WHERE kind = 'paid' LIMIT 1) "
        "WHERE kind = 'pending'",
        "transfer_changed",
    ),
    "a kind": ("UPDATE transfer SET kind = 'posted' WHERE kind = 'pending'", "transfer_changed"),
    "a currency": ("UPDATE transfer SET currency = 'EUR'", "transfer_differs"),
    "one deleted": (f"DELETE FROM transfer WHERE payment_id = {A_SETTLED}", "transfer_missing"),
    "one added": (
        "INSERT INTO transfer SELECT gen_random_uuid(), chain_id, event_seq, debit_id, credit_id, "
        "amount_minor, currency, 'posted', NULL, NULL, payment_id FROM transfer "
        f"WHERE payment_id = {A_SETTLED}",
        "transfer_not_recorded",
    ),
    "one of no event": ("UPDATE transfer SET event_seq = 9999", "transfer_without_event"),
    "one of another payment": (
        "UPDATE transfer SET payment_id = (SELECT id FROM payment WHERE state = 'planned' LIMIT 1) "
        "WHERE payment_id IS NOT NULL",
        "transfer_differs",
    ),
}


@pytest.mark.parametrize("what", TRANSFERS)
def test_a_transfer_that_is_not_as_its_event_records_it_is_named(copy: Copy, what: str) -> None:
    statement, code = TRANSFERS[what]
    copy.tamper(statement)
    assert {code, "account_differs"} & codes(copy) >= {code}


def test_a_second_live_payment_of_a_tranche_is_named(copy: Copy) -> None:
    copy.tamper("DROP INDEX payment_one_live", "UPDATE payment SET state = 'due' WHERE state = 'returned'")
    assert {"paid_twice", "row_differs"} <= codes(copy)


def test_two_duties_of_one_person_are_named(copy: Copy) -> None:
    copy.tamper(
        "UPDATE duty d SET person_id = r.person_id FROM duty r "
        "WHERE d.payment_id = r.payment_id AND d.duty = 'approver' AND r.duty = 'requester'",
        drop=(("duty", "duty_different_people"),),
    )
    assert "duty_shared" in codes(copy)


def test_a_document_with_other_content_is_named(copy: Copy) -> None:
    copy.tamper(
        "INSERT INTO document SELECT repeat('a', 64), 'x', 'text/plain', 'x', id, now() FROM person LIMIT 1"
    )
    assert codes(copy) == {"document_changed"}


# Seals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE seal SET root = sha256('x')",
        "UPDATE seal SET size = size + 1",
        "DELETE FROM seal_leaf WHERE position = 0",
        "UPDATE seal_leaf SET position = -1 WHERE position = 1",
        "UPDATE seal_leaf SET hash = sha256('x') WHERE position = 1",
        "DELETE FROM seal",
    ],
)
def test_a_seal_that_is_not_that_of_its_leaves_is_named(copy: Copy, statement: str) -> None:
    copy.tamper(statement)
    assert "seal_differs" in codes(copy)


REWRITE = """
DO $$ DECLARE before bytea; e record; b bytea; BEGIN
  FOR e IN SELECT chain_id, seq, body FROM event WHERE chain_id = {chain} ORDER BY seq LOOP
    before := CASE WHEN e.seq = 1 THEN chain_genesis(e.chain_id)
              ELSE (SELECT hash FROM event WHERE chain_id = e.chain_id AND seq = e.seq - 1) END;
    b := convert_to(replace(convert_from(e.body, 'UTF8'), '"reason":"audit"', '"reason":"fraud"'), 'UTF8');
    UPDATE event SET body = b, prev_hash = before, hash = sha256(before || b)
     WHERE chain_id = e.chain_id AND seq = e.seq;
  END LOOP;
  UPDATE chain SET head = (SELECT hash FROM event v WHERE v.chain_id = chain.id AND v.seq = chain.seq);
END $$"""
HELD = "(SELECT chain_id FROM event WHERE step = 'project.place_hold' LIMIT 1)"


def test_a_chain_rewritten_as_a_whole_contradicts_its_seal(copy: Copy) -> None:
    copy.tamper(REWRITE.format(chain=HELD))
    assert codes(copy) == {"sealed_event_changed"}


def test_a_chain_rewritten_with_all_its_seals_contradicts_whoever_holds_a_root(
    copy: Copy, lived: Lived
) -> None:
    copy.tamper(REWRITE.format(chain=HELD), "DELETE FROM seal_leaf", "DELETE FROM seal")
    seal(copy.database, date(2025, 12, 1))
    assert codes(copy) == set()
    assert codes(copy, root=lived.root) == {"root_unknown"}


def test_a_root_of_a_later_day_shows_a_restored_old_backup(copy: Copy) -> None:
    """The copy is the old backup: what was sealed after it is gone, and it is clean in itself."""
    assert codes(copy) == set()
    assert codes(copy, root="ab" * 32) == {"root_unknown"}


def test_a_wrecked_database_is_reported_within_bounds(copy: Copy) -> None:
    copy.tamper("UPDATE event SET request_id = 'x' || request_id")
    faults = verify(copy.database).faults
    assert sum(fault.code == "column_differs" for fault in faults) == 101
    assert "more of this kind" in faults[-1].en
