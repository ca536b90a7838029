"""`serve` is one command: the web first, Prefect behind it, the flows inside, and all of it stopped in order.

The flows deployed to a Prefect server with two process workers do the same as inside ``serve``. And without
Prefect they happen all the same.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.schedule import POOL, SCHEDULE
from config.settings import Settings
from milepost.clock import OFFICE_ZONE
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from tests.conftest import DatabaseUrls
from tests.flows.scene import set_scene, settled, traces

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parent.parent.parent
# Without bytecode Prefect starts twice as slowly.
_NOT_OURS = ("PREFECT_", "PYTHONDONTWRITEBYTECODE")
SERVING = """
import sys
from config.settings import load_settings
from milepost.serve import serve

serve(
    load_settings(),
    ready=lambda serving: print(serving.url, flush=True),
    with_prefect=sys.argv[1] == "prefect",
)
print("ended", flush=True)
"""


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class Place:
    """Where one installation is: its folder, ports and database, as the environment names them."""

    def __init__(self, urls: DatabaseUrls, folder: Path) -> None:
        self.web, self.prefect, self.mail = free_ports(3)
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)},
            "PYTHONPATH": str(ROOT),
            "MILEPOST_DATABASE_URL": urls.app,
            "MILEPOST_OWNER_URL": urls.owner,
            "MILEPOST_DATA_DIR": str(folder),
            "MILEPOST_PORT": str(self.web),
            "MILEPOST_PREFECT_PORT": str(self.prefect),
            "MILEPOST_MAIL_SINK_PORT": str(self.mail),
        }

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.prefect}/api"

    @contextmanager
    def serving(self, prefect: bool) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVING, "prefect" if prefect else "without"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def asked(url: str, **body: Any) -> Any:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    for left in range(20, -1, -1):
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            # On SQLite Prefect puts off whoever comes while it writes.
            if error.code != 503 or not left:
                raise
        time.sleep(0.5)


def wait_until(true: Callable[[], object], what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what}: it did not come about"
        time.sleep(0.2)


@pytest.fixture
def other_urls(server: EmbeddedPostgres, template: str) -> Iterator[DatabaseUrls]:
    """A second database like the first."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        yield DatabaseUrls(
            owner=server.url("postgres", name), app=server.url("milepost_app", name), name=name
        )
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.flow
@pytest.mark.slow
def test_serve_and_two_workers_of_a_prefect_server_do_the_same(
    database: Database, database_urls: DatabaseUrls, other_urls: DatabaseUrls, tmp_path: Path
) -> None:
    today = datetime.now(UTC).astimezone(OFFICE_ZONE).date()
    served = set_scene(database, today)
    other = Database(other_urls.app, owner_url=other_urls.owner)
    worked = set_scene(other, today)
    here, there = Place(database_urls, tmp_path / "here"), Place(other_urls, tmp_path / "there")
    here.folder.mkdir()
    there.folder.mkdir()
    with ExitStack() as stack:
        stack.callback(other.close)
        process = stack.enter_context(here.serving(prefect=True))
        assert said(process) == f"http://127.0.0.1:{here.web}"
        # The web does not wait for Prefect.
        assert answers(f"http://127.0.0.1:{here.web}/login")
        wait_until(lambda: len(settled(served)) == 2, "serve pays")
        wait_until(lambda: has_run(here.api_url, "sealing"), "serve's first round ends")
        workers = deploy_and_work(stack, here.api_url, there)
        for job in SCHEDULE:
            start(here.api_url, job.name)
        wait_until(lambda: idle(here.api_url), "the workers rest", 150)
        assert states(here.api_url) == {"COMPLETED": len(SCHEDULE)}
        assert all(worker.poll() is None for worker in workers)
        expected, found = traces(served), traces(worked)
        assert len(settled(worked)) == 2
        assert (found["steps"], found["bank"]) == (expected["steps"], expected["bank"])
        # Which of two flows came first decides who was still to be reminded: each of them once.
        for counts in (*expected.values(), *found.values()):
            assert not isinstance(counts, Counter) or set(counts.values()) == {1}

        # Killed, it leaves nobody behind; begun again, it takes over and marks what was left.
        left = asked(
            f"{here.api_url}/flow_runs/",
            flow_id=asked(f"{here.api_url}/flows/filter", limit=1)[0]["id"],
            tags=["milepost-serve"],
            state={"type": "RUNNING"},
        )["id"]
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not answers(f"{here.api_url}/health"), "Prefect ends with its parent", 30)
        again = stack.enter_context(here.serving(prefect=True))
        assert said(again) == f"http://127.0.0.1:{here.web}"
        wait_until(lambda: answers(f"{here.api_url}/health"), "Prefect comes up again")
        wait_until(lambda: state_of(here.api_url, left) == "CRASHED", "what was left is marked")
        again.send_signal(signal.SIGTERM)
        assert said(again) == "ended"
        assert again.wait(20) == 0
        assert not answers(f"{here.api_url}/health")
        assert not answers(f"http://127.0.0.1:{here.web}/login")


def deploy_and_work(stack: ExitStack, api_url: str, there: Place) -> list[subprocess.Popen[bytes]]:
    """All deployments on the Prefect server, and two workers for another installation."""
    program = (
        "import sys; from config.settings import load_settings; from flows.deploy import deploy; "
        "print(*[deploy(load_settings(), sys.argv[1]) for _ in range(2)][1])"
    )
    made = subprocess.run(
        [sys.executable, "-c", program, api_url],
        env=there.environment,
        cwd=there.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(made.stdout.split()) == len(SCHEDULE)
    workers = []
    for n in range(2):
        environment = {
            **there.environment,
            "PREFECT_API_URL": api_url,
            "PREFECT_HOME": str(there.folder / f"prefect-{n}"),
            "DO_NOT_TRACK": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--limit", "1"]
        worker = subprocess.Popen(
            command,
            env=environment,
            cwd=there.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(end, worker)
        workers.append(worker)
    return workers


def end(worker: subprocess.Popen[bytes]) -> None:
    """Ask a worker to stop; one that waits for a server that is gone may wait for good."""
    worker.terminate()
    try:
        worker.wait(15)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def start(api_url: str, name: str) -> str:
    """A run of a deployment, now."""
    deployments = asked(f"{api_url}/deployments/filter", deployments={"name": {"any_": [name]}})
    made = asked(f"{api_url}/deployments/{deployments[0]['id']}/create_flow_run", name="by-test")
    return str(made["id"])


def runs(api_url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asked(f"{api_url}/flow_runs/filter", limit=200)
    return found


def has_run(api_url: str, name: str, pool: str | None = None) -> bool:
    """Whether a flow of that name has completed, in serve or by a worker of a pool."""
    if not answers(f"{api_url}/health"):
        return False
    ids = [flow["id"] for flow in asked(f"{api_url}/flows/filter", flows={"name": {"any_": [name]}})]
    return any(
        run["state_type"] == "COMPLETED" and run["flow_id"] in ids and run["work_pool_name"] == pool
        for run in runs(api_url)
    )


def idle(api_url: str) -> bool:
    """Whether every run that was asked for here has ended."""
    return set(states(api_url)) <= {"COMPLETED", "CANCELLED", "FAILED", "CRASHED"}


def states(api_url: str) -> dict[str, int]:
    """How the runs that were asked for here stand."""
    return dict(Counter(run["state_type"] for run in runs(api_url) if run["name"] == "by-test"))


def state_of(api_url: str, run_id: str) -> str:
    with urllib.request.urlopen(f"{api_url}/flow_runs/{run_id}", timeout=20) as answer:
        return str(json.loads(answer.read())["state_type"])


def test_without_prefect_everything_happens_all_the_same(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    world = set_scene(database, datetime.now(UTC).astimezone(OFFICE_ZONE).date())
    place = Place(database_urls, tmp_path)
    with place.serving(prefect=False) as process:
        assert said(process) == f"http://127.0.0.1:{place.web}"
        wait_until(lambda: len(settled(world)) == 2, "money leaves")
        wait_until(lambda: world.value("SELECT count(*) FROM seal"), "the day before is sealed")
        process.send_signal(signal.SIGINT)
        assert said(process) == "ended"
        assert process.wait(20) == 0


def test_a_port_that_is_taken_is_said_with_the_remedy(
    database: Database, database_urls: DatabaseUrls, tmp_path: Path, free_port: int
) -> None:
    from milepost.serve import ServeError, serve

    settings = Settings(data_dir=tmp_path, port=free_port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        with pytest.raises(ServeError, match="MILEPOST_PORT"):
            serve(settings, database=database, with_prefect=False)
