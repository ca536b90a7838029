"""What waits, since when and on whom: payments, tranches, milestones and the bank's exceptions, by age.

No rule of its own: who is waited for is what the open deadline says, or the refusals of the last routine
check; what a payment waits for and when that is nobody's delay is `milepost.work.checks`' ``AWAITED``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from config.programmes import Text
from milepost.bank.exceptions import KINDS
from milepost.clock import OFFICE_ZONE
from milepost.db import Session
from milepost.queries.sight import FUNDS, MINE, Row, bank_scope, holds_role, rows
from milepost.work.checks import AWAITED
from milepost.work.figure_sheets import Column, Sheet
from states.labels import noun_label, role_label, state_label
from states.refusals import CATALOGUE
from states.step import words

BUCKETS: tuple[tuple[int, int | None], ...] = ((0, 7), (8, 30), (31, 90), (91, None))
BUCKET_LABELS = (
    words("0–7 天", "0–7 days"),
    words("8–30 天", "8–30 days"),
    words("31–90 天", "31–90 days"),
    words("90 天以上", "over 90 days"),
)
KIND_LABELS = {
    "payment": words("拨付办理中", "Payments under way"),
    "tranche": words("应付未能付", "Earned, but blocked"),
    "milestone": words("里程碑待办", "Milestones"),
    "exception": words("银行待查", "Exceptions of the bank"),
}
MOST = 50_000
"""So many items, the longest waiting first; beyond, the figures say that they are not whole."""

_MOVED = """(SELECT e.at FROM event e WHERE e.subject_id = {0} AND e.from_state <> e.to_state
  ORDER BY e.subject_seq DESC LIMIT 1)"""
_DEADLINE = """LEFT JOIN LATERAL (SELECT x.due_on, x.who FROM deadline x WHERE x.subject_id = {0}
  AND x.closed_seq IS NULL ORDER BY x.due_on LIMIT 1) d ON true"""
_P = "p.id AS project_id, p.code, p.title, p.unit_name, p.programme_code, p.office_path"
_AWAITED = " ".join(f"WHEN '{waits}' THEN '{code}'" for waits, code in AWAITED.items())
_ITEMS = f"""
  SELECT 'payment' AS kind, y.id, {_P}, y.state, {_MOVED.format("y.id")} AS at, NULL::date AS day, d.due_on,
    d.who, NULL AS name, NULL::jsonb AS blocked, y.amount_minor, y.currency, t.number
    FROM payment y JOIN project p ON p.id = y.project_id JOIN tranche t ON t.id = y.tranche_id
    {_DEADLINE.format("y.id")}
   WHERE y.state IN ('due', 'requested', 'approved', 'released', 'instructed', 'unknown') AND {{scope}}
  UNION ALL
  SELECT 'tranche', y.id, {_P}, y.state, CASE WHEN t.waits_for = 'acceptance' THEN
      (SELECT max(e.at) FROM event e WHERE e.chain_id = p.id AND e.step = 'project.record_acceptance')
      WHEN m.decided_on IS NULL AND p.agreement_signed_on IS NULL OR t.basis = 'interest'
        THEN {_MOVED.format("y.id")} END,
    CASE WHEN t.basis <> 'interest' THEN coalesce(m.decided_on, t.due_on, p.agreement_signed_on) END,
    NULL, NULL, NULL, c.blocked, y.amount_minor,
    y.currency, t.number
    FROM payment y JOIN project p ON p.id = y.project_id JOIN tranche t ON t.id = y.tranche_id
    JOIN payment_check c ON c.payment_id = y.id LEFT JOIN milestone m ON m.id = y.milestone_id
   WHERE y.state = 'planned' AND c.blocked <> '[]' AND NOT c.blocked @> jsonb_build_array(
     jsonb_build_object('code', CASE t.waits_for {_AWAITED} ELSE '' END))
     AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(c.blocked) b WHERE b ->> 'code' = ANY(%(not_yet)s))
     AND {{scope}}
  UNION ALL
  SELECT 'milestone', m.id, {_P}, m.state, CASE WHEN m.state = 'returned' THEN {_MOVED.format("m.id")} END,
    CASE m.state WHEN 'overdue' THEN m.due_on WHEN 'reported' THEN m.reported_on END, d.due_on, d.who,
    CASE WHEN m.state = 'reported' THEN n.name END, NULL,
    (SELECT sum(coalesce(t.payable_minor, t.amount_minor) - t.paid_minor)::bigint FROM tranche t
      WHERE t.milestone_id = m.id),
    p.currency, m.number
    FROM milestone m JOIN project p ON p.id = m.project_id LEFT JOIN person n ON n.id = m.evaluator_id
    {_DEADLINE.format("m.id")}
   WHERE m.state IN ('overdue', 'reported', 'returned') AND {{scope}}"""
_EXCEPTIONS = f"""SELECT 'exception' AS kind, x.id, {_P}, x.state, x.raised_at AS at, NULL::date AS day,
    d.due_on, d.who, NULL AS name, NULL::jsonb AS blocked,
    coalesce(y.amount_minor, abs(e.amount_minor)) AS amount_minor,
    coalesce(y.currency, e.currency) AS currency, NULL::int AS number, x.kind AS what, x.payment_id
  FROM bank_exception x LEFT JOIN payment y ON y.id = x.payment_id LEFT JOIN project p ON p.id = x.project_id
  LEFT JOIN bank_entry e ON e.id = x.entry_id {_DEADLINE.format("x.id")}
 WHERE x.state = 'open' AND {{scope}} AND starts_with(x.office_path, %(office)s)
   AND (%(programme)s = '' OR p.programme_code = %(programme)s) ORDER BY x.raised_at, x.id LIMIT {MOST}"""
# Nobody is late while its day has not come, or while the tranches before it are under way.
_NOT_YET = ["day_to_come", "others_unpaid"]
_GRANTEES = frozenset({"applicant", "principal_investigator"})
_IN = """(%(programme)s = '' OR p.programme_code = %(programme)s)
  AND starts_with(p.office_path, %(office)s)"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits. ``name`` is who in person, where somebody is named; ``amount_minor`` its sum."""

    kind: str
    id: UUID
    row: Row
    since: date
    days: int
    due_on: date | None
    roles: tuple[str, ...]
    name: str
    amount_minor: int | None
    currency: str

    @property
    def bucket(self) -> int:
        """Which of ``BUCKETS`` its age falls in."""
        return next(n for n, (_, last) in enumerate(BUCKETS) if last is None or self.days <= last)

    @property
    def whom(self) -> tuple[tuple[str, ...], str]:
        """On whom it waits: roles, and a name where there is one."""
        return self.roles, self.name

    @property
    def url(self) -> str:
        """Where it is shown."""
        if self.kind == "exception":
            return f"/bank#bank_exception-{self.id}"
        if self.kind == "milestone":
            return f"/projects/{self.row['project_id']}#milestone-{self.id}"
        return f"/payments/{self.id}"


@dataclass(slots=True)
class Total:
    """So many items in each bucket, and their money by currency."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    sums: dict[str, list[int]] = field(default_factory=dict)

    def add(self, item: Waiting) -> None:
        """Count an item."""
        self.counts[item.bucket] += 1
        if item.amount_minor is not None and item.currency:
            self.sums.setdefault(item.currency, [0] * len(BUCKETS))[item.bucket] += item.amount_minor

    @property
    def count(self) -> int:
        """How many in all."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Ageing:
    """Everything that waits on a day, the longest first; the totals by kind and by whom."""

    day: date
    items: tuple[Waiting, ...]
    by_kind: dict[str, Total]
    by_whom: dict[tuple[tuple[str, ...], str], Total]
    whole: Total
    complete: bool

    def as_json(self) -> dict[str, Any]:
        """For programs; the shape is stable."""
        return {
            "day": self.day.isoformat(),
            "complete": self.complete,
            "buckets": [list(bucket) for bucket in BUCKETS],
            "total": _total_json(self.whole),
            "by_kind": {kind: _total_json(total) for kind, total in self.by_kind.items()},
            "by_whom": [
                {"roles": list(roles), "name": name, **_total_json(total)}
                for (roles, name), total in self.by_whom.items()
            ],
            "items": [
                {
                    "kind": item.kind,
                    "id": str(item.id),
                    "code": item.row["code"],
                    "number": item.row["number"],
                    "state": item.row["state"],
                    "since": item.since.isoformat(),
                    "days": item.days,
                    "due_on": item.due_on.isoformat() if item.due_on else None,
                    "roles": list(item.roles),
                    "name": item.name,
                    "amount_minor": item.amount_minor,
                    "currency": item.currency,
                }
                for item in self.items
            ],
        }


def _total_json(total: Total) -> dict[str, Any]:
    return {"counts": total.counts, "sums_minor": total.sums}


def ageing(session: Session, actor_id: UUID | None, *, programme: str = "", office: str = "") -> Ageing:
    """What waits now in the projects whose money the actor sees; None: in all. Exceptions for ``BANK``."""
    roles = holds_role(FUNDS) if actor_id is not None else "true"
    asked = {
        "actor": actor_id,
        "programme": programme,
        "office": office or "/",
        "most": MOST,
        "not_yet": _NOT_YET,
    }
    mine = f"WITH {MINE} " if actor_id is not None else ""
    items = _ITEMS.format(scope=f"{roles} AND {_IN}")
    found = rows(
        session,
        f"{mine}SELECT * FROM ({items}) i ORDER BY coalesce(i.day, i.at::date), i.id LIMIT %(most)s",
        asked,
    )
    complete = len(found) < MOST
    bank = bank_scope("x.office_path", "x.project_id") if actor_id is not None else "true"
    found += rows(session, f"{mine}{_EXCEPTIONS.format(scope=bank)}", asked)
    today = session.clock.today()
    zone = getattr(session.clock, "zone", OFFICE_ZONE)
    counted = {row["id"] for row in found if row["kind"] == "payment"}
    made = [_waiting(row, today, zone, counted) for row in found]
    made.sort(key=lambda item: (-item.days, item.kind, item.row["code"] or "", str(item.id)))
    by_kind: dict[str, Total] = {kind: Total() for kind in KIND_LABELS}
    by_whom: dict[tuple[tuple[str, ...], str], Total] = defaultdict(Total)
    whole_total = Total()
    for item in made:
        for total in (by_kind[item.kind], by_whom[item.whom], whole_total):
            total.add(item)
    ordered = dict(sorted(by_whom.items(), key=lambda entry: (-entry[1].count, entry[0])))
    return Ageing(today, tuple(made), by_kind, ordered, whole_total, complete)


def _waiting(row: Row, today: date, zone: Any, counted: set[UUID]) -> Waiting:
    since = row["day"] or row["at"].astimezone(zone).date()
    name, amount = row["name"] or "", row["amount_minor"]
    if row["kind"] == "exception":
        roles = tuple(row["who"] or KINDS[row["what"]].who)
        # The money of a payment that waits itself is counted there; of some the bank names no sum.
        amount = amount if row["currency"] and row["payment_id"] not in counted else None
    elif row["kind"] == "tranche":
        roles = tuple(
            dict.fromkeys(role for entry in row["blocked"] for role in CATALOGUE[entry["code"]].who)
        )
    else:
        roles = tuple(row["who"] or ("finance_officer",))
    if name and "evaluator" in roles:
        roles = ("evaluator",)
    if roles and set(roles) <= _GRANTEES:
        name = row["unit_name"]
    days = max((today - since).days, 0)
    return Waiting(
        row["kind"], row["id"], row, since, days, row["due_on"], roles, name, amount, row["currency"] or ""
    )


def what_label(item: Waiting) -> Text:
    """What waits: the noun, its number, and the state it stands in."""
    if item.kind == "exception":
        return words(KINDS[item.row["what"]].fact.zh.split("{")[0], item.row["what"].replace("_", " "))
    noun = "payment" if item.kind in ("payment", "tranche") else "milestone"
    label, state = noun_label(noun), state_label(noun, item.row["state"])
    return words(
        f"{label.zh} {item.row['number']} · {state.zh}", f"{label.en} {item.row['number']} · {state.en}"
    )


def ageing_sheet(found: Ageing) -> Sheet:
    """One row an item, the totals by currency below."""
    columns = (
        Column(words("类别", "Kind")),
        Column(words("项目", "Project")),
        Column(words("单位", "Unit")),
        Column(words("计划", "Programme")),
        Column(words("事项", "What")),
        Column(words("等谁（角色）", "On whom, role")),
        Column(words("等谁（人员）", "On whom, person")),
        Column(words("自", "Since"), "day"),
        Column(words("天数", "Days"), "number"),
        Column(words("账龄", "Age")),
        Column(words("期限", "Deadline"), "day"),
        Column(words("金额", "Amount"), "money"),
        Column(words("币种", "Currency")),
    )
    lines = [(item.currency, _line(item)) for item in found.items]
    totals = [
        (money, ["合计 Total", *[None] * 7, None, None, None, sum(sums), money])
        for money, sums in sorted(found.whole.sums.items())
    ]
    return Sheet("账龄 Ageing", columns, lines, totals, [AGEING_NOTE])


AGEING_NOTE = words(
    "自某事项进入现状之日起计天数；等谁以其未结期限或例行检查的结果为准。待查事项的款项若已在拨付中列出，不重复计。",
    "Days count from the day on which the present state began; on whom is what the open deadline or the last "
    "routine check says. Money of an exception whose payment is listed itself is not counted twice.",
)


def _line(item: Waiting) -> Sequence[Any]:
    kind, what = KIND_LABELS[item.kind], what_label(item)
    age = BUCKET_LABELS[item.bucket]
    return [
        f"{kind.zh} · {kind.en}",
        item.row["code"] or "",
        item.row["unit_name"] or "",
        item.row["programme_code"] or "",
        f"{what.zh} · {what.en}",
        "、".join(f"{role_label(role).zh} · {role_label(role).en}" for role in item.roles),
        item.name,
        item.since,
        item.days,
        f"{age.zh} · {age.en}",
        item.due_on,
        item.amount_minor,
        item.currency,
    ]


__all__ = [
    "AGEING_NOTE",
    "BUCKETS",
    "BUCKET_LABELS",
    "KIND_LABELS",
    "Ageing",
    "Total",
    "Waiting",
    "ageing",
    "ageing_sheet",
    "what_label",
]
