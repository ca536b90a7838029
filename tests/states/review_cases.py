"""The cases of the guards of reviews, draws and requests for review; ``test_guards`` goes through them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from config.programmes import Ballot, Programme
from schema import inputs
from states.case import Case

ME, OTHER = UUID(int=1), UUID(int=2)
TODAY = date(2025, 3, 10)
Make = Callable[..., Case]

FIT = {
    "pooled": True,
    "active": True,
    "banned_until": None,
    "absent_until": None,
    "load_used": 9,
    "yearly_load": 10,
    "conflicts": [],
}
BASIS = {
    "beacon": {},
    "unknown": 0,
    "drawn": [],
    "undescribed": [],
    "pool": [{"id": "x"}],
    "projects": [],
    "previous": {"attempt": 1},
    "replaces_void": True,
    "hidden": [],
}
SEAT = {"drawn": True, "vacant": True, "succeeded": False}


def vote(present: int = 9, in_favour: int = 6, against: int = 2, abstained: int = 1) -> inputs.RecordVote:
    return inputs.RecordVote(
        present=present, in_favour=in_favour, against=against, abstained=abstained, minutes="m"
    )


def announced(**changes: Any) -> inputs.AnnounceDraw:
    row = {
        "programme_id": ME,
        "office_path": "/",
        "title": "t",
        "rounds": (ME,),
        "source_name": "figure",
        "source_on": date(2025, 3, 11),
        **changes,
    }
    return inputs.AnnounceDraw(**row)


def request(ground: str = "procedure") -> inputs.FileReviewRequest:
    return inputs.FileReviewRequest(ground=ground, statement="s")


def describe(*names: str) -> inputs.Describe:
    unsuitable = tuple(inputs.Unsuitable(name=name) for name in names)
    return inputs.Describe(summary="s", fields=("510",), unsuitable=unsuitable)


def table(case: Make, programme: Programme) -> dict[str, tuple[Case, list[tuple[Case, str]]]]:
    """Guard: a case in which it holds, the cases in which it objects and by what."""
    review = programme.review
    assert review is not None
    panel = review.panel
    draws = programme.model_copy(
        update={"review": review.model_copy(update={"panel": panel.model_copy(update={"by": "draw"})})}
    )
    watched = programme.model_copy(
        update={"review": review.model_copy(update={"panel": panel.model_copy(update={"witness": True})})}
    )
    meets = programme.model_copy(update={"review": review.model_copy(update={"ballot": Ballot(present=9)})})
    invite = inputs.Invite(expert_id=ME)
    members = [{"id": str(n), "expert_id": str(n), "state": "submitted"} for n in range(9)]
    conclude = inputs.ConcludeDraw(value="1", evidence="e")
    succeed = inputs.Succeed(round_id=ME, expert_id=OTHER)
    objection = inputs.FileObjection(objector="o", contact="c", grounds="g")
    return {
        "invitee_fit": (
            case(given=invite, facts={"invitee": FIT}),
            [
                (case(given=invite, facts={"invitee": {**FIT, "active": False}}), "expert_retired"),
                (case(given=invite, facts={"invitee": {**FIT, "banned_until": "x"}}), "expert_banned"),
                (case(given=invite, facts={"invitee": {**FIT, "absent_until": "x"}}), "expert_absent"),
                (case(given=invite, facts={"invitee": {**FIT, "load_used": 10}}), "expert_load_reached"),
            ],
        ),
        "invitee_without_conflict": (
            case(given=invite, facts={"invitee": FIT}),
            [(case(given=invite, facts={"invitee": {**FIT, "conflicts": ["kin"]}}), "conflict_of_interest")],
        ),
        "invitee_was_drawn": (
            case(given=invite, facts={"invitee": FIT, "round_draw": [str(ME)]}, programme=draws),
            [
                (
                    case(given=invite, facts={"invitee": FIT, "round_draw": [str(OTHER)]}, programme=draws),
                    "expert_not_drawn",
                ),
                (
                    case(given=invite, facts={"invitee": FIT, "round_draw": []}, programme=draws),
                    "panel_not_drawn",
                ),
            ],
        ),
        "review_not_closed": (
            case(facts={"own_conflict": False}),
            [(case(facts={"own_conflict": True}), "own_conflict")],
        ),
        "no_conflict": (
            case(facts={"task_conflicts": []}),
            [(case(facts={"task_conflicts": ["kin", "same_unit"]}), "conflict_of_interest")],
        ),
        "round_not_scored": (
            case(facts={"round_state": "quorum_reached"}),
            [(case(facts={"round_state": state}), "round_over") for state in ("scored", "decided")],
        ),
        "ballot_wanted": (
            case(here={"stage": "panel_review"}, programme=meets),
            [
                (case(here={"stage": "remote_review"}, programme=meets), "ballot_not_wanted"),
                (case(here={"stage": "panel_review"}), "ballot_not_wanted"),
            ],
        ),
        "ballot_counts": (
            case(given=vote(), facts={"round_tasks": members}, programme=meets),
            [
                (
                    case(given=vote(in_favour=7), facts={"round_tasks": members}, programme=meets),
                    "ballot_does_not_add_up",
                ),
                (
                    case(given=vote(8, 6, 2, 0), facts={"round_tasks": members}, programme=meets),
                    "ballot_without_quorum",
                ),
                (
                    case(given=vote(10, 6, 2, 2), facts={"round_tasks": members}, programme=meets),
                    "ballot_by_proxy",
                ),
            ],
        ),
        "ballot_recorded": (
            case(here={"stage": "panel_review"}, facts={"votes": [{"in_favour": 1}]}, programme=meets),
            [(case(here={"stage": "panel_review"}, facts={"votes": []}, programme=meets), "ballot_missing")],
        ),
        "unsuitable_few": (
            case(given=describe("a", "b", "c")),
            [(case(given=describe("a", "b", "c", "d")), "unsuitable_too_many")],
        ),
        "application_described": (
            case(facts={"dossier": [{"id": "x"}]}),
            [(case(facts={"dossier": []}), "application_not_described")],
        ),
        "objection_signed": (
            case(given=objection),
            [
                (case(given=objection.model_copy(update={"objector": ""})), "objection_anonymous"),
                (case(given=objection.model_copy(update={"contact": ""})), "objection_anonymous"),
            ],
        ),
        "award_within_notice": (
            case(given=inputs.Approve(award_minor=5), facts={"noticed_minor": 5}),
            [
                (
                    case(
                        given=inputs.Approve(award_minor=6),
                        here={"currency": "CNY"},
                        facts={"noticed_minor": 5},
                    ),
                    "award_exceeds_notice",
                )
            ],
        ),
        "programme_draws": (case(programme=draws), [(case(), "programme_does_not_draw")]),
        "value_is_to_come": (
            case(given=announced()),
            [(case(given=announced(source_on=TODAY)), "draw_value_known")],
        ),
        "source_is_named": (
            case(given=announced(), facts={"draw_basis": BASIS}),
            [
                (
                    case(given=announced(), facts={"draw_basis": {**BASIS, "beacon": {"problem": "x"}}}),
                    "draw_source_unusable",
                )
            ],
        ),
        "rounds_can_be_drawn": (
            case(given=announced(), facts={"draw_basis": BASIS}),
            [
                (case(given=announced(), facts={"draw_basis": {**BASIS, key: value}}), code)
                for key, value, code in (
                    ("unknown", 1, "draw_rounds_unknown"),
                    ("drawn", ["A"], "draw_rounds_drawn"),
                    ("undescribed", ["A"], "draw_fields_missing"),
                    ("pool", [], "draw_pool_empty"),
                )
            ],
        ),
        "redraw_says_why": (
            case(given=announced(replaces=ME, reason="r"), facts={"draw_basis": BASIS}),
            [
                (case(given=announced(replaces=ME), facts={"draw_basis": BASIS}), "redraw_without_reason"),
                (
                    case(
                        given=announced(replaces=ME, reason="r"),
                        facts={"draw_basis": {**BASIS, "replaces_void": False}},
                    ),
                    "draw_before_stands",
                ),
                (
                    case(given=announced(), facts={"draw_basis": {**BASIS, "hidden": ["A-1"]}}),
                    "redraw_hides_draw",
                ),
            ],
        ),
        "not_witnessed_yet": (
            case(here={"witness_id": None}),
            [(case(here={"witness_id": ME}), "draw_witnessed_already")],
        ),
        "witnessed": (
            case(here={"witness_id": ME}, programme=watched),
            [(case(here={"witness_id": None}, programme=watched), "draw_witness_missing")],
        ),
        "value_is_out": (
            case(here={"source_on": TODAY}),
            [(case(here={"source_on": date(2025, 3, 11)}), "draw_value_not_out")],
        ),
        "value_is_true": (
            case(given=conclude, facts={"value": {"problem": ""}}),
            [(case(given=conclude, facts={"value": {"problem": "p"}}), "draw_value_false")],
        ),
        "seat_is_vacant": (
            case(given=succeed, facts={"seat": SEAT}),
            [
                (case(given=succeed, facts={"seat": None}), "expert_not_drawn"),
                (case(given=succeed, facts={"seat": {**SEAT, "vacant": False}}), "seat_taken"),
                (case(given=succeed, facts={"seat": {**SEAT, "succeeded": True}}), "seat_taken"),
            ],
        ),
        "draw_unused": (case(facts={"draw_used": False}), [(case(facts={"draw_used": True}), "draw_used")]),
        "project_declined": (
            case(of={"state": "declined"}),
            [(case(of={"state": state}), "nothing_to_review") for state in ("approval", "closed_failed")],
        ),
        "request_in_time": (
            case(facts={"declined_on": "2025-02-23"}),
            [(case(facts={"declined_on": "2025-02-22"}), "request_too_late")],
        ),
        "ground_can_be_reviewed": (
            case(given=request()),
            [(case(given=request("academic_judgement")), "academic_judgement")],
        ),
        "no_request_open": (
            case(facts={"requests": [{"state": "dismissed"}]}),
            [(case(facts={"requests": [{"state": "filed"}]}), "request_open")],
        ),
        "request_upheld": (
            case(facts={"requests": [{"state": "upheld"}]}),
            [
                (case(facts={"requests": [{"state": state}]}), "request_not_upheld")
                for state in ("filed", "dismissed")
            ],
        ),
    }
