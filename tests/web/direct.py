"""Many pages read one after another by one browser, without a client and a thread for each: for sweeps.

The application is called as a server would call it, so that an answer is the same, at half the cost. Nothing
is sent but reads; cookies that an answer sets are not kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from milepost import people
from milepost.actions import Actor
from milepost.db import Session
from tests.web.conftest import Site


@dataclass(frozen=True)
class Answer:
    """What came back: the status, every header in its order, the content."""

    status_code: int
    headers: tuple[tuple[str, str], ...]
    content: bytes

    @cached_property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode("utf-8", "replace")


def sweep(site: Site, actor: Actor | None, paths: Iterable[str], locale: str = "en") -> list[Answer]:
    """The answers to one reader who logged in a moment ago, or to somebody who has not."""
    headers = [(b"host", b"testserver"), (b"accept-language", locale.encode())]
    if actor is not None:
        with site.database.session() as session:
            people.set_locale(session, actor.id, locale)
            token = people.open_login(Session(session.conn, site.minutes), actor.id, 12)
        headers.append((b"cookie", f"milepost={token}".encode()))
    return asyncio.run(_all(site.app, paths, headers))


async def _all(app: Any, paths: Iterable[str], headers: list[tuple[bytes, bytes]]) -> list[Answer]:
    return [await _one(app, path, headers) for path in paths]


async def _one(app: Any, path: str, headers: list[tuple[bytes, bytes]]) -> Answer:
    place, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(place),
        "raw_path": place.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("testclient", 50000),
        "server": ("testserver", 80),
    }
    asked, over = False, asyncio.Event()
    head: list[Any] = []
    body: list[bytes] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            head.append(message)
        else:
            body.append(message.get("body", b""))

    await app(scope, receive, send)
    over.set()
    start = head[0]
    told = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    return Answer(start["status"], told, b"".join(body))
