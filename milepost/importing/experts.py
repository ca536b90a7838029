"""The expert pool as a spreadsheet: taken in row by row with a report, given out, and a template for it.

A row is taken whole or not at all, and what is valid goes on. A blank cell leaves what stands; so does a
column that the file lacks. The same file twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from milepost.db import Session
from milepost.experts import pool
from milepost.experts.duplicates import REASONS, Candidate
from milepost.experts.permits import ExpertError
from milepost.experts.profile import kinds_in
from milepost.experts.subjects import first_level
from milepost.importing.expert_cells import BY_KEY, COLUMNS, READERS, cell_of, codes_of, several, units_of
from milepost.importing.sheets import Problem, SheetRow, read_sheet, write_sheet
from milepost.importing.tables import FileRefused
from milepost.people import PersonError
from milepost.queries.experts import export_rows
from schema.money import Explained

CREATED, CHANGED, UNCHANGED, REFUSED = "created", "changed", "unchanged", "refused"
_NEEDED_NEW = ("name", "kinds", "region", "yearly_load")
_COLUMN_OF = {
    "expert_twice": "identity_no",
    "login_of_another": "login",
    "login_unusable": "login",
    "login_taken": "login",
    "expert_unknown": "login",
    "name_missing": "name",
    "email_unusable": "email",
    "not_permitted": "region",
    "unit_unreadable": "units",
    "days_not_in_order": "units",
    "ended_too_early": "units",
    "affiliation_ended": "units",
    "fields_too_many": "fields",
}


# The report ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CellFinding:
    """Something said about a row: its column (empty: the whole row), a stable code, fact and remedy."""

    column: str
    code: str
    zh: str
    en: str

    def as_json(self) -> dict[str, Any]:
        """The finding as a program reads it."""
        return {"column": self.column, "code": self.code, "reason": {"zh": self.zh, "en": self.en}}


@dataclass(slots=True)
class RowReport:
    """What became of a row: created, changed (in which columns), unchanged, or refused (why)."""

    number: int
    login: str
    outcome: str = UNCHANGED
    changed: tuple[str, ...] = ()
    reasons: list[CellFinding] = field(default_factory=list)
    remarks: list[CellFinding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The row as a program reads it."""
        return {
            "row": self.number,
            "login": self.login,
            "outcome": self.outcome,
            "changed": list(self.changed),
            "reasons": [finding.as_json() for finding in self.reasons],
            "remarks": [finding.as_json() for finding in self.remarks],
        }


@dataclass(slots=True)
class Report:
    """What became of a file, row by row."""

    file: str
    rows: list[RowReport] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        """How many rows ended so."""
        return sum(row.outcome == outcome for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """The report as a program reads it."""
        counts = {outcome: self.count(outcome) for outcome in (CREATED, CHANGED, UNCHANGED, REFUSED)}
        rows = [row.as_json() for row in self.rows]
        return {"file": self.file, **counts, "columns_ignored": self.ignored, "rows": rows}


# Taking in ----------------------------------------------------------------------------------------------


def import_experts(
    session: Session,
    file: str,
    content: bytes,
    *,
    by: UUID,
    check: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Enrol and revise what a file says; ``check``: only say what would become of each row.

    A file that cannot be read at all, or has no column of log-ins, is a ``FileRefused``.
    """
    report, columns, rows = Report(file), {}, read_sheet(file, content)
    columns = _columns(file, rows[0] if rows else None, report)
    seen: dict[str, int] = {}
    if not check:
        _take(session, columns, rows[1:], report, seen, by, progress)
        return report
    with session.conn.transaction(force_rollback=True):
        _take(session, columns, rows[1:], report, seen, by, progress)
    return report


def _take(
    session: Session,
    columns: Mapping[int, str],
    rows: Sequence[SheetRow],
    report: Report,
    seen: dict[str, int],
    by: UUID,
    progress: Callable[[int, int], None] | None,
) -> None:
    for done, row in enumerate(rows, start=1):
        given, problems = _cells(columns, row)
        result = RowReport(row.number, given.get("login", ""))
        result.reasons += problems
        _check(given, result, seen)
        if not result.reasons:
            _enter(session, given, result, by)
        if result.reasons:
            result.outcome, result.changed = REFUSED, ()
        report.rows.append(result)
        if progress is not None:
            progress(done, len(rows))


def _columns(file: str, header: SheetRow | None, report: Report) -> dict[int, str]:
    names = {
        name.casefold(): column.key
        for column in COLUMNS
        for name in (column.key, column.name.zh, column.name.en, column.head)
    }
    found: dict[int, str] = {}
    for index, cell in enumerate(header.cells if header else []):
        parts = [cell.text, *cell.text.split("·")]
        key = next(
            (names[part.strip().casefold()] for part in parts if part.strip().casefold() in names), None
        )
        if key is not None and key in found.values():
            twice = BY_KEY[key].head
            raise FileRefused(
                file,
                "column_repeated",
                f"列“{twice}”出现多次。请只保留一列。",
                f"the column {twice} appears more than once. Keep one.",
            )
        if key is not None:
            found[index] = key
        elif cell.text:
            report.ignored.append(cell.text)
    if "login" not in found.values():
        raise FileRefused(
            file,
            "column_missing",
            "第一行没有“登录名 · Login”列。请使用模板。",
            "the first row has no column 登录名 · Login. Use the template.",
        )
    return {index: key for index, key in found.items() if key != "standing"}


def _cells(columns: Mapping[int, str], row: SheetRow) -> tuple[dict[str, str], list[CellFinding]]:
    given, problems = {}, []
    for index, key in columns.items():
        if index >= len(row.cells):
            continue
        cell = row.cells[index]
        if cell.problem is not None:
            problems.append(CellFinding(key, *cell.problem))
        elif cell.text:
            given[key] = cell.text
    return given, problems


def _check(given: dict[str, str], result: RowReport, seen: dict[str, int]) -> None:
    """Every cell on its own, so that a row is refused with all that is wrong in it at once."""
    login = given.get("login", "")
    if not login:
        if not any(finding.column == "login" for finding in result.reasons):
            _say(result, "login", ("login_missing", "没有登录名。请填写。", "There is no login. Fill it in."))
    elif login in seen:
        first = seen[login]
        _say(
            result,
            "login",
            (
                "login_repeated",
                f"登录名“{login}”已在第 {first} 行。请只保留一行。",
                f"The login {login!r} stands in row {first} already. Keep one of the two.",
            ),
        )
    seen.setdefault(login, result.number)
    for key, reader in READERS.items():
        if key in given:
            try:
                reader(given[key])
            except Explained as error:
                _say(result, key, (error.code, error.zh, error.en))


def _say(result: RowReport, column: str, problem: Problem) -> None:
    result.reasons.append(CellFinding(column, *problem))


def _enter(session: Session, given: dict[str, str], result: RowReport, by: UUID) -> None:
    row = session.conn.execute(
        "SELECT n.id, n.name, n.email, x.person_id IS NOT NULL FROM person n "
        "LEFT JOIN expert x ON x.person_id = n.id WHERE n.login = %s",
        (given["login"],),
    ).fetchone()
    try:
        with session.conn.transaction():
            if row is not None and row[3]:
                pool.check_name(given["login"], row[1], given.get("name", row[1]))
                _revise(session, row[0], given, result, by)
            else:
                _enrol(session, given, result, by)
            if row is not None and given.get("email", row[2]) != row[2]:
                _email_kept(result)
    except (ExpertError, PersonError) as error:
        result.remarks.clear()
        _say(result, _COLUMN_OF.get(error.code, ""), (error.code, error.zh, error.en))


def _enrol(session: Session, given: dict[str, str], result: RowReport, by: UUID) -> None:
    for key in _NEEDED_NEW:
        if key not in given:
            name = BY_KEY[key].name
            problem = (
                "cell_missing",
                f"新专家须填写“{name.zh}”。",
                f"A new expert needs the column {name.en}.",
            )
            _say(result, key, problem)
    if result.reasons:
        return
    plain = {key: given[key] for key in ("email", "title", "phone", "identity_no", "profile") if key in given}
    new = pool.NewExpert(
        login=given["login"],
        name=given["name"],
        kinds=kinds_in(several(given["kinds"])),
        region=given["region"],
        yearly_load=given["yearly_load"],
        languages=several(given.get("languages", "")),
        fields=codes_of(given.get("fields", "")),
        units=units_of(given.get("units", "")),
        **plain,
    )
    done = pool.enrol(session, new, by=by)
    result.outcome = CREATED
    result.remarks += [_alike(other, reasons) for other, reasons in done.alike]


def _revise(session: Session, person_id: UUID, given: dict[str, str], result: RowReport, by: UUID) -> None:
    changes: dict[str, Any] = {
        key: given[key]
        for key in ("region", "yearly_load", "title", "phone", "identity_no", "profile")
        if key in given
    }
    for key in ("kinds", "languages"):
        if key in given:
            changes[key] = several(given[key])
    changed = list(pool.revise(session, person_id, changes, by=by))
    if "fields" in given and pool.set_fields(session, person_id, codes_of(given["fields"]), by=by):
        changed.append("fields")
    if "units" in given and pool.affiliate_all(session, person_id, units_of(given["units"]), by=by):
        changed.append("units")
    if changed:
        result.outcome = CHANGED
        result.changed = tuple(column.key for column in COLUMNS if column.key in changed)


def _email_kept(result: RowReport) -> None:
    result.remarks.append(
        CellFinding(
            "email",
            "email_kept",
            "此账户已有其他邮箱，未更改。账户信息由系统管理员维护。",
            "The account has another mail address, which stays. Accounts are the administrator's.",
        )
    )


def _alike(other: Candidate, reasons: Sequence[str]) -> CellFinding:
    zh, en = ("、".join(REASONS[r][1].zh for r in reasons), ", ".join(REASONS[r][1].en for r in reasons))
    return CellFinding(
        "",
        "perhaps_there",
        f"可能与 {other.name}（{other.login}）重复：{zh}。如是同一人，请让其中一条退出专家库。",
        f"Perhaps the same as {other.name} ({other.login}): {en}. If so, retire one of the two.",
    )


# Giving out ---------------------------------------------------------------------------------------------


def export_experts(session: Session, actor_id: UUID, ending: str) -> bytes:
    """The pool as far as somebody sees it. Telephone numbers only for those who may; no identity numbers."""
    heads = [column.head for column in COLUMNS]
    rows = [[cell_of(row, column.key) for column in COLUMNS] for row in export_rows(session, actor_id)]
    return write_sheet(ending, "专家库 Experts", heads, rows)


def template(ending: str) -> bytes:
    """An empty sheet with the header; as xlsx with a second sheet that says what belongs where."""
    notes = [["列 Column", "说明", "What belongs there"]]
    notes += [[column.head, column.hint.zh, column.hint.en] for column in COLUMNS]
    notes += [["", "", ""], ["学科 Subject", "一级学科", "First level"]]
    notes += [[code, name.zh, name.en] for code, name in first_level().items()]
    heads = [column.head for column in COLUMNS]
    return write_sheet(ending, "专家库 Experts", heads, [], ("说明 Notes", notes))


__all__ = [
    "CHANGED",
    "COLUMNS",
    "CREATED",
    "REFUSED",
    "UNCHANGED",
    "CellFinding",
    "Report",
    "RowReport",
    "export_experts",
    "import_experts",
    "template",
]
