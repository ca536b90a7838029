"""What the ledger says, in sums: budgets, totals by currency, and whether books, payments and bank agree.

Reading only. A difference is never corrected here: whoever finds one settles it by a step of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg


@dataclass(frozen=True, slots=True)
class Balance:
    """Where the money of one currency stands, in minor units.

    ``appropriated`` (net of what went back to the treasury) less ``held`` and ``released`` is what is left;
    ``released`` is commitment waiting for the bank, plus ``with_bank``, plus ``paid``. Of what was paid,
    ``owed`` is to come back and ``refunded`` came back, to the treasury: neither makes room in an
    appropriation. ``restored`` came back to one within its year: paid no longer, and available again.
    """

    currency: str
    appropriated_minor: int
    held_minor: int
    waiting_minor: int
    with_bank_minor: int
    paid_minor: int
    payments_settled: int
    owed_minor: int = 0
    refunded_minor: int = 0
    restored_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What may still be promised."""
        spent = self.waiting_minor + self.with_bank_minor + self.paid_minor
        return self.appropriated_minor - self.held_minor - spent


@dataclass(frozen=True, slots=True)
class Difference:
    """Two figures that should be one: which, for what, and both of them."""

    code: str
    where: str
    zh: str
    en: str
    booked: int
    found: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The balances by currency, and every difference."""

    balances: list[Balance] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when everything agrees."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """For programs; the shape is stable."""
        balances = [{**asdict(b), "left_minor": b.left_minor} for b in self.balances]
        return {"ok": self.ok, "balances": balances, "differences": [asdict(d) for d in self.differences]}


_REFUNDED = """(SELECT coalesce(sum(t.amount_minor), 0)::bigint FROM account d
    JOIN transfer t ON t.debit_id = d.id JOIN account c ON c.id = t.credit_id AND c.kind IN ({to})
   WHERE d.kind = 'receivable' AND t.kind IN ('posted', 'post') AND {of}
     AND NOT EXISTS (SELECT 1 FROM transfer v WHERE v.reverses_id = t.id))"""
_REFUNDED_IN_ALL = _REFUNDED.format(to="'treasury'", of="d.currency = a.currency")
_RESTORED_IN_ALL = _REFUNDED.format(to="'appropriation'", of="d.currency = a.currency")
_BALANCES = f"""
SELECT a.currency,
  coalesce(sum(a.credits_posted - a.debits_posted) FILTER (WHERE a.kind = 'appropriation'), 0)::bigint,
  coalesce(sum(a.debits_pending) FILTER (WHERE a.kind = 'appropriation'), 0)::bigint,
  coalesce(sum(a.credits_posted - a.debits_posted) FILTER (WHERE a.kind = 'commitment'), 0)::bigint,
  coalesce(sum(a.credits_posted - a.debits_posted) FILTER (WHERE a.kind = 'payable'), 0)::bigint,
  (coalesce(sum(a.credits_posted - a.debits_posted) FILTER (WHERE a.kind IN ('paid', 'receivable')), 0)
    + {_REFUNDED_IN_ALL})::bigint,
  (SELECT count(*) FROM payment y WHERE y.currency = a.currency AND y.state = 'settled'),
  coalesce(sum(a.credits_posted - a.debits_posted) FILTER (WHERE a.kind = 'receivable'), 0)::bigint,
  {_REFUNDED_IN_ALL}, {_RESTORED_IN_ALL}
FROM account a GROUP BY a.currency ORDER BY a.currency"""

# What was settled and is to come back, or came back, stands in paid no longer.
_CLAIMED = (
    "(SELECT coalesce(sum(r.credits_posted - r.debits_posted), 0)::bigint FROM account r "
    "WHERE r.owner_id = a.owner_id AND r.kind = 'receivable' AND r.currency = a.currency) + "
    + _REFUNDED.format(
        to="'treasury', 'appropriation'", of="d.owner_id = a.owner_id AND d.currency = a.currency"
    )
)

# What an account of a project holds against the payments in the states that put it there.
_BOOKS = (
    (
        "held_differs",
        "已占用金额与在途申请不符",
        "what is held is not what was requested and approved",
        "commitment",
        "credits_pending",
        ("requested", "approved"),
    ),
    (
        "waiting_differs",
        "待交银行金额与已放款的拨付不符",
        "what waits for the bank is not what was released",
        "commitment",
        "credits_posted - a.debits_posted",
        ("released",),
    ),
    (
        "with_bank_differs",
        "银行在途金额与已交银行的拨付不符",
        "what is with the bank is not what was handed to it",
        "payable",
        "credits_posted - a.debits_posted",
        ("instructed", "unknown"),
    ),
    (
        "paid_differs",
        "已付金额与已结清的拨付不符",
        "what is paid is not what was settled",
        "paid",
        f"credits_posted - a.debits_posted + {_CLAIMED}",
        ("settled",),
    ),
)
# Interest for late payment has accounts of its own tranche, beside those of the project's award.
_BOOK_SQL = """
SELECT p.code, a.{column}, coalesce(y.total, 0)::bigint FROM account a
  LEFT JOIN tranche i ON i.id = a.owner_id JOIN project p ON p.id = coalesce(i.project_id, a.owner_id)
  LEFT JOIN (SELECT CASE WHEN t.basis = 'interest' THEN t.id ELSE w.project_id END AS owner_id, w.currency,
        sum(w.amount_minor) AS total FROM payment w JOIN tranche t ON t.id = w.tranche_id
       WHERE w.state = ANY(%s) GROUP BY 1, 2) y ON y.owner_id = a.owner_id AND y.currency = a.currency
 WHERE a.kind = %s AND a.{column} <> coalesce(y.total, 0) ORDER BY p.code"""

# The simulated bank's own books, where there are any: what it booked for each end-to-end id.
_BANK = """
SELECT coalesce(p.code, b.end_to_end_id::text), coalesce(y.amount_minor - y.offset_minor, 0),
       coalesce(b.total, 0)::bigint, coalesce(b.times, 0)::int
  FROM (SELECT * FROM payment WHERE state = 'settled' AND attested IS NULL) y
  FULL JOIN (SELECT end_to_end_id, sum(amount_minor) AS total, count(*) AS times
               FROM simbank_instruction WHERE outcome = 'settled' GROUP BY 1) b ON b.end_to_end_id = y.id
  LEFT JOIN payment q ON q.id = coalesce(y.id, b.end_to_end_id)
  LEFT JOIN project p ON p.id = q.project_id
 WHERE (y.id IS NULL AND q.state IS DISTINCT FROM 'instructed' AND q.state IS DISTINCT FROM 'unknown'
        AND q.attested IS NULL)
    OR b.end_to_end_id IS NOT NULL AND y.id IS NOT NULL
      AND (y.amount_minor - y.offset_minor <> b.total OR b.times <> 1)
    OR (b.end_to_end_id IS NULL AND EXISTS (SELECT 1 FROM simbank_instruction WHERE end_to_end_id = y.id))
 ORDER BY 1"""


def balances(conn: psycopg.Connection[Any]) -> list[Balance]:
    """Where the money of each currency stands."""
    found = []
    for currency, in_purses, held, waiting, with_bank, paid, *rest in conn.execute(_BALANCES).fetchall():
        # Counted from where it is now: what came back or was moved went into a purse a second time.
        whole = in_purses + waiting + with_bank + paid
        found.append(Balance(currency, whole, held, waiting, with_bank, paid, *rest))
    return found


def reconcile(conn: psycopg.Connection[Any]) -> Reconciliation:
    """Hold the accounts against the payments, and the payments against the bank's books, in one snapshot."""
    found: list[Difference] = []
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        totals = balances(conn)
        for code, zh, en, kind, column, states in _BOOKS:
            rows = conn.execute(_BOOK_SQL.format(column=column), (list(states), kind)).fetchall()
            found += [Difference(code, where, zh, en, booked, paid) for where, booked, paid in rows]
        for where, booked, total, times in conn.execute(_BANK).fetchall():
            found.append(_bank_difference(where, booked, total, times))
    return Reconciliation(totals, found)


def _bank_difference(where: str, booked: int, total: int, times: int) -> Difference:
    if times > 1:
        code, zh, en = (
            "bank_paid_twice",
            "银行就同一笔拨付付款多次",
            "the bank paid one payment more than once",
        )
    elif times == 0:
        code, zh, en = "bank_did_not_pay", "已结清，但银行账上没有付款", "settled here, not paid by the bank"
    elif booked == 0:
        code, zh, en = "bank_paid_unasked", "银行已付，账上未结清", "paid by the bank, not settled here"
    else:
        code, zh, en = "bank_paid_other_sum", "银行所付金额不同", "the bank paid another sum"
    return Difference(code, where, zh, en, booked, total)


__all__ = ["Balance", "Difference", "Reconciliation", "balances", "reconcile"]
