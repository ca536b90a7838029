"""Takes applications in from a file: each that adds up becomes a project, each row that does not is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from milepost.cli.app import app, command
from milepost.cli.terminal import OK, REFUSED, Terminal, Usage

if TYPE_CHECKING:
    from milepost.importing.budgets import Application


@command(app, "import", "从文件夹或文件导入申报 · Take applications in from a folder or file.", acts=True)
def import_(
    terminal: Terminal,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|FILE", help="grant_budgets.csv 或其文件夹 · grant_budgets.csv, or its folder."
        ),
    ],
    programme: Annotated[
        str, typer.Option("--programme", help="已发布的计划 · A published programme, by code.")
    ],
    office: Annotated[str, typer.Option("--office", help="归口部门 · The office they go to.")] = "/",
    check: Annotated[
        bool, typer.Option("--check", help="只检查，不导入 · Only say what would be refused.")
    ] = False,
) -> int:
    from milepost.actions import perform
    from milepost.cli.subjects import programme_named
    from milepost.importing.budgets import FILE, read_budgets
    from states.refusals import Refused

    if source.is_file() and source.name != FILE:
        raise Usage("file_unknown", f"文件名应为 {FILE}。", f"The file is to be called {FILE}.")
    applications, table = read_budgets(source.parent if source.is_file() else source)
    made: list[str] = []
    there: list[str] = []
    refused: list[dict[str, Any]] = []
    with terminal.session() as session, terminal.progress("导入", "Importing") as progress:
        actor = terminal.actor(session)
        version = programme_named(session, programme)
        rows = session.conn.execute("SELECT code FROM project").fetchall()
        codes = {row[0] for row in rows}
        for number, application in enumerate(applications, start=1):
            if application.project in codes:
                there.append(application.project)
            elif not check:
                input = _input(application, str(version), office, session.clock.today())
                try:
                    perform(session, actor, "project.apply", None, input, f"import:{version}:{input['code']}")
                    made.append(application.project)
                except Refused as error:
                    reasons = [refusal.as_json() for refusal in error.refusals]
                    refused.append({"project": application.project, "refusals": reasons})
            if progress is not None:
                progress(number, len(applications))
    ok = not table.refused and not refused
    if terminal.as_json:
        terminal.answer(
            {
                "ok": ok,
                "applications": len(applications),
                "made": made,
                "there_already": there,
                "refused": refused,
                "refused_rows": [finding.as_json() for finding in table.refused],
                "remarks": [finding.as_json() for finding in table.remarks],
            }
        )
        return OK if ok else REFUSED
    for finding in table.refused:
        where = f"{finding.file}:{finding.row} {finding.project}"
        terminal.line(f"✗ {where} {finding.zh}", f"✗ {where} {finding.en}")
    for entry in refused:
        for reason in entry["refusals"]:
            terminal.print(f"✗ {entry['project']} {reason['fact'][terminal.locale]}")
    terminal.line(
        f"可用申报 {len(applications)} 份：新建 {len(made)}，已有 {len(there)}，拒绝 {len(refused)}；"
        f"拒收 {len(table.refused)} 行。",
        f"{len(applications)} applications: {len(made)} made, {len(there)} there already, "
        f"{len(refused)} refused; {len(table.refused)} rows refused.",
    )
    return OK if ok else REFUSED


def _input(application: Application, programme_id: str, office: str, today: date) -> dict[str, Any]:
    """The application as ``project.apply`` asks for it; a due day counts the milestones before it as well.

    The file names no people: unit and leader carry the project's name until the applicant revises them.
    """
    plan: list[dict[str, Any]] = []
    due: date | None = today
    for row in sorted(application.rows, key=lambda row: row.milestone):
        due = row.duration.after(due) if due is not None and row.duration is not None else None
        plan.append(
            {
                "number": row.milestone,
                "title": f"里程碑 {row.milestone} · Milestone {row.milestone}",
                "amount_minor": row.amount.minor,
                "due_on": due.isoformat() if due else None,
            }
        )
    return {
        "code": application.project,
        "title": application.project,
        "programme_id": programme_id,
        "office_path": office,
        "unit_name": application.project,
        "leader_name": application.project,
        "requested_minor": application.total.minor,
        "currency": application.total.currency,
        "plan": plan,
    }
