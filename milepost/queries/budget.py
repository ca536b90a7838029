"""Yearly budgets as the ledger has them: what came into each appropriation and became of it; the changes.

Narrowed to the reader: a row of an office is for those who hold a role of ``FUNDS`` there or above, and for
those below, whose projects it pays for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from uuid import UUID

from config.programmes import Source
from milepost.db import Session
from milepost.facts import HANGING
from milepost.programmes import load_published
from milepost.queries.sight import FUNDS, REACHES, Row, rows
from states.labels import said


@dataclass(frozen=True, slots=True)
class Line:
    """One appropriation and its sums in minor units, each from where it is kept.

    From the transfers: what came in, went out and was paid (net of ``returned``, which says how much of it
    came back; ``refunded`` of that from grantees, within the year). From the payments: ``held`` (requested)
    and ``on_way`` (released, not settled). From the account: ``left``. ``opening`` is what was voted before
    the first day of the year.
    """

    id: UUID
    programme_id: UUID
    programme_code: str
    fiscal_year: int
    currency: str
    source: str
    source_rank: int
    origin_year: int
    office_path: str
    state: str
    opening: int
    voted: int
    increased: int
    decreased: int
    moved_in: int
    moved_out: int
    carried_in: int
    carried_out: int
    lapsed: int
    paid: int
    returned: int
    refunded: int
    on_way: int
    held: int
    left: int

    @property
    def received(self) -> int:
        """All that there was to spend."""
        into = self.opening + self.voted + self.increased + self.moved_in + self.carried_in
        return into - self.decreased - self.moved_out

    @property
    def accounted(self) -> int:
        """What became of it."""
        return self.paid + self.on_way + self.held + self.carried_out + self.lapsed + self.left

    @property
    def difference(self) -> int:
        """Nothing, or the books are wrong."""
        return self.received - self.accounted

    @property
    def executed_milli(self) -> int | None:
        """What is paid of all there was, in thousandths, rounded down; None where there was nothing."""
        return self.paid * 1000 // self.received if self.received else None


_COLUMNS = ", ".join(f"s.{f.name}" for f in fields(Line)[:10])
# Of the ways into and out of a purse only those to the treasury and to other purses: the rest are payments.
_LINES = f"""WITH s AS MATERIALIZED (
  SELECT s.*, c.id AS account_id, c.credits_posted - c.debits_posted - c.debits_pending AS remains
    FROM appropriation s JOIN account c ON c.kind = 'appropriation' AND c.owner_id = s.id
   WHERE s.state IN ('voted', 'closed') AND (%(year)s::int IS NULL OR s.fiscal_year = %(year)s)
     AND (%(programme)s::text IS NULL OR s.programme_code = %(programme)s)
     AND (%(actor)s::uuid IS NULL OR {REACHES})
), leg AS (
  SELECT s.id, s.fiscal_year, 1 AS way, t.amount_minor, t.chain_id, t.event_seq, o.kind
    FROM s JOIN transfer t ON t.credit_id = s.account_id JOIN account o ON o.id = t.debit_id
   WHERE t.kind = 'posted' AND o.kind IN ('treasury', 'appropriation')
  UNION ALL
  SELECT s.id, s.fiscal_year, -1, t.amount_minor, t.chain_id, t.event_seq, o.kind
    FROM s JOIN transfer t ON t.debit_id = s.account_id JOIN account o ON o.id = t.credit_id
   WHERE t.kind = 'posted' AND o.kind IN ('treasury', 'appropriation')
), flow AS (
  SELECT l.id, l.way, l.amount_minor, l.kind, b.kind AS change, e.step,
    (e.at AT TIME ZONE %(zone)s)::date < make_date(l.fiscal_year, 1, 1) AS early
    FROM leg l JOIN event e ON e.chain_id = l.chain_id AND e.seq = l.event_seq
    LEFT JOIN budget_change b ON b.id = e.subject_id
), moved AS (
  SELECT id,
    sum(amount_minor) FILTER (WHERE way = 1 AND kind = 'treasury' AND early) AS opening,
    sum(amount_minor) FILTER (WHERE way = 1 AND kind = 'treasury' AND NOT early
                              AND step = 'appropriation.vote') AS voted,
    sum(amount_minor) FILTER (WHERE way = 1 AND kind = 'treasury' AND NOT early
                              AND step <> 'appropriation.vote') AS increased,
    sum(amount_minor) FILTER (WHERE way = -1 AND kind = 'treasury' AND change <> 'lapse') AS decreased,
    sum(amount_minor) FILTER (WHERE way = 1 AND change = 'move') AS moved_in,
    sum(amount_minor) FILTER (WHERE way = -1 AND change = 'move') AS moved_out,
    sum(amount_minor) FILTER (WHERE way = 1 AND change = 'carry_over') AS carried_in,
    sum(amount_minor) FILTER (WHERE way = -1 AND change = 'carry_over') AS carried_out,
    sum(amount_minor) FILTER (WHERE way = -1 AND change = 'lapse') AS lapsed
    FROM flow GROUP BY id
), paid AS (
  SELECT y.appropriation_id AS id,
    sum(t.amount_minor) FILTER (WHERE c.kind = 'paid' AND t.reverses_id IS NULL) AS gross,
    sum(t.amount_minor) FILTER (WHERE d.kind = 'paid' AND t.reverses_id IS NOT NULL) AS returned
    FROM s JOIN payment y ON y.appropriation_id = s.id JOIN transfer t ON t.payment_id = y.id
    JOIN account c ON c.id = t.credit_id JOIN account d ON d.id = t.debit_id
   WHERE t.kind = 'posted' AND (c.kind = 'paid' OR d.kind = 'paid') GROUP BY 1
), home AS (
  SELECT s.id, sum(t.amount_minor) AS refunded FROM s JOIN transfer t ON t.credit_id = s.account_id
    JOIN account o ON o.id = t.debit_id AND o.kind = 'receivable' WHERE t.kind = 'posted' GROUP BY 1
), open AS (
  SELECT y.appropriation_id AS id,
    sum(y.amount_minor) FILTER (WHERE y.state IN ('released', 'instructed', 'unknown')) AS on_way,
    sum(y.amount_minor) FILTER (WHERE y.state IN ('requested', 'approved')) AS held
    FROM payment y JOIN s ON s.id = y.appropriation_id WHERE y.state IN {HANGING} GROUP BY 1
)
SELECT {_COLUMNS}, coalesce(m.opening, 0)::bigint AS opening, coalesce(m.voted, 0)::bigint AS voted,
  coalesce(m.increased, 0)::bigint AS increased, coalesce(m.decreased, 0)::bigint AS decreased,
  coalesce(m.moved_in, 0)::bigint AS moved_in, coalesce(m.moved_out, 0)::bigint AS moved_out,
  coalesce(m.carried_in, 0)::bigint AS carried_in, coalesce(m.carried_out, 0)::bigint AS carried_out,
  coalesce(m.lapsed, 0)::bigint AS lapsed,
  (coalesce(p.gross, 0) - coalesce(p.returned, 0) - coalesce(h.refunded, 0))::bigint AS paid,
  (coalesce(p.returned, 0) + coalesce(h.refunded, 0))::bigint AS returned,
  coalesce(h.refunded, 0)::bigint AS refunded,
  coalesce(o.on_way, 0)::bigint AS on_way, coalesce(o.held, 0)::bigint AS held, s.remains AS left
FROM s LEFT JOIN moved m ON m.id = s.id LEFT JOIN paid p ON p.id = s.id LEFT JOIN open o ON o.id = s.id
LEFT JOIN home h ON h.id = s.id
ORDER BY s.fiscal_year DESC, s.programme_code, s.currency, s.office_path, s.origin_year, s.source_rank,
  s.id"""


def lines(
    session: Session, actor_id: UUID | None, *, year: int | None = None, programme: str | None = None
) -> list[Line]:
    """The appropriations with their sums, the latest year first; ``actor_id`` None: not narrowed."""
    zone = str(session.clock.zone)
    params = {"actor": actor_id, "year": year, "programme": programme, "zone": zone}
    return [Line(**row) for row in rows(session, _LINES, params)]


def changes(session: Session, actor_id: UUID, *, limit: int = 200) -> list[Row]:
    """The changes of budgets, those that wait first, then the latest; with who proposed and who confirmed."""
    return rows(
        session,
        f"""SELECT s.*, a.programme_code, a.fiscal_year, a.origin_year, a.source, t.source AS to_source,
          t.programme_code AS to_programme, t.fiscal_year AS to_year, p.name AS proposed_name,
          c.name AS confirmed_name, e.at AS proposed_at, l.at
        FROM budget_change s JOIN appropriation a ON a.id = s.appropriation_id
        LEFT JOIN appropriation t ON t.id = s.to_id
        JOIN person p ON p.id = s.proposed_by LEFT JOIN person c ON c.id = s.confirmed_by
        JOIN event e ON e.subject_id = s.id AND e.subject_seq = 1
        JOIN event l ON l.subject_id = s.id AND l.subject_seq = s.version
        WHERE {REACHES} ORDER BY s.state <> 'proposed', l.at DESC, s.id LIMIT %(limit)s""",
        {"actor": actor_id, "limit": limit},
    )


def proposed(session: Session, actor_id: UUID, *, limit: int = 200) -> list[Row]:
    """The votes and the closes of years that wait for a second person: ``what`` is "vote" or "close"."""
    return rows(
        session,
        f"""SELECT s.*, CASE s.state WHEN 'proposed' THEN 'vote' ELSE 'close' END AS what, n.name AS by,
          e.at FROM appropriation s JOIN person n ON n.id = coalesce(s.closing_by, s.proposed_by)
        JOIN LATERAL (SELECT x.at FROM event x WHERE x.subject_id = s.id AND x.step = CASE s.state
          WHEN 'proposed' THEN 'appropriation.propose' ELSE 'appropriation.propose_close' END
          ORDER BY x.subject_seq DESC LIMIT 1) e ON true
        WHERE (s.state = 'proposed' OR (s.state = 'voted' AND s.closing_by IS NOT NULL)) AND {REACHES}
        ORDER BY e.at, s.id LIMIT %(limit)s""",
        {"actor": actor_id, "limit": limit},
    )


def offices_of(session: Session, actor_id: UUID | None) -> list[str]:
    """The topmost offices whose money somebody reads; everything where nobody is named."""
    if actor_id is None:
        return ["/"]
    found = session.conn.execute(
        "SELECT DISTINCT office_path FROM role_grant WHERE person_id = %s AND revoked_at IS NULL "
        "AND office_path IS NOT NULL AND role = ANY(%s) ORDER BY 1",
        (actor_id, sorted(FUNDS)),
    ).fetchall()
    paths = [row[0] for row in found]
    return [path for path in paths if not any(path != top and path.startswith(top) for top in paths)]


# What forms offer to choose from -------------------------------------------------------------------------


def sources_of(session: Session, programme_id: UUID) -> tuple[Source, ...]:
    """The sources of a programme version, in its order."""
    compiled = load_published(session.conn, programme_id)
    return compiled.programme.budget.sources if compiled else ()


def source_title(session: Session, programme_id: UUID, code: str, locale: str) -> str:
    """What a source is called; a code that the version no longer has speaks for itself."""
    found = next((s.title for s in sources_of(session, programme_id) if s.code == code), None)
    return said(found, locale) if found else code


def sources(session: Session, locale: str) -> list[tuple[str, str]]:
    """Every source of the newest programme versions, with the programmes that have it."""
    newest = session.conn.execute(
        "SELECT DISTINCT ON (code) id, code FROM programme_version ORDER BY code, version DESC"
    ).fetchall()
    found: dict[str, tuple[str, list[str]]] = {}
    for id, code in newest:
        for source in sources_of(session, id):
            found.setdefault(source.code, (said(source.title, locale), []))[1].append(code)
    return [(code, f"{title} · {', '.join(names)}") for code, (title, names) in found.items()]


def purses(session: Session, actor_id: UUID, row: Row, locale: str) -> list[tuple[str, str]]:
    """Where money of an appropriation may be moved to by somebody."""
    found = rows(
        session,
        """SELECT s.id, s.programme_id, s.programme_code, s.source, s.office_path FROM appropriation s
        WHERE s.state = 'voted' AND s.id <> %(id)s AND s.fiscal_year = %(fiscal_year)s
          AND s.currency = %(currency)s AND s.origin_year = %(origin_year)s
          AND EXISTS (SELECT 1 FROM role_grant g WHERE g.person_id = %(actor)s AND g.revoked_at IS NULL
            AND g.role = 'finance_officer' AND starts_with(s.office_path, g.office_path))
        ORDER BY s.programme_code <> %(programme_code)s, s.programme_code, s.source_rank, s.id LIMIT 500""",
        {**row, "actor": actor_id},
    )
    return [(str(r["id"]), f"{r['programme_code']} · {_named(session, r, locale)}") for r in found]


def _named(session: Session, row: Row, locale: str) -> str:
    office = "" if row["office_path"] == "/" else f" · {row['office_path']}"
    return f"{source_title(session, row['programme_id'], row['source'], locale)}{office}"


def per_cent(milli: int | None) -> str:
    """Thousandths as people read them: 87.5%."""
    return "—" if milli is None else f"{milli // 10}.{milli % 10}%"


__all__ = [
    "Line",
    "changes",
    "lines",
    "offices_of",
    "per_cent",
    "proposed",
    "purses",
    "source_title",
    "sources",
    "sources_of",
]
