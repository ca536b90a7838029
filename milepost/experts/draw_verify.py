"""Whether a published draw is what it claims to be: everything in it is computed again, offline.

A record alone shows that its panels follow from its commitment and its value. That the commitment is the one
that was published beforehand shows only who kept it (``held``); that no attempt was dropped, only who kept
the earlier records (``earlier``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from milepost.experts.beacon import check_source, check_value
from milepost.experts.draw_record import Record, parsed, read
from states.commitment import canonical, document
from states.drawing import DrawError, Drawn, Panel, draw_under, members_after, replace
from states.seating import Finding

Published = bytes | str | Mapping[str, Any]


def verify(data: Published, *, held: str = "", earlier: Sequence[Published] = ()) -> list[Finding]:
    """Every deviation of a record; an empty list means that all of it holds.

    ``held`` is the commitment that you received before the value was known, ``earlier`` are records of
    attempts that you kept. Nothing that a file may contain raises an exception.
    """
    try:
        said = parsed(data)
        record = read(said)
    except DrawError as unreadable:
        return list(unreadable.findings)
    findings = _commitment(record, said["committed"], held)
    problems = record.committed.problems()
    findings += problems + check_source(record.committed)
    if record.value is None:
        if record.panels or record.replacements:
            findings.append(_finding("panels_without_value"))
    else:
        findings += check_value(record.committed, record.value)
        # Of a contradictory commitment there is nothing to compute.
        if not problems:
            drawn = draw_under(record.committed, record.commitment, record.value.text)
            findings += _panels(record, drawn)
            findings += _replacements(record)
    return findings + _witnesses(record) + _attempts(record, earlier)


def _commitment(record: Record, said: Mapping[str, Any], held: str) -> list[Finding]:
    found = []
    stored = canonical(said)
    if sha256(stored).hexdigest() != record.commitment:
        found.append(_finding("commitment_changed", stated=record.commitment))
    if stored != canonical(document(record.committed)):
        found.append(_finding("not_exact"))
    if held and held.strip().lower() != record.commitment:
        found.append(_finding("commitment_not_held", stated=record.commitment, held=held.strip()[:80]))
    return found


def _panels(record: Record, drawn: Drawn) -> list[Finding]:
    """The panels are those that follow, in the order in which the projects were drawn."""
    found = []
    pool = {candidate.id for candidate in record.committed.pool}
    right = {panel.project: panel for panel in drawn.panels}
    there = Counter(panel.project for panel in record.panels)
    for project in right:
        if project not in there:
            found.append(_finding("panel_missing", project=project))
    for project, times in there.items():
        if project not in right:
            found.append(_finding("panel_of_nothing", project=project))
        elif times > 1:
            found.append(_finding("panel_twice", project=project))
    for panel in record.panels:
        found += _members(panel, pool)
        if panel.project not in right or panel == right[panel.project]:
            continue
        follows = right[panel.project]
        if panel.members != follows.members:
            found.append(
                _finding(
                    "panel_changed",
                    project=panel.project,
                    recorded=_names(panel.members),
                    follows=_names(follows.members),
                )
            )
        if panel.short != follows.short:
            found.append(
                _finding(
                    "short_changed",
                    project=panel.project,
                    recorded=_names(panel.short),
                    follows=_names(follows.short),
                )
            )
    order = [panel.project for panel in drawn.panels]
    recorded = [panel.project for panel in record.panels]
    if order != recorded and sorted(order) == sorted(recorded):
        found.append(_finding("order_changed"))
    return found


def _members(panel: Panel, pool: set[str]) -> list[Finding]:
    found = []
    if strangers := sorted(set(panel.members) - pool):
        found.append(_finding("member_unknown", project=panel.project, ids=_names(strangers)))
    if len(set(panel.members)) < len(panel.members):
        found.append(_finding("member_twice", project=panel.project))
    return found


def _replacements(record: Record) -> list[Finding]:
    """Each entry follows from the panels and the entries before it, as they are recorded.

    What is recorded is taken on, right or wrong: one entry that was changed is then one finding, and does not
    make all the later ones wrong.
    """
    found = []
    drawn, pool = record.drawn(), {candidate.id for candidate in record.committed.pool}
    seated = {panel.project for panel in record.panels}
    committed = {project.id for project in record.committed.projects}
    for number, entry in enumerate(record.replacements, start=1):
        before = record.replacements[: number - 1]
        if strangers := sorted(set(entry.successors) - pool):
            found.append(_finding("successor_unknown", number=number, ids=_names(strangers)))
        sitting = members_after(drawn, before, entry.project) if entry.project in seated else ()
        missing = entry.project in committed - seated
        if missing or set(sitting) - pool or len(set(sitting)) < len(sitting):
            # The panel itself is wrong, which is said elsewhere; nobody's successor follows from it.
            continue
        try:
            follows = replace(
                record.committed,
                drawn,
                before,
                project=entry.project,
                gone=entry.gone,
                reason=entry.reason,
                at=entry.at,
                remaining=entry.remaining,
                excluded=entry.excluded,
            )
        except DrawError as refused:
            found += [
                Finding(one.code, f"第 {number} 条替换：{one.zh}", f"Replacement {number}: {one.en}")
                for one in refused.findings
            ]
            continue
        if (follows.successors, follows.short) != (entry.successors, entry.short):
            found.append(
                _finding(
                    "replacement_changed",
                    number=number,
                    recorded=_names((*entry.successors, *entry.short)),
                    follows=_names((*follows.successors, *follows.short)),
                )
            )
        if follows.remaining != entry.remaining:
            found.append(_finding("replacement_not_exact", number=number))
    return found


def _witnesses(record: Record) -> list[Finding]:
    asked = record.committed.supervision
    manners = {witness.manner for witness in record.witnesses}
    if record.value is None or asked == "none":
        return []
    if not manners:
        return [_finding("witness_missing")]
    return [_finding("witness_unsigned")] if asked == "signed" and "signed" not in manners else []


def _attempts(record: Record, earlier: Sequence[Published]) -> list[Finding]:
    """Attempts follow each other without a gap or a branch, and seats that stay were seats before."""
    found: list[Finding] = []
    others: dict[str, Record] = {}
    for data in earlier:
        try:
            other = read(data)
        except DrawError as unreadable:
            found += [
                Finding(one.code, f"另一份记录：{one.zh}", f"Other record: {one.en}")
                for one in unreadable.findings
            ]
            continue
        if other.commitment != record.commitment:
            others[other.commitment] = other
    previous = record.committed.previous
    if previous is not None and previous.commitment in others:
        before = others[previous.commitment]
        if before.committed.attempt != record.committed.attempt - 1:
            found.append(
                _finding("attempt_number", attempt=record.committed.attempt, before=before.committed.attempt)
            )
        found += _kept(record, before)
    elif previous is not None and earlier:
        found.append(_finding("previous_not_there", commitment=previous.commitment))
    line = _line(record, others)
    for other in others.values():
        on_line = other.commitment in line or record.commitment in _line(other, others)
        # Where a record of the line is not there, an earlier attempt may stand before it.
        if not line <= set(others) and other.committed.attempt < record.committed.attempt:
            on_line = True
        if not on_line and _same_projects(record, other):
            found.append(_finding("attempt_hidden", commitment=other.commitment))
    return found


def _line(record: Record, others: Mapping[str, Record]) -> set[str]:
    """The commitments of all attempts before a record, as far back as there are records."""
    line: set[str] = set()
    at: Record | None = record
    while at is not None and at.committed.previous is not None:
        commitment = at.committed.previous.commitment
        # A hash cannot name itself; a forged record can claim to.
        at = others.get(commitment) if commitment not in line else None
        line.add(commitment)
    return line


def _same_projects(record: Record, other: Record) -> bool:
    mine = {project.id for project in record.committed.projects}
    return not mine.isdisjoint(project.id for project in other.committed.projects)


def _kept(record: Record, other: Record) -> list[Finding]:
    found = []
    known = {panel.project for panel in other.panels}
    for project in record.committed.projects:
        sat = (
            members_after(other.drawn(), other.replacements, project.id)
            if other.value is not None and project.id in known
            else ()
        )
        if strangers := sorted(set(project.kept) - set(sat)):
            found.append(_finding("kept_never_sat", project=project.id, ids=_names(strangers)))
    return found


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) or "—"


_WORDS = {
    "commitment_changed": (
        "承诺内容已被改动：其哈希不是记录所载的 {stated}。",
        "What was committed has been changed: its hash is not the one stated, {stated}.",
    ),
    "not_exact": (
        "承诺内容写法不唯一：有的列表未排序、有重复，或分数未约简。",
        "The committed part is not in its one exact form: a list is unsorted or repeats itself, or a share "
        "is not in lowest terms.",
    ),
    "commitment_not_held": (
        "承诺 {stated} 不是您事先收到的 {held}。",
        "The commitment {stated} is not the one that you hold, {held}.",
    ),
    "panels_without_value": (
        "还没有随机数值，却已有评审组或替换。",
        "There are panels or replacements, and no random value yet.",
    ),
    "panel_missing": ("缺少项目 {project} 的评审组。", "The panel of project {project} is missing."),
    "panel_of_nothing": (
        "项目 {project} 不在承诺之列，却有评审组。",
        "Project {project} has a panel and is not among those committed.",
    ),
    "panel_twice": ("项目 {project} 的评审组列出两次。", "The panel of project {project} is there twice."),
    "panel_changed": (
        "项目 {project} 的评审组不是抽取所得。记录：{recorded}；应为：{follows}。",
        "The panel of project {project} is not the one drawn. Recorded: {recorded}. Follows: {follows}.",
    ),
    "short_changed": (
        "项目 {project} 未能组成的原因不符。记录：{recorded}；应为：{follows}。",
        "What project {project} lacks is not what follows. Recorded: {recorded}. Follows: {follows}.",
    ),
    "order_changed": (
        "项目先后不是抽取所得的顺序。",
        "The projects do not stand in the order in which they were drawn.",
    ),
    "member_unknown": (
        "项目 {project} 的评审组中有人不在专家库快照中：{ids}。",
        "The panel of project {project} has members who are not in the pool: {ids}.",
    ),
    "member_twice": (
        "项目 {project} 的评审组中同一人出现两次。",
        "Somebody is on the panel of project {project} twice.",
    ),
    "successor_unknown": (
        "第 {number} 条替换的接替人不在专家库快照中：{ids}。",
        "The successor in replacement {number} is not in the pool: {ids}.",
    ),
    "replacement_changed": (
        "第 {number} 条替换不是排序所得。记录：{recorded}；应为：{follows}。",
        "Replacement {number} does not follow from the ranking. Recorded: {recorded}. Follows: {follows}.",
    ),
    "replacement_not_exact": (
        "第 {number} 条替换重复记载了与承诺相同的剩余可评数。",
        "Replacement {number} repeats remaining capacities that are as committed.",
    ),
    "witness_missing": (
        "须有监督人员在场，记录中没有。",
        "A supervisor must be present, and the record names none.",
    ),
    "witness_unsigned": (
        "须有监督人员签名，记录中没有。",
        "A supervisor must sign, and the record has no signature.",
    ),
    "attempt_number": (
        "本次为第 {attempt} 次抽取，所注前一次却是第 {before} 次。",
        "This is attempt {attempt}, and the one it names as before it is attempt {before}.",
    ),
    "attempt_hidden": (
        "同一项目另有一次抽取未被注明，承诺为 {commitment}。",
        "There is another draw for a project of this one that it does not name: commitment {commitment}.",
    ),
    "previous_not_there": (
        "所注的前一次抽取 {commitment} 不在您提供的记录中。",
        "The attempt named as the one before, {commitment}, is not among the records you gave.",
    ),
    "kept_never_sat": (
        "项目 {project} 保留的席位前一次并无此人：{ids}。",
        "Project {project} keeps somebody who did not sit there before: {ids}.",
    ),
}


def _finding(code: str, **facts: object) -> Finding:
    zh, en = _WORDS[code]
    return Finding(code, zh.format(**facts), en.format(**facts))
