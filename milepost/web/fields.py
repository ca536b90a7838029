"""A step's input model as fields of a form. The model names a widget; what has none follows its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic.fields import FieldInfo

from config.programmes import Programme, Text
from milepost.db import Session
from milepost.documents import described
from milepost.queries import budget as budgets
from milepost.queries import office
from milepost.queries.claims import proofs_of
from milepost.queries.sight import Subject
from milepost.web import claim_rows, form_rows
from schema.money import CURRENCIES, Money
from states.guards import GUARDS
from states.labels import choice_label, said
from states.step import Step

# Columns of the subject that a form does not begin with: they are said anew each time.
_NOT_KEPT = frozenset({"reason", "opinion", "note", "answer", "documents", "amount_minor", "code"})
PLAN_ROWS_MORE = 3


@dataclass(frozen=True, slots=True)
class Option:
    """One of the values a field may take."""

    value: str
    label: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One field as a template draws it: ``widget`` names the macro, ``value`` is what was typed."""

    name: str
    label: str
    widget: str
    required: bool
    value: Any = ""
    error: str = ""
    options: tuple[Option, ...] = ()
    hint: str = ""
    length_max: int | None = None
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a form stands: the step, its subject or parent, the programme, the reader's language."""

    session: Session
    person_id: UUID
    locale: str
    step: Step
    subject: Subject | None
    programme: Programme | None

    @property
    def currency(self) -> str:
        """The currency that sums are typed in, unless the form asks for one."""
        row = self.subject.row if self.subject else {}
        if row.get("currency"):
            return str(row["currency"])
        if self.subject is not None and self.subject.project_id is not None:
            found = self.session.conn.execute(
                "SELECT currency FROM project WHERE id = %s", (self.subject.project_id,)
            ).fetchone()
            if found:
                return str(found[0])
        return self.programme.currency if self.programme else "CNY"


def bare_type(annotation: Any) -> Any:
    """The type without "or none"."""
    if get_origin(annotation) in (Union, UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        return bare_type(inner[0]) if len(inner) == 1 else annotation
    return bare_type(get_args(annotation)[0]) if hasattr(annotation, "__metadata__") else annotation


def widget_of(name: str, info: FieldInfo) -> str:
    """The widget a model names, else the one its type asks for."""
    extra = info.json_schema_extra
    named = str(extra.get("widget", "")) if isinstance(extra, Mapping) else ""
    kind = bare_type(info.annotation)
    if named:
        return named
    if name == "currency":
        return "currency"
    if name == "replaces":
        return "task"
    if get_origin(kind) is Literal:
        return "choice"
    return {bool: "tick", int: "whole", date: "date"}.get(kind, "line")


def label_of(info: FieldInfo, name: str, locale: str) -> str:
    """The field's label in the reader's language."""
    extra = info.json_schema_extra
    return str(extra.get(locale, name)) if isinstance(extra, Mapping) else (info.title or name)


def _bound(info: FieldInfo, attribute: str) -> int | None:
    found = [getattr(m, attribute) for m in info.metadata if getattr(m, attribute, None) is not None]
    return found[0] if found else None


def fields_of(asked: Asked) -> list[Field]:
    """The empty form, or one that begins with what the subject holds."""
    made = []
    for name, info in asked.step.input.model_fields.items():
        field_ = Field(
            name=name,
            label=label_of(info, name, asked.locale),
            widget=widget_of(name, info).partition(":")[0],
            required=info.is_required(),
            value=_present(asked, name, info),
            length_max=_bound(info, "max_length"),
            least=_bound(info, "ge"),
            most=_bound(info, "le"),
        )
        made.append(_with_options(asked, field_, widget_of(name, info), info))
    return made


def _present(asked: Asked, name: str, info: FieldInfo) -> Any:
    """What the form begins with: the subject's own value, else the model's default."""
    row = asked.subject.row if asked.subject and asked.step.source else {}
    value = row.get(name) if name not in _NOT_KEPT else None
    widget = widget_of(name, info)
    if widget in ("checklist", "documents"):
        return []
    if widget in claim_rows.WIDGETS:
        return claim_rows.present(asked, widget)
    rows = form_rows.present(asked, name, widget)
    if rows is not None:
        return rows
    if name == "summary":
        return form_rows.summary_before(asked)
    if value is None:
        value = info.default if not info.is_required() else None
    if widget == "rubric":
        return value or {}
    if widget == "plan":
        return [_plan_row(m, asked.currency) for m in (value or ())]
    if widget == "money" and (left := form_rows.set_off_left(asked)) is not None:
        return f"{left.major:f}"
    if widget == "money":
        return "" if value is None else f"{Money(value, asked.currency).major:f}"
    if widget == "currency":
        return value or asked.currency
    return "" if value is None else value


def _plan_row(milestone: Mapping[str, Any], currency: str) -> dict[str, str]:
    minor = milestone.get("amount_minor")
    return {
        "title": str(milestone.get("title") or ""),
        "amount": "" if minor is None else f"{Money(minor, currency).major:f}",
        "due_on": str(milestone.get("due_on") or ""),
    }


def _choose(asked: Asked) -> Option:
    return Option("", "请选择" if asked.locale == "zh" else "Choose")


def _with_options(asked: Asked, made: Field, widget: str, info: FieldInfo) -> Field:
    """Fill in what a field offers to choose from."""
    session, locale, subject = asked.session, asked.locale, asked.subject
    kind, _, role = widget.partition(":")
    options: list[Option] = []
    if kind == "choice":
        options = [
            Option(v, said(choice_label(v), locale)) for v in map(str, get_args(bare_type(info.annotation)))
        ]
        return replace(made, widget="choice", options=tuple(options))
    if kind == "money":
        return replace(made, hint=_money_hint(asked))
    if kind == "currency":
        return replace(made, widget="select", options=tuple(Option(c, c) for c in CURRENCIES))
    if kind in claim_rows.WIDGETS:
        return replace(made, options=tuple(Option(*choice) for choice in claim_rows.choices(asked)))
    if kind == "checklist" and asked.programme:
        options = [Option(i.code, said(i.text, locale)) for i in asked.programme.checklist]
    elif kind == "rubric" and asked.programme and asked.programme.review:
        options = [Option(c.code, said(c.text, locale), str(c.max)) for c in asked.programme.review.rubric]
    elif kind == "programme":
        options = [
            Option(str(r["id"]), f"{said(Text(**r['title']), locale)} · {r['code']} v{r['version']}")
            for r in office.programmes(session)
        ]
    elif kind == "call":
        options = [Option(str(r["id"]), r["title"]) for r in office.open_calls(session)]
    elif kind == "office":
        options = [Option(r["path"], f"{r[f'name_{locale}']} ({r['path']})") for r in office.offices(session)]
        if not options:
            return replace(made, widget="line", value=made.value or "/")
    elif kind == "person" and subject and subject.project_id:
        options = [
            Option(str(r["id"]), f"{r['name']} ({r['login']})")
            for r in office.people_with(session, role, subject.project_id)
        ]
    elif kind == "colleague":
        options = [
            Option(str(r["id"]), f"{r['name']} ({r['login']})")
            for r in office.colleagues(session, asked.person_id)
        ]
    elif kind == "hold" and subject and subject.project_id:
        options = [
            Option(str(r["id"]), r["reason"])
            for r in office.standing_holds(
                session,
                subject.project_id,
                _hold_kind(asked.step),
                payment_id=subject.id if subject.noun == "payment" else None,
            )
        ]
    elif kind == "proof" and subject:
        options = [
            Option(str(r["id"]), f"{said(choice_label(r['kind']), locale)} · {r['handed_at']:%Y-%m-%d}")
            for r in proofs_of(session, subject.id)
            if r["outcome"] is None
        ]
    elif kind == "task" and subject:
        options = [Option(str(r["id"]), r["name"]) for r in office.tasks_to_replace(session, subject.id)]
    elif kind == "money_source":
        options = [Option(*choice) for choice in budgets.sources(session, locale)]
    elif kind == "purse" and subject:
        options = [
            Option(*choice) for choice in budgets.purses(session, asked.person_id, subject.row, locale)
        ]
    elif kind == "source":
        return replace(made, widget="line", hint=_SOURCE_HINT[locale == "en"])
    elif offered := form_rows.choices(asked, kind):
        options = [Option(*choice) for choice in offered]
    if kind in (
        "credit",
        "receipt",
        "set_off_payment",
        "draw",
        "drawn_round",
        "drawn_expert",
        "programme",
        "money_source",
        "purse",
        "call",
        "office",
        "person",
        "colleague",
        "hold",
        "proof",
        "task",
    ):
        return replace(made, widget="select", options=(_choose(asked), *options))
    return replace(made, options=tuple(options))


_SOURCE_HINT = (
    "写明哪一个数字、由谁公布、几位小数；信标写网络名与轮次，如 quicknet 30000000。",
    "Which figure, by whom, how many decimals; of a beacon network and round, such as quicknet 30000000.",
)


def _hold_kind(step: Step) -> str:
    needs = {fact for guard in step.guards for fact in GUARDS[guard].needs}
    if "payment_holds" in needs:
        return "payment"
    return "integrity" if "integrity_holds" in needs else "hold"


def _money_hint(asked: Asked) -> str:
    if "currency" in asked.step.input.model_fields:
        return (
            "单位：元，如 1,200,000.00 或 120万元"
            if asked.locale == "zh"
            else "In whole units, such as 1,200,000.00"
        )
    name = CURRENCIES[asked.currency].zh if asked.locale == "zh" else asked.currency
    if (left := form_rows.set_off_left(asked)) is not None:
        zh = f"单位：{name}。尚欠 {left.format('zh')}；不超过尚欠，也不超过该笔拨付。"
        en = f"In {name}. {left.format('en')} is left; no more than that, and no more than the payment."
        return zh if asked.locale == "zh" else en
    return f"单位：{name}" if asked.locale == "zh" else f"In {name}"


def documents_kept(session: Session, digests: list[str]) -> list[Option]:
    """Documents that were handed in with an earlier try of the same form."""
    known = described(session, digests)
    return [Option(d, known[d].name) for d in digests if d in known]


__all__ = ["Asked", "Field", "Option", "date", "field", "fields_of"]
