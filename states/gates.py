"""Gates: what must hold before money moves. A programme opts a tranche into each by name.

Each is a pure function of a payment's case: the payment, its project, tranche, milestone, payee and the
appropriation of the fiscal year, all columns, so that one query serves one payment or a million.
"""

from __future__ import annotations

from collections.abc import Callable

from config.programmes import Programme
from states.case import Case
from states.guards import guard, shown
from states.plans import sum_now, tranche_of
from states.refusals import Refusal, refuse

Gate = Callable[[Case], Refusal | None]
GATES: dict[str, Gate] = {}
PAYING_STATES = frozenset({"implementation", "acceptance", "closure"})


def gate(check: Gate) -> Gate:
    """Enter a gate under its function's name."""
    GATES[check.__name__] = check
    return check


@gate
def agreement_signed(case: Case) -> Refusal | None:
    return None if case.of["agreement_signed_on"] else refuse("agreement_not_signed")


@gate
def notice_ended(case: Case) -> Refusal | None:
    row = case.of
    if row["notice_closes_on"] is None:
        return refuse("notice_missing")
    if row["notice_closes_on"] >= case.today:
        return refuse("notice_running", closes=row["notice_closes_on"])
    return refuse("objection_open", count=row["open_objections"]) if row["open_objections"] else None


@gate
def milestone_accepted(case: Case) -> Refusal | None:
    state = case.facts["milestone"]["state"]
    return None if state == "accepted" else refuse("milestone_not_accepted", state=state)


@gate
def acceptance_passed(case: Case) -> Refusal | None:
    return None if case.of["acceptance_outcome"] == "passed" else refuse("acceptance_not_passed")


@gate
def pledges_signed(case: Case) -> Refusal | None:
    signers = case.programme.pledge_signers
    if "unit" in signers and not case.of["pledged_unit"]:
        return refuse("pledge_unit_missing")
    if "leader" in signers and not case.of["pledged_leader"]:
        return refuse("pledge_leader_missing")
    return None


@gate
def integrity_clear(case: Case) -> Refusal | None:
    count = case.of["integrity_flags"]
    return refuse("integrity_flagged", count=count) if count else None


@gate
def no_hold(case: Case) -> Refusal | None:
    count = case.of["holds"]
    return refuse("on_hold", count=count) if count else None


@gate
def payee_verified(case: Case) -> Refusal | None:
    """``payee_id`` of a project is only ever set by a second person's verification."""
    return None if case.of["payee_id"] else refuse("payee_missing")


@gate
def own_contribution_evidenced(case: Case) -> Refusal | None:
    ratio = case.programme.gate_settings.own_contribution_ratio
    need, have = case.of["award_minor"] * ratio, case.of["own_contribution_minor"]
    if have >= need:
        return None
    currency = case.of["currency"]
    return refuse(
        "own_contribution_short", have=shown(have, currency), need=shown(-int(-need // 1), currency)
    )


@gate
def previous_tranche_spent(case: Case) -> Refusal | None:
    before = case.facts["previous"]
    if before["amount_minor"] is None:
        return None
    if before["paid_minor"] < before["amount_minor"]:
        return refuse("previous_tranche_unpaid")
    need = before["amount_minor"] * case.programme.gate_settings.previous_tranche_spent_share
    if before["spent_minor"] >= need:
        return None
    currency = case.of["currency"]
    have = shown(before["spent_minor"], currency)
    return refuse("previous_tranche_unspent", have=have, need=shown(-int(-need // 1), currency))


@gate
def appropriation_available(case: Case) -> Refusal | None:
    funds = case.facts["funds"]
    currency = case.of["currency"]
    # From the request on, this payment's own hold is part of what was taken.
    if case.here["appropriation_id"] is not None:
        return None
    if funds["id"] is None:
        return refuse("appropriation_missing", year=case.today.year, currency=currency)
    need = sum_now(case)
    if funds["left_minor"] < need:
        have = shown(funds["left_minor"], currency)
        return refuse("appropriation_exhausted", have=have, need=shown(need, currency))
    return None


@gate
def nothing_owed(case: Case) -> Refusal | None:
    """What is owed is received, set off, in instalments or written off before more is paid."""
    left = case.facts["owed"]["left_minor"]
    return refuse("owed_undecided", left=shown(left, case.of["currency"])) if left else None


@gate
def required_reviews_done(case: Case) -> Refusal | None:
    missing = [k for k in case.programme.gate_settings.required_reviews if k not in case.of["reviews_done"]]
    return refuse("required_review_missing", kinds=", ".join(missing)) if missing else None


def project_paying(case: Case) -> Refusal | None:
    """Money moves while the project runs; this stands before every tranche's own gates."""
    state = case.of["state"]
    return None if state in PAYING_STATES else refuse("project_stopped", state=state)


def payment_not_held(case: Case) -> Refusal | None:
    """A hold on the payment itself; no programme can leave it out."""
    count = case.here["holds"]
    return refuse("payment_on_hold", count=count) if count else None


def payee_rested(case: Case) -> Refusal | None:
    """A changed account is paid to only when its rest is over; asked wherever changes rest."""
    until = case.facts["payee"]["rests_until"]
    if until is None or until < case.today:
        return None
    return refuse("payee_resting", until=until)


def gates_of(programme: Programme, code: str) -> tuple[Gate, ...]:
    """What guards a tranche, in the order it is asked.

    The look-up of the tranche in the programme must succeed: a payment without gates is no payment.
    """
    tranche = tranche_of(programme, code)
    # What is computed is above zero, whether or not the programme says so.
    always = () if tranche.basis == "fixed" else ("spending_verified", "set_off_covered")
    named = tuple(GATES[name] for name in dict.fromkeys((*always, *tranche.gates)))
    first = (project_paying, payment_not_held)
    return (*first, payee_rested, *named) if programme.payees.rest_days else (*first, *named)


def shut_gates(case: Case) -> list[Refusal]:
    """Every gate of the payment's tranche that is shut, in the programme's order; none: it may be paid."""
    asked = gates_of(case.programme, case.facts["tranche"]["code"])
    return [refusal for ask in asked if (refusal := ask(case)) is not None]


@guard()
def gates_open(case: Case) -> list[Refusal]:
    """Every gate that is shut, at once: nobody wants to learn them one by one."""
    return shut_gates(case)


@guard()
def gates_shut(case: Case) -> Refusal | None:
    """Holds while some gate is shut: only then does a due payment fall back."""
    return None if shut_gates(case) else refuse("gates_all_open")
