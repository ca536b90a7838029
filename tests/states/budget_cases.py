"""The cases of the guards of yearly budgets; ``test_guards`` goes through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from config.programmes import Programme
from schema import inputs
from schema.inputs_budget import ChangeSum, MoveSum, WholeRest
from states.case import Case

ME, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
Make = Callable[..., Case]


def purse(**changes: Any) -> dict[str, Any]:
    row = {
        "id": str(OTHER),
        "state": "voted",
        "fiscal_year": 2025,
        "origin_year": 2025,
        "currency": "CNY",
        "left_minor": 100,
    }
    return {"purse": {**row, **changes}}


def receiving(**changes: Any) -> dict[str, Any]:
    return purse() | {"receiving": purse(id=THIRD, may=True, **changes)["purse"]}


def vote(**changes: Any) -> inputs.Appropriate:
    given = {"programme_id": ME, "fiscal_year": 2025, "currency": "CNY", "amount_minor": 1}
    return inputs.Appropriate(**(given | changes))


CHANGE = ChangeSum(amount_minor=100, reason="r")
MOVE = MoveSum(to_id=THIRD, amount_minor=1, reason="r")
REST = WholeRest(reason="r")


def table(case: Make, programme: Programme) -> dict[str, tuple[Case, list[tuple[Case, str]]]]:
    """Guard: a case in which it holds, the cases in which it objects and by what."""
    closed, old = purse(state="closed"), purse(state="closed", fiscal_year=2024, origin_year=2023)
    young = purse(state="closed", fiscal_year=2024, origin_year=2024)
    # Two years are over also for money of last year that came back only now.
    back = purse(state="closed", fiscal_year=2023, origin_year=2023)
    row = {"requested_minor": 100, "currency": "CNY", "plan": [PLAN]}

    def award(free: dict[int, int]) -> Case:
        facts = {"noticed_minor": None, "outlook": free}
        return case(given=inputs.Approve(), of=row, here=row, facts=facts, programme=programme)

    return {
        "source_known": (case(given=vote()), [(case(given=vote(source="moon")), "source_unknown")]),
        "nothing_hangs": (
            case(facts={"hanging": []}),
            [(case(facts={"hanging": [{"code": "P", "number": 1}]}), "year_payments_hang")],
        ),
        "no_change_waits": (
            case(facts={"open_changes": 0}),
            [(case(facts={"open_changes": 1}), "year_changes_wait")],
        ),
        "purse_in_force": (
            case(facts=purse()),
            [
                (case(facts=closed), "purse_closed"),
                (case(facts=purse(state="proposed")), "purse_not_voted"),
            ],
        ),
        "year_is_closed": (case(facts=closed), [(case(facts=purse()), "purse_not_closed")]),
        "sum_is_free": (
            case(facts=purse(), given=CHANGE),
            [(case(facts=purse(left_minor=99), given=CHANGE), "purse_has_less")],
        ),
        "move_goes": (
            case(facts=receiving(), given=MOVE),
            [
                (case(facts=purse() | {"receiving": None}, given=MOVE), "receiving_unknown"),
                (case(facts=receiving() | {"receiving": {"may": False}}, given=MOVE), "receiving_unknown"),
                (case(facts=receiving(fiscal_year=2026), given=MOVE), "receiving_differs"),
                (case(facts=receiving(currency="EUR"), given=MOVE), "receiving_differs"),
                (case(facts=receiving(origin_year=2024), given=MOVE), "receiving_differs"),
                (case(facts=receiving(state="closed"), given=MOVE), "purse_closed"),
                (
                    case(facts=purse() | {"receiving": {**purse()["purse"], "may": True}}, given=MOVE),
                    "receiving_same",
                ),
            ],
        ),
        "something_is_left": (case(facts=purse()), [(case(facts=purse(left_minor=0)), "nothing_left")]),
        "may_be_carried": (case(facts=young), [(case(facts=f), "lapse_due") for f in (old, back)]),
        "has_lapsed": (case(facts=old), [(case(facts=young), "lapse_not_due")]),
        "carried_into_open_year": (
            case(facts={"carried_to": None}, given=REST),
            [
                (
                    case(facts={"carried_to": {**purse()["purse"], "state": "closed"}}, given=REST),
                    "purse_closed",
                )
            ],
        ),
        "proposed_by_another": (
            case(here={"proposed_by": OTHER}),
            [(case(here={"proposed_by": ME}), "budget_same_person")],
        ),
        "proposed_by_oneself": (
            case(here={"proposed_by": ME}),
            [(case(here={"proposed_by": OTHER}), "proposed_by_another")],
        ),
        "vote_proposed_by_another": (
            case(here={"proposed_by": OTHER}),
            [(case(here={"proposed_by": ME}), "budget_same_person")],
        ),
        "vote_proposed_by_oneself": (
            case(here={"proposed_by": ME}),
            [(case(here={"proposed_by": OTHER}), "vote_of_another")],
        ),
        "close_not_proposed": (
            case(here={"closing_by": None}),
            [(case(here={"closing_by": OTHER}), "close_waits")],
        ),
        "close_proposed": (
            case(here={"closing_by": OTHER}),
            [(case(here={"closing_by": None}), "close_not_proposed")],
        ),
        "close_proposed_by_another": (
            case(here={"closing_by": OTHER}),
            [(case(here={"closing_by": ME}), "close_same_person")],
        ),
        "change_still_fits": (
            case(here={"kind": "decrease", "amount_minor": 100}, facts=purse()),
            [
                (case(here={"kind": "increase", "amount_minor": 1}, facts=closed), "purse_closed"),
                (case(here={"kind": "move", "amount_minor": 101}, facts=purse()), "purse_has_less"),
                (case(here={"kind": "carry_over", "amount_minor": 99}, facts=young), "rest_changed"),
                (case(here={"kind": "carry_over", "amount_minor": 100}, facts=old), "lapse_due"),
                (case(here={"kind": "lapse", "amount_minor": 100}, facts=young), "lapse_not_due"),
            ],
        ),
        # Of a year for which nothing was voted yet nothing is asked.
        "award_fits_budget": (award({2025: 0}), [(award({2026: 99}), "award_does_not_fit")]),
    }


PLAN = {"number": 1, "title": "t", "amount_minor": 100, "due_on": "2026-05-01"}
