"""Proving, taking away and bringing back: verify, evidence, backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milepost.cli.app import app, command
from milepost.cli.terminal import OK, REFUSED, Terminal, Usage

if TYPE_CHECKING:
    from milepost.evidence.verify_database import VerifyReport

Root = Annotated[
    str | None,
    typer.Option(
        "--root", metavar="HEX", help="您持有的封存根 · A sealed root that you received at the time."
    ),
]


def _checked(root: str | None) -> str | None:
    import re

    if root is None:
        return None
    bare = re.sub(r"\s", "", root).lower()
    if not re.fullmatch("[0-9a-f]{64}", bare):
        raise Usage("root_malformed", "--root 应为 64 位十六进制。", "--root is 64 hexadecimal digits.")
    return bare


@command(app, "verify", "核验整个数据库 · Check the whole database against its own evidence.")
def verify(terminal: Terminal, root: Root = None) -> int:
    from milepost.evidence.verify_database import verify as check

    held = _checked(root)
    with terminal.database() as database, terminal.progress("核验", "Verifying") as progress:
        report = check(database, root=held, progress=progress, files=_bank_files(terminal))
    if terminal.as_json:
        terminal.answer(report.as_json())
    else:
        _tell(terminal, report, held)
    return OK if report.ok else REFUSED


def _bank_files(terminal: Terminal) -> Path | None:
    """Where the bank's files lie once they were read, where payments go by file."""
    from milepost.bank.desk import desk_of

    desk = desk_of(terminal.settings)
    return desk.read if desk is not None else None


def _tell(terminal: Terminal, report: VerifyReport, root: str | None) -> None:
    for fault in report.faults:
        terminal.line(f"✗ {fault.zh} [{fault.code}]", f"✗ {fault.en} [{fault.code}]")
    terminal.line(
        f"已核验 {report.events} 个事件、{report.chains} 条链、{report.transfers} 笔划拨、"
        f"{report.seals} 次封存。",
        f"Checked {report.events} events in {report.chains} chains, {report.transfers} transfers, "
        f"{report.seals} seals.",
    )
    if not report.ok:
        terminal.line("结论：未通过。", "NOT VERIFIED.")
    elif root is not None:
        terminal.line(
            "结论：通过，与您持有的封存根相符。", "VERIFIED, and the root you hold is among the seals."
        )
    else:
        terminal.line("结论：通过。", "VERIFIED.")
        if report.root:
            terminal.line(
                f"最新封存根：{report.root}\n请与您收到的相比对：milepost verify --root …",
                f"Newest sealed root: {report.root}\n"
                "Compare it with one you received: milepost verify --root …",
            )


@command(
    app, "evidence", "导出一个项目的证据包 · Export one project as a bundle that anyone can verify offline."
)
def evidence(
    terminal: Terminal,
    project: Annotated[
        str,
        typer.Argument(
            metavar="CODE",
            help="项目编号；bank 为银行账户 · The project's code, or 'bank' for the account.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="文件 · The file; else CODE.evidence.zip.")
    ] = None,
) -> int:
    from milepost.bank.desk import desk_of
    from milepost.evidence.export import export_account, export_evidence

    desk, place = desk_of(terminal.settings), out or Path(f"{project}.evidence.zip")
    with terminal.database() as database:
        if project == "bank" and desk is not None:
            made = export_account(database, desk.account, place, desk.read)
        else:
            made = export_evidence(database, project, place)
    faults = [{"code": f.code, "zh": f.zh, "en": f.en} for f in made.report.faults]
    if terminal.as_json:
        terminal.answer(
            {
                "ok": made.report.ok,
                "file": str(made.path),
                "project": str(made.project_id),
                "code": made.code,
                "events": made.events,
                "sealed_seq": made.sealed_seq,
                "root": made.root,
                "faults": faults,
            }
        )
        return OK if made.report.ok else REFUSED
    for fault in faults:
        terminal.line(f"✗ {fault['zh']} [{fault['code']}]", f"✗ {fault['en']} [{fault['code']}]")
    mark = "✓" if made.report.ok else "✗"
    terminal.line(
        f"{mark} {made.path}：{made.events} 个事件，至第 {made.sealed_seq} 号已封存于 {made.root}",
        f"{mark} {made.path}: {made.events} events, sealed up to {made.sealed_seq} under {made.root}",
    )
    terminal.line(
        "机密：内含评审和异议人，供法院、审计和监督使用，不交给当事人",
        "Confidential: it holds reviews and objectors, for courts and auditors, not for the parties",
    )
    terminal.line(
        "核验：python verify_bundle.py（在包内）", "To verify: python verify_bundle.py, which is in it"
    )
    return OK if made.report.ok else REFUSED


@command(app, "backup", "备份整个数据库 · Take the whole database away in one file.")
def backup(
    terminal: Terminal,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="备份文件 · The file to write.")],
) -> None:
    from milepost.backup import backup as take

    manifest = take(terminal.settings, out)
    if terminal.as_json:
        terminal.answer({"ok": True, "file": str(out), "manifest": manifest.as_json()})
        return
    terminal.line(
        f"✓ {out}：{manifest.events} 个事件，{len(manifest.seals)} 次封存",
        f"✓ {out}: {manifest.events} events, {len(manifest.seals)} seals",
    )


@command(app, "restore", "恢复备份并核验 · Bring a backup back and verify it.")
def restore(
    terminal: Terminal,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="备份文件 · The backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="取代现有数据 · Put it in the place of what is there.")
    ] = False,
    root: Root = None,
) -> int:
    from milepost.backup import restore as bring

    held = _checked(root)
    with terminal.progress("核验", "Verifying") as progress:
        restored = bring(terminal.settings, file, replace=replace, root=held, progress=progress)
    if terminal.as_json:
        terminal.answer({**restored.report.as_json(), "manifest": restored.manifest.as_json()})
    else:
        terminal.line(
            f"已恢复 {restored.manifest.made_at} 的备份。",
            f"Restored the backup of {restored.manifest.made_at}.",
        )
        _tell(terminal, restored.report, held)
    return OK if restored.report.ok else REFUSED
