"""Spreadsheets of the expert pool in the browser: taken in with a report per row, given out, a template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.responses import Response

from milepost.experts.permits import ExpertError
from milepost.importing.experts import Report, export_experts, import_experts, template
from milepost.web.experts import Words, may_enrol, say
from milepost.web.render import page
from milepost.web.visitor import Missing, PoolReader, Typed, text_of
from milepost.work.conflicts import take_away_conflicted
from schema.money import Explained

router = APIRouter(include_in_schema=False)
Ending = Literal["xlsx", "csv"]
_MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class ImportPage:
    """The form for a file, and what became of the one that was sent."""

    report: Report | None = None
    checked_only: bool = False
    error: str = ""
    words: Words = field(default_factory=Words)


@router.get("/experts/sheets/import")
def show_import(visitor: PoolReader) -> Response:
    """The form for a spreadsheet."""
    if not may_enrol(visitor):
        raise Missing
    return page(visitor, "expert_import.html", ImportPage())


@router.post("/experts/sheets/import")
def take_in(visitor: PoolReader, form: Typed) -> Response:
    """Take a spreadsheet in and show what became of each row."""
    if not may_enrol(visitor):
        raise Missing
    sent, check = form.get("file"), bool(text_of(form, "check"))
    try:
        if not isinstance(sent, UploadFile) or not sent.filename:
            raise ExpertError("file_missing", "请选择一个文件。", "Choose a file.")
        most = visitor.web.settings.upload_bytes_max
        content = sent.file.read(most + 1)
        if len(content) > most:
            raise ExpertError(
                "file_too_large",
                f"文件超过 {most // 1000} kB。请分成几个文件。",
                f"The file has more than {most // 1000} kB. Split it into several.",
            )
        report = import_experts(visitor.session, sent.filename, content, by=visitor.id, check=check)
        if not check:
            take_away_conflicted(visitor.session)
    except Explained as error:
        return page(visitor, "expert_import.html", ImportPage(error=say(visitor, error)), status=422)
    return page(visitor, "expert_import.html", ImportPage(report, check))


@router.get("/experts/sheets/pool.{ending}")
def give_out(visitor: PoolReader, ending: Ending) -> Response:
    """The pool as a spreadsheet, as far as the reader sees it."""
    content = export_experts(visitor.session, visitor.id, ending)
    return _attached(content, f"experts-{visitor.session.clock.today()}.{ending}", ending)


@router.get("/experts/sheets/template.{ending}")
def give_template(visitor: PoolReader, ending: Ending) -> Response:
    """An empty spreadsheet to fill in."""
    return _attached(template(ending), f"experts-template.{ending}", ending)


def _attached(content: bytes, name: str, ending: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=_MEDIA[ending], headers=headers)
