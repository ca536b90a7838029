"""What is known of an expert over time: where they belong, whom they are tied to, absences, bans.

Each change is one transaction under the expert's row, with a ``person_change`` that names who did what.
Affiliations, ties and bans are ended, never deleted: it can be shown what was known on a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from dateutil.relativedelta import relativedelta

from milepost.db import Session
from milepost.experts.permits import ExpertError, locked, note, require, unknown_expert
from milepost.experts.profile import line_in, text_in, tie_in

BAN_YEARS_MAX = 20
OWN_BACKDATING_DAYS_MAX = 92
"""How far back experts themselves may end an affiliation: a conflict is counted from its last day."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Where somebody works or worked; both days included, None: not known, or still there."""

    name: str
    from_on: date | None = None
    to_on: date | None = None


def _in_order(from_on: date | None, to_on: date | None) -> None:
    if from_on is not None and to_on is not None and from_on > to_on:
        raise ExpertError(
            "days_not_in_order",
            f"开始日期 {from_on} 晚于结束日期 {to_on}。请调换或更正。",
            f"The first day, {from_on}, comes after the last, {to_on}. Swap or correct them.",
        )


# Affiliations -------------------------------------------------------------------------------------------

_STANDING = """SELECT id, from_on, to_on FROM affiliation
  WHERE person_id = %(person)s AND unit_key = compared(%(name)s)
    AND CASE WHEN %(from)s::date IS NULL THEN to_on IS NULL OR to_on = %(to)s::date
        ELSE from_on = %(from)s::date AND (to_on IS NULL OR %(to)s::date IS NULL OR to_on = %(to)s::date) END
  ORDER BY to_on IS NOT DISTINCT FROM %(to)s::date DESC, from_on DESC NULLS LAST, id LIMIT 1"""


def affiliate(session: Session, person_id: UUID, unit: Unit, *, by: UUID) -> UUID:
    """Enter where an expert works or worked. What is there already is not entered twice."""
    with session.conn.transaction():
        entry = locked(session, person_id, by, "affiliations")
        return enter_units(session, entry.person_id, [unit], by=by)[0][0]


def affiliate_all(session: Session, person_id: UUID, units: Sequence[Unit], *, by: UUID) -> bool:
    """Enter several at once; says whether that changed anything. Those not named stay as they are."""
    with session.conn.transaction():
        entry = locked(session, person_id, by, "read")
        if all(_standing(session, person_id, unit) == "there" for unit in units):
            return False
        require(session, by, "affiliations", person_id=person_id, region=entry.region)
        return any(done != "there" for _, done in enter_units(session, person_id, units, by=by))


def _standing(session: Session, person_id: UUID, unit: Unit) -> str:
    """What entering a unit would come to: it is there, it ends what stands, or it is new."""
    row = _found(session, person_id, unit)
    return "new" if row is None else "there" if unit.to_on in (None, row[2]) else "ended"


def _found(session: Session, person_id: UUID, unit: Unit) -> Any:
    return session.conn.execute(
        _STANDING, {"person": person_id, "name": unit.name, "from": unit.from_on, "to": unit.to_on}
    ).fetchone()


def enter_units(
    session: Session, person_id: UUID, units: Iterable[Unit], *, by: UUID
) -> list[tuple[UUID, str]]:
    """Enter several for a person whose row is locked: each id, and what became of it.

    One without a first day is the one that stands under the same name; a last day ends the one that stands.
    """
    done = []
    for unit in units:
        name = line_in(unit.name, "单位名称", "unit's name", needed=True)
        _in_order(unit.from_on, unit.to_on)
        row = _found(session, person_id, unit)
        if row is not None and unit.to_on in (None, row[2]):
            done.append((row[0], "there"))
        elif row is not None:
            _end(session, person_id, row[0], row[1], unit.to_on, by)
            done.append((row[0], "ended"))
        else:
            id = uuid4()
            added = session.conn.execute(
                "INSERT INTO affiliation (id, person_id, unit_name, unit_key, from_on, to_on) "
                "SELECT %s, %s, %s, compared(%s), %s::date, %s::date WHERE compared(%s) IS NOT NULL",
                (id, person_id, name, name, unit.from_on, unit.to_on, name),
            )
            if not added.rowcount:
                raise ExpertError(
                    "unit_unreadable",
                    f"单位名称“{name}”没有可比对的文字。请填写全称。",
                    f"The unit's name {name!r} has no letters to compare. Write it in full.",
                )
            note(session, person_id, by, "affiliated", unit=name, **_days(unit.from_on, unit.to_on))
            done.append((id, "entered"))
    return done


def end_affiliation(session: Session, affiliation_id: UUID, *, to_on: date, by: UUID) -> None:
    """Say which day was the last. The row stays, since the years after it still count as a conflict."""
    with session.conn.transaction():
        person_id = _whose(session, "affiliation", affiliation_id)
        entry = locked(session, person_id, by, "affiliations")
        row = session.conn.execute(
            "SELECT from_on, to_on FROM affiliation WHERE id = %s FOR UPDATE", (affiliation_id,)
        ).fetchone()
        assert row is not None
        if row[1] == to_on:
            return
        if row[1] is not None:
            raise ExpertError(
                "affiliation_ended",
                f"这一单位已于 {row[1]} 结束。如有误，请另行登记正确的时段。",
                f"This affiliation ended on {row[1]} already. If that is wrong, enter the right days anew.",
            )
        _end(session, entry.person_id, affiliation_id, row[0], to_on, by)


def _end(
    session: Session, person_id: UUID, id: UUID, from_on: date | None, to_on: date | None, by: UUID
) -> None:
    assert to_on is not None
    _in_order(from_on, to_on)
    earliest = session.clock.today() - timedelta(days=OWN_BACKDATING_DAYS_MAX)
    if by == person_id and to_on < earliest:
        raise ExpertError(
            "ended_too_early",
            f"本人可填写的结束日期不早于 {earliest}。更早的日期请由项目主管登记。",
            f"You can enter a last day from {earliest} on. Ask a programme officer to enter an earlier one.",
        )
    session.conn.execute("UPDATE affiliation SET to_on = %s WHERE id = %s", (to_on, id))
    note(session, person_id, by, "affiliation_ended", affiliation=str(id), to_on=to_on.isoformat())


def _days(from_on: date | None, to_on: date | None) -> dict[str, str | None]:
    return {
        "from_on": from_on.isoformat() if from_on else None,
        "to_on": to_on.isoformat() if to_on else None,
    }


def _whose(session: Session, table: str, id: UUID) -> UUID:
    row = session.conn.execute(f"SELECT person_id FROM {table} WHERE id = %s", (id,)).fetchone()
    if row is None:
        raise unknown_expert()
    return UUID(str(row[0]))


# Ties ---------------------------------------------------------------------------------------------------


def declare_tie(
    session: Session,
    person_id: UUID,
    *,
    kind: str,
    evidence: str,
    other_name: str = "",
    other_unit: str = "",
    other_person_id: UUID | None = None,
    since_on: date | None = None,
    until_on: date | None = None,
    by: UUID,
) -> UUID:
    """Enter a tie that bars from reviewing: to somebody by name or account, or to a unit by name."""
    kind = tie_in(kind)
    name = line_in(other_name, "对方姓名", "other's name")
    unit = line_in(other_unit, "对方单位", "other's unit")
    said = text_in(evidence, "说明", "explanation", most=1000, needed=True)
    _in_order(since_on, until_on)
    id = uuid4()
    with session.conn.transaction():
        locked(session, person_id, by, "ties")
        row = session.conn.execute(
            "INSERT INTO tie (id, person_id, kind, other_name, other_person_id, other_unit_key, since_on, "
            "until_on, evidence, declared_by, declared_at) SELECT %(id)s, %(person)s, %(kind)s, "
            "CASE WHEN compared(%(name)s) IS NULL THEN NULL ELSE %(name)s END, %(other)s::uuid, "
            "compared(%(unit)s), %(since)s::date, %(until)s::date, %(said)s, %(by)s, %(now)s "
            "WHERE compared(%(name)s) IS NOT NULL OR compared(%(unit)s) IS NOT NULL "
            "OR %(other)s::uuid IS NOT NULL RETURNING id",
            {
                "id": id,
                "person": person_id,
                "kind": kind,
                "name": name,
                "other": other_person_id,
                "unit": unit,
                "since": since_on,
                "until": until_on,
                "said": said,
                "by": by,
                "now": session.clock.now(),
            },
        ).fetchone()
        if row is None:
            raise ExpertError(
                "tie_to_nobody",
                "请填写对方的姓名或单位。",
                "Give the other's name or unit: a tie is to somebody.",
            )
        # Names of relatives stand in the tie itself, which few may read, and not in the list of changes.
        note(session, person_id, by, "tie_declared", tie=str(id), kind=kind)
    return id


def end_tie(session: Session, tie_id: UUID, *, by: UUID) -> None:
    """A tie counts no longer. Experts end those that they declared; of the others only the office knows."""
    with session.conn.transaction():
        person_id = _whose(session, "tie", tie_id)
        locked(session, person_id, by, "ties")
        row = session.conn.execute(
            "SELECT declared_by, ended_at, kind FROM tie WHERE id = %s FOR UPDATE", (tie_id,)
        ).fetchone()
        assert row is not None
        if row[1] is not None:
            return
        if by == person_id and row[0] != by:
            raise ExpertError(
                "tie_not_your_own",
                "这一关系不是您申明的。请由项目主管办理。",
                "You did not declare this tie. Ask a programme officer to end it.",
            )
        session.conn.execute("UPDATE tie SET ended_at = %s WHERE id = %s", (session.clock.now(), tie_id))
        note(session, person_id, by, "tie_ended", tie=str(tie_id), kind=row[2])


# Absences -----------------------------------------------------------------------------------------------


def set_absence(
    session: Session, person_id: UUID, *, from_on: date, to_on: date, reason: str = "", by: UUID
) -> UUID:
    """Days on which an expert takes no task, both included. The same days again change nothing."""
    _in_order(from_on, to_on)
    why = line_in(reason, "原因", "reason")
    with session.conn.transaction():
        locked(session, person_id, by, "absences")
        there = session.conn.execute(
            "SELECT id FROM absence WHERE person_id = %s AND from_on = %s AND to_on = %s",
            (person_id, from_on, to_on),
        ).fetchone()
        if there is not None:
            return UUID(str(there[0]))
        id = uuid4()
        session.conn.execute(
            "INSERT INTO absence (id, person_id, from_on, to_on, reason) VALUES (%s, %s, %s, %s, %s)",
            (id, person_id, from_on, to_on, why),
        )
        # The reason may be an illness; the days are enough to show who could be asked when.
        note(session, person_id, by, "absence_set", **_days(from_on, to_on))
    return id


def remove_absence(session: Session, absence_id: UUID, *, by: UUID) -> None:
    """The expert can be asked again; who said so and the days stay on record. Twice does no harm."""
    with session.conn.transaction():
        row: Any = session.conn.execute(
            "SELECT person_id FROM absence WHERE id = %s", (absence_id,)
        ).fetchone()
        if row is None:
            return
        locked(session, row[0], by, "absences")
        gone = session.conn.execute(
            "DELETE FROM absence WHERE id = %s RETURNING from_on, to_on", (absence_id,)
        ).fetchone()
        if gone is not None:
            note(session, row[0], by, "absence_removed", **_days(*gone))


# Bans ---------------------------------------------------------------------------------------------------


def ban(
    session: Session, person_id: UUID, *, years: int, reason: str, from_on: date | None = None, by: UUID
) -> UUID:
    """Bar somebody from review work for whole years, from today on unless told; both days included."""
    if not 1 <= years <= BAN_YEARS_MAX:
        raise ExpertError(
            "ban_years_unusable",
            f"禁评年限须为 1 至 {BAN_YEARS_MAX} 年。",
            f"A ban is for 1 to {BAN_YEARS_MAX} years.",
        )
    why = text_in(reason, "禁评原因", "reason of the ban", most=1000, needed=True)
    first = from_on or session.clock.today()
    last = first + relativedelta(years=years) - timedelta(days=1)
    id = uuid4()
    with session.conn.transaction():
        entry = locked(session, person_id, by, "ban")
        session.conn.execute(
            "INSERT INTO ban (id, person_id, from_on, until_on, reason, imposed_by, imposed_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (id, entry.person_id, first, last, why, by, session.clock.now()),
        )
        note(session, person_id, by, "banned", ban=str(id), years=years, **_days(first, last))
    return id


def lift_ban(session: Session, ban_id: UUID, *, reason: str, by: UUID) -> None:
    """End a ban before its day. That takes another person than the one who imposed it, and a reason."""
    why = text_in(reason, "解除原因", "reason for lifting", most=1000, needed=True)
    with session.conn.transaction():
        person_id = _whose(session, "ban", ban_id)
        locked(session, person_id, by, "lift_ban")
        row = session.conn.execute(
            "SELECT imposed_by, lifted_at FROM ban WHERE id = %s FOR UPDATE", (ban_id,)
        ).fetchone()
        assert row is not None
        if row[0] == by:
            raise ExpertError(
                "ban_lifted_by_another",
                "这一禁评由您作出，须由另一位项目主管或监督人员解除。",
                "You imposed this ban. Another programme officer or supervisor must lift it.",
            )
        if row[1] is not None:
            return
        session.conn.execute(
            "UPDATE ban SET lifted_by = %s, lifted_at = %s WHERE id = %s", (by, session.clock.now(), ban_id)
        )
        note(session, person_id, by, "ban_lifted", ban=str(ban_id), reason=why)


__all__ = [
    "Unit",
    "affiliate",
    "affiliate_all",
    "ban",
    "declare_tie",
    "end_affiliation",
    "end_tie",
    "enter_units",
    "lift_ban",
    "remove_absence",
    "set_absence",
]
