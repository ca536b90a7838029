"""``run_demo`` builds the city once, serves it, and prints an address and log-ins that work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from milepost.demo.run import PASSWORD

START = """
from config.settings import load_settings
from milepost.demo.run import run_demo
run_demo(load_settings())
"""


def started(folder: Path, port: int) -> tuple[subprocess.Popen[bytes], Path]:
    """A demo of its own on a port, and the file with what it prints."""
    out = folder / "out.txt"
    environment = {
        **os.environ,
        "MILEPOST_DATA_DIR": str(folder / "data"),
        "MILEPOST_PORT": str(port),
        "MILEPOST_MAIL_SINK_PORT": str(port + 1),
        "MILEPOST_PREFECT_PORT": str(port + 2),
        "COLUMNS": "160",
    }
    with open(out, "wb") as file:
        process = subprocess.Popen([sys.executable, "-c", START], env=environment, stdout=file, stderr=file)
    return process, out


def wait_for(out: Path, word: str, process: subprocess.Popen[bytes], seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        text = out.read_text(encoding="utf-8")
        if word in text:
            return text
        assert process.poll() is None, text
        time.sleep(0.1)
    raise AssertionError(out.read_text(encoding="utf-8"))


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(60) == 0
    finally:
        process.kill()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_demo_serves_what_it_built_and_does_not_build_it_twice(
    server_folder: Path, free_port: int
) -> None:
    process, out = started(server_folder, free_port)
    try:
        text = wait_for(out, "Ctrl-C", process, 150)
        assert f"http://127.0.0.1:{free_port}" in text and PASSWORD in text
        for login in ("officer1", "finance1", "expert1", "supervisor1", "counsel1", "admin1", "unit01"):
            assert login in text
        with httpx.Client(base_url=f"http://127.0.0.1:{free_port}", follow_redirects=True) as client:
            page = client.get("/")
            assert page.status_code == 200 and "password" in page.text
    finally:
        stop(process)
    began = time.monotonic()
    process, out = started(server_folder, free_port)
    try:
        wait_for(out, "Ctrl-C", process, 60)
        assert time.monotonic() - began < 60
    finally:
        stop(process)
