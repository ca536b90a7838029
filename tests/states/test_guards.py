"""Every guard holds in one case and objects in another, by its own refusal; every refusal has words.

The cases are plain facts, since a guard does no I/O. A guard that is added without its two cases fails here.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from config.programme_files import load_programme
from config.programmes import Programme
from schema import inputs
from states import gates  # noqa: F401  The gates enter their guards when they are read.
from states.case import Case
from states.guards import GUARDS, objections
from states.refusals import CATALOGUE, Refusal, Refused, refuse
from states.roles import ROLES
from tests.invariants.town import SHIPPED
from tests.states import (
    bank_cases,
    budget_cases,
    claim_cases,
    correction_cases,
    duty_cases,
    receivable_cases,
    review_cases,
)

ROOT = Path(__file__).resolve().parents[2]
ME, OTHER = UUID(int=1), UUID(int=2)
TODAY = date(2025, 3, 10)
PROGRAMMES = {p.stem: load_programme(p).programme for p in SHIPPED}
MILESTONES = PROGRAMMES["city-milestone-subsidy"]
POST = PROGRAMMES["city-post-subsidy"]
APPLY = {
    "code": "A1",
    "title": "t",
    "programme_id": ME,
    "office_path": "/",
    "unit_name": "u",
    "leader_name": "l",
    "requested_minor": 10,
}
REPORT = inputs.MilestoneReport(report="r", documents=("a" * 64,))
RUBRIC = {c.code: c.max for c in MILESTONES.review.rubric} if MILESTONES.review else {}
FIRST = next(iter(RUBRIC))


def case(
    *,
    here: dict[str, Any] | None = None,
    of: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    given: Any = None,
    programme: Programme = MILESTONES,
    state: str = "x",
) -> Case:
    row = {"state": state, "version": 1, "currency": "CNY", **(here or {})}
    return Case(
        noun="project",
        subject_id=ME,
        subject=row,
        project={"currency": "CNY", **row, **(of or {})},
        programme=programme,
        actor_id=ME,
        roles=frozenset(),
        now=None,  # type: ignore[arg-type]
        today=TODAY,
        input=given,
        facts=facts or {},
    )


def revise(total: int, *sums: int | None) -> inputs.Revise:
    plan = tuple(
        inputs.PlannedMilestone(number=n, title="m", amount_minor=s) for n, s in enumerate(sums, start=1)
    )
    return inputs.Revise(title="t", unit_name="u", leader_name="l", requested_minor=total, plan=plan)


def scores(**changes: int) -> inputs.Scores:
    return inputs.Scores(scores={**RUBRIC, **changes})


def invite(expert: UUID | None = OTHER) -> inputs.Invite:
    return inputs.Invite(expert_id=expert or OTHER)


def called() -> inputs.Apply:
    return inputs.Apply(**APPLY, currency="CNY", call_id=OTHER)


def spend(minor: int, tranche: int = 1) -> inputs.ReportSpending:
    return inputs.ReportSpending(tranche=tranche, spent_minor=minor)


def lift(id: UUID = ME) -> inputs.LiftHold:
    return inputs.LiftHold(hold_id=id, reason="r")


TRANCHES = [{"number": 1, "paid_minor": 100, "spent_minor": 50, "currency": "CNY"}]
TASKS = [{"id": str(OTHER), "expert_id": str(OTHER), "state": "submitted"}]
SCORED = case(facts={"round_tasks": TASKS * (MILESTONES.review.quorum if MILESTONES.review else 1)})
NOTICE = {"notice_state": "ended", "notice_closes_on": date(2025, 3, 7), "open_objections": 0}

# guard: (a case in which it holds, the cases in which it objects and by what)
TABLE: dict[str, tuple[Case, list[tuple[Case, str]]]] = {
    "currency_is_the_programmes": (
        case(given=inputs.Apply(**APPLY, currency="CNY")),
        [(case(given=inputs.Apply(**APPLY, currency="USD")), "currency_differs")],
    ),
    "plan_adds_up": (
        case(given=revise(10, 4, 6)),
        [
            (case(given=revise(10, 4, 5)), "plan_does_not_add_up"),
            (case(given=revise(10, 4, None)), "plan_does_not_add_up"),
            (case(given=revise(70, *([10] * 7))), "plan_too_long"),
            (
                case(here={"plan": [{"amount_minor": 3}], "requested_minor": 10}),
                "plan_does_not_add_up",
            ),
        ],
    ),
    "plan_present": (case(here={"plan": [{"number": 1}]}), [(case(here={"plan": []}), "plan_missing")]),
    "call_open": (
        case(facts={"call_state": "open"}),
        [(case(facts={"call_state": state}), "call_not_open") for state in ("planned", "closed")],
    ),
    "call_is_the_programmes": (
        case(given=called(), facts={"call": {"chain_id": ME}, "chain_id": ME}),
        [
            (case(given=called(), facts={"call": {"chain_id": OTHER}, "chain_id": ME}), "call_differs"),
            (case(given=called(), facts={"call": None, "chain_id": ME}), "call_differs"),
        ],
    ),
    "documents_handed_in": (
        case(given=REPORT, facts={"documents_missing": []}),
        [
            (
                case(given=REPORT, facts={"documents_missing": ["a" * 64]}),
                "document_missing",
            )
        ],
    ),
    "replaced_task_in_round": (
        case(given=inputs.Invite(expert_id=ME, replaces=OTHER), facts={"round_tasks": TASKS}),
        [
            (
                case(given=inputs.Invite(expert_id=ME, replaces=ME), facts={"round_tasks": TASKS}),
                "task_not_in_round",
            )
        ],
    ),
    "unit_pledged": (
        case(of={"pledged_unit": True}),
        [(case(of={"pledged_unit": False}), "pledge_unit_missing")],
    ),
    "leader_pledged": (
        case(of={"pledged_leader": True}),
        [(case(of={"pledged_leader": False}), "pledge_leader_missing")],
    ),
    "project_not_suspended": (
        case(of={"state": "implementation"}),
        [(case(of={"state": "suspended"}), "project_suspended")],
    ),
    "unit_pledge_missing": (
        case(of={"pledged_unit": False}),
        [(case(of={"pledged_unit": True}), "pledge_signed_already")],
    ),
    "leader_pledge_missing": (
        case(of={"pledged_leader": False}),
        [(case(of={"pledged_leader": True}), "pledge_signed_already")],
    ),
    "checklist_confirmed": (
        case(given=inputs.Checklist(met=tuple(i.code for i in MILESTONES.checklist))),
        [(case(given=inputs.Checklist(met=(MILESTONES.checklist[0].code,))), "checklist_incomplete")],
    ),
    "review_passed": (
        case(state="remote_review", of={"review_outcomes": {"remote_review": True}}),
        [
            (case(state="remote_review", of={"review_outcomes": {}}), "review_undecided"),
            (case(state="remote_review", of={"review_outcomes": {"panel_review": True}}), "review_undecided"),
            (
                case(state="remote_review", of={"review_outcomes": {"remote_review": False}}),
                "review_not_passed",
            ),
        ],
    ),
    "award_within_request": (
        case(here={"requested_minor": 10}, given=inputs.Approve(award_minor=10)),
        [(case(here={"requested_minor": 10}, given=inputs.Approve(award_minor=11)), "award_exceeds_request")],
    ),
    "grantee_not_signed": (
        case(of={"grantee_signed_on": None}),
        [(case(of={"grantee_signed_on": TODAY}), "agreement_signed_already")],
    ),
    "grantee_signed": (
        case(of={"grantee_signed_on": TODAY}),
        [(case(of={"grantee_signed_on": None}), "agreement_not_signed_by_grantee")],
    ),
    "milestones_finished": (
        case(
            facts={
                "milestones": [
                    {"number": n, "state": s} for n, s in enumerate(("accepted", "waived", "rejected"))
                ]
            }
        ),
        [
            (case(facts={"milestones": [{"number": 1, "state": s}]}), "milestones_unfinished")
            for s in ("planned", "due", "overdue", "reported", "returned")
        ],
    ),
    "payments_finished": (
        case(facts={"payments": [{"number": 1, "state": s} for s in ("settled", "void", "returned")]}),
        [
            (case(facts={"payments": [{"number": 1, "state": s}]}), "payments_unfinished")
            for s in ("planned", "due", "requested", "approved", "released", "instructed", "unknown")
        ],
    ),
    "no_money_on_its_way": (
        case(facts={"payments": [{"number": 1, "state": "released"}]}),
        [
            (case(facts={"payments": [{"number": 1, "state": s}]}), "payments_unfinished")
            for s in ("instructed", "unknown")
        ],
    ),
    "acceptance_decided": (
        case(of={"acceptance_outcome": "failed"}),
        [(case(of={"acceptance_outcome": None}), "acceptance_undecided")],
    ),
    "not_rectified": (case(of={"rectified": False}), [(case(of={"rectified": True}), "rectified_already")]),
    "hold_stands": (
        case(facts={"holds": [{"id": str(ME)}]}, given=lift()),
        [
            (case(facts={"holds": []}), "no_holds"),
            (case(facts={"holds": [{"id": str(OTHER)}]}, given=lift()), "no_holds"),
        ],
    ),
    "integrity_hold_stands": (
        case(facts={"integrity_holds": [{"id": str(ME)}]}, given=lift()),
        [
            (case(facts={"integrity_holds": []}), "no_holds"),
            (case(facts={"integrity_holds": [{"id": str(OTHER)}]}, given=lift()), "no_holds"),
        ],
    ),
    "spending_plausible": (
        case(facts={"tranches": TRANCHES}, given=spend(100)),
        [
            (case(facts={"tranches": TRANCHES}, given=spend(101)), "spent_more_than_paid"),
            (case(facts={"tranches": [{**TRANCHES[0], "paid_minor": 0}]}), "nothing_paid"),
            (case(facts={"tranches": []}), "nothing_paid"),
            (case(facts={"tranches": TRANCHES}, given=spend(49)), "spending_falls"),
            (case(facts={"tranches": TRANCHES}, given=spend(60, tranche=2)), "tranche_unknown"),
        ],
    ),
    "deadline_passed": (
        case(facts={"deadline_due": "2025-03-09"}),
        [
            (case(facts={"deadline_due": "2025-03-10"}), "not_due_yet"),
            (case(facts={"deadline_due": "2025-03-11"}), "not_due_yet"),
            (case(facts={"deadline_due": None}), "not_due_yet"),
        ],
    ),
    "evaluator_is_the_one": (
        case(here={"evaluator_id": ME}),
        [(case(here={"evaluator_id": OTHER}), "not_the_evaluator")],
    ),
    "assignee_evaluates": (
        case(facts={"assignee_roles": ["evaluator"]}, given=inputs.AssignEvaluator(evaluator_id=OTHER)),
        [
            (
                case(facts={"assignee_roles": roles}, given=inputs.AssignEvaluator(evaluator_id=OTHER)),
                "not_an_evaluator",
            )
            for roles in ([], ["finance_officer"], ["evaluator", "applicant"])
        ],
    ),
    "assignee_is_expert": (
        case(facts={"assignee_roles": ["expert"]}, given=invite()),
        [
            (case(facts={"assignee_roles": roles}, given=invite()), "not_an_evaluator")
            for roles in ([], ["programme_officer"], ["expert", "principal_investigator"])
        ],
    ),
    "due_day_later": (
        case(here={"due_on": TODAY}, given=inputs.NewDueDay(due_on=date(2025, 3, 11), reason="r")),
        [
            (
                case(here={"due_on": TODAY}, given=inputs.NewDueDay(due_on=day, reason="r")),
                "due_day_not_later",
            )
            for day in (TODAY, date(2025, 3, 9))
        ],
    ),
    "project_under_review": (
        case(of={"state": "panel_review"}),
        [(case(of={"state": "approval"}), "stage_differs")],
    ),
    "no_round_undecided": (
        case(
            of={"state": "remote_review"}, facts={"rounds": [{"stage": "remote_review", "state": "decided"}]}
        ),
        [
            (
                case(
                    of={"state": "remote_review"}, facts={"rounds": [{"stage": "remote_review", "state": s}]}
                ),
                "round_open_already",
            )
            for s in ("open", "quorum_reached", "scored")
        ],
    ),
    "round_still_open": (
        case(facts={"round_state": "open"}),
        [(case(facts={"round_state": "decided"}), "round_over")],
    ),
    "expert_not_in_round": (
        case(facts={"round_tasks": TASKS}, given=invite(ME)),
        [(case(facts={"round_tasks": TASKS}, given=invite(OTHER)), "expert_in_round_already")],
    ),
    "task_is_mine": (case(here={"expert_id": ME}), [(case(here={"expert_id": OTHER}), "not_your_task")]),
    "scores_complete": (
        case(given=scores()),
        [
            (case(given=inputs.Scores(scores={FIRST: 1})), "scores_incomplete"),
            (case(given=scores(**{FIRST: RUBRIC[FIRST] + 1})), "score_out_of_range"),
        ],
    ),
    "scores_in_range": (
        case(given=inputs.Scores(scores={FIRST: RUBRIC[FIRST]})),
        [
            (case(given=scores(**{FIRST: RUBRIC[FIRST] + 1})), "score_out_of_range"),
            (case(given=scores(charm=0)), "score_out_of_range"),
        ],
    ),
    "quorum_reached": (
        SCORED,
        [
            (case(facts={"round_tasks": TASKS}), "quorum_missing"),
            (case(facts={"round_tasks": [{**TASKS[0], "state": "accepted"}] * 9}), "quorum_missing"),
        ],
    ),
    "project_under_notice": (
        case(of={"state": "public_notice"}),
        [(case(of={"state": "approval"}), "stage_differs")],
    ),
    "no_notice_open": (
        case(of={"notice_state": "withdrawn"}),
        [(case(of={"notice_state": "open"}), "notice_open_already")],
    ),
    "notice_opens_from_today": (
        case(given=inputs.PublishNotice(opens_on=TODAY)),
        [(case(given=inputs.PublishNotice(opens_on=date(2025, 3, 9))), "notice_day_past")],
    ),
    "notice_window_over": (
        case(here={"closes_on": date(2025, 3, 9)}),
        [(case(here={"closes_on": TODAY}), "notice_running")],
    ),
    "notice_concluded": (
        case(of=NOTICE),
        [
            (case(of={**NOTICE, "notice_state": None}), "notice_missing"),
            (case(of={**NOTICE, "notice_state": "withdrawn"}), "notice_missing"),
            (case(of={**NOTICE, "notice_closes_on": None}), "notice_missing"),
            (case(of={**NOTICE, "notice_state": "open"}), "notice_running"),
            (case(of={**NOTICE, "notice_closes_on": TODAY}), "notice_running"),
            (case(of={**NOTICE, "open_objections": 1}), "objection_open"),
        ],
    ),
    "four_eyes": (
        case(facts={"duties": [{"duty": "requester", "person_id": str(OTHER)}]}),
        [
            (case(facts={"duties": [{"duty": duty, "person_id": str(ME)}]}), "four_eyes")
            for duty in ("requester", "approver", "releaser", "payee_editor", "first_attester")
        ],
    ),
    "payee_entered_by_another": (
        case(facts={"payee": {"entered_by": OTHER}}),
        [(case(facts={"payee": {"entered_by": ME}}), "four_eyes")],
    ),
    "binding_intact": (
        case(here={"payee_id": ME}, of={"payee_id": ME}),
        [
            (case(here={"payee_id": ME}, of={"payee_id": OTHER}), "binding_broken"),
            (case(here={"payee_id": ME}, of={"payee_id": None}), "binding_broken"),
        ],
    ),
    "attested_by_nobody": (
        case(facts={"duties": [{"duty": "releaser", "person_id": str(ME)}]}),
        [
            (
                case(facts={"duties": [{"duty": "first_attester", "person_id": str(OTHER)}]}),
                "attestation_given",
            )
        ],
    ),
    "attested_first": (
        case(here={"attested": "settled"}),
        [(case(here={"attested": None}), "attestation_missing")],
    ),
    "verifier_is_second": (
        case(here={"entered_by": OTHER}),
        [(case(here={"entered_by": ME}), "payee_same_person")],
    ),
}
TABLE |= review_cases.table(case, MILESTONES)
TABLE |= bank_cases.table(case)
TABLE |= duty_cases.table(case)
TABLE |= receivable_cases.table(case)
TABLE |= correction_cases.table(case)
TABLE |= claim_cases.table(case, MILESTONES)
TABLE |= budget_cases.table(case, MILESTONES)
# These ask the gates, which have cases of their own (test_gates).
BY_THE_GATES = {"gates_open", "gates_shut"}
HOLDS = [pytest.param(name, row[0], id=name) for name, row in TABLE.items()]
OBJECTS = [
    pytest.param(name, wrong, code, id=f"{name}-{number}-{code}")
    for name, row in TABLE.items()
    for number, (wrong, code) in enumerate(row[1])
]


def test_every_guard_has_its_two_cases() -> None:
    assert set(TABLE) | BY_THE_GATES == set(GUARDS)


@pytest.mark.parametrize(("name", "holds"), HOLDS)
def test_a_guard_holds(name: str, holds: Case) -> None:
    assert objections(name, holds) == []


@pytest.mark.parametrize(("name", "wrong", "code"), OBJECTS)
def test_a_guard_objects_and_says_why(name: str, wrong: Case, code: str) -> None:
    found = objections(name, wrong)
    assert [refusal.code for refusal in found] == [code]
    for locale in ("zh", "en"):
        assert found[0].fact(locale) and found[0].remedy(locale)


def test_guards_about_input_object_to_nothing_before_anything_is_typed() -> None:
    facts = {"holds": [{"id": str(ME)}], "integrity_holds": [{"id": str(ME)}], "tranches": TRANCHES}
    empty = case(
        here={"requested_minor": 1, "due_on": TODAY, "plan": []},
        facts={**facts, "round_tasks": TASKS, "assignee_roles": []},
    )
    about_input = {
        "award_within_request",
        "assignee_evaluates",
        "assignee_is_expert",
        "checklist_confirmed",
        "currency_is_the_programmes",
        "due_day_later",
        "expert_not_in_round",
        "hold_stands",
        "integrity_hold_stands",
        "notice_opens_from_today",
        "scores_complete",
        "scores_in_range",
        "spending_plausible",
    }
    assert {name for name in about_input if objections(name, empty)} == set()


def test_a_programme_that_takes_every_currency_takes_each_projects_own() -> None:
    anything = MILESTONES.model_copy(update={"currency": "XXX"})
    for currency in ("CNY", "USD", "EUR"):
        given = inputs.Apply(**APPLY, currency=currency)
        assert objections("currency_is_the_programmes", case(given=given, programme=anything)) == []


def test_pledges_are_asked_only_of_who_signs_in_the_programme() -> None:
    nobody = MILESTONES.model_copy(update={"pledge_signers": ()})
    unsigned = case(of={"pledged_unit": False, "pledged_leader": False}, programme=nobody)
    assert objections("unit_pledged", unsigned) == objections("leader_pledged", unsigned) == []


# The words --------------------------------------------------------------------------------------------------


def calls_of_refuse() -> Iterator[tuple[str, set[str], str]]:
    """Every place that makes a refusal: its code, the names of its parameters, where."""
    for folder in ("states", "milepost", "flows"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "refuse"
                ):
                    assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"
                    given = {keyword.arg for keyword in node.keywords if keyword.arg}
                    yield node.args[0].value, given, f"{path.relative_to(ROOT)}:{node.lineno}"


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_refusal_is_produced_somewhere_and_no_other() -> None:
    assert {code for code, _, _ in calls_of_refuse()} == set(CATALOGUE)


def test_every_refusal_is_given_what_its_words_ask_for() -> None:
    for code, given, where in calls_of_refuse():
        shape = Refusal(code, tuple((name, f"<{name}>") for name in given))
        asked: set[str] = set()
        for locale in ("zh", "en"):
            for text in (shape.fact(locale), shape.remedy(locale)):
                assert text.strip(), (code, locale)
                assert not blanks(text), f"{where}: {code} leaves {blanks(text)} open"
                asked |= {name for name in given if f"<{name}>" in text}
        assert asked == given, f"{where}: {code} does not say {given - asked}"


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_refusal_says_the_fact_the_remedy_and_who_in_both_languages(code: str) -> None:
    given = next(given for made, given, _ in calls_of_refuse() if made == code)
    made = refuse(code, **dict.fromkeys(given, "x"))
    said = made.as_json()
    assert said["code"] == code
    for part in ("fact", "remedy"):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in said[part]["zh"]), said
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in said[part]["en"]), said
        assert said[part]["en"].rstrip().endswith((".", "?", "!")), said
    assert said["who"] and set(said["who"]) <= {*ROLES, "anyone"}


def test_a_code_that_is_not_in_the_catalogue_crashes() -> None:
    with pytest.raises(KeyError):
        refuse("no_such_code")


def test_all_refusals_are_told_at_once() -> None:
    told = str(Refused([refuse("plan_missing"), refuse("call_not_open")]))
    assert "plan_missing" in told and "call_not_open" in told
