"""``perform``: the one way to change a state. ``available``: the same guards, asked without acting.

In one transaction ``perform`` locks the chain, answers a repeated request with its first receipt, loads the
facts, authorises, runs all guards and collects every refusal, fires the machine, and writes the event with
its hash, the rows, the transfers and the messages in one statement. All or nothing.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import zip_longest
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors

from milepost.alike import Alike
from milepost.bank.births import ask_births
from milepost.cases import ask_cases, needs_of, told_by
from milepost.collector import collector_waits
from milepost.constraints import refusal_of
from milepost.db import Session
from milepost.decisions import (
    PARENT,
    Decision,
    Order,
    Receipt,
    birth_case,
    decide,
    fingerprint_of,
    step_of,
    where_of,
)
from milepost.record import Head, record
from milepost.waves import Entry, sets_of, unknown_steps
from milepost.writes import WriteSet, execute, packed
from schema.nouns import NOUNS
from states.case import SYSTEM_ID, Case
from states.machines import Compiled, static_machines
from states.refusals import Refusal, Refused, refuse
from states.step import Step

# A set goes out in slices, each so many times as large as the one before.
FIRST, GROWTH = 40, 1.6
RETRIES = 5
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. ``fresh``: a password was typed a moment ago, as releasing money needs."""

    id: UUID
    fresh: bool = False


SYSTEM = Actor(SYSTEM_ID, fresh=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order of many: a receipt, or the refusals."""

    order: Order
    receipt: Receipt | None = None
    refusals: tuple[Refusal, ...] = ()


def perform(
    session: Session,
    actor: Actor,
    step: str,
    subject_id: UUID | None,
    input: Mapping[str, Any] | None = None,
    request_id: str = "",
    *,
    expected_version: int | None = None,
) -> Receipt:
    """Take a step, or raise ``Refused`` with every reason and nothing changed.

    ``subject_id`` is the subject; for a step that creates one, its parent (``decisions.PARENT``), or None
    where the input names the programme. ``request_id`` makes a repetition answer with the first receipt.
    """
    order = Order(step, subject_id, input or {}, request_id, expected_version)
    return _retried(session, lambda: _perform_one(session, actor, order))


def perform_many(
    session: Session, actor: Actor, orders: Iterable[Order], *, progress: Progress | None = None
) -> list[Outcome]:
    """Take many steps, set by set: same guards, same events as one by one.

    Orders are committed in sets of a thousand, at most one of a project in a set. One that is refused does
    not keep the others back. The outcomes come in the order of the orders. Subjects exist already, but for
    those of ``BORN_IN_SETS``.
    """
    given = list(orders)
    outcomes = {at: Outcome(order, refusals=why) for at, (order, why) in unknown_steps(given).items()}
    done = len(outcomes)
    todo = [(i, order) for i, order in enumerate(given) if i not in outcomes]
    with collector_waits() as collect:
        for chunk in sets_of(session, actor.id, todo):
            outcomes.update(_perform_chunk(session, actor, chunk))
            done += len(chunk)
            if progress is not None:
                progress(done, len(given))
            collect()
    return [outcomes[position] for position in range(len(given))]


# One ------------------------------------------------------------------------------------------------------


_GAVE_WAY = (
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.UniqueViolation,
    errors.CheckViolation,
)

_ONE_BY_ONE = (errors.UniqueViolation, errors.CheckViolation, errors.LockNotAvailable, psycopg.DataError)
CONFLICT_AROSE = "MP006"  # a task for an expert who has a conflict of interest by now


def _retried(session: Session, attempt: Callable[[], Receipt]) -> Receipt:
    """Run a transaction again when the database gave way to another one, or knew of it before the guards."""
    for left in range(RETRIES, 0, -1):
        try:
            return attempt()
        except _GAVE_WAY as error:
            _rollback(session)
            known = refusal_of(error)
            # Asked once more, the guards see what the other transaction did and say it better.
            if known is not None and left < RETRIES:
                raise Refused([known]) from None
            if left == 1:
                raise
        except errors.LockNotAvailable:
            _rollback(session)
            raise Refused([refuse("subject_busy")]) from None
        except psycopg.DataError as error:
            _rollback(session)
            problem = error.diag.message_primary or str(error)
            raise Refused([refuse("input_invalid", problems=problem)]) from None
        except psycopg.DatabaseError as error:
            _rollback(session)
            # It came about after the guards had looked: asked once more, they see it and say it better.
            if error.sqlstate != CONFLICT_AROSE or left == 1:
                raise
        except BaseException:
            _rollback(session)
            raise
    raise AssertionError("unreachable")


def _rollback(session: Session) -> None:
    if not session.conn.closed and session.conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        session.conn.execute("ROLLBACK")


# What one step asks finds its rows by their keys. It is planned once, not anew for every step: to plan took
# PostgreSQL three times as long as to answer. In this transaction only.
_LOCK_CHAIN = """SELECT id, seq, head, set_config('plan_cache_mode', 'force_generic_plan', true) FROM chain
  WHERE id = {} FOR UPDATE"""
_CHAIN_OF = {
    noun: "%s" if noun == "project" else f'(SELECT {row.chain} FROM "{noun}" WHERE id = %s)'
    for noun, row in NOUNS.items()
}
_LOCK = {noun: _LOCK_CHAIN.format(chain) for noun, chain in _CHAIN_OF.items()}
_EARLIER = (
    "SELECT chain_id, seq, step, subject_id, to_state, subject_seq, at, hash, fingerprint "
    "FROM event WHERE actor_id = %s AND request_id = %s"
)


def _begin(
    session: Session, actor: Actor, order: Order, noun: str | None
) -> tuple[Head | None, Sequence[Any] | None]:
    """Open the transaction, lock the chain, then look the request up: whoever held the chain has answered."""
    conn = session.conn
    conn.execute("BEGIN")
    head = conn.execute(_LOCK[noun or "project"], (order.subject_id,)).fetchone()
    before = conn.execute(_EARLIER, (actor.id, order.request_id)).fetchone()
    return (Head(*head[:3]) if head else None), before


def _perform_one(session: Session, actor: Actor, order: Order) -> Receipt:
    noun, birth = where_of(order)
    if not order.request_id:
        raise ValueError("a step needs a request_id: it makes a repetition harmless")
    head, before = _begin(session, actor, order, PARENT[noun] if birth else noun)
    if before is not None:
        session.conn.execute("ROLLBACK")
        return _earlier(order, before)
    cache = session.programmes
    case = _load_one(session, actor, order, noun, birth, head, cache)
    decision = decide(session.conn, case, order, cache, fresh=actor.fresh)
    writes = WriteSet()
    if case.subject is None and noun == "project":
        head = Head.new(case.subject_id)
        head.open(writes)
    elif case.subject is None and case.project is None:
        head = _programme_head(session, case)
        # Only now is the chain held: whoever held it before may have answered this very request.
        before = session.conn.execute(_EARLIER, (actor.id, order.request_id)).fetchone()
        if before is not None:
            session.conn.execute("ROLLBACK")
            return _earlier(order, before)
    assert head is not None
    receipt = record(writes, head, [decision, *_consequences(session, decision, cache)])
    writes.write(session.conn)
    session.conn.execute("COMMIT")
    return receipt


def _load_one(
    session: Session,
    actor: Actor,
    order: Order,
    noun: str,
    birth: bool,
    head: Head | None,
    cache: dict[UUID, Compiled],
) -> Case:
    if birth:
        return birth_case(session, actor.id, order, noun, cache)
    if head is None or order.subject_id is None:
        raise Refused([refuse("not_found")])
    cases = _ask(session, order.step, [order.subject_id], actor.id)()
    if order.subject_id not in cases:
        raise Refused([refuse("not_found")])
    return cases[order.subject_id]


_OF_PROJECT = ("milestones", "payments", "tranches", "holds", "integrity_holds", "deadline_due", "call_state")
PROJECT_FACTS = frozenset({*_OF_PROJECT, "dossier", "noticed_minor", "requests", "audience"})


# Facts that one step alone reads.
_OF_STEP = {"project.close": frozenset({"claims"}), "project.decide_proof": frozenset({"proofs"})}


@lru_cache(maxsize=512)
def _needed(step: str) -> tuple[str, frozenset[str], tuple[str, ...] | None]:
    """The noun of a step, the facts to read, and the roles it tells.

    The rows of a project's steps are known only with its programme: for them all of a project's facts.
    """
    noun = step.partition(".")[0]
    if noun == "project":
        more = {"own_conflict"} if step.startswith("project.conclude_") else set[str]()
        return noun, PROJECT_FACTS | more | _OF_STEP.get(step, frozenset()), None
    row = static_machines()[noun].steps[step]
    return noun, needs_of([row]), told_by(row)


def _ask(session: Session, step: str, ids: Sequence[UUID], actor_id: UUID) -> Callable[[], dict[UUID, Case]]:
    noun, facts, told = _needed(step)
    return ask_cases(session.conn, session.clock, noun, ids, actor_id, facts, session.programmes, told)


def _programme_head(session: Session, case: Case) -> Head:
    row = session.conn.execute(
        "SELECT id, seq, head FROM chain WHERE id = %s FOR UPDATE", (case.facts["chain_id"],)
    ).fetchone()
    assert row is not None, "a published programme has its chain"
    return Head(*row)


def _consequences(session: Session, decision: Decision, cache: dict[UUID, Compiled]) -> list[Decision]:
    """The steps that follow, decided like any other, as the system, in the same transaction."""
    found: list[Decision] = []
    queue = [(decision, follow) for follow in decision.change.follow]
    # Request ids are each actor's own; what follows is the system's, so its ids name the first actor too.
    first = f"{decision.case.actor_id}:{decision.order.request_id}"
    while queue:
        cause, follow = queue.pop(0)
        request = f"{first}/{len(found) + 1}"
        id = follow.subject_id if isinstance(follow.subject_id, UUID) else UUID(str(follow.subject_id))
        order = Order(follow.step, id, follow.input, request, None)
        noun, birth = where_of(order)
        if birth:
            case = birth_case(session, SYSTEM_ID, order, noun, cache, parent=cause.case, id=id)
        else:
            case = _ask(session, order.step, [id], SYSTEM_ID)()[id]
        made = decide(session.conn, case, order, cache, fresh=True, cause=decision)
        found.append(made)
        queue.extend((made, after) for after in made.change.follow)
    return found


# Many -----------------------------------------------------------------------------------------------------


def _perform_chunk(session: Session, actor: Actor, chunk: list[Entry]) -> list[tuple[int, Outcome]]:
    """One set in one transaction; if the database refuses the set, each order by itself."""
    for _ in range(RETRIES):
        try:
            return _set_based(session, actor, chunk)
        except (errors.DeadlockDetected, errors.SerializationFailure):
            _rollback(session)
        except psycopg.DatabaseError as error:
            _rollback(session)
            if error.sqlstate != CONFLICT_AROSE and not isinstance(error, _ONE_BY_ONE):
                raise
            break
        except BaseException:
            _rollback(session)
            raise
    return [(position, _alone(session, actor, order)) for position, order, _ in chunk]


def _alone(session: Session, actor: Actor, order: Order) -> Outcome:
    try:
        return Outcome(order, _retried(session, lambda: _perform_one(session, actor, order)))
    except Refused as refused:
        return Outcome(order, refusals=tuple(refused.refusals))


@dataclass(slots=True)
class _Set:
    """What one set has loaded: heads by chain, earlier requests, cases by subject, births by request."""

    heads: dict[UUID, Head] = field(default_factory=dict)
    before: dict[str, Sequence[Any]] = field(default_factory=dict)
    cases: dict[UUID, Case] = field(default_factory=dict)
    born: dict[str, Case] = field(default_factory=dict)
    alike: Alike = field(default_factory=Alike)


def _lock_set(session: Session, actor: Actor, chunk: list[Entry]) -> Callable[[_Set], None]:
    """Lock the chains of a set, then ask what was answered before; what comes back adds both to the set."""
    conn = session.conn
    chains = sorted({chain for _, _, chain in chunk if chain is not None})
    lock = "SELECT id, seq, head FROM chain WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE"
    locked = execute(conn, lock, (packed("uuid", chains),))
    requests = [order.request_id for _, order, _ in chunk]
    earlier = execute(
        conn,
        "SELECT chain_id, seq, step, subject_id, to_state, subject_seq, at, hash, fingerprint, request_id "
        "FROM event WHERE actor_id = %s AND request_id = ANY(%s::text[])",
        (actor.id, packed("text", requests)),
    )

    def read(loaded: _Set) -> None:
        loaded.heads = {row[0]: Head(*row) for row in locked.fetchall()}
        loaded.before = {row[9]: row[:9] for row in earlier.fetchall()}

    return read


def _ask_for(session: Session, actor: Actor, entries: Sequence[Entry]) -> Callable[[_Set], None]:
    """Ask for the cases of some orders; what comes back adds them to the set."""
    groups: dict[str, list[UUID]] = {}
    for _, order, _ in entries:
        if order.subject_id is not None:
            groups.setdefault(order.step, []).append(order.subject_id)
    asked = [_ask(session, step, ids, actor.id) for step, ids in groups.items()]
    births = [order for _, order, _ in entries if order.subject_id is None]
    born = ask_births(session.conn, session.clock, actor.id, births, session.programmes) if births else None

    def read(loaded: _Set) -> None:
        for answer in asked:
            loaded.cases.update(answer())
        if born is not None:
            loaded.born.update(born())

    return read


# All that a set reads and writes is found by its key, and much of it lies in memory: told so, the database
# does not read a whole table because a few hundred of its rows are wanted. What the rows are checked by is
# planned once, as for one step: planned anew for every row it took a fifth of the time.
_BEGIN_SET = (
    "BEGIN; SET LOCAL random_page_cost = 1.1; SET LOCAL jit = off; "
    "SET LOCAL plan_cache_mode = force_generic_plan"
)


def _slices(chunk: list[Entry]) -> list[list[Entry]]:
    """Few at first, so that the database has something to do soon; then more and more."""
    found, start, size = list[list[Entry]](), 0, FIRST
    while start < len(chunk):
        found.append(chunk[start : start + size])
        start, size = start + size, round(size * GROWTH)
    return found


def _set_based(session: Session, actor: Actor, chunk: list[Entry]) -> list[tuple[int, Outcome]]:
    """Decide a set and write it slice by slice.

    While a slice is decided, the database writes the one before it and looks up the cases of the one after.
    """
    conn, loaded, slices = session.conn, _Set(), _slices(chunk)
    outcomes: list[tuple[int, Outcome]] = []
    conn.execute(_BEGIN_SET, prepare=False)
    with conn.pipeline() as pipeline:
        locked = _lock_set(session, actor, chunk)
        asked = _ask_for(session, actor, slices[0])
        pipeline.sync()
        locked(loaded)
        for entries, after in zip_longest(slices, slices[1:], fillvalue=()):
            asked, arrived = _ask_for(session, actor, after), asked
            _send(conn)
            arrived(loaded)
            writes = WriteSet()
            for position, order, chain in entries:
                outcomes.append((position, _one_of_set(session, actor, loaded, writes, order, chain)))
            send = writes.packed()
            # The driver waits for all that was said: what was asked and written before, and no more.
            pipeline.sync()
            send(conn)
        conn.execute("COMMIT")
    return outcomes


def _send(conn: psycopg.Connection[Any]) -> None:
    """Hand over all that was said: the database cannot begin with what the driver still holds."""
    while conn.pgconn.flush():
        select.select((), (conn.fileno(),), ())


def _one_of_set(
    session: Session, actor: Actor, loaded: _Set, writes: WriteSet, order: Order, chain: UUID | None
) -> Outcome:
    try:
        if order.request_id in loaded.before:
            return Outcome(order, _earlier(order, loaded.before[order.request_id]))
        by_id = order.subject_id
        case = loaded.cases.get(by_id) if by_id is not None else loaded.born.get(order.request_id)
        if case is None or chain is None:
            raise Refused([refuse("not_found")])
        alike = loaded.alike
        decision = decide(session.conn, case, order, session.programmes, fresh=actor.fresh, alike=alike)
        every = [decision, *_consequences(session, decision, session.programmes)]
    except Refused as refused:
        return Outcome(order, refusals=tuple(refused.refusals))
    return Outcome(order, record(writes, loaded.heads[chain], every, alike))


def _earlier(order: Order, before: Sequence[Any]) -> Receipt:
    """The first receipt for the same request; for another input under its id, a refusal."""
    chain_id, seq, step, subject_id, state, version, at, hash, fingerprint = before
    if fingerprint != fingerprint_of(order):
        raise Refused([refuse("request_reused")])
    return Receipt(
        order.request_id, step, subject_id, chain_id, seq, state, version, at, hash.hex(), repeated=True
    )


__all__ = ["SYSTEM", "Actor", "Order", "Outcome", "Receipt", "Step", "perform", "perform_many", "step_of"]
