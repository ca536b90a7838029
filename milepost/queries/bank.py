"""Batches, the register of files and the queue of exceptions, as finance reads them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from milepost.bank.exceptions import said_of
from milepost.clock import OFFICE_ZONE
from milepost.db import Session
from milepost.queries.sight import Row, bank_scope, rows

MOST = 200


def batches(session: Session, actor_id: UUID | None = None, *, only: UUID | None = None) -> list[Row]:
    """The latest batches, with how many of their payments are in each state; ``only`` one of them.

    Of the offices whose bank the actor reads; None reads all, as whoever has the machine does.
    """
    scope = bank_scope("b.office_path") if actor_id is not None else "true"
    return rows(
        session,
        f"""SELECT b.id, b.office_path, b.state, b.currency, b.execution_on, b.number, b.total_minor,
            b.file_name, b.sha256, b.note, b.handed_at, v.code AS programme_code, m.name AS made_by,
            h.name AS handed_by,
            (SELECT coalesce(jsonb_object_agg(s.state, s.n), '{{}}') FROM (SELECT y.state, count(*) AS n
               FROM batch_payment p JOIN payment y ON y.id = p.payment_id
              WHERE p.batch_id = b.id AND p.live GROUP BY y.state) s) AS states
          FROM batch b JOIN programme_version v ON v.id = b.programme_id JOIN person m ON m.id = b.made_by
          LEFT JOIN person h ON h.id = b.handed_by
         WHERE (%(only)s::uuid IS NULL OR b.id = %(only)s) AND {scope}
         ORDER BY b.cut_off DESC, b.id LIMIT %(most)s""",
        {"most": MOST, "actor": actor_id, "only": only},
    )


def batch(session: Session, id: UUID, actor_id: UUID | None = None) -> Row | None:
    """One batch with its first thousand payments, those left out among them, and the files about it."""
    found = batches(session, actor_id, only=id)
    if not found:
        return None
    payments = rows(
        session,
        """SELECT p.position, p.live, p.left_out, y.id, y.state, y.currency, y.bank_reference,
            y.amount_minor - y.offset_minor AS amount_minor,
            y.bank_reason, j.id AS project_id, j.code, t.number, k.account_name
          FROM batch_payment p JOIN payment y ON y.id = p.payment_id JOIN project j ON j.id = y.project_id
          JOIN tranche t ON t.id = y.tranche_id LEFT JOIN payee k ON k.id = y.payee_id
         WHERE p.batch_id = %(id)s ORDER BY p.position LIMIT 1000""",
        {"id": id},
    )
    return {**found[0], "payments": payments, "files": files(session, batch_id=id)}


def files(
    session: Session, actor_id: UUID | None = None, *, batch_id: UUID | None = None, office: str = "/"
) -> list[Row]:
    """The register: what went and what came, the latest first. ``office`` keeps the account it came for."""
    scope = "true"
    if actor_id is not None:
        of = "coalesce((SELECT b.office_path FROM batch b WHERE b.id = f.batch_id), %(office)s)"
        scope = bank_scope(of)
    return rows(
        session,
        f"""SELECT f.id, f.direction, f.kind, f.name, f.sha256, f.size, f.at, f.batch_id, f.closing_on,
            f.counts, f.findings, n.name AS by FROM bank_file f JOIN person n ON n.id = f.by_id
          WHERE (%(batch)s::uuid IS NULL OR f.batch_id = %(batch)s) AND {scope}
          ORDER BY f.at DESC, f.name LIMIT %(most)s""",
        {"batch": batch_id, "most": MOST, "actor": actor_id, "office": office},
    )


def exceptions(
    session: Session, actor_id: UUID | None = None, *, resolved: bool = False
) -> list[dict[str, Any]]:
    """What does not fit, the oldest first, in words; with ``resolved`` what was cleared up, latest first.

    Of the offices whose bank the actor reads; None reads all, as whoever has the machine does.
    """
    scope = bank_scope("x.office_path", "x.project_id") if actor_id is not None else "true"
    found = rows(
        session,
        f"""SELECT x.id, x.kind, x.state, x.params, x.raised_at, x.note, x.resolved_at, n.name AS by,
            x.payment_id, x.likely_id, f.name AS file, p.code, x.project_id, t.number AS tranche,
            CASE WHEN x.likely_id IS NOT NULL THEN p.code END AS likely_code,
            CASE WHEN x.likely_id IS NOT NULL THEN t.number END AS likely_tranche
          FROM bank_exception x JOIN bank_file f ON f.id = x.file_id
          LEFT JOIN project p ON p.id = x.project_id LEFT JOIN tranche t ON t.id = x.tranche_id
          LEFT JOIN person n ON n.id = x.resolved_by
         WHERE (x.state = 'open') = %(open)s AND {scope}
         ORDER BY {"x.resolved_at DESC" if resolved else "x.raised_at"}, x.id LIMIT %(most)s""",
        {"open": not resolved, "most": MOST, "actor": actor_id},
    )
    today = session.clock.today()
    return [
        {
            **row,
            "said": said_of(row["kind"], row["params"]),
            "days": (today - row["raised_at"].astimezone(OFFICE_ZONE).date()).days,
        }
        for row in found
    ]


__all__ = ["batch", "batches", "exceptions", "files"]
