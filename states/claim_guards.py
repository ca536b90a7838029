"""Guards of cost claims: what may be handed in, what an examiner may find, and the caps of the categories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from config.programmes import BudgetCategory, Programme
from states.case import Case
from states.guards import guard, shown
from states.refusals import Refusal, refuse

FUNDED = frozenset({"implementation", "acceptance", "closure"})
NAMED = 20
"""So many lines are named in one refusal; of more, it says that there are more."""


def categories(programme: Programme) -> dict[str, BudgetCategory]:
    """The categories of a programme by code; none where it foresees no claims."""
    return {c.code: c for c in programme.claims.categories} if programme.claims is not None else {}


# What may be wrong with lines, each said once for all lines that it is true of.
_SAID: dict[str, Callable[[str], Refusal]] = {
    "incomplete": lambda lines: refuse("claim_lines_incomplete", lines=lines),
    "unknown": lambda lines: refuse("claim_category_unknown", lines=lines),
    "bare": lambda lines: refuse("claim_evidence_missing", lines=lines),
    "outside": lambda lines: refuse("claim_lines_outside", lines=lines),
    "strange": lambda lines: refuse("finding_line_unknown", lines=lines),
    "too_much": lambda lines: refuse("allowed_more_than_claimed", lines=lines),
    "silent": lambda lines: refuse("disallowed_without_reason", lines=lines),
}


def _said(wrong: Mapping[str, list[int]]) -> list[Refusal]:
    return [_SAID[what](_numbers(lines)) for what, lines in wrong.items()]


def _numbers(lines: Iterable[int]) -> str:
    given = sorted(set(lines))
    more = " …" if len(given) > NAMED else ""
    return ", ".join(map(str, given[:NAMED])) + more


# Writing and handing in -------------------------------------------------------------------------------


@guard()
def claims_foreseen(case: Case) -> Refusal | None:
    return None if case.programme.claims is not None else refuse("claims_not_foreseen")


@guard()
def project_funded(case: Case) -> Refusal | None:
    """Costs are claimed from the agreement on; a suspended or ended project hands in nothing."""
    state = case.of["state"]
    return None if state in FUNDED else refuse("claim_not_now", state=state)


@guard()
def claim_period_in_order(case: Case) -> Refusal | None:
    given = case.input
    if given is None or given.period_from <= given.period_to:
        return None
    return refuse("claim_period_reversed", start=given.period_from, end=given.period_to)


@guard("claim_papers")
def claim_evidence_brought(case: Case) -> Refusal | None:
    """Knowing a file's hash is not having the file: who adds it brought it, or the claim had it before."""
    if case.input is None:
        return None
    strange = set(case.facts["claim_papers"])
    lines = [n for n, line in enumerate(case.input.lines, start=1) if line.evidence in strange]
    return refuse("claim_evidence_unknown", lines=_numbers(lines)) if lines else None


@guard()
def claim_period_over(case: Case) -> Refusal | None:
    """A period is claimed for once it is over: what is spent afterwards would belong to it as well."""
    last = case.here["period_to"]
    return None if last < case.today else refuse("claim_period_running", end=last)


@guard()
def claim_lines_complete(case: Case) -> list[Refusal]:
    """Each line says what was paid, when, to whom, for what, under which category, and shows it."""
    claim, known = case.here, categories(case.programme)
    wrong: dict[str, list[int]] = {}
    for number, line in enumerate(claim["lines"], start=1):
        category = known.get(line["category"])
        if not line["amount_minor"] or not line["spent_on"] or not line["payee"] or not line["description"]:
            wrong.setdefault("incomplete", []).append(number)
        if category is None:
            wrong.setdefault("unknown", []).append(number)
        elif category.evidence and not line["evidence"]:
            wrong.setdefault("bare", []).append(number)
        start, end = claim["period_from"].isoformat(), claim["period_to"].isoformat()
        if line["spent_on"] and not start <= line["spent_on"] <= end:
            wrong.setdefault("outside", []).append(number)
    found = _said(wrong)
    if not claim["lines"]:
        found.append(refuse("claim_empty"))
    most = case.programme.claims.lines_at_most if case.programme.claims else 0
    if len(claim["lines"]) > most:
        found.append(refuse("claim_too_long", count=len(claim["lines"]), most=most))
    return found


# Caps ---------------------------------------------------------------------------------------------------


def cap_minor(category: BudgetCategory, award_minor: int, sums: Mapping[str, int]) -> int | None:
    """How much a category may have in all: its share of the award or of the others, rounded down."""
    if category.at_most is None:
        return None
    others = sum(amount for code, amount in sums.items() if code != category.code)
    base = award_minor if category.of == "award" else others
    return int(Fraction(base) * category.at_most)


def over_caps(programme: Programme, award_minor: int, sums: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """The categories that have more than they may: code, what they have, what they may have."""
    over = []
    for code, category in categories(programme).items():
        most = cap_minor(category, award_minor, sums)
        if most is not None and sums.get(code, 0) > most:
            over.append((code, sums[code], most))
    return over


def _added(before: Mapping[str, int], lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums = dict(before)
    for code, amount in lines:
        sums[code] = sums.get(code, 0) + amount
    return sums


def _capped(case: Case, lines: Iterable[tuple[str, int]]) -> list[Refusal]:
    currency = case.of["currency"]
    sums = _added(case.facts["category_sums"], lines)
    return [
        refuse("claim_cap_exceeded", category=code, have=shown(have, currency), most=shown(most, currency))
        for code, have, most in over_caps(case.programme, case.of["award_minor"] or 0, sums)
    ]


@guard("category_sums")
def claim_within_caps(case: Case) -> list[Refusal]:
    """What is claimed now, with what is allowed of earlier claims, keeps to the caps."""
    return _capped(case, ((line["category"], line["amount_minor"] or 0) for line in case.here["lines"]))


@guard("claim_lines", "category_sums")
def claim_allowed_within_caps(case: Case) -> list[Refusal]:
    """Disallowing direct costs lowers what indirect costs may be: the caps are asked once more."""
    return _capped(
        case, ((line["category"], line["allowed_minor"] or 0) for line in case.facts["claim_lines"])
    )


# Examining -----------------------------------------------------------------------------------------------


@guard("claim_writers")
def claim_of_another(case: Case) -> Refusal | None:
    """Nobody examines what they wrote or handed in themselves."""
    mine = case.here["submitted_by"] == case.actor_id or str(case.actor_id) in case.facts["claim_writers"]
    return refuse("claim_own") if mine else None


@guard("claim_lines")
def findings_fit(case: Case) -> list[Refusal]:
    """Findings are about lines that there are, allow no more than was claimed, and say why not all."""
    if case.input is None:
        return []
    rows: dict[int, Any] = {line["number"]: line for line in case.facts["claim_lines"]}
    wrong: dict[str, list[int]] = {}
    seen = set[int]()
    for finding in case.input.findings:
        line = rows.get(finding.number)
        if line is None or finding.number in seen:
            wrong.setdefault("strange", []).append(finding.number)
        elif finding.allowed_minor > line["amount_minor"]:
            wrong.setdefault("too_much", []).append(finding.number)
        elif finding.allowed_minor < line["amount_minor"] and not finding.reason:
            wrong.setdefault("silent", []).append(finding.number)
        seen.add(finding.number)
    return _said(wrong)


@guard("claim_doubles")
def doubles_explained(case: Case) -> Refusal | None:
    """What was handed in before, here or for another project, is allowed only with a reason."""
    if case.input is None:
        return None
    twice = set(case.facts["claim_doubles"])
    lines = [f.number for f in case.input.findings if f.number in twice and f.allowed_minor and not f.reason]
    return refuse("double_unexplained", lines=_numbers(lines)) if lines else None


@guard("claim_lines")
def claim_examined(case: Case) -> Refusal | None:
    left = [line["number"] for line in case.facts["claim_lines"] if line["allowed_minor"] is None]
    return refuse("claim_unexamined", lines=_numbers(left)) if left else None


# Budgets ---------------------------------------------------------------------------------------------------


@guard()
def budget_of_categories(case: Case) -> Refusal | None:
    if case.input is None:
        return None
    known = categories(case.programme)
    strange = [code for code in case.input.budget if code not in known]
    if strange:
        return refuse("budget_category_unknown", given=", ".join(strange), known=", ".join(known))
    return None


@guard("claims")
def claims_finished(case: Case) -> Refusal | None:
    """A project is closed once its claims are decided: what is verified decides what is paid."""
    waiting = sorted(c["number"] for c in case.facts["claims"] if c["state"] in ("submitted", "returned"))
    return refuse("claims_unfinished", numbers=", ".join(map(str, waiting))) if waiting else None


__all__ = ["cap_minor", "categories", "over_caps"]
