"""The page that an invitation's link opens: two ways to log in, and nothing else.

Every link of ours is answered the same until its last day: nobody learns from it whose it is, whether that
expert accepted, declined or is replaced, whether a code went out. A link that is not ours, letter for letter,
or is too old gets one other answer, which tells no more than the link itself. The right holder logs in either
way, and is told then what stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from milepost import people
from milepost.experts.invitations import (
    CODE_MINUTES,
    CODES_AN_HOUR,
    link_of,
    redeem_code,
    reviews_still,
    send_code,
)
from milepost.experts.links import Link
from milepost.web.render import page
from milepost.web.shield import plain
from milepost.web.visitor import Anyone, Typed, Visitor, text_of

router = APIRouter(include_in_schema=False)
TOKEN_MAX = 200


@dataclass(frozen=True, slots=True)
class InvitationPage:
    """Where the forms go, whether a code was asked for, and what was wrong with the one that was typed.

    ``login``: who else is logged in at this browser, by their own log-in name.
    """

    url: str
    sent: bool
    login: str = ""
    minutes: int = CODE_MINUTES
    codes: int = CODES_AN_HOUR
    error: str = ""


def _unusable(visitor: Visitor) -> Response:
    return plain(
        visitor.request.scope,
        404,
        "invitation_unusable",
        "这个邀请链接不能使用。",
        "链接可能不完整或已过期。请完整复制邮件中的链接，或直接登录查看“我的工作”。",
        "This invitation cannot be used.",
        "The link may be incomplete or too old. Copy the whole link from the mail, or log in and look at "
        "your work list.",
    )


def _link(visitor: Visitor, token: str) -> Link | None:
    return link_of(visitor.session, token) if len(token) <= TOKEN_MAX else None


def _draw(visitor: Visitor, token: str, *, sent: bool, error: str = "", status: int = 200) -> Response:
    login = visitor.person.login if visitor.login is not None else ""
    view = InvitationPage(f"/invitations/{token}", sent, login, error=error)
    return page(visitor, "review_invitation.html", view, status=status)


def _onwards(visitor: Visitor, link: Link) -> RedirectResponse:
    """To the task for its expert; where it is theirs no more, to what else waits for them."""
    still = reviews_still(visitor.session, link)
    return RedirectResponse(f"/tasks/{link.task_id}" if still else "/", 303)


@router.get("/invitations/{token}")
def show_invitation(visitor: Anyone, token: str, sent: str = "") -> Response:
    """The ways to log in; nothing of the expert, nothing of the application."""
    link = _link(visitor, token)
    if link is None:
        return _unusable(visitor)
    if visitor.login is not None and visitor.id == link.person_id:
        return _onwards(visitor, link)
    return _draw(visitor, token, sent=bool(sent))


@router.post("/invitations/{token}/code")
def mail_code(visitor: Anyone, form: Typed, token: str) -> Response:
    """Mail a one-time code to the invited expert's own address; the answer is the same if none is sent."""
    link = _link(visitor, token)
    if link is None:
        return _unusable(visitor)
    send_code(visitor.logins, visitor.session, link.person_id)
    return RedirectResponse(f"/invitations/{token}?sent=1", 303)


@router.post("/invitations/{token}/enter")
def enter(visitor: Anyone, form: Typed, token: str) -> Response:
    """Log in by the code that was mailed: an ordinary log-in, with which no money can be released."""
    link = _link(visitor, token)
    if link is None:
        return _unusable(visitor)
    client = visitor.request.client
    address = client.host if client else "-"
    known = not visitor.web.by_address.wait(address)
    if not known or not redeem_code(visitor.logins, link.person_id, text_of(form, "code")[:100]):
        visitor.web.by_address.fail(address)
        zh = "验证码不正确或已失效。请核对，或重新索取一个。"
        en = "The code is not right, or it works no more. Check it, or ask for a new one."
        error = zh if visitor.locale == "zh" else en
        return _draw(visitor, token, sent=True, error=error, status=401)
    hours = visitor.web.settings.session_hours
    token_ = people.open_login(visitor.logins, link.person_id, hours, instead_of=visitor.token, fresh=False)
    answer = _onwards(visitor, link)
    visitor.web.set_cookie(answer, "milepost", token_, hours=hours)
    visitor.web.drop_cookie(answer, "milepost-before")
    return answer
