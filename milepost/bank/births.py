"""Cases of what stands in the account's chain and does not exist yet: exceptions, files of the bank.

An exception belongs to the project whose payment the bank named or probably meant: it stands in that
project's chain, under whose lock money is released, so that no release is decided beside it. What names no
payment is of no project and no programme: it stands in the chain of the account, as files do. Exceptions are
born by the thousand, in one query.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import psycopg

from milepost.cases import person_roles, programme_of
from milepost.clock import Clock
from milepost.writes import execute, packed
from states.case import SYSTEM_ID, Case
from states.house import HOUSE_ID
from states.machines import Compiled

BORN_IN_SETS = frozenset({"bank_exception"})
"""Nouns whose births ``perform_many`` takes."""

_GROUND = """SELECT w.n, p.id, y.tranche_id, p.programme_id, p.office_path,
    ARRAY(SELECT DISTINCT g.role FROM role_grant g JOIN person n ON n.id = g.person_id AND n.active
      WHERE g.person_id = %s AND g.revoked_at IS NULL
        AND (g.project_id = p.id OR starts_with(coalesce(p.office_path, w.office), g.office_path)))
  FROM unnest(%s::int[], %s::uuid[], %s::text[]) AS w(n, payment_id, office)
  LEFT JOIN payment y ON y.id = w.payment_id LEFT JOIN project p ON p.id = y.project_id ORDER BY w.n"""


class Asked(Protocol):
    """An order that would raise an exception."""

    @property
    def input(self) -> Mapping[str, Any]: ...

    @property
    def request_id(self) -> str: ...


def _id(given: Any) -> UUID | None:
    try:
        return UUID(str(given)) if given else None
    except ValueError:
        return None


def ask_births(
    conn: psycopg.Connection[Any],
    clock: Clock,
    actor_id: UUID,
    orders: Sequence[Asked],
    cache: dict[UUID, Compiled],
) -> Callable[[], dict[str, Case]]:
    """Ask for the cases of orders that raise; what comes back reads them, by request id."""
    payments = [_id(o.input.get("payment_id")) or _id(o.input.get("likely_id")) for o in orders]
    offices = [str(o.input.get("office_path") or "/") for o in orders]
    numbers = list(range(len(orders)))
    cursor = execute(
        conn,
        _GROUND,
        (actor_id, packed("integer", numbers), packed("uuid", payments), packed("text", offices)),
    )

    def read() -> dict[str, Case]:
        cases: dict[str, Case] = {}
        now, today = clock.now(), clock.today()
        for n, project_id, tranche_id, programme_id, office, roles in cursor.fetchall():
            order = orders[n]
            # Where the input names no account, it is refused as soon as it is read.
            chain = project_id or _id(order.input.get("account_chain_id")) or HOUSE_ID
            ground = {
                "chain_id": chain,
                "programme_id": programme_id or HOUSE_ID,
                "office_path": office or offices[n],
                "project_id": project_id,
                "tranche_id": tranche_id,
            }
            case = Case(
                noun="bank_exception",
                subject_id=chain,
                subject=None,
                project=None,
                programme=programme_of(conn, cache, ground["programme_id"]).programme,
                actor_id=actor_id,
                roles=frozenset(roles) | ({"system"} if actor_id == SYSTEM_ID else frozenset()),
                now=now,
                today=today,
                request_id=order.request_id,
                facts={"ground": ground, "chain_id": chain, "audience": []},
            )
            case.subject_id = case.new_id("subject")
            cases[order.request_id] = case
        return cases

    return read


def birth_of(
    conn: psycopg.Connection[Any], clock: Clock, actor_id: UUID, order: Asked, cache: dict[UUID, Compiled]
) -> Case:
    """The case of one."""
    return ask_births(conn, clock, actor_id, [order], cache)()[order.request_id]


def intake_of(
    conn: psycopg.Connection[Any], clock: Clock, actor_id: UUID, order: Asked, cache: dict[UUID, Compiled]
) -> Case:
    """The case of a file of the bank that is put on record: of the account, for its office."""
    chain = _id(order.input.get("account_chain_id")) or HOUSE_ID
    office = str(order.input.get("office_path") or "/")
    ground = {"chain_id": chain, "programme_id": HOUSE_ID, "office_path": office}
    case = Case(
        noun="bank_intake",
        subject_id=chain,
        subject=None,
        project=None,
        programme=programme_of(conn, cache, HOUSE_ID).programme,
        actor_id=actor_id,
        roles=frozenset(person_roles(conn, actor_id, None, office))
        | ({"system"} if actor_id == SYSTEM_ID else frozenset()),
        now=clock.now(),
        today=clock.today(),
        request_id=order.request_id,
        facts={"ground": ground, "chain_id": chain, "audience": []},
    )
    case.subject_id = case.new_id("subject")
    return case


__all__ = ["BORN_IN_SETS", "ask_births", "birth_of", "intake_of"]
