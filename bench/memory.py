"""Line 5: what ``serve`` takes up at rest, with its Prefect and its PostgreSQL. Written down, no goal."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.lines import Line
from bench.sizes import Sizes
from milepost.embedded import EmbeddedPostgres

COMPARED = (
    "no ratio: resident (RSS) and proportional (PSS, shared pages counted once) memory of `milepost serve` "
    "on an empty office, {rest} seconds after web and Prefect answered; in the raw figures, in MiB by process"
)
_UP_S = 180


@dataclass(frozen=True, slots=True)
class Taken:
    """The memory of some processes in MiB."""

    processes: int
    rss_mib: float
    pss_mib: float


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """Start ``serve`` in a folder of its own, let it rest, look, and stop it in order."""
    if not Path("/proc/self/smaps_rollup").exists():
        return []
    folder = Path(tempfile.mkdtemp(prefix="milepost-bench-serve-"))
    ports = {name: _free_port() for name in ("PORT", "PREFECT_PORT", "MAIL_SINK_PORT")}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MILEPOST_")}
    environment |= {f"MILEPOST_{name}": str(port) for name, port in ports.items()}
    environment["MILEPOST_DATA_DIR"] = str(folder)
    command = [sys.executable, "-m", "milepost", "serve"]
    serving = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{ports['PORT']}/", serving)
        _wait_for(f"http://127.0.0.1:{ports['PREFECT_PORT']}/api/health", serving)
        time.sleep(sizes.rest_s)
        found = _look(serving.pid, folder)
    finally:
        serving.send_signal(signal.SIGTERM)
        try:
            serving.wait(60)
        except subprocess.TimeoutExpired:
            serving.kill()
        EmbeddedPostgres(folder).stop(force=True)
        shutil.rmtree(folder, ignore_errors=True)
    whole = Taken(
        sum(t.processes for t in found.values()),
        round(sum(t.rss_mib for t in found.values()), 1),
        round(sum(t.pss_mib for t in found.values()), 1),
    )
    raw = {name: _as_json(taken) for name, taken in (*found.items(), ("together", whole))}
    return [Line("memory of serve at rest", None, COMPARED.format(rest=sizes.rest_s), raw=raw)]


def _as_json(taken: Taken) -> dict[str, float]:
    return {"processes": taken.processes, "rss_mib": taken.rss_mib, "pss_mib": taken.pss_mib}


def _look(pid: int, folder: Path) -> dict[str, Taken]:
    postmaster = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
    return {
        "serve": _taken([pid]),
        "prefect": _taken(_below(pid)),
        "postgresql": _taken([postmaster, *_below(postmaster)]),
    }


def _below(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for path in children for child in path.read_text().split()]
    return [*found, *(deeper for child in found for deeper in _below(child))]


def _taken(pids: Iterable[int]) -> Taken:
    sums = {"Rss": 0, "Pss": 0}
    count = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        count += 1
        for line in lines[1:]:
            name, _, rest = line.partition(":")
            if name in sums:
                sums[name] += int(rest.split()[0])
    return Taken(count, round(sums["Rss"] / 1024, 1), round(sums["Pss"] / 1024, 1))


def _wait_for(url: str, serving: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _UP_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if serving.poll() is not None:
                raise RuntimeError(f"`milepost serve` left with {serving.returncode}") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
