"""Errors that have a reason, as an exit code, a name and one clear sentence in both languages."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from config.programme_problems import ProgrammeError
from milepost.cli.terminal import REFUSED, USAGE
from milepost.embedded import EmbeddedError
from milepost.importing.grants import FolderRefused
from milepost.programmes import OwnerNeeded, VersionTaken
from states.labels import role_label, worded
from states.refusals import Refused

Failure = tuple[int, str, str, str, dict[str, Any]]
# Errors that say what is wrong in English, a dot, and in Chinese.
_BILINGUAL = {"NoPrefectServer": "prefect_unreachable", "ServeError": "not_served"}


def told(error: BaseException) -> Failure | None:
    """What to tell about an error, or None where it is a fault of ours that must show as one."""
    if isinstance(error, Refused):
        return _refused(error)
    if isinstance(error, ProgrammeError):
        return REFUSED, "programme_invalid", str(error), str(error), {"problems": _problems(error)}
    if isinstance(error, FolderRefused):
        return _folder(error)
    # By name: to import Prefect, or the whole of the replay, to learn what went wrong takes seconds.
    if (code := _BILINGUAL.get(type(error).__name__)) is not None:
        en, _, zh = str(error).partition(" · ")
        return USAGE, code, zh, en, {}
    if type(error).__name__ == "OtherFolder":
        zh, _, en = str(error).partition("。 ")
        return REFUSED, "other_folder", f"{zh}。", en, {}
    if isinstance(error, VersionTaken):
        en, _, zh = str(error).partition(" · ")
        return REFUSED, "version_taken", zh, en, {}
    if isinstance(error, OwnerNeeded):
        return USAGE, error.code, error.zh, error.en, {}
    if isinstance(error, EmbeddedError):
        return USAGE, "embedded", f"内置数据库无法使用：{error}", str(error), {}
    if isinstance(error, DBAPIError) and error.orig is not None:
        return told(error.orig)
    if isinstance(error, psycopg.Error):
        return _database(error)
    if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError | PermissionError):
        name, why = error.filename or "", error.strerror or str(error)
        return USAGE, "file", f"无法读写文件“{name}”：{why}。", f"The file {name} cannot be used: {why}.", {}
    return None


def _folder(error: FolderRefused) -> Failure:
    files = [{"file": f.file, "code": f.code, "zh": f.zh, "en": f.en} for f in error.files]
    zh, en = ("\n".join(getattr(f, locale) for f in error.files) for locale in ("zh", "en"))
    return REFUSED, "folder_refused", zh, en, {"files": files}


def refusal_lines(error: Refused, locale: str) -> str:
    """Every refusal: the fact, the remedy, who can act."""
    lines = []
    for refusal in error.refusals:
        said = worded(refusal, locale)
        if locale == "zh":
            who = "、".join(role_label(role).zh for role in said.who)
            lines += [f"✗ {said.fact('zh')}", f"  {said.remedy('zh')}（可办理：{who}）"]
        else:
            who = ", ".join(role_label(role).en for role in said.who)
            lines += [f"✗ {said.fact('en')}", f"  {said.remedy('en')} (Who can act: {who})"]
    return "\n".join(lines)


def _refused(error: Refused) -> Failure:
    more = {"refusals": [refusal.as_json() for refusal in error.refusals]}
    return REFUSED, "refused", refusal_lines(error, "zh"), refusal_lines(error, "en"), more


def _problems(error: ProgrammeError) -> list[dict[str, Any]]:
    return [
        {"code": p.code, "file": error.name, "line": p.line, "path": p.path, "zh": p.zh, "en": p.en}
        for p in error.problems
    ]


def _database(error: psycopg.Error) -> Failure | None:
    first = next(iter(str(error).strip().splitlines()), "")
    missing = psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn
    # A log-in that fails has no code. The role comes with the first migration.
    if isinstance(error, missing) or 'role "milepost_app" does not exist' in first:
        return (
            USAGE,
            "not_set_up",
            "数据库中还没有（或不是本版本的）Milepost 数据表。"
            "请先执行 milepost serve 或 milepost programme publish。",
            "The database does not have the tables of this Milepost yet. Begin with `milepost serve` or "
            "`milepost programme publish`.",
            {},
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            USAGE,
            "database_rights",
            f"数据库账户权限不足：{first}。请在 MILEPOST_OWNER_URL 中指定表的所有者。",
            f"The database role may not do this: {first}. Name the owner of the tables in "
            "MILEPOST_OWNER_URL.",
            {},
        )
    if isinstance(error, psycopg.OperationalError):
        return (
            USAGE,
            "database_unreachable",
            f"无法连接数据库：{first}。请检查 MILEPOST_DATABASE_URL 与服务器。",
            f"The database cannot be reached: {first}. Check MILEPOST_DATABASE_URL and the server.",
            {},
        )
    return None


__all__ = ["Failure", "told"]
