"""The application: pages and API over one database, behind one shield."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from config.settings import Settings
from milepost.clock import Clock, SystemClock
from milepost.db import Database
from milepost.web import (
    admin,
    api,
    bank,
    budget,
    claims,
    delegations,
    draws,
    expert_sheets,
    experts,
    figures,
    invitations,
    login,
    matching,
    office,
    payments,
    projects,
    public,
    ranking_deeds,
    rankings,
    receivables,
    reviews,
    steps,
)
from milepost.web.openapi import describe
from milepost.web.render import HERE
from milepost.web.shield import Shield, forged, nothing_there, plain
from milepost.web.visitor import WAIT_SECONDS, Anyone, Forged, LoginNeeded, Missing, Web


def create_app(database: Database, settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """The web of an installation. The database stays the caller's to close.

    ``clock`` times log-ins only; the machine's unless told, also where the database's days are simulated.
    """
    app = FastAPI(
        title="Milepost",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.web = Web(database, settings, clock or SystemClock())
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.add_api_route("/healthz", health, methods=["GET"], include_in_schema=False)
    # The sheets of the pool before its entries: their addresses look like an entry's.
    for part in (
        login,
        public,
        draws,
        invitations,
        steps,
        payments,
        projects,
        reviews,
        rankings,
        ranking_deeds,
        matching,
        budget,
        office,
        figures,
        bank,
        claims,
        receivables,
        delegations,
        admin,
        expert_sheets,
        experts,
        api,
    ):
        app.include_router(part.router)
    app.add_exception_handler(LoginNeeded, _login_needed)
    app.add_exception_handler(Missing, _missing)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(Forged, lambda request, error: forged(request.scope))
    body_max = settings.upload_bytes_max * 5 + 2 * 1024 * 1024
    app.add_middleware(Shield, body_max=body_max, https=settings.https)
    return app


def health(visitor: Anyone) -> dict[str, str]:
    """Whether the database answers; a 503 otherwise."""
    visitor.session.conn.execute("SELECT 1")
    return {"status": "ok"}


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _login_needed(request: Request, error: Exception) -> Response:
    if _is_api(request):
        answer = plain(
            request.scope,
            401,
            "login_needed",
            "请先登录。",
            "通过 POST /api/v1/session 取得令牌，并以 Authorization: Bearer 发送。",
            "A log-in is needed.",
            "Get a token from POST /api/v1/session and send it as Authorization: Bearer.",
        )
        answer.headers["www-authenticate"] = "Bearer"
        return answer
    if request.method != "GET":
        return plain(
            request.scope,
            401,
            "login_needed",
            "您的登录已结束。",
            "没有任何内容被更改。请在新窗口登录，然后返回上一页刷新并重新提交。",
            "Your log-in has ended.",
            "Nothing was changed. Log in in another window, go back, reload and submit again.",
        )
    return RedirectResponse(login.login_address(request.url.path, request.url.query), 303)


def _missing(request: Request, error: Exception) -> Response:
    return nothing_there(request.scope)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _missing(request, error)
    if error.status_code == 405:
        return plain(
            request.scope,
            405,
            "method_not_allowed",
            "此地址不支持这种请求方式。",
            "请从页面上的按钮操作。",
            "This address does not take that method.",
            "Use the buttons of the pages.",
        )
    return plain(
        request.scope,
        error.status_code,
        "request_unreadable",
        "无法读取这个请求。",
        "没有任何内容被更改。请返回上一页重试。",
        "This request cannot be read.",
        "Nothing was changed. Go back and try again.",
    )


def _unreadable(request: Request, error: Exception) -> Response:
    """An address or a header that is not what it should be; an id that is none is a thing not there."""
    assert isinstance(error, RequestValidationError)
    wrong: list[dict[str, Any]] = [dict(entry) for entry in error.errors()]
    if any(entry["loc"][0] == "path" for entry in wrong) or not _is_api(request):
        return _missing(request, error)
    return JSONResponse(api.unreadable(wrong), 422)


__all__ = ["WAIT_SECONDS", "create_app"]
