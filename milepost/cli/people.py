"""People, their roles and passwords. Who is at the machine acts as the operator, or as the person named."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from milepost.cli.app import command, person
from milepost.cli.terminal import Terminal, Usage

if TYPE_CHECKING:
    from milepost.db import Session

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="登录名 · The person's login.")]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="角色，如 finance_officer · A role.")]
OfficePath = Annotated[
    str | None, typer.Option("--office", help="部门及其下级，如 /liuzhou/ · An office and all below it.")
]
ProjectCode = Annotated[str | None, typer.Option("--project", help="一个项目 · One project, by code.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="从标准输入读取密码 · Read the password from stdin.")
]


def _by(terminal: Terminal, session: Session) -> UUID:
    from states.case import SYSTEM_ID

    return terminal.person(session).id if terminal.login else SYSTEM_ID


@command(person, "add", "新增人员 · Add a person.", acts=True)
def add(
    terminal: Terminal,
    login: Login,
    name: Annotated[str, typer.Option("--name", help="姓名 · Name.")],
    email: Annotated[str, typer.Option("--email", help="邮箱 · Mail address.")] = "",
    locale: Annotated[str, typer.Option("--locale", help="其语言 zh 或 en · The person's language.")] = "zh",
    password_stdin: FromStdin = False,
) -> None:
    from milepost.people import create_person
    from milepost.programmes import ensure_system

    with terminal.session(migrated=True) as session:
        # On a new installation nobody is there yet, and somebody must be the one who added the first.
        ensure_system(session.conn)
        password = None
        if password_stdin or sys.stdin.isatty():
            password = terminal.password(login, stdin=password_stdin) or None
        id = create_person(
            session,
            login=login,
            name=name,
            email=email,
            locale=locale,
            password=password,
            by=_by(terminal, session),
        )
    if terminal.as_json:
        terminal.answer({"ok": True, "id": id, "login": login, "can_log_in": password is not None})
        return
    terminal.line(f"✓ 已新增 {name}（{login}）", f"✓ Added {name} ({login})")
    if password is None:
        terminal.line(
            f"  尚无密码：milepost person password {login}",
            f"  No password yet: milepost person password {login}",
        )


@command(person, "list", "所有人员及其角色 · Everybody and their roles.")
def list_(
    terminal: Terminal,
    search: Annotated[str, typer.Argument(help="登录名或姓名的一部分 · Part of a login or name.")] = "",
) -> None:
    from milepost.queries.office import people

    found: list[dict[str, Any]] = []
    with terminal.session() as session:
        after: str | None = ""
        while after is not None:
            page = people(session, search=search, after=after, limit=500)
            found += page.rows
            after = page.next
    if terminal.as_json:
        terminal.answer({"ok": True, "people": found})
        return
    heads = (
        ("登录名", "login"),
        ("姓名", "name"),
        ("邮箱", "mail"),
        ("角色", "roles"),
        ("可登录", "can log in"),
    )
    rows = [
        (
            p["login"],
            p["name"],
            p["email"],
            ", ".join(p["roles"]),
            "✓" if p["active"] and p["can_log_in"] else "",
        )
        for p in found
    ]
    terminal.table(heads, rows)


def _scope(session: Session, office: str | None, project: str | None) -> tuple[str | None, UUID | None]:
    if project is None:
        return office or "/", None
    if office is not None:
        raise Usage(
            "scope_twice",
            "--office 与 --project 只能选一个。",
            "Give --office or --project, one of the two.",
        )
    from milepost.queries.office import project_by_code

    id = project_by_code(session, project)
    if id is None:
        raise Usage("project_unknown", f"没有项目“{project}”。", f"There is no project {project!r}.")
    return None, id


@command(person, "grant", "授予角色 · Give a role.", acts=True)
def grant(
    terminal: Terminal, login: Login, role: Role, office: OfficePath = None, project: ProjectCode = None
) -> None:
    from milepost.cli.subjects import person_named
    from milepost.people import grant as give

    with terminal.session() as session:
        office_path, project_id = _scope(session, office, project)
        by = _by(terminal, session)
        id = give(
            session,
            person_named(session, login),
            role,
            office_path=office_path,
            project_id=project_id,
            by=by,
        )
    if terminal.as_json:
        terminal.answer(
            {"ok": True, "grant": id, "login": login, "role": role, "office": office_path, "project": project}
        )
        return
    where = project or office_path
    terminal.line(f"✓ {login}：{role}（{where}）", f"✓ {login}: {role} ({where})")


@command(person, "revoke", "收回角色 · Take a role back.", acts=True)
def revoke(
    terminal: Terminal, login: Login, role: Role, office: OfficePath = None, project: ProjectCode = None
) -> None:
    from milepost.cli.subjects import person_named
    from milepost.people import revoke as take

    with terminal.session() as session:
        office_path, project_id = _scope(session, office, project)
        id = person_named(session, login)
        rows = session.conn.execute(
            "SELECT id FROM role_grant WHERE person_id = %s AND role = %s AND revoked_at IS NULL "
            "AND office_path IS NOT DISTINCT FROM %s AND project_id IS NOT DISTINCT FROM %s",
            (id, role, office_path, project_id),
        ).fetchall()
        if not rows:
            where = project or office_path
            raise Usage(
                "grant_unknown",
                f"{login} 在 {where} 没有角色 {role}。",
                f"{login} does not hold {role} for {where}.",
            )
        by = _by(terminal, session)
        for row in rows:
            take(session, row[0], by=by)
    if terminal.as_json:
        terminal.answer({"ok": True, "revoked": [str(row[0]) for row in rows], "login": login, "role": role})
        return
    terminal.line(f"✓ 已收回 {login} 的角色 {role}", f"✓ {login} no longer holds {role}")


@command(person, "password", "设置密码 · Set a password.", acts=True)
def password(terminal: Terminal, login: Login, password_stdin: FromStdin = False) -> None:
    from milepost.cli.subjects import person_named
    from milepost.people import set_password

    with terminal.session() as session:
        id = person_named(session, login)
        typed = terminal.password(login, stdin=password_stdin)
        set_password(session, id, typed, by=_by(terminal, session))
    if terminal.as_json:
        terminal.answer({"ok": True, "login": login})
        return
    terminal.line(
        f"✓ {login} 的密码已设置，原有登录均已结束。", f"✓ {login} has a new password; open log-ins ended."
    )
