"""Why a payment is where it is: every gate, duty, attempt, word of the bank and leg of money, in one reading.

The page, the command line and the papers all show this. The gates are asked by the functions that ``perform``
asks; from the hand-over to the bank on they are told as they stood then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from config.programmes import Text
from milepost.cases import load_cases
from milepost.db import Session
from milepost.programmes import load_published
from milepost.queries.named import Named
from milepost.queries.payments import PaymentRead, gate_events, payment_read, subject_event
from milepost.queries.sight import GRANTEES, Row, Sight
from milepost.queries.timeline import Happening
from milepost.reports.earned import next_payment
from milepost.reports.payment_words import headline, next_attempt
from milepost.reports.sum_words import notes_of
from milepost.work.approvals import Approvals, approvals_of
from milepost.work.ways import Way, holders, line_of, ways_from
from schema.money import Money
from states.case import SYSTEM_ID, Case
from states.gate_labels import GATE_NOUNS, gate_label
from states.gates import gates_of
from states.labels import state_label
from states.machines import Compiled
from states.refusals import Refusal

ASKED = ("planned", "due", "requested", "approved", "released")
NAMES_MAX = 3
# States that are no part of the straight way to the money.
_APPROVING = ("due", "requested", "approved", "released")
_ENDS = ("returned", "void")


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition: open where ``refusal`` is None. ``event`` last spoke to it; ``due_on`` is until when.

    ``mine`` where the reader's roles can open it now: by its running deadline, or else by the refusal.
    """

    name: str
    label: Text
    refusal: Refusal | None
    event: Happening | None
    due_on: date | None = None
    due_who: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """A place on the way to the money: past, present or ahead, when it was reached and by whom."""

    state: str
    where: str
    at: datetime | None = None
    person: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Duty:
    """Who did what for the payment, when, and the event that proves it."""

    duty: str
    name: str
    login: str
    event: Happening | None
    role: str | None = None
    others: Row = field(default_factory=dict)


@dataclass(slots=True)
class PaymentWhy:
    """Everything that is to be said of one payment to one reader."""

    read: PaymentRead
    compiled: Compiled
    headline: Text
    stops: list[Stop]
    gates: list[Gate]
    gates_at: datetime | None
    """None: the gates were asked now. Otherwise the hand-over to the bank, as of which they are told."""
    duties: list[Duty]
    ways: list[Way]
    due: Row | None
    following: Row | None
    approvals: Approvals | None = None
    """How far the approvals are that its sum asks for, for those who are told who acts."""

    @property
    def row(self) -> Row:
        """The payment with what stands beside it."""
        return self.read.row

    @property
    def shut(self) -> list[Gate]:
        """The gates that are shut, those first that the reader can open."""
        return sorted((g for g in self.gates if g.refusal is not None), key=lambda g: not g.mine)

    @property
    def onward(self) -> list[Way]:
        """The steps that lead further along the straight way."""
        return [way for way in self.ways if way.onward]

    @property
    def after(self) -> Text:
        """What the grantee is to expect after this one."""
        x = self.read.after
        if x is None:
            return next_payment(None, None, "", None)
        return next_payment(
            x["number"], Money(x["amount_minor"], x["currency"]), x["waits_for"], x["milestone"]
        )

    @property
    def notes(self) -> list[Text]:
        """What its sum is made of, where it is not simply the tranche."""
        return notes_of(self.row)

    @property
    def label(self) -> str:
        """How the command line calls it."""
        return f"{self.row['code']}/t{self.row['number']}"

    def _interest(self) -> dict[str, Any] | None:
        """What interest there is to it: the one that it is, or the one that is paid for it."""
        row = self.row
        if row["late_days"] is not None:
            return {"is_for": str(row["late_id"]), "days": row["late_days"]}
        if row["interest_minor"] is None:
            return None
        found = {"days": row["own_late_days"], "amount_minor": row["interest_minor"]}
        return {**found, "payment_id": str(row["interest_id"]), "state": row["interest_state"]}

    def as_json(self) -> dict[str, Any]:
        """For programs; the shape is stable."""
        row, read = self.row, self.read
        return {
            "id": str(row["id"]),
            "label": self.label,
            "state": row["state"],
            "attempt": row["attempt"],
            "amount_minor": row["amount_minor"],
            "set_off_minor": row["offset_minor"],
            "set_off_reference": row["set_off_reference"],
            "net_minor": row["amount_minor"] - row["offset_minor"],
            "interest": self._interest(),
            "currency": row["currency"],
            "notes": [note.model_dump() for note in self.notes],
            "headline": {"zh": self.headline.zh, "en": self.headline.en},
            "account": row["account_no"],
            "bank_reference": row["bank_reference"],
            "settled_on": _text(row["settled_on"]),
            "gates_as_of": _text(self.gates_at),
            "gates": [_gate_json(gate) for gate in self.gates],
            "approvals": None if self.approvals is None else self.approvals.as_json(),
            "duties": [
                {
                    "duty": d.duty,
                    "name": d.name,
                    "login": d.login,
                    "role": d.role,
                    **_proof(d.event),
                    "others": d.others,
                }
                for d in self.duties
            ],
            "attempts": [
                {"id": str(a["id"]), "attempt": a["attempt"], "state": a["state"], "reason": a["bank_reason"]}
                for a in read.attempts
            ],
            "batches": [{k: _text(v) for k, v in b.items()} for b in read.batches],
            "bank": [{k: _text(v) for k, v in e.items()} for e in read.entries],
            "exceptions": [
                {
                    "id": str(x["id"]),
                    "kind": x["kind"],
                    "state": x["state"],
                    "fact": x["said"].fact.model_dump(),
                    "remedy": x["said"].remedy.model_dump(),
                }
                for x in read.exceptions
            ],
            "ledger": [{k: _text(v) for k, v in leg.items()} for leg in read.legs],
            "events": [{"step": e.step, "to": e.to_state, **_proof(e)} for e in read.events],
            "seal": None
            if read.seal is None
            else {"sealed_on": _text(read.seal["sealed_on"]), "root": bytes(read.seal["root"]).hex()},
        }


def _text(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _proof(event: Happening | None) -> dict[str, Any]:
    if event is None:
        return {"at": None, "hash": None}
    return {"at": event.at.isoformat(), "hash": event.hash}


def _gate_json(gate: Gate) -> dict[str, Any]:
    return {
        "gate": gate.name,
        "label": {"zh": gate.label.zh, "en": gate.label.en},
        "open": gate.refusal is None,
        "refusal": None if gate.refusal is None else gate.refusal.as_json(),
        "event": None if gate.event is None else {"step": gate.event.step, **_proof(gate.event)},
        "due_on": _text(gate.due_on),
        "due_who": list(gate.due_who),
        "people": list(gate.people),
    }


def payment_why(session: Session, sight: Sight, id: UUID) -> PaymentWhy | None:
    """One payment for one reader; None where there is none. Whether they may see it was asked before."""
    read = payment_read(session, sight, id)
    if read is None:
        return None
    row = read.row
    compiled = load_published(session.conn, row["programme_id"])
    assert compiled is not None, "a payment's programme is published"
    named = Named(
        "payment", id, row["state"], row["project_id"], row["programme_id"], row["code"], row["currency"]
    )
    known = holders(session, named) if sight.names else []
    gates = _gates(session, read, compiled, known)
    handed = read.handed_at if row["state"] not in ASKED and gates else None
    shut = sum(1 for gate in gates if gate.refusal is not None)
    live = row["state"] not in (*_ENDS, "settled")
    due = next((d for d in read.deadlines if d["subject_id"] == id), None)
    return PaymentWhy(
        read=read,
        compiled=compiled,
        headline=headline(row, shut, len(gates)),
        stops=_stops(read, compiled),
        gates=gates,
        gates_at=handed,
        duties=_duties(read, compiled, _payee_event(session, read)),
        ways=ways_from(session, named, compiled, sight, whole=sight.names) if live else [],
        due=due,
        approvals=_approvals(session, read, compiled, due),
        following=_row_of(next_attempt(read.attempts, row["attempt"])),
    )


def _approvals(session: Session, read: PaymentRead, compiled: Compiled, due: Row | None) -> Approvals | None:
    """For those who are told who acts: while approvals count, and wherever some were undone."""
    if not read.sight.names:
        return None
    until = due["due_on"] if due is not None and read.row["state"] == "requested" else None
    found = approvals_of(session, compiled.programme, read.row, read.duties, until)
    return found if read.row["state"] in _APPROVING or found.undone else None


def _row_of(found: Any) -> Row | None:
    return dict(found) if found is not None else None


def _gates(
    session: Session, read: PaymentRead, compiled: Compiled, known: Sequence[Sequence[Any]]
) -> list[Gate]:
    """Each gate of the tranche; none where the attempt ended before it went to the bank."""
    row = read.row
    now = row["state"] in ASKED
    if not now and (read.handed_seq is None or row["state"] == "void"):
        return []
    cases = load_cases(session.conn, session.clock, "payment", [row["id"]], SYSTEM_ID, frozenset(), {})
    case: Case = cases[row["id"]]
    funds = row["appropriation_id"] or case.facts["funds"]["id"]
    events = gate_events(session, read, funds, None if now else read.handed_seq)
    found = []
    for ask in gates_of(compiled.programme, row["tranche_code"]):
        name = ask.__name__
        refusal = ask(case) if now else None
        due = _due_of(name, read) if refusal is not None else None
        who = refusal.who if refusal is not None else ()
        found.append(
            Gate(
                name,
                gate_label(name),
                refusal,
                events.get(name),
                due["due_on"] if due else None,
                tuple(due["who"]) if due else (),
                _people(read, who, known),
                bool(read.sight.roles & set(due["who"] if due else who)),
            )
        )
    return found


def _due_of(gate: str, read: PaymentRead) -> Row | None:
    noun = GATE_NOUNS.get(gate)
    return next((d for d in read.deadlines if d["noun"] == noun), None) if noun else None


def _people(read: PaymentRead, who: Sequence[str], known: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """Some who hold these roles here; of evaluators only the one who is named."""
    if "evaluator" in who and read.row["evaluator"]:
        return (read.row["evaluator"],)
    # Grantees are named by their unit, and whoever may verify money is not told by an example of three.
    names = [name for role, _, _, name in known if role in who and role not in GRANTEES]
    return tuple(dict.fromkeys(names))[:NAMES_MAX]


def _stops(read: PaymentRead, compiled: Compiled) -> list[Stop]:
    """The straight way with the days on which it was gone; what lies beside it stands where it left it."""
    spine = line_of(compiled.machines["payment"])
    state = read.row["state"]
    reached = {e.to_state: e for e in read.events if e.from_state != e.to_state}
    if state in spine:
        at = spine.index(state)
        past = [_stop(s, "past", reached) for s in spine[:at]]
        here = _stop(state, "past" if state == "settled" else "present", reached)
        return [*past, here, *(Stop(s, "ahead") for s in spine[at + 1 :])]
    last = max((i for i, s in enumerate(spine) if s in reached), default=0)
    past = [_stop(s, "past", reached) for s in spine[: last + 1]]
    ahead = [Stop(s, "ahead") for s in spine[last + 1 :]] if state not in _ENDS else []
    return [*past, _stop(state, "bad", reached), *ahead]


def _stop(state: str, where: str, reached: dict[str, Happening]) -> Stop:
    event = reached.get(state)
    if event is None:
        return Stop(state, where)
    return Stop(state, where, event.at, event.person if event.role != "system" else "", event.role)


def _payee_event(session: Session, read: PaymentRead) -> Happening | None:
    """Who entered the account it is bound to, and when."""
    payee = read.row["shown_payee_id"]
    return subject_event(session, read.sight, payee, "payee.enter") if payee is not None else None


def _duties(read: PaymentRead, compiled: Compiled, entered: Happening | None) -> list[Duty]:
    steps = {step.duty: step.name for step in compiled.machines["payment"].steps.values() if step.duty}
    found = []
    for row in read.duties:
        # Several people may have one duty: each one's event is the one they took.
        own = [e for e in read.events if read.actors.get(e.hash) == row["person_id"]]
        event = next((e for e in reversed(own) if e.step == steps.get(row["duty"])), None)
        if row["duty"] == "payee_editor":
            event = entered
        found.append(Duty(row["duty"], row["name"], row["login"], event, row["role"], row["others"]))
    # By the chain's order, not by the clock's; the account was entered before all else.
    order = {e.hash: n for n, e in enumerate(read.events)}
    return sorted(found, key=lambda d: (order.get(d.event.hash, -1) if d.event else len(order), d.duty))


def stop_label(state: str) -> Text:
    """What a place on the way is called."""
    return state_label("payment", state)


__all__ = ["ASKED", "Duty", "Gate", "PaymentWhy", "Stop", "payment_why", "stop_label"]
