"""Puts decisions on record: the event with its hash, the rows, the transfers, the deadlines, the messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

from pydantic_core import to_jsonable_python

from config.programmes import Deadline, Programme
from milepost.alike import Alike
from milepost.calendar import deadline as count_deadline
from milepost.decisions import Decision, Receipt, fingerprint_of
from milepost.evidence.chain import canonical, event_hash, genesis
from milepost.mail.identity import message_id, message_key
from milepost.writes import Json, WriteSet
from schema.nouns import REVIEW
from states.case import NAMESPACE, Case

REPRESENTED = "represented"
# Roles that mean the one person named in the subject's row, not all who hold the role.
_NAMED = {"expert": "expert_id", "evaluator": "evaluator_id"}


@dataclass(slots=True)
class Head:
    """The end of a chain while a transaction adds to it."""

    chain_id: UUID
    seq: int
    hash: bytes

    @classmethod
    def new(cls, chain_id: UUID) -> Head:
        """A chain that has no event yet."""
        return cls(chain_id, 0, genesis(chain_id))

    def open(self, writes: WriteSet) -> None:
        """Write the chain itself, at its genesis."""
        writes.insert("chain", {"id": self.chain_id, "kind": "project", "seq": 0, "head": self.hash})


def record(writes: WriteSet, head: Head, decisions: list[Decision], alike: Alike | None = None) -> Receipt:
    """Add the decisions of one order to its chain; the receipt is the first one's."""
    receipts = [_record_one(writes, head, decision, alike) for decision in decisions]
    return receipts[0]


def _record_one(writes: WriteSet, head: Head, decision: Decision, alike: Alike | None) -> Receipt:
    case, step, order = decision.case, decision.step, decision.order
    version, seq = case.version + 1, head.seq + 1
    if alike is None:
        body = canonical(_body(head.chain_id, seq, version, decision))
    else:
        body = _body_alike(head.chain_id, seq, version, decision, alike)
    hash = event_hash(head.hash, body)
    writes.insert(
        "event",
        {
            "chain_id": head.chain_id,
            "seq": seq,
            "noun": case.noun,
            "subject_id": case.subject_id,
            "subject_seq": version,
            "machine": decision.machine.id,
            "step": step.name,
            "from_state": case.state,
            "to_state": decision.to_state,
            "role": case.role,
            "actor_id": case.actor_id,
            "request_id": order.request_id,
            "fingerprint": fingerprint_of(order, alike),
            "at": case.now,
            "body": body,
            "prev_hash": head.hash,
            "hash": hash,
        },
    )
    head.seq, head.hash = seq, hash
    _rows(writes, decision, version)
    _transfers(writes, head, decision)
    _deadlines(writes, head, decision)
    _messages(writes, head, decision)
    _told_elsewhere(writes, head, decision)
    id, chain = case.subject_id, head.chain_id
    return Receipt(
        order.request_id, step.name, id, chain, seq, decision.to_state, version, case.now, hash.hex()
    )


def _body(chain_id: UUID, seq: int, version: int, decision: Decision) -> dict[str, Any]:
    """What the event says, for people and for proof. Format 1."""
    case = decision.case
    return {
        **_common(*_kind(decision)),
        "chain": str(chain_id),
        "seq": seq,
        "subject": str(case.subject_id),
        "version": version,
        "request": decision.order.request_id,
        "cause": decision.cause.order.request_id if decision.cause else None,
        "at": case.now.isoformat(),
        "transfers": _moved(decision),
        # Named only where there is one, so that the other events read as they always did.
        **({"digests": list(decision.change.digests)} if decision.change.digests else {}),
        **({"computed": decision.change.computed} if decision.change.computed else {}),
        **({"for": case.acting["delegator_id"], "delegation": case.acting["id"]} if case.acting else {}),
    }


def _moved(decision: Decision) -> list[dict[str, Any]]:
    return [
        {
            "id": str(p.id),
            "kind": p.kind,
            "debit": str(p.debit_id),
            "credit": str(p.credit_id),
            "amount_minor": p.amount_minor,
            "currency": p.currency,
        }
        for p in decision.postings
    ]


_Kind = tuple[Programme, str, str, str, str, str, str, UUID, Any]


def _kind(decision: Decision) -> _Kind:
    """All that ``_common`` depends on."""
    case = decision.case
    return (
        case.programme,
        decision.machine.id,
        case.noun,
        decision.step.name,
        case.state,
        decision.to_state,
        case.role,
        case.actor_id,
        case.input,
    )


def _common(
    programme: Programme,
    machine: str,
    noun: str,
    step: str,
    from_state: str,
    to_state: str,
    role: str,
    actor_id: UUID,
    input: Any,
) -> dict[str, Any]:
    """The part of an event's body that says nothing of its subject, its place or its moment."""
    given = to_jsonable_python(input) if input is not None else {}
    return {
        "format": 1,
        "noun": noun,
        "step": step,
        "machine": machine,
        "from": from_state,
        "to": to_state,
        "role": role,
        "actor": str(actor_id),
        "programme": f"{programme.code}:{programme.version}",
        "input": given,
        "documents": [{"sha256": digest} for digest in _named(given)],
    }


def _named(given: dict[str, Any]) -> list[str]:
    """The files that an input names, by hash: as documents, or as the evidence of its lines."""
    lines = [line.get("evidence") for line in given.get("lines", ()) if isinstance(line, dict)]
    return [*given.get("documents", ()), *dict.fromkeys(digest for digest in lines if digest)]


# What each event says for itself; sorted, as a canonical body is.
_OWN = ("at", "cause", "chain", "request", "seq", "subject", "transfers", "version")
_text = json.JSONEncoder(ensure_ascii=False).encode


def _form(*kind: Any) -> str:
    """The canonical body of the events of one kind, with a place for each value of ``_OWN`` in order."""
    body = _common(*kind)
    written = {key: canonical({key: body[key]})[1:-1].decode().replace("%", "%%") for key in body}
    places = {key: f'"{key}":%s' for key in _OWN}
    return "{" + ",".join(text for _, text in sorted({**written, **places}.items())) + "}"


def _body_alike(chain_id: UUID, seq: int, version: int, decision: Decision, alike: Alike) -> bytes:
    """``canonical(_body(…))``, of which what the events of a set share is written once."""
    case, cause = decision.case, decision.cause
    if decision.change.digests or decision.change.computed or case.acting:
        return canonical(_body(chain_id, seq, version, decision))
    moved = canonical({"": _moved(decision)})[4:-1].decode() if decision.postings else "[]"
    own = (
        f'"{case.now.isoformat()}"',
        "null" if cause is None else _text(cause.order.request_id),
        f'"{chain_id}"',
        _text(decision.order.request_id),
        seq,
        f'"{case.subject_id}"',
        moved,
        version,
    )
    try:
        return (alike.once(_form, *_kind(decision)) % own).encode()
    except UnicodeEncodeError:
        return canonical(_body(chain_id, seq, version, decision))


def _rows(writes: WriteSet, decision: Decision, version: int) -> None:
    case, change = decision.case, decision.change
    columns = {**change.set, "state": decision.to_state, "version": version}
    if case.subject is None:
        writes.insert(case.noun, {"id": case.subject_id, **columns})
    else:
        writes.update(case.noun, case.subject_id, columns)
    if change.project:
        writes.update("project", case.of["id"], change.project)
    for table, row in change.insert:
        writes.insert(table, row)
    for table, id, columns in change.update:
        writes.update(table, UUID(str(id)), columns)
    if decision.step.duty:
        for duty in _duties(decision, decision.step.duty):
            writes.insert("duty", duty)


def _duties(decision: Decision, duty: str) -> list[dict[str, Any]]:
    """What the actor has done for the payment, in which role; where several may, one after another.

    Who is acted for has a duty of it from then on as well.
    """
    case, acting = decision.case, decision.case.acting
    done = [
        _duty(case, duty, case.actor_id)
        | {
            "role": case.role,
            "for_id": acting["delegator_id"] if acting else None,
            "delegation_id": acting["id"] if acting else None,
        }
    ]
    if acting:
        blank = {"role": None, "for_id": None, "delegation_id": None}
        done.append(_duty(case, REPRESENTED, acting["delegator_id"]) | blank)
    return done


def _duty(case: Case, duty: str, person_id: UUID | str) -> dict[str, Any]:
    place = 1 + sum(1 for other in case.facts["duties"] if other["duty"] == duty)
    return {"payment_id": case.subject_id, "duty": duty, "place": place, "person_id": person_id}


def _transfers(writes: WriteSet, head: Head, decision: Decision) -> None:
    payment = decision.case.subject_id if decision.case.noun == "payment" else None
    for p in decision.postings:
        writes.insert(
            "transfer",
            {
                "id": p.id,
                "chain_id": head.chain_id,
                "event_seq": head.seq,
                "debit_id": p.debit_id,
                "credit_id": p.credit_id,
                "amount_minor": p.amount_minor,
                "currency": p.currency,
                "kind": p.kind,
                "pending_id": p.pending_id,
                "reverses_id": p.reverses_id,
                "payment_id": payment,
            },
        )


def _deadlines(writes: WriteSet, head: Head, decision: Decision) -> None:
    """Whoever waited for the old state waits no longer; the new state's deadlines begin."""
    case, to_state = decision.case, decision.to_state
    if case.subject is not None and case.state == to_state and not _day_moved(decision):
        return
    if case.subject is not None and decision.compiled.deadlines.get(f"{case.noun}.{case.state}"):
        writes.close_deadlines(case.subject_id, head.seq)
    for rule in decision.compiled.deadlines.get(f"{case.noun}.{to_state}", ()):
        due = _due(rule, decision)
        if due is None:
            continue
        writes.insert(
            "deadline",
            {
                "id": uuid5(NAMESPACE, f"deadline:{case.subject_id}:{rule.name}:{head.seq}"),
                "chain_id": head.chain_id,
                "noun": case.noun,
                "subject_id": case.subject_id,
                "name": rule.name,
                "due_on": due[0],
                "provisional": due[1],
                "who": list(rule.who),
                "act": rule.act,
                "opened_seq": head.seq,
            },
        )


def _day_moved(decision: Decision) -> bool:
    """Whether the day that a deadline of the present state counts from is another one now."""
    case, change = decision.case, decision.change
    return any(
        rule.from_field in change.set and change.set[rule.from_field] != case.here[rule.from_field]
        for rule in decision.compiled.deadlines.get(f"{case.noun}.{case.state}", ())
        if rule.from_field is not None
    )


def _due(rule: Deadline, decision: Decision) -> tuple[date, bool] | None:
    case = decision.case
    if rule.from_field is None:
        start = case.today
    else:
        found = decision.change.set.get(rule.from_field, (case.subject or {}).get(rule.from_field))
        if found is None:
            return None
        start = found
        if rule.act == "call.open":
            # A call opens on the morning of its first day: the waiting ends with the day before.
            start = start - timedelta(days=1)
    if rule.length == 0:
        return start, False
    counted = count_deadline(start, rule.length, rule.unit, source=case.programme.calendar)
    return counted.due, counted.provisional


def _messages(writes: WriteSet, head: Head, decision: Decision) -> None:
    if not decision.step.notify:
        return
    case = decision.case
    sent = set[str]()
    source = f"event:{head.chain_id}:{head.seq}"
    # Names of nouns and steps are words of the program: nothing in them has to be written otherwise in JSON.
    context = Json(
        f'{{"noun": "{case.noun}", "subject": "{case.subject_id}", "step": "{decision.step.name}"}}'
    )
    if decision.change.context:
        context = Json(json.dumps({**json.loads(context), **decision.change.context}))
    for notify in decision.step.notify:
        if notify.when is not None and not notify.when(case):
            continue
        for recipient in _recipients(decision, notify.to):
            if recipient in sent:
                continue
            sent.add(recipient)
            id = message_key(source, recipient)
            writes.insert(
                "message",
                {
                    "id": id,
                    "source": source,
                    "chain_id": head.chain_id,
                    "event_seq": head.seq,
                    "recipient_id": recipient,
                    "template": notify.template,
                    "context": context,
                    "state": "queued",
                    "message_id": message_id(id),
                    "created_at": case.now,
                    "next_attempt_at": case.now,
                },
            )


def _told_elsewhere(writes: WriteSet, head: Head, decision: Decision) -> None:
    """Mails to addresses as they were once known, beside those to the same people as they are now."""
    case = decision.case
    for tell in decision.change.tell:
        source = f"event:{head.chain_id}:{head.seq}" + (f":{tell.email}" if tell.email else "")
        id = message_key(source, tell.person_id)
        elsewhere = {"email": tell.email} if tell.email else {}
        about = {"noun": case.noun, "subject": str(case.subject_id), "step": decision.step.name}
        writes.insert(
            "message",
            {
                "id": id,
                "source": source,
                "chain_id": head.chain_id,
                "event_seq": head.seq,
                "recipient_id": tell.person_id,
                "template": tell.template,
                "context": Json(json.dumps({**about, **tell.context, **elsewhere})),
                "state": "queued",
                "message_id": message_id(id),
                "created_at": case.now,
                "next_attempt_at": case.now,
            },
        )


def _recipients(decision: Decision, roles: tuple[str, ...]) -> list[str]:
    case = decision.case
    audience = case.facts.get("audience") or ()
    closed = case.facts["closed_to"] if case.noun in REVIEW else ()
    people = [
        entry["person_id"]
        for entry in audience
        # A grantee's own roles are told of their own request; officers with a conflict are told nothing.
        if entry["role"] in roles and entry["role"] not in _NAMED and entry["person_id"] not in closed
    ]
    for role in roles:
        column = _NAMED.get(role)
        if column is not None:
            person = decision.change.set.get(column, (case.subject or {}).get(column))
            if person is not None:
                people.append(str(person))
    return people


__all__ = ["Head", "record"]
