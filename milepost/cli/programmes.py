"""Programmes: prove one before anyone applies, draw it, compare it with what runs, publish it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from milepost.cli.app import command, programme
from milepost.cli.terminal import OK, REFUSED, Terminal, Usage

if TYPE_CHECKING:
    from config.programme_files import LoadedProgramme
    from config.programme_problems import Problem
    from states.explore import Report

File = Annotated[
    str, typer.Argument(metavar="FILE", help="计划文件，或随附计划的名称 · A file, or a shipped one by name.")
]
Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILE]...", help="缺省为全部随附计划 · Default: all that are shipped."),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="写入文件 · Write to a file.")]


def _load(name: str) -> LoadedProgramme:
    from config.programme_files import load_programme, shipped_programmes

    if Path(name).is_file():
        return load_programme(Path(name))
    shipped = {path.stem: path for path in shipped_programmes()}
    if name not in shipped:
        known = ", ".join(shipped)
        raise Usage(
            "programme_file_unknown",
            f"没有文件“{name}”，也没有这个名称的随附计划。随附计划：{known}。",
            f"There is no file {name!r} and no shipped programme of that name. Shipped: {known}.",
        )
    return load_programme(shipped[name])


def _problems(loaded: LoadedProgramme, report: Report) -> list[tuple[Problem, tuple[str, ...]]]:
    found = [(finding.placed(loaded.places), finding.shortest) for finding in report.findings]
    return sorted(found, key=lambda pair: pair[0].line or 0)


def _problem_json(problem: Problem, shortest: tuple[str, ...]) -> dict[str, Any]:
    place = {"line": problem.line, "path": problem.path}
    return {"code": problem.code, **place, "zh": problem.zh, "en": problem.en, "shortest": list(shortest)}


@command(
    programme,
    "check",
    "在任何人申报之前证明计划没有死路、没有漏付 · Prove a programme before anyone applies.",
)
def check(terminal: Terminal, files: Files = None) -> int:
    from config.programme_files import shipped_programmes
    from config.programme_problems import ProgrammeError
    from states.explore import explore_programme

    names = files or [path.stem for path in shipped_programmes()]
    answers: list[dict[str, Any]] = []
    with terminal.progress("检验", "Checking") as progress:
        for number, name in enumerate(names, start=1):
            try:
                loaded = _load(name)
            except ProgrammeError as error:
                problems = [_problem_json(p, ()) for p in error.problems]
                answers.append({"file": name, "ok": False, "problems": problems})
            else:
                report = explore_programme(loaded.programme)
                problems = [_problem_json(p, path) for p, path in _problems(loaded, report)]
                answers.append(
                    {
                        "file": name,
                        "ok": not problems,
                        "code": loaded.programme.code,
                        "version": loaded.programme.version,
                        "combinations": report.combinations,
                        "steps": report.steps,
                        "problems": problems,
                    }
                )
            if progress is not None:
                progress(number, len(names))
    ok = all(answer["ok"] for answer in answers)
    if terminal.as_json:
        terminal.answer({"ok": ok, "programmes": answers})
    else:
        for answer in answers:
            _tell(terminal, answer)
    return OK if ok else REFUSED


def _tell(terminal: Terminal, answer: dict[str, Any]) -> None:
    name = answer["file"]
    if answer["ok"]:
        version, combinations, steps = answer["version"], answer["combinations"], answer["steps"]
        terminal.line(
            f"✓ {name}（第 {version} 版）：{combinations} 种情形、{steps} 个步骤，均可结项，无漏付。",
            f"✓ {name} (version {version}): {combinations} combinations, {steps} steps; every project can "
            "reach closure, no tranche is paid before its gates.",
        )
        return
    for problem in answer["problems"]:
        where = f"{name}:{problem['line']}" if problem["line"] else name
        terminal.line(
            f"✗ {where} {problem['path']}：{problem['zh']} [{problem['code']}]",
            f"✗ {where} {problem['path']}: {problem['en']} [{problem['code']}]",
        )


@command(programme, "diagram", "状态图，Mermaid 或 SVG · The state machine as Mermaid or SVG.")
def diagram(
    terminal: Terminal,
    file: File,
    noun: Annotated[str, typer.Option("--noun", help="对象，如 payment · Whose machine.")] = "project",
    format: Annotated[Literal["mermaid", "svg"], typer.Option("--format", help="格式 · Format.")] = "mermaid",
    out: Out = None,
) -> None:
    from states.diagram import mermaid, picture
    from states.diagram_svg import svg
    from states.machines import compile_programme

    compiled = compile_programme(_load(file).programme)
    if noun not in compiled.machines:
        known = ", ".join(compiled.machines)
        raise Usage(
            "noun_unknown", f"没有“{noun}”。可选：{known}。", f"There is no {noun!r}; these exist: {known}."
        )
    drawn = picture(compiled.machines[noun])
    text = svg(drawn, terminal.locale) if format == "svg" else mermaid(drawn, terminal.locale)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if terminal.as_json:
        terminal.answer(
            {"ok": True, "noun": noun, "format": format, "file": str(out) if out else None, "text": text}
        )
    elif out is not None:
        terminal.line(f"✓ 已写入 {out}", f"✓ Wrote {out}")
    else:
        print(text, end="")


@command(
    programme, "preview", "新版本会改变在研项目的什么 · What a new version would change for running projects."
)
def preview(terminal: Terminal, file: File) -> int:
    from milepost.programmes import load_published
    from states.machines import compile_programme
    from states.preview import Project
    from states.preview import preview as compare

    loaded = _load(file)
    new = compile_programme(loaded.programme)
    answers: list[dict[str, Any]] = []
    with terminal.session() as session:
        versions = session.conn.execute(
            "SELECT id, version FROM programme_version WHERE code = %s AND version <> %s ORDER BY version",
            (new.programme.code, new.programme.version),
        ).fetchall()
        for id, version in versions:
            old = load_published(session.conn, id)
            assert old is not None, "it was just read"
            rows = session.conn.execute(
                "SELECT code, state, suspended_from FROM project WHERE programme_id = %s ORDER BY code", (id,)
            ).fetchall()
            ended = old.machines["project"].terminal
            found = compare(old, new, [Project(*row) for row in rows if row[1] not in ended])
            answers.append(
                {
                    "from_version": version,
                    "possible": found.possible,
                    "running": sum(row[1] not in ended for row in rows),
                    "stranded": [project.code for project in found.stranded],
                    "zh": found.lines("zh"),
                    "en": found.lines("en"),
                }
            )
    ok = all(answer["possible"] for answer in answers)
    if terminal.as_json:
        name = {"code": new.programme.code, "version": new.programme.version}
        terminal.answer({"ok": ok, **name, "versions": answers})
        return OK if ok else REFUSED
    if not answers:
        terminal.line("没有已发布的其他版本可比较。", "No other version is published; nothing to compare.")
    for answer in answers:
        old_version, running = answer["from_version"], answer["running"]
        terminal.line(
            f"第 {old_version} 版 → 第 {new.programme.version} 版，在研项目 {running} 个：",
            f"Version {old_version} → {new.programme.version}, {running} running projects:",
        )
        terminal.print(*(f"  {line}" for line in answer[terminal.locale]))
    return OK if ok else REFUSED


@command(programme, "publish", "检验并发布一个计划版本 · Check a programme and publish its version.")
def publish(terminal: Terminal, file: File) -> int:
    from milepost.programmes import publish as put
    from states.explore import explore_programme

    loaded = _load(file)
    report = explore_programme(loaded.programme)
    if report.findings:
        problems = [_problem_json(p, path) for p, path in _problems(loaded, report)]
        if terminal.as_json:
            terminal.answer({"ok": False, "problems": problems})
        else:
            _tell(terminal, {"file": file, "ok": False, "problems": problems})
            terminal.line("未发布。", "Not published.")
        return REFUSED
    with terminal.database(migrated=True) as database, database.session() as session:
        made = put(session.conn, loaded, session.clock, owner_url=database.owner_url)
    code, version = loaded.programme.code, loaded.programme.version
    if terminal.as_json:
        terminal.answer(
            {"ok": True, "id": made.id, "code": code, "version": version, "digest": loaded.digest}
        )
    else:
        terminal.line(f"✓ 已发布 {code} 第 {version} 版", f"✓ Published {code} version {version}")
    return OK


@command(programme, "list", "已发布的计划 · The published programmes.")
def list_(terminal: Terminal) -> None:
    from milepost.queries.office import programmes

    with terminal.session() as session:
        found = programmes(session)
    if terminal.as_json:
        terminal.answer({"ok": True, "programmes": found})
        return
    heads = (("编号", "code"), ("版本", "version"), ("名称", "title"), ("发布时间", "published"))
    rows = [
        (p["code"], p["version"], p["title"][terminal.locale], f"{p['published_at']:%Y-%m-%d}") for p in found
    ]
    terminal.table(heads, rows)
