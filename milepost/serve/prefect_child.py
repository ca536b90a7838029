"""The Prefect server that ``serve`` runs beside the web: one child, quiet, which ends with its parent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

from flows import prefect_server
from flows.environment import prefect_answers, prefect_environment

STOP_SECONDS = 10.0
AGAIN_SECONDS = 60.0
"""One that ends at once, because something else has its port, is not started over and over."""


class PrefectChild:
    """A Prefect server on a port of this machine, its log of runs in a folder. Start it again at will."""

    def __init__(self, home: Path, port: int, database_url: str | None = None) -> None:
        self.home, self.port = home.absolute(), port
        self.api_url = f"http://127.0.0.1:{port}/api"
        self._database_url = database_url
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -AGAIN_SECONDS

    def keep_up(self) -> None:
        """Start it unless it runs, or unless another Prefect server answers on its port."""
        if self._process is not None and self._process.poll() is None:
            return
        if monotonic() - self._started < AGAIN_SECONDS or prefect_answers(self.api_url):
            return
        self._started = monotonic()
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **prefect_environment(self.api_url, self.home)}
        # Without bytecode Prefect starts twice as slowly.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if self._database_url is not None:
            environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = self._database_url
        with open(self.home / "server.log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, prefect_server.__file__, str(self.port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                # Ctrl-C is the parent's to hear; it stops things in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """The child's process, where it was started here."""
        return self._process.pid if self._process is not None else None

    def stop(self) -> None:
        """End it, kindly first."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


__all__ = ["PrefectChild"]
