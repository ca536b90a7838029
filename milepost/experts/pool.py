"""The expert pool (专家库): enrol, revise, retire; who is there for draws and matching, and with what load.

Plain rows as accounts are: each change is one transaction under the expert's row and leaves a
``person_change``. Who may is one table, ``milepost.experts.permits``. What is known over time (affiliations,
ties, absences, bans) is in ``milepost.experts.records`` and can be had from here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from milepost import people
from milepost.db import Session
from milepost.experts.duplicates import Candidate, degree_of, find_matches, name_key
from milepost.experts.permits import (
    SELF,
    Entry,
    ExpertError,
    find,
    locked,
    may,
    note,
    parts_of,
    require,
    touch,
)
from milepost.experts.profile import (
    LINE_MAX,
    identity_hash,
    kinds_in,
    languages_in,
    line_in,
    load_in,
    phone_in,
    region_in,
    text_in,
)
from milepost.experts.records import (
    Unit,
    affiliate,
    affiliate_all,
    ban,
    declare_tie,
    end_affiliation,
    end_tie,
    enter_units,
    lift_ban,
    remove_absence,
    set_absence,
)
from milepost.experts.subjects import subjects_in
from milepost.queries.experts import Eligible, eligible, load_used

EXPERT_SCOPE = "/"
"""Experts hold their role for the whole office: off-site ones are asked, and each sees own tasks only."""


@dataclass(frozen=True, slots=True)
class NewExpert:
    """Somebody to be enrolled. Who has no account yet gets one, without a password."""

    login: str
    name: str
    kinds: Sequence[str]
    region: str
    yearly_load: int | str
    email: str = ""
    locale: str = "zh"
    languages: Sequence[str] = ()
    title: str = ""
    profile: str = ""
    phone: str = ""
    identity_no: str = ""
    fields: Sequence[str] = ()
    units: Sequence[Unit] = ()


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Who was enrolled, whether the account is new, and entries that may be the same person, with why."""

    person_id: UUID
    new_account: bool
    alike: list[tuple[Candidate, tuple[str, ...]]]


def enrol(session: Session, new: NewExpert, *, by: UUID) -> Enrolled:
    """Enter an expert; refused where the identity number is in the pool already, under whatever name."""
    region = region_in(new.region)
    phone = phone_in(new.phone)
    kinds = kinds_in(new.kinds)
    values: dict[str, Any] = {
        "kinds": Jsonb(kinds),
        "region": region,
        "languages": Jsonb(languages_in(new.languages)),
        "load": load_in(new.yearly_load),
        "title": line_in(new.title, "职称", "title"),
        "profile": text_in(new.profile, "简介", "profile"),
        "phone": phone,
        "now": session.clock.now(),
    }
    fields = subjects_in(new.fields)
    with session.conn.transaction():
        require(session, by, "enrol", person_id=None, region=region)
        hashed = _claimed(session, new.identity_no)
        person_id, made = _account(session, new, by)
        if find(session, person_id) is not None:
            raise _there(new.login)
        candidate = Candidate(
            person_id, new.login, new.name, _keys(session, new.units), phone, hashed, region
        )
        alike = find_matches(session, candidate)
        _refuse_certain(alike)
        # Who only may be the same is told to those who see that entry anyway.
        alike = [found for found in alike if _reads(session, by, found[0])]
        session.conn.execute(
            "INSERT INTO expert (person_id, kinds, region, languages, yearly_load, title, profile, phone, "
            "identity_hash, version, updated_at) VALUES (%(person)s, %(kinds)s, %(region)s, %(languages)s, "
            "%(load)s, %(title)s, %(profile)s, %(phone)s, %(identity)s, 1, %(now)s)",
            {**values, "person": person_id, "identity": hashed},
        )
        people.grant(session, person_id, "expert", office_path=EXPERT_SCOPE, by=by)
        note(
            session,
            person_id,
            by,
            "enrolled",
            version=1,
            region=region,
            kinds=kinds,
            load_given=values["load"],
            fields=fields,
        )
        _write_fields(session, person_id, fields)
        enter_units(session, person_id, new.units, by=by)
    return Enrolled(person_id, made, alike)


def _account(session: Session, new: NewExpert, by: UUID) -> tuple[UUID, bool]:
    row = session.conn.execute("SELECT id, name FROM person WHERE login = %s", (new.login,)).fetchone()
    if row is None:
        id = people.create_person(
            session, login=new.login, name=new.name, email=new.email, locale=new.locale, by=by
        )
        return id, True
    check_name(new.login, row[1], new.name)
    return row[0], False


def check_name(login: str, there: str, given: str) -> None:
    """Refuse a log-in under another person's name: the row would change somebody else's entry."""
    if name_key(there) != name_key(given):
        raise ExpertError(
            "login_of_another",
            f"登录名“{login}”属于另一姓名的人，不是“{given[:40]}”。请核对登录名，或为此人另取一个。",
            f"The login {login!r} is that of somebody with another name than {given[:40]!r}. "
            "Check the login, or choose another for this person.",
        )


def _there(login: str) -> ExpertError:
    return ExpertError(
        "expert_there",
        f"“{login}”已在专家库中。请修改已有条目。",
        f"{login!r} is in the pool already. Revise the entry that is there.",
    )


def _claimed(session: Session, number: str) -> str | None:
    """The number's hash, and nobody else enters the same number until this transaction ends."""
    if not number.strip():
        return None
    hashed = identity_hash(session, number)
    session.conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"identity:{hashed}",))
    return hashed


def _refuse_certain(alike: Iterable[tuple[Candidate, tuple[str, ...]]]) -> None:
    for other, reasons in alike:
        if degree_of(reasons) == "certain":
            raise ExpertError(
                "expert_twice",
                f"此证件号码已在专家库中：{other.name}（{other.login}）。请修改该条目；已退出的可重新入库。",
                f"This identity number is in the pool already: {other.name} ({other.login}). "
                "Revise that entry; one that was retired can be returned.",
            )


def _reads(session: Session, by: UUID, other: Candidate) -> bool:
    return may(session, by, "read", person_id=other.person_id, region=other.region)


def _keys(session: Session, units: Sequence[Unit]) -> frozenset[str]:
    rows = session.conn.execute("SELECT compared(u) FROM unnest(%s::text[]) u", ([u.name for u in units],))
    return frozenset(row[0] for row in rows.fetchall() if row[0])


# Changes ------------------------------------------------------------------------------------------------

_READ: Mapping[str, Callable[[Any], Any]] = {
    "kinds": kinds_in,
    "region": region_in,
    "yearly_load": load_in,
    "languages": languages_in,
    "title": lambda text: line_in(text, "职称", "title"),
    "profile": lambda text: text_in(text, "简介", "profile"),
    "phone": phone_in,
}
_ACT_OF = {
    "kinds": "standing",
    "region": "standing",
    "yearly_load": "standing",
    "languages": "profile",
    "title": "profile",
    "profile": "profile",
    "phone": "profile",
    "identity_no": "identity",
}
_SAID_IN_FULL = ("kinds", "region", "yearly_load", "languages")


def revise(
    session: Session, person_id: UUID, changes: Mapping[str, Any], *, version: int | None = None, by: UUID
) -> tuple[str, ...]:
    """Change parts of an entry: kinds, region, yearly_load, languages, title, profile, phone, identity_no.

    Gives the parts that really changed; only for these must the writer be allowed. ``version``: the one that
    stood when the form was opened; None: whatever stands now.
    """
    read: dict[str, Any] = {part: _READ[part](value) for part, value in changes.items() if part in _READ}
    with session.conn.transaction():
        number = changes.get("identity_no") or ""
        hashed = _claimed(session, number)
        entry = locked(session, person_id, by, "read", version=version)
        new = {part: value for part, value in read.items() if value != getattr(entry, part)}
        if hashed is not None and hashed != entry.identity_hash:
            new["identity_no"] = hashed
        if not new:
            return ()
        for part in new:
            _may_change(session, entry, by, part, new[part])
        if "region" in new:
            require(session, by, "standing", person_id=None, region=new["region"])
        if hashed is not None:
            _refuse_certain(find_matches(session, Candidate(person_id, "", entry.name, identity_hash=hashed)))
        _write(session, entry, new)
        detail: dict[str, Any] = {"version": touch(session, entry), "parts": sorted(new)}
        detail |= {part: [getattr(entry, part), new[part]] for part in _SAID_IN_FULL if part in new}
        if "yearly_load" in new and by != person_id:
            detail["load_given"] = new["yearly_load"]
        note(session, person_id, by, "revised", **detail)
    return tuple(sorted(new))


def _may_change(session: Session, entry: Entry, by: UUID, part: str, value: Any) -> None:
    own = part == "yearly_load" and SELF in parts_of(session, by, entry.person_id, entry.region)
    act = "lower_load" if own else _ACT_OF[part]
    require(session, by, act, person_id=entry.person_id, region=entry.region)
    if own and value > (most := load_given(session, entry)):
        raise ExpertError(
            "load_above_given",
            f"您可以填写的每年任务数至多为 {most}。需要更多请联系项目主管。",
            f"You can take at most {most} tasks a year. Ask a programme officer for more.",
        )


def load_given(session: Session, entry: Entry) -> int:
    """The yearly load that the office set last; experts choose theirs up to it."""
    row = session.conn.execute(
        "SELECT (detail->>'load_given')::int FROM person_change WHERE person_id = %s "
        "AND what IN ('expert_enrolled', 'expert_revised') AND detail ? 'load_given' "
        "ORDER BY (detail->>'version')::int DESC LIMIT 1",
        (entry.person_id,),
    ).fetchone()
    return int(row[0]) if row else entry.yearly_load


def _write(session: Session, entry: Entry, new: Mapping[str, Any]) -> None:
    for part, value in new.items():
        column = "identity_hash" if part == "identity_no" else part
        kept = Jsonb(value) if isinstance(value, list) else value
        session.conn.execute(
            f'UPDATE expert SET "{column}" = %s WHERE person_id = %s', (kept, entry.person_id)
        )


def set_fields(
    session: Session, person_id: UUID, codes: Iterable[str], *, version: int | None = None, by: UUID
) -> bool:
    """The subjects an expert knows, all of them; says whether that changed anything."""
    wanted = subjects_in(codes)
    with session.conn.transaction():
        entry = locked(session, person_id, by, "read", version=version)
        rows = session.conn.execute(
            "SELECT code FROM expert_field WHERE person_id = %s ORDER BY code", (person_id,)
        ).fetchall()
        there = [row[0] for row in rows]
        if there == wanted:
            return False
        require(session, by, "fields", person_id=person_id, region=entry.region)
        session.conn.execute("DELETE FROM expert_field WHERE person_id = %s", (person_id,))
        _write_fields(session, person_id, wanted)
        note(session, person_id, by, "fields_set", version=touch(session, entry), fields=[there, wanted])
    return True


def _write_fields(session: Session, person_id: UUID, codes: Sequence[str]) -> None:
    session.conn.execute(
        "INSERT INTO expert_field (person_id, code) SELECT %s, unnest(%s::text[])", (person_id, list(codes))
    )


def retire(session: Session, person_id: UUID, *, reason: str, version: int | None = None, by: UUID) -> None:
    """Out of the pool: nobody draws or matches them any more. The entry stays; tasks they have, too."""
    why = line_in(reason, "原因", "reason", most=LINE_MAX, needed=True)
    _set_active(session, person_id, False, "retired", why, version, by)


def return_to_pool(
    session: Session, person_id: UUID, *, reason: str = "", version: int | None = None, by: UUID
) -> None:
    """Back into the pool, with everything that was known."""
    why = line_in(reason, "原因", "reason", most=LINE_MAX)
    _set_active(session, person_id, True, "returned", why, version, by)


def _set_active(
    session: Session, person_id: UUID, active: bool, what: str, why: str, version: int | None, by: UUID
) -> None:
    with session.conn.transaction():
        entry = locked(session, person_id, by, "active", version=version)
        if entry.active == active:
            return
        session.conn.execute("UPDATE expert SET active = %s WHERE person_id = %s", (active, person_id))
        note(session, person_id, by, what, version=touch(session, entry), reason=why)


__all__ = [
    "Eligible",
    "Enrolled",
    "ExpertError",
    "NewExpert",
    "Unit",
    "affiliate",
    "affiliate_all",
    "ban",
    "check_name",
    "declare_tie",
    "eligible",
    "end_affiliation",
    "end_tie",
    "enrol",
    "find",
    "lift_ban",
    "load_given",
    "load_used",
    "remove_absence",
    "retire",
    "return_to_pool",
    "revise",
    "set_absence",
    "set_fields",
]
