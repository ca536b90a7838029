"""Many orders become sets: what belongs to one project goes one after the other, the rest together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from milepost.bank.births import BORN_IN_SETS, ask_births
from milepost.db import Session
from milepost.decisions import Order, where_of
from milepost.writes import execute, packed
from schema.nouns import NOUNS
from states.case import Case
from states.refusals import Refusal, Refused

CHUNK = 1000
# An order of many: its position, itself, and the chain it belongs to.
Entry = tuple[int, Order, UUID | None]


def _chains_of(session: Session, orders: Sequence[Order]) -> dict[UUID, UUID]:
    found: dict[UUID, UUID] = {}
    by_noun: dict[str, list[UUID]] = {}
    for order in orders:
        noun, birth = where_of(order)
        if not order.request_id:
            raise ValueError("a step needs a request_id: it makes a repetition harmless")
        if birth and noun in BORN_IN_SETS:
            continue
        if birth or order.subject_id is None:
            raise ValueError(f"{order.step} creates its subject: perform_many acts on subjects that exist")
        by_noun.setdefault(noun, []).append(order.subject_id)
    for noun, ids in by_noun.items():
        sql = f'SELECT id, {NOUNS[noun].chain} FROM "{noun}" WHERE id = ANY(%s::uuid[])'
        rows = execute(session.conn, sql, (packed("uuid", ids),))
        found.update(rows.fetchall())
    return found


def unknown_steps(orders: Sequence[Order]) -> dict[int, tuple[Order, tuple[Refusal, ...]]]:
    """The orders whose step does not exist, by position, refused before anything is read."""
    found: dict[int, tuple[Order, tuple[Refusal, ...]]] = {}
    for position, order in enumerate(orders):
        try:
            where_of(order)
        except Refused as refused:
            found[position] = (order, tuple(refused.refusals))
    return found


def _born(session: Session, actor_id: UUID, orders: Iterable[Order]) -> dict[str, Case]:
    """The cases of what some orders bring into being, by request id."""
    births = [order for order in orders if order.subject_id is None]
    return ask_births(session.conn, session.clock, actor_id, births, session.programmes)() if births else {}


def sets_of(session: Session, actor_id: UUID, orders: Sequence[tuple[int, Order]]) -> Iterable[list[Entry]]:
    """Sets of at most ``CHUNK`` orders with no project twice, in the order given for each project.

    Of a noun whose subjects have nothing to do with each other no subject is twice in a set, and that is all.
    """
    chains = _chains_of(session, [order for _, order in orders])
    born = _born(session, actor_id, [order for _, order in orders])
    # The n-th order of a project goes into the n-th wave; a wave is cut into sets.
    waves: list[list[Entry]] = []
    depth: dict[UUID | str | None, int] = {}
    chain: UUID | None
    for position, order in orders:
        if order.subject_id is None:
            chain = born[order.request_id].facts["chain_id"]
        else:
            chain = chains.get(order.subject_id)
        apart = NOUNS[order.step.partition(".")[0]].alone
        key = (order.subject_id or order.request_id) if apart else (chain or order.subject_id)
        wave = depth.get(key, 0)
        depth[key] = wave + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append((position, order, chain))
    for entries in waves:
        for start in range(0, len(entries), CHUNK):
            yield entries[start : start + CHUNK]


__all__ = ["CHUNK", "Entry", "sets_of", "unknown_steps"]
