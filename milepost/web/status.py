"""Which HTTP answer a refusal is. The domain knows no such numbers; only this table does."""

from __future__ import annotations

from collections.abc import Iterable

from states.refusals import Refusal

_STATUS = {
    "not_found": 404,
    "unknown_step": 404,
    "not_permitted": 403,
    "person_inactive": 403,
    "delegation_over": 403,
    "delegation_withdrawn": 403,
    "delegation_not_begun": 403,
    "own_conflict": 403,
    "fresh_login_needed": 403,
    "input_invalid": 422,
    "programme_unknown": 422,
    "currency_differs": 422,
    "plan_does_not_add_up": 422,
    "plan_too_long": 422,
    "checklist_incomplete": 422,
    "scores_incomplete": 422,
    "score_out_of_range": 422,
    "tranche_unknown": 422,
    "spent_more_than_paid": 422,
    "spending_falls": 422,
    "award_exceeds_request": 422,
    "award_exceeds_notice": 422,
    "due_day_not_later": 422,
    "notice_day_past": 422,
}
_FIRST = (404, 403, 409, 422)


def status_of(refusals: Iterable[Refusal]) -> int:
    """One status for several refusals: what hides comes first, what could be typed better last."""
    found = {_STATUS.get(refusal.code, 409) for refusal in refusals}
    return next((status for status in _FIRST if status in found), 409)
