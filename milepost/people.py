"""People, their passwords, roles and log-ins: no states but plain rows, each change with who and when.

A password is kept as its Argon2id hash, a log-in as the hash of its token. Log-ins end when the person is
disabled, when a role is given or taken, and when the password changes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from psycopg import errors
from psycopg.types.json import Jsonb

from milepost.db import Session
from schema.money import Explained
from states.case import SYSTEM_ID
from states.roles import ROLES

PASSWORD_MIN = 8
PASSWORD_MAX = 200
LOCALES = ("zh", "en")
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_OFFICE = re.compile(r"/([a-z0-9-]+/)*")
_hasher = PasswordHasher()
# Checked when nobody has the login, so that the answer takes as long as for a wrong password.
_NOBODY = _hasher.hash(secrets.token_hex(16))


class PersonError(Explained):
    """An account or a role that cannot be as asked; says what to write instead, in both languages."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account."""

    id: UUID
    login: str
    name: str
    email: str
    locale: str
    active: bool


@dataclass(frozen=True, slots=True)
class Login:
    """An open log-in: whose, its CSRF token, and when a password was last typed."""

    person: Person
    csrf: str
    fresh_at: datetime
    expires_at: datetime


# Passwords --------------------------------------------------------------------------------------------


def hash_password(password: str) -> str:
    """The Argon2id hash of a password; too short or too long a password is refused."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise PersonError(
            "password_length",
            f"密码须为 {PASSWORD_MIN} 至 {PASSWORD_MAX} 个字符。",
            f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters.",
        )
    return _hasher.hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one hashed; without a hash the answer is no, after the same time."""
    try:
        right = _hasher.verify(password_hash or _NOBODY, password[: PASSWORD_MAX + 1])
    except (VerificationError, InvalidHashError):
        return False
    return right and password_hash is not None


def hash_of(session: Session, login: str) -> tuple[Person | None, str | None]:
    """Who has a login and the hash of the password; nobody for the disabled and for the system."""
    row = session.conn.execute(
        f"SELECT {_PERSON}, password_hash FROM person n WHERE login = %s AND active AND id <> %s",
        (login, SYSTEM_ID),
    ).fetchone()
    return (Person(*row[:-1]), row[-1]) if row else (None, None)


# Accounts ---------------------------------------------------------------------------------------------

_PERSON = "n.id, n.login, n.name, n.email, n.locale, n.active"


def _note(session: Session, person_id: UUID, by: UUID, what: str, **detail: Any) -> None:
    session.conn.execute(
        "INSERT INTO person_change (id, person_id, by_id, at, what, detail) VALUES (%s, %s, %s, %s, %s, %s)",
        (uuid4(), person_id, by, session.clock.now(), what, Jsonb(detail)),
    )


def _described(login: str, name: str, email: str, locale: str) -> None:
    if not _LOGIN.fullmatch(login):
        raise PersonError(
            "login_unusable",
            "登录名须以字母或数字开头，只含字母、数字和 . _ @ -，至多 64 个字符。",
            "A login begins with a letter or digit and holds letters, digits and . _ @ - only, 64 at most.",
        )
    if not name.strip() or len(name) > 200:
        raise PersonError(
            "name_missing", "请填写姓名（至多 200 字）。", "Give a name, 200 characters at most."
        )
    if email and (not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", email) or len(email) > 254):
        raise PersonError("email_unusable", f"“{email}”不是邮箱地址。", f"{email!r} is not a mail address.")
    if locale not in LOCALES:
        raise PersonError("locale_unknown", "语言须为 zh 或 en。", "The language is zh or en.")


def create_person(
    session: Session,
    *,
    login: str,
    name: str,
    email: str = "",
    locale: str = "zh",
    password: str | None = None,
    by: UUID = SYSTEM_ID,
) -> UUID:
    """A new account; without a password nobody can log in with it yet."""
    _described(login, name, email, locale)
    digest = hash_password(password) if password else None
    id = uuid4()
    try:
        with session.conn.transaction():
            session.conn.execute(
                "INSERT INTO person (id, login, name, email, locale, password_hash, active) "
                "VALUES (%s, %s, %s, %s, %s, %s, true)",
                (id, login, name.strip(), email, locale, digest),
            )
            _note(session, id, by, "created", login=login)
    except errors.UniqueViolation:
        raise PersonError(
            "login_taken",
            f"登录名“{login}”已被使用，请换一个。",
            f"The login {login!r} is taken. Choose another.",
        ) from None
    return id


def set_password(session: Session, person_id: UUID, password: str, *, by: UUID) -> None:
    """A new password; every log-in of the person ends."""
    digest = hash_password(password)
    with session.conn.transaction():
        session.conn.execute("UPDATE person SET password_hash = %s WHERE id = %s", (digest, person_id))
        _note(session, person_id, by, "password_set")
        end_logins(session, person_id)


def set_active(session: Session, person_id: UUID, active: bool, *, by: UUID) -> None:
    """Disable an account, which ends its log-ins at once, or enable it again."""
    if person_id == by:
        raise _not_oneself()
    with session.conn.transaction():
        session.conn.execute("UPDATE person SET active = %s WHERE id = %s", (active, person_id))
        _note(session, person_id, by, "enabled" if active else "disabled")
        end_logins(session, person_id)


def set_locale(session: Session, person_id: UUID, locale: str) -> None:
    """The language of the person's pages and mails; one's own choice, no change of the account."""
    if locale in LOCALES:
        session.conn.execute("UPDATE person SET locale = %s WHERE id = %s", (locale, person_id))


def _not_oneself() -> PersonError:
    return PersonError(
        "not_oneself",
        "不能更改自己的账户状态或角色，请由另一位管理员办理。",
        "Nobody changes the state or roles of their own account. Ask another administrator.",
    )


# Roles ------------------------------------------------------------------------------------------------


def grant(
    session: Session,
    person_id: UUID,
    role: str,
    *,
    office_path: str | None = None,
    project_id: UUID | None = None,
    by: UUID = SYSTEM_ID,
) -> UUID:
    """Give a role for an office and all below it, or for one project. The same again changes nothing."""
    if role not in ROLES or role == "system":
        raise PersonError("role_unknown", f"没有角色“{role}”。", f"There is no role {role!r}.")
    if (office_path is None) == (project_id is None) or (office_path and not _OFFICE.fullmatch(office_path)):
        raise PersonError(
            "scope_unusable",
            "请填写部门路径（如 / 或 /liuzhou/）或一个项目，二者之一。",
            "Give an office path (such as / or /liuzhou/) or one project, one of the two.",
        )
    if person_id == by:
        raise _not_oneself()
    with session.conn.transaction():
        there = session.conn.execute(
            "SELECT id FROM role_grant WHERE person_id = %s AND role = %s AND revoked_at IS NULL "
            "AND office_path IS NOT DISTINCT FROM %s AND project_id IS NOT DISTINCT FROM %s",
            (person_id, role, office_path, project_id),
        ).fetchone()
        if there is not None:
            return UUID(str(there[0]))
        id = uuid4()
        session.conn.execute(
            "INSERT INTO role_grant (id, person_id, role, office_path, project_id, granted_at) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            (id, person_id, role, office_path, project_id, session.clock.now()),
        )
        scope = {"office": office_path} if office_path else {"project": str(project_id)}
        _note(session, person_id, by, "granted", role=role, **scope)
        end_logins(session, person_id)
    return id


def revoke(session: Session, grant_id: UUID, *, by: UUID) -> UUID | None:
    """Take a role back; the row stays, with the day. Gives the person, or None where nothing was to take."""
    with session.conn.transaction():
        row = session.conn.execute(
            "SELECT person_id, role FROM role_grant WHERE id = %s AND revoked_at IS NULL FOR UPDATE",
            (grant_id,),
        ).fetchone()
        if row is None:
            return None
        if row[0] == by:
            raise _not_oneself()
        session.conn.execute(
            "UPDATE role_grant SET revoked_at = %s WHERE id = %s", (session.clock.now(), grant_id)
        )
        _note(session, row[0], by, "revoked", role=row[1], grant=str(grant_id))
        end_logins(session, row[0])
    return UUID(str(row[0]))


# Log-ins ----------------------------------------------------------------------------------------------


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def open_login(
    session: Session, person_id: UUID, hours: int, *, instead_of: str | None = None, fresh: bool = True
) -> str:
    """A new token, never one that was there before the password was typed; the old one ends.

    ``fresh``: a password was typed. A log-in by a mailed code is none that could release money.
    """
    token, now = secrets.token_urlsafe(32), session.clock.now()
    fresh_at, end = now if fresh else datetime.fromtimestamp(0, UTC), now + timedelta(hours=hours)
    with session.conn.transaction():
        session.conn.execute(
            "DELETE FROM web_session WHERE token_hash = %s OR (person_id = %s AND expires_at < %s)",
            (_digest(instead_of or ""), person_id, now),
        )
        session.conn.execute(
            "INSERT INTO web_session (token_hash, person_id, csrf, created_at, fresh_at, expires_at) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            (_digest(token), person_id, secrets.token_urlsafe(24), now, fresh_at, end),
        )
    return token


def find_login(session: Session, token: str, hours: int) -> Login | None:
    """The log-in a token stands for, kept alive by use; None when it ended or the person is disabled."""
    now = session.clock.now()
    row = session.conn.execute(
        f"SELECT {_PERSON}, s.csrf, s.fresh_at, s.expires_at FROM web_session s "
        "JOIN person n ON n.id = s.person_id AND n.active WHERE s.token_hash = %s AND s.expires_at > %s",
        (_digest(token), now),
    ).fetchone()
    if row is None:
        return None
    login = Login(Person(*row[:6]), *row[6:])
    # Written once in a while only: a page must not cost a write.
    if login.expires_at - now < timedelta(hours=hours) * 0.9:
        session.conn.execute(
            "UPDATE web_session SET expires_at = %s WHERE token_hash = %s",
            (now + timedelta(hours=hours), _digest(token)),
        )
    return login


def close_login(session: Session, token: str) -> None:
    """Log out."""
    session.conn.execute("DELETE FROM web_session WHERE token_hash = %s", (_digest(token),))


def end_logins(session: Session, person_id: UUID) -> None:
    """Every log-in of a person ends now."""
    session.conn.execute("DELETE FROM web_session WHERE person_id = %s", (person_id,))
