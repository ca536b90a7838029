"""The tree of commands. Each has ``--json`` and ``--lang``, and those that act for somebody ``--as``.

Nothing is imported here but the command modules, and these import what they need when they run: the help
must come at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from milepost import __version__
from milepost.cli.terminal import Terminal

Lang = Literal["zh", "en"]
AsJson = Annotated[bool, typer.Option("--json", help="以 JSON 输出 · Answer in JSON.")]
Language = Annotated[Lang | None, typer.Option("--lang", help="语言 · Language of the answer.")]
ActingAs = Annotated[
    str | None,
    typer.Option("--as", envvar="MILEPOST_AS", metavar="LOGIN", help="以谁的身份办理 · Who acts."),
]
_COMMON: tuple[tuple[str, Any, Any], ...] = (("as_json", AsJson, False), ("lang", Language, None))
_ACTING: tuple[str, Any, Any] = ("acting_as", ActingAs, None)


def _group(help: str) -> typer.Typer:
    return typer.Typer(help=help, no_args_is_help=True, pretty_exceptions_enable=False)


app = typer.Typer(
    help="里程碑：从申报到拨付 · Milepost: grants from application to the last payment.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
programme = _group("计划：检验、图示、比较、发布 · Programmes: check, draw, compare, publish.")
person = _group("人员与角色 · People, their roles and passwords.")
mail = _group("邮件 · Mail.")
flow = _group("流程：查看、运行、部署 · Flows: list, run, deploy.")
pool = _group("专家库：导入、导出、查看、查重 · The expert pool: import, export, list, find duplicates.")
drawing = _group("专家抽取：列出、查看、导出、核验 · Draws of experts: list, show, export, verify.")
reviews = _group("评审：排名、需要留意的现象 · Reviews: rankings, and what looks odd.")
notices = _group("公示 · Public notices.")
claims = _group("费用申报：从表格导入明细 · Cost claims: take lines in from a spreadsheet.")
bank = _group("银行：批次、文件、对账、模拟银行 · The bank: batches, files, reconciliation, a simulated one.")
budget = _group("预算：执行、年度决算、试算 · Budgets: execution, the year's close, what-if.")
app.add_typer(programme, name="programme")
app.add_typer(person, name="person")
app.add_typer(mail, name="mail")
app.add_typer(flow, name="flow")
app.add_typer(pool, name="experts")
app.add_typer(reviews, name="review")
app.add_typer(notices, name="notice")
app.add_typer(drawing, name="draw")
app.add_typer(bank, name="bank")
app.add_typer(claims, name="claim")
app.add_typer(budget, name="budget")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"milepost {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    as_json: AsJson = False,
    lang: Language = None,
    acting_as: ActingAs = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="版本 · Show the version.")
    ] = False,
) -> None:
    # Said before the command's name or after it, an option means the same.
    ctx.obj = {"as_json": as_json, "lang": lang, "acting_as": acting_as}


def command(
    group: typer.Typer, name: str, help: str, *, acts: bool = False
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Enter a function as a command: its first parameter is the terminal, the others are what it asks for."""

    def enter(function: Callable[..., int | None]) -> Callable[..., int | None]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        common = [*([_ACTING] if acts else []), *_COMMON]
        kind = inspect.Parameter.KEYWORD_ONLY
        asked = [p.replace(kind=kind) for p in own]
        asked += [inspect.Parameter(n, kind, default=d, annotation=a) for n, a, d in common]
        asked.append(inspect.Parameter("ctx", kind, annotation=typer.Context))

        def run(**given: Any) -> None:
            ctx = given.pop("ctx")
            root = ctx.find_root().obj or {}
            chosen = {n: given.pop(n, None) or root.get(n) for n, _, _ in (_ACTING, *_COMMON)}
            terminal = Terminal(
                as_json=bool(chosen["as_json"]), locale=chosen["lang"], login=chosen["acting_as"]
            )
            raise typer.Exit(terminal.run(lambda: function(terminal, **given)))

        run.__signature__ = inspect.Signature(asked)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in asked}
        group.command(name, help=help)(run)
        return function

    return enter


# Last: these modules enter their commands above.
from milepost.cli import bank as _bank_commands  # noqa: E402, F401
from milepost.cli import budget as _budget_commands  # noqa: E402, F401
from milepost.cli import claims as _claim_commands  # noqa: E402, F401
from milepost.cli import (  # noqa: E402, F401
    draw,
    evidence,
    experts,
    figures,
    flows,
    importing,
    payments,
    people,
    programmes,
    receivables,
    review,
    running,
    steps,
)
