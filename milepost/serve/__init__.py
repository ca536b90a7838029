"""``serve``: one command that starts the database, the web, the scheduler and the flows, and stops them.

The web is up first; Prefect comes up behind it, in the process that leads. Of several processes on one
database every one serves the web and one ticks the flows; when it dies, another one does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from config.settings import Settings
from flows.environment import prefect_environment
from milepost.db import Database
from milepost.mail.sink import MailSink, SinkError
from milepost.mail.templates import check_templates
from milepost.programmes import OwnerNeeded, register_machines, stranded
from milepost.runtime import open_database
from milepost.serve.prefect_child import PrefectChild

log = logging.getLogger("milepost.serve")
GRACE_SECONDS = 10
FLOW_SECONDS = 60.0
"""So long a flow that runs when everything stops is waited for."""


class ServeError(RuntimeError):
    """Milepost cannot be served here. The message says what is wrong and what to do, in both languages."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What is up: the address for people, the API of the Prefect server that is coming up (None: none)."""

    url: str
    prefect_api_url: str | None
    data_dir: Path


def serve(
    settings: Settings,
    *,
    ready: Callable[[Serving], None] = lambda serving: None,
    database: Database | None = None,
    stop: threading.Event | None = None,
    with_prefect: bool = True,
) -> None:
    """Serve until SIGTERM, SIGINT or ``stop``; then stop the scheduler, the flows, Prefect, web, database.

    ``ready`` is called once people can log in. ``database`` is one the caller has open and goes on owning.
    """
    stopping = stop or threading.Event()
    own = PrefectChild(settings.data_dir / "prefect", settings.prefect_port, settings.prefect_database_url)
    api_url = settings.prefect_api_url or (own.api_url if with_prefect else None)
    # Prefect reads its environment when it is imported, which the flows do.
    os.environ.update(prefect_environment(api_url, settings.data_dir.absolute() / "prefect"))
    with ExitStack() as stack:
        stack.enter_context(_until_signalled(stopping))
        opened = database or stack.enter_context(open_database(settings))
        _fit_to_serve(opened)
        stack.enter_context(_web(opened, settings))
        ready(Serving(settings.base_url, api_url, settings.data_dir))
        child = own if with_prefect and settings.prefect_api_url is None else None
        stack.enter_context(_flows(opened, settings, api_url, child))
        stopping.wait()


def _fit_to_serve(database: Database) -> None:
    """No name without its text, no row in a state that this version does not know, every step allowed."""
    check_templates()
    with database.session() as session:
        lost = stranded(session.conn)
        if not lost:
            try:
                register_machines(session.conn, database.owner_url)
            except OwnerNeeded as problem:
                raise ServeError(f"{problem.en} · {problem.zh}") from None
    if lost:
        raise ServeError(
            f"Rows stand in states that this version does not know: {', '.join(lost)}. Serve with the "
            f"version that knows them, or bring a migration. · "
            f"有记录处于本版本没有的状态：{', '.join(lost)}。请使用认识这些状态的版本，或先迁移。"
        )


@contextmanager
def _until_signalled(stopping: threading.Event) -> Iterator[None]:
    """The first signal stops in order; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def hear(number: int, frame: FrameType | None) -> None:
        stopping.set()
        for each in before:
            signal.signal(each, signal.SIG_DFL)

    for number in before:
        signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- the web -------------------------------------------------------------------------------------------------


@contextmanager
def _web(database: Database, settings: Settings) -> Iterator[None]:
    """The web in a thread of its own, listening when this yields."""
    from milepost.web.app import create_app

    config = uvicorn.Config(
        create_app(database, settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    with _listening(settings.host, settings.port) as listener:
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="milepost web", daemon=True
        )
        thread.start()
        while not server.started:
            thread.join(0.02)
            if not thread.is_alive():
                raise ServeError(
                    "the web did not start; the reason stands above · 网页服务未能启动，原因见上"
                )
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(GRACE_SECONDS + 5)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise ServeError(
                f"cannot listen on {host}:{port} ({error.strerror}). Stop what listens there, or set "
                f"MILEPOST_PORT · 无法监听 {host}:{port}。请停止占用该端口的程序，或设置 MILEPOST_PORT"
            ) from None
        yield listener


# -- the flows -----------------------------------------------------------------------------------------------


class _Beside:
    """What runs beside the flows of the process that leads: the Prefect server and the mail sink."""

    def __init__(self, settings: Settings, child: PrefectChild | None) -> None:
        self._settings, self._child = settings, child
        self._sink: MailSink | None = None
        self._said = ""

    def keep_up(self) -> None:
        """Start what is not up."""
        if self._child is not None:
            self._child.keep_up()
        if self._settings.smtp_host is None and self._sink is None:
            sink = MailSink(self._settings.mail_sink_port, self._settings.data_dir / "mail")
            try:
                sink.start()
            except SinkError as error:
                # The sink of a process that has just died may still hold the port; mail waits.
                if str(error) != self._said:
                    log.warning("%s", error)
                self._said = str(error)
                return
            self._sink = sink

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
        if self._sink is not None:
            self._sink.stop()
            self._sink = None


@contextmanager
def _flows(
    database: Database, settings: Settings, api_url: str | None, child: PrefectChild | None
) -> Iterator[None]:
    """The scheduler and the flows in a thread and a loop of their own, so that pages never wait for them."""
    beside = _Beside(settings, child)
    started, stops = threading.Event(), list[Callable[[], object]]()

    def work() -> None:
        try:
            asyncio.run(_tick(database, settings, api_url, beside, stops, started))
        except Exception:
            log.exception("the scheduler ended; the web goes on without it")
        finally:
            started.set()

    thread = threading.Thread(target=work, name="milepost flows", daemon=True)
    thread.start()
    started.wait()
    try:
        yield
    finally:
        for stop in stops:
            stop()
        thread.join(FLOW_SECONDS)
        beside.stop()


async def _tick(
    database: Database,
    settings: Settings,
    api_url: str | None,
    beside: _Beside,
    stops: list[Callable[[], object]],
    started: threading.Event,
) -> None:
    # Imported here because it imports Prefect, which takes seconds that the web should not wait for.
    loop = asyncio.get_running_loop()
    from flows.runtime import bind
    from milepost.serve.ticker import Ticker

    bind(database, settings)
    ticker = Ticker(database, settings, api_url, beside=beside.keep_up)
    stops.append(lambda: loop.call_soon_threadsafe(ticker.stop))
    started.set()
    await ticker.run()


__all__ = ["ServeError", "Serving", "serve"]
