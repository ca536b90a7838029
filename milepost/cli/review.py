"""Review stages at the terminal: the ranking with its figures, what looks odd in it, the public notices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from milepost.cli.app import command, notices, reviews
from milepost.cli.terminal import Terminal, Usage

if TYPE_CHECKING:
    from milepost.db import Session
    from milepost.queries.rankings import Scope
    from milepost.reports.ranking import Line, RankedList

Code = Annotated[str, typer.Argument(metavar="PROGRAMME", help="计划代码 · The programme's code.")]
Stage = Annotated[
    str, typer.Option("--stage", help="评审环节，如 panel_review · The review stage, such as panel_review.")
]
Call = Annotated[str, typer.Option("--call", help="申报指南名称 · The call's title.")]
Version = Annotated[
    int | None, typer.Option("--version", help="计划版本；默认最新 · Its version; the latest unless told.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="写入 .xlsx 或 .csv 文件 · Write a .xlsx or .csv file."),
]


@command(reviews, "ranking", "排名与资助线 · The ranking of a review stage and its funding line.", acts=True)
def ranking(
    terminal: Terminal,
    programme: Code,
    stage: Stage = "",
    call: Call = "",
    version: Version = None,
    budget: Annotated[
        str, typer.Option("--budget", help="按此预算划线，如 500万 · Draw the line by this budget.")
    ] = "",
    places: Annotated[
        int | None, typer.Option("--places", min=0, help="按名额划线 · Draw the line by places.")
    ] = None,
    out: Out = None,
) -> None:
    from milepost.queries.rankings import applications
    from milepost.reports.ranking import Line
    from schema.money import Money

    with terminal.session() as session:
        by = terminal.person(session).id
        scope = _scope(session, by, programme, stage, call, version)
        line = Line(places=places)
        if budget:
            currency = applications(session, by, scope)[0]["currency"]
            line = Line(budget_minor=Money.parse(budget, currency).minor)
        found = _list(session, by, scope, line)
    if out is not None:
        _write(terminal, found, out)
    elif terminal.as_json:
        terminal.answer({"ok": True, **as_json(found)})
    else:
        _tell(terminal, found)


def _scope(session: Session, by: UUID, programme: str, stage: str, call: str, version: int | None) -> Scope:
    """The one list that is meant; what is open or absent is named."""
    from milepost.queries.rankings import Scope, lists

    every = [row for row in lists(session, by) if row["code"] == programme]
    newest = max((row["version"] for row in every), default=0)
    found = [
        row
        for row in every
        if (not stage or row["stage"] == stage)
        and (not call or row["call_title"] == call)
        and row["version"] == (version or newest)
    ]
    if len(found) == 1:
        return Scope(found[0]["programme_id"], found[0]["stage"], found[0]["call_id"])
    if not found:
        raise Usage(
            "ranking_unknown",
            f"没有“{programme}”的这张名单，或您无权查看。",
            f"There is no such list of {programme!r}, or you may not see it.",
        )
    known = "; ".join(f"--stage {r['stage']} --call {r['call_title'] or '-'}" for r in found)
    raise Usage("ranking_unclear", f"请指明其中一张：{known}", f"Say which of these: {known}")


def _list(session: Session, by: UUID, scope: Scope, line: Line | None = None) -> RankedList:
    from milepost.reports.ranking import ranked_list

    found = ranked_list(session, by, scope, line)
    if found is None:
        raise Usage(
            "ranking_unknown",
            "没有这张名单，或您无权查看。",
            "There is no such list, or you may not see it.",
        )
    return found


def _write(terminal: Terminal, found: RankedList, out: Path) -> None:
    from milepost.work.ranking_sheet import ranking_sheet

    ending = out.suffix.lower().removeprefix(".")
    if ending not in ("xlsx", "csv"):
        raise Usage(
            "file_kind",
            f"“{out.name}”应以 .xlsx 或 .csv 结尾。",
            f"{out.name!r} should end in .xlsx or .csv.",
        )
    content = ranking_sheet(found, ending)
    out.write_bytes(content)
    if terminal.as_json:
        terminal.answer({"ok": True, "file": str(out), "bytes": len(content), "rows": len(found.rows)})
        return
    terminal.line(f"✓ 已写入 {out}：{len(found.rows)} 份", f"✓ {out}: {len(found.rows)} applications")


def as_json(found: RankedList) -> dict[str, Any]:
    """The list for programs: scores in thousandths of a point, amounts in minor units, no expert's name."""
    proposal = found.proposal
    return {
        "programme": found.programme.code,
        "stage": found.scope.stage,
        "currency": found.currency,
        "budget_minor": found.line.budget_minor,
        "places": found.line.places,
        "above": [one.code for one in found.above],
        "would_fit": list(proposal.would_fit) if proposal else [],
        "split": list(found.split),
        "applications": [
            {
                "code": one.code,
                "rank": one.place.rank if one.place else None,
                "shared": one.place.shared if one.place else None,
                "decided_by": one.place.decided_by if one.place else None,
                "raw_milli": one.raw_milli,
                "counted": one.counted,
                "reviews": one.reviews,
                "dropped": one.dropped,
                "spread_milli": one.spread_milli,
                "calibrated_milli": one.calibrated_milli,
                "standard_error_milli": one.se_milli,
                "above_line_milli": one.above_milli,
                "amount_minor": one.asked_minor,
                "above_line": one.above_line,
                "why_unranked": [text.model_dump() for text in one.why_unranked],
            }
            for one in found.rows
        ],
        "remarks": [remark.text.model_dump() for remark in found.calibration.remarks],
    }


def _tell(terminal: Terminal, found: RankedList) -> None:
    from milepost.reports.ranking_words import percent, points
    from schema.money import Money

    heads = (
        ("名次", "rank"),
        ("编号", "application"),
        ("原始分", "raw"),
        ("份数", "reviews"),
        ("极差", "spread"),
        ("校准分", "calibrated"),
        ("误差", "error"),
        ("线上概率", "chance"),
        ("金额", "amount"),
        ("", ""),
    )
    rows = []
    for one in found.rows:
        mark = terminal.say("线上", "above") if one.above_line else ""
        why = terminal.say("；", "; ").join(terminal.text(text) for text in one.why_unranked)
        rank = f"{one.place.rank}{'=' if one.place.shared else ''}" if one.place else "—"
        rows.append(
            (
                rank,
                one.code,
                points(one.raw_milli) + ("" if one.counted or one.raw_milli is None else "*"),
                one.reviews,
                points(one.spread_milli),
                points(one.calibrated_milli),
                points(one.se_milli),
                percent(one.above_milli),
                Money(one.asked_minor, one.row["currency"]).format(terminal.locale),
                why or mark,
            )
        )
    terminal.table(heads, rows)
    if any(not one.counted and one.raw_milli is not None for one in found.rows):
        terminal.line("* 尚未汇总，为试算", "* not counted yet: what the reviews so far would give")
    if found.proposal:
        told = found.proposal.said(lambda minor: Money(minor, found.currency).format(terminal.locale))
        terminal.line(told.zh, told.en)
    for remark in found.calibration.remarks:
        terminal.note(f"· {remark.text.zh}", f"· {remark.text.en}")


@command(reviews, "patterns", "需要留意的现象 · What looks odd in a review stage.", acts=True)
def patterns_(
    terminal: Terminal, programme: Code, stage: Stage = "", call: Call = "", version: Version = None
) -> None:
    from milepost.reports.ranking_words import PATTERNS_NOTE

    with terminal.session() as session:
        by = terminal.person(session).id
        found = _list(session, by, _scope(session, by, programme, stage, call, version))
    told = [finding.said(found.names) for finding in found.findings]
    if terminal.as_json:
        rows = [
            {
                "code": finding.code,
                "applications": list(finding.applications),
                "experts": [found.names[rater] for rater in finding.raters],
                "figures": dict(finding.figures),
                **text.model_dump(),
            }
            for finding, text in zip(found.findings, told, strict=True)
        ]
        terminal.answer({"ok": True, "patterns": rows})
        return
    terminal.note(PATTERNS_NOTE.zh, PATTERNS_NOTE.en)
    for text in told:
        terminal.line(f"· {text.zh}", f"· {text.en}")
    if not told:
        terminal.line("没有发现异常。", "Nothing stands out.")


@command(notices, "list", "列出公示 · The public notices and the objections that wait.", acts=True)
def notice_list(
    terminal: Terminal,
    everything: Annotated[
        bool, typer.Option("--all", help="包括早已期满的 · Those long over as well.")
    ] = False,
) -> None:
    from milepost.queries.notices import office_notices
    from schema.money import Money
    from states.labels import state_label

    with terminal.session() as session:
        found = office_notices(session, terminal.person(session).id, everything=everything)
    if terminal.as_json:
        terminal.answer({"ok": True, "notices": found})
        return
    heads = (
        ("状态", "state"),
        ("编号", "project"),
        ("名称", "title"),
        ("单位", "applicant"),
        ("拟立项金额", "proposed"),
        ("发文日", "issued"),
        ("公示期", "window"),
        ("待答异议", "objections"),
    )
    rows = [
        (
            terminal.text(state_label("notice", n["state"])),
            n["code"],
            n["title"],
            n["unit_name"],
            Money(n["proposed_minor"], n["currency"]).format(terminal.locale) if n["proposed_minor"] else "",
            n["issued_on"],
            f"{n['opens_on']} – {n['closes_on']}",
            n["objections_open"],
        )
        for n in found
    ]
    terminal.table(heads, rows)
