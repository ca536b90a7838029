"""The steps of a delegation: granted by one, accepted by the other, over by its day or by either of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schema.inputs import NoInput, Reason
from schema.inputs_delegation import GrantDelegation
from states.case import Case, Change, Tell
from states.guards import guard
from states.refusals import Refusal, refuse
from states.step import Step, words

DUTIES: Mapping[str, str] = {
    "request": "payment.request",
    "approve": "payment.approve",
    "release": "payment.release",
}
DELEGABLE = frozenset(DUTIES.values())
# An officer approves where a tier asks for it, and nothing else of a payment is theirs to give.
OF_ROLE: Mapping[str, frozenset[str]] = {
    "finance_officer": DELEGABLE,
    "programme_officer": frozenset({"payment.approve"}),
}
COLLEAGUES = ("finance_officer", "programme_officer")


def steps_given(given: GrantDelegation) -> list[str]:
    """The steps that are given: all that the role has of those that can be, or the one that was named."""
    asked = DELEGABLE if given.duty == "every" else {DUTIES[given.duty]}
    return sorted(asked & OF_ROLE[given.role])


def acting_for(case: Case, step: str, roles: Sequence[str]) -> Mapping[str, Any] | None:
    """By which delegation the actor may take a step that is not theirs; one without a clash first."""
    fitting = [
        row for row in case.facts.get("delegations") or () if step in row["steps"] and row["role"] in roles
    ]
    taken = {duty["person_id"] for duty in case.facts.get("duties") or ()}
    order = {role: at for at, role in enumerate(roles)}
    return min(
        fitting, key=lambda row: (row["delegator_id"] in taken, order[row["role"]], row["id"]), default=None
    )


@guard("delegate")
def delegation_is_sound(case: Case) -> list[Refusal]:
    """The days are to come, the role is the actor's own by grant, the colleague is one who may take it."""
    given = case.input
    if given is None:
        return []
    found = []
    if given.role not in case.roles:
        found.append(refuse("delegation_not_own", roles=given.role))
    if given.until_on < given.from_on or given.until_on < case.today:
        found.append(refuse("delegation_days_wrong"))
    if not steps_given(given):
        found.append(refuse("delegation_of_nothing", roles=given.role))
    if given.delegate_id == case.actor_id or not set(case.facts["delegate"]) & set(COLLEAGUES):
        found.append(refuse("delegate_unfit"))
    if given.limit_minor is not None and given.currency is None:
        found.append(refuse("delegation_limit_half"))
    return found


@guard()
def is_the_delegate(case: Case) -> Refusal | None:
    return None if case.here["delegate_id"] == case.actor_id else refuse("delegation_of_others")


@guard()
def is_a_party(case: Case) -> Refusal | None:
    mine = case.actor_id in (case.here["delegate_id"], case.here["delegator_id"])
    return None if mine else refuse("delegation_of_others")


@guard()
def delegation_runs(case: Case) -> Refusal | None:
    return None if case.today <= case.here["until_on"] else refuse("delegation_days_wrong")


@guard()
def delegation_is_over(case: Case) -> Refusal | None:
    until = case.here["until_on"]
    return refuse("delegation_running", until=until) if case.today <= until else None


def _grant(case: Case) -> Change:
    given: GrantDelegation = case.input
    return Change(
        set={
            "chain_id": case.facts["chain_id"],
            "programme_id": given.programme_id,
            "delegator_id": case.actor_id,
            "delegate_id": given.delegate_id,
            "role": given.role,
            "steps": steps_given(given),
            "within": given.office_path,
            "from_on": given.from_on,
            "until_on": given.until_on,
            "limit_minor": given.limit_minor,
            "currency": given.currency,
            "reason": given.reason,
        },
        tell=[Tell("delegation_granted", str(given.delegate_id))],
    )


def _other(template: str, column: str) -> Any:
    def tell(case: Case) -> Change:
        person = case.here[column]
        if person == case.actor_id:
            person = case.here["delegate_id"]
        return Change(tell=[Tell(template, str(person))])

    return tell


STEPS: tuple[Step, ...] = (
    Step(
        "delegation.grant",
        (),
        "granted",
        words("委托他人代行", "Delegate a duty"),
        input=GrantDelegation,
        guards=("delegation_is_sound",),
        effect=_grant,
    ),
    Step(
        "delegation.accept",
        ("granted",),
        "accepted",
        words("接受委托", "Accept the delegation"),
        input=NoInput,
        guards=("is_the_delegate", "delegation_runs"),
        effect=_other("delegation_accepted", "delegator_id"),
    ),
    Step(
        "delegation.decline",
        ("granted",),
        "declined",
        words("不接受委托", "Decline the delegation"),
        input=Reason,
        guards=("is_the_delegate",),
        effect=_other("delegation_over", "delegator_id"),
    ),
    Step(
        "delegation.revoke",
        ("granted", "accepted"),
        "revoked",
        words("收回或交回委托", "End the delegation"),
        input=Reason,
        guards=("is_a_party",),
        effect=_other("delegation_over", "delegator_id"),
    ),
    Step(
        "delegation.end",
        ("granted", "accepted"),
        "ended",
        words("委托到期", "The delegation's days are over"),
        guards=("delegation_is_over",),
    ),
)

__all__ = ["COLLEAGUES", "DELEGABLE", "DUTIES", "STEPS", "acting_for", "steps_given"]
