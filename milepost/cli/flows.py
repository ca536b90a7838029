"""Flows by hand: which there are, one run now, all of them deployed to a Prefect server."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from milepost.cli.app import command, flow
from milepost.cli.terminal import Terminal, Usage


@command(flow, "list", "有哪些流程、何时运行 · Which flows there are, and when they run.")
def list_(terminal: Terminal) -> None:
    from config.schedule import SCHEDULE

    if terminal.as_json:
        flows = [
            {
                "name": job.name,
                "cron": job.cron,
                "slot": job.slot,
                "what": job.what,
                "parameters": job.parameters,
            }
            for job in SCHEDULE
        ]
        terminal.answer({"ok": True, "timezone": terminal.settings.timezone, "flows": flows})
        return
    heads = (("流程", "flow"), ("时间", "when"), ("内容", "what"))
    terminal.table(heads, [(job.name, job.cron, job.what) for job in SCHEDULE])


@command(flow, "run", "立即运行一个流程 · Run one flow now; twice does no harm.")
def run(
    terminal: Terminal,
    name: Annotated[str, typer.Argument(metavar="FLOW", help="流程名称 · A flow's name.")],
    pairs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="参数，如 full=true · Its parameters."),
    ] = None,
) -> None:
    from flows.run import flow_names, run_flow_now
    from flows.runtime import binding

    if name not in flow_names():
        known = ", ".join(flow_names())
        raise Usage(
            "flow_unknown",
            f"没有流程“{name}”。可选：{known}。",
            f"There is no flow {name!r}; these exist: {known}.",
        )
    given = dict(_pair(pair) for pair in pairs or ())
    with (
        terminal.database() as database,
        binding(database, terminal.settings),
        terminal.progress("运行", "Running"),
    ):
        report = run_flow_now(name, terminal.settings, **given)
    if terminal.as_json:
        terminal.answer({"ok": True, "flow": name, "report": report})
        return
    terminal.line(f"✓ {name}", f"✓ {name}")
    terminal.table((("", ""), ("", "")), [(key, value) for key, value in report.items()])


def _pair(text: str) -> tuple[str, Any]:
    import json

    key, equals, value = text.partition("=")
    if not equals:
        raise Usage("pair_malformed", f"“{text}”不是 名称=值 的形式。", f"{text!r} is not key=value.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


@command(flow, "deploy", "部署到 Prefect 服务器 · Register every flow with a Prefect server.")
def deploy(
    terminal: Terminal,
    api_url: Annotated[
        str | None, typer.Option("--api-url", help="Prefect 服务器 · The server; else the settings' own.")
    ] = None,
) -> None:
    from config.schedule import POOL
    from flows.deploy import deploy as register

    with terminal.progress("部署", "Deploying"):
        made = register(terminal.settings, api_url)
    if terminal.as_json:
        terminal.answer({"ok": True, "pool": POOL, "deployments": made})
        return
    for name in made:
        terminal.line(f"✓ {name}", f"✓ {name}")
    terminal.line(
        f"在每台机器上运行：prefect worker start --pool {POOL}",
        f"Now on each machine: prefect worker start --pool {POOL}",
    )
