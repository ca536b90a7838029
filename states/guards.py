"""Guards: pure functions of a case that return nothing, or the refusal. A step names the ones it needs.

``needs`` names facts that are not columns of the subject or its project; ``milepost.cases`` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from schema.money import Money
from states.case import Case
from states.refusals import Refusal, refuse
from states.tranches import milestone_part

Check = Callable[[Case], Refusal | list[Refusal] | None]


@dataclass(frozen=True, slots=True)
class Guard:
    """A check by name, with the facts it needs."""

    name: str
    check: Check
    needs: tuple[str, ...]


GUARDS: dict[str, Guard] = {}


def objections(name: str, case: Case) -> list[Refusal]:
    """What a guard has to say against a case; nothing when it holds."""
    verdict = GUARDS[name].check(case)
    if verdict is None:
        return []
    return verdict if isinstance(verdict, list) else [verdict]


def guard(*needs: str) -> Callable[[Check], Check]:
    """Enter a guard under its function's name."""

    def enter(check: Check) -> Check:
        assert check.__name__ not in GUARDS, f"two guards are called {check.__name__}"
        GUARDS[check.__name__] = Guard(check.__name__, check, needs)
        return check

    return enter


def shown(minor: int, currency: str) -> str:
    """A sum as people read it."""
    return Money(minor, currency).format("en")


def _given(case: Case, field: str) -> Any:
    return getattr(case.input, field, None) if case.input is not None else None


# Application -----------------------------------------------------------------------------------------


@guard()
def currency_is_the_programmes(case: Case) -> Refusal | None:
    given = _given(case, "currency")
    # A programme with the currency XXX takes each project's own: grants are paid as they were applied for.
    if given and case.programme.currency not in ("XXX", given):
        return refuse("currency_differs", given=given, wanted=case.programme.currency)
    return None


@guard()
def plan_adds_up(case: Case) -> Refusal | None:
    """Milestones with sums of their own make up what is not in fixed shares (programme's tranches)."""
    row: Any = case.input if case.input is not None and hasattr(case.input, "plan") else case.subject
    if row is None:
        return None
    plan = row.plan if not isinstance(row, dict) else row["plan"]
    total = row.requested_minor if not isinstance(row, dict) else row["requested_minor"]
    sums = [m["amount_minor"] if isinstance(m, dict) else m.amount_minor for m in plan]
    if len(plan) > case.programme.milestones.at_most:
        return refuse("plan_too_long", most=case.programme.milestones.at_most)
    if any(tranche.per_milestone for tranche in case.programme.tranches):
        currency = _given(case, "currency") or (case.subject or {}).get("currency") or case.programme.currency
        expected = milestone_part(case.programme, Money(total, currency)).minor
        given = [s for s in sums if s is not None]
        if given and (len(given) != len(sums) or sum(given) != expected):
            return refuse(
                "plan_does_not_add_up", sum=shown(sum(given), currency), total=shown(expected, currency)
            )
    return None


@guard()
def plan_present(case: Case) -> Refusal | None:
    if case.programme.milestones.from_application and not case.here["plan"]:
        return refuse("plan_missing")
    return None


@guard("call")
def call_is_the_programmes(case: Case) -> Refusal | None:
    if _given(case, "call_id") is None:
        return None
    call = case.facts["call"]
    return None if call and call["chain_id"] == case.facts["chain_id"] else refuse("call_differs")


@guard("call_state")
def call_open(case: Case) -> Refusal | None:
    if case.facts["call_state"] not in (None, "open"):
        return refuse("call_not_open")
    return None


@guard()
def unit_pledged(case: Case) -> Refusal | None:
    if "unit" in case.programme.pledge_signers and not case.of["pledged_unit"]:
        return refuse("pledge_unit_missing")
    return None


@guard()
def leader_pledged(case: Case) -> Refusal | None:
    if "leader" in case.programme.pledge_signers and not case.of["pledged_leader"]:
        return refuse("pledge_leader_missing")
    return None


@guard()
def unit_pledge_missing(case: Case) -> Refusal | None:
    return refuse("pledge_signed_already") if case.of["pledged_unit"] else None


@guard()
def leader_pledge_missing(case: Case) -> Refusal | None:
    return refuse("pledge_signed_already") if case.of["pledged_leader"] else None


@guard()
def checklist_confirmed(case: Case) -> Refusal | None:
    if case.input is None:
        return None
    missing = [item.code for item in case.programme.checklist if item.code not in case.input.met]
    return refuse("checklist_incomplete", missing=", ".join(missing)) if missing else None


@guard()
def review_passed(case: Case) -> Refusal | None:
    outcome = case.of["review_outcomes"].get(case.state)
    if outcome is None:
        return refuse("review_undecided")
    return None if outcome else refuse("review_not_passed")


@guard()
def award_within_request(case: Case) -> Refusal | None:
    award = _given(case, "award_minor")
    if award is not None and award > case.here["requested_minor"]:
        currency = case.here["currency"]
        return refuse(
            "award_exceeds_request",
            award=shown(award, currency),
            requested=shown(case.here["requested_minor"], currency),
        )
    return None


@guard()
def grantee_not_signed(case: Case) -> Refusal | None:
    return refuse("agreement_signed_already") if case.of["grantee_signed_on"] else None


@guard()
def grantee_signed(case: Case) -> Refusal | None:
    return None if case.of["grantee_signed_on"] else refuse("agreement_not_signed_by_grantee")


@guard("milestones")
def milestones_finished(case: Case) -> Refusal | None:
    open_ones = [
        m["number"] for m in case.facts["milestones"] if m["state"] not in ("accepted", "waived", "rejected")
    ]
    if open_ones:
        return refuse("milestones_unfinished", numbers=", ".join(map(str, sorted(open_ones))))
    return None


@guard("payments")
def payments_finished(case: Case) -> Refusal | None:
    open_ones = sorted(
        p["number"] for p in case.facts["payments"] if p["state"] not in ("settled", "void", "returned")
    )
    return refuse("payments_unfinished", numbers=", ".join(map(str, open_ones))) if open_ones else None


@guard("payments")
def no_money_on_its_way(case: Case) -> Refusal | None:
    """What the bank may already have is settled or returned first; the rest is voided with the project."""
    moving = sorted(p["number"] for p in case.facts["payments"] if p["state"] in ("instructed", "unknown"))
    return refuse("payments_unfinished", numbers=", ".join(map(str, moving))) if moving else None


@guard()
def acceptance_decided(case: Case) -> Refusal | None:
    if "acceptance" in case.programme.stages and case.of["acceptance_outcome"] is None:
        return refuse("acceptance_undecided")
    return None


@guard()
def not_rectified(case: Case) -> Refusal | None:
    return refuse("rectified_already") if case.of["rectified"] else None


@guard("holds")
def hold_stands(case: Case) -> Refusal | None:
    if case.input is None:
        return None if case.facts["holds"] else refuse("no_holds")
    return None if str(case.input.hold_id) in {h["id"] for h in case.facts["holds"]} else refuse("no_holds")


@guard("integrity_holds")
def integrity_hold_stands(case: Case) -> Refusal | None:
    if case.input is None:
        return None if case.facts["integrity_holds"] else refuse("no_holds")
    ids = {h["id"] for h in case.facts["integrity_holds"]}
    return None if str(case.input.hold_id) in ids else refuse("no_holds")


@guard("documents_missing")
def documents_handed_in(case: Case) -> Refusal | None:
    missing = case.facts["documents_missing"] if _given(case, "documents") else None
    return refuse("document_missing", digests=", ".join(missing)) if missing else None


@guard("tranches")
def spending_plausible(case: Case) -> Refusal | None:
    if not any(t["paid_minor"] for t in case.facts["tranches"]):
        return refuse("nothing_paid")
    if case.input is None:
        return None
    tranche = next((t for t in case.facts["tranches"] if t["number"] == case.input.tranche), None)
    if tranche is None:
        return refuse("tranche_unknown", number=case.input.tranche)
    if case.input.spent_minor > tranche["paid_minor"]:
        paid = shown(tranche["paid_minor"], tranche["currency"])
        return refuse(
            "spent_more_than_paid", spent=shown(case.input.spent_minor, tranche["currency"]), paid=paid
        )
    if case.input.spent_minor < tranche["spent_minor"]:
        return refuse("spending_falls", before=shown(tranche["spent_minor"], tranche["currency"]))
    return None


@guard("deadline_due")
def deadline_passed(case: Case) -> Refusal | None:
    """Holds once the subject's deadline that acts by itself lies in the past."""
    due = case.facts["deadline_due"]
    if due is not None and due < case.today.isoformat():
        return None
    return refuse("not_due_yet", due=due or "-")


@guard()
def project_not_suspended(case: Case) -> Refusal | None:
    return refuse("project_suspended") if case.of["state"] == "suspended" else None


# Milestones, reviews, notices -------------------------------------------------------------------------


@guard()
def evaluator_is_the_one(case: Case) -> Refusal | None:
    evaluator = case.here["evaluator_id"]
    if evaluator is not None and evaluator != case.actor_id:
        return refuse("not_the_evaluator")
    return None


@guard("assignee_roles")
def assignee_evaluates(case: Case) -> Refusal | None:
    if case.input is None:
        return None
    roles = case.facts["assignee_roles"]
    fit = {"evaluator", "programme_officer"} & set(roles) and not {
        "applicant",
        "principal_investigator",
    } & set(roles)
    return None if fit else refuse("not_an_evaluator")


@guard("assignee_roles")
def assignee_is_expert(case: Case) -> Refusal | None:
    if case.input is None:
        return None
    fit = reviews_as_expert(case.facts["assignee_roles"])
    return None if fit else refuse("not_an_evaluator")


def reviews_as_expert(roles: Collection[str]) -> bool:
    """Whether somebody with these roles for a project is an expert there and no applicant."""
    return "expert" in roles and not {"applicant", "principal_investigator"} & set(roles)


@guard()
def due_day_later(case: Case) -> Refusal | None:
    day = _given(case, "due_on")
    if day is not None and case.here["due_on"] is not None and day <= case.here["due_on"]:
        return refuse("due_day_not_later", due=case.here["due_on"])
    return None


@guard()
def project_under_review(case: Case) -> Refusal | None:
    if case.of["state"] in ("remote_review", "panel_review"):
        return None
    return refuse("stage_differs", stage="remote_review / panel_review")


@guard("rounds")
def no_round_undecided(case: Case) -> Refusal | None:
    stage = case.of["state"]
    if any(r["stage"] == stage and r["state"] != "decided" for r in case.facts["rounds"]):
        return refuse("round_open_already")
    return None


@guard("round_state")
def round_still_open(case: Case) -> Refusal | None:
    return None if case.facts["round_state"] in ("open", "quorum_reached") else refuse("round_over")


@guard("round_tasks")
def expert_not_in_round(case: Case) -> Refusal | None:
    expert = _given(case, "expert_id")
    if expert is not None and str(expert) in {t["expert_id"] for t in case.facts["round_tasks"]}:
        return refuse("expert_in_round_already")
    return None


@guard("round_tasks")
def replaced_task_in_round(case: Case) -> Refusal | None:
    replaced = _given(case, "replaces")
    if replaced is not None and str(replaced) not in {t["id"] for t in case.facts["round_tasks"]}:
        return refuse("task_not_in_round")
    return None


@guard()
def task_is_mine(case: Case) -> Refusal | None:
    return None if case.here["expert_id"] == case.actor_id else refuse("not_your_task")


@guard()
def scores_complete(case: Case) -> Refusal | None:
    if case.input is None or case.programme.review is None:
        return None
    rubric = case.programme.review.rubric
    missing = [c.code for c in rubric if c.code not in case.input.scores]
    if missing:
        return refuse("scores_incomplete", missing=", ".join(missing))
    return _out_of_range(case)


@guard()
def scores_in_range(case: Case) -> Refusal | None:
    return _out_of_range(case)


def _out_of_range(case: Case) -> Refusal | None:
    if case.input is None or case.programme.review is None:
        return None
    rubric = {c.code: c.max for c in case.programme.review.rubric}
    for code, score in case.input.scores.items():
        if score > rubric.get(code, -1):
            return refuse("score_out_of_range", criterion=code, max=rubric.get(code, 0))
    return None


@guard("round_tasks")
def quorum_reached(case: Case) -> Refusal | None:
    need = case.programme.review.quorum if case.programme.review else 1
    have = sum(1 for t in case.facts["round_tasks"] if t["state"] == "submitted")
    return None if have >= need else refuse("quorum_missing", have=have, need=need)


@guard()
def project_under_notice(case: Case) -> Refusal | None:
    return None if case.of["state"] == "public_notice" else refuse("stage_differs", stage="public_notice")


@guard()
def no_notice_open(case: Case) -> Refusal | None:
    return refuse("notice_open_already") if case.of["notice_state"] == "open" else None


@guard()
def notice_opens_from_today(case: Case) -> Refusal | None:
    day = _given(case, "opens_on")
    return refuse("notice_day_past") if day is not None and day < case.today else None


@guard()
def notice_window_over(case: Case) -> Refusal | None:
    if case.here["closes_on"] >= case.today:
        return refuse("notice_running", closes=case.here["closes_on"])
    return None


@guard()
def notice_concluded(case: Case) -> Refusal | None:
    row = case.of
    if row["notice_state"] == "upheld":
        return refuse("objection_upheld")
    if row["notice_state"] not in ("open", "ended") or row["notice_closes_on"] is None:
        return refuse("notice_missing")
    if row["notice_state"] == "open" or row["notice_closes_on"] >= case.today:
        return refuse("notice_running", closes=row["notice_closes_on"])
    if row["open_objections"]:
        return refuse("objection_open", count=row["open_objections"])
    return None
