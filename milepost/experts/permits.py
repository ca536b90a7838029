"""Who may do what in the expert pool, as one table; and what every change there begins and ends with.

A role counts where it is held for an office at or above the expert's region. For their own entry everybody
is only themselves, whatever roles they hold: no officer enlists, unbans or loads themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from milepost.db import Session
from schema.money import Explained
from states.case import SYSTEM_ID
from states.roles import ROLES

SELF = "self"
OFFICER, ADMINISTRATOR, SUPERVISOR = "programme_officer", "administrator", "supervisor"

PERMITS: Mapping[str, frozenset[str]] = {
    # What is seen.
    "read": frozenset({SELF, OFFICER, SUPERVISOR, ADMINISTRATOR}),
    "read_phone": frozenset({SELF, OFFICER}),
    "read_review_side": frozenset({SELF, OFFICER, SUPERVISOR}),
    # What is the expert's own to say.
    "profile": frozenset({SELF, OFFICER}),
    "fields": frozenset({SELF, OFFICER}),
    "affiliations": frozenset({SELF, OFFICER}),
    "ties": frozenset({SELF, OFFICER}),
    "absences": frozenset({SELF, OFFICER}),
    "lower_load": frozenset({SELF}),
    # What the office says of the expert.
    "enrol": frozenset({OFFICER, ADMINISTRATOR}),
    "standing": frozenset({OFFICER, ADMINISTRATOR}),
    "identity": frozenset({OFFICER, ADMINISTRATOR}),
    "active": frozenset({OFFICER, ADMINISTRATOR}),
    "ban": frozenset({OFFICER, SUPERVISOR}),
    "lift_ban": frozenset({OFFICER, SUPERVISOR}),
}
READERS = PERMITS["read"] - {SELF}
"""The roles that see the pool as a whole; experts see their own entry only."""


class ExpertError(Explained):
    """Something about an expert that cannot be as asked; says what to do instead, in both languages."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An expert's own row, locked until the transaction ends."""

    person_id: UUID
    name: str
    kinds: list[str]
    region: str
    languages: list[str]
    yearly_load: int
    title: str
    profile: str
    phone: str
    identity_hash: str | None
    active: bool
    version: int


def roles_over(session: Session, by: UUID, region: str) -> frozenset[str]:
    """The roles somebody holds for a region."""
    found = session.conn.execute(
        "SELECT DISTINCT role FROM role_grant WHERE person_id = %s AND revoked_at IS NULL "
        "AND starts_with(%s, office_path)",
        (by, region),
    ).fetchall()
    return frozenset(row[0] for row in found)


def parts_of(session: Session, by: UUID, person_id: UUID | None, region: str) -> frozenset[str]:
    """As whom somebody meets an entry: as themselves, or with their roles for its region."""
    return frozenset({SELF}) if by == person_id else roles_over(session, by, region)


def may(session: Session, by: UUID, act: str, *, person_id: UUID | None, region: str) -> bool:
    """Whether the table lets somebody do this; the operator at the machine may."""
    return by == SYSTEM_ID or bool(PERMITS[act] & parts_of(session, by, person_id, region))


def require(session: Session, by: UUID, act: str, *, person_id: UUID | None, region: str) -> None:
    """Refuse what the table does not give; what may not even be seen is not there."""
    if may(session, by, act, person_id=person_id, region=region):
        return
    if person_id is not None and not may(session, by, "read", person_id=person_id, region=region):
        raise unknown_expert()
    who = sorted(PERMITS[act] - {SELF})
    if not who:
        raise ExpertError("not_permitted", "只有专家本人可以这样办理。", "Only the expert does this.")
    zh, en = ("、".join(ROLES[role].zh for role in who), ", ".join(ROLES[role].en for role in who))
    raise ExpertError(
        "not_permitted",
        f"您不能为地区 {region} 的专家办理此事。可办理：该地区的{zh}（不能为自己办理）。",
        f"You may not do this for experts of {region}. Who can: {en} of that region, not for themselves.",
    )


def unknown_expert() -> ExpertError:
    """Said also where somebody is in the pool, but not for this reader to know."""
    return ExpertError(
        "expert_unknown",
        "专家库中没有此人，或您无权查看。请核对登录名。",
        "There is no such expert, or not for you to see. Check the login.",
    )


def locked(session: Session, person_id: UUID, by: UUID, act: str, *, version: int | None = None) -> Entry:
    """The expert's row, locked, for somebody who may; ``version``: the one that the writer saw."""
    entry = find(session, person_id, " FOR UPDATE OF x")
    if entry is None:
        raise unknown_expert()
    require(session, by, act, person_id=person_id, region=entry.region)
    if version is not None and version != entry.version:
        raise ExpertError(
            "changed_meanwhile",
            "这一条目在您打开之后已被更改，您的内容尚未保存。请核对现在的内容，再提交一次。",
            "The entry was changed after you opened it, and nothing of yours is saved yet. "
            "Compare with what stands there now and submit once more.",
        )
    return entry


def find(session: Session, person_id: UUID, lock: str = "") -> Entry | None:
    """An expert's own row."""
    row = session.conn.execute(
        "SELECT x.person_id, n.name, x.kinds, x.region, x.languages, x.yearly_load, x.title, x.profile, "
        "x.phone, x.identity_hash, x.active, x.version FROM expert x JOIN person n ON n.id = x.person_id "
        f"WHERE x.person_id = %s{lock}",
        (person_id,),
    ).fetchone()
    return Entry(*row) if row else None


def touch(session: Session, entry: Entry) -> int:
    """The entry's next version."""
    session.conn.execute(
        "UPDATE expert SET version = version + 1, updated_at = %s WHERE person_id = %s",
        (session.clock.now(), entry.person_id),
    )
    return entry.version + 1


def note(session: Session, person_id: UUID, by: UUID, what: str, **detail: Any) -> None:
    """Say who did what. No identity number, telephone number, or name of a relative belongs here."""
    session.conn.execute(
        "INSERT INTO person_change (id, person_id, by_id, at, what, detail) VALUES (%s, %s, %s, %s, %s, %s)",
        (uuid4(), person_id, by, session.clock.now(), f"expert_{what}", Jsonb(detail)),
    )


__all__ = [
    "PERMITS",
    "READERS",
    "SELF",
    "Entry",
    "ExpertError",
    "find",
    "locked",
    "may",
    "note",
    "parts_of",
    "require",
    "roles_over",
    "touch",
    "unknown_expert",
]
