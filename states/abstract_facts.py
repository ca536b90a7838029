"""What stands for what in the small world in which a programme is checked: data, read by ``states.abstract``.

- ``TRACKED`` columns belong to the world; a step's effect writes them.
- ``ENVIRONMENT`` facts come and go at people's will (a hold, a payee, the year's money). They are taken to
  be as a step needs them whenever somebody can make them so.
- ``IGNORED`` columns are read by nobody who decides about progress or money; ``QUIET`` steps change nothing
  that such a decision rests on, each with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, get_args
from uuid import UUID, uuid5

from config.programmes import Programme
from schema import inputs
from schema.inputs_bank import BankPaid
from states.case import NAMESPACE
from states.project import ENDED
from states.proofs import ASKED_BY

TODAY, PAST, LATER = date(2030, 6, 3), date(2030, 6, 1), date(2031, 6, 2)
NOW = datetime(2030, 6, 3, 9, tzinfo=UTC)
SUM = 10**10
ID: dict[str, UUID] = {
    name: uuid5(NAMESPACE, f"abstract:{name}")
    for name in ("project", "milestone", "payment", "before", "notice", "objection", "payee", "funds")
}
NOUN_OF = {"before": "payment"}
PARTS = ("notice", "objection", "milestone", "payment", "before")
# A part of these that is over is as good as none: the next one is a new row.
RENEWABLE = ("notice", "objection")

# Where nothing has to happen any more. A state without steps that is not listed here is a dead end.
ENDS: dict[str, frozenset[str]] = {
    "project": frozenset({*ENDED, "archived"}),
    "milestone": frozenset({"accepted", "rejected", "waived"}),
    "payment": frozenset({"settled", "returned", "void"}),
    "payee": frozenset({"rejected", "superseded"}),
    "receivable": frozenset({"settled", "written_off", "cancelled"}),
    "round": frozenset({"decided"}),
    "task": frozenset({"submitted", "replaced", "taken_away"}),
    "notice": frozenset({"ended", "withdrawn"}),
    "objection": frozenset({"upheld", "dismissed"}),
    "review_request": frozenset({"upheld", "dismissed"}),
    "claim": frozenset({"accepted", "withdrawn"}),
    "draw": frozenset({"drawn", "void"}),
    "delegation": frozenset({"declined", "revoked", "ended"}),
    "batch": frozenset({"closed", "lapsed", "discarded"}),
    "appropriation": frozenset({"closed", "rejected", "withdrawn"}),
    "budget_change": frozenset({"confirmed", "rejected", "withdrawn"}),
    "bank_exception": frozenset({"explained", "matched", "used", "cleared"}),
    "bank_intake": frozenset({"recorded"}),
}

TRACKED: dict[str, Any] = {
    "suspended_from": None,
    "pledged_unit": False,
    "pledged_leader": False,
    "grantee_signed_on": None,
    "agreement_signed_on": None,
    "acceptance_outcome": None,
    "rectified": False,
    "notice_state": None,
    "notice_closes_on": None,
    "open_objections": 0,
}
IGNORED: dict[str, str] = {
    "award_minor": "the award is what was asked for; every tranche is a share of it",
    "checklist": "what was met is kept for the record once the step is taken",
}
QUIET: dict[str, str] = {
    "project.revise": "changes what is asked for, which is representative anyway",
    "project.describe": "what it is about decides who reviews it, not how it goes on",
    "project.amend_team": "who stands behind it decides who reviews it, not how it goes on",
    "payment.return_late": "money that left rightly and came back: its next attempt meets every gate anew",
    "payment.place_hold": "a hold of one payment shuts what the project's does, and is lifted alike",
    "payment.lift_hold": "a hold of one payment is lifted by the next person",
    "project.place_hold": "environment: holds",
    "project.lift_hold": "environment: holds",
    "project.flag_integrity": "environment: integrity flags",
    "project.clear_integrity": "environment: integrity flags",
    "project.evidence_contribution": "environment: own contribution",
    "project.report_spending": "environment: spending of a paid tranche",
    "project.record_review": "environment: required reviews",
    "project.hand_in_proof": "environment: papers",
    "project.decide_proof": "environment: papers",
    "project.set_budget": "what is planned by category bounds no payment",
}


@dataclass(frozen=True, slots=True)
class Env:
    """A fact that people can bring about by taking the steps ``by``; ``bad`` while they have not."""

    good: Callable[[Programme, str], Any]
    bad: Any
    by: tuple[str, ...]


ENVIRONMENT: dict[str, Env] = {
    "holds": Env(lambda programme, state: 0, 1, ("project.lift_hold",)),
    "integrity_flags": Env(lambda programme, state: 0, 1, ("project.clear_integrity",)),
    "payee_id": Env(lambda programme, state: ID["payee"], None, ("payee.enter", "payee.verify")),
    "own_contribution_minor": Env(lambda programme, state: SUM**2, 0, ("project.evidence_contribution",)),
    "reviews_done": Env(
        lambda programme, state: list(programme.gate_settings.required_reviews),
        [],
        ("project.record_review",),
    ),
    "proofs": Env(
        lambda programme, state: sorted(ASKED_BY.values()),
        [],
        ("project.hand_in_proof", "project.decide_proof"),
    ),
    "review_outcomes": Env(lambda programme, state: {state: True}, {}, ("round.open", "round.decide")),
    "funds": Env(lambda programme, state: ID["funds"], None, ("appropriation.vote",)),
    "spent": Env(lambda programme, state: SUM, 0, ("project.report_spending",)),
    "verified_minor": Env(lambda programme, state: SUM**2, 0, ("claim.open", "claim.accept")),
    "accounts_until": Env(lambda programme, state: LATER, None, ("claim.open", "claim.accept")),
    "held_back": Env(lambda programme, state: SUM, 0, ("payment.settle",)),
    "delivered": Env(lambda programme, state: 1, 0, ("milestone.accept",)),
    # Its day comes by itself.
    "instalment_on": Env(lambda programme, state: PAST, LATER, ()),
    "request": Env(
        lambda programme, state: "upheld", "dismissed", ("review_request.file", "review_request.uphold")
    ),
    # Whoever owes can be granted instalments, in whatever state the project stands.
    "owed": Env(lambda programme, state: 0, 1, ("receivable.grant_instalments",)),
    "attested": Env(lambda programme, state: "settled", None, ("payment.attest",)),
}

# What people type, where it makes a difference; every other input is filled in as it may be.
INPUTS: dict[type[inputs.StepInput], tuple[dict[str, Any], ...]] = {
    inputs.Reason: ({"reason": "-"},),
    inputs.Void: ({"reason": "-", "again": True}, {"reason": "-", "again": False}),
    inputs.BankAnswer: ({"reference": "-"},),
    BankPaid: ({"reference": "-"},),
    inputs.AcceptanceOutcome: tuple(
        {"outcome": outcome, "opinion": "-"}
        for outcome in get_args(inputs.AcceptanceOutcome.model_fields["outcome"].annotation)
    ),
    inputs.MilestoneReport: ({"report": "-"},),
    inputs.MilestoneDecision: ({"opinion": "-"},),
    inputs.NewDueDay: ({"due_on": LATER, "reason": "-"},),
    inputs.FileObjection: ({"objector": "-", "contact": "-", "grounds": "-"},),
    inputs.Answer: ({"answer": "-"},),
}


# What there is of a project's parts when the first of them is begun.
NOTHING_YET: dict[str, Any] = {
    "rounds": [],
    "requests": [],
    "declined_on": None,
    "noticed_minor": None,
    "own_conflict": False,
    "claims": [],
}

__all__ = [
    "ENDS",
    "ENVIRONMENT",
    "ID",
    "IGNORED",
    "INPUTS",
    "LATER",
    "NOTHING_YET",
    "NOUN_OF",
    "NOW",
    "PARTS",
    "PAST",
    "QUIET",
    "RENEWABLE",
    "SUM",
    "TODAY",
    "TRACKED",
    "Env",
]
