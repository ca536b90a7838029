"""Changes of a yearly budget (预算调整): one person proposes, another confirms, and the money moves then.

Proposed on an appropriation, in the chain of the programme that gives. What moves and which way stands in
``states.postings``; the database holds each such transfer against the row of its change.
"""

from __future__ import annotations

from uuid import UUID

from schema.inputs import Note, Reason
from schema.inputs_budget import ChangeSum, MoveSum, WholeRest
from states.case import Case, Change, Follow
from states.step import Effect, Step, words

_SAME = ("source", "source_rank", "currency", "origin_year", "office_path")


def carry_year(today_year: int, fiscal_year: int) -> int:
    """The year into which what is left of a closed year is carried: the next one, or by now this one."""
    return max(fiscal_year + 1, today_year)


def _propose(kind: str) -> Effect:
    def propose(case: Case) -> Change:
        purse, given = case.facts["purse"], case.input
        return Change(
            set={
                "chain_id": case.facts["chain_id"],
                "programme_id": UUID(purse["programme_id"]),
                "office_path": purse["office_path"],
                "appropriation_id": UUID(purse["id"]),
                "to_id": getattr(given, "to_id", None),
                "kind": kind,
                # Of a closed year all that is left goes at once, so that nothing of it can go twice.
                "amount_minor": getattr(given, "amount_minor", purse["left_minor"]),
                "currency": purse["currency"],
                "reason": given.reason,
                "paper": given.paper,
                "proposed_by": case.actor_id,
            }
        )

    return propose


def receiver(case: Case) -> UUID:
    """The appropriation that a confirmed move or carry-over goes to; a new one where there is none yet."""
    if case.here["kind"] == "move":
        return UUID(str(case.here["to_id"]))
    found = case.facts["carried_to"]
    return UUID(str(found["id"])) if found else case.new_id("carried")


def _confirm(case: Case) -> Change:
    change = Change(set={"confirmed_by": case.actor_id})
    if case.here["kind"] != "carry_over":
        return change
    to, purse = receiver(case), case.facts["purse"]
    change.set["to_id"] = to
    if case.facts["carried_to"] is None:
        given = {
            "programme_id": purse["programme_id"],
            "fiscal_year": carry_year(case.today.year, purse["fiscal_year"]),
            **{k: purse[k] for k in (*_SAME, "for_interest")},
        }
        change.follow = [Follow("appropriation.open_carried", to, given)]
    return change


STEPS: tuple[Step, ...] = (
    Step(
        "budget_change.increase",
        (),
        "proposed",
        words("提出追加", "Propose an increase"),
        guards=("purse_in_force",),
        input=ChangeSum,
        effect=_propose("increase"),
    ),
    Step(
        "budget_change.decrease",
        (),
        "proposed",
        words("提出调减", "Propose a decrease"),
        guards=("purse_in_force", "sum_is_free"),
        input=ChangeSum,
        effect=_propose("decrease"),
    ),
    Step(
        "budget_change.move",
        (),
        "proposed",
        words("提出调剂", "Propose a move"),
        guards=("purse_in_force", "sum_is_free", "move_goes"),
        input=MoveSum,
        effect=_propose("move"),
    ),
    Step(
        "budget_change.carry_over",
        (),
        "proposed",
        words("提出结转下年", "Propose to carry over"),
        guards=("year_is_closed", "something_is_left", "may_be_carried", "carried_into_open_year"),
        input=WholeRest,
        effect=_propose("carry_over"),
    ),
    Step(
        "budget_change.lapse",
        (),
        "proposed",
        words("提出结余上缴", "Propose the lapse"),
        guards=("year_is_closed", "something_is_left", "has_lapsed"),
        input=WholeRest,
        effect=_propose("lapse"),
    ),
    Step(
        "budget_change.confirm",
        ("proposed",),
        "confirmed",
        words("确认调整", "Confirm"),
        guards=("proposed_by_another", "change_still_fits", "move_goes", "carried_into_open_year"),
        input=Note,
        effect=_confirm,
    ),
    Step(
        "budget_change.reject",
        ("proposed",),
        "rejected",
        words("不予调整", "Reject"),
        guards=("proposed_by_another",),
        input=Reason,
    ),
    Step(
        "budget_change.withdraw",
        ("proposed",),
        "withdrawn",
        words("撤回调整", "Withdraw"),
        guards=("proposed_by_oneself",),
        input=Reason,
    ),
)
