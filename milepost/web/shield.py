"""What holds for every answer: headers that keep browsers strict, a bound on what is sent, errors that help.

The last resort for errors is here, inside the server's own: nothing of what went wrong reaches the reader,
and the log gets the place and the kind of an error, never a row's values.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg_pool import PoolTimeout
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("milepost.web")

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Milepost</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/static/app.css"></head>
<body><main class="plain"><h1>{zh}</h1><p>{zh_more}</p><h1 lang="en">{en}</h1><p lang="en">{en_more}</p>
<p><a href="/">我的工作 · My work</a></p></main></body></html>"""


class _TooLarge(Exception):
    """More was sent than is taken."""


def _wants_json(scope: Scope) -> bool:
    return str(scope["path"]).startswith(("/api/", "/healthz"))


def plain(scope: Scope, status: int, code: str, zh: str, zh_more: str, en: str, en_more: str) -> Response:
    """A page, or the API's shape, in both languages; it needs neither a database nor a person."""
    if _wants_json(scope):
        refusal = {
            "code": code,
            "fact": {"zh": zh, "en": en},
            "remedy": {"zh": zh_more, "en": en_more},
            "who": [],
        }
        return JSONResponse({"refusals": [refusal]}, status)
    return HTMLResponse(_PAGE.format(lang="zh", zh=zh, zh_more=zh_more, en=en, en_more=en_more), status)


def unavailable(scope: Scope) -> Response:
    """The database does not answer; it is asked again with the next request."""
    answer = plain(
        scope,
        503,
        "database_unavailable",
        "数据库暂时无法连接。",
        "没有任何内容被更改。请过一会儿再试；恢复后无需其他操作。",
        "The database cannot be reached right now.",
        "Nothing was changed. Try again in a moment; it recovers by itself.",
    )
    answer.headers["retry-after"] = "10"
    return answer


def broken(scope: Scope, number: str) -> Response:
    """Something of ours failed; the number finds it in the log."""
    return plain(
        scope,
        500,
        "internal_error",
        "系统出现错误。",
        f"没有任何内容被更改。请把编号 {number} 告诉管理员，以便查找原因。",
        "Something went wrong on our side.",
        f"Nothing was changed. Give the administrator the number {number}; it leads to the cause.",
    )


class Shield:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, *, body_max: int, https: bool) -> None:
        self.app, self.body_max, self.https = app, body_max, https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._harden(scope, MutableHeaders(scope=message))
            await send(message)

        if scope["method"] not in SAFE and _from_elsewhere(scope):
            await forged(scope)(scope, receive, guarded)
            return
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            # No text of ours has such a character, and the database takes none.
            await nothing_there(scope)(scope, receive, guarded)
            return
        if _announced(scope) > self.body_max:
            await self._answer(scope, _TooLarge())(scope, receive, guarded)
            return
        try:
            await self.app(scope, self._bounded(scope, receive), guarded)
        except Exception as error:
            if started:
                raise
            await self._answer(scope, error)(scope, receive, guarded)

    def _harden(self, scope: Scope, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if str(scope["path"]).startswith("/public/"):
            # The same for everybody; a page that may be kept says so itself, an error never does.
            headers.setdefault("cache-control", "no-store")
        elif not str(scope["path"]).startswith("/static/"):
            headers["cache-control"] = "no-store"
        if self.https:
            headers["strict-transport-security"] = "max-age=31536000"

    def _bounded(self, scope: Scope, receive: Receive) -> Callable[[], Awaitable[Message]]:
        left = self.body_max

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLarge
            return message

        return bounded

    def _answer(self, scope: Scope, error: Exception) -> Response:
        if isinstance(error, _TooLarge):
            return plain(
                scope,
                413,
                "too_large",
                "提交的内容过大。",
                f"一次最多 {self.body_max // 1024 // 1024} MB，请减少或压缩附件。",
                "What was sent is too large.",
                f"At most {self.body_max // 1024 // 1024} MB at once: send fewer or smaller files.",
            )
        if isinstance(error, PoolTimeout | psycopg.OperationalError | psycopg.InterfaceError):
            log.warning("database unavailable: %s", type(error).__name__)
            return unavailable(scope)
        number = uuid4().hex[:8]
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("error %s at %s: %s\n%s", number, scope["path"], type(error).__name__, where)
        return broken(scope, number)


def _announced(scope: Scope) -> int:
    """How many bytes the sender says will come."""
    given = Headers(scope=scope).get("content-length", "")
    return int(given) if given.isascii() and given.isdigit() else 0


def _from_elsewhere(scope: Scope) -> bool:
    """Whether a browser says that another site sent this."""
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    origin = headers.get("origin")
    return origin is not None and origin != "null" and urlsplit(origin).netloc != headers.get("host")


def nothing_there(scope: Scope) -> Response:
    """There is no such thing, or it is not for this person to see: the same answer for both."""
    return plain(
        scope,
        404,
        "not_found",
        "没有这个页面，或您无权查看。",
        "请从“我的工作”重新打开。",
        "There is no such page, or you may not see it.",
        "Open it again from your work list.",
    )


def forged(scope: Scope) -> Response:
    """The form is not one of ours, or it is too old."""
    return plain(
        scope,
        403,
        "form_not_ours",
        "无法确认这份表单来自本系统。",
        "没有任何内容被更改。请返回上一页并刷新，然后重新提交。",
        "This form cannot be confirmed to come from this system.",
        "Nothing was changed. Go back, reload the page and submit again.",
    )
