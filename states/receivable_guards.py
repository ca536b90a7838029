"""Guards of what a grantee owes: they enter the table when this module is read."""

from __future__ import annotations

from states.case import Case
from states.guards import guard, shown
from states.receivable_plan import left_minor
from states.refusals import Refusal, refuse
from states.set_offs import WAITING, standing


@guard("paid_open")
def something_was_paid(case: Case) -> Refusal | None:
    return None if case.facts["paid_open"] else refuse("nothing_was_paid")


@guard("paid_open")
def claim_within_paid(case: Case) -> Refusal | None:
    """What is proposed, owed and refunded never exceeds what was paid; that nothing was is said elsewhere."""
    if case.input is None or not case.facts["paid_open"]:
        return None
    have, need = case.facts["paid_open"], case.input.amount_minor
    if need <= have:
        return None
    currency = case.of["currency"]
    return refuse("claim_exceeds_paid", have=shown(have, currency), need=shown(need, currency))


@guard()
def claim_due_day_to_come(case: Case) -> Refusal | None:
    if case.input is None or case.input.due_on >= case.today:
        return None
    return refuse("claim_day_past", day=case.input.due_on.isoformat())


@guard()
def claim_day_not_past(case: Case) -> Refusal | None:
    """Nobody is asked to have paid yesterday."""
    day = case.here["due_on"]
    return None if day >= case.today else refuse("claim_day_past", day=day.isoformat())


@guard()
def established_by_another(case: Case) -> Refusal | None:
    return refuse("claim_same_person") if case.here["established_by"] == case.actor_id else None


@guard()
def first_instalment_to_come(case: Case) -> Refusal | None:
    if case.input is None or case.input.first_on >= case.today:
        return None
    return refuse("claim_day_past", day=case.input.first_on.isoformat())


@guard()
def instalments_divide(case: Case) -> Refusal | None:
    """Every instalment is worth paying."""
    if case.input is None or left_minor(case.here) >= case.input.number:
        return None
    left = shown(left_minor(case.here), case.here["currency"])
    return refuse("instalments_too_many", number=case.input.number, left=left)


@guard("bank_credit")
def credit_can_be_received(case: Case) -> Refusal | None:
    """The entry is a credit of our statement, in this currency, that is no payment's and nobody's yet."""
    if case.input is None:
        return None
    credit = case.facts["bank_credit"]
    if credit is None:
        return refuse("credit_unknown")
    if credit["receipt_id"] is not None:
        return refuse("credit_received_already")
    if credit["payment_id"] is not None or credit["outcome"] not in ("new", "queued"):
        return refuse("credit_of_payment")
    if credit["currency"] != case.here["currency"]:
        return refuse("credit_currency", given=credit["currency"], wanted=case.here["currency"])
    return None


@guard()
def paid_in_by_now(case: Case) -> Refusal | None:
    if case.input is None or case.input.received_on <= case.today:
        return None
    return refuse("paid_in_later", day=case.input.received_on.isoformat())


@guard()
def no_write_off_proposed(case: Case) -> Refusal | None:
    return refuse("write_off_proposed_already") if case.here["ending"] else None


@guard()
def write_off_proposed(case: Case) -> Refusal | None:
    return None if case.here["ending"] else refuse("write_off_not_proposed")


@guard()
def write_off_proposed_by_another(case: Case) -> Refusal | None:
    row = case.here
    if not row["ending"]:
        return refuse("write_off_not_proposed")
    return refuse("write_off_same_person") if row["ending_by"] == case.actor_id else None


@guard("claimed_of_paid")
def paid_not_claimed(case: Case) -> Refusal | None:
    """Money that is claimed back cannot come back by the bank as well."""
    left = case.facts["claimed_of_paid"]
    need = case.here["amount_minor"]
    if left is None or left >= need:
        return None
    return refuse("paid_is_claimed", left=shown(left, case.here["currency"]))


# Setting off against a payment -----------------------------------------------------------------------------


@guard("set_offs")
def no_set_off_waits(case: Case) -> Refusal | None:
    return refuse("set_off_waits_already") if standing(case, "proposed", "agreed") else None


@guard("set_off_payment")
def set_off_fits(case: Case) -> list[Refusal]:
    """The payment is the project's, waits still, and neither side has less than is set off."""
    if case.input is None:
        return []
    found, given = case.facts["set_off_payment"], case.input
    if found is None or found["project_id"] != case.of["id"] or found["currency"] != case.here["currency"]:
        return [refuse("set_off_payment_unknown")]
    return _against(case, found["state"], found["amount_minor"], given.amount_minor, taken=found["live"])


@guard("set_offs")
def set_off_still_fits(case: Case) -> list[Refusal]:
    row = standing(case, "proposed")
    if row is None:
        return []
    return _against(case, row["payment_state"], row["payment_minor"], row["amount_minor"])


def _against(case: Case, state: str, payment: int, amount: int, *, taken: bool = False) -> list[Refusal]:
    currency, left = case.here["currency"], left_minor(case.here)
    found = []
    if state not in WAITING:
        found.append(refuse("set_off_payment_moved", state=state))
    if taken:
        found.append(refuse("set_off_payment_taken"))
    if amount > min(payment, left):
        found.append(
            refuse(
                "set_off_exceeds",
                need=shown(amount, currency),
                payment=shown(payment, currency),
                left=shown(left, currency),
            )
        )
    return found


@guard("set_offs")
def set_off_proposed_by_another(case: Case) -> Refusal | None:
    row = standing(case, "proposed")
    if row is None:
        return refuse("set_off_not_proposed")
    return refuse("set_off_same_person") if row["proposed_by"] == str(case.actor_id) else None


@guard("set_offs")
def set_off_waits(case: Case) -> Refusal | None:
    """What was agreed is dropped only while its payment waits; afterwards it goes with the payment."""
    row = standing(case, "proposed", "agreed")
    if row is None:
        return refuse("set_off_not_proposed")
    if row["status"] == "agreed" and row["payment_state"] not in WAITING:
        return refuse("set_off_payment_moved", state=row["payment_state"])
    return None


@guard()
def something_to_pay(case: Case) -> Refusal | None:
    row = case.here
    return None if row["amount_minor"] > row["offset_minor"] else refuse("payment_set_off_whole")


@guard()
def set_off_whole(case: Case) -> Refusal | None:
    row = case.here
    return None if row["amount_minor"] == row["offset_minor"] else refuse("payment_not_set_off")
