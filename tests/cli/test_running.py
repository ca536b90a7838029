"""What runs for a while says when it is up, stops in order when told, and says why where it cannot begin."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell

ROOT = Path(__file__).resolve().parents[2]


def ports(count: int) -> list[str]:
    """Ports that nobody listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return found


def serving(shell: Shell, folder: Path, port: str, sink: str, prefect: str) -> subprocess.Popen[str]:
    """``milepost serve`` as a shell starts it; the Prefect server it is told of is not there."""
    env = {
        **os.environ,
        **shell.env,
        "MILEPOST_DATA_DIR": str(folder),
        "MILEPOST_PORT": port,
        "MILEPOST_MAIL_SINK_PORT": sink,
        "MILEPOST_PREFECT_API_URL": f"http://127.0.0.1:{prefect}/api",
    }
    command = [sys.executable, "-m", "milepost", "serve", "--json"]
    return subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def answer(process: subprocess.Popen[str]) -> Any:
    """The first whole JSON value that a process prints."""
    assert process.stdout is not None
    lines = ""
    for line in process.stdout:
        lines += line
        if line.rstrip() == "}":
            return json.loads(lines)
    raise AssertionError(f"{lines} {process.stderr.read() if process.stderr else ''}")


@pytest.mark.slow
def test_the_office_is_served_until_it_is_told_to_stop(shell: Shell, tmp_path: Path) -> None:
    port, sink, prefect = ports(3)
    process = serving(shell, tmp_path, port, sink, prefect)
    try:
        told = answer(process)
        assert told["ok"] and told["url"] == f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(told["url"], timeout=10) as page:
            assert page.status == 200
        second = serving(shell, tmp_path, port, sink, prefect)
        assert answer(second)["error"]["code"] == "not_served"
        assert second.wait(30) == 2
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
