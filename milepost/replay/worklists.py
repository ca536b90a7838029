"""What lies on whose desk: each list finds subjects by their state and gives each the step it waits for.

Nobody acts on what reached them the same day. That keeps a day's work the same however often the day is begun
again: a list is empty once it was worked off, and no list feeds a later one of its own day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from milepost.actions import Actor, Order
from milepost.db import Session
from milepost.replay.cast import Cast

ARCHIVED_AFTER_DAYS = 30
WRONG_ACCOUNT_ENDS = "0000"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One subject on a list: its version, its project's code, how many payees the project has had."""

    subject_id: UUID
    version: int
    code: str
    payees: int


@dataclass(frozen=True, slots=True)
class Worklist:
    """Who takes which step on what, by its state and what else must hold of it.

    ``birth``: the step makes something new under the subject.
    """

    step: str
    noun: str
    states: tuple[str, ...]
    actor: Callable[[Cast, Waiting], Actor]
    given: Callable[[Waiting], Mapping[str, Any]] = lambda _: {}
    where: str = "true"
    birth: bool = False
    after_days: int = 0

    @property
    def held(self) -> frozenset[str]:
        """The states that fill the list, as ``states_held`` names them."""
        return frozenset(f"{self.noun}.{state}" for state in self.states)

    def find(self, session: Session, code: str, midnight: datetime) -> list[Waiting]:
        """The list as it stands: what came to rest before ``midnight`` and still waits."""
        project = "s" if self.noun == "project" else "p"
        join = "" if self.noun == "project" else "JOIN project p ON p.id = s.project_id"
        sql = f"""SELECT s.id, s.version, {project}.code,
              (SELECT count(*) FROM payee y WHERE y.project_id = {project}.id)
            FROM {self.noun} s {join} JOIN event e ON e.subject_id = s.id AND e.subject_seq = s.version
            WHERE {project}.programme_code = %s AND s.state = ANY(%s) AND {self.where}
              AND e.at < %s - make_interval(days => %s) ORDER BY {project}.code, s.id"""
        given = (code, list(self.states), midnight, self.after_days)
        return [Waiting(*row) for row in session.conn.execute(sql, given)]

    def order(self, waiting: Waiting) -> Order:
        """The step on one subject; its request id follows from the subject and its version."""
        request = f"replay:{self.step}:{waiting.subject_id}:{waiting.version}:{waiting.payees}"
        return Order(self.step, waiting.subject_id, self.given(waiting), request)


def account_number(code: str, version: int, wrong: bool) -> str:
    """A made-up account; the first that a ``wrong`` grantee gives is one that the bank turns down."""
    digits = f"{sum(code.encode()) * 7919 + len(code) * 104729 + version:012d}"
    return f"SIM{digits}{WRONG_ACCOUNT_ENDS if wrong and version == 1 else '0001'}"


def _officer(cast: Cast, waiting: Waiting) -> Actor:
    return cast.officer


def _unit(cast: Cast, waiting: Waiting) -> Actor:
    return cast.units[waiting.code]


_HELD = """SELECT DISTINCT 'project.' || state FROM project UNION SELECT DISTINCT 'payee.' || state FROM payee
  WHERE state = 'entered' UNION SELECT DISTINCT 'payment.' || state FROM payment
  WHERE state IN ('due', 'requested', 'approved')"""


def states_held(session: Session) -> frozenset[str]:
    """The states in which something stands at all: lists of other states need not be looked for."""
    return frozenset(row[0] for row in session.conn.execute(_HELD))


_NO_PAYEE = (
    "NOT EXISTS (SELECT 1 FROM payee y WHERE y.project_id = s.id AND y.state IN ('entered', 'verified'))"
)
# The bank turned the present account down, and nobody has given another since.
_PAYEE_TURNED_DOWN = (
    "EXISTS (SELECT 1 FROM payment y WHERE y.project_id = s.id AND y.state = 'returned' "
    "AND y.payee_id = s.payee_id) "
    "AND NOT EXISTS (SELECT 1 FROM payee y WHERE y.project_id = s.id AND y.state = 'entered')"
)
_MILESTONES_DONE = (
    "NOT EXISTS (SELECT 1 FROM milestone m WHERE m.project_id = s.id "
    "AND m.state NOT IN ('accepted', 'waived', 'rejected'))"
)
_PAYMENTS_DONE = (
    "NOT EXISTS (SELECT 1 FROM payment y WHERE y.project_id = s.id "
    "AND y.state NOT IN ('settled', 'void', 'returned'))"
)
CLOSED = ("closed_passed", "closed_without_pass", "closed_failed")


def worklists(wrong_account_of: str) -> tuple[Worklist, ...]:
    """Every desk, in the order of a project's life; one named grantee mistypes the account at first."""

    def payee(waiting: Waiting) -> Mapping[str, Any]:
        number = account_number(waiting.code, waiting.payees + 1, waiting.code == wrong_account_of)
        return {
            "account_name": waiting.code[:300],
            "account_no": number,
            "bank_name": "模拟银行 · Simulated bank",
        }

    def requester(cast: Cast, waiting: Waiting) -> Actor:
        return cast.requester

    return (
        Worklist("project.pass_completeness", "project", ("completeness_check",), _officer),
        Worklist(
            "notice.publish",
            "project",
            ("public_notice",),
            _officer,
            where="s.notice_state IS NULL",
            birth=True,
        ),
        Worklist("project.approve", "project", ("approval",), _officer),
        Worklist(
            "project.sign_agreement_as_grantee",
            "project",
            ("task_agreement",),
            _unit,
            where="s.grantee_signed_on IS NULL",
        ),
        Worklist(
            "project.sign_agreement",
            "project",
            ("task_agreement",),
            _officer,
            where="s.grantee_signed_on IS NOT NULL",
        ),
        Worklist("payee.enter", "project", ("implementation",), _unit, payee, where=_NO_PAYEE, birth=True),
        Worklist(
            "payee.enter",
            "project",
            ("implementation", "closure"),
            _unit,
            payee,
            where=_PAYEE_TURNED_DOWN,
            birth=True,
        ),
        Worklist("payee.verify", "payee", ("entered",), requester),
        Worklist("payment.request", "payment", ("due",), requester),
        Worklist("payment.approve", "payment", ("requested",), lambda cast, _: cast.approver),
        Worklist("payment.release", "payment", ("approved",), lambda cast, _: cast.releaser),
        Worklist(
            "project.complete_implementation",
            "project",
            ("implementation",),
            _officer,
            where=_MILESTONES_DONE,
        ),
        Worklist("project.close", "project", ("closure",), _officer, where=_PAYMENTS_DONE),
        Worklist("project.archive", "project", CLOSED, _officer, after_days=ARCHIVED_AFTER_DAYS),
    )
