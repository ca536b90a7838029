"""Guards of reviews: who may be invited, who was drawn, what a ballot and a request for review must keep to.

They enter the same table as all others (``states.guards``); nothing else may decide who reviews.
"""

from __future__ import annotations

from datetime import date, timedelta

from states.case import Case
from states.guards import guard, shown
from states.refusals import Refusal, refuse

CLOSED = "review_not_closed"
"""This guard is asked before all others, so that no other one says how the review stands."""


@guard("own_conflict")
def review_not_closed(case: Case) -> Refusal | None:
    """Who has a conflict of interest with an application handles nothing of its review."""
    return refuse("own_conflict") if case.facts["own_conflict"] else None


@guard("invitee")
def invitee_fit(case: Case) -> Refusal | list[Refusal] | None:
    """An expert of the pool is active, not banned, there, and has work left for the year."""
    found = case.facts["invitee"] if case.input is not None else None
    if not found or not found["pooled"]:
        return None
    wrong: list[Refusal] = []
    if not found["active"]:
        wrong.append(refuse("expert_retired"))
    if found["banned_until"]:
        wrong.append(refuse("expert_banned", until=found["banned_until"]))
    if found["absent_until"]:
        wrong.append(refuse("expert_absent", until=found["absent_until"]))
    if found["load_used"] >= found["yearly_load"]:
        wrong.append(refuse("expert_load_reached", used=found["load_used"], load=found["yearly_load"]))
    return wrong or None


@guard("invitee")
def invitee_without_conflict(case: Case) -> Refusal | None:
    found = case.facts["invitee"] if case.input is not None else None
    return _conflicted(found["conflicts"]) if found else None


@guard("invitee", "round_draw")
def invitee_was_drawn(case: Case) -> Refusal | None:
    """Where the programme draws its panels, only who was drawn for the round is invited."""
    review = case.programme.review
    if review is None or review.panel.by != "draw" or case.input is None:
        return None
    seats = case.facts["round_draw"]
    if not seats:
        return refuse("panel_not_drawn")
    return None if str(case.input.expert_id) in seats else refuse("expert_not_drawn")


@guard("task_conflicts")
def no_conflict(case: Case) -> Refusal | None:
    return _conflicted(case.facts["task_conflicts"])


def _conflicted(rules: list[str]) -> Refusal | None:
    return refuse("conflict_of_interest", rules=", ".join(sorted(rules))) if rules else None


@guard("round_state")
def round_not_scored(case: Case) -> Refusal | None:
    """Once the scores are counted, the reviews they were counted from stay as they are."""
    return None if case.facts["round_state"] in ("open", "quorum_reached") else refuse("round_over")


@guard()
def ballot_wanted(case: Case) -> Refusal | None:
    review = case.programme.review
    if review is None or review.ballot is None or case.here["stage"] != "panel_review":
        return refuse("ballot_not_wanted")
    return None


@guard("round_tasks")
def ballot_counts(case: Case) -> Refusal | list[Refusal] | None:
    """The votes add up, enough members were there, and no more than the panel has: nobody is represented."""
    if case.input is None or case.programme.review is None or case.programme.review.ballot is None:
        return None
    given, wrong = case.input, list[Refusal]()
    if given.in_favour + given.against + given.abstained != given.present:
        cast = given.in_favour + given.against + given.abstained
        wrong.append(refuse("ballot_does_not_add_up", cast=cast, present=given.present))
    need = case.programme.review.ballot.present
    if given.present < need:
        wrong.append(refuse("ballot_without_quorum", present=given.present, need=need))
    members = sum(1 for t in case.facts["round_tasks"] if t["state"] in ("accepted", "late", "submitted"))
    if given.present > members:
        wrong.append(refuse("ballot_by_proxy", present=given.present, members=members))
    return wrong or None


@guard("votes")
def ballot_recorded(case: Case) -> Refusal | None:
    review = case.programme.review
    due = review is not None and review.ballot is not None and case.here["stage"] == "panel_review"
    return refuse("ballot_missing") if due and not case.facts["votes"] else None


@guard()
def unsuitable_few(case: Case) -> Refusal | None:
    review = case.programme.review
    most = review.conflicts.unsuitable_at_most if review else 3
    named = getattr(case.input, "unsuitable", ()) if case.input is not None else ()
    return refuse("unsuitable_too_many", most=most) if len(named) > most else None


@guard("dossier")
def application_described(case: Case) -> Refusal | None:
    return None if case.facts["dossier"] else refuse("application_not_described")


@guard()
def objection_signed(case: Case) -> Refusal | None:
    """A person signs with a telephone number, a unit with its seal; some programmes accept less."""
    if case.input is None or case.programme.anonymous_objections:
        return None
    return None if case.input.objector and case.input.contact else refuse("objection_anonymous")


@guard("noticed_minor")
def award_within_notice(case: Case) -> Refusal | None:
    """What nobody could object to is not awarded: more than was noticed is noticed anew."""
    award = case.input.award_minor if case.input is not None else None
    noticed = case.facts["noticed_minor"]
    if award is None or noticed is None or award <= noticed:
        return None
    currency = case.here["currency"]
    return refuse("award_exceeds_notice", award=shown(award, currency), noticed=shown(noticed, currency))


# Draws ----------------------------------------------------------------------------------------------------


@guard()
def programme_draws(case: Case) -> Refusal | None:
    review = case.programme.review
    return None if review is not None and review.panel.by == "draw" else refuse("programme_does_not_draw")


@guard()
def value_is_to_come(case: Case) -> Refusal | None:
    """The value is published after the day of the announcement: nobody can know it yet."""
    if case.input is None or case.input.source_on > case.today:
        return None
    return refuse("draw_value_known", on=case.input.source_on.isoformat())


@guard("draw_basis")
def source_is_named(case: Case) -> Refusal | None:
    """A beacon's round is named by the network and the number, and is still to come."""
    problem = case.facts["draw_basis"]["beacon"].get("problem") if case.input is not None else None
    return refuse("draw_source_unusable", problem=problem) if problem else None


@guard("draw_basis")
def rounds_can_be_drawn(case: Case) -> Refusal | list[Refusal] | None:
    if case.input is None:
        return None
    basis, wrong = case.facts["draw_basis"], list[Refusal]()
    if basis["unknown"]:
        wrong.append(refuse("draw_rounds_unknown", number=basis["unknown"]))
    if basis["drawn"]:
        wrong.append(refuse("draw_rounds_drawn", codes=", ".join(basis["drawn"])))
    if basis["undescribed"]:
        wrong.append(refuse("draw_fields_missing", codes=", ".join(basis["undescribed"])))
    if not basis["pool"]:
        wrong.append(refuse("draw_pool_empty"))
    return wrong or None


@guard("draw_basis")
def redraw_says_why(case: Case) -> Refusal | None:
    if case.input is None:
        return None
    if hidden := case.facts["draw_basis"]["hidden"]:
        return refuse("redraw_hides_draw", codes=", ".join(hidden))
    if case.input.replaces is None:
        return None
    if not case.facts["draw_basis"]["replaces_void"]:
        return refuse("draw_before_stands")
    return None if case.input.reason else refuse("redraw_without_reason")


@guard()
def not_witnessed_yet(case: Case) -> Refusal | None:
    return refuse("draw_witnessed_already") if case.here["witness_id"] else None


@guard()
def witnessed(case: Case) -> Refusal | None:
    review = case.programme.review
    wanted = review is not None and review.panel.witness
    return refuse("draw_witness_missing") if wanted and not case.here["witness_id"] else None


@guard()
def value_is_out(case: Case) -> Refusal | None:
    on = case.here["source_on"]
    return None if case.today >= on else refuse("draw_value_not_out", on=on.isoformat())


@guard("value")
def value_is_true(case: Case) -> Refusal | None:
    """A value of a public beacon carries its signature, which is checked; a figure has one exact form."""
    problem = case.facts["value"]["problem"] if case.input is not None else None
    return refuse("draw_value_false", problem=problem) if problem else None


@guard("seat")
def seat_is_vacant(case: Case) -> Refusal | None:
    if case.input is None:
        return None
    seat = case.facts["seat"]
    if not seat or not seat["drawn"]:
        return refuse("expert_not_drawn")
    return None if seat["vacant"] and not seat["succeeded"] else refuse("seat_taken")


@guard("draw_used")
def draw_unused(case: Case) -> Refusal | None:
    """Once somebody has reviewed, the draw stands: a redraw could pick the reviews."""
    return refuse("draw_used") if case.facts["draw_used"] else None


# Requests for review ------------------------------------------------------------------------------------


@guard()
def project_declined(case: Case) -> Refusal | None:
    return None if case.of["state"] == "declined" else refuse("nothing_to_review")


@guard("declined_on")
def request_in_time(case: Case) -> Refusal | None:
    day, length = case.facts["declined_on"], case.programme.review_request_days
    if day is None:
        return None
    last = date.fromisoformat(day) + timedelta(days=length)
    return None if case.today <= last else refuse("request_too_late", last=last.isoformat())


@guard()
def ground_can_be_reviewed(case: Case) -> Refusal | None:
    given = case.input.ground if case.input is not None else None
    return refuse("academic_judgement") if given == "academic_judgement" else None


@guard("requests")
def no_request_open(case: Case) -> Refusal | None:
    return refuse("request_open") if any(r["state"] == "filed" for r in case.facts["requests"]) else None


@guard("requests")
def request_upheld(case: Case) -> Refusal | None:
    upheld = any(r["state"] == "upheld" for r in case.facts["requests"])
    return None if upheld else refuse("request_not_upheld")
