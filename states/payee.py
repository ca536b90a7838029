"""The steps of a payee's account: a change is a new version, seen by two people, told to the old contacts.

What was bound to the account before is voided; a change rests before anything is paid to it.
"""

from __future__ import annotations

from datetime import date

from config.programmes import Programme
from milepost.calendar import deadline
from schema.inputs import Note, Reason
from schema.inputs_payees import EnterPayee
from states.case import Case, Change, Follow, Tell
from states.step import Notify, Step, words

FINANCE = ("finance_officer",)
GRANTEE = ("applicant", "principal_investigator")


def _enter(case: Case) -> Change:
    given: EnterPayee = case.input
    row = given.model_dump()
    row["documents"] = list(given.documents)
    return Change(set={"project_id": case.of["id"], "entered_by": case.actor_id, **row})


def rest_of(programme: Programme, verified_on: date) -> date | None:
    """The last day on which a change that was verified on a day is not paid to; None where nothing rests."""
    rules = programme.payees
    if not rules.rest_days:
        return None
    return deadline(verified_on, rules.rest_days, rules.rest_unit, source=programme.calendar).due


def _verify(case: Case) -> Change:
    """The new version is the payee from now on; what was bound to the one before is voided, planned anew."""
    before, contacts = case.of["payee_id"], case.facts["grantee_contacts"]
    # A project's first account does not rest.
    rests_until = rest_of(case.programme, case.today) if before is not None else None
    change = Change(
        computed={"rests_until": rests_until.isoformat() if rests_until else ""},
        set={
            "verified_by": case.actor_id,
            "rests_until": rests_until,
            "contacts": [{"person_id": c["person_id"], "email": c["email"]} for c in contacts if c["active"]],
        },
        project={"payee_id": case.subject_id},
    )
    if before is not None:
        change.context = {"old_payee": str(before)}
        # An address that was changed shortly before the account is where a warning is needed most.
        change.tell = [
            Tell("payee_changed", c["person_id"], c["known_email"], change.context)
            for c in contacts
            if c["known_email"] and c["known_email"] != c["email"]
        ]
    for payee in case.facts["payees"]:
        if payee["id"] != str(case.subject_id) and payee["state"] in ("entered", "verified"):
            change.follow.append(Follow("payee.supersede", payee["id"]))
    for payment in case.facts["payments"]:
        if payment["state"] in ("requested", "approved", "released"):
            reason = {"reason": "收款账户变更 · the payee's account changed", "again": True}
            change.follow.append(Follow("payment.void", payment["id"], reason))
    return change


def _first(case: Case) -> bool:
    return case.of["payee_id"] is None


def _another(case: Case) -> bool:
    return not _first(case)


STEPS: tuple[Step, ...] = (
    Step(
        "payee.enter",
        (),
        "entered",
        words("登记收款账户", "Enter the payee's account"),
        guards=("account_well_formed", "change_evidenced", "documents_handed_in"),
        input=EnterPayee,
        effect=_enter,
        notify=(Notify("payee_entered", FINANCE),),
    ),
    Step(
        "payee.verify",
        ("entered",),
        "verified",
        words("核实收款账户", "Verify the account"),
        guards=("verifier_is_second",),
        needs=("payees", "payments", "grantee_contacts"),
        input=Note,
        effect=_verify,
        notify=(
            Notify("payee_verified", GRANTEE, when=_first),
            Notify("payee_changed", GRANTEE, when=_another),
        ),
    ),
    Step(
        "payee.reject",
        ("entered",),
        "rejected",
        words("账户不符", "Reject the account"),
        input=Reason,
        notify=(Notify("payee_rejected", GRANTEE),),
    ),
    Step("payee.supersede", ("entered", "verified"), "superseded", words("被新账户取代", "Superseded")),
)
