"""A programme file says everything that differs between programmes; this module is its exact shape.

The file is TOML, one programme version each. What is written there is data: stages and their order, who
signs, what a tranche waits for, which gates guard it, every deadline and reminder. Names of stages, gates,
roles and templates are resolved one layer up (``states.machines``), which knows the ones that exist.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

Unit = Literal["working_days", "calendar_days", "months", "years"]
SupportMode = Literal["pre_subsidy", "post_subsidy", "milestone_subsidy", "lump_sum", "small_grant"]
WaitsFor = Literal["agreement", "milestone", "acceptance", "day"]
Basis = Literal["fixed", "verified", "retained"]
PledgeSigner = Literal["unit", "leader"]
# Days that are the same in every programme (``states.machines``); a file may have its own reminders of them.
BUILT_IN_DAYS = (
    "notice_closes",
    "draw_value_due",
    "delegation_begins",
    "delegation_ends",
    "review_request_answer_due",
    "receivable_confirmation_due",
    "refund_due",
    "refund_instalment_due",
    "call_opens",
    "call_closes",
)


def _ratio(value: object) -> Fraction:
    """Read "40 %", "2/5" or "0.4" exactly; a float has already lost what it meant."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, str):
        text = value.replace(" ", "")
        try:
            ratio = Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text)
        except (ValueError, ZeroDivisionError):
            ratio = Fraction(0)
        if ratio > 0:
            return ratio
    raise PydanticCustomError("not_a_share", 'write a share as text, for example "40%" or "2/5"')


def _percent(value: object) -> Fraction:
    """A whole number is that many percent; text is a share of the most: "2/3" is exactly that."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    return _ratio(value) * 100


def _part_of_the_whole(ratio: Fraction) -> Fraction:
    if ratio > 1:
        raise PydanticCustomError("more_than_the_whole", "a share is 100% at most")
    return ratio


Ratio = Annotated[Fraction, BeforeValidator(_ratio)]
Share = Annotated[Ratio, AfterValidator(_part_of_the_whole)]
Percent = Annotated[Fraction, BeforeValidator(_percent), Field(ge=0, le=100)]


class Shape(BaseModel):
    """Nothing unknown is accepted: a misspelt key must not pass in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Text(Shape):
    """The same words in both languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class RuleSet(Shape):
    """The normative document the programme stands on and its filing with the justice bureau."""

    title: Text
    document_no: str = ""
    filing_no: str = ""


class ChecklistItem(Shape):
    """One condition of eligibility; ``example`` marks one that no published source gives."""

    code: str
    text: Text
    example: bool = False


class Criterion(Shape):
    """One line of the review rubric, scored 0..``max``, weighing ``weight`` in the total.

    A ``pass_fail`` line is 0 or 1; with a threshold of 1 a single "no" among the valid reviews fails it.
    """

    code: str
    text: Text
    guidance: Text | None = None
    kind: Literal["score", "pass_fail"] = "score"
    max: int = Field(gt=0)
    weight: int = Field(default=1, gt=0)
    threshold: int = Field(default=0, ge=0)


class Kinds(Shape):
    """How many of each kind of expert a panel has at least."""

    technology: int = Field(default=0, ge=0)
    management: int = Field(default=0, ge=0)
    finance: int = Field(default=0, ge=0)
    investment: int = Field(default=0, ge=0)


class Panel(Shape):
    """How a panel is composed, and who composes it: the officer by hand, a verifiable draw, or a matching.

    An expert's subject fits where it shares its first ``field_digits`` digits with one of the application's;
    ``field_exempt`` kinds need no such subject. ``region_depth`` levels of an office's path make a region;
    who is not of the application's region is off-site. ``witness``: a supervisor is present at the draw.
    """

    by: Literal["hand", "draw", "matching"] = "hand"
    size: int = Field(default=5, ge=1, le=99)
    odd: bool = True
    kinds: Kinds = Kinds()
    off_site_share: Share | None = None
    one_per_institution: bool = True
    field_digits: Literal[0, 3, 5, 7] = 3
    field_exempt: tuple[Literal["technology", "management", "finance", "investment"], ...] = ("finance",)
    region_depth: int = Field(default=2, ge=0, le=9)
    witness: bool = False


class ConflictRules(Shape):
    """For how many years shared work bars an expert, and how many unsuitable ones an applicant may name."""

    same_unit_years: int = Field(default=3, ge=0, le=50)
    collaborator_years: int = Field(default=3, ge=0, le=50)
    unsuitable_at_most: int = Field(default=3, ge=0, le=20)


class Ballot(Shape):
    """A panel that meets votes in secret and without proxies: ``present`` at least, ``more_than`` of them."""

    present: int = Field(ge=1)
    more_than: Share = Fraction(1, 2)


class Review(Shape):
    """How a review round is counted: quorum of valid reviews, trimming, pass mark in percent of the most.

    A pass mark that is a sum is written as a share of the most: 10 of 15 points is "2/3". ``tie_items`` are
    the criteria by which equal scores are ranked, in the rubric's order.
    """

    quorum: int = Field(default=3, ge=1)
    pass_mark: Percent = Fraction(60)
    drop_extremes_from: int = Field(default=5, ge=3)
    blinding: Literal["single", "double", "open"] = "single"
    feedback: Literal["nothing", "comments", "scores"] = Field(
        default="nothing", description="what applicants are told of the reviews once it is decided"
    )
    panel: Panel = Panel()
    conflicts: ConflictRules = ConflictRules()
    ballot: Ballot | None = None
    tie_items: tuple[str, ...] = ()
    rubric: tuple[Criterion, ...]


class MilestonePlan(Shape):
    """A milestone every project of the programme has, unless the application brings its own."""

    title: Text
    after_months: int = Field(gt=0)
    share: Share | None = None


class Milestones(Shape):
    """Planned by the programme (``plan``) or by each application (``from_application``)."""

    from_application: bool = False
    at_most: int = Field(default=6, ge=1)
    plan: tuple[MilestonePlan, ...] = ()


class Tranche(Shape):
    """A part of the award. ``per_milestone`` makes one of each milestone, with the milestone's own amount.

    ``basis`` says how its sum is found: ``fixed``, its share of the award; ``verified``, computed from what
    is verified of the grantee's spending (``rate`` of it, ``cap_minor`` at most, nothing below
    ``minimum_minor``), and its share is how much of the award it may use; ``retained``, what was held back
    of the others. ``instalments`` makes so many of it, ``every_months`` apart, the first ``after_months``
    after the agreement.
    """

    code: str
    title: Text
    waits_for: WaitsFor
    share: Share | None = None
    per_milestone: bool = False
    milestone: int | None = Field(default=None, description="number of the milestone it waits for")
    basis: Basis = "fixed"
    rate: Share = Fraction(1)
    cap_minor: int | None = Field(default=None, gt=0)
    minimum_minor: int = Field(default=0, ge=0)
    instalments: int = Field(default=1, ge=1, le=60)
    after_months: int | None = Field(default=None, ge=0, le=240)
    every_months: int | None = Field(default=None, ge=1, le=60)
    gates: tuple[str, ...]


class ApprovalTier(Shape):
    """Who approves a payment of more than ``above_minor``: so many people of each role, all different.

    Minor units of the programme's currency. The highest tier below the sum counts.
    """

    above_minor: int = Field(default=0, ge=0)
    approvers: dict[str, Annotated[int, Field(ge=1, le=9)]] = Field(min_length=1)


class PayeeRules(Shape):
    """What the account of a project owes before money goes there.

    ``kinds`` that are taken; none: any, and only what is stated is checked. A change rests ``rest_days``
    whole days of ``rest_unit`` before it is paid to, and has evidence where ``evidence_required``.
    """

    kinds: tuple[Literal["cn", "iban"], ...] = ()
    rest_days: int = Field(default=0, ge=0, le=366)
    rest_unit: Literal["working_days", "calendar_days"] = "working_days"
    evidence_required: bool = False


class GateSettings(Shape):
    """The figures the named gates are held against."""

    own_contribution_ratio: Ratio = Fraction(1)
    previous_tranche_spent_share: Share = Fraction(1, 2)
    required_reviews: tuple[str, ...] = ()
    audit_from_minor: int = Field(
        default=0, ge=0, description="from this award on, an audit report is asked for"
    )


class BudgetCategory(Shape):
    """What costs are claimed under (equipment, staff, indirect…), and how much of it at most.

    ``at_most`` is a share of the award, or of everything allowed under the other categories (indirect costs
    are usually bounded so). ``evidence = false``: a flat rate that no invoice proves.
    """

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    text: Text
    at_most: Ratio | None = None
    of: Literal["award", "others"] = "award"
    evidence: bool = True


class Claims(Shape):
    """That grantees claim costs, and under which categories."""

    categories: tuple[BudgetCategory, ...] = Field(min_length=1)
    lines_at_most: int = Field(default=500, ge=1, le=1000)


class Source(Shape):
    """Whose money a programme spends: the city's own, a transfer of the region, a fund (资金来源)."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)
    title: Text


class Budget(Shape):
    """Where the money comes from, in the order of spending; when it lapses; what approvals are held to.

    Unspent for ``lapse_after_years`` years, money may be carried over no more and goes back to the treasury
    (two: Budget Law art. 42). ``fits_before_approval``: an award has to fit into what is free of the years
    that it falls into. ``same_year_refunds_to``: what a grantee pays back through the bank within the fiscal
    year that it was paid from may go back to that appropriation; of earlier years it is the treasury's.
    """

    sources: tuple[Source, ...] = Field(
        default=(Source(code="own", title=Text(zh="本级财政", en="Own budget")),), min_length=1
    )
    lapse_after_years: int = Field(default=2, ge=1, le=20)
    fits_before_approval: bool = False
    same_year_refunds_to: Literal["treasury", "appropriation"] = "treasury"


class Lateness(Shape):
    """Interest that the office owes for paying later than ``promised_days`` after a payment fell due.

    Exact, then rounded to the minor unit by ``rounding``. ``paid_from`` is the source that pays it, its own
    line of the budget; without one it is shown and paid by nobody. Less than ``minimum_minor`` is not paid.
    """

    rate: Share
    promised_days: int = Field(ge=0, le=3650)
    days_in_year: Literal[360, 365] = 365
    rounding: Literal["half_up", "down"] = "half_up"
    paid_from: str | None = None
    minimum_minor: int = Field(default=0, ge=0)


class Deadline(Shape):
    """How long a subject may stay in a state: ``of`` is "noun.state"; ``act`` is what happens by itself then.

    ``from_field`` counts from a date of the subject instead of from the day the state was entered.
    """

    of: str
    name: str
    length: int = Field(ge=0)
    unit: Unit
    who: tuple[str, ...] = Field(min_length=1)
    act: str | None = None
    from_field: str | None = None


class Reminder(Shape):
    """Mail about a deadline, ``days`` before (negative) and after it; ``escalate_to`` joins once past."""

    deadline: str
    days: tuple[int, ...] = Field(min_length=1)
    template: str = "deadline_reminder"
    to: tuple[str, ...] = ()
    escalate_to: tuple[str, ...] = ()


class Programme(Shape):
    """One version of one programme, as its file says it."""

    code: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    version: int = Field(ge=1)
    title: Text
    support_mode: SupportMode
    currency: str
    calendar: Literal["CN", "weekends", "none"] = "CN"
    rule_set: RuleSet
    stages: tuple[str, ...] = Field(min_length=2)
    pledge_signers: tuple[PledgeSigner, ...] = ("unit", "leader")
    checklist: tuple[ChecklistItem, ...] = ()
    review: Review | None = None
    notice_working_days: int = Field(default=5, ge=1)
    notice_contact: Text | None = Field(
        default=None, description="where objections go: office, address, telephone"
    )
    anonymous_objections: bool = False
    review_request_days: int = Field(default=15, ge=1)
    milestones: Milestones = Milestones()
    tranches: tuple[Tranche, ...] = Field(min_length=1)
    gate_settings: GateSettings = GateSettings()
    payees: PayeeRules = PayeeRules()
    approvals: tuple[ApprovalTier, ...] = Field(
        default=(), description="who approves a payment, by its sum; none: one finance officer"
    )
    claims: Claims | None = None
    budget: Budget = Budget()
    retention: Share | None = Field(
        default=None, description="held back of every tranche, paid by the last one after acceptance"
    )
    late_interest: Lateness | None = Field(
        default=None, description="what the office owes for paying late, by the year"
    )
    before_balance_at_most: Share | None = Field(
        default=None, description="the most that is paid before the last tranche"
    )
    deadlines: tuple[Deadline, ...] = ()
    reminders: tuple[Reminder, ...] = ()
