"""Decides one order over one case: who, which guards, which input, which state, and what it leaves behind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from milepost.alike import Alike
from milepost.bank.batches import payable
from milepost.bank.births import BORN_IN_SETS, birth_of, intake_of
from milepost.bank.credits import credit, payment_to_set_off
from milepost.cases import load_cases, notice_window, person_roles, programme_of, roles_anywhere_of
from milepost.db import Session
from milepost.experts import basis
from milepost.programmes import load_published
from milepost.queries import budget_basis, commitments
from milepost.queries.delegations import lapsed
from schema.nouns import NOUNS, REVIEW
from states.case import Case, Change, chain_of_programme
from states.delegation import acting_for
from states.guards import GUARDS, objections
from states.machines import Compiled, static_machines
from states.postings import POSTINGS, Posting
from states.refusals import Refusal, Refused, refuse
from states.review_guards import CLOSED
from states.step import NounMachine, Step

# What the subject of a step that creates something is: the thing it is created for.
PARENT: dict[str, str | None] = {
    "project": None,
    "call": None,
    "appropriation": None,
    "milestone": "project",
    "payment": "project",
    "payee": "project",
    "receivable": "project",
    "round": "project",
    "notice": "project",
    "task": "round",
    "objection": "notice",
    "review_request": "project",
    "claim": "project",
    "draw": None,
    "delegation": None,
    "batch": None,
    "budget_change": "appropriation",
    "bank_exception": None,
    "bank_intake": None,
}


@dataclass(frozen=True, slots=True)
class Order:
    """One call of ``perform`` as it was asked for."""

    step: str
    subject_id: UUID | None
    input: Mapping[str, Any]
    request_id: str
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a step did: its event's place in the chain, the state it led to. The same for a repetition."""

    request_id: str
    step: str
    subject_id: UUID
    chain_id: UUID
    seq: int
    state: str
    version: int
    at: datetime
    hash: str
    repeated: bool = False


@dataclass(slots=True)
class Decision:
    """A step that may be taken, and everything it will leave behind."""

    order: Order
    case: Case
    step: Step
    machine: NounMachine
    compiled: Compiled
    to_state: str
    change: Change
    postings: list[Posting] = field(default_factory=list)
    cause: Decision | None = None


def fingerprint_of(order: Order, alike: Alike | None = None) -> bytes:
    """What makes a request the same request: step, subject and input."""
    asked = _asked(order.step, order.input) if alike is None else alike.once(_asked, order.step, order.input)
    subject = f'"{order.subject_id}"' if order.subject_id else "null"
    return hashlib.sha256(f'{asked}, "subject": {subject}}}'.encode()).digest()


def _asked(step: str, given: Mapping[str, Any]) -> str:
    """Input and step as sorted JSON without its end, where the subject follows: it sorts last."""
    return _sorted_json({"step": step, "input": to_jsonable_python(dict(given))})[:-1]


# Made once: ``json.dumps`` makes an encoder for every call that asks for more than the ordinary.
_sorted_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


def step_of(compiled: Compiled, name: str) -> Step:
    """The row of a step in a programme, or a refusal that lists what there is."""
    step = compiled.step(name)
    if step is None:
        machine = compiled.machines.get(name.partition(".")[0])
        known = machine.steps if machine else compiled.machines
        raise Refused([refuse("unknown_step", step=name, known=", ".join(sorted(known)))])
    return step


def where_of(order: Order) -> tuple[str, bool]:
    """The noun of an order's step and whether the step creates its subject."""
    noun = order.step.partition(".")[0]
    if noun not in NOUNS:
        raise Refused([refuse("unknown_step", step=order.step, known=", ".join(sorted(NOUNS)))])
    if noun == "project":
        return noun, order.step == "project.apply"
    row = static_machines()[noun].steps.get(order.step)
    if row is None:
        known = ", ".join(sorted(static_machines()[noun].steps))
        raise Refused([refuse("unknown_step", step=order.step, known=known)])
    return noun, not row.source


def parse_input(step: Step, given: Mapping[str, Any]) -> Any:
    """The input as the step's model reads it, or a refusal that names each field that is wrong."""
    try:
        return step.input.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or step.name}: {e['msg']}" for e in error.errors()
        )
        raise Refused([refuse("input_invalid", problems=problems)]) from None


def birth_case(
    session: Session,
    actor_id: UUID,
    order: Order,
    noun: str,
    cache: dict[UUID, Compiled],
    *,
    parent: Case | None = None,
    id: UUID | None = None,
) -> Case:
    """The case of a subject that does not exist yet: from its parent, at the root from its programme."""
    if noun in BORN_IN_SETS:
        return birth_of(session.conn, session.clock, actor_id, order, cache)
    if noun == "bank_intake":
        return intake_of(session.conn, session.clock, actor_id, order, cache)
    if PARENT[noun] is None:
        case = _root_case(session, actor_id, order, cache)
    else:
        loaded = parent or _parent_case(session, actor_id, order, noun, cache)
        parent_id = loaded.subject_id
        case = replace(loaded, subject=None, facts={**loaded.facts, "parent_id": parent_id})
    case.noun = noun
    case.actor_id = actor_id
    case.request_id = order.request_id
    if parent is not None:
        case.roles = frozenset({"system"})
    case.subject_id = id or case.new_id("subject")
    return case


def _parent_case(
    session: Session, actor_id: UUID, order: Order, noun: str, cache: dict[UUID, Compiled]
) -> Case:
    over = PARENT[noun]
    assert over is not None
    if order.subject_id is None:
        raise Refused([refuse("not_found")])
    of_round = frozenset({"round_tasks", "round_state", "audience"})
    of_project = frozenset({"rounds", "audience", "requests", "declined_on"})
    facts = {"project": of_project, "appropriation": frozenset({"purse"})}.get(over, of_round)
    if noun == "claim":
        facts |= {"claims"}
    if noun in REVIEW:
        facts |= {"own_conflict", "closed_to"}
    if noun == "receivable":
        facts |= {"paid_open"}
    cases = load_cases(session.conn, session.clock, over, [order.subject_id], actor_id, facts, cache)
    if order.subject_id not in cases:
        raise Refused([refuse("not_found")])
    return cases[order.subject_id]


def _root_case(session: Session, actor_id: UUID, order: Order, cache: dict[UUID, Compiled]) -> Case:
    try:
        programme_id = UUID(str(order.input.get("programme_id")))
    except ValueError:
        raise Refused([refuse("programme_unknown")]) from None
    compiled = cache.get(programme_id) or load_published(session.conn, programme_id)
    if compiled is None:
        raise Refused([refuse("programme_unknown")])
    cache[programme_id] = compiled
    office = str(order.input.get("office_path") or "/")
    roles = person_roles(session.conn, actor_id, None, office)
    chain = chain_of_programme(compiled.programme.code)
    return Case(
        noun="",
        subject_id=chain,
        subject=None,
        project=None,
        programme=compiled.programme,
        actor_id=actor_id,
        roles=frozenset(roles),
        now=session.clock.now(),
        today=session.clock.today(),
        facts={"chain_id": chain, "machine": compiled.machines["project"].id, "audience": []},
    )


def permitted(case: Case, step: Step, machine: NounMachine) -> str | Refusal:
    """The role under which the actor takes the step, or why not. Who has no role here sees nothing here."""
    roles = machine.roles_of(step.name)
    if step.asks is not None and case.subject is not None:
        roles = tuple(role for role in step.asks(case) if role in roles)
    mine = [role for role in roles if role in case.roles]
    if mine:
        return mine[0]
    case.acting = acting_for(case, step.name, roles)
    if case.acting is not None:
        return str(case.acting["role"])
    if not case.roles:
        return refuse("not_found")
    return refuse("not_permitted", step=step.name, roles=", ".join(roles) or "-")


def _stranger(conn: psycopg.Connection[Any], person_id: UUID) -> Refusal:
    """Who has no role here is told that there is nothing, before anything else is looked at."""
    row = conn.execute("SELECT active FROM person WHERE id = %s", (person_id,)).fetchone()
    return refuse("person_inactive") if row == (False,) else refuse("not_found")


def state_objection(case: Case, step: Step) -> Refusal | None:
    """Whether the step starts where the subject stands; where it is on its way there, what is missing."""
    if case.state in step.source or (not step.source and case.subject is None):
        return None
    if case.state in step.not_yet and (missing := objections(step.not_yet[case.state], case)):
        return missing[0]
    return refuse(
        "wrong_state", state=case.state or "-", step=step.name, sources=", ".join(step.source) or "-"
    )


# Facts that cannot be read before the input is.
LATE = frozenset(
    {
        "account_findings",
        "assignee_roles",
        "bank_credit",
        "batch_of",
        "call",
        "delegate",
        "claim_papers",
        "carried_to",
        "documents_missing",
        "draw_basis",
        "invitee",
        "notice_window",
        "outlook",
        "receiving",
        "round_draw",
        "seat",
        "set_off_payment",
        "value",
    }
)


@lru_cache(maxsize=1024)
def _needs_late(needs: tuple[str, ...], guards: tuple[str, ...]) -> frozenset[str]:
    every = {*needs, *(need for guard in guards for need in GUARDS[guard].needs)}
    return frozenset(every & LATE)


def _not_handed_in(conn: psycopg.Connection[Any], digests: Sequence[str]) -> list[str]:
    if not digests:
        return []
    rows = conn.execute("SELECT sha256 FROM document WHERE sha256 = ANY(%s)", (list(digests),)).fetchall()
    return sorted(set(digests) - {row[0] for row in rows})


def _not_had(conn: psycopg.Connection[Any], case: Case) -> list[str]:
    """The evidence in a claim's lines that neither was brought by who writes nor is in the claim already."""
    before = {line["evidence"] for line in (case.subject or {}).get("lines", ())}
    new = sorted({line.evidence for line in case.input.lines if line.evidence} - before)
    if not new:
        return []
    brought = conn.execute(
        "SELECT sha256 FROM document_upload WHERE person_id = %s AND sha256 = ANY(%s)", (case.actor_id, new)
    ).fetchall()
    return sorted(set(new) - {row[0] for row in brought})


def _late_facts(conn: psycopg.Connection[Any], case: Case, step: Step) -> None:
    """Facts that depend on the input: who and what it names, the window of a notice."""
    needs = _needs_late(step.needs, step.guards)
    if not needs:
        return
    facts = dict(case.facts)
    if "assignee_roles" in needs:
        person = getattr(case.input, "evaluator_id", None) or getattr(case.input, "expert_id", None)
        project = case.of
        facts["assignee_roles"] = (
            person_roles(conn, person, project["id"], project["office_path"]) if person else []
        )
    if "account_findings" in needs:
        # The registers of IBAN and BIC are large; most steps have no use for them.
        from milepost.bank.payee_accounts import account_findings

        facts["account_findings"] = account_findings(case.input)
    if "delegate" in needs:
        facts["delegate"] = roles_anywhere_of(conn, case.input.delegate_id)
    if "notice_window" in needs:
        facts["notice_window"] = notice_window(case)
    if "call" in needs and case.input.call_id is not None:
        row = conn.execute("SELECT chain_id, state FROM call WHERE id = %s", (case.input.call_id,)).fetchone()
        facts["call"] = {"chain_id": row[0], "state": row[1]} if row else None
    if "bank_credit" in needs:
        facts["bank_credit"] = credit(conn, case.input.entry_id)
    if "claim_papers" in needs:
        facts["claim_papers"] = _not_had(conn, case)
    if "set_off_payment" in needs:
        facts["set_off_payment"] = payment_to_set_off(conn, case.input.payment_id)
    if "batch_of" in needs:
        facts["batch_of"] = payable(conn, case)
    if "invitee" in needs:
        facts["invitee"] = basis.invitee(conn, case)
    if "round_draw" in needs:
        facts["round_draw"] = basis.drawn_for(conn, facts["parent_id"])
    if "draw_basis" in needs:
        facts["draw_basis"] = basis.draw_basis(conn, case)
    if "value" in needs:
        facts["value"] = basis.value_of(conn, case)
    if "seat" in needs:
        facts["seat"] = basis.seat(conn, case)
    if "receiving" in needs:
        facts["receiving"] = budget_basis.receiving(conn, case)
    if "outlook" in needs:
        facts["outlook"] = commitments.outlook(conn, case)
    if "carried_to" in needs:
        facts["carried_to"] = budget_basis.carried_to(conn, case)
    if "documents_missing" in needs:
        facts["documents_missing"] = _not_handed_in(conn, case.input.documents)
    case.facts = facts


def _lapsed(conn: psycopg.Connection[Any], case: Case, order: Order) -> Refusal | None:
    """Whoever acted for another hears that this is over, not that there is no such payment."""
    return lapsed(conn, case.today, case.actor_id, order.step, order.subject_id)


def decide(
    conn: psycopg.Connection[Any],
    case: Case,
    order: Order,
    cache: dict[UUID, Compiled],
    *,
    fresh: bool,
    cause: Decision | None = None,
    alike: Alike | None = None,
) -> Decision:
    """Everything that objects is collected; with nothing objecting, the machine fires."""
    compiled = _compiled_of(conn, case, cache)
    if not case.roles and not case.facts.get("delegations"):
        raise Refused([_lapsed(conn, case, order) or _stranger(conn, case.actor_id)])
    step = step_of(compiled, order.step)
    machine = compiled.machines[case.noun]
    case.request_id = order.request_id
    role = permitted(case, step, machine)
    if isinstance(role, Refusal):
        raise Refused([_lapsed(conn, case, order) or role])
    if CLOSED in step.guards and (closed := objections(CLOSED, case)):
        raise Refused(closed)
    refusals: list[Refusal] = []
    if order.expected_version is not None and order.expected_version != case.version:
        refusals.append(refuse("stale_page", seen=order.expected_version, now=case.version))
    wrong_state = state_objection(case, step)
    if wrong_state is not None:
        refusals.append(wrong_state)
    try:
        given = order.input
        case.input = parse_input(step, given) if alike is None else alike.once(parse_input, step, given)
    except Refused as refused:
        refusals.extend(refused.refusals)
        raise Refused(refusals) from None
    if step.fresh and not fresh:
        refusals.append(refuse("fresh_login_needed"))
    case.role = role
    if wrong_state is not None:
        raise Refused(refusals)
    _late_facts(conn, case, step)
    found = {guard: objections(guard, case) for guard in step.guards}
    refusals.extend(refusal for objected in found.values() for refusal in objected)
    if refusals:
        raise Refused(list(dict.fromkeys(refusals)))
    to_state = machine.fire(
        step, case.state, {guard: not objected for guard, objected in found.items()}, case
    )
    change = step.effect(case) if step.effect else Change()
    postings = POSTINGS[step.name](case) if step.name in POSTINGS else []
    return Decision(order, case, step, machine, compiled, to_state, change, postings, cause)


def _compiled_of(conn: psycopg.Connection[Any], case: Case, cache: dict[UUID, Compiled]) -> Compiled:
    row = case.project or case.subject
    if row is not None:
        return programme_of(conn, cache, row["programme_id"])
    # A copy, because other threads add to what they share.
    return next(compiled for compiled in list(cache.values()) if compiled.programme is case.programme)
