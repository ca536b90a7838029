"""The page that an invitation's link opens: whose it is, and two ways to log in. By itself it opens nothing.

Whatever is wrong with a link, the answer is the same, so that nobody learns from it who reviews what.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from milepost import people
from milepost.experts.invitations import CODE_MINUTES, Invited, invited_by, redeem_code, send_code
from milepost.web.render import page
from milepost.web.shield import plain
from milepost.web.visitor import Anyone, Typed, Visitor, text_of

router = APIRouter(include_in_schema=False)
TOKEN_MAX = 200


@dataclass(frozen=True, slots=True)
class InvitationPage:
    """Who is invited, and what was wrong with the code that was typed."""

    url: str
    invited: Invited
    sent: bool
    minutes: int = CODE_MINUTES
    error: str = ""


def _unusable(visitor: Visitor) -> Response:
    return plain(
        visitor.request.scope,
        404,
        "invitation_unusable",
        "这个邀请链接不能使用。",
        "链接可能不完整、已过期，或任务已不在您名下。请完整复制邮件中的链接，或直接登录查看“我的工作”。",
        "This invitation cannot be used.",
        "The link may be incomplete or too old, or the task is yours no more. Copy the whole link from the "
        "mail, or log in and look at your work list.",
    )


def _invited(visitor: Visitor, token: str) -> Invited | None:
    """Whose invitation it is, unless somebody else is logged in here."""
    found = invited_by(visitor.session, token) if len(token) <= TOKEN_MAX else None
    return None if found and visitor.login and visitor.id != found.person_id else found


def _draw(
    visitor: Visitor, token: str, invited: Invited, *, sent: bool, error: str = "", status: int = 200
) -> Response:
    if visitor.request.cookies.get("lang") is None:
        visitor.locale = invited.locale
    view = InvitationPage(f"/invitations/{token}", invited, sent, error=error)
    return page(visitor, "review_invitation.html", view, status=status)


@router.get("/invitations/{token}")
def show_invitation(visitor: Anyone, token: str, sent: str = "") -> Response:
    """Whose invitation it is; nothing of the application."""
    invited = _invited(visitor, token)
    if invited is None:
        return _unusable(visitor)
    if visitor.login is not None:
        return RedirectResponse(f"/tasks/{invited.task_id}", 303)
    return _draw(visitor, token, invited, sent=bool(sent))


@router.post("/invitations/{token}/code")
def mail_code(visitor: Anyone, form: Typed, token: str) -> Response:
    """Mail a one-time code to the invited expert's own address."""
    invited = _invited(visitor, token)
    if invited is None:
        return _unusable(visitor)
    if not send_code(visitor.logins, visitor.session, invited.person_id):
        zh = "一小时内索取的验证码过多。请稍后再试，或用密码登录。"
        en = "Too many codes were asked for within an hour. Try again later, or log in with your password."
        error = zh if visitor.locale == "zh" else en
        return _draw(visitor, token, invited, sent=True, error=error, status=429)
    return RedirectResponse(f"/invitations/{token}?sent=1", 303)


@router.post("/invitations/{token}/enter")
def enter(visitor: Anyone, form: Typed, token: str) -> Response:
    """Log in by the code that was mailed: an ordinary log-in, with which no money can be released."""
    invited = _invited(visitor, token)
    if invited is None:
        return _unusable(visitor)
    client = visitor.request.client
    address = client.host if client else "-"
    known = not visitor.web.by_address.wait(address)
    if not known or not redeem_code(visitor.logins, invited.person_id, text_of(form, "code")[:100]):
        visitor.web.by_address.fail(address)
        zh = "验证码不正确或已失效。请核对，或重新索取一个。"
        en = "The code is not right, or it works no more. Check it, or ask for a new one."
        error = zh if visitor.locale == "zh" else en
        return _draw(visitor, token, invited, sent=True, error=error, status=401)
    hours = visitor.web.settings.session_hours
    token_ = people.open_login(
        visitor.logins, invited.person_id, hours, instead_of=visitor.token, fresh=False
    )
    answer = RedirectResponse(f"/tasks/{invited.task_id}", 303)
    visitor.web.set_cookie(answer, "milepost", token_, hours=hours)
    visitor.web.drop_cookie(answer, "milepost-before")
    return answer
