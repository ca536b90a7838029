"""Guards of yearly budgets and of their changes: they enter the table when this module is read.

``purse`` is the appropriation that gives, with what is free in it; ``receiving`` the one that a move names;
``carried_to`` the one that carried-over money would go into, where there is one already.
"""

from __future__ import annotations

from typing import Any

from states.budget import carry_year
from states.case import Case
from states.funding import source_of
from states.guards import guard, shown
from states.outlook import years_of
from states.refusals import Refusal, refuse

Verdict = Refusal | None


def _kind(case: Case) -> str:
    return str((case.subject or {}).get("kind", ""))


@guard()
def source_known(case: Case) -> Verdict:
    if case.input is None:
        return None
    known = [source.code for source in case.programme.budget.sources]
    source = source_of(case)
    return None if source in known else refuse("source_unknown", source=source, known=", ".join(known))


@guard("hanging")
def nothing_hangs(case: Case) -> Verdict:
    """An approval binds its appropriation: a year closes once its payments are settled or sent back."""
    hanging = case.facts["hanging"]
    if not hanging:
        return None
    named = ", ".join(f"{row['code']}/t{row['number']}" for row in hanging[:12])
    more = f" … (+{len(hanging) - 12})" if len(hanging) > 12 else ""
    return refuse("year_payments_hang", count=len(hanging), payments=named + more)


@guard("open_changes")
def no_change_waits(case: Case) -> Verdict:
    count = case.facts["open_changes"]
    return refuse("year_changes_wait", count=count) if count else None


@guard()
def vote_proposed_by_another(case: Case) -> Verdict:
    return refuse("budget_same_person") if case.here["proposed_by"] == case.actor_id else None


@guard()
def vote_proposed_by_oneself(case: Case) -> Verdict:
    return None if case.here["proposed_by"] == case.actor_id else refuse("vote_of_another")


@guard()
def close_not_proposed(case: Case) -> Verdict:
    return refuse("close_waits") if case.here["closing_by"] is not None else None


@guard()
def close_proposed(case: Case) -> Verdict:
    return None if case.here["closing_by"] is not None else refuse("close_not_proposed")


@guard()
def close_proposed_by_another(case: Case) -> Verdict:
    return refuse("close_same_person") if case.here["closing_by"] == case.actor_id else None


def _in_force(purse: dict[str, Any]) -> Verdict:
    if purse["state"] == "voted":
        return None
    year = purse["fiscal_year"]
    return (
        refuse("purse_closed", year=year)
        if purse["state"] == "closed"
        else refuse("purse_not_voted", year=year)
    )


@guard("purse")
def purse_in_force(case: Case) -> Verdict:
    return _in_force(case.facts["purse"])


@guard("purse")
def year_is_closed(case: Case) -> Verdict:
    purse = case.facts["purse"]
    return None if purse["state"] == "closed" else refuse("purse_not_closed", year=purse["fiscal_year"])


def _free(purse: dict[str, Any], need: int) -> Verdict:
    if purse["left_minor"] >= need:
        return None
    have = shown(purse["left_minor"], purse["currency"])
    return refuse("purse_has_less", have=have, need=shown(need, purse["currency"]))


@guard("purse")
def sum_is_free(case: Case) -> Verdict:
    """What is reserved, on its way or paid stays: nothing is taken from under a payment."""
    return _free(case.facts["purse"], case.input.amount_minor if case.input is not None else 1)


@guard("receiving")
def move_goes(case: Case) -> list[Refusal]:
    """A move stays in its year, currency and year of origin, and reaches an appropriation in force."""
    if case.input is None or _kind(case) not in ("", "move"):
        return []
    purse, to = case.facts["purse"], case.facts["receiving"]
    if to is None or not to["may"]:
        return [refuse("receiving_unknown")]
    found = [
        refuse("receiving_differs", what=what, here=purse[what], there=to[what])
        for what in ("fiscal_year", "currency", "origin_year")
        if purse[what] != to[what]
    ]
    if str(to["id"]) == purse["id"]:
        found.append(refuse("receiving_same"))
    closed = _in_force(to)
    return [*found, closed] if closed else found


@guard("purse")
def something_is_left(case: Case) -> Verdict:
    purse = case.facts["purse"]
    return None if purse["left_minor"] > 0 else refuse("nothing_left", year=purse["fiscal_year"])


def _unspent_years(case: Case) -> int:
    """For how many years the money would have been unspent once it were carried on."""
    purse = case.facts["purse"]
    return carry_year(case.today.year, purse["fiscal_year"]) - int(purse["origin_year"])


def _carriable(case: Case) -> Verdict:
    years = case.programme.budget.lapse_after_years
    if _unspent_years(case) < years:
        return None
    return refuse("lapse_due", origin=case.facts["purse"]["origin_year"], years=years)


def _lapsed(case: Case) -> Verdict:
    years = case.programme.budget.lapse_after_years
    if _unspent_years(case) >= years:
        return None
    return refuse("lapse_not_due", origin=case.facts["purse"]["origin_year"], years=years)


@guard("purse")
def may_be_carried(case: Case) -> Verdict:
    return _carriable(case)


@guard("purse")
def has_lapsed(case: Case) -> Verdict:
    return _lapsed(case)


@guard("carried_to")
def carried_into_open_year(case: Case) -> Verdict:
    if case.input is None or _kind(case) not in ("", "carry_over"):
        return None
    to = case.facts["carried_to"]
    return _in_force(to) if to else None


@guard()
def proposed_by_another(case: Case) -> Verdict:
    return refuse("budget_same_person") if case.here["proposed_by"] == case.actor_id else None


@guard()
def proposed_by_oneself(case: Case) -> Verdict:
    return None if case.here["proposed_by"] == case.actor_id else refuse("proposed_by_another")


@guard("purse")
def change_still_fits(case: Case) -> list[Refusal]:
    """What held when it was proposed holds now, or the proposal has to be made anew."""
    purse, kind, amount = case.facts["purse"], _kind(case), case.here["amount_minor"]
    found: list[Verdict]
    if kind in ("carry_over", "lapse"):
        same = purse["left_minor"] == amount
        now, then = (shown(sum, purse["currency"]) for sum in (purse["left_minor"], amount))
        found = [None if same else refuse("rest_changed", now=now, then=then)]
        found.append(_carriable(case) if kind == "carry_over" else _lapsed(case))
    else:
        found = [_in_force(purse), None if kind == "increase" else _free(purse, amount)]
    return [refusal for refusal in found if refusal is not None]


@guard("outlook", "noticed_minor")
def award_fits_budget(case: Case) -> list[Refusal]:
    """What an award adds to each year fits into what is free of it; a year without a vote yet is not asked.

    ``outlook`` has what is free by year: of this year always, of later ones where money was voted.
    """
    if case.input is None:
        return []
    row, free = case.of, case.facts["outlook"]
    award = case.input.award_minor or case.facts["noticed_minor"] or row["requested_minor"]
    found = []
    for year, need in years_of(case.programme, award, row["currency"], row["plan"], case.today).items():
        if year in free and need > free[year]:
            have, wanted = (shown(max(sum, 0), row["currency"]) for sum in (free[year], need))
            found.append(refuse("award_does_not_fit", year=year, have=have, need=wanted))
    return found
