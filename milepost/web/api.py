"""The JSON API: the same steps, the same refusals, for programs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Header, Path, Request, UploadFile
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from milepost import people
from milepost.actions import Order, Receipt, perform, perform_many
from milepost.available import available
from milepost.decisions import PARENT
from milepost.documents import DocumentError, not_brought, store
from milepost.queries.projects import ProjectView, project_list, project_view
from milepost.queries.sight import find_subject, find_subjects
from milepost.queries.work import work
from milepost.web.login import authenticate
from milepost.web.offers import locate
from milepost.web.status import status_of
from milepost.web.typed import problem
from milepost.web.visitor import Anyone, Forged, Member, Missing, Visitor
from milepost.work.conflicts import after_step
from schema.nouns import NOUNS
from states.labels import every_step, worded
from states.refusals import Refusal, Refused, refuse
from states.roles import PERMISSIONS

router = APIRouter(prefix="/api/v1")
BATCH_MAX = 1000


class Words(BaseModel):
    """The same in both languages."""

    zh: str
    en: str


class RefusalShape(BaseModel):
    """Why not: a stable code, the fact, what would help, the roles that can."""

    code: str
    fact: Words
    remedy: Words
    who: list[str]


class Refusals(BaseModel):
    """Every reason at once."""

    refusals: list[RefusalShape]


class ReceiptShape(BaseModel):
    """What a step did: its event, the state it led to. The same for a repetition.

    ``seq`` is null for those who do not see the project's review: it would tell how much happened there.
    """

    request_id: str
    step: str
    subject_id: UUID
    chain_id: UUID
    seq: int | None
    state: str
    version: int
    at: datetime
    hash: str
    repeated: bool


class Credentials(BaseModel):
    """A log-in and its password."""

    model_config = ConfigDict(extra="forbid")
    login: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=200)]


class BatchOrder(BaseModel):
    """One subject of a batch; its request_id makes a repetition harmless."""

    model_config = ConfigDict(extra="forbid")
    subject_id: UUID
    request_id: Annotated[str, Field(min_length=1, max_length=100)]
    input: dict[str, Any] = {}
    expected_version: int | None = None


class Batch(BaseModel):
    """At most a thousand orders of one step."""

    model_config = ConfigDict(extra="forbid")
    orders: Annotated[list[BatchOrder], Field(min_length=1, max_length=BATCH_MAX)]


ERRORS: dict[int | str, dict[str, Any]] = {code: {"model": Refusals} for code in (401, 403, 404, 409, 422)}


def caller(request: Request, visitor: Member) -> Visitor:
    """Whoever logged in. A browser's cookie alone is not enough to change anything."""
    by_itself = request.method not in ("GET", "HEAD") and request.state.by_browser
    if by_itself and request.headers.get("x-requested-with") != "milepost":
        raise Forged
    return visitor


Caller = Annotated[Visitor, Depends(caller, scope="function")]


def own_refusal(code: str, zh: str, en: str, remedy_zh: str, remedy_en: str) -> dict[str, Any]:
    """A refusal of the web's own, in the one shape."""
    return {
        "code": code,
        "fact": {"zh": zh, "en": en},
        "remedy": {"zh": remedy_zh, "en": remedy_en},
        "who": ["anyone"],
    }


def unreadable(wrong: list[dict[str, Any]]) -> dict[str, Any]:
    """A body or a header that does not have the form it should, by field."""
    return {"refusals": [_input_invalid(wrong)]}


def _input_invalid(wrong: list[dict[str, Any]]) -> dict[str, Any]:
    lines = [(".".join(map(str, entry["loc"])), problem(entry)) for entry in wrong]
    made = refuse("input_invalid", problems="").as_json()
    for locale in ("zh", "en"):
        text = "; ".join(f"{where}: {getattr(said, locale)}" for where, said in lines)
        made["fact"][locale] = refuse("input_invalid", problems=text).fact(locale)
    made["fields"] = [{"field": where, "zh": said.zh, "en": said.en} for where, said in lines]
    return made


def shape(refusals: list[Refusal] | tuple[Refusal, ...], step: str = "", input: Any = None) -> dict[str, Any]:
    """Refusals as they go out: codes in words, each wrong field by name in both languages."""
    shown = []
    for refusal in refusals:
        if refusal.code == "input_invalid" and step in every_step():
            try:
                every_step()[step].input.model_validate(input)
            except ValidationError as error:
                shown.append(_input_invalid([dict(entry) for entry in error.errors()]))
                continue
        made = refusal.as_json()
        for locale in ("zh", "en"):
            said = worded(refusal, locale)
            made["fact"][locale], made["remedy"][locale] = said.fact(locale), said.remedy(locale)
        shown.append(made)
    return {"refusals": shown}


def _receipt(receipt: Receipt, counting: set[UUID]) -> dict[str, Any]:
    made = dict(jsonable_encoder(asdict(receipt)))
    if receipt.chain_id not in counting:
        made["seq"] = None
    return made


def _counting(visitor: Visitor, chains: set[UUID]) -> set[UUID]:
    """Those of some chains of which the caller may know how long they are: all but other people's reviews."""
    seen = find_subjects(visitor.session, visitor.id, "project", sorted(chains))
    return {id for id in chains if id in seen and seen[id].sight.counts}


@router.post("/session", responses=ERRORS)
def open_session(visitor: Anyone, given: Credentials) -> Response:
    """Log in: a token to be sent as Authorization: Bearer."""
    person, wait = authenticate(visitor, given.login, given.password)
    if person is None:
        minutes = -(-wait // 60)
        refusal = (
            own_refusal(
                "too_many_tries",
                "尝试次数过多。",
                "Too many tries.",
                f"请 {minutes} 分钟后再试。",
                f"Try again in {minutes} minute(s).",
            )
            if wait
            else own_refusal(
                "credentials_wrong",
                "登录名或密码不正确。",
                "The login or the password is not right.",
                "请核对，或请管理员重设密码。",
                "Check them, or ask the administrator for a new password.",
            )
        )
        return JSONResponse({"refusals": [refusal]}, 429 if wait else 401)
    hours = visitor.web.settings.session_hours
    token = people.open_login(visitor.logins, person.id, hours)
    return JSONResponse({"token": token, "person_id": str(person.id), "hours": hours}, 201)


@router.delete("/session", responses=ERRORS, status_code=204)
def close_session(visitor: Caller) -> Response:
    """Log out: the token ends."""
    if visitor.token:
        people.close_login(visitor.session, visitor.token)
    return Response(status_code=204)


@router.get("/work", responses=ERRORS)
def read_work(visitor: Caller, after: str = "") -> dict[str, Any]:
    """What waits for the caller, the most urgent first."""
    try:
        found = work(visitor.session, visitor.id, after=after)
    except ValueError:
        raise Missing from None
    return dict(jsonable_encoder({"items": found.rows, "next": found.next}))


@router.get("/projects", responses=ERRORS)
def read_projects(visitor: Caller, search: str = "", state: str = "", after: str = "") -> dict[str, Any]:
    """The projects the caller may see, by code."""
    found = project_list(visitor.session, visitor.id, search=search[:200], state=state, after=after)
    return dict(jsonable_encoder({"items": found.rows, "next": found.next}))


@router.get("/projects/{id}", responses=ERRORS)
def read_project(visitor: Caller, id: UUID) -> dict[str, Any]:
    """One project with the parts the caller may see."""
    found = project_view(visitor.session, visitor.id, id)
    if found is None:
        raise Missing
    return dict(jsonable_encoder(_project(found)))


def _project(found: ProjectView) -> dict[str, Any]:
    payments = [
        {**row, "blocked": shape(found.blocked.get(row["id"], []))["refusals"]} for row in found.payments
    ]
    return {
        "project": {k: v for k, v in found.row.items() if k != "machine"},
        **{f"{noun}s": part for noun, part in found.parts().items()},
        "payments": payments,
        "holds": found.holds,
        "deadlines": found.deadlines,
        "roles": sorted(found.sight.roles),
    }


Noun = Annotated[str, Path(description="One of " + ", ".join(NOUNS))]


@router.get("/{noun}/{subject_id}/available", responses=ERRORS)
def read_available(visitor: Caller, noun: Noun, subject_id: UUID) -> dict[str, Any]:
    """The steps the caller's roles know here: allowed, or with every reason why not."""
    subject = find_subject(visitor.session, visitor.id, noun, subject_id)
    if subject is None:
        raise Missing
    entries = available(visitor.session, visitor.actor, noun, subject_id)
    return {
        "steps": [
            {
                "step": entry.step.name,
                "label": entry.step.label.model_dump(),
                "subject_id": str(entry.subject_id),
                "version": entry.version,
                "allowed": entry.allowed,
                "refusals": shape(entry.refusals)["refusals"],
                "input": entry.input_schema(),
            }
            for entry in entries
        ]
    }


RequestId = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=100, description="Required: the id of this request."),
]
Seen = Annotated[str | None, Header(alias="If-Match", description="The version the caller has seen.")]
Given = Annotated[dict[str, Any] | None, Body()]


def _take(
    visitor: Visitor, step: str, subject_id: UUID | None, given: Given, key: str | None, seen: str | None
) -> Response:
    if not key or not key.strip():
        refusal = own_refusal(
            "idempotency_key_missing",
            "请求缺少 Idempotency-Key。",
            "The header Idempotency-Key is missing.",
            "为每个请求选一个新编号；重试时用同一编号。",
            "Choose a new id for each request and keep it for a retry.",
        )
        return JSONResponse({"refusals": [refusal]}, 422)
    version = (seen or "").strip().strip('"')
    if version and not (version.isascii() and version.isdigit() and len(version) < 10):
        refusal = own_refusal(
            "version_unreadable",
            f"If-Match 的“{version[:20]}”不是版本号。",
            f"“{version[:20]}” in If-Match is no version.",
            "请填写整数版本号。",
            "Send the whole number you have seen.",
        )
        return JSONResponse({"refusals": [refusal]}, 422)
    input = given or {}
    try:
        _documents_are_own(visitor, input)
        receipt = perform(
            visitor.session,
            visitor.actor,
            step,
            subject_id,
            input,
            key.strip(),
            expected_version=int(version) if version else None,
        )
    except Refused as refused:
        return JSONResponse(shape(refused.refusals, step, input), status_of(refused.refusals))
    after_step(visitor.session, receipt)
    return JSONResponse(
        _receipt(receipt, _counting(visitor, {receipt.chain_id})),
        200 if receipt.repeated else 201,
        {"etag": f'"{receipt.version}"'},
    )


def _documents_are_own(visitor: Visitor, input: dict[str, Any]) -> None:
    if not_brought(visitor.session, visitor.id, _digests(input)):
        raise Refused([refuse("not_found")])


_TAKEN: dict[int | str, dict[str, Any]] = {
    201: {"model": ReceiptShape},
    200: {"model": ReceiptShape},
    **ERRORS,
}


@router.post("/steps/{step}", responses=_TAKEN, status_code=201)
def take_root_step(
    visitor: Caller, step: str, given: Given = None, key: RequestId = None, seen: Seen = None
) -> Response:
    """Take a step that makes something from nothing."""
    locate(visitor, step, None)
    return _take(visitor, step, None, given, key, seen)


@router.post("/{noun}/{subject_id}/steps/{step}", responses=_TAKEN, status_code=201)
def take_step(
    visitor: Caller,
    noun: Noun,
    subject_id: UUID,
    step: str,
    given: Given = None,
    key: RequestId = None,
    seen: Seen = None,
) -> Response:
    """Take a step on a subject, or make one of its parts."""
    known = every_step().get(step)
    if find_subject(visitor.session, visitor.id, noun, subject_id) is None:
        raise Missing
    if known is None or noun != (known.noun if known.source else PARENT[known.noun]):
        names = sorted(n for n, s in every_step().items() if s.noun == noun and s.source)
        refusals = [refuse("unknown_step", step=step[:100], known=", ".join(names))]
        return JSONResponse(shape(refusals), status_of(refusals))
    forbidden = locate(visitor, step, subject_id).forbidden
    if forbidden:
        return JSONResponse(shape(forbidden), status_of(forbidden))
    return _take(visitor, step, subject_id, given, key, seen)


@router.post("/steps/{step}/batch", responses=ERRORS)
def take_many(visitor: Caller, step: str, batch: Batch) -> Response:
    """One step on many subjects: the same rules as one by one; one refusal does not keep the others back."""
    known = every_step().get(step)
    if known is None or not known.source:
        names = ", ".join(sorted(n for n, s in every_step().items() if s.source))
        refusals = [refuse("unknown_step", step=step[:100], known=names)]
        return JSONResponse(shape(refusals), status_of(refusals))
    ids = [order.subject_id for order in batch.orders]
    seen = {
        id: subject
        for id, subject in find_subjects(visitor.session, visitor.id, known.noun, ids).items()
        if any(step in PERMISSIONS[role] for role in subject.sight.roles)
    }
    orders = [
        Order(step, o.subject_id, o.input, o.request_id, o.expected_version)
        for o in batch.orders
        if o.subject_id in seen and not not_brought(visitor.session, visitor.id, _digests(o.input))
    ]
    done = iter(perform_many(visitor.session, visitor.actor, orders))
    by_request = {(outcome.order.subject_id, outcome.order.request_id): outcome for outcome in done}
    counting = _counting(visitor, {o.receipt.chain_id for o in by_request.values() if o.receipt is not None})
    answers: list[dict[str, Any]] = []
    for given in batch.orders:
        outcome = by_request.get((given.subject_id, given.request_id))
        answer: dict[str, Any] = {"subject_id": str(given.subject_id), "request_id": given.request_id}
        if outcome is None:
            answer |= shape([refuse("not_found")])
        elif outcome.receipt is not None:
            after_step(visitor.session, outcome.receipt)
            answer["receipt"] = _receipt(outcome.receipt, counting)
        else:
            answer |= shape(outcome.refusals, step, given.input)
        answers.append(answer)
    return JSONResponse({"outcomes": answers})


_DIGEST = re.compile(r"[0-9a-f]{64}")


def _digests(input: dict[str, Any]) -> list[str]:
    """The files that an input names; what is no list of digests the step's own model refuses."""
    given = input.get("documents")
    listed = given if isinstance(given, list) else []
    return [d for d in listed if isinstance(d, str) and _DIGEST.fullmatch(d)]


@router.post("/documents", responses=ERRORS, status_code=201)
def hand_in(visitor: Caller, file: UploadFile) -> Response:
    """Hand in a file; its hash is what a step's input then names."""
    settings = visitor.web.settings
    content = file.file.read(settings.upload_bytes_max + 1)
    try:
        stored = store(visitor.session, file.filename or "", content, visitor.id, settings.upload_bytes_max)
    except DocumentError as error:
        refusal = own_refusal(error.code, error.zh, error.en, "请另选文件。", "Choose another file.")
        return JSONResponse({"refusals": [refusal]}, 422)
    return JSONResponse(json.loads(json.dumps(asdict(stored))), 201)
