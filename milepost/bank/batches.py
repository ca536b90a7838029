"""What a batch would take: the released payments of a programme and a currency that no batch has."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from states.case import Case

# The days of the calendar are those of the office's country, as everywhere in the rules.
ZONE = ZoneInfo("Asia/Shanghai")

_PAYABLE = """SELECT y.id, y.amount_minor - y.offset_minor FROM payment y
  JOIN project p ON p.id = y.project_id JOIN tranche t ON t.id = y.tranche_id
  JOIN event e ON e.subject_id = y.id AND e.subject_seq = y.version
 WHERE y.state = 'released' AND y.amount_minor > y.offset_minor AND y.currency = %s
   AND p.programme_code = %s AND e.at <= %s AND starts_with(p.office_path, %s)
   AND NOT EXISTS (SELECT 1 FROM batch_payment b WHERE b.payment_id = y.id AND b.live)
 ORDER BY p.code, t.number, y.id"""


def payable(conn: psycopg.Connection[Any], case: Case) -> dict[str, Any]:
    """The payments, by project and tranche, and the moment up to which their release counts."""
    given = case.input
    cut_off = case.now
    if given.released_until is not None:
        cut_off = min(cut_off, datetime.combine(given.released_until + timedelta(days=1), time(), ZONE))
    rows = conn.execute(
        _PAYABLE, (given.currency, case.programme.code, cut_off, given.office_path)
    ).fetchall()
    return {"cut_off": cut_off, "payments": [{"id": id, "amount_minor": minor} for id, minor in rows]}


__all__ = ["payable"]
